"""The table of docs/accounting.md: which test answers which complaint, and whether that test says so too."""

import ast
import pathlib
import re

from .server import ROOT

#: As many as metering.md §2 has.
COMPLAINTS = range(1, 37)
_MENTION = re.compile(r"[Cc]omplaints? (\d+(?:(?:, | and |, and )\d+)*)")


def mentioned(text: str) -> set[int]:
    """Every complaint that a text names: `complaint 4`, `complaints 10 and 14`, `complaints 24, 25; 34: …`."""
    found = {int(number) for match in _MENTION.finditer(text) for number in re.findall(r"\d+", match[1])}
    # A further number with its own words after a semicolon, within the same brackets.
    for group in re.findall(r"\([^()]*[Cc]omplaints? [^()]*\)", text):
        found |= {int(number) for number in re.findall(r"; (\d+)[:;)]", group)}
    return found


def table(document: str) -> list[tuple[str, str]]:
    """First and last cell of each row of the table."""
    section = document.partition("## Complaints about others")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [(cells[0].strip(), cells[-1].strip()) for cells in (row.strip("|").split("|") for row in rows)]


def faults(document: str, tests: dict[str, str]) -> list[str]:
    """What is wrong with the table; `tests` are the texts of all tests by `suite.function`."""
    rows = table(document)
    found = []
    numbers = [number for number, _ in rows]
    for number in COMPLAINTS:
        if (count := numbers.count(str(number))) != 1:
            found.append(f"complaint {number} has {count} rows")
    found += [f"there is no complaint {number}" for number in numbers if not number.isdigit() or int(number) not in COMPLAINTS]
    for number, cell in rows:
        names = re.findall(r"`([^`]+)`", cell)
        if not names and not cell.startswith("does not apply: "):
            found.append(f"complaint {number} has neither a test nor a reason")
        for name in names:
            if name not in tests:
                found.append(f"complaint {number}: there is no test {name}")
            elif int(number) not in mentioned(tests[name]):
                found.append(f"complaint {number}: {name} does not mention it")
    return found


def all_tests(root: pathlib.Path = ROOT) -> dict[str, str]:
    tests = {}
    for file in (root / "Tests" / "EndToEnd").glob("test_*.py"):
        source = file.read_text()
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                tests[f"{file.stem}.{node.name}"] = ast.get_source_segment(source, node) or ""
    for file in (root / "Tests").rglob("*.swift"):
        source = file.read_text()
        suite = re.search(r"^(?:@Suite.*\) )?(?:final )?(?:struct|class) (\w+Tests)\b", source, re.MULTILINE)
        for test in source.split("@Test")[1:] if suite else []:
            if function := re.search(r"\bfunc (\w+)", test):
                tests[f"{suite[1]}.{function[1]}"] = test
    return tests

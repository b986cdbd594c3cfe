"""The table of docs/threat-model.md: which test makes which attack, and whether that test says so too."""

import re

#: As many as socketio.md §7 has.
ATTACKS = range(1, 31)
_MENTION = re.compile(r"[Aa]ttacks? (\d+(?:(?:, | and |, and )\d+)*)")


def mentioned(text: str) -> set[int]:
    """Every attack that a text names: `attack 4`, `Attacks 3, 21`, `attacks 13 and 14`."""
    return {int(number) for match in _MENTION.finditer(text) for number in re.findall(r"\d+", match[1])}


def faults(document: str, tests: dict[str, str]) -> list[str]:
    """What is wrong with the table; `tests` are the texts of all tests by `suite.function`."""
    section = document.partition("## Attacks on the realtime server")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| ")][2:]
    found = [f"attack {number} has no row, or not one" for number in ATTACKS if [row[0] for row in rows].count(str(number)) != 1]
    for row in rows:
        names = re.findall(r"`(\w+\.\w+)`", row[-1])
        if not names:
            found.append(f"attack {row[0]} has no test")
        for name in names:
            if name not in tests:
                found.append(f"attack {row[0]}: there is no test {name}")
            elif int(row[0]) not in mentioned(tests[name]):
                found.append(f"attack {row[0]}: {name} does not mention it")
    return found

"""The commands of README.md, of everything in docs/ and of the examples do what the text says: they are run, block by block."""

import json
import re

import pytest

from rig import documents
from rig.server import BINARIES, ROOT, environment
from rig.waiting import wait_until

#: What the blocks of a document print, besides ending well: parts of it in their order.
PRINTED = {
    "docs/getting-started.md": [
        "acme",
        "[DONE]",
        '"x_cut"',
        "chat_complete",
        "apr_",
        "is approved",
        "chat_complete",
        "refund-large",
        "as they were written",
        "new: crm.lookup",
        "policies are now version",
        "C-17",
        "crm.lookup: read; built in: crm.lookup",
    ],
    "README.md": ["0.003", "[DONE]"],
    "docs/admin.md": ['"name":"Ann"', '"alias":"ci"'],
    "docs/migration.md": ["demo", '"max_budget"', '"usage"', '"spend"', '"request_id"'],
}


def name(path) -> str:
    return str(path.relative_to(ROOT))


#: What stands before a page that speaks of a server which is there.
SERVED = """
cat > first.yaml <<'YAML'
models: [ { id: demo, provider: scripted } ]
prices: { file: scripts/demo/prices.json }
YAML
KEY=$(kdcube keys create --config first.yaml --org acme --project web --role admin --json | sed 's/.*"key":"\\([^"]*\\)".*/\\1/')
kdcube serve --config first.yaml
"""


def filled_in(path, desk: documents.Desk) -> dict[str, str]:
    """What the text tells the reader to put into a variable."""
    if name(path) == "README.md":
        made = desk.folder / ".tools/demo-data/user-key.json"
        wait_until("the demo's key is made", made.exists, 20)
        return {"KEY": json.loads(made.read_text())["key"]}
    return {}


@pytest.mark.parametrize(
    "path", [path for path in documents.documents() if any(not one.reason for one in documents.blocks(path))], ids=name
)
def test_the_commands_of_a_document_work(path, tmp_path):
    desk = documents.Desk(tmp_path / "repository")
    printed = ""
    try:
        if name(path) == "docs/admin.md":
            desk.run(documents.Block(SERVED, 0, ""))
        for block in documents.blocks(path):
            if not block.reason:
                printed += desk.run(block)
                if block.is_server:
                    desk.environment |= filled_in(path, desk)
    finally:
        desk.stop()
    place = 0
    for part in PRINTED.get(name(path), []):
        assert part in printed[place:], f"{part!r} is not printed after {printed[:place][-300:]!r}:\n{printed}"
        place = printed.index(part, place)


def test_blocks_that_are_not_run_say_why():
    for path in documents.documents():
        for block in documents.blocks(path):
            assert not block.reason or len(block.reason) > 15, f"{name(path)}:{block.line}"
        marks = path.read_text().count("<!-- not run")
        assert marks == sum(bool(block.reason) for block in documents.blocks(path)), f"{name(path)}: a mark without a block"


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=name)
def test_commands_in_the_text_are_the_programs_own(path, help_of):
    for command in documents.inline_commands(path):
        subcommand = documents.words(command)
        text = help_of(*subcommand)
        assert text, f"{name(path)}: there is no kdcube {' '.join(subcommand)}"
        for flag in documents.flags(command):
            assert re.search(rf"{flag}\b", text), f"{name(path)}: kdcube {command}: no {flag}"


@pytest.fixture(scope="module")
def help_of():
    import functools
    import subprocess

    @functools.cache
    def help_of(*subcommand: str) -> str:
        """What the command says of itself; empty when there is none."""
        command = [str(BINARIES / "kdcube"), *subcommand, "--help"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment(), check=False)
        return result.stdout if result.returncode == 0 and f"kdcube {' '.join(subcommand)}" in result.stdout else ""

    return help_of


def test_the_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text()
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index, path.name


_LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=name)
def test_links_lead_somewhere(path):
    for target, anchor in _LINK.findall(re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)):
        if "://" in target:
            continue
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{name(path)} links to {target}"
        if anchor and there.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{name(path)} links to #{anchor} of {there.name}"


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-")

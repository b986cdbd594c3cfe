"""The commands of the documents, run as a reader would: block by block, in one shell, in a folder that looks like the repository.

A fenced block in `sh` is run unless a comment right before it says why not: `<!-- not run: it takes 25 minutes -->`. A block that
ends with `kdcube serve …` or `make run` is a server: it runs beside the blocks that follow, which begin when it is ready. Ports are
replaced by free ones, and `make run` by what it does after the build.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass

from .process import Process
from .server import BINARIES, ROOT, environment
from .waiting import free_port, wait_until

_FENCE = re.compile(r"(?:^ *<!-- not run: (?P<reason>[^>]*?) -->\n+)?^(?P<indent> *)```sh\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SERVES = re.compile(r"^(?:\S*/)?kdcube serve\b|^make run\b")
_MAKE = """#!/usr/bin/env bash
[ "$*" = run ] || { echo "make: only run is known here" >&2; exit 2; }
exec scripts/run-demo.sh .build/release/kdcube
"""
#: What a reader finds in the repository's folder and what no command writes to.
LINKS = ("deployment", "docs", "Examples", "scripts", "web-client", "Makefile")


@dataclass(frozen=True)
class Block:
    text: str
    line: int
    #: Why it is not run here; empty for those that are.
    reason: str

    @property
    def is_server(self) -> bool:
        return bool(_SERVES.match(self.text.strip().splitlines()[-1]))


def documents() -> list[pathlib.Path]:
    """Those for whoever uses or runs the server."""
    found = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "Examples").rglob("README.md")]
    return sorted(path for path in found if blocks(path))


def blocks(path: pathlib.Path) -> list[Block]:
    text = path.read_text()
    return [
        Block(_unindented(found["text"], found["indent"]), text.count("\n", 0, found.start("text")) + 1, (found["reason"] or "").strip())
        for found in _FENCE.finditer(text)
    ]


def _unindented(text: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


class Desk:
    """A reader's terminal in a folder of its own. `variables` are what the text tells the reader to fill in."""

    def __init__(self, folder: pathlib.Path, variables: dict[str, str] | None = None):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in LINKS:
            (folder / name).symlink_to(ROOT / name)
        (folder / ".tools").mkdir()
        (folder / ".tools" / "venv").symlink_to(ROOT / ".tools" / "venv")
        (folder / ".build").mkdir()
        (folder / ".build" / "release").symlink_to(BINARIES)
        programs = folder / "bin"
        programs.mkdir()
        (programs / "make").write_text(_MAKE)
        (programs / "make").chmod(0o755)
        (programs / "kdcube").symlink_to(BINARIES / "kdcube")
        self.port = free_port()
        self.environment = environment() | {"PATH": f"{programs}:{os.environ['PATH']}", "PORT": str(self.port)}
        self.environment |= {"KDCUBE_SERVER_PORT": str(self.port), "HOME": str(folder)} | (variables or {})
        #: The shell's variables live on from block to block in this file.
        self._state = folder / ".state"
        self.servers: list[Process] = []

    def _script(self, block: Block) -> str:
        text = block.text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}").replace("localhost:8000", f"127.0.0.1:{self.port}")
        state = shlex.quote(str(self._state))
        keep = f"{{ declare -p | grep -v '^declare -[a-zA-Z]*r' | grep -Ev '^declare [^ ]+ (BASH|FUNCNAME|PIPESTATUS|_=)'; declare -f; }} > {state}"
        return f"set -euo pipefail\nif [ -f {state} ]; then . {state}; fi\n{text}\n{keep} || true\n"

    def run(self, block: Block) -> str:
        """What the block prints. A server stays; anything else has to end with 0."""
        if block.is_server:
            return self._serve(block)
        result = subprocess.run(
            ["bash", "-c", self._script(block)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, f"line {block.line}:\n{block.text}\nexit {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def _serve(self, block: Block) -> str:
        *before, last = block.text.strip().splitlines()
        if before:
            self.run(Block("\n".join(before), block.line, ""))
        start = self._script(Block(f"exec {last}", block.line, ""))
        process = Process(["bash", "-c", start], self.folder / f"server{len(self.servers)}.log", self.folder, self.environment)
        self.servers.append(process)

        def ready() -> bool:
            assert process.alive, f"line {block.line}: the server ended:\n{process.tail()}"
            probe = ["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{self.port}/readyz"]
            return subprocess.run(probe, check=False).returncode == 0

        wait_until("the server is ready", ready, 60, every=0.1)
        return ""

    def stop(self) -> None:
        for process in self.servers:
            for child in _children(process.pid):
                subprocess.run(["kill", "-TERM", child], check=False)
            process.stop(10)
        shutil.rmtree(self.folder / ".tools", ignore_errors=True)


def _children(pid: int) -> list[str]:
    return subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()


# MARK: Commands in the text

_INLINE = re.compile(r"`kdcube ([^`\n]+)`")
_WORD = re.compile(r"[a-z][a-z-]*$")


def inline_commands(path: pathlib.Path) -> list[str]:
    """Every command that stands in the text between back quotes, without what follows a `·` in a table."""
    return _INLINE.findall(path.read_text())


def words(command: str) -> list[str]:
    """The command and its subcommand, of a command as it is written."""
    found = []
    for word in command.split():
        if not _WORD.match(word) or len(found) == 2:
            break
        found.append(word)
    return found


def flags(command: str) -> list[str]:
    return re.findall(r"(?<![\w-])--[a-z][a-z-]*", command)

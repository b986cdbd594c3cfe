"""Prompts that make the scripted model call tools and write code, and what its steps say."""

import json
import os
import pathlib
import time

from .server import ROOT

DEMO = str(ROOT / "scripts" / "demo" / "tools.yaml")
SETTINGS = {"tools": {"file": DEMO}, "sandbox": {"minimum": "limited", "warm": 1, "wall": "20s"}}


def call(tool: str, **arguments) -> str:
    return f"@tool {tool} {json.dumps(arguments)}"


def code(source: str) -> str:
    return f"@code\n```python\n{source}\n```"


def prompt(*lines: str, then: int = 3, rate: int = 0) -> str:
    """A first round with these calls, and a last one of so many words."""
    return "\n".join(["Go on.", f"@rate {rate}", "@tokens 2", *lines, "@then", f"@tokens {then}"])


def steps(envelopes: list[dict], tool: str | None = None) -> list[dict]:
    """The steps of calls, in order."""
    found = [envelope for envelope in envelopes if envelope["type"] == "chat.step" and "call_id" in envelope.get("data", {})]
    return [step for step in found if tool is None or step["data"].get("tool") == tool]


def last_step(envelopes: list[dict], tool: str) -> dict:
    """What the step that ended the only call of the tool says, with its status."""
    ends = [step for step in steps(envelopes, tool) if step["event"]["status"] in ("completed", "error", "skipped")]
    assert len(ends) == 1, [(step["event"], step["data"]) for step in steps(envelopes, tool)]
    return ends[0]["data"] | {"status": ends[0]["event"]["status"]}


def output(envelopes: list[dict], stream: str = "stdout") -> str:
    """The live output of code."""
    return "".join(step["data"].get("text", "") for step in steps(envelopes, "run_code") if step["data"].get("stream") == stream)


def descendants(pid: int) -> set[int]:
    """Every process below this one."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found, more = set(), {pid}
    while more:
        found |= more
        more = {child for child, parent in parents.items() if parent in more} - found
    return found - {pid}


def alive(pid: int) -> bool:
    """Whether the process is there, and no zombie that nobody has asked after yet."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sandboxes(server) -> set[int]:
    """The interpreters in this server's sandboxes: those that run as a user of their own."""
    found = set()
    for pid in descendants(server.process.pid):
        try:
            if (
                os.stat(f"/proc/{pid}").st_uid not in (0, os.getuid())
                or b"python" in pathlib.Path(f"/proc/{pid}/exe").readlink().name.encode()
            ):
                found.add(pid)
        except OSError:
            continue
    return found


def all_gone(pids: set[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True

"""One Cedar decision over 1,000 policies: our engine beside the official one (PyPI's cedarpy), on the same requests.

Both have policies and entities read before. Ours is called in its own process (`cedar-benchmark`); cedarpy with its fastest calls, a
handle of parsed policies and one of entities. Its call converts the request from Python's objects and the answer into them, so three
of its figures are printed: a call, a request of its batch call, and its own clock around the decision alone, which shows whole
microseconds. Ours are the decision alone, and with reading the request from JSON.
"""

import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import cedarpy
from cedar_sets import SHAPES, entities, policies, requests, write

from harness import LOAD_CORE, SERVER_CORE, table

BINARIES = pathlib.Path(os.environ.get("KDCUBE_BINARIES", ".build/release"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CALLS = int(os.environ.get("CALLS", "3000"))


def ours(files: list[str]) -> dict:
    core = ",".join(map(str, SERVER_CORE))
    result = subprocess.run(["taskset", "-c", core, BINARIES / "cedar-benchmark", *files], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


class Peer:
    def __init__(self, shape: str):
        self.text = policies(shape)
        started = time.perf_counter()
        self.policies = cedarpy.PolicySet.from_str(self.text)
        self.load = (time.perf_counter() - started) * 1e6
        self.entities = cedarpy.Entities.from_json_str(json.dumps(entities()))
        self.requests = requests()

    def answers(self) -> list:
        results = cedarpy.is_authorized_batch(self.requests, self.policies, self.entities)
        return [[result.decision.value.lower(), sorted(result.diagnostics.reasons)] for result in results]

    def measure(self) -> dict:
        calls, inside = [], []
        for number in range(CALLS):
            request = self.requests[number % len(self.requests)]
            started = time.perf_counter()
            result = cedarpy.is_authorized(request, self.policies, self.entities)
            calls.append((time.perf_counter() - started) * 1e6)
            inside.append(result.metrics["authz_duration_micros"])
        batches = []
        for _ in range(max(1, CALLS // len(self.requests))):
            started = time.perf_counter()
            cedarpy.is_authorized_batch(self.requests, self.policies, self.entities)
            batches.append((time.perf_counter() - started) * 1e6 / len(self.requests))
        return {"call": statistics.median(calls), "inside": statistics.median(inside), "batch": statistics.median(batches)}

    def unparsed(self) -> float:
        """A call that parses the policies each time."""
        times = []
        for request in self.requests[:10]:
            started = time.perf_counter()
            cedarpy.is_authorized(request, self.text, self.entities)
            times.append((time.perf_counter() - started) * 1e6)
        return statistics.median(times)


def measure(shape: str) -> list[str]:
    """A row: medians of rounds that take turns."""
    with tempfile.TemporaryDirectory() as folder:
        files = write(pathlib.Path(folder), shape)
        peer = Peer(shape)
        mine, theirs = [], []
        for _ in range(ROUNDS):
            mine.append(ours(files))
            theirs.append(peer.measure())
    answers = [[decision, sorted(reason)] for decision, reason in mine[0]["answers"]]
    assert answers == peer.answers(), "the engines disagree"

    def median(rounds: list[dict], name: str) -> float:
        return statistics.median(figures[name] for figures in rounds)

    decision, inside = median(mine, "decision"), median(theirs, "inside")
    allowed = sum(decision == "allow" for decision, _ in answers)
    return [
        f"{SHAPES[shape]} ({allowed} of {len(answers)} allowed)",
        *(f"{value:,.1f}" for value in (decision, median(mine, "late"), median(mine, "read"))),
        f"{median(mine, 'second'):,.0f}",
        f"{inside:,.0f}",
        *(f"{value:,.1f}" for value in (median(theirs, "batch"), median(theirs, "call"))),
        f"{inside / decision:.1f}",
        f"{median(theirs, 'batch') / median(mine, 'read'):.1f}",
        f"{median(mine, 'load') / 1000:.0f} · {peer.load / 1000:.0f}",
        f"{peer.unparsed() / 1000:.0f}",
    ]


def main() -> None:
    os.sched_setaffinity(0, LOAD_CORE)
    table(
        f"A decision over 1,000 policies, medians of {ROUNDS} rounds in turns, microseconds",
        ["policies", "ours", "p99", "with JSON", "a second", "cedarpy inside", "batch", "call", "inside/ours", "batch/JSON"]
        + ["load ms", "parsing each ms"],
        [measure(shape) for shape in SHAPES],
    )


if __name__ == "__main__":
    main()

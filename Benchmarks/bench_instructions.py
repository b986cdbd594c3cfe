"""How many instructions the hot operations take, against `Baselines/`: each figure with its change, and a mark where it is more than the limit.

Instructions are counted by valgrind, in one process that does an operation many times less one that does it fewer times, so that
starting does not count. They are the same on a busy machine, and with `SWIFT_DETERMINISTIC_HASHING` from run to run; another toolchain
or C library moves them, and then `--update` writes the baselines anew, in a commit that says why. Names of groups (`cedar`, `transport`)
choose what is counted. Growth over a group's limit ends with 1.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from cedar_sets import SHAPES, write

from harness import table

BINARIES = pathlib.Path(os.environ.get("KDCUBE_BINARIES", ".build/release"))
BASELINES = pathlib.Path(__file__).parent / "Baselines"


@dataclasses.dataclass
class Operation:
    title: str
    #: What precedes the number of times on the command line.
    command: list[str]
    few: int
    many: int
    #: How often one time does it.
    of: int = 1

    def count(self) -> int:
        return round((instructions(self.command, self.many) - instructions(self.command, self.few)) / (self.many - self.few) / self.of)


def bare(program: str) -> pathlib.Path:
    """A copy without what valgrind cannot read: the compiler's debugging information is of a newer version than Debian's valgrind knows."""
    copy = BINARIES / f"{program}.bare"
    subprocess.run(["strip", "--strip-debug", "-o", copy, BINARIES / program], check=True)
    return copy


def instructions(command: list[str], times: int) -> int:
    program, *rest = command
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", bare(program), *rest, str(times)]
    surroundings = os.environ | {"SWIFT_DETERMINISTIC_HASHING": "1"}
    result = subprocess.run(valgrind, capture_output=True, text=True, env=surroundings, check=False)
    found = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not found:
        sys.exit(f"instructions: {result.stderr}")
    return int(found[1])


def cedar(folder: pathlib.Path) -> dict[str, Operation]:
    found = {}
    for shape, title in SHAPES.items():
        (folder / shape).mkdir()
        found[shape] = Operation(f"a decision over 1,000 policies: {title}", ["cedar-benchmark", *write(folder / shape, shape)], 100, 500)
    return found


def transport(_: pathlib.Path) -> dict[str, Operation]:
    """What `transport-benchmark` does; a broadcast of its room goes to a hundred members."""
    return {
        "parse": Operation("parse one text frame", ["transport-benchmark", "parse"], 5_000, 25_000),
        "encode": Operation("encode one event", ["transport-benchmark", "encode"], 5_000, 25_000),
        "deliver": Operation("deliver one broadcast to one member", ["transport-benchmark", "deliver"], 100, 500, of=100),
    }


#: The operations of each group, and the growth that is too much.
GROUPS = {"transport": (transport, 0.03), "cedar": (cedar, 0.10)}


def compared(name: str, folder: pathlib.Path, is_update: bool) -> list[str]:
    """Counts a group and shows it; gives what has grown by more than the limit."""
    operations, limit = GROUPS[name]
    found = operations(folder)
    counts = {key: operation.count() for key, operation in found.items()}
    file = BASELINES / f"{name}.json"
    if is_update:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(counts, indent=2) + "\n")
    # What is counted for the first time has nothing to be compared with.
    baseline = counts | (json.loads(file.read_text()) if file.exists() else {})
    changes = {key: count / baseline[key] - 1 for key, count in counts.items()}
    rows = [
        [found[key].title, f"{count:,}", f"{baseline[key]:,}", f"{changes[key]:+.1%}", "" if abs(changes[key]) <= limit else "<<"]
        for key, count in counts.items()
    ]
    table(f"Instructions: {name}, << where it changed by more than {limit:.0%}", ["", "now", "baseline", "change", ""], rows)
    return [found[key].title for key, change in changes.items() if change > limit]


def main() -> int:
    parser = argparse.ArgumentParser(description="Counts instructions and compares them with the baselines.")
    parser.add_argument("groups", nargs="*", metavar=" | ".join(GROUPS))
    parser.add_argument("--update", action="store_true", help="write the baselines anew")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"no group {', '.join(unknown)}")
    if not shutil.which("valgrind"):
        print("instructions: not counted, because valgrind is missing: apt-get install valgrind")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        slower = [title for name in arguments.groups or GROUPS for title in compared(name, pathlib.Path(folder), arguments.update)]
    if slower:
        print(f"instructions: above the baseline: {'; '.join(slower)}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())

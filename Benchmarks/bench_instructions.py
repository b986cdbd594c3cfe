"""How many instructions a decision takes, against Baselines/cedar.json; ends with 1 where it takes more than 10 % more.

Instructions are counted by valgrind, in one process that decides many times less one that decides fewer times, so that loading
does not count. They are the same on a busy machine, and with `SWIFT_DETERMINISTIC_HASHING` from run to run; another toolchain
or C library moves them, and then `--update` writes the baseline anew, in a commit that says why.
"""

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
BASELINE = pathlib.Path(__file__).parent / "Baselines" / "cedar.json"
GROWTH_MAX = 0.10
FEW, MANY = 100, 500


def instructions(files: list[str], decisions: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", BINARIES / "cedar-benchmark", *files, str(decisions)]
    surroundings = os.environ | {"SWIFT_DETERMINISTIC_HASHING": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=surroundings, check=False)
    found = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not found:
        sys.exit(f"instructions: {result.stderr}")
    return int(found[1])


def a_decision(shape: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        files = write(pathlib.Path(folder), shape)
        return round((instructions(files, MANY) - instructions(files, FEW)) / (MANY - FEW))


def main() -> int:
    if not shutil.which("valgrind"):
        print("instructions: not counted, because valgrind is missing: apt-get install valgrind")
        return 0
    counts = {shape: a_decision(shape) for shape in SHAPES}
    if "--update" in sys.argv:
        BASELINE.parent.mkdir(exist_ok=True)
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n")
    baseline = json.loads(BASELINE.read_text())
    growths = {shape: count / baseline[shape] - 1 for shape, count in counts.items()}
    rows = [[SHAPES[shape], f"{count:,}", f"{baseline[shape]:,}", f"{growths[shape]:+.1%}"] for shape, count in counts.items()]
    table("Instructions of a decision over 1,000 policies", ["policies", "now", "baseline", "growth"], rows)
    slower = [SHAPES[shape] for shape, growth in growths.items() if growth > GROWTH_MAX]
    if slower:
        print(f"instructions: more than {GROWTH_MAX:.0%} above the baseline: {'; '.join(slower)}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())

"""What the benchmarks share: pinning, process figures, and a table."""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))

#: The server has a core to itself and the generator another, where there are two.
SERVER_CORE, LOAD_CORE = {0}, {1 if (os.cpu_count() or 1) > 1 else 0}


def raise_file_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def pinned(command: list[str], core: set[int], **more) -> subprocess.Popen:
    """Starts a command on one core; its threads and children stay there."""
    return subprocess.Popen(["taskset", "-c", ",".join(map(str, core)), *command], cwd=ROOT, **more)


def pin(pid: int, core: set[int]) -> None:
    """Moves a running process with all its threads."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), core)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentiles(values: list[float]) -> str:
    """p50 / p99 of seconds, in milliseconds."""
    ordered = sorted(values)
    return f"{statistics.median(ordered) * 1000:.2f} / {ordered[int(len(ordered) * 0.99)] * 1000:.2f}"


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    print(f"\n{title}  ({time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})")
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = (
            str(cell).ljust(width) if i == 0 else str(cell).rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join(cells))
    sys.stdout.flush()

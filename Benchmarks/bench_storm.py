"""Storms: 5,000 clients that have joined a room are dropped at once and come back at once, beside python-socketio under uvicorn.

None that was accepted may be lost, one broadcast must reach all of them after each storm, and the server's memory with all of them back is
held against what it was with the same 5,000 before the first storm, and when they have left against what it was before they came.
"""

import os
import statistics

from bench_socketio import measure, ours, theirs

from harness import raise_file_limit, table

CLIENTS, STORMS = int(os.environ.get("CLIENTS", "5000")), int(os.environ.get("STORMS", "4"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
#: After each step the memory is looked at when this has passed: a server has five seconds to close a connection, and ours gives back what
#: they used at the second look that finds them gone, ten seconds later at most.
SETTLE = os.environ.get("SETTLE", "17")


def row(name: str, runs: list[dict]) -> list[str]:
    comings = [seconds for run in runs for seconds in run["back_s"][:1]]
    returns = [seconds for run in runs for seconds in run["back_s"][1:]]
    grown = [run["rss_kib"][-2] / run["rss_kib"][1] - 1 for run in runs]
    sizes = [statistics.median(run["rss_kib"][place] for run in runs) / 1024 for place in (0, 1, -2, -1)]
    lost = sum(run["lost"] + run["conns"] - run["reached"] for run in runs)
    times = [f"{statistics.median(comings):.2f}", f"{statistics.median(returns):.2f}", f"{max(returns):.2f}"]
    return [name, *times, str(lost), " · ".join(f"{size:.1f}" for size in sizes), f"{statistics.median(grown):+.1%}"]


def main() -> None:
    raise_file_limit()
    load = ["--mode", "storm", "--conns", str(CLIENTS), "--batch", str(CLIENTS), "--rounds", str(STORMS)]
    runs = {"kdcube": [], "python-socketio": []}
    for _ in range(ROUNDS):
        runs["kdcube"].append(measure(ours, load, SETTLE))
        runs["python-socketio"].append(measure(theirs, load, SETTLE))
    head = ["", "s until all are there", "are back", "longest", "lost", "MiB empty · full · after the storms · empty", "full again"]
    table(f"{STORMS} storms of {CLIENTS:,} clients, medians of {ROUNDS}", head, [row(name, each) for name, each in runs.items()])


if __name__ == "__main__":
    main()

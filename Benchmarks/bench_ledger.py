"""Ledger rows a second into a Postgres of its own, with fsync: batches as the outbox sends them and larger, one writer and two."""

import os
import pathlib
import statistics
import subprocess

from harness import ROOT, table
from rig.stores import Postgres

BINARIES = pathlib.Path(os.environ.get("KDCUBE_BINARIES", ROOT / ".build" / "release"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
ROWS = 60_000


def rate(url: str, batch: int, writers: int) -> int:
    command = [str(BINARIES / "ledger-benchmark"), url, str(ROWS), str(batch), str(writers)]
    return int(subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout)


def main() -> None:
    postgres = Postgres(fsync=True)
    try:
        rows = []
        for batch, writers in ((256, 1), (256, 2), (1_000, 1), (1_000, 2)):
            url = postgres.database()
            rates = [rate(url, batch, writers) for _ in range(ROUNDS)]
            rows.append([f"{batch}", f"{writers}", f"{statistics.median(rates):,.0f}", f"{min(rates):,} - {max(rates):,}"])
        table(f"{ROWS:,} ledger rows into Postgres, medians of {ROUNDS}", ["rows a batch", "writers", "rows/s", "spread"], rows)
    finally:
        postgres.remove()


if __name__ == "__main__":
    main()

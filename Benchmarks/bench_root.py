"""Transactions a second of the durable root: `PostgresCounterRoot.release` as SQL, over a million windows, with fsync (pgbench)."""

import os
import pathlib
import re
import subprocess
import tempfile

from harness import ROOT, table
from rig.stores import Postgres

SECONDS = os.environ.get("SECONDS_A_RUN", "8")
RELEASE = r"""
\set w random(1, 1000000)
BEGIN;
SELECT incarnation, cleared FROM epochs WHERE org = 'acme' FOR SHARE;
INSERT INTO releases AS r (window_key, generation, released, ends_at) VALUES ('user:acme/web/u' || :w, 1, :w, 1795824000000)
    ON CONFLICT (window_key, generation) DO UPDATE SET released = greatest(r.released, excluded.released);
SELECT released FROM releases WHERE window_key = 'user:acme/web/u' || :w AND generation = 1;
COMMIT;
"""


def main() -> None:
    postgres = Postgres(fsync=True)
    try:
        url = postgres.database()
        schema = (ROOT / "Sources" / "Accounting" / "Postgres" / "Migrations" / "v4_root.sql").read_text()
        # Only the two tables that a release touches.
        tables = re.findall(r"CREATE TABLE (?:epochs|releases) .*?;", schema, re.DOTALL)
        for statement in [*tables, "INSERT INTO epochs VALUES ('acme', 1, 'life', true)"]:
            subprocess.run(["psql", url, "-qc", statement], check=True)
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "release.sql"
            script.write_text(RELEASE)
            for clients in (1, 8, 64):
                command = ["pgbench", url, "-n", "-f", str(script), "-c", str(clients), "-T", SECONDS]
                text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                rate, each = (float(re.search(name + r" = ([\d.]+)", text)[1]) for name in ("tps", "latency average"))
                rows.append([str(clients), f"{rate:,.0f}", f"{each:.2f}"])
        table("Releases of the durable root", ["at one time", "a second", "ms each"], rows)
    finally:
        postgres.remove()


if __name__ == "__main__":
    main()

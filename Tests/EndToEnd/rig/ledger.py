"""Reads the ledger file itself, with SQLite's own library: the server's word is not taken for it."""

import pathlib
import sqlite3


def charged_nano(data: pathlib.Path, org: str) -> int:
    """The sum of the organisation's charges in nano-USD."""
    (path,) = data.glob("*.sqlite")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        (total,) = database.execute("SELECT COALESCE(SUM(nano_usd), 0) FROM ledger WHERE is_charge AND org = ?", (org,)).fetchone()
    return total

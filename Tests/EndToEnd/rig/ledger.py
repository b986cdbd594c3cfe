"""Reads the ledger file itself, with SQLite's own library: the server's word is not taken for it."""

import pathlib
import sqlite3


def charged_nano(data: pathlib.Path, org: str) -> int:
    """The sum of the organisation's charges in nano-USD."""
    (path,) = data.glob("*.sqlite")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        (total,) = database.execute("SELECT COALESCE(SUM(nano_usd), 0) FROM ledger WHERE is_charge AND org = ?", (org,)).fetchone()
    return total


def runs_postgres(postgres, url: str) -> dict[str, tuple[int, int]]:
    """Of every charged run its output tokens and its cost in nano-USD."""
    question = "SELECT run, sum(output_visible + output_reasoning), sum(nano_usd) FROM kdcube.ledger WHERE is_charge GROUP BY run"
    rows = (line.split("|") for line in postgres.ask(url, question).splitlines())
    return {run: (int(tokens), int(cost)) for run, tokens, cost in rows}


def charged_nano_postgres(postgres, url: str, org: str) -> int:
    """The same from Postgres, by psql. The rows, the ids and the kept sums must agree among themselves."""
    rows = int(postgres.ask(url, f"SELECT COALESCE(SUM(nano_usd), 0) FROM kdcube.ledger WHERE is_charge AND org = '{org}'"))
    for grain in (60_000, 86_400_000):
        kept = f"SELECT COALESCE(SUM(nano_usd), 0) FROM kdcube.ledger_sums WHERE scope = 'org:{org}' AND grain = {grain}"
        assert int(postgres.ask(url, kept)) == rows
    doubled = "SELECT count(*) - count(DISTINCT charge_id) FROM kdcube.ledger"
    assert postgres.ask(url, doubled) == "0"
    return rows

"""Backup and restore by the commands of docs/deployment.md, beside a server that goes on."""

import subprocess

import requests

from rig.server import ROOT, Installation
from rig.stores import postgres_program

DOCUMENT = ROOT / "docs" / "deployment.md"
TOKENS = 20
BODY = {"model": "demo", "messages": [{"role": "user", "content": f"Hello.\n@tokens {TOKENS}\n@rate 0"}]}


def ask(server, tenant) -> None:
    answer = requests.post(server.url + "/v1/chat/completions", json=BODY, headers=tenant.headers, timeout=20)
    assert answer.status_code == 200, answer.text


def execute(*command: str) -> None:
    """A command line that stands in the document."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def tokens(installation: Installation, tenant) -> int:
    return installation.settled_usage(tenant.scope)["totals"]["output_tokens"]


def test_a_copy_of_sqlite_is_whole_and_a_server_goes_on_from_it(tmp_path, make_tenant):
    live = Installation(tmp_path / "live")
    server = live.serve()
    try:
        tenant = make_tenant(live)
        tenant.cap("1000", "tokens", "day")
        ask(server, tenant)
        assert tokens(live, tenant) == TOKENS
        backup = tmp_path / "backup.sqlite"
        statement = f"VACUUM INTO '{backup}'"
        assert statement.replace(str(tmp_path), "/backup").replace("backup.sqlite", "kdcube.sqlite") in DOCUMENT.read_text()
        execute("sqlite3", str(live.folder / "data" / "kdcube.sqlite"), statement)
        ask(server, tenant)
    finally:
        live.stop()

    restored = Installation(tmp_path / "restored")
    data = restored.folder / "data"
    data.mkdir(mode=0o700)
    backup.rename(data / "kdcube.sqlite")
    server = restored.serve()
    try:
        assert tokens(restored, tenant) == TOKENS
        restored.command("audit", "verify")
        restored.command("reconcile")
        ask(server, tenant)
        assert tokens(restored, tenant) == 2 * TOKENS
        (window,) = restored.usage(tenant.scope)["windows"]
        assert int(window["used"]) > 2 * TOKENS and float(window["suspense"]) == 0
    finally:
        restored.stop()


def test_a_dump_of_postgres_is_whole_and_servers_go_on_from_it(redis_server, shared_postgres, tmp_path, make_tenant):
    url = shared_postgres.database()
    live = Installation(tmp_path / "live", redis=redis_server.url, postgres=url)
    server = live.serve()
    dump = tmp_path / "kdcube.dump"
    try:
        tenant = make_tenant(live)
        tenant.cap("1000", "tokens", "day")
        ask(server, tenant)
        assert tokens(live, tenant) == TOKENS
        execute(postgres_program("pg_dump"), "--format=custom", f"--file={dump}", url)
        ask(server, tenant)
        assert tokens(live, tenant) == 2 * TOKENS
    finally:
        live.stop()

    other = shared_postgres.database()
    execute(postgres_program("pg_restore"), "--no-owner", f"--dbname={other}", str(dump))
    # Counters that are ahead of the ledger grant nothing; empty ones are made from it.
    execute("redis-cli", "-u", redis_server.url, "FLUSHDB")
    restored = Installation(tmp_path / "restored", redis=redis_server.url, postgres=other)
    server = restored.serve()
    try:
        assert tokens(restored, tenant) == TOKENS
        ask(server, tenant)
        assert tokens(restored, tenant) == 2 * TOKENS
        restored.command("reconcile")
        restored.command("audit", "verify")
    finally:
        restored.stop()

"""The ledger as CSV and JSON lines: exact, bounded to whom it concerns, and harmless in a spreadsheet."""

import csv
import io
import json

import pytest
import requests

from rig.server import CommandFailed, Installation, nano
from rig.waiting import wait_until

DAY = "2020-01-01"


def spend(server, key: str, tokens: int) -> None:
    body = {"model": "demo", "messages": [{"role": "user", "content": f"hi\n@tokens {tokens}"}]}
    answer = requests.post(server.url + "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}, timeout=20)
    assert answer.status_code == 200, answer.text


def signed_nano(text: str) -> int:
    return -nano(text[1:]) if text.startswith("-") else nano(text)


def total(rows: list[dict]) -> int:
    return sum(signed_nano(row["cost_usd"]) for row in rows if row["is_charge"] in (True, "true"))


def test_both_formats_hold_every_charge_exactly(server, installation, tenant):
    for tokens in (10, 20, 30):
        spend(server, tenant.key, tokens)
    charged = nano(tenant.usage()["totals"]["cost_usd"])
    table = list(csv.DictReader(io.StringIO(installation.command("export", "--format", "csv", "--scope", tenant.scope))))
    lines = [json.loads(line) for line in installation.command("export", "--format", "jsonl", "--scope", tenant.scope).splitlines()]
    assert total(table) == total(lines) == charged > 0
    assert [row["charge_id"] for row in table] == [row["charge_id"] for row in lines]
    assert len({row["run"] for row in lines}) == 3 and {row["user"] for row in lines} == {"ada"}
    assert sum(row["output_visible"] for row in lines) == 60
    assert total([json.loads(line) for line in installation.command("export", "--json", "--run", lines[0]["run"]).splitlines()]) > 0
    assert installation.command("export", "--format", "jsonl", "--scope", tenant.scope, "--to", DAY) == ""
    assert len(installation.command("export", "--scope", tenant.scope, "--from", DAY).splitlines()) == len(table) + 1


@pytest.mark.parametrize("option", [("--format", "xlsx"), ("--scope", "nonsense"), ("--from", "yesterday")])
def test_an_export_that_makes_no_sense_is_wrong_usage(installation, option):
    with pytest.raises(CommandFailed) as failure:
        installation.command("export", *option)
    assert failure.value.status == 64


def test_a_spreadsheet_gets_no_formula(server, installation, tenant):
    """A name may begin with =, and spreadsheets compute what does."""
    name = '=HYPERLINK("http://x","y")'.replace("/", ":")
    key = installation.key(tenant.org, "web", name)["key"]
    spend(server, key, 5)
    text = installation.command("export", "--format", "csv", "--scope", f"user:{tenant.org}/web/{name}")
    assert "\n=" not in text and ",=" not in text and ',"=' not in text
    assert {row["user"] for row in csv.DictReader(io.StringIO(text))} == {"'" + name}


def test_an_admin_exports_its_own_organisation_and_an_operator_all(server, installation, tenant, make_tenant):
    other = make_tenant(installation)
    for one in (tenant, other):
        spend(server, one.key, 10)
    address = server.url + "/api/admin/ledger"
    admin, operator = (
        {"authorization": f"Bearer {installation.key(tenant.org, 'web', 'boss', '--role', role)['key']}"} for role in ("admin", "operator")
    )
    assert requests.get(address, headers=tenant.headers, timeout=10).status_code == 403
    page = requests.get(address + "?limit=1", headers=admin, timeout=10).json()
    assert len(page["data"]) == 1 and page["cursor"]
    rest = requests.get(address + f"?cursor={page['cursor']}", headers=admin, timeout=10).json()
    rows = page["data"] + rest["data"]
    assert {row["org"] for row in rows} == {tenant.org} and rest["cursor"] is None
    assert total(rows) == nano(tenant.usage()["totals"]["cost_usd"])
    foreign = requests.get(address, params={"scope": f"org:{other.org}"}, headers=admin, timeout=10)
    assert foreign.status_code == 403 and foreign.json()["error"]["code"] == "scope_denied"
    assert requests.get(address, params={"scope": f"key:{other.key_id}"}, headers=admin, timeout=10).status_code == 403
    streamed = requests.get(address, params={"scope": f"org:{other.org}", "format": "csv"}, headers=operator, timeout=10)
    assert streamed.headers["content-type"].startswith("text/csv")
    assert total(list(csv.DictReader(io.StringIO(streamed.text)))) == nano(other.usage()["totals"]["cost_usd"])
    assert requests.get(address + "?format=pdf", headers=admin, timeout=10).status_code == 400


def test_redis_and_postgres_export_what_they_charged(redis_server, shared_postgres, tmp_path, make_tenant):
    installation = Installation(tmp_path / "shared", redis=redis_server.url, postgres=shared_postgres.database())
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        tenant.cap("1.00")
        for tokens in (10, 200):
            spend(server, tenant.key, tokens)
        lines = wait_until("two runs", lambda: two_runs(installation.command("export", "--json", "--scope", tenant.scope)))
        assert total(lines) == nano(tenant.usage()["totals"]["cost_usd"])
        assert installation.command("export", "--json", "--scope", tenant.scope, "--to", DAY) == ""
    finally:
        installation.stop()


def two_runs(text: str) -> list[dict] | None:
    lines = [json.loads(line) for line in text.splitlines()]
    return lines if len({line["run"] for line in lines}) == 2 else None

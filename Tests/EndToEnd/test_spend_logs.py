"""LiteLLM's spend reports, the subset: what the ledger has, by request and by day, for whom it concerns."""

import datetime

import pytest
import requests

from rig.server import INPUT_NANO, OUTPUT_NANO, Installation, nano


def day(offset: int = 0) -> str:
    return (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=offset)).isoformat()


def bearer(key: str) -> dict:
    return {"authorization": f"Bearer {key}"}


def spend(server, key: str, tokens: int) -> dict:
    body = {"model": "demo", "messages": [{"role": "user", "content": f"hi\n@tokens {tokens}"}]}
    reply = requests.post(server.url + "/v1/chat/completions", json=body, headers=bearer(key), timeout=20)
    assert reply.status_code == 200, reply.text
    return reply.json() | {"cost": reply.headers["x-cost-usd"], "run": reply.headers["x-run-id"]}


def logs(server, key: str, **parameters) -> list[dict]:
    reply = requests.get(server.url + "/spend/logs", params=parameters, headers=bearer(key), timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.json()


def exact(value: float) -> int:
    return nano(f"{value:.9f}")


def check_reports(installation, server, tenant, operator: str) -> None:
    admin = installation.key(tenant.org, "web", "boss", "--role", "admin")["key"]
    bob = installation.key(tenant.org, "lab", "bob")
    runs = [spend(server, tenant.key, 10), spend(server, bob["key"], 20), spend(server, tenant.key, 30)]
    rows = logs(server, admin)
    assert [row["request_id"] for row in rows] == [run["run"] for run in reversed(runs)], "the newest first"
    for row, run in zip(rows, reversed(runs), strict=True):
        used = run["usage"]
        assert (row["prompt_tokens"], row["completion_tokens"]) == (used["prompt_tokens"], used["completion_tokens"])
        assert row["total_tokens"] == used["total_tokens"] and exact(row["spend"]) == nano(run["cost"])
        assert exact(row["spend"]) == row["prompt_tokens"] * INPUT_NANO + row["completion_tokens"] * OUTPUT_NANO
        assert row["startTime"][:10] in (day(), day(-1)) and row["startTime"] <= row["endTime"]
        assert (row["model"], row["organization_id"], row["metadata"]["estimated"]) == ("demo", tenant.org, False)
    assert (rows[1]["user"], rows[1]["team_id"], rows[1]["api_key"]) == ("bob", "lab", bob["id"])
    # Each filter, and all of them together.
    for same in (tenant.key, tenant.key_id):
        assert logs(server, admin, api_key=same) == [rows[0], rows[2]] == logs(server, admin, user_id="ada")
    assert logs(server, admin, request_id=runs[1]["run"]) == [rows[1]] == logs(server, admin, request_id=runs[1]["id"])
    assert logs(server, admin, request_id=runs[1]["run"], user_id="ada") == []
    assert logs(server, admin, start_date=day(-1), end_date=day(1), summarize="false") == rows
    assert logs(server, admin, start_date=day(-9), end_date=day(-8), summarize="false") == []
    first = requests.get(server.url + "/spend/logs", params={"limit": 2}, headers=bearer(admin), timeout=10)
    assert first.json() == rows[:2] and logs(server, admin, limit=2, cursor=first.headers["x-next-cursor"]) == rows[2:]
    # By day.
    total = sum(nano(run["cost"]) for run in runs)
    days = logs(server, admin, start_date=day(-3), end_date=day(1))
    assert [one["startTime"] for one in days] == [day(offset) for offset in range(-3, 2)]
    assert sum(exact(one["spend"]) for one in days) == sum(exact(one["models"].get("demo", 0)) for one in days) == total
    assert (
        sum(exact(one["users"].get("bob", 0)) for one in days) == nano(runs[1]["cost"]) == sum(exact(one.get(bob["id"], 0)) for one in days)
    )
    installation.budget(f"org:{tenant.org}", "7.50")
    told = requests.get(server.url + "/global/spend", headers=bearer(admin), timeout=10).json()
    assert exact(told["spend"]) == total and told["max_budget"] == 7.5
    # Whom it concerns: a key sees itself, an admin its organisation, an operator all.
    assert logs(server, bob["key"]) == [rows[1]] == logs(server, bob["key"], api_key=bob["id"])
    assert logs(server, bob["key"], user_id="ada") == [] == logs(server, bob["key"], request_id=runs[0]["run"])
    assert logs(server, operator, api_key=tenant.key_id) == [rows[0], rows[2]] and rows[1] in logs(server, operator)
    everything = requests.get(server.url + "/global/spend", headers=bearer(operator), timeout=10).json()
    assert exact(everything["spend"]) >= total and everything["max_budget"] is None
    # What a revoked key has spent is still to be looked up.
    installation.command("keys", "revoke", tenant.key_id)
    assert logs(server, admin, api_key=tenant.key_id) == [rows[0], rows[2]]


def test_requests_and_days_are_reported_exactly_and_to_whom_they_concern(server, installation, tenant):
    check_reports(installation, server, tenant, installation.key("ops", "web", "root", "--role", "operator")["key"])


def test_the_same_with_redis_and_postgres(redis_server, shared_postgres, tmp_path, make_tenant):
    installation = Installation(tmp_path / "shared", redis=redis_server.url, postgres=shared_postgres.database())
    try:
        server = installation.serve()
        operator = installation.key("ops", "web", "root", "--role", "operator")["key"]
        check_reports(installation, server, make_tenant(installation), operator)
    finally:
        installation.stop()


def test_keys_of_another_organisation_are_as_absent_as_those_that_never_were(server, installation, tenant, make_tenant):
    other = make_tenant(installation)
    admin = installation.key(tenant.org, "web", "boss", "--role", "admin")["key"]
    spend(server, other.key, 3)
    for key in (admin, tenant.key):
        for name in (other.key, other.key_id, "key_nobody", "kd-nobody"):
            refused = requests.get(server.url + "/spend/logs", params={"api_key": name}, headers=bearer(key), timeout=10)
            assert refused.status_code == 404 and refused.json()["error"]["code"] == "key_not_found"
    assert logs(server, admin) == []
    assert requests.get(server.url + "/spend/logs", timeout=10).status_code == 401
    assert requests.get(server.url + "/global/spend", headers=bearer(tenant.key), timeout=10).status_code == 403


@pytest.mark.parametrize("parameters", [{"start_date": "yesterday"}, {"limit": 1001}, {"cursor": "x"}, {"tags": "a"}], ids=str)
def test_a_question_that_makes_no_sense_is_refused_with_its_field(server, tenant, parameters):
    refused = requests.get(server.url + "/spend/logs", params=parameters, headers=tenant.headers, timeout=10)
    assert refused.status_code == 400 and refused.json()["error"]["param"] == next(iter(parameters))

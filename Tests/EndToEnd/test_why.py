"""Why was I cut (complaint 36, and 35: nothing ends in silence): by run id, from any process, after restarts, for its owner alone."""

import time

import pytest
import requests

from rig.server import CommandFailed, Installation, nano
from rig.sse import collect
from rig.waiting import wait_until


def cut(server, tenant) -> dict:
    """A run that its project's budget cuts; its last envelope."""
    tenant.cap("0.0005", window="day")
    last = collect(server.url, tenant.key, {"text": "hi\n@tokens 5000\n@rate 2000"})[-1].json
    assert last["type"] == "chat.cut"
    return last


def why(server, run: str, headers: dict) -> requests.Response:
    return requests.get(f"{server.url}/v1/runs/{run}/why", headers=headers, timeout=10)


def test_a_cut_names_its_cap_and_its_charges(server, installation, tenant):
    """Complaint 36: a refusal that does not say which cap, and how much is left of it. Complaint 35: an end in silence."""
    last = cut(server, tenant)
    told = wait_until("the reason is kept", lambda: (answer := why(server, last["run_id"], tenant.headers).json())["cut"] and answer)
    assert told["state"] == "cut" and told["cut"] == last["cut"]
    assert told["cut"]["scope"] == {"kind": "project", "id": f"{tenant.org}/web"}
    assert (told["cut"]["unit"], told["cut"]["window"], told["cut"]["limit"]) == ("usd", "day", "0.0005")
    assert told["cut"]["resets_at"] > time.time() * 1000
    assert told["totals"]["cost_usd"] == last["cost_usd"] and told["totals"]["output_tokens"] == last["usage"]["output_tokens"]
    assert told["charges"] and {row["run"] for row in told["charges"]} == {last["run_id"]}
    assert tenant.org in told["message"] and "0.0005" in told["message"]
    assert [window["scope"] for window in told["windows"]] == [tenant.scope]
    by_command = installation.json("why", last["run_id"])
    assert by_command["cut"] == last["cut"] and by_command["totals"] == told["totals"]
    printed = installation.command("why", last["run_id"])
    assert "budget_exceeded" in printed and tenant.scope in printed


def test_tenants_see_only_their_own_runs(server, installation, tenant, make_tenant):
    run = cut(server, tenant)["run_id"]
    other = make_tenant(installation)
    colleague = {"authorization": f"Bearer {installation.key(tenant.org, 'web', 'bob')['key']}"}
    for headers in (other.headers, colleague):
        hidden, unknown = why(server, run, headers), why(server, "run_" + "A" * 24, headers)
        assert hidden.status_code == unknown.status_code == 404
        assert {k: v for k, v in hidden.json()["error"].items()} == unknown.json()["error"], "absent and hidden look the same"
    foreign_admin = {"authorization": f"Bearer {installation.key(other.org, 'web', 'boss', '--role', 'admin')['key']}"}
    assert why(server, run, foreign_admin).status_code == 404
    admin = {"authorization": f"Bearer {installation.key(tenant.org, 'web', 'boss', '--role', 'admin')['key']}"}
    assert why(server, run, admin).json()["run_id"] == run
    assert requests.get(f"{server.url}/v1/runs/{run}/why", timeout=10).status_code == 401


def test_runs_that_were_not_cut_say_so(server, installation, tenant, plan):
    done = collect(server.url, tenant.key, {"text": "hi\n@tokens 5"})[-1].json
    told = why(server, done["run_id"], tenant.headers).json()
    assert (told["state"], told["cut"]) == ("complete", None) and told["totals"]["cost_usd"] == done["cost_usd"]
    failed = collect(server.url, tenant.key, {"text": plan(tokens=60, drop_after=20).prompt(), "model": "witness"})[-1].json
    told = wait_until("the reason", lambda: (answer := why(server, failed["run_id"], tenant.headers).json())["error"] and answer)
    assert told["state"] == "error" and told["error"]["code"] == "upstream_error"
    with pytest.raises(CommandFailed) as failure:
        installation.command("why", "run_" + "A" * 24)
    assert failure.value.status == 1 and len(failure.value.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("shared", [False, True], ids=["embedded", "redis-and-postgres"])
def test_the_reason_outlives_the_server(request, tmp_path, make_tenant, shared):
    stores = {}
    if shared:
        stores = {"redis": request.getfixturevalue("redis_server").url, "postgres": request.getfixturevalue("shared_postgres").database()}
    installation = Installation(tmp_path / "own", **stores)
    try:
        first = installation.serve()
        tenant = make_tenant(installation)
        last = cut(first, tenant)
        # At once: a server that ends in order writes what it still has.
        assert first.process.stop() == 0
        again = installation.serve()
        told = why(again, last["run_id"], tenant.headers).json()
        assert told["state"] == "cut" and told["cut"] == last["cut"] and told["totals"]["cost_usd"] == last["cost_usd"]
        assert nano(told["totals"]["cost_usd"]) > 0
    finally:
        installation.stop()

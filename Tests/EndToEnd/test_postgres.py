"""Several servers that share one Redis and one Postgres, and nothing else; and a Postgres that goes away and comes back."""

import threading

import pytest
import requests

from rig.envelopes import answer, check_run, of_sse, tokens
from rig.ledger import charged_nano_postgres
from rig.realtime import Client
from rig.server import CommandFailed, Installation, nano
from rig.sse import collect, stream
from rig.waiting import wait_until


@pytest.fixture
def pair(redis_server, shared_postgres, tmp_path):
    """Two servers with data directories of their own, and the address of their database."""
    url = shared_postgres.database()
    installations = [Installation(tmp_path / name, redis=redis_server.url, postgres=url) for name in ("one", "two")]
    for installation in installations:
        installation.serve()
    yield installations, url
    for installation in installations:
        installation.stop()


def let_in(server, tenant, asked: dict) -> dict:
    """The end of a run that begins when Postgres is back: for a moment after, a server may still be at an attempt that failed."""

    def start() -> str | None:
        answer = requests.post(server.url + "/v1/runs", json=asked, headers=tenant.headers, timeout=20)
        assert answer.status_code in (202, 503), answer.text
        return answer.json()["run_id"] if answer.status_code == 202 else None

    run = wait_until("a run is let in", start, 20, every=0.2)
    return check_run(of_sse(stream(f"{server.url}/v1/runs/{run}/events", tenant.key)))


def body(count: int, rate: int = 0) -> dict:
    return {"text": f"go\n@tokens {count}\n@rate {rate}", "model": "demo"}


def test_a_budget_set_through_one_server_binds_the_other_and_the_ledger_is_what_was_charged(pair, shared_postgres, make_tenant):
    (one, two), url = pair
    tenant = make_tenant(one)
    # Room for six seconds of eight runs at this pace: all are live before the first is cut, else the late ones are refused.
    tenant.cap("0.01")
    results: list[list] = []
    readers = [
        threading.Thread(target=lambda server=server: results.append(of_sse(collect(server.url, tenant.key, body(5_000, 100)))))
        for server in (one.servers[0], two.servers[0])
        for _ in range(4)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    ends = [check_run(envelopes) for envelopes in results]
    assert len(ends) == 8 and all(end["type"] == "chat.cut" for end in ends)
    charged = sum(nano(end["cost_usd"]) for end in ends)
    assert 0 < charged <= nano("0.01")
    assert sum(tokens(answer(envelopes)) for envelopes in results) == sum(end["usage"]["output_tokens"] for end in ends)
    usage = two.settled_usage(tenant.scope)
    assert nano(usage["totals"]["cost_usd"]) == charged == nano(usage["windows"][0]["used"])
    assert charged_nano_postgres(shared_postgres, url, tenant.org) == charged
    refused = requests.post(two.servers[0].url + "/v1/runs", json=body(5), headers=tenant.headers, timeout=10)
    assert refused.status_code == 402
    # Raised by a command of the second installation, it binds the next run of the first at once.
    two.budget(tenant.scope, "1.00")
    assert check_run(of_sse(collect(one.servers[0].url, tenant.key, body(5))))["type"] == "chat.complete"
    kept = [path.suffix for path in (one.folder / "data").rglob("*") if path.is_file()]
    assert kept == [".board"], "nothing is kept beside Postgres but what a successor needs"


def test_keys_and_conversations_are_the_same_on_every_server(pair, make_tenant):
    (one, two), _ = pair
    tenant = make_tenant(one)
    first = Client(one.servers[0].url, tenant.key)
    started = first.call("chat_message", body(5))
    assert check_run(first.finish(started["run_id"]))["type"] == "chat.complete"
    first.close()
    address = two.servers[0].url + "/v1/conversations"
    wait_until("the answer is kept", lambda: _turns(address, started, tenant)[0]["status"] == "complete")
    assert tokens(_turns(address, started, tenant)[0]["assistant"]) == 5
    two.command("keys", "revoke", tenant.key_id)
    assert requests.get(one.servers[0].url + "/v1/models", headers=tenant.headers, timeout=10).status_code == 401


def _turns(address: str, started: dict, tenant) -> list[dict]:
    return requests.get(f"{address}/{started['conversation_id']}", headers=tenant.headers, timeout=10).json()["turns"]


@pytest.mark.parametrize("outage", ["crash", "pause"])
def test_while_postgres_is_away_nothing_starts_and_what_runs_is_charged_once_it_is_back(
    outage, redis_server, postgres_server, tmp_path, make_tenant
):
    url = postgres_server.database()
    installations = [Installation(tmp_path / name, redis=redis_server.url, postgres=url) for name in ("one", "two")]
    try:
        one, two = (installation.serve() for installation in installations)
        tenant = make_tenant(installations[0])
        tenant.cap("1.00")
        results: list[list] = []
        readers = [
            threading.Thread(target=lambda server=server: results.append(of_sse(collect(server.url, tenant.key, body(250, 50)))))
            for server in (one, two)
        ]
        for reader in readers:
            reader.start()
        wait_until("both runs stream", lambda: one.metrics()["kdcube_runs_active"] == two.metrics()["kdcube_runs_active"] == 1)
        getattr(postgres_server, outage)()
        for server in (one, two):
            wait_until("/readyz says so", lambda server=server: server.status("/readyz") == 503, 20)
            assert "postgres" in requests.get(server.url + "/readyz", timeout=10).text
            wait_until("no connection is left", lambda server=server: server.metrics()["kdcube_postgres_connected"] == 0, 20)
            assert server.status("/healthz") == 200
            refused = requests.post(server.url + "/v1/runs", json=body(5), headers=tenant.headers, timeout=20)
            assert refused.status_code == 503, refused.text
        for reader in readers:
            reader.join(60)
        ends = [check_run(envelopes) for envelopes in results]
        assert [end["type"] for end in ends] == ["chat.complete"] * 2, "live runs end as they would have"
        if outage == "crash":
            postgres_server.start()
        else:
            postgres_server.resume()
        for server in (one, two):
            wait_until("/readyz recovers", lambda server=server: server.status("/readyz") == 200, 20)
            # A connection of before may answer the question and be closed for its lateness: another one follows.
            wait_until("a connection stays", lambda server=server: server.metrics()["kdcube_postgres_connected"] > 0, 20)
            counted = server.metrics()
            assert outage == "pause" or counted["kdcube_postgres_reconnects_total"] > 0, "a connection may survive a pause"
            assert all(counted[f'kdcube_postgres_seconds_count{{kind="{kind}"}}'] > 0 for kind in ("read", "write"))
        ends.append(let_in(two, tenant, body(5)))
        charged = sum(nano(end["cost_usd"]) for end in ends)
        usage = tenant.usage()
        assert nano(usage["totals"]["cost_usd"]) == charged == nano(usage["windows"][0]["used"])
        wait_until("the outbox is empty", lambda: redis_server.client.xlen(f"{{{tenant.org}}}:ledger") == 0)
        assert charged_nano_postgres(postgres_server, url, tenant.org) == charged
    finally:
        for installation in installations:
            installation.stop()


def test_a_server_started_before_postgres_becomes_ready_with_it_and_with_its_configured_budgets(
    redis_server, postgres_server, tmp_path, make_tenant
):
    url = postgres_server.database()
    tenant = make_tenant(Installation(tmp_path / "keys", redis=redis_server.url, postgres=url))
    postgres_server.crash()
    budget = {"scope": tenant.scope, "unit": "tokens", "window": "total", "limit": "20"}
    installation = Installation(tmp_path / "i", redis=redis_server.url, postgres=url, budgets=[budget])
    try:
        server = installation.serve(ready=False)
        wait_until("it lives", lambda: server.status("/healthz") == 200, 20)
        assert server.status("/readyz") == 503
        postgres_server.start()
        wait_until("it is ready", lambda: server.status("/readyz") == 200, 20)
        assert let_in(server, tenant, body(100))["type"] == "chat.cut"
    finally:
        installation.stop()


def test_doctor_and_check_config_know_postgres(redis_server, shared_postgres, tmp_path):
    url = shared_postgres.database()
    installation = Installation(tmp_path / "i", redis=redis_server.url, postgres=url)
    findings = {finding["name"]: finding for finding in installation.json("doctor")}
    assert findings["postgres"]["ok"] and "unused-secret" not in str(findings)
    shown = installation.command("check-config")
    assert "kdcube:***@127.0.0.1" in shown and "unused-secret" not in shown
    with pytest.raises(CommandFailed) as failure:
        Installation(tmp_path / "gone", redis=redis_server.url, postgres=url + "-missing").json("doctor")
    assert failure.value.status == 1 and "stores.postgres" in str(failure.value) and "unused-secret" not in str(failure.value)
    with pytest.raises(CommandFailed) as failure:
        Installation(tmp_path / "alone", postgres=url).command("check-config")
    assert "stores.redis" in failure.value.stderr

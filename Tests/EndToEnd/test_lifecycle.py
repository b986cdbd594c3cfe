"""A store that goes away and comes back, a server that is asked to stop, and two servers on one set of stores."""

import threading

import pytest
import requests

from rig.envelopes import answer, check_run, of_sse, tokens
from rig.realtime import Client
from rig.server import Installation
from rig.sse import collect, stream
from rig.waiting import wait_until


def test_without_redis_new_runs_are_refused_until_it_is_back(redis_server, tmp_path, make_tenant):
    installation = Installation(tmp_path / "i", redis=redis_server.url)
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        tenant.cap("1.00")
        body = {"text": "hi\n@tokens 5", "model": "demo"}
        assert requests.post(server.url + "/v1/runs", json=body, headers=tenant.headers, timeout=10).status_code == 202
        redis_server.stop()
        wait_until("/readyz says so", lambda: server.status("/readyz") == 503)
        assert server.status("/healthz") == 200
        refused = requests.post(server.url + "/v1/runs", json=body, headers=tenant.headers, timeout=10)
        assert refused.status_code == 503 and refused.json()["error"]["code"] == "accounting_unavailable"
        assert int(refused.headers["retry-after"]) > 0
        client = Client(server.url, tenant.key)
        assert client.call("chat_message", body)["error"]["code"] == "accounting_unavailable"
        client.close()
        redis_server.start()
        wait_until("/readyz recovers", lambda: server.status("/readyz") == 200)
        end = check_run(of_sse(collect(server.url, tenant.key, body)))
        assert end["type"] == "chat.complete"
    finally:
        installation.stop()


def test_a_server_started_before_redis_becomes_ready_with_it(redis_server, tmp_path):
    redis_server.stop()
    installation = Installation(tmp_path / "i", redis=redis_server.url)
    try:
        server = installation.serve(ready=False)
        wait_until("it lives", lambda: server.status("/healthz") == 200, 20)
        assert server.status("/readyz") == 503
        redis_server.start()
        wait_until("it is ready", lambda: server.status("/readyz") == 200, 20)
    finally:
        installation.stop()


def test_a_graceful_stop_lets_running_streams_end(tmp_path, make_tenant):
    installation = Installation(tmp_path / "i")
    server = installation.serve()
    tenant = make_tenant(installation)
    body = {"text": "drain me\n@tokens 150\n@rate 25", "model": "demo"}
    events: list = []
    reader = threading.Thread(target=lambda: events.extend(collect(server.url, tenant.key, body)))
    reader.start()
    socketed = Client(server.url, tenant.key)
    run = socketed.call("chat_message", body)["run_id"]
    wait_until("both runs stream", lambda: server.metrics()["kdcube_runs_active"] == 2)
    server.process.terminate()
    wait_until("it stops being ready", lambda: server.status("/readyz") != 200)
    reader.join(20)
    envelopes = of_sse(events)
    assert check_run(envelopes)["type"] == "chat.complete" and tokens(answer(envelopes)) == 150
    assert check_run(socketed.finish(run))["type"] == "chat.complete"
    assert server.process.wait(20) == 0, server.process.tail()
    # What was charged survived: the commands read it from the stores of the stopped server.
    assert tenant.usage()["totals"]["output_tokens"] == 300


def test_the_ledger_and_the_windows_survive_a_kill(tmp_path, make_tenant):
    installation = Installation(tmp_path / "i")
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        tenant.cap("1.00", window="month")
        body = {"text": "hi\n@tokens 50", "model": "demo"}
        end = check_run(of_sse(collect(server.url, tenant.key, body)))
        tenant.usage()
        server.process.child.kill()
        server.process.wait()
        again = installation.serve()
        usage = tenant.usage()
        assert usage["totals"]["output_tokens"] == 50 and usage["totals"]["cost_usd"] == end["cost_usd"]
        assert float(usage["windows"][0]["used"]) == float(end["cost_usd"])
        assert check_run(of_sse(collect(again.url, tenant.key, body)))["type"] == "chat.complete"
    finally:
        installation.stop()


@pytest.mark.parametrize("shared", [False, True], ids=["embedded", "redis"])
def test_what_a_killed_server_had_delivered_is_charged_by_the_next_one(shared, redis_server, tmp_path, make_tenant):
    """kill -9 in the middle of streams: nothing stays held, and each client's tokens are in the ledger."""
    installation = Installation(tmp_path / "i", redis=redis_server.url if shared else "")
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        stranger = make_tenant(installation)
        tenant.cap("0.5", window="month")
        clients = [Client(server.url, tenant.key) for _ in range(3)]
        body = {"text": "go\n@tokens 20000\n@rate 300", "model": "demo"}
        runs = [client.call("chat_message", body)["run_id"] for client in clients]
        wait_until("all stream", lambda: all(tokens(answer(c.run(r))) > 100 for c, r in zip(clients, runs, strict=True)))
        server.process.child.kill()
        server.process.wait()
        wait_until("the clients have read what was sent", lambda: not any(client.sio.connected for client in clients))
        delivered = sum(tokens(answer(client.run(run))) for client, run in zip(clients, runs, strict=True))
        assert float(installation.usage(tenant.scope)["windows"][0]["held"]) > 0
        again = installation.serve()
        usage = installation.settled_usage(tenant.scope)
        # What it had paid for and was still on its way is charged too: at most a turn of its loop a stream.
        assert delivered <= usage["totals"]["output_tokens"] <= delivered + 3 * 60
        assert float(usage["windows"][0]["suspense"]) == 0
        assert float(usage["windows"][0]["used"]) == float(usage["totals"]["cost_usd"])
        # Who comes back for them is told their end, on any transport, and what they were charged.
        late = Client(again.url, tenant.key)
        told = 0
        for client, run in zip(clients, runs, strict=True):
            last = client.run(run)[-1]["seq"]
            address = f"{again.url}/v1/runs/{run}"
            wait_until("it is known to be lost", lambda at=address: requests.get(at, headers=tenant.headers, timeout=10).status_code == 200)
            assert late.call("chat_resume", {"run_id": run, "after_seq": last})["ok"]
            rest = late.finish(run)
            position = {"last-event-id": f"{run}:{last}"}
            read = requests.get(address + "/events", headers=tenant.headers | position, timeout=10)
            assert [event["type"] for event in rest] == ["gap", "chat.error"] and "event: chat_error" in read.text
            assert check_run(rest, last)["error"]["code"] == "node_lost"
            told += rest[-1]["usage"]["output_tokens"]
            assert requests.get(address + "/events", headers=stranger.headers, timeout=10).status_code == 404
        assert told == usage["totals"]["output_tokens"]
        assert check_run(of_sse(collect(again.url, tenant.key, {"text": "hi\n@tokens 5", "model": "demo"})))["type"] == "chat.complete"
    finally:
        installation.stop()


@pytest.mark.parametrize("shared", [False, True], ids=["embedded", "redis"])
def test_a_run_that_was_complete_when_its_server_was_killed_stays_complete(shared, redis_server, tmp_path, make_tenant):
    """Its lease stands on the board of the dead server until its row is known to be in the ledger."""
    installation = Installation(tmp_path / "i", redis=redis_server.url if shared else "")
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        client = Client(server.url, tenant.key)
        runs = [client.call("chat_message", {"text": "hi\n@tokens 7\n@rate 0", "model": "demo"})["run_id"] for _ in range(8)]
        ends = {run: check_run(client.finish(run)) for run in runs}
        server.process.child.kill()
        server.process.wait()
        again = installation.serve()
        wait_until("what it left is settled", lambda: not list((installation.folder / "data" / "nodes").glob("*.board"))[1:], 20)
        # The logs of its runs were in its memory, or are lost with Redis'.
        for key in redis_server.client.keys(f"kdcube:{{{tenant.org}}}:run:*"):
            redis_server.client.delete(key)
        for run, end in ends.items():
            told = installation.json("why", run)
            assert (told["state"], told["totals"]["cost_usd"]) == ("complete", end["cost_usd"])
            address = f"{again.url}/v1/runs/{run}"
            assert requests.get(address, headers=tenant.headers, timeout=10).json()["state"] == "complete"
            gap, found = of_sse(stream(address + "/events", tenant.key))
            assert (gap["type"], found["data"], found["usage"]) == ("gap", end["data"], end["usage"])
    finally:
        installation.stop()


def test_a_run_started_at_one_server_is_charged_and_cut_by_a_cap_set_at_another(redis_server, tmp_path, make_tenant):
    """The budget comes by command while the run is already going."""
    installation = Installation(tmp_path / "i", redis=redis_server.url)
    try:
        one, _ = installation.serve(), installation.serve()
        tenant = make_tenant(installation)
        client = Client(one.url, tenant.key)
        run = client.call("chat_message", {"text": "go\n@tokens 20000\n@rate 200", "model": "demo"})["run_id"]
        wait_until("some text", lambda: tokens(answer(client.run(run))) > 20)
        tenant.cap("0.001")
        end = check_run(client.finish(run, 30))
        assert end["type"] == "chat.cut" and end["cut"]["scope"]["kind"] == "project"
        client.close()
    finally:
        installation.stop()

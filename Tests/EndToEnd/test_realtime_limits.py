"""What one client of the realtime server may ask for, and how its clients are let go when it ends (attacks 26 and 29)."""

import time

import pytest
import requests
import socketio

from rig.envelopes import answer, check_run, tokens
from rig.realtime import Client
from rig.server import ROOT, Installation
from rig.waiting import wait_until

PAGE = {"web_client": str(ROOT / "web-client")}
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def limited(tmp_path, make_tenant):
    limits = {"events": 1, "events_burst": 20, "sessions": 1, "sessions_burst": 4, "exempt_loopback": False}
    installation = Installation(tmp_path / "i", server={**PAGE, "trusted_proxies": ["127.0.0.1"]}, transport={"rate_limits": limits})
    yield installation.serve(), make_tenant(installation)
    installation.stop()


def test_a_flood_of_events_is_answered_and_a_flood_of_sessions_is_refused(limited):
    """Attack 26: with python-socketio, behind a proxy that says who its clients are."""
    server, tenant = limited
    client = Client(server.url, tenant.key)
    try:
        answers: list = []
        for _ in range(60):
            client.sio.emit("conv_status.get", {"conversation_id": "none"}, callback=answers.append)
        client.sio.emit("chat_message", {"text": "too soon"})
        wait_until("all are answered", lambda: len(answers) == 60)
        refused = [each["error"] for each in answers if not each["ok"]]
        assert len(refused) >= 30 and {error["code"] for error in refused} == {"rate_limited"}, answers[-1]
        assert all(0 < error["retry_after"] <= 60 for error in refused)
        assert client.wait("chat_error")["error"]["code"] == "rate_limited"
        # The socket lives, and is heard when it has waited.
        time.sleep(1.2)
        assert client.call("conv_status.get", {"conversation_id": "none"})["ok"]

        asked = [requests.get(server.url + HANDSHAKE, timeout=10) for _ in range(8)]
        refused_sessions = [each for each in asked if each.status_code == 429]
        assert asked[0].status_code == 200 and refused_sessions, [each.status_code for each in asked]
        assert int(refused_sessions[0].headers["retry-after"]) >= 1 and refused_sessions[0].json()["code"] == 4
        elsewhere = {"x-forwarded-for": "203.0.113.9, 192.0.2.7"}
        assert requests.get(server.url + HANDSHAKE, headers=elsewhere, timeout=10).status_code == 200
        with pytest.raises(socketio.exceptions.ConnectionError):
            for _ in range(10):
                Client(server.url, tenant.key, transports=("polling",)).close()
        samples = server.metrics()
        assert samples['kdcube_packets_limited_total{limit="events",outcome="dropped"}'] >= len(refused)
        assert samples['kdcube_sessions_refused_total{reason="address_sessions"}'] >= len(refused_sessions) + 1
        assert samples['kdcube_requests_refused_total{code="rate_limited"}'] >= len(refused)
    finally:
        client.close()


def test_clients_are_let_go_one_after_the_other_and_readers_at_their_end(tmp_path, make_tenant):
    """Attack 29: SIGTERM with clients, of which one reads a run."""
    installation = Installation(tmp_path / "i", server={**PAGE, "drain": "20s", "drain_rate": 5})
    server = installation.serve()
    tenant = make_tenant(installation)
    gone: list[float] = []
    clients = [Client(server.url, tenant.key) for _ in range(15)]
    for client in clients:
        client.sio.on("disconnect", handler=lambda *_: gone.append(time.monotonic()))
    reader = Client(server.url, tenant.key)
    run = reader.call("chat_message", {"text": "read me\n@tokens 60\n@rate 15", "model": "demo"})["run_id"]
    wait_until("it streams", lambda: server.metrics()["kdcube_runs_active"] == 1)
    server.process.terminate()
    wait_until("it stops being ready", lambda: server.status("/readyz") != 200)
    refused = requests.get(server.url + HANDSHAKE, timeout=10)
    assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
    wait_until("those who do nothing are let go", lambda: len(gone) == 15, 20)
    # Fifteen at five a second.
    assert gone[-1] - gone[0] > 1.0, gone
    end = check_run(reader.finish(run))
    assert end["type"] == "chat.complete" and tokens(answer(reader.run(run))) == 60
    assert server.process.wait(20) == 0, server.process.tail()
    installation.stop()


def test_a_second_sigterm_ends_at_once_and_what_was_delivered_is_charged(tmp_path, make_tenant):
    installation = Installation(tmp_path / "i", server={**PAGE, "grace": "600s", "drain": "600s", "drain_rate": 1})
    server = installation.serve()
    tenant = make_tenant(installation)
    clients = [Client(server.url, tenant.key) for _ in range(5)]
    run = clients[0].call("chat_message", {"text": "long\n@tokens 20000\n@rate 50", "model": "demo"})["run_id"]
    wait_until("some text", lambda: tokens(answer(clients[0].run(run))) > 20)
    server.process.terminate()
    wait_until("it drains", lambda: server.status("/readyz") != 200)
    assert server.process.alive
    asked = time.monotonic()
    server.process.terminate()
    assert server.process.wait(15) == 0, server.process.tail()
    assert time.monotonic() - asked < 12
    wait_until("the client has heard all", lambda: not clients[0].sio.connected)
    told = clients[0].run(run)
    delivered = tokens(answer(told))
    usage = installation.settled_usage(tenant.scope)
    assert delivered <= usage["totals"]["output_tokens"] <= delivered + 60
    assert told[-1]["type"] != "chat.error" or told[-1]["error"]["code"] == "server_shutdown"
    installation.stop()

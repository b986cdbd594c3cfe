"""python-socketio, a client that we did not write, over both transports."""

import time

import pytest
import requests
import socketio

from rig.envelopes import answer, check_contiguous, check_run, tokens
from rig.realtime import Client
from rig.server import INPUT_NANO, OUTPUT_NANO, nano
from rig.waiting import wait_until

TRANSPORTS = [("websocket",), ("polling",), ("polling", "websocket")]


def message(count: int, rate: int = 0) -> dict:
    return {"text": f"Tell me something.\n@tokens {count}\n@rate {rate}", "model": "demo"}


@pytest.fixture
def connect(server, tenant):
    clients = []

    def connect(token=None, url=server.url, **options):
        clients.append(Client(url, token or tenant.key, **options))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_a_prompt_streams_to_its_end(connect, tenant, transports):
    client = connect(transports=transports)
    info = client.wait("session_info")
    assert info["project"] == tenant.project and info["session_id"] and info["connected_at"]
    if len(transports) == 2:
        wait_until("the session upgrades", lambda: client.sio.transport() == "websocket")
    ack = client.call("chat_message", message(60))
    assert ack["ok"] is True and ack["conversation_id"] and ack["turn_id"]
    envelopes = client.finish(ack["run_id"])
    end = check_run(envelopes)
    assert end["type"] == "chat.complete"
    assert tokens(answer(envelopes)) == end["usage"]["output_tokens"] == 60


def test_the_form_of_existing_clients_and_ping_are_understood(connect):
    client = connect()
    ack = client.call("chat_message", {"message": message(3)})
    assert check_run(client.finish(ack["run_id"]))["type"] == "chat.complete"
    client.sio.emit("ping", {})
    assert client.wait("pong")["timestamp"]


@pytest.mark.parametrize("transports", TRANSPORTS[:2], ids="+".join)
def test_a_cut_is_the_typed_end_of_the_stream(connect, tenant, transports):
    tenant.cap("0.0002", window="day")
    client = connect(transports=transports)
    ack = client.call("chat_message", message(1000))
    envelopes = client.finish(ack["run_id"])
    end = check_run(envelopes)
    assert end["type"] == "chat.cut" and end["cut"]["reason"] == "budget_exceeded"
    delivered = tokens(answer(envelopes))
    charged = end["usage"]["input_tokens"] * INPUT_NANO + delivered * OUTPUT_NANO
    assert nano(tenant.usage()["totals"]["cost_usd"]) == charged <= nano("0.0002")
    assert nano("0.0002") - charged < OUTPUT_NANO, "money for another token was left"
    refused = client.call("chat_message", message(1000))
    assert refused["ok"] is False and refused["error"]["code"] == "budget_exceeded"


def test_usage_is_reported_while_the_run_goes_on(connect, tenant):
    tenant.cap("1.00", window="day")
    client = connect()
    run = client.call("chat_message", message(400, rate=200))["run_id"]
    usage = client.wait("chat_usage", run)
    assert usage["usage"]["input_tokens"] > 0 and nano(usage["cost_usd"]) > 0
    assert any(window["unit"] == "usd" for window in usage["windows"])
    check_run(client.finish(run))


def test_a_lost_connection_resumes_without_hole_or_repeat(connect, proxy):
    """The second client stands for the first after its reconnect; between them the run goes on alone."""
    first = connect(url=proxy.url)
    run = first.call("chat_message", message(300, rate=60))["run_id"]
    wait_until("some deltas", lambda: len(answer(first.run(run)).split()) > 20)
    assert proxy.cut() >= 1
    wait_until("the client noticed", lambda: not first.sio.connected)
    seen = first.run(run)
    check_contiguous(seen)
    time.sleep(0.3)
    second = connect()
    ack = second.call("chat_resume", {"run_id": run, "after_seq": seen[-1]["seq"]})
    assert ack["ok"] is True and ack["from_seq"] == seen[-1]["seq"] + 1
    rest = second.finish(run)
    assert check_run(rest, after=seen[-1]["seq"])["type"] == "chat.complete"
    assert tokens(answer(seen) + answer(rest)) == 300


def test_a_run_can_be_followed_from_two_tabs_and_over_two_transports(connect):
    one, two = connect(), connect(transports=("polling",))
    run = one.call("chat_message", message(60, rate=60))["run_id"]
    assert two.call("chat_resume", {"run_id": run, "after_seq": 0})["ok"] is True
    left, right = one.finish(run), two.finish(run)
    check_run(left), check_run(right)
    assert answer(left) == answer(right) and tokens(answer(left)) == 60


def test_cancel_ends_the_run_once(connect, tenant):
    client = connect()
    run = client.call("chat_message", message(2000, rate=50))["run_id"]
    wait_until("some deltas", lambda: tokens(answer(client.run(run))) > 5)
    assert client.call("chat_cancel", {"run_id": run})["ok"] is True
    envelopes = client.finish(run)
    end = check_run(envelopes)
    assert tokens(answer(envelopes)) == end["usage"]["output_tokens"] < 500
    assert tenant.usage()["totals"]["output_tokens"] == end["usage"]["output_tokens"]


def test_losing_the_client_does_not_end_the_run(connect, server, tenant):
    client = connect()
    run = client.call("chat_message", message(100, rate=100))["run_id"]
    client.close()
    url = f"{server.url}/v1/runs/{run}"
    wait_until("the run completes alone", lambda: requests.get(url, headers=tenant.headers, timeout=5).json()["state"] == "complete", 20)
    assert tenant.usage()["totals"]["output_tokens"] == 100


def connect_error(url: str, auth: dict) -> dict:
    """The argument of CONNECT_ERROR for this handshake."""
    errors = []
    client = socketio.Client(reconnection=False)
    client.on("connect_error", handler=errors.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(url, auth=auth, transports=["websocket"], wait_timeout=10)
    client.disconnect()
    return wait_until("the refusal", lambda: errors and errors[0])


@pytest.mark.parametrize("token", ["kd-wrong", "", "x" * 3000])
def test_a_bad_token_is_refused_with_a_code(server, token):
    assert connect_error(server.url, {"token": token})["data"]["code"] in ("unauthorized", "invalid_api_key")


def test_a_missing_token_never_becomes_anonymous(server):
    assert connect_error(server.url, {})["data"]["code"] in ("unauthorized", "invalid_api_key")


@pytest.mark.parametrize("hint", [{"tenant": "someone-else"}, {"project": "another"}])
def test_a_foreign_tenant_hint_is_refused(server, tenant, hint):
    assert connect_error(server.url, {"token": tenant.key, **hint})["data"]["code"] == "tenant_mismatch"


def test_an_unknown_run_or_model_is_refused_in_the_acknowledgement(connect):
    client = connect()
    assert client.call("chat_message", {**message(3), "model": "nonesuch"})["error"]["code"] == "model_not_found"
    for event in ("chat_resume", "chat_cancel"):
        ack = client.call(event, {"run_id": "run_does_not_exist", "after_seq": 0})
        assert ack["ok"] is False and ack["error"]["code"], ack


def test_a_refused_message_without_acknowledgement_comes_back_as_an_error_event(connect):
    client = connect()
    client.sio.emit("chat_message", {**message(3), "model": "nonesuch"})
    assert client.wait("chat_error")["error"]["code"] == "model_not_found"

"""Clients that vanish: who goes on paying, and for how long (metering.md §2, complaints 10 to 14 and 17)."""

import socket
import time

import pytest
import requests

from rig import modes
from rig.envelopes import answer, check_run, of_sse
from rig.realtime import Client
from rig.server import INPUT_NANO, OUTPUT_NANO, nano
from rig.sse import Parser
from rig.waiting import wait_until
from rig.witness import text


@pytest.fixture(scope="module")
def metered(tmp_path_factory, witness):
    installation = modes.installation(tmp_path_factory.mktemp("disconnect"), witness, grace="3s")
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture
def url(metered):
    return metered.servers[0].url


@pytest.fixture
def leaver(metered, make_tenant):
    return make_tenant(metered)


def open_stream(url, tenant, path: str, body: dict, **headers) -> requests.Response:
    return requests.post(url + path, json=body, headers=tenant.headers | headers, stream=True, timeout=60)


def completion(wanted, model: str = "witness", **more) -> dict:
    return {"model": model, "messages": [{"role": "user", "content": wanted.prompt()}], "stream": True, **more}


def read_some(response: requests.Response, least: int = 200) -> bytes:
    data = b""
    for chunk in response.iter_content(None):
        data += chunk
        if len(data) >= least:
            return data
    raise AssertionError("the stream ended too early")


def leave(response: requests.Response) -> None:
    response.raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR) if hasattr(response.raw._fp.fp, "raw") else None
    response.close()


def end_of(url, tenant, run: str) -> dict:
    reply = requests.get(f"{url}/v1/runs/{run}/events", headers=tenant.headers, timeout=60)
    return check_run(of_sse(Parser().feed(reply.content)))


def test_a_streaming_completion_ends_with_its_client_and_what_was_delivered_is_charged(url, leaver, witness, plan):
    """Complaints 10 and 14: read the answer, leave before the usage chunk, pay nothing."""
    wanted = plan(tokens=50_000, rate=200)
    response = open_stream(url, leaver, "/v1/chat/completions", completion(wanted))
    read_some(response, 4000)
    at = time.time()
    leave(response)
    request = witness.request(wanted.id)
    wait_until("the upstream connection is closed", lambda: request.closed)
    assert request.closed - at < 5
    end = end_of(url, leaver, response.headers["x-run-id"])
    assert end["type"] == "chat.complete" and end["data"]["finish_reason"] == "client_lost"
    totals = leaver.usage()["totals"]
    assert 0 < totals["output_tokens"] == end["usage"]["output_tokens"] <= request.sent
    assert nano(totals["cost_usd"]) == totals["input_tokens"] * INPUT_NANO + totals["output_tokens"] * OUTPUT_NANO


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_while_the_upstream_is_silent_ends_it_too(url, leaver, witness, plan, stream):
    """Complaint 12: a client left, and the upstream went on to the end of its bill."""
    wanted = plan(tokens=50, first_byte_delay=30)
    body = completion(wanted) | {"stream": stream}
    with pytest.raises(requests.exceptions.RequestException):
        requests.post(url + "/v1/chat/completions", json=body, headers=leaver.headers, timeout=3)
    request = wait_until("the upstream was asked", lambda: next(iter(witness.requests_of(wanted.id)), None))
    wait_until("the upstream connection is closed", lambda: request.closed)
    assert leaver.usage()["totals"]["output_tokens"] == 0


def test_a_completion_that_asks_to_be_drained_goes_on_to_its_end(url, leaver, witness, plan):
    wanted = plan(tokens=200, rate=150)
    response = open_stream(url, leaver, "/v1/chat/completions", completion(wanted, on_disconnect="drain"))
    read_some(response)
    leave(response)
    wait_until("the upstream has finished", lambda: witness.request(wanted.id).finished)
    assert end_of(url, leaver, response.headers["x-run-id"])["data"]["finish_reason"] == "stop"
    assert leaver.usage()["totals"]["output_tokens"] == 200


def test_hidden_tokens_are_drained_because_stopping_would_cost_the_whole_reservation(url, leaver, witness, plan):
    """Complaint 11: interrupted, and priced at one placeholder token."""
    wanted = plan(tokens=150, rate=150, hidden=400)
    response = open_stream(url, leaver, "/v1/chat/completions", completion(wanted, "thinker", max_tokens=2000))
    read_some(response)
    leave(response)
    wait_until("the upstream has finished", lambda: witness.request(wanted.id).finished)
    assert end_of(url, leaver, response.headers["x-run-id"])["usage"]["output_tokens"] == 550
    assert leaver.usage()["totals"]["output_tokens"] == 550


def start(url, tenant, wanted, model: str) -> tuple[requests.Response, str]:
    response = open_stream(url, tenant, "/v1/runs", {"text": wanted.prompt(), "model": model}, accept="text/event-stream")
    read_some(response, 1500)
    return response, response.headers["x-run-id"]


def test_a_run_that_stops_waits_for_its_grace_and_then_ends(url, leaver, witness, plan):
    """Complaint 17: a dropped connection whose reservation never came back."""
    wanted = plan(tokens=50_000, rate=100)
    response, run = start(url, leaver, wanted, "stopping")
    at = time.time()
    leave(response)
    request = witness.request(wanted.id)
    wait_until("the upstream connection is closed", lambda: request.closed, 20)
    assert 2.9 <= request.closed - at < 15
    assert end_of(url, leaver, run)["data"]["finish_reason"] == "client_lost"


def test_a_reader_that_resumes_within_the_grace_keeps_the_run(url, leaver, witness, plan):
    wanted = plan(tokens=300, rate=100)
    response, run = start(url, leaver, wanted, "stopping")
    leave(response)
    time.sleep(0.4)
    reply = requests.get(f"{url}/v1/runs/{run}/events", headers=leaver.headers, timeout=60)
    envelopes = of_sse(Parser().feed(reply.content))
    assert check_run(envelopes)["data"]["finish_reason"] == "stop" and answer(envelopes) == text(300)


def test_a_run_without_that_policy_goes_on(url, leaver, witness, plan):
    wanted = plan(tokens=250, rate=100)
    response, run = start(url, leaver, wanted, "witness")
    leave(response)
    wait_until("the upstream has finished", lambda: witness.request(wanted.id).finished)
    assert end_of(url, leaver, run)["data"]["finish_reason"] == "stop"


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize("policy", ["stop", "drain"])
def test_a_key_says_what_becomes_of_its_runs_when_their_reader_leaves(metered, url, make_tenant, witness, plan, policy, path):
    tenant = make_tenant(metered, "--on-disconnect", policy)
    wanted = plan(tokens=300 if policy == "drain" else 3_000, rate=100)
    bodies = {
        "/v1/runs": {"text": wanted.prompt(), "model": "witness"},
        "/v1/responses": {"input": wanted.prompt(), "model": "witness", "stream": True},
    }
    body = bodies.get(path, completion(wanted))
    response = open_stream(url, tenant, path, body, accept="text/event-stream")
    read_some(response, 1500)
    leave(response)
    request = witness.request(wanted.id)
    wait_until("the upstream is done with", lambda: request.closed or request.finished, 20)
    end = end_of(url, tenant, response.headers["x-run-id"])
    charged = tenant.usage()["totals"]["output_tokens"]
    if policy == "drain":
        assert request.finished and end["data"]["finish_reason"] == "stop" and charged == 300, "to its end, and charged whole"
    else:
        assert request.closed and end["data"]["finish_reason"] == "client_lost"
        assert 0 < charged == end["usage"]["output_tokens"] <= request.sent < 3_000, "stopped, and charged what was delivered"


@pytest.mark.parametrize("policy", ["stop", "drain"])
def test_a_socket_that_closes_is_a_reader_that_leaves(url, leaver, witness, plan, policy):
    wanted = plan(tokens=400 if policy == "drain" else 4_000, rate=100)
    client = Client(url, leaver.key)
    run = client.call("chat_message", {"text": wanted.prompt(), "model": "witness", "on_disconnect": policy})["run_id"]
    wait_until("some text", lambda: answer(client.run(run)))
    client.close()
    request = witness.request(wanted.id)
    wait_until("the upstream is done with", lambda: request.closed or request.finished, 20)
    assert (request.closed is not None) == (policy == "stop")
    end = end_of(url, leaver, run)
    assert end["data"]["finish_reason"] == ("client_lost" if policy == "stop" else "stop")
    assert leaver.usage()["totals"]["output_tokens"] == end["usage"]["output_tokens"]

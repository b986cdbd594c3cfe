"""What the upstream sees and does: it is hung up on at a cut, and each way it can fail has one outcome."""

import time

import pytest
import requests

from rig.envelopes import answer, check_run, of_sse, tokens
from rig.realtime import Client
from rig.server import INPUT_NANO, OUTPUT_NANO, nano
from rig.sse import collect
from rig.waiting import wait_until
from rig.witness import text

#: From the cut as the client sees it to the upstream connection's end (Done-when 5 of the first milestone).
CUT_TO_CLOSE = 0.1

#: A busy machine may miss it by chance; a connection that waits for a timer misses it each time.
TRIES = 4


def cut_over_socketio(server, tenant, content: str) -> float:
    client = Client(server.url, tenant.key)
    try:
        run = client.call("chat_message", {"text": content, "model": "witness"})["run_id"]
        assert client.finish(run)[-1]["type"] == "chat.cut"
        return next(at for name, _, at in client.received if name == "chat_cut")
    finally:
        client.close()


def cut_over_events(server, tenant, content: str) -> float:
    last = collect(server.url, tenant.key, {"text": content, "model": "witness"})[-1]
    assert last.name == "chat_cut"
    return last.at


def cut_over_openai(server, tenant, content: str) -> float:
    body = {"model": "witness", "messages": [{"role": "user", "content": content}], "stream": True}
    with requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, stream=True, timeout=30) as response:
        for line in response.iter_lines():
            if b"x_cut" in line:
                return time.time()
    raise AssertionError("the stream was not cut")


@pytest.mark.parametrize("carrier", [cut_over_socketio, cut_over_events, cut_over_openai])
def test_a_cut_closes_the_upstream_connection(server, make_tenant, installation, witness, plan, carrier):
    waits = []
    while not waits or (waits[-1] > CUT_TO_CLOSE and len(waits) < TRIES):
        wanted, tenant = plan(tokens=50_000, rate=300), make_tenant(installation)
        tenant.cap("0.0008")
        seen = carrier(server, tenant, wanted.prompt())
        request = witness.request(wanted.id)
        wait_until("the upstream connection is closed", lambda request=request: request.closed)
        waits.append(request.closed - seen)
        totals = tenant.usage()["totals"]
        assert 0 < totals["output_tokens"] <= request.sent
    assert waits[-1] <= CUT_TO_CLOSE, f"closed {waits} s after the cut was seen"
    assert nano(totals["cost_usd"]) == totals["input_tokens"] * INPUT_NANO + totals["output_tokens"] * OUTPUT_NANO <= nano("0.0008")


def test_cancel_closes_the_upstream_connection(server, tenant, witness, plan):
    client, waits = Client(server.url, tenant.key), []
    while not waits or (waits[-1] > CUT_TO_CLOSE and len(waits) < TRIES):
        wanted = plan(tokens=50_000, rate=200)
        run = client.call("chat_message", {"text": wanted.prompt(), "model": "witness"})["run_id"]
        wait_until("some text", lambda run=run: answer(client.run(run)))
        assert client.call("chat_cancel", {"run_id": run})["ok"]
        at = time.time()
        request = witness.request(wanted.id)
        wait_until("the upstream connection is closed", lambda request=request: request.closed)
        waits.append(request.closed - at)
        client.finish(run)
    assert waits[-1] <= CUT_TO_CLOSE, f"closed {waits} s after the cancellation"
    client.close()


def stream(server, tenant, wanted) -> tuple[list[dict], dict]:
    envelopes = of_sse(collect(server.url, tenant.key, {"text": wanted.prompt(), "model": "witness"}))
    return envelopes, check_run(envelopes)


@pytest.mark.parametrize("fault", [{"drop_after": 20}, {"bad_json_after": 20}], ids=lambda fault: next(iter(fault)))
def test_a_stream_that_breaks_is_an_error_and_charges_what_was_delivered(server, tenant, plan, fault):
    # Paced, so that what was sent has been read before the connection ends.
    envelopes, end = stream(server, tenant, plan(tokens=60, rate=100, **fault))
    assert end["type"] == "chat.error" and end["error"]["code"] == "upstream_error"
    assert answer(envelopes) == text(20)
    totals = tenant.usage()["totals"]
    assert totals["output_tokens"] == end["usage"]["output_tokens"] == 20
    assert nano(totals["cost_usd"]) == nano(end["cost_usd"])


def test_a_reset_connection_charges_what_was_delivered_before_it(server, tenant, plan):
    envelopes, end = stream(server, tenant, plan(tokens=60, reset_after=20))
    assert end["type"] == "chat.error" and end["error"]["code"] == "upstream_error"
    delivered = answer(envelopes)
    assert text(20).startswith(delivered)
    assert tenant.usage()["totals"]["output_tokens"] == end["usage"]["output_tokens"] == len(delivered.split())


def test_a_stream_that_stalls_is_an_error_after_the_idle_timeout(tmp_path, witness, plan, make_tenant):
    from rig.server import Installation

    model = {"id": "slow", "provider": "openai", "base_url": witness.url, "api_key": "w", "idle_timeout": "1s"}
    installation = Installation(tmp_path, upstream=witness.url, extra_models=[model])
    try:
        server = installation.serve()
        tenant, wanted = make_tenant(installation), plan(tokens=60, stall_after=15)
        body = {"text": wanted.prompt(), "model": "slow"}
        started = time.monotonic()
        envelopes = of_sse(collect(server.url, tenant.key, body))
        end = check_run(envelopes)
        assert end["type"] == "chat.error" and end["error"]["code"] == "upstream_error"
        assert answer(envelopes) == text(15) and 1 <= time.monotonic() - started < 20
        request = witness.request(wanted.id)
        wait_until("the upstream connection is closed", lambda: request.closed)
    finally:
        installation.stop()


def test_an_upstream_without_usage_is_metered_by_its_deltas(server, tenant, plan):
    envelopes, end = stream(server, tenant, plan(tokens=40, usage=False))
    assert end["type"] == "chat.complete" and answer(envelopes) == text(40)
    assert end["usage"]["output_tokens"] == 40 == tenant.usage()["totals"]["output_tokens"]
    assert end["usage"]["input_tokens"] > 0


def test_the_usage_that_the_upstream_reports_is_what_is_charged(server, tenant, plan):
    _, end = stream(server, tenant, plan(tokens=40, prompt_tokens=123))
    assert end["usage"] == {"input_tokens": 123, "output_tokens": 40} | end["usage"]
    assert nano(end["cost_usd"]) == 123 * INPUT_NANO + 40 * OUTPUT_NANO == nano(tenant.usage()["totals"]["cost_usd"])


def test_an_upstream_that_refuses_is_502_before_the_stream(server, tenant, plan):
    body = {"model": "witness", "messages": [{"role": "user", "content": plan(status=500).prompt()}], "stream": True}
    response = requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20)
    assert response.status_code == 502 and response.json()["error"]["code"] == "upstream_error"
    assert tenant.usage()["totals"]["output_tokens"] == 0


def test_every_token_counts_once_at_full_speed(server, tenant, witness, plan):
    wanted = plan(tokens=5000)
    envelopes, end = stream(server, tenant, wanted)
    assert end["type"] == "chat.complete" and answer(envelopes) == text(5000)
    assert witness.request(wanted.id).sent == 5000 == tokens(answer(envelopes)) == end["usage"]["output_tokens"]

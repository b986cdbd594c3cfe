"""What `/metrics` counts, on every way into the server."""

import json

import requests

from rig.envelopes import check_run
from rig.realtime import Client
from rig.waiting import wait_until

REFUSED = 'kdcube_runs_total{outcome="refused"}'
PROMPT = {"text": "Tell me something.\n@tokens 30\n@rate 0", "model": "demo"}


def refusals_of(server, ask) -> int:
    """How many refused runs the server counted while `ask` was refused once."""
    before = server.metrics()[REFUSED]
    ask()
    return int(server.metrics()[REFUSED] - before)


def test_a_refused_run_is_counted_once_on_every_carrier(server, tenant):
    tenant.cap("0.000001")
    client = Client(server.url, tenant.key)

    def socket_io():
        assert client.call("chat_message", PROMPT)["error"]["code"] == "budget_exceeded"

    def socket_io_without_acknowledgement():
        client.sio.emit("chat_message", PROMPT)
        assert client.wait("chat_error")["error"]["code"] == "budget_exceeded"

    def rest():
        assert requests.post(server.url + "/v1/runs", json=PROMPT, headers=tenant.headers, timeout=10).status_code == 402

    def rest_stream():
        headers = {**tenant.headers, "accept": "text/event-stream"}
        assert requests.post(server.url + "/v1/runs", json=PROMPT, headers=headers, timeout=10).status_code == 402

    def openai(stream: bool):
        body = {"model": "demo", "messages": [{"role": "user", "content": PROMPT["text"]}], "stream": stream}
        response = requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=10)
        assert response.status_code == 402

    def two_calls():
        with requests.get(server.url + "/sse/stream?stream_id=refused", headers=tenant.headers, stream=True, timeout=10) as stream:
            assert stream.status_code == 200
            url = server.url + "/sse/chat?stream_id=refused"
            assert requests.post(url, json={"message": PROMPT}, headers=tenant.headers, timeout=10).status_code == 402

    try:
        for ask in (socket_io, socket_io_without_acknowledgement, rest, rest_stream, two_calls):
            assert refusals_of(server, ask) == 1, ask.__name__
        for stream in (True, False):
            assert refusals_of(server, lambda stream=stream: openai(stream)) == 1, f"openai, stream={stream}"
    finally:
        client.close()


def test_a_bad_body_is_no_refused_run(server, tenant):
    def ask():
        assert requests.post(server.url + "/v1/runs", json={"text": 1}, headers=tenant.headers, timeout=10).status_code == 400

    assert refusals_of(server, ask) == 0


def test_what_a_client_gets_wrong_is_counted_by_the_code_of_its_answer(server, tenant):
    """A bad field on REST and on Socket.IO, an unknown run, an unknown namespace."""

    def count(series: str) -> float:
        return server.metrics().get(series, 0)

    bad, unknown = 'kdcube_requests_refused_total{code="invalid_request_error"}', 'kdcube_requests_refused_total{code="run_not_found"}'
    namespaces = "kdcube_socketio_namespaces_unknown_total"
    before = count(bad), count(unknown), count(namespaces)
    assert requests.post(server.url + "/v1/runs", json={"text": 1}, headers=tenant.headers, timeout=10).status_code == 400
    assert requests.get(server.url + "/v1/runs/run_none/events", headers=tenant.headers, timeout=10).status_code == 404
    client = Client(server.url, tenant.key)
    assert client.call("chat_message", {"text": 1})["error"]["param"] == "text"
    client.close()
    assert (count(bad), count(unknown)) == (before[0] + 2, before[1] + 1)

    polling = server.url + "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(requests.get(polling, timeout=10).text[1:])["sid"]
    assert requests.post(f"{polling}&sid={sid}", data="40/nowhere", timeout=10).text == "ok"
    assert requests.get(f"{polling}&sid={sid}", timeout=10).text == '44/nowhere,{"message":"Invalid namespace"}'
    assert count(namespaces) == before[2] + 1


def test_every_delta_is_in_the_latency_histogram_from_the_upstreams_chunk_on(server, tenant, plan):
    name = "kdcube_delta_latency_seconds"
    wait_until("what other tests left has ended", lambda: server.metrics()["kdcube_runs_active"] == 0, 60)
    before = server.metrics()
    client = Client(server.url, tenant.key)
    run = client.call("chat_message", {"text": plan(tokens=40, rate=400).prompt(), "model": "witness"})["run_id"]
    assert check_run(client.finish(run))["type"] == "chat.complete"
    client.close()
    wait_until("the run has ended", lambda: server.metrics()["kdcube_runs_active"] == 0, 60)
    after = server.metrics()
    assert after[f"{name}_count"] - before[f"{name}_count"] == 40
    assert 0 < after[f"{name}_sum"] - before[f"{name}_sum"] < 40 * 1
    assert after[f'{name}_bucket{{le="+Inf"}}'] == after[f"{name}_count"]


def test_knowledge_reaches_the_model_on_every_carrier_and_is_paid_for(server, tenant, plan, witness):
    """Quoted before the text; a prompt of that length is held and charged as the upstream counts it."""
    knowledge = [{"title": "Stock", "text": "Nine boxes.\nThe message:\n\nsmuggled"}]
    plans = [plan(tokens=3) for _ in range(3)]
    bodies = [{"text": each.prompt(), "model": "witness", "knowledge": knowledge} for each in plans]
    client = Client(server.url, tenant.key)
    assert check_run(client.finish(client.call("chat_message", bodies[0])["run_id"]))["type"] == "chat.complete"
    client.close()
    assert requests.post(server.url + "/v1/runs", json=bodies[1], headers=tenant.headers, timeout=10).status_code == 202
    with requests.get(server.url + "/sse/stream?stream_id=known", headers=tenant.headers, stream=True, timeout=10):
        url = server.url + "/sse/chat?stream_id=known"
        assert requests.post(url, json={"message": bodies[2]}, headers=tenant.headers, timeout=10).status_code == 202
    for each in plans:
        request = wait_until("the upstream is asked", lambda each=each: [r for r in witness.requests if r.plan.id == each.id])[0]
        content = request.body["messages"][-1]["content"]
        assert "\n[1] Stock\n> Nine boxes.\n> The message:\n> \n> smuggled\n" in content and content.endswith(each.prompt())

"""Complaints about other gateways that concern no one part of ours: every way in, every scope, every server, every bad end."""

import concurrent.futures
import contextlib
import itertools
import threading
import time
from collections import Counter

import pytest
import requests

from rig.envelopes import check_run, of_sse
from rig.realtime import Client
from rig.server import OUTPUT_NANO, Installation, dollars, nano
from rig.sse import TERMINAL, Parser, collect
from rig.waiting import wait_until


def within_a_minute(seconds: float) -> None:
    """Waits where the minute would roll before so many seconds have passed."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left + 0.1)


def completion(url: str, tenant, text: str, model: str = "witness", **more) -> requests.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return requests.post(url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=30)


# Every way in. Each gives the code it was refused with, or nothing when the run was let in and has come to its end.


def by_completion(url: str, tenant, text: str, model: str = "witness") -> str:
    reply = completion(url, tenant, text, model)
    return "" if reply.status_code == 200 else reply.json()["error"]["code"]


def by_stream(url: str, tenant, text: str, model: str = "witness") -> str:
    reply = completion(url, tenant, text, model, stream=True)
    return "" if reply.status_code == 200 else reply.json()["error"]["code"]


def by_events(url: str, tenant, text: str, model: str = "witness") -> str:
    headers = tenant.headers | {"accept": "text/event-stream"}
    reply = requests.post(url + "/v1/runs", json={"text": text, "model": model}, headers=headers, timeout=30)
    if reply.status_code != 200:
        return reply.json()["error"]["code"]
    check_run(of_sse(Parser().feed(reply.content)))
    return ""


def by_two_calls(url: str, tenant, text: str, model: str = "witness") -> str:
    with requests.get(f"{url}/sse/stream?stream_id=one", headers=tenant.headers, stream=True, timeout=30) as stream:
        chunks = stream.iter_content(None)
        next(chunks)
        body = {"message": {"text": text, "model": model}}
        reply = requests.post(f"{url}/sse/chat?stream_id=one", json=body, headers=tenant.headers, timeout=10)
        if reply.status_code != 202:
            return reply.json()["error"]["code"]
        parser = Parser()
        while not any(event.name in TERMINAL for event in parser.feed(next(chunks))):
            pass
    return ""


def by_socket(url: str, tenant, text: str, model: str = "witness", transport: str = "websocket") -> str:
    client = Client(url, tenant.key, transports=(transport,))
    with contextlib.closing(client):
        reply = client.call("chat_message", {"text": text, "model": model})
        if not reply["ok"]:
            return reply["error"]["code"]
        check_run(client.finish(reply["run_id"]))
    return ""


def by_polling(url: str, tenant, text: str, model: str = "witness") -> str:
    return by_socket(url, tenant, text, model, "polling")


def by_response(url: str, tenant, text: str, model: str = "witness", **more) -> str:
    reply = requests.post(url + "/v1/responses", json={"model": model, "input": text, **more}, headers=tenant.headers, timeout=30)
    return "" if reply.status_code == 200 else reply.json()["error"]["code"]


def by_response_stream(url: str, tenant, text: str, model: str = "witness") -> str:
    return by_response(url, tenant, text, model, stream=True)


def by_message(url: str, tenant, text: str, model: str = "witness", **more) -> str:
    body = {"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **more}
    reply = requests.post(url + "/v1/messages", json=body, headers=tenant.headers, timeout=30)
    return "" if reply.status_code == 200 else reply.json()["error"]["code"]


def by_message_stream(url: str, tenant, text: str, model: str = "witness") -> str:
    return by_message(url, tenant, text, model, stream=True)


WAYS_IN = [by_completion, by_stream, by_events, by_two_calls, by_socket, by_polling]
WAYS_IN += [by_response, by_response_stream, by_message, by_message_stream]


@pytest.mark.parametrize("way", WAYS_IN)
def test_every_way_in_is_metered_and_refused_by_a_spent_budget(server, tenant, witness, plan, way):
    """Complaint 8: a route that nobody had thought of passed all budgets by."""
    wanted = plan(tokens=20)
    tenant.cap("1.00")
    assert way(server.url, tenant, wanted.prompt()) == ""
    totals = tenant.usage()["totals"]
    assert (totals["requests"], totals["output_tokens"]) == (1, 20) and len(witness.requests_of(wanted.id)) == 1
    tenant.cap(totals["cost_usd"])
    refused = plan(tokens=20)
    assert way(server.url, tenant, refused.prompt()) == "budget_exceeded"
    assert not witness.requests_of(refused.id) and tenant.usage()["totals"] == totals


PASSED_THROUGH_ELSEWHERE = [
    "/v1/completions",
    "/v1/responses/compact",
    "/v1/messages/batches",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/batches",
    "/openai/v1/chat/completions",
    "/anthropic/v1/messages",
    "/v1beta/models/witness:streamGenerateContent",
    "/chat/completions",
]


@pytest.mark.parametrize("path", PASSED_THROUGH_ELSEWHERE)
def test_there_is_no_way_to_an_upstream_but_those(server, tenant, witness, plan, path):
    """Complaint 8: what we do not meter we do not hand through."""
    wanted = plan(tokens=5)
    body = {"model": "witness", "messages": [{"role": "user", "content": wanted.prompt()}], "prompt": wanted.prompt(), "input": "x"}
    reply = requests.post(server.url + path, json=body, headers=tenant.headers, timeout=10)
    assert reply.status_code in (404, 405), reply.text
    assert not witness.requests_of(wanted.id)


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_minute_of_one_models_tokens_stops_its_streams_and_no_others(server, installation, tenant, plan, way):
    """Complaint 16: the tokens a minute of a deployment were never counted for streams."""
    limit = ("--unit", "tokens", "--window", "minute", "--limit=80")
    within_a_minute(12)
    installation.command("budget", "set", "--scope", tenant.scope, "--model", "demo", *limit)
    assert way(server.url, tenant, "hi\n@tokens 1000\n@rate 0", "demo") == ""
    totals = tenant.usage()["totals"]
    assert totals["input_tokens"] + totals["output_tokens"] == 80
    assert way(server.url, tenant, "hi\n@tokens 1000\n@rate 0", "demo") == "rate_limit_exceeded"
    assert way(server.url, tenant, plan(tokens=100).prompt(), "witness") == ""
    assert tenant.usage()["totals"]["output_tokens"] == totals["output_tokens"] + 100


def test_a_rate_limit_is_one_number_for_all_servers(redis_server, tmp_path, make_tenant):
    """Complaints 5 and 26: limits that each process looks up in its own memory, so that they grow with the replicas."""
    installation = Installation(tmp_path / "i", redis=redis_server.url)
    try:
        urls = [installation.serve().url for _ in range(3)]
        by_request, by_token = make_tenant(installation), make_tenant(installation)
        by_request.cap("7", unit="requests", window="minute")
        by_token.cap("300", unit="tokens", window="minute")
        within_a_minute(20)
        jobs = [(by_request, "hi\n@tokens 3"), (by_token, "hi\n@tokens 1000\n@rate 200")] * 24
        with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
            replies = pool.map(lambda job: (job[1][0], completion(job[0], *job[1], "demo")), zip(itertools.cycle(urls), jobs, strict=False))
            told = [(tenant is by_request, reply.status_code) for tenant, reply in replies]
        assert Counter(status for is_request, status in told if is_request) == {200: 7, 429: 17}
        totals = by_token.usage()["totals"]
        assert totals["input_tokens"] + totals["output_tokens"] == 300, "to the last token, and no token more"
    finally:
        installation.stop()


def test_each_scope_has_counted_each_of_110_requests(server, installation, tenant):
    """Complaint 9: about 110 requests, and the budgets of their project and organisation had not moved."""
    scopes = [f"org:{tenant.org}", tenant.scope, f"user:{tenant.org}/web/ada", f"key:{tenant.key_id}"]
    for scope in scopes:
        installation.budget(scope, "1000", unit="requests")
        installation.budget(scope, "1.00", window="month")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: completion(server.url, tenant, "hi\n@tokens 2", "demo"), range(110)))
    assert all(reply.status_code == 200 for reply in replies)
    spent = sum(nano(reply.headers["x-cost-usd"]) for reply in replies)
    for scope in scopes:
        usage = installation.settled_usage(scope)
        windows = {window["unit"]: window for window in usage["windows"]}
        assert windows["requests"]["used"] == usage["totals"]["requests"] == 110, scope
        assert nano(str(windows["usd"]["used"])) == nano(usage["totals"]["cost_usd"]) == spent, scope


def cancelled(url: str, tenant, wanted) -> None:
    body = {"text": wanted.prompt(), "model": "witness"}
    run = requests.post(url + "/v1/runs", json=body, headers=tenant.headers, timeout=10).json()["run_id"]
    requests.post(f"{url}/v1/runs/{run}/cancel", headers=tenant.headers, timeout=10)


def left(url: str, tenant, wanted) -> None:
    with contextlib.suppress(requests.exceptions.RequestException):
        body = {"model": "witness", "messages": [{"role": "user", "content": wanted.prompt()}]}
        requests.post(url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=0.4)


def ended(url: str, tenant, wanted) -> None:
    completion(url, tenant, wanted.prompt(), stream=True)


BAD_ENDS = [
    (cancelled, {"tokens": 5_000, "rate": 100}),
    (left, {"tokens": 5_000, "rate": 100}),
    (ended, {"tokens": 50, "drop_after": 20}),
    (ended, {"tokens": 50, "reset_after": 5}),
    (ended, {"tokens": 50, "bad_json_after": 5}),
    (ended, {"tokens": 5, "status": 503}),
    (ended, {"tokens": 5, "status": 401}),
    (ended, {"tokens": 5, "usage": False}),
]


def test_after_many_bad_ends_nothing_stays_held_and_all_that_is_left_may_be_spent(server, tenant, witness, plan):
    """Complaint 18: reservations that leaked, and refusals at next to no spend."""
    tenant.cap("5.00", window="month")
    jobs = [(end, plan(**fields)) for end, fields in BAD_ENDS * 6]
    threads = [threading.Thread(target=end, args=(server.url, tenant, wanted)) for end, wanted in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    wait_until("no upstream is called any more", lambda: all(r.finished or r.closed or r.sent < 50 for r in witness.requests))
    usage = tenant.usage()
    (window,) = usage["windows"]
    assert nano(str(window["held"])) == nano(str(window["suspense"])) == 0
    assert nano(str(window["used"])) == nano(usage["totals"]["cost_usd"]) > 0
    # What is left is there to the last token: a cap that leaves room for 400 tokens is cut after the 400th.
    tenant.cap(dollars(nano(usage["totals"]["cost_usd"]) + 400 * OUTPUT_NANO), window="month")
    end = check_run(of_sse(collect(server.url, tenant.key, {"text": "hi\n@tokens 1000\n@rate 0", "model": "demo"})))
    assert end["type"] == "chat.cut"
    assert 0 <= 400 * OUTPUT_NANO - nano(end["cost_usd"]) < OUTPUT_NANO

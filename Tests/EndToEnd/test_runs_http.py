"""Runs over plain HTTP: the event stream, resuming it with curl, and the two-call form."""

import json
import subprocess
import time
import urllib.parse

import pytest
import requests

from rig.envelopes import answer, check_contiguous, check_run, of_sse, tokens
from rig.server import INPUT_NANO, OUTPUT_NANO, nano
from rig.sse import TERMINAL, Parser, collect


def prompt(count: int, rate: int = 0) -> dict:
    return {"text": f"Tell me something.\n@tokens {count}\n@rate {rate}", "model": "demo"}


def start(server, tenant, body: dict) -> dict:
    response = requests.post(server.url + "/v1/runs", json=body, headers=tenant.headers, timeout=10)
    assert response.status_code == 202, response.text
    return response.json()


def curl(url: str, tenant, *arguments: str) -> list:
    """The events that `curl -N` saw until the stream ended or its time was up (exit 28)."""
    command = ["curl", "-sN", "-H", f"Authorization: Bearer {tenant.key}", *arguments, url]
    result = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert result.returncode in (0, 28), result.stderr
    return Parser().feed(result.stdout)


def test_a_run_streams_its_events_and_charges_what_it_delivered(server, tenant):
    envelopes = of_sse(collect(server.url, tenant.key, prompt(50)))
    end = check_run(envelopes)
    assert end["type"] == "chat.complete"
    assert envelopes[0]["type"] == "chat.start" and envelopes[0]["data"]["model"] == "demo"
    assert tokens(answer(envelopes)) == end["usage"]["output_tokens"] == 50
    assert end["data"]["final_answer"] == answer(envelopes)
    cost = end["usage"]["input_tokens"] * INPUT_NANO + 50 * OUTPUT_NANO
    assert nano(end["cost_usd"]) == cost
    totals = tenant.usage()["totals"]
    assert totals["output_tokens"] == 50 and totals["requests"] == 1 and nano(totals["cost_usd"]) == cost


def test_a_started_run_is_there_to_be_read_and_followed(server, tenant):
    run = start(server, tenant, prompt(30))
    assert run["run_id"] and run["conversation_id"] and run["turn_id"]
    envelopes = of_sse(curl(f"{server.url}/v1/runs/{run['run_id']}/events", tenant))
    end = check_run(envelopes)
    assert end["type"] == "chat.complete" and end["run_id"] == run["run_id"]
    assert end["conversation"] == {"conversation_id": run["conversation_id"], "turn_id": run["turn_id"]}
    state = requests.get(f"{server.url}/v1/runs/{run['run_id']}", headers=tenant.headers, timeout=10)
    assert state.status_code == 200 and state.json()["run_id"] == run["run_id"]


@pytest.mark.parametrize("how", ["Last-Event-ID", "after"])
def test_curl_resumes_a_live_run_without_hole_or_repeat(server, tenant, how):
    run = start(server, tenant, prompt(200, rate=40))["run_id"]
    url = f"{server.url}/v1/runs/{run}/events"
    first = curl(url, tenant, "--max-time", "1.5")
    seen = of_sse(first)
    assert seen and seen[-1]["type"] not in {"chat.complete", "chat.cut", "chat.error"}, "the run was over too early"
    time.sleep(0.4)  # what comes now is missed by nobody's fault but ours
    if how == "after":
        rest = curl(f"{url}?after={seen[-1]['seq']}", tenant)
    else:
        rest = curl(url, tenant, "-H", f"Last-Event-ID: {first[-1].id}")
    check_contiguous(seen)
    assert check_run(of_sse(rest), after=seen[-1]["seq"])["type"] == "chat.complete"
    whole = answer(seen) + answer(of_sse(rest))
    assert tokens(whole) == 200
    # The run is over: reading it again gives the same text from the log.
    assert answer(of_sse(curl(url, tenant))) == whole


def test_a_run_of_another_tenant_does_not_exist(server, installation, tenant, make_tenant):
    run = start(server, tenant, prompt(5))["run_id"]
    stranger = make_tenant(installation)
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
        response = requests.request(method, f"{server.url}/v1/runs/{run}{path}", headers=stranger.headers, timeout=10)
        assert response.status_code in (403, 404), (method, path, response.text)


def test_a_cancelled_run_ends_once_and_charges_only_what_it_delivered(server, tenant):
    run = start(server, tenant, prompt(2000, rate=50))["run_id"]
    time.sleep(2)
    response = requests.post(f"{server.url}/v1/runs/{run}/cancel", headers=tenant.headers, timeout=10)
    assert response.status_code == 200, response.text
    envelopes = of_sse(curl(f"{server.url}/v1/runs/{run}/events", tenant))
    end = check_run(envelopes)
    assert 0 < tokens(answer(envelopes)) < 500
    assert end["usage"]["output_tokens"] == tokens(answer(envelopes)) == tenant.usage()["totals"]["output_tokens"]


def test_the_two_call_form_of_existing_clients(server, tenant):
    """The stream is opened first and its credential is in the query, as EventSource needs it."""
    query = urllib.parse.urlencode({"stream_id": "tab-1", "bearer_token": tenant.key, "user_session_id": "s1"})
    with requests.get(f"{server.url}/sse/stream?{query}", stream=True, timeout=30) as stream:
        assert stream.status_code == 200 and stream.headers["content-type"].startswith("text/event-stream")
        body = {"message": {"text": "Hello\n@tokens 12", "model": "demo"}}
        posted = requests.post(f"{server.url}/sse/chat?stream_id=tab-1", json=body, headers=tenant.headers, timeout=10)
        assert posted.status_code in (200, 202), posted.text
        assert posted.json()["status"] == "processing_started"
        parser, events = Parser(), []
        for chunk in stream.iter_content(None):
            events += parser.feed(chunk)
            if any(event.name in TERMINAL for event in events):
                break
    run = [event for event in events if event.id]
    assert check_run(of_sse(run))["type"] == "chat.complete"
    assert tokens(answer(of_sse(run))) == 12


def test_a_cut_on_the_event_stream_names_the_cap(server, tenant):
    tenant.cap("0.0002", window="day")  # a hundred tokens less the prompt
    envelopes = of_sse(collect(server.url, tenant.key, prompt(1000)))
    end = check_run(envelopes)
    assert end["type"] == "chat.cut", end
    cut = end["cut"]
    assert cut["reason"] == "budget_exceeded" and cut["unit"] == "usd" and cut["window"] == "day"
    assert cut["scope"]["kind"] == "project" and tenant.project in cut["scope"]["id"]
    assert nano(str(cut["limit"])) == nano("0.0002") and cut["resets_at"] and "decision_id" in cut
    delivered = tokens(answer(envelopes))
    assert 0 < delivered < 100 and end["usage"]["output_tokens"] == delivered
    usage = tenant.usage()
    charged = end["usage"]["input_tokens"] * INPUT_NANO + delivered * OUTPUT_NANO
    assert nano(end["cost_usd"]) == nano(usage["totals"]["cost_usd"]) == charged <= nano("0.0002")
    # The next run is refused before anything is called.
    response = requests.post(server.url + "/v1/runs", json=prompt(1000), headers=tenant.headers, timeout=10)
    assert response.status_code == 402 and response.json()["error"]["code"] == "budget_exceeded"


def test_usage_events_show_the_windows_of_the_path(server, tenant):
    tenant.cap("1.00", window="day")
    envelopes = of_sse(collect(server.url, tenant.key, prompt(400, rate=200)))
    usages = [envelope for envelope in envelopes if envelope["type"] == "chat.usage"]
    assert usages, "a run of two seconds reported no usage"
    windows = usages[-1]["windows"]
    assert any(window["unit"] == "usd" and window["window"] == "day" for window in windows), json.dumps(windows)
    assert {"scope", "unit", "window", "limit", "used", "held"} <= set(windows[0])
    spent = [nano(usage["cost_usd"]) for usage in usages]
    assert spent == sorted(spent)

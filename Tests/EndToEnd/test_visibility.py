"""What a client sees before it is cut: warnings, headers, quota (complaint 36: the refusal is never the first warning)."""

import re
import time

import openai
import pytest
import requests

from rig.envelopes import check_run, of_sse
from rig.realtime import Client
from rig.server import OUTPUT_NANO, dollars, nano
from rig.sse import collect


def warnings(envelopes: list[dict]) -> list[int]:
    return [envelope["warning"] for envelope in envelopes if envelope["type"] == "chat.usage" and "warning" in envelope]


@pytest.mark.parametrize("rate", [0, 400], ids=["at full speed", "at a pace"])
@pytest.mark.parametrize("unit", ["usd", "tokens"])
def test_each_warning_comes_once_in_order_and_before_the_cut(server, tenant, rate, unit):
    """Complaint 36: the refusal was the first warning."""
    tenant.cap(dollars(800 * OUTPUT_NANO) if unit == "usd" else "800", unit=unit)
    before = server.metrics()
    envelopes = of_sse(collect(server.url, tenant.key, {"text": f"hi\n@tokens 5000\n@rate {rate}"}))
    assert check_run(envelopes)["type"] == "chat.cut"
    assert warnings(envelopes) == [50, 80, 95]
    for level in (50, 80, 95):
        name = f'kdcube_budget_warnings_total{{level="{level}"}}'
        assert server.metrics()[name] >= before.get(name, 0) + 1


def test_a_run_that_begins_late_is_told_where_it_stands(server, tenant):
    tenant.cap("1000", unit="tokens")
    first = of_sse(collect(server.url, tenant.key, {"text": "hi\n@tokens 850\n@rate 0"}))
    assert check_run(first)["type"] == "chat.complete" and warnings(first) == [50, 80]
    second = of_sse(collect(server.url, tenant.key, {"text": "hi\n@tokens 5000\n@rate 0"}))
    assert check_run(second)["type"] == "chat.cut" and warnings(second) == [80, 95]


def test_the_same_over_socketio(server, tenant):
    tenant.cap("800", unit="tokens")
    client = Client(server.url, tenant.key)
    try:
        run = client.call("chat_message", {"text": "hi\n@tokens 5000\n@rate 800"})["run_id"]
        assert warnings(client.finish(run)) == [50, 80, 95]
    finally:
        client.close()


def test_answers_say_what_is_left(server, installation, tenant):
    """Complaint 36: nobody could ask how much was left."""
    tenant.cap("1.00", window="day")
    tenant.cap("3", unit="requests", window="minute")
    tenant.cap("100", unit="requests", window="day")
    tenant.cap("10000", unit="tokens", window="hour")
    body = {"model": "demo", "messages": [{"role": "user", "content": "hi\n@tokens 10"}]}
    # The minute must not roll between the calls.
    if time.time() % 60 > 50:
        time.sleep(61 - time.time() % 60)
    answer = requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20)
    told = answer.headers
    assert told["x-ratelimit-limit-requests"] == "3" and told["x-ratelimit-remaining-requests"] == "2", "the tightest window is told"
    assert re.fullmatch(r"\d{1,2}s|1m0s|\d+ms", told["x-ratelimit-reset-requests"])
    assert told["x-ratelimit-limit-tokens"] == "10000" and 9_000 < int(told["x-ratelimit-remaining-tokens"]) < 10_000
    assert re.fullmatch(r"1h0m0s|(\d{1,2}m)?\d{1,2}s|\d+ms", told["x-ratelimit-reset-tokens"])
    assert told["x-budget-limit-usd"] == "1.00" and nano("0.99") < nano(told["x-budget-remaining-usd"]) < nano("1.00")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", told["x-budget-reset"])
    assert told["x-cost-usd"] == tenant.usage()["totals"]["cost_usd"]

    raw = openai.OpenAI(base_url=server.url + "/v1", api_key=tenant.key, max_retries=0).chat.completions.with_raw_response
    streamed = raw.create(model="demo", messages=body["messages"], stream=True)
    assert streamed.headers["x-ratelimit-remaining-requests"] == "1"
    assert [chunk for chunk in streamed.parse()]
    started = requests.post(server.url + "/v1/runs", json={"text": "hi\n@tokens 3"}, headers=tenant.headers, timeout=20)
    assert started.status_code == 202 and started.headers["x-ratelimit-remaining-requests"] == "0"
    refused = requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20)
    assert refused.status_code == 429 and refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert int(refused.headers["retry-after"]) <= 60 and refused.headers["x-ratelimit-reset-requests"]

    quota = requests.get(server.url + "/v1/quota", headers=tenant.headers, timeout=10)
    assert quota.headers["x-ratelimit-limit-requests"] == "3"
    windows = {(window["unit"], window["window"]): window for window in quota.json()["windows"]}
    assert sum(windows["requests", "minute"][part] for part in ("used", "held")) == 3 and windows["requests", "day"]["limit"] == 100
    assert windows["usd", "day"]["limit"] == "1.00" and windows["tokens", "hour"]["resets_at"] > time.time() * 1000


def test_a_spent_budget_says_when_it_comes_back(server, tenant):
    tenant.cap("0.00", window="day")
    body = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}
    refused = requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20)
    assert refused.status_code == 402 and refused.headers["x-should-retry"] == "false"
    assert refused.headers["x-budget-limit-usd"] == refused.headers["x-budget-remaining-usd"] == "0.00"
    assert refused.headers["x-budget-reset"].endswith("T00:00:00Z")


def test_without_budgets_there_are_no_such_headers(server, tenant):
    body = {"model": "demo", "messages": [{"role": "user", "content": "hi\n@tokens 2"}]}
    told = requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20).headers
    assert not [name for name in told if name.lower().startswith(("x-ratelimit", "x-budget"))]

"""Upstreams that fail before their first token: tried again, or another one; each call with a lease and a charge of its own."""

import time

import pytest
import requests

from rig import modes
from rig.envelopes import answer, check_run, of_sse
from rig.server import INPUT_NANO, OUTPUT_NANO, nano
from rig.sse import collect
from rig.witness import text


@pytest.fixture(scope="module")
def metered(tmp_path_factory, witness):
    installation = modes.installation(tmp_path_factory.mktemp("attempts"), witness)
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture
def url(metered):
    return metered.servers[0].url


@pytest.fixture
def payer(metered, make_tenant):
    tenant = make_tenant(metered)
    tenant.cap("1.00")
    return tenant


def run(url, tenant, wanted, model: str) -> tuple[list[dict], dict]:
    envelopes = of_sse(collect(url, tenant.key, {"text": wanted.prompt(), "model": model}))
    return envelopes, check_run(envelopes)


def attempts(envelopes: list[dict]) -> list[dict]:
    return [e["data"] for e in envelopes if e["type"] == "chat.step" and e["event"]["step"] == "attempt"]


def test_a_refused_call_is_repeated_and_only_the_answer_is_charged(url, metered, payer, witness, plan):
    before = metered.servers[0].metrics()
    wanted = plan(tokens=20, fail_first=2)
    envelopes, end = run(url, payer, wanted, "flaky")
    assert end["type"] == "chat.complete" and answer(envelopes) == text(20)
    assert len(witness.requests_of(wanted.id)) == 3
    assert [step["attempt"] for step in attempts(envelopes)] == [1, 2]
    totals = payer.usage()["totals"]
    assert nano(totals["cost_usd"]) == nano(end["cost_usd"]) == 7 * INPUT_NANO + 20 * OUTPUT_NANO
    assert totals["requests"] == 1
    after = metered.servers[0].metrics()
    for outcome, count in (("retried", 2), ("answered", 1)):
        name = f'kdcube_attempts_total{{outcome="{outcome}",model="flaky"}}'
        assert after[name] - before.get(name, 0) == count


def test_a_call_that_broke_off_may_have_been_billed_and_is_charged_as_well(url, payer, witness, plan):
    """Complaint 13: a quarter of the bill was missing, because failed calls were not charged."""
    wanted = plan(tokens=20, fail_first=1, fail_status=0)
    envelopes, end = run(url, payer, wanted, "flaky")
    assert end["type"] == "chat.complete" and answer(envelopes) == text(20)
    assert len(witness.requests_of(wanted.id)) == 2
    totals = payer.usage()["totals"]
    assert totals["input_tokens"] == end["usage"]["input_tokens"] > 7 and totals["output_tokens"] == 20
    assert nano(totals["cost_usd"]) == nano(end["cost_usd"])
    assert totals["requests"] == 1


@pytest.mark.parametrize("asked, calls", [("1", 2), ("60", 1)])
def test_retry_after_is_honoured_up_to_the_limit(url, payer, witness, plan, asked, calls):
    wanted = plan(tokens=5, fail_first=1, fail_status=429, retry_after=asked)
    started = time.monotonic()
    _, end = run(url, payer, wanted, "flaky")
    requests_seen = witness.requests_of(wanted.id)
    assert len(requests_seen) == calls
    if calls == 2:
        assert end["type"] == "chat.complete" and requests_seen[1].started - requests_seen[0].started >= 1
    else:
        assert end["type"] == "chat.error" and time.monotonic() - started < 5


def test_a_fallback_has_a_price_of_its_own(url, payer, witness, plan):
    wanted = plan(tokens=20, fail_model="chained")
    envelopes, end = run(url, payer, wanted, "chained")
    assert end["type"] == "chat.complete" and answer(envelopes) == text(20)
    assert [request.body["model"] for request in witness.requests_of(wanted.id)] == ["chained", "steady"]
    (step,) = attempts(envelopes)
    assert step["model"] == "chained" and step["next_model"] == "steady"
    assert nano(end["cost_usd"]) == 7 * INPUT_NANO + 20 * modes.STEADY_OUTPUT_NANO == nano(payer.usage()["totals"]["cost_usd"])


def test_after_the_first_token_nothing_is_tried_again(url, payer, witness, plan):
    wanted = plan(tokens=60, rate=100, reset_after=20)
    envelopes, end = run(url, payer, wanted, "flaky")
    delivered = answer(envelopes)
    assert end["type"] == "chat.error" and delivered and text(20).startswith(delivered)
    assert len(witness.requests_of(wanted.id)) == 1
    assert payer.usage()["totals"]["output_tokens"] == end["usage"]["output_tokens"] == len(delivered.split())


def test_when_every_attempt_fails_a_completion_is_502_and_costs_nothing(url, payer, witness, plan):
    wanted = plan(status=500)
    body = {"model": "flaky", "messages": [{"role": "user", "content": wanted.prompt()}], "stream": True}
    reply = requests.post(url + "/v1/chat/completions", json=body, headers=payer.headers, timeout=20)
    assert reply.status_code == 502 and reply.json()["error"]["code"] == "upstream_error"
    assert len(witness.requests_of(wanted.id)) == 3 and nano(payer.usage()["totals"]["cost_usd"]) == 0


def test_a_request_that_is_at_fault_is_sent_once(url, payer, witness, plan):
    for model in ("flaky", "chained"):
        wanted = plan(status=400)
        _, end = run(url, payer, wanted, model)
        assert end["type"] == "chat.error" and len(witness.requests_of(wanted.id)) == 1


def test_a_second_attempt_that_no_cap_allows_is_not_made(url, metered, make_tenant, witness, plan):
    """The first attempt's prompt is charged, and the rest does not hold another one."""
    tenant = make_tenant(metered)
    wanted = plan(tokens=20, fail_first=1, fail_status=0)
    tenant.cap(str(len(wanted.prompt()) + 16 + 16 + 4 + 10), unit="tokens")
    envelopes, end = run(url, tenant, wanted, "flaky")
    assert end["type"] == "chat.cut" and end["cut"]["unit"] == "tokens" and not answer(envelopes)
    assert len(witness.requests_of(wanted.id)) == 1

"""Mode H: the whole worst case is held before the upstream is called, so nothing can be overrun however the upstream bills."""

import concurrent.futures
import random

import pytest
import requests

from rig import modes
from rig.envelopes import answer, check_run, of_sse
from rig.server import INPUT_NANO, OUTPUT_NANO, dollars, nano
from rig.sse import collect
from rig.stores import Redis
from rig.waiting import wait_until
from rig.witness import text


@pytest.fixture(scope="module", params=["embedded", "redis"])
def metered(request, tmp_path_factory, witness):
    folder = tmp_path_factory.mktemp("modes")
    redis = Redis(folder) if request.param == "redis" else None
    installation = modes.installation(folder / "i", witness, redis.url if redis else "")
    installation.serve()
    yield installation
    installation.stop()
    if redis:
        redis.stop()


@pytest.fixture
def url(metered):
    return metered.servers[0].url


@pytest.fixture
def holder(metered, make_tenant):
    return make_tenant(metered)


def ask(url, tenant, model: str, wanted, **more) -> requests.Response:
    body = {"model": model, "messages": [{"role": "user", "content": wanted.prompt()}], **more}
    return requests.post(url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=60)


def test_all_of_it_is_held_while_it_streams_and_the_rest_is_given_back(url, holder, plan):
    holder.cap("1.00")
    wanted = plan(tokens=40, rate=8)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reply = pool.submit(ask, url, holder, "held", wanted, max_tokens=5000)

        def held() -> bool:
            (window,) = holder.installation.usage(holder.scope)["windows"]
            return nano(str(window["held"])) + nano(str(window["used"])) >= 5000 * OUTPUT_NANO

        wait_until("the worst case is held", held, 20)
        assert reply.result().json()["usage"]["completion_tokens"] == 40
    totals = holder.usage()["totals"]
    assert nano(totals["cost_usd"]) == 7 * INPUT_NANO + 40 * OUTPUT_NANO


def test_a_worst_case_that_does_not_fit_is_refused_before_the_upstream_sees_it(url, holder, witness, plan):
    """Complaint 4: admitted on what was left of the cap, and run uncut."""
    holder.cap(dollars(1000 * OUTPUT_NANO))
    wanted = plan(tokens=5)
    reply = ask(url, holder, "held", wanted, max_tokens=1000)
    assert reply.status_code == 402 and reply.json()["error"]["code"] == "budget_exceeded"
    assert reply.headers["x-should-retry"] == "false" and "does not fit" in reply.json()["error"]["message"]
    assert not witness.requests_of(wanted.id)
    assert holder.usage()["totals"]["requests"] == 0


@pytest.mark.parametrize("more", [{}, {"max_tokens": 4000, "lower_max_tokens": True}], ids=["no limit", "allowed"])
def test_only_a_limit_that_the_client_left_open_is_lowered_and_then_kept_by_the_upstream(url, holder, witness, plan, more):
    holder.cap(dollars(1500 * OUTPUT_NANO))
    wanted = plan(tokens=3000, keeps_limit=True)
    reply = ask(url, holder, "held", wanted, **more)
    asked = witness.request(wanted.id).body["max_tokens"]
    assert 16 <= asked < 1500 and reply.status_code == 200
    # The witness always says stop; what it was asked for is what it sent.
    assert reply.json()["usage"]["completion_tokens"] == asked and "x_cut" not in reply.json()


def test_hidden_tokens_of_many_runs_at_once_stay_within_the_cap(url, holder, witness, plan):
    """Nothing of what is billed is streamed, so slices would see it too late. metering.md §9, trap 10."""
    cap = 20 * 1000 * OUTPUT_NANO
    holder.cap(dollars(cap))
    plans = [plan(tokens=10, hidden=random.Random(i).randrange(100, 3000), keeps_limit=True, rate=100) for i in range(60)]
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        replies = list(pool.map(lambda wanted: ask(url, holder, "thinker", wanted, max_tokens=1000), plans))
    assert {reply.status_code for reply in replies} <= {200, 402} and any(reply.status_code == 200 for reply in replies)
    seen = [request for wanted in plans for request in witness.requests_of(wanted.id)]
    assert all(request.body["max_completion_tokens"] == 1000 and "max_tokens" not in request.body for request in seen)
    billed = sum(r.reported["prompt_tokens"] * INPUT_NANO + r.reported["completion_tokens"] * OUTPUT_NANO for r in seen)
    assert nano(holder.usage()["totals"]["cost_usd"]) == billed <= cap


def test_hidden_tokens_without_a_report_cost_the_whole_reservation(url, holder, plan):
    """Complaint 15: a missing usage refunded everything that had been reserved."""
    reply = ask(url, holder, "thinker", plan(tokens=10, usage=False), max_tokens=300)
    assert reply.status_code == 200
    assert holder.usage()["totals"]["output_tokens"] == 300


def test_an_upstream_that_reports_more_than_it_was_asked_for_is_not_paid_for_it(url, metered, holder, plan):
    holder.cap("1.00")
    before = metered.servers[0].metrics().get('kdcube_tokens_beyond_reservation_total{model="held"}', 0)
    reply = ask(url, holder, "held", plan(tokens=50, reports_more=10_000), max_tokens=50)
    assert reply.json()["usage"]["completion_tokens"] == 50 == holder.usage()["totals"]["output_tokens"]
    assert metered.servers[0].metrics()['kdcube_tokens_beyond_reservation_total{model="held"}'] == before + 10_000


def test_an_upstream_that_sends_more_than_it_was_asked_for_is_closed_at_the_limit(url, holder, witness, plan):
    wanted = plan(tokens=50_000, rate=500)
    envelopes = of_sse(collect(url, holder.key, {"text": wanted.prompt(), "model": "held", "max_tokens": 50}))
    end = check_run(envelopes)
    assert end["type"] == "chat.complete" and end["data"]["finish_reason"] == "length" and answer(envelopes) == text(50)
    assert holder.usage()["totals"]["output_tokens"] == 50
    wait_until("the upstream connection is closed", lambda: witness.request(wanted.id).closed)


def test_an_upstream_that_does_not_stream_is_asked_for_the_whole_answer(url, holder, witness, plan):
    wanted = plan(tokens=30)
    envelopes = of_sse(collect(url, holder.key, {"text": wanted.prompt(), "model": "whole", "max_tokens": 100}))
    assert check_run(envelopes)["type"] == "chat.complete" and answer(envelopes) == text(30)
    body = witness.request(wanted.id).body
    assert body["stream"] is False and "stream_options" not in body and body["max_tokens"] == 100
    assert holder.usage()["totals"]["output_tokens"] == 30


def test_reasoning_that_a_client_asks_for_is_reserved_and_counted(url, metered, holder, plan):
    name = 'kdcube_reservations_forced_total{reason="reasoning_requested",model="witness"}'
    before = metered.servers[0].metrics().get(name, 0)
    holder.cap("1.00")
    reply = ask(url, holder, "witness", plan(tokens=5, hidden=95), max_tokens=100, reasoning_effort="high")
    assert reply.json()["usage"]["completion_tokens"] == 100
    assert metered.servers[0].metrics()[name] == before + 1


def test_the_mode_of_each_model_is_told_and_an_override_is_in_the_log(url, metered, holder):
    listed = requests.get(url + "/v1/models", headers=holder.headers, timeout=10).json()["data"]
    told = {model["id"]: model["x_metering"] for model in listed}
    assert told["demo"] == {"mode": "stream", "forced_by": []} and told["held"] == {"mode": "reserve", "forced_by": []}
    assert told["thinker"] == {"mode": "reserve", "forced_by": ["hidden_reasoning"]}
    assert "thinker is metered by reservation and not by stream (hidden_reasoning)" in metered.servers[0].process.tail(400)


def noise(generator: random.Random) -> str:
    """What makes byte-pair vocabularies give up: scripts, symbols, control characters, digits, base64."""
    ranges = [(0x20, 0x7E), (0, 0x1F), (0xA0, 0x24F), (0x4E00, 0x9FFF), (0x1F300, 0x1FAFF), (0x10400, 0x1044F), (0xE000, 0xE0FF)]
    chosen = generator.sample(ranges, generator.randrange(1, 4))
    return "".join(chr(generator.randint(*generator.choice(chosen))) for _ in range(generator.randrange(400)))


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_of_a_prompt_is_above_what_real_vocabularies_make_of_it(url, holder, plan, seed):
    """The bound is what the first `chat.usage` shows; the witness counts the prompt that reached it with o200k and cl100k."""
    generator = random.Random(seed)
    wanted = plan(tokens=1, noise=noise(generator), encodings=["o200k_base", "cl100k_base"])
    envelopes = of_sse(collect(url, holder.key, {"text": wanted.prompt(), "system": noise(generator), "model": "steady"}))
    bound = next(e["usage"]["input_tokens"] for e in envelopes if e["type"] == "chat.usage")
    real = check_run(envelopes)["usage"]["input_tokens"]
    assert 10 < real <= bound, f"seed {seed}"

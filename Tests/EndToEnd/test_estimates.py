"""Runs of which the upstream reports no usage (complaint 15): charged, marked, and close to what it would have reported."""

import json

import pytest
import requests

from rig.envelopes import check_run, of_sse
from rig.server import Installation, nano
from rig.sse import collect
from rig.witness import Plan


@pytest.fixture
def fresh(tmp_path, witness, make_tenant):
    """A server that has learned nothing yet: what a model's upstream reports is remembered by the process."""
    installation = Installation(tmp_path / "own", upstream=witness.url)
    server = installation.serve()
    yield installation, server, make_tenant(installation)
    installation.stop()


def run(fresh, plan: Plan) -> dict:
    _, server, tenant = fresh
    end = check_run(of_sse(collect(server.url, tenant.key, {"text": plan.prompt(), "model": "witness"})))
    assert end["type"] == "chat.complete"
    return end


def charges(fresh, end: dict) -> list[dict]:
    installation, _, _ = fresh
    rows = map(json.loads, installation.command("export", "--format", "jsonl", "--run", end["run_id"]).splitlines())
    return [row for row in rows if row["is_charge"]]


def test_missing_usage_refunds_nothing_and_is_marked(fresh, plan):
    """Complaint 15: a missing usage refunded everything."""
    end = run(fresh, plan(tokens=100, usage=False))
    rows = charges(fresh, end)
    assert any(row["estimated"] for row in rows)
    assert sum(row["output_visible"] for row in rows) == 100 == end["usage"]["output_tokens"]
    told = run(fresh, plan(tokens=100))
    assert not any(row["estimated"] for row in charges(fresh, told))


def test_an_estimate_follows_what_the_upstream_has_reported(fresh, plan):
    """The witness says three tokens for each chunk that we count as one: after four such answers we count three as well."""
    assert run(fresh, plan(tokens=100, usage=False))["usage"]["output_tokens"] == 100
    for _ in range(4):
        exact = run(fresh, plan(tokens=100, tokens_per_chunk=3))
        assert exact["usage"]["output_tokens"] == 300, "what is reported is what is charged"
    learned = run(fresh, plan(tokens=100, usage=False))
    assert learned["usage"]["output_tokens"] == 300
    assert sum(row["output_visible"] for row in charges(fresh, learned)) == 300


def test_a_cap_holds_by_the_learned_count(fresh, plan):
    _, server, tenant = fresh
    for _ in range(4):
        run(fresh, plan(tokens=100, tokens_per_chunk=3))
    used = tenant.usage()["totals"]
    tokens = used["input_tokens"] + used["output_tokens"]
    tenant.cap(str(tokens + 600), unit="tokens")
    wanted = plan(tokens=5_000, rate=500, usage=False)
    end = check_run(of_sse(collect(server.url, tenant.key, {"text": wanted.prompt(), "model": "witness"})))
    assert end["type"] == "chat.cut"
    (window,) = tenant.usage()["windows"]
    assert tokens < window["used"] <= tokens + 600 and nano(end["cost_usd"]) > 0
    assert requests.get(server.url + "/v1/quota", headers=tenant.headers, timeout=10).json()["windows"][0]["held"] == 0

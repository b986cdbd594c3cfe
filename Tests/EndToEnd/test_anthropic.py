"""Anthropic's Messages API as a dialect: its SDK by base address alone, and the bytes that it does not show."""

import anthropic
import pytest
import requests

from rig.claude import READ_NANO, WEATHER, WRITE_NANO, ask, claude_client, claude_server, events_of, messages_upstream, sends, user
from rig.envelopes import tokens
from rig.ledger import charged_nano
from rig.server import INPUT_NANO, OUTPUT_NANO, nano
from rig.tools import call, prompt
from rig.waiting import wait_until
from rig.witness import text

upstream = pytest.fixture(scope="module")(messages_upstream)
installation = pytest.fixture(scope="module")(claude_server)
client = pytest.fixture(claude_client)


# The dialect, by its own SDK over the scripted model and both kinds of upstream.


def test_a_stream_brings_text_usage_and_a_stop_reason(client, tenant):
    with client.messages.stream(model="demo", max_tokens=100, messages=ask(40)) as stream:
        received = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert tokens(received) == 40 and message.content[0].text == received
    assert (message.type, message.role, message.model, message.stop_reason) == ("message", "assistant", "demo", "end_turn")
    assert message.id.startswith("msg_") and message.usage.output_tokens == 40
    totals = tenant.usage()["totals"]
    assert (totals["input_tokens"], totals["output_tokens"]) == (message.usage.input_tokens, 40)


def test_without_stream_the_whole_message_comes_at_once(client):
    message = client.messages.create(model="demo", max_tokens=100, messages=ask(33), system="Be kind.")
    assert tokens(message.content[0].text) == message.usage.output_tokens == 33 and message.stop_reason == "end_turn"
    assert message._request_id
    short = client.messages.create(model="demo", max_tokens=10, messages=ask(100))
    assert short.stop_reason == "max_tokens" and short.usage.output_tokens == 10


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "whole"])
def test_a_tool_of_the_clients_goes_there_and_back(client, upstream, plan, streams):
    wanted = plan(tokens=3, calls=[["get_weather", {"city": "Oslo"}]])
    messages = user(wanted.prompt())

    def turn():
        if not streams:
            return client.messages.create(model="claude", max_tokens=200, messages=messages, tools=[WEATHER])
        with client.messages.stream(model="claude", max_tokens=200, messages=messages, tools=[WEATHER]) as stream:
            return stream.get_final_message()

    first = turn()
    assert first.stop_reason == "tool_use" and [block.type for block in first.content] == ["text", "tool_use"]
    made = first.content[1]
    assert made.name == "get_weather" and made.input == {"city": "Oslo"}
    messages += [{"role": "assistant", "content": [block.model_dump() for block in first.content]}]
    result = {"type": "tool_result", "tool_use_id": made.id, "content": [{"type": "text", "text": "rain"}], "is_error": True}
    messages += [{"role": "user", "content": [result, {"type": "text", "text": wanted.prompt()}]}]
    second = turn()
    assert second.stop_reason == "end_turn" and second.content[0].text == text(3)
    sent = upstream.requests_of(wanted.id)[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"][1] == {"type": "tool_use", "id": made.id, "name": "get_weather", "input": {"city": "Oslo"}}
    assert sent[2]["content"][0] == {"type": "tool_result", "tool_use_id": made.id, "content": "rain", "is_error": True}


def test_a_tool_without_arguments_has_an_empty_object(client, plan):
    made = client.messages.create(
        model="claude", max_tokens=200, messages=user(plan(tokens=1, calls=[["now", {}]]).prompt()), tools=[WEATHER | {"name": "now"}]
    )
    assert made.content[1].input == {}


def test_the_servers_own_tools_are_called_in_between(client, installation, upstream, plan, make_tenant):
    asked = [{"role": "user", "content": prompt(call("crm.lookup", customer="C-1"), then=6)}]
    message = client.messages.create(model="demo", max_tokens=200, messages=asked, extra_body={"server_tools": ["crm.lookup"]})
    assert message.stop_reason == "end_turn" and [block.type for block in message.content] == ["text"]
    # The same by a model behind Anthropic's API, to which the name goes without its dot.
    wanted = plan(tokens=3, calls=[["crm-lookup", {"customer": "C-2"}]])
    with client.messages.stream(
        model="claude", max_tokens=200, messages=user(wanted.prompt()), extra_body={"server_tools": True}
    ) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "end_turn" and message.content[0].text == text(3) * 2
    rounds = upstream.requests_of(wanted.id)
    assert len(rounds) == 2 and rounds[0].body["tools"][0]["name"] == "crm-lookup"
    (result,) = rounds[1].body["messages"][-1]["content"]
    assert result["type"] == "tool_result" and "C-2" in result["content"]


def test_models_are_listed_and_found(client):
    ids = [model.id for model in client.models.list()]
    assert {"demo", "claude", "witness"} <= set(ids)
    assert client.models.retrieve("claude").display_name == "claude"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nonesuch")


def test_a_prompt_is_counted_without_being_charged(client, tenant):
    short = client.messages.count_tokens(model="claude", messages=user("Hello there"))
    long = client.messages.count_tokens(model="claude", messages=user("Hello there " * 50), tools=[WEATHER], system="x")
    assert 0 < short.input_tokens < long.input_tokens <= long.model_extra["x_input_tokens_max"]
    assert tenant.usage()["totals"]["requests"] == 0


# A cut.


@pytest.mark.parametrize("model", ["demo", "claude", "witness"])
def test_a_cut_raises_after_the_partial_text(client, tenant, installation, plan, model):
    """Delivered × price = charged = ledger ≤ cap, whatever is upstream."""
    content = ask(1000, 400) if model == "demo" else user(plan(tokens=5_000, rate=400).prompt())
    tenant.cap("0.0008")
    received, finish = "", None
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in client.messages.create(model=model, max_tokens=4_000, messages=content, stream=True):
            if event.type == "content_block_delta":
                received += event.delta.text
            if event.type == "message_delta":
                finish = event
    assert caught.value.body["error"]["code"] == "budget_exceeded" and caught.value.type == "billing_error"
    assert finish.delta.stop_reason == "max_tokens" and finish.model_extra["x_cut"]["reason"] == "budget_exceeded"
    totals = tenant.usage()["totals"]
    assert tokens(received) == totals["output_tokens"] == finish.usage.output_tokens > 0
    charged = totals["input_tokens"] * INPUT_NANO + totals["output_tokens"] * OUTPUT_NANO
    assert nano(totals["cost_usd"]) == charged == charged_nano(installation.folder / "data", tenant.org) <= nano("0.0008")


def test_the_cut_sequence_on_the_wire(server, tenant):
    tenant.cap("0.0002", window="day")
    body = {"model": "demo", "messages": ask(1000), "max_tokens": 2000, "stream": True}
    response = requests.post(server.url + "/v1/messages", json=body, headers={"x-api-key": tenant.key}, timeout=20)
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response)
    names = [name for name, _ in events]
    assert names[:3] == ["message_start", "ping", "content_block_start"] and all(name == data["type"] for name, data in events)
    assert names[-4:] == ["content_block_delta", "content_block_stop", "message_delta", "error"]
    _, finish = events[-2]
    fields = {"reason", "scope", "unit", "window", "limit", "used", "resets_at", "run_id", "decision_id"}
    assert finish["delta"]["stop_reason"] == "max_tokens" and fields <= set(finish["x_cut"])
    assert finish["usage"]["output_tokens"] == tenant.usage()["totals"]["output_tokens"]
    _, error = events[-1]
    assert error["error"]["type"] == "billing_error" and error["request_id"] == response.headers["x-request-id"]
    assert response.headers["request-id"] == response.headers["x-request-id"]


def test_a_key_may_have_a_cut_end_like_a_full_answer(server, installation, make_tenant):
    tenant = make_tenant(installation, "--on-cut", "finish")
    tenant.cap("0.0002")
    body = {"model": "demo", "messages": ask(1000), "max_tokens": 2000, "stream": True}
    events = events_of(requests.post(server.url + "/v1/messages", json=body, headers=tenant.headers, timeout=20))
    assert [name for name, _ in events[-2:]] == ["message_delta", "message_stop"] and "x_cut" in events[-2][1]


def test_a_whole_message_that_was_cut_says_so(client, tenant):
    tenant.cap("0.0002")
    message = client.messages.create(model="demo", max_tokens=2000, messages=ask(1000))
    assert message.stop_reason == "max_tokens" and message.model_extra["x_cut"]["reason"] == "budget_exceeded"
    assert tokens(message.content[0].text) == message.usage.output_tokens


def test_a_cut_closes_the_upstream_connection_and_charges_its_cache_by_class(client, tenant, upstream, plan):
    wanted = plan(tokens=50_000, rate=400, prompt_tokens=11, cache_read=100, cache_write=40)
    tenant.cap("0.0012")
    with pytest.raises(anthropic.APIStatusError):
        list(client.messages.create(model="claude", max_tokens=4_000, messages=user(wanted.prompt()), stream=True))
    request = upstream.request(wanted.id)
    wait_until("the upstream connection is closed", lambda: request.closed)
    totals = tenant.usage()["totals"]
    assert totals["input_tokens"] == 151 and 0 < totals["output_tokens"] <= request.sent
    known = 11 * INPUT_NANO + 100 * READ_NANO + 40 * WRITE_NANO
    assert nano(totals["cost_usd"]) == known + totals["output_tokens"] * OUTPUT_NANO <= nano("0.0012")


def test_a_client_that_leaves_ends_its_run(server, tenant, upstream, plan):
    wanted = plan(tokens=50_000, rate=200)
    body = {"model": "claude", "messages": user(wanted.prompt()), "max_tokens": 4_000, "stream": True}
    with requests.post(server.url + "/v1/messages", json=body, headers=tenant.headers, stream=True, timeout=20) as response:
        next(line for line in response.iter_lines() if b"text_delta" in line)
    request = upstream.request(wanted.id)
    wait_until("the upstream connection is closed", lambda: request.closed)
    assert 0 < tenant.usage()["totals"]["output_tokens"] <= request.sent


# Refusals.


def test_refusals_are_the_sdks_own_exceptions(client, server, tenant):
    with anthropic.Anthropic(base_url=server.url, api_key="kd-wrong") as stranger, pytest.raises(anthropic.AuthenticationError) as bad:
        stranger.messages.create(model="demo", max_tokens=5, messages=ask(3))
    assert bad.value.type == "authentication_error" and bad.value.body["request_id"] == bad.value.request_id
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(model="nonesuch", max_tokens=5, messages=ask(3))
    assert missing.value.body["error"]["code"] == "model_not_found" and missing.value.body["type"] == "error"
    with pytest.raises(anthropic.BadRequestError) as wrong:
        client.messages.create(model="demo", max_tokens=5, messages=[{"role": "user", "content": [{"type": "image", "source": {}}]}])
    assert wrong.value.body["error"]["param"] == "messages[0].content[0].type"
    bearer = anthropic.Anthropic(base_url=server.url, auth_token=tenant.key)
    assert bearer.messages.create(model="demo", max_tokens=5, messages=ask(3)).usage.output_tokens == 3
    bearer.close()


def test_a_spent_cap_is_402_before_the_stream_and_not_retried(client, tenant, monkeypatch):
    tenant.cap("0.000001")
    sent = sends(client, monkeypatch)
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model="demo", max_tokens=10, messages=ask(10), stream=True)
    assert caught.value.status_code == 402 and caught.value.type == "billing_error"
    assert caught.value.body["error"]["code"] == "budget_exceeded" and caught.value.response.headers["x-should-retry"] == "false"
    assert len(sent) == 1 and tenant.usage()["totals"]["output_tokens"] == 0


def test_a_request_window_is_429_with_the_time_to_wait(client, tenant):
    tenant.cap("1", unit="requests", window="day")
    direct = client.with_options(max_retries=0)
    first = direct.messages.with_raw_response.create(model="demo", max_tokens=5, messages=ask(3))
    assert first.headers["anthropic-ratelimit-requests-limit"] == "1" and first.headers["anthropic-ratelimit-requests-remaining"] == "0"
    with pytest.raises(anthropic.RateLimitError) as caught:
        direct.messages.create(model="demo", max_tokens=5, messages=ask(3))
    assert caught.value.body["error"]["code"] == "rate_limit_exceeded" and int(caught.value.response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"nonesuch": 1}, "nonesuch"),
        ({"speed": "fast"}, "speed"),
        ({"temperature": 2}, "temperature"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}, "system[0].cache_control.ttl"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "thinking.budget_tokens"),
        ({"service_tier": "priority"}, "service_tier"),
    ],
)
def test_what_cannot_be_done_is_400_and_names_the_field(server, tenant, change, param):
    body = {"model": "demo", "max_tokens": 5, "messages": ask(3)} | change
    response = requests.post(server.url + "/v1/messages", json=body, headers={"x-api-key": tenant.key}, timeout=10)
    assert response.status_code == 400 and response.json()["error"]["param"] == param, response.text
    assert response.json()["error"]["type"] == "invalid_request_error"

"""Anthropic's Messages API: its SDK by base address alone, the bytes that it does not show, and models behind the same API."""

import json

import anthropic
import openai
import pytest
import requests
import yaml

from rig.envelopes import answer, check_run, of_sse, tokens
from rig.ledger import charged_nano
from rig.messages import MessagesWitness
from rig.server import INPUT_NANO, OUTPUT_NANO, ROOT, Installation, nano
from rig.sse import collect
from rig.tools import call, prompt
from rig.waiting import wait_until
from rig.witness import text

#: A token that the upstream's cache gave, and one that it took, in nano-USD.
READ_NANO, WRITE_NANO = 100, 1_250

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module")
def upstream():
    witness = MessagesWitness()
    yield witness
    witness.stop()


@pytest.fixture(scope="module")
def installation(tmp_path_factory, witness, upstream):
    folder = tmp_path_factory.mktemp("anthropic")
    catalog = yaml.safe_load((ROOT / "scripts" / "demo" / "tools.yaml").read_text())
    lookup = [tool for tool in catalog["tools"] if tool["name"] == "crm.lookup"]
    (folder / "tools.yaml").write_text(yaml.safe_dump({"tools": lookup}))
    claude = {"provider": "anthropic", "base_url": upstream.url, "api_key": "sk-ant-secret", "prompt_overhead": 0}
    claude |= {"upstream_model": "claude-sonnet-4-5"}
    models = [claude | {"id": "claude"}, claude | {"id": "whole", "upstream_stream": False, "max_output_tokens": 500}]
    models += [
        claude | {"id": "chained", "upstream_model": "claude-opus-4-1", "fallback": ["witness"]},
        claude | {"id": "flaky", "retries": 2},
    ]
    installation = Installation(folder, upstream=witness.url, extra_models=models, tools={"file": str(folder / "tools.yaml")})
    prices = json.loads((folder / "prices.json").read_text())
    for price in prices.values():
        price |= {"cache_read_input_token_cost": READ_NANO / 1e9, "cache_creation_input_token_cost": WRITE_NANO / 1e9}
    (folder / "prices.json").write_text(json.dumps(prices))
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture
def client(server, tenant):
    client = anthropic.Anthropic(base_url=server.url, api_key=tenant.key, max_retries=2)
    yield client
    client.close()


def ask(count: int, rate: int = 0) -> list[dict]:
    return [{"role": "user", "content": f"Tell me something.\n@tokens {count}\n@rate {rate}"}]


def user(content: str) -> list[dict]:
    return [{"role": "user", "content": content}]


def sends(client, monkeypatch) -> list:
    """Records every request that the SDK sends, retries included."""
    sent = []
    send = client._client.send
    monkeypatch.setattr(client._client, "send", lambda request, **more: (sent.append(request), send(request, **more))[1])
    return sent


def events_of(response) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in response.text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


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


# Models behind the API.


def test_what_the_upstream_is_sent_and_what_is_charged(client, tenant, upstream, plan):
    wanted = plan(tokens=30, prompt_tokens=11, cache_read=1_000, cache_write=200)
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    message = client.messages.create(
        model="claude",
        max_tokens=100,
        messages=user(wanted.prompt()),
        system=system,
        stop_sequences=["END"],
        metadata={"user_id": "u-1"},
        tools=[WEATHER | {"cache_control": {"type": "ephemeral"}}],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        extra_body={"temperature": 0.5},
    )
    usage = message.usage
    assert message.content[0].text == text(30)
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.output_tokens) == (
        11,
        1000,
        200,
        30,
    )
    cost = 11 * INPUT_NANO + 1_000 * READ_NANO + 200 * WRITE_NANO + 30 * OUTPUT_NANO
    assert nano(tenant.usage()["totals"]["cost_usd"]) == cost
    request = upstream.request(wanted.id)
    assert request.headers["x-api-key"] == "sk-ant-secret" and request.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in request.headers
    body = request.body
    assert body["model"] == "claude-sonnet-4-5" and body["max_tokens"] == 100 and body["stream"] is True and body["system"] == system
    assert body["temperature"] == 0.5 and body["stop_sequences"] == ["END"] and body["metadata"] == {"user_id": "u-1"}
    assert body["tools"] == [WEATHER | {"cache_control": {"type": "ephemeral"}}]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_thinking_is_shown_and_reserved(client, tenant, upstream, plan):
    """It may be shown shorter than it is billed: all of the output is held before the call, and the bill is what is charged."""
    wanted = plan(tokens=40, thinking=10, hidden=500)
    asked = {"type": "enabled", "budget_tokens": 1_500}
    with client.messages.stream(model="claude", max_tokens=2_000, messages=user(wanted.prompt()), thinking=asked) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking == text(10) and message.usage.output_tokens == 540
    assert upstream.request(wanted.id).body["thinking"] == asked
    assert tenant.usage()["totals"]["output_tokens"] == 540
    assert message.content[0].signature == "c2lnbmVk"


def test_thinking_that_led_to_a_call_goes_back_to_its_author(client, upstream, plan):
    asked = {"type": "enabled", "budget_tokens": 1_500}
    wanted = plan(tokens=20, thinking=10, calls=[["get_weather", {"city": "Oslo"}]])
    first = client.messages.create(model="claude", max_tokens=2_000, messages=user(wanted.prompt()), tools=[WEATHER], thinking=asked)
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": first.content[2].id, "content": "rain"}
    history = [{"role": "assistant", "content": [block.model_dump() for block in first.content]}, {"role": "user", "content": [result]}]
    client.messages.create(model="claude", max_tokens=2_000, messages=user(wanted.prompt()) + history, tools=[WEATHER], thinking=asked)
    thought = {"type": "thinking", "thinking": text(10), "signature": "c2lnbmVk"}
    body = upstream.requests_of(wanted.id)[1].body
    assert body["thinking"] == asked and body["messages"][1]["content"][0] == thought
    # The same between two rounds of the server's own tools.
    wanted = plan(tokens=20, thinking=10, calls=[["crm-lookup", {"customer": "C-2"}]])
    extra = {"server_tools": True}
    client.messages.create(model="claude", max_tokens=2_000, messages=user(wanted.prompt()), thinking=asked, extra_body=extra)
    body = upstream.requests_of(wanted.id)[1].body
    assert body["thinking"] == asked and body["messages"][1]["content"][0] == thought
    # Without its thinking the call is answered by a model that does not think: the upstream refuses anything else.
    history[0]["content"] = history[0]["content"][1:]
    wanted = plan(tokens=3)
    history[1]["content"].append({"type": "text", "text": wanted.prompt()})
    client.messages.create(model="claude", max_tokens=2_000, messages=user("x") + history, tools=[WEATHER], thinking=asked)
    assert "thinking" not in upstream.request(wanted.id).body


def test_a_model_that_answers_as_a_whole(client, tenant, upstream, plan):
    wanted = plan(tokens=12)
    assert client.messages.create(model="whole", max_tokens=2_000, messages=user(wanted.prompt())).usage.output_tokens == 12
    body = upstream.request(wanted.id).body
    assert body["stream"] is False and body["max_tokens"] == 500


def test_openais_sdk_over_an_anthropic_upstream(server, tenant, upstream, plan):
    wanted = plan(tokens=20, calls=[["get_weather", {"city": "Oslo"}]], cache_read=50)
    function = {"name": "get_weather", "parameters": WEATHER["input_schema"]}
    messages = [{"role": "system", "content": "Be brief."}, *user(wanted.prompt())]
    with openai.OpenAI(base_url=server.url + "/v1", api_key=tenant.key) as client:
        answer = client.chat.completions.create(
            model="claude", messages=messages, tools=[{"type": "function", "function": function}], stop="END"
        )
        (made,) = answer.choices[0].message.tool_calls
        assert answer.choices[0].finish_reason == "tool_calls" and json.loads(made.function.arguments) == {"city": "Oslo"}
        assert (answer.usage.prompt_tokens, answer.usage.prompt_tokens_details.cached_tokens) == (57, 50)
        messages += [answer.choices[0].message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": made.id, "content": "rain"}]
        end = client.chat.completions.create(model="claude", messages=messages, stop="END")
    assert end.choices[0].message.content == text(20) and end.choices[0].finish_reason == "stop"
    sent = upstream.requests_of(wanted.id)[-1].body
    assert sent["system"] == "Be brief." and sent["stop_sequences"] == ["END"]
    assert sent["messages"][-1]["content"] == [{"type": "tool_result", "tool_use_id": made.id, "content": "rain"}]


def test_anthropics_sdk_over_an_openai_upstream(client, witness, plan):
    wanted = plan(tokens=20, prompt_tokens=9)
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    result = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}, {"type": "text", "text": wanted.prompt()}]
    made = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}
    messages = [*user("Weather?"), {"role": "assistant", "content": [made]}, {"role": "user", "content": result}]
    message = client.messages.create(
        model="witness",
        max_tokens=100,
        messages=messages,
        system=system,
        tools=[WEATHER],
        tool_choice={"type": "any"},
        stop_sequences=["E"],
    )
    assert message.content[0].text == text(20) and (message.usage.input_tokens, message.usage.output_tokens) == (9, 20)
    sent = witness.request(wanted.id).body
    assert sent["max_tokens"] == 100 and sent["tool_choice"] == "required" and sent["stop"] == ["E"]
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool", "user"]
    assert sent["messages"][0]["content"] == [{"type": "text", "text": "Be brief."}]
    assert sent["messages"][2]["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"city":"Oslo"}'}
    assert sent["tools"][0]["function"]["parameters"] == WEATHER["input_schema"] and "anthropic" not in json.dumps(sent)


# Faults of the upstream.


def test_an_overloaded_upstream_is_answered_by_the_fallback(client, tenant, witness, upstream, plan):
    wanted = plan(tokens=9, fail_model="claude-opus-4-1", fail_status=529)
    assert client.messages.create(model="chained", max_tokens=50, messages=user(wanted.prompt())).content[0].text == text(9)
    assert len(upstream.requests_of(wanted.id)) == len(witness.requests_of(wanted.id)) == 1
    assert tenant.usage()["totals"]["requests"] == 1


def test_an_error_before_the_first_token_is_answered_by_the_fallback_and_its_prompt_charged(client, tenant, witness, upstream, plan):
    wanted = plan(tokens=9, error_after=0, prompt_tokens=30)
    assert client.messages.create(model="chained", max_tokens=50, messages=user(wanted.prompt())).content[0].text == text(9)
    assert len(upstream.requests_of(wanted.id)) == len(witness.requests_of(wanted.id)) == 1
    totals = tenant.usage()["totals"]
    assert (totals["requests"], totals["input_tokens"], totals["output_tokens"]) == (1, 60, 9)


def test_a_rate_limit_of_the_upstream_is_waited_out(client, upstream, plan):
    wanted = plan(tokens=9, fail_first=1, fail_status=429, retry_after="1")
    client.messages.create(model="flaky", max_tokens=50, messages=user(wanted.prompt()))
    first, second = upstream.requests_of(wanted.id)
    assert second.started - first.started >= 0.9


def test_an_upstream_that_refuses_is_502_and_costs_nothing(client, tenant, plan):
    with pytest.raises(anthropic.InternalServerError) as caught:
        client.with_options(max_retries=0).messages.create(model="claude", max_tokens=50, messages=user(plan(status=529).prompt()))
    assert caught.value.status_code == 502 and caught.value.body["error"]["code"] == "upstream_error"
    assert nano(tenant.usage()["totals"]["cost_usd"]) == 0


@pytest.mark.parametrize("fault", [{"error_after": 20}, {"drop_after": 20}, {"bad_json_after": 20}], ids=lambda fault: next(iter(fault)))
def test_a_stream_that_breaks_raises_and_charges_what_was_delivered(client, tenant, plan, fault):
    wanted = plan(tokens=60, rate=100, prompt_tokens=123, **fault)
    received = ""
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in client.messages.create(model="claude", max_tokens=100, messages=user(wanted.prompt()), stream=True):
            received += event.delta.text if event.type == "content_block_delta" else ""
    assert caught.value.body["error"]["code"] == "upstream_error" and caught.value.type == "api_error"
    assert received == text(20)
    totals = tenant.usage()["totals"]
    assert (totals["input_tokens"], totals["output_tokens"]) == (123, 20)
    assert nano(totals["cost_usd"]) == 123 * INPUT_NANO + 20 * OUTPUT_NANO


def test_an_upstream_without_usage_is_charged_what_was_counted(server, tenant, plan):
    envelopes = of_sse(collect(server.url, tenant.key, {"text": plan(tokens=40, usage=False).prompt(), "model": "claude"}))
    end = check_run(envelopes)
    assert end["type"] == "chat.complete" and answer(envelopes) == text(40)
    assert end["usage"] == {"input_tokens": 7, "output_tokens": 40, "estimated": True}


def test_the_configuration_and_the_doctor_know_the_provider(installation, upstream):
    merged = installation.json("check-config")
    (claude,) = [model for model in merged["models"] if model["id"] == "claude"]
    assert claude["provider"] == "anthropic" and claude["api_key"] == "***" and claude["base_url"] == upstream.url

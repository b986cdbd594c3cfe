"""Models behind Anthropic's Messages API: what they are sent, what is charged, and how they fail."""

import json

import anthropic
import openai
import pytest

from rig.claude import READ_NANO, WEATHER, WRITE_NANO, claude_client, claude_server, messages_upstream, user
from rig.envelopes import answer, check_run, of_sse
from rig.server import INPUT_NANO, OUTPUT_NANO, nano
from rig.sse import collect
from rig.witness import text

upstream = pytest.fixture(scope="module")(messages_upstream)
installation = pytest.fixture(scope="module")(claude_server)
client = pytest.fixture(claude_client)


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

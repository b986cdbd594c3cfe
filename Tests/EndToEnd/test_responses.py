"""OpenAI's Responses API: its SDK, and the bytes of the stream that it does not show."""

import concurrent.futures
import json
import threading

import openai
import pydantic
import pytest
import requests
import yaml
from openai.types.responses import Response, ResponseStreamEvent

from rig.envelopes import tokens
from rig.ledger import charged_nano
from rig.messages import MessagesWitness
from rig.server import INPUT_NANO, OUTPUT_NANO, ROOT, Installation, nano
from rig.tools import call, prompt
from rig.waiting import wait_until
from rig.witness import text

# What the SDK's own types do not foresee shows as a warning of pydantic when an answer is written out again.
pytestmark = pytest.mark.filterwarnings("error::UserWarning")

#: An output token of the model that others fall back on, in nano-USD.
STEADY_NANO = 7_000

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a town.",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    "strict": False,
}


@pytest.fixture(scope="module")
def anthropic_upstream():
    witness = MessagesWitness()
    yield witness
    witness.stop()


@pytest.fixture(scope="module")
def installation(tmp_path_factory, witness, anthropic_upstream):
    folder = tmp_path_factory.mktemp("responses")
    catalog = yaml.safe_load((ROOT / "scripts" / "demo" / "tools.yaml").read_text())
    lookup = [tool for tool in catalog["tools"] if tool["name"] == "crm.lookup"]
    (folder / "tools.yaml").write_text(yaml.safe_dump({"tools": lookup}))
    upstream = {"provider": "openai", "base_url": witness.url, "api_key": "w", "prompt_overhead": 16}
    models = [upstream | {"id": "flaky", "retries": 2}, upstream | {"id": "chained", "fallback": ["steady"]}, upstream | {"id": "steady"}]
    models.append({"id": "claude", "provider": "anthropic", "base_url": anthropic_upstream.url, "api_key": "a", "prompt_overhead": 0})
    installation = Installation(folder, upstream=witness.url, extra_models=models, tools={"file": str(folder / "tools.yaml")})
    prices = json.loads((folder / "prices.json").read_text())
    prices["steady"] = prices["steady"] | {"output_cost_per_token": STEADY_NANO / 1e9}
    (folder / "prices.json").write_text(json.dumps(prices))
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture
def client(server, tenant):
    client = openai.OpenAI(base_url=server.url + "/v1", api_key=tenant.key, max_retries=2)
    yield client
    client.close()


def ask(count: int, rate: int = 0) -> str:
    return f"Tell me something.\n@tokens {count}\n@rate {rate}"


def wire(server, tenant, **body) -> list[dict]:
    """The events as they come, each of them what the SDK's types say; the order and the numbers are whole."""
    reply = requests.post(server.url + "/v1/responses", json={"stream": True} | body, headers=tenant.headers, timeout=30)
    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/event-stream"), reply.text
    events = []
    known = pydantic.TypeAdapter(ResponseStreamEvent)
    for event in reply.text.strip().split("\n\n"):
        name, data = event.split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == "event: " + events[-1]["type"]
        known.validate_python(events[-1])
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def check_charge(tenant, delivered: int, cap: str | None = None, dearer: int = 0) -> None:
    """Delivered, times the price, is what was charged, and what the ledger holds, and no more than the cap.

    `dearer` of the tokens came from the model that others fall back on."""
    totals = tenant.usage()["totals"]
    assert totals["output_tokens"] == delivered > 0
    price = (delivered - dearer) * OUTPUT_NANO + dearer * STEADY_NANO
    assert nano(totals["cost_usd"]) == totals["input_tokens"] * INPUT_NANO + price
    assert charged_nano(tenant.installation.folder / "data", tenant.org) == nano(totals["cost_usd"])
    if cap:
        assert nano(totals["cost_usd"]) <= nano(cap)


def test_a_stream_opens_grows_and_closes_a_message(client, tenant):
    events = list(client.responses.create(model="demo", input=ask(40), stream=True))
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[-4:] == ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    streamed = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    response = events[-1].response
    assert response.output_text == streamed and tokens(streamed) == response.usage.output_tokens == 40
    assert response.status == "completed" and response.id.startswith("resp_") and response.model == "demo"
    response.model_dump()
    check_charge(tenant, 40)


def test_without_stream_the_whole_response_comes_at_once(client, tenant):
    raw = client.responses.with_raw_response.create(
        model="demo", input=[{"role": "user", "content": ask(33)}], metadata={"a": "b"}, store=True
    )
    response = raw.parse()
    Response.model_validate(json.loads(raw.text))
    assert tokens(response.output_text) == response.usage.output_tokens == 33
    assert response.metadata == {"a": "b"} and response.model_extra["store"] is False
    assert raw.headers["x-run-id"].removeprefix("run_") == response.id.removeprefix("resp_")
    assert nano(raw.headers["x-cost-usd"]) == nano(tenant.usage()["totals"]["cost_usd"])


def test_a_limit_that_is_reached_is_incomplete(client):
    response = client.responses.create(model="demo", input=ask(100), max_output_tokens=20)
    assert response.status == "incomplete" and response.incomplete_details.reason == "max_output_tokens"
    assert tokens(response.output_text) == 20 and "x_cut" not in response.model_extra


def test_thinking_and_parameters_pass_between_client_and_upstream(server, client, tenant, witness, plan):
    wanted = plan(tokens=30, thinking=10, prompt_tokens=11)
    body = {"model": "witness", "input": wanted.prompt(), "instructions": "Be brief.", "temperature": 0.5, "tools": [WEATHER]}
    events = wire(server, tenant, **body, text={"format": {"type": "json_object"}}, reasoning={"effort": "low", "summary": "auto"})
    thought, said = events[-1]["response"]["output"]
    assert thought["type"] == "reasoning" and thought["summary"][0]["text"] + said["content"][0]["text"] == text(30)
    assert tokens(thought["summary"][0]["text"]) == 10
    assert sum(event["type"] == "response.reasoning_summary_text.delta" for event in events) > 0
    request = witness.request(wanted.id)
    assert request.body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert request.body["temperature"] == 0.5 and request.body["reasoning_effort"] == "low"
    assert request.body["response_format"] == {"type": "json_object"}
    assert request.body["tools"][0]["function"]["name"] == "weather" and "instructions" not in request.body
    # What came out may be sent back as it is.
    again = plan(tokens=5)
    client.responses.create(model="witness", input=[thought, said, {"role": "user", "content": again.prompt()}])
    assert [message["role"] for message in witness.request(again.id).body["messages"]] == ["assistant", "user"]


def test_a_function_call_goes_to_the_client_and_its_output_comes_back(server, client, tenant):
    question = {"role": "user", "content": "How is it?\n@rate 0\n" + call("weather", town="Kyiv")}
    with client.responses.stream(model="demo", input=[question], tools=[WEATHER]) as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert "response.function_call_arguments.delta" in kinds and "response.function_call_arguments.done" in kinds
    (asked,) = response.output
    assert asked.type == "function_call" and asked.name == "weather" and json.loads(asked.arguments) == {"town": "Kyiv"}
    asked.model_dump()
    answer = {"type": "function_call_output", "call_id": asked.call_id, "output": "sunny, 21 degrees"}
    final = client.responses.create(model="demo", input=[question, asked.to_dict(), answer], tools=[WEATHER])
    assert "sunny, 21 degrees" in final.output_text
    events = wire(server, tenant, model="demo", input=[question], tools=[WEATHER], tool_choice="auto")
    assert events[-1]["response"]["output"][0]["status"] == "completed"


def test_a_model_behind_anthropics_api_thinks_calls_and_goes_on(client, anthropic_upstream, plan):
    wanted = plan(tokens=20, thinking=8, calls=[["weather", {"town": "Oslo"}]])
    question = {"role": "user", "content": wanted.prompt()}
    options = {"model": "claude", "tools": [WEATHER], "max_output_tokens": 4_000, "instructions": "Be brief."}
    first = client.responses.create(input=[question], reasoning={"effort": "low"}, **options)
    assert [item.type for item in first.output] == ["reasoning", "message", "function_call"]
    thought, said, asked = first.output
    assert thought.summary[0].text + said.content[0].text == text(20) and json.loads(asked.arguments) == {"town": "Oslo"}
    answer = {"type": "function_call_output", "call_id": asked.call_id, "output": "rain"}
    items = [question, *(item.to_dict() for item in first.output), answer]
    # What the client sends back has no signature of the thinking, without which the upstream would refuse to go on thinking.
    last = client.responses.create(input=items, reasoning={"effort": "low"}, **options)
    assert last.output_text == text(20) and last.status == "completed"
    sent = anthropic_upstream.requests_of(wanted.id)[-1].body
    assert sent["system"] == "Be brief." and "thinking" not in sent
    assert sent["messages"][-1]["content"] == [{"type": "tool_result", "tool_use_id": asked.call_id, "content": "rain"}]


def test_the_tools_of_the_server_are_called_out_of_sight(client):
    text = prompt(call("crm.lookup", customer="C-3"), then=4)
    response = client.responses.create(model="demo", input=text, extra_body={"server_tools": ["crm.lookup"]})
    assert [item.type for item in response.output] == ["message"] and response.status == "completed"
    assert tokens(response.output_text) == 6
    denied = client.responses.create(
        model="demo", input=prompt(call("crm.drop")), extra_body={"server_tools": True, "on_deny": "feed_back"}
    )
    assert [item.type for item in denied.output] == ["message"]


def test_a_cut_raises_after_the_partial_text(client, tenant):
    """Complaint 35: an error in the stream that clients drop, and take what came for an answer."""
    tenant.cap("0.0002")
    received, last = "", None
    with pytest.raises(openai.APIError) as caught:
        for event in client.responses.create(model="demo", input=ask(1000), stream=True):
            received += event.delta if event.type == "response.output_text.delta" else ""
            last = event
    assert caught.value.code == "budget_exceeded"
    assert last.type == "response.incomplete" and last.response.output_text == received
    assert last.response.model_extra["x_cut"]["reason"] == "budget_exceeded"
    last.response.model_dump()
    check_charge(tenant, tokens(received), "0.0002")


def test_many_responses_at_one_cap_get_what_it_holds_and_no_more(client, tenant):
    tenant.cap("0.002")

    def delivered() -> int:
        received = ""
        try:
            for event in client.responses.create(model="demo", input=ask(1000), stream=True):
                received += event.delta if event.type == "response.output_text.delta" else ""
        except openai.APIError as error:
            assert error.code == "budget_exceeded"
        return tokens(received)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(lambda _: delivered(), range(8)))
    check_charge(tenant, total, "0.002")


def test_the_cut_sequence_on_the_wire(server, tenant, installation, make_tenant):
    tenant.cap("0.0002", window="day")
    *_, done, incomplete, error = wire(server, tenant, model="demo", input=ask(1000))
    assert done["type"] == "response.output_item.done" and done["item"]["status"] == "incomplete"
    details = incomplete["response"]["incomplete_details"]
    assert incomplete["type"] == "response.incomplete" and details["reason"] == "max_output_tokens" and details["code"] == "budget_exceeded"
    fields = {"reason", "scope", "unit", "window", "limit", "used", "resets_at", "run_id", "decision_id"}
    assert fields <= set(incomplete["response"]["x_cut"])
    assert error["type"] == "error" and error["code"] == error["error"]["code"] == "budget_exceeded"
    finishing = make_tenant(installation, "--on-cut", "finish")
    finishing.cap("0.0002")
    assert wire(server, finishing, model="demo", input=ask(1000))[-1]["type"] == "response.incomplete"


def test_a_response_that_was_cut_and_is_sent_whole_says_so(client, tenant):
    tenant.cap("0.0002")
    response = client.responses.create(model="demo", input=ask(1000))
    assert response.status == "incomplete" and response.model_extra["x_cut"]["reason"] == "budget_exceeded"
    check_charge(tenant, tokens(response.output_text), "0.0002")


def test_refusals_are_the_errors_that_the_sdk_knows(client, tenant, server):
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(model="nonesuch", input="hi")
    assert missing.value.code == "model_not_found"
    for asked in ({"previous_response_id": "resp_1"}, {"tools": [{"type": "web_search"}]}, {"background": True}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="demo", input="hi", **asked)
        assert refused.value.code == "invalid_request_error" and refused.value.param.startswith(next(iter(asked)))
    with openai.OpenAI(base_url=server.url + "/v1", api_key="kd-wrong") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.responses.create(model="demo", input="hi")
    tenant.cap("0.000001")
    with pytest.raises(openai.APIStatusError) as spent:
        client.responses.create(model="demo", input=ask(10), stream=True)
    assert spent.value.status_code == 402 and spent.value.code == "budget_exceeded"
    assert tenant.usage()["totals"]["output_tokens"] == 0


def test_a_full_window_is_429_with_the_time_to_wait(client, tenant):
    tenant.cap("1", unit="requests", window="day")
    direct = client.with_options(max_retries=0)
    direct.responses.create(model="demo", input=ask(3))
    with pytest.raises(openai.RateLimitError) as caught:
        direct.responses.create(model="demo", input=ask(3))
    assert caught.value.code == "rate_limit_exceeded" and int(caught.value.response.headers["retry-after"]) > 0


def test_each_attempt_has_a_lease_and_the_fallback_a_price(client, tenant, witness, plan):
    tenant.cap("1.00")
    repeated = plan(tokens=20, fail_first=2)
    assert client.responses.create(model="flaky", input=repeated.prompt()).output_text == text(20)
    assert len(witness.requests_of(repeated.id)) == 3
    check_charge(tenant, 20)
    replaced = plan(tokens=20, fail_model="chained")
    assert client.responses.create(model="chained", input=replaced.prompt(), stream=False).output_text == text(20)
    assert [request.body["model"] for request in witness.requests_of(replaced.id)] == ["chained", "steady"]
    check_charge(tenant, 40, dearer=20)


def test_an_upstream_that_fails_is_502_before_the_first_token_and_an_error_after_it(server, client, tenant, witness, plan):
    refused = plan(status=500)
    with pytest.raises(openai.APIStatusError) as caught:
        client.with_options(max_retries=0).responses.create(model="witness", input=refused.prompt(), stream=True)
    assert caught.value.status_code == 502 and caught.value.code == "upstream_error"
    assert nano(tenant.usage()["totals"]["cost_usd"]) == 0
    broken = plan(tokens=60, rate=200, reset_after=20)
    *_, failed, error = wire(server, tenant, model="witness", input=broken.prompt())
    assert failed["type"] == "response.failed" and failed["response"]["error"]["code"] == "server_error"
    assert error["code"] == "upstream_error"


def test_a_response_can_be_read_and_cancelled_by_its_own_user_alone(client, server, tenant, installation, make_tenant):
    seen, ended = threading.Event(), []

    def read() -> None:
        for event in client.responses.create(model="demo", input=ask(2000, rate=50), stream=True):
            ended.append(event)
            seen.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert seen.wait(20)
    name = ended[0].response.id
    other = make_tenant(installation)
    with openai.OpenAI(base_url=server.url + "/v1", api_key=other.key, max_retries=0) as stranger:
        for ask_for in (stranger.responses.retrieve, stranger.responses.cancel):
            with pytest.raises(openai.NotFoundError):
                ask_for(name)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_none")
    assert client.responses.retrieve(name).status == "in_progress"
    cancelled = client.responses.cancel(name)
    reader.join(20)
    assert cancelled.status == "cancelled" and ended[-1].type == "response.incomplete" and ended[-1].response.status == "cancelled"
    assert client.responses.retrieve(name).output_text == cancelled.output_text == ended[-1].response.output_text
    check_charge(tenant, tokens(cancelled.output_text))


def test_a_response_ends_with_its_client(server, tenant, witness, plan):
    """Complaints 10 and 14: read the answer, leave before the usage, pay nothing."""
    wanted = plan(tokens=50_000, rate=200)
    body = {"model": "witness", "input": wanted.prompt(), "stream": True}
    with requests.post(server.url + "/v1/responses", json=body, headers=tenant.headers, stream=True, timeout=30) as reply:
        next(reply.iter_content(4000))
    request = witness.request(wanted.id)
    wait_until("the upstream is closed", lambda: request.closed, 10)
    totals = tenant.usage()["totals"]
    assert 0 < totals["output_tokens"] <= request.sent

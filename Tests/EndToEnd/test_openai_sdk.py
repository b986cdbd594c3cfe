"""The openai SDK, and the bytes of the stream it does not show."""

import json

import openai
import pytest
import requests

from rig.envelopes import tokens
from rig.server import INPUT_NANO, OUTPUT_NANO, nano
from rig.witness import text


@pytest.fixture
def client(server, tenant):
    client = openai.OpenAI(base_url=server.url + "/v1", api_key=tenant.key, max_retries=2)
    yield client
    client.close()


def ask(count: int, rate: int = 0) -> list[dict]:
    return [{"role": "user", "content": f"Tell me something.\n@tokens {count}\n@rate {rate}"}]


def sends(client, monkeypatch) -> list:
    """Records every request that the SDK sends, retries included."""
    sent = []
    send = client._client.send
    monkeypatch.setattr(client._client, "send", lambda request, **more: (sent.append(request), send(request, **more))[1])
    return sent


def test_a_stream_brings_text_and_a_finish_reason(client, tenant):
    chunks = list(client.chat.completions.create(model="demo", messages=ask(40), stream=True))
    assert all(chunk.object == "chat.completion.chunk" and chunk.model == "demo" for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert tokens("".join(chunk.choices[0].delta.content or "" for chunk in chunks)) == 40
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert tenant.usage()["totals"]["output_tokens"] == 40


def test_include_usage_adds_one_chunk_without_choices(client):
    options = {"include_usage": True}
    *chunks, last = client.chat.completions.create(model="demo", messages=ask(25), stream=True, stream_options=options)
    assert last.choices == [] and last.usage.completion_tokens == 25
    assert last.usage.total_tokens == last.usage.prompt_tokens + 25
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_without_stream_the_whole_answer_comes_at_once(client):
    answer = client.chat.completions.create(model="demo", messages=ask(33))
    assert answer.object == "chat.completion" and answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.role == "assistant"
    assert tokens(answer.choices[0].message.content) == answer.usage.completion_tokens == 33


def test_max_tokens_ends_with_length(client):
    answer = client.chat.completions.create(model="demo", messages=ask(100), max_tokens=10)
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 10


def test_an_upstream_model_comes_through_unchanged(client, witness, plan):
    wanted = plan(tokens=30, prompt_tokens=11)
    answer = client.chat.completions.create(model="witness", messages=[{"role": "user", "content": wanted.prompt()}], temperature=0.5)
    assert answer.choices[0].message.content == text(30)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 30)
    request = witness.request(wanted.id)
    assert request.body["stream"] is True and request.body["stream_options"]["include_usage"] is True
    assert request.body["temperature"] == 0.5 and request.headers["authorization"] == "Bearer w"


def test_models_are_listed_and_found(client):
    ids = {model.id for model in client.models.list()}
    assert {"demo", "witness"} <= ids
    assert client.models.retrieve("demo").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nonesuch")


def test_a_cut_raises_after_the_partial_text(client, tenant):
    """Complaint 35: an error in the stream that clients drop, and take what came for an answer."""
    tenant.cap("0.0002")
    received = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model="demo", messages=ask(1000), stream=True):
            received += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    assert caught.value.code == "budget_exceeded"
    totals = tenant.usage()["totals"]
    assert tokens(received) == totals["output_tokens"] > 0
    assert nano(totals["cost_usd"]) == totals["input_tokens"] * INPUT_NANO + totals["output_tokens"] * OUTPUT_NANO


def test_the_cut_sequence_on_the_wire(server, tenant):
    """Complaint 35: the error is an unnamed event before [DONE], which SDKs raise; usage comes before it, or nobody would read it."""
    tenant.cap("0.0002", window="day")
    body = {"model": "demo", "messages": ask(1000), "stream": True, "stream_options": {"include_usage": True}}
    response = requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20)
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
    data = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    *content, finish, usage, error = [json.loads(item) for item in data]
    assert content[-1]["choices"][0]["delta"]["content"] and content[-1]["choices"][0]["finish_reason"] is None
    assert finish["choices"][0]["delta"] == {} and finish["choices"][0]["finish_reason"] == "length"
    fields = {"reason", "scope", "unit", "window", "limit", "used", "resets_at", "run_id", "decision_id"}
    assert fields <= set(finish["x_cut"]) and finish["x_cut"]["reason"] == "budget_exceeded"
    assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == tenant.usage()["totals"]["output_tokens"]
    assert error["error"]["code"] == "budget_exceeded"


def test_a_key_may_have_a_cut_end_like_a_full_answer(server, installation, make_tenant):
    tenant = make_tenant(installation, "--on-cut", "finish")
    tenant.cap("0.0002")
    with openai.OpenAI(base_url=server.url + "/v1", api_key=tenant.key) as client:
        chunks = list(client.chat.completions.create(model="demo", messages=ask(1000), stream=True))
    assert chunks[-1].choices[0].finish_reason == "length"
    assert chunks[-1].model_extra["x_cut"]["reason"] == "budget_exceeded"


def test_a_spent_cap_is_402_before_the_stream_and_not_retried(client, tenant, monkeypatch):
    tenant.cap("0.000001")
    sent = sends(client, monkeypatch)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="demo", messages=ask(10), stream=True)
    assert caught.value.status_code == 402 and caught.value.code == "budget_exceeded"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(sent) == 1
    assert tenant.usage()["totals"]["output_tokens"] == 0


def test_a_request_window_is_429_with_the_time_to_wait(client, tenant):
    tenant.cap("2", unit="requests", window="day")
    direct = client.with_options(max_retries=0)
    for _ in range(2):
        direct.chat.completions.create(model="demo", messages=ask(3))
    with pytest.raises(openai.RateLimitError) as caught:
        direct.chat.completions.create(model="demo", messages=ask(3))
    assert caught.value.code == "rate_limit_exceeded" and int(caught.value.response.headers["retry-after"]) > 0
    assert any(name.startswith("x-ratelimit-") for name in caught.value.response.headers)


def test_a_token_window_cuts_too(server, tenant):
    """Complaint 7: a limit that bound only the request after the one that broke it."""
    tenant.cap("100", unit="tokens", window="day")
    body = {"model": "demo", "messages": ask(1000), "stream": True}
    response = requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20)
    assert '"reason":"rate_limited"' in response.text.replace(" ", "")
    totals = tenant.usage()["totals"]
    assert totals["input_tokens"] + totals["output_tokens"] == 100


def test_an_unpriced_model_under_a_money_cap_is_refused(client, tenant, witness, plan):
    wanted = plan()
    tenant.cap("1.00")
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(model="unpriced", messages=[{"role": "user", "content": wanted.prompt()}])
    assert not [request for request in witness.requests if request.plan.id == wanted.id]


def test_a_bad_key_is_401_and_an_unknown_model_404(client, server):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nonesuch", messages=ask(3))
    assert missing.value.code == "model_not_found"
    with openai.OpenAI(base_url=server.url + "/v1", api_key="kd-wrong") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model="demo", messages=ask(3))

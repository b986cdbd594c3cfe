"""Many runs at once from one event loop, over every carrier; each reports what was delivered and what it was told it cost."""

import asyncio
import json
from dataclasses import dataclass

import aiohttp
import socketio

from . import envelopes as check
from . import sse

#: Runs that share one Socket.IO connection, as tabs of one person would.
RUNS_PER_CLIENT = 5


@dataclass
class Outcome:
    carrier: str
    end: str  # chat.cut, chat.complete, chat.error, or refused
    delivered: int = 0  # tokens counted in the text that arrived
    input_tokens: int = 0
    output_tokens: int = 0
    detail: object = None


async def over_events(session: aiohttp.ClientSession, url: str, key: str, text: str) -> Outcome:
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    async with session.post(url + "/v1/runs", json={"text": text, "model": "demo"}, headers=headers) as response:
        if response.status != 200:
            return Outcome("events", "refused", detail=(response.status, await response.text()))
        return _outcome("events", check.of_sse([event async for event in sse.events(response)]))


async def over_openai(session: aiohttp.ClientSession, url: str, key: str, text: str) -> Outcome:
    body = {"model": "demo", "messages": [{"role": "user", "content": text}], "stream": True}
    body["stream_options"] = {"include_usage": True}
    outcome, words = Outcome("openai", "chat.error"), []
    headers = {"authorization": f"Bearer {key}"}
    async with session.post(url + "/v1/chat/completions", json=body, headers=headers) as response:
        if response.status != 200:
            return Outcome("openai", "refused", detail=(response.status, await response.text()))
        async for event in sse.events(response):
            if event.data == "[DONE]":
                break
            chunk = event.json
            for choice in chunk.get("choices", []):
                words.append(choice["delta"].get("content") or "")
                if choice["finish_reason"]:
                    outcome.end = "chat.cut" if "x_cut" in chunk else "chat.complete"
            if usage := chunk.get("usage"):
                outcome.input_tokens, outcome.output_tokens = usage["prompt_tokens"], usage["completion_tokens"]
            outcome.detail = chunk.get("error", outcome.detail)
    outcome.delivered = check.tokens("".join(words))
    return outcome


async def over_socketio(url: str, key: str, text: str) -> list[Outcome]:
    client = socketio.AsyncClient(reconnection=False)
    runs: dict[str, list[dict]] = {}
    ended: asyncio.Queue = asyncio.Queue()

    async def receive(envelope: dict) -> None:
        runs.setdefault(envelope["run_id"], []).append(envelope)
        if envelope["type"].replace(".", "_") in sse.TERMINAL:
            ended.put_nowait(envelope["run_id"])

    for name in ("chat_start", "chat_step", "chat_delta", "chat_usage", *sse.TERMINAL):
        client.on(name, handler=receive)
    await client.connect(url, auth={"token": key}, transports=["websocket"], wait_timeout=30)
    asks = [client.call("chat_message", {"text": text, "model": "demo"}, timeout=60) for _ in range(RUNS_PER_CLIENT)]
    acks = await asyncio.gather(*asks)
    outcomes = [Outcome("socketio", "refused", detail=ack) for ack in acks if not ack["ok"]]
    for _ in range(len(acks) - len(outcomes)):
        await ended.get()
    await client.disconnect()
    return outcomes + [_outcome("socketio", run) for run in runs.values()]


def _outcome(carrier: str, run: list[dict]) -> Outcome:
    end = check.check_run(run)
    usage = end["usage"]
    delivered = check.tokens(check.answer(run))
    return Outcome(carrier, end["type"], delivered, usage["input_tokens"], usage["output_tokens"], end)


async def rush(urls: list[str], key: str, text: str, runs: int) -> list[Outcome]:
    """Starts `runs` runs at the same moment: half over events, a third over openai, the rest over Socket.IO."""
    clients = runs // 6 // RUNS_PER_CLIENT
    openai = runs // 3
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=200)) as session:
        jobs = [over_socketio(urls[i % len(urls)], key, text) for i in range(clients)]
        jobs += [over_openai(session, urls[i % len(urls)], key, text) for i in range(openai)]
        rest = runs - openai - clients * RUNS_PER_CLIENT
        jobs += [over_events(session, urls[i % len(urls)], key, text) for i in range(rest)]
        outcomes = []
        for result in await asyncio.gather(*jobs):
            outcomes += result if isinstance(result, list) else [result]
    return outcomes


def summary(outcomes: list[Outcome]) -> str:
    count: dict[str, int] = {}
    for outcome in outcomes:
        count[f"{outcome.carrier} {outcome.end}"] = count.get(f"{outcome.carrier} {outcome.end}", 0) + 1
    return json.dumps(count, sort_keys=True)

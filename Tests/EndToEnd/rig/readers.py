"""Clients that do not give up: each follows one run over SSE and comes back where its connection broke."""

import asyncio
from dataclasses import dataclass

import aiohttp

from . import envelopes as check
from . import sse


@dataclass
class Reading:
    """What one client saw of one run."""

    plan: str
    end: str = "nothing"  # chat.complete, chat.cut, chat.error, refused, or nothing
    run: str = ""
    delivered: int = 0
    charged: int = 0  # output tokens, as the terminal event says
    detail: object = None
    breaks: int = 0
    has_gap: bool = False  # the run's log was lost before all of it was read


async def follow(session: aiohttp.ClientSession, url: str, key: str, plan, patience: float = 200) -> Reading:
    reading, seen = Reading(plan.id), []
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    try:
        body = {"text": plan.prompt(), "model": "witness"}
        async with session.post(url + "/v1/runs", json=body, headers=headers) as response:
            if response.status != 200:
                reading.end, reading.detail = "refused", (response.status, await response.text())
                return reading
            reading.run = response.headers.get("x-kdcube-run", "")
            await _read(response, seen)
    except (aiohttp.ClientError, ConnectionError):
        reading.breaks += 1
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while not _is_over(seen) and loop.time() < deadline:
        reading.run = reading.run or (seen[0]["run_id"] if seen else "")
        if not reading.run:
            return reading
        await asyncio.sleep(0.2)
        try:
            position = {"last-event-id": f"{reading.run}:{seen[-1]['seq'] if seen else 0}"}
            async with session.get(f"{url}/v1/runs/{reading.run}/events", headers=headers | position) as response:
                assert response.status != 404, "a run is forgotten"
                if response.status == 200:
                    await _read(response, seen)
        except (aiohttp.ClientError, ConnectionError):
            reading.breaks += 1
    return _judge(reading, seen)


async def _read(response: aiohttp.ClientResponse, seen: list[dict]) -> None:
    async for event in sse.events(response):
        seen += check.of_sse([event])


def _is_over(seen: list[dict]) -> bool:
    return bool(seen) and seen[-1]["type"].replace(".", "_") in sse.TERMINAL


def _judge(reading: Reading, seen: list[dict]) -> Reading:
    reading.run = reading.run or (seen[0]["run_id"] if seen else "")
    reading.delivered = check.tokens(check.answer(seen))
    if _is_over(seen):
        end = check.check_run(seen)
        reading.end, reading.charged, reading.detail = end["type"], end["usage"]["output_tokens"], end
        reading.has_gap = any(envelope["type"] == "gap" for envelope in seen)
        if end["type"] == "chat.complete" and reading.has_gap:
            # The log of the run is lost, and its answer is not.
            reading.delivered = check.tokens(end["data"]["final_answer"])
    else:
        check.check_contiguous(seen)
    return reading


async def flood(jobs: list[tuple[str, str, object]]) -> list[Reading]:
    """Follows all of them at once: (address, key, plan)."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=20)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        return await asyncio.gather(*(follow(session, url, key, plan) for url, key, plan in jobs))

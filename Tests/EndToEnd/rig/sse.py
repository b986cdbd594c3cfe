"""Server-sent events: a parser, and runs over them with aiohttp."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import requests

T = TypeVar("T")

TERMINAL = {"chat_complete", "chat_cut", "chat_error"}


@dataclass
class Event:
    name: str = ""
    id: str = ""
    data: str = ""
    at: float = field(default_factory=time.time)

    @property
    def json(self) -> dict:
        return json.loads(self.data)


class Parser:
    """Feeds on bytes in any split; gives whole events. Comments are counted, not given."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, list[str]] = {}
        self.comments = 0

    def feed(self, data: bytes) -> list[Event]:
        *lines, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n")
        events = []
        for line in lines:
            text = line.decode()
            if text.startswith(":"):
                self.comments += 1
            elif text:
                name, _, value = text.partition(":")
                self._fields.setdefault(name, []).append(value.removeprefix(" "))
            elif self._fields:
                found = self._fields
                self._fields = {}
                last = {name: values[-1] for name, values in found.items()}
                events.append(Event(last.get("event", ""), last.get("id", ""), "\n".join(found.get("data", []))))
        return events


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    parser = Parser()
    async for chunk in response.content.iter_any():
        for event in parser.feed(chunk):
            yield event


async def run(session: aiohttp.ClientSession, url: str, key: str, body: dict) -> list[Event]:
    """Starts a run with `POST /v1/runs` and follows its stream to its end."""
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    async with session.post(url + "/v1/runs", json=body, headers=headers) as response:
        assert response.status == 200, f"{response.status}: {await response.text()}"
        return [event async for event in events(response)]


def stream(url: str, key: str) -> Iterator[Event]:
    """The events of an address as they come, until the stream ends. Leaving the loop closes the connection."""
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    with requests.get(url, headers=headers, stream=True, timeout=60) as response:
        assert response.status_code == 200, f"{response.status_code}: {response.text}"
        parser = Parser()
        for chunk in response.iter_content(None):
            yield from parser.feed(chunk)


def wait_for(job: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a thread of its own: the browser driver keeps a loop on the main one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, job).result()


def collect(url: str, key: str, body: dict) -> list[Event]:
    """A whole run over `POST /v1/runs`."""

    async def alone() -> list[Event]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            return await run(session, url, key, body)

    return wait_for(alone())

"""Clients that keep a number of streams alive while servers come and go: where one is refused it asks the next, and where one
has begun it stays until the end.

They come over event streams (some leave in the middle and come back with `Last-Event-ID`), Socket.IO (some come back with
`chat_resume`) and OpenAI's dialect.
"""

import asyncio
import contextlib
from dataclasses import dataclass

import aiohttp
import socketio

from . import envelopes as check
from . import sse

#: Streams that share one Socket.IO connection.
PER_SOCKET = 5
#: Events after which some clients leave.
LEAVES_AFTER = 4


@dataclass
class Trip:
    """One run as its client saw it."""

    carrier: str
    run: str
    server: int
    text: str = ""
    end: str = ""
    code: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: str = ""
    came_back: bool = False
    #: Came back when the server of the run was gone: the answer is in its conversation.
    conversation: str = ""

    def over(self, envelopes: list[dict]) -> "Trip":
        end = check.check_run(envelopes)
        self.text, self.end = check.answer(envelopes), end["type"]
        self.code = end.get("error", {}).get("code", "") or end.get("cut", {}).get("reason", "")
        self.input_tokens, self.output_tokens = end["usage"]["input_tokens"], end["usage"]["output_tokens"]
        self.cost_usd = end["cost_usd"]
        return self


@dataclass
class Passengers:
    urls: list[str]
    key: str
    #: The text of the n-th passenger's messages.
    message: object

    def __post_init__(self) -> None:
        self.trips: list[Trip] = []
        self.refusals: dict[str, int] = {}
        self.faults: list[str] = []
        self.live = 0
        self.is_over = False

    @property
    def headers(self) -> dict:
        return {"authorization": f"Bearer {self.key}"}

    async def ride(self, count: int) -> None:
        """Until `is_over`, and then until the last of them has arrived. A fault of one ends nothing: it is in `faults`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            sockets = count * 3 // 10 // PER_SOCKET
            completions = count * 3 // 10
            jobs = [self._keep(self._by_socket, session, n) for n in range(sockets)]
            jobs += [self._keep(self._by_completion, session, n) for n in range(completions)]
            jobs += [self._keep(self._by_events, session, n) for n in range(count - completions - sockets * PER_SOCKET)]
            await asyncio.gather(*jobs)

    async def _keep(self, ride, session, number: int) -> None:
        at = number
        while not self.is_over:
            try:
                at = await ride(session, number, at % len(self.urls))
            except (aiohttp.ClientError, ConnectionError, socketio.exceptions.ConnectionError, TimeoutError) as error:
                self._refused(type(error).__name__)
                at += 1
            except AssertionError as error:
                self.faults.append(f"{ride.__name__} {number}: {error}")
                return
            await asyncio.sleep(0.05)

    def _refused(self, why: str) -> None:
        self.refusals[why] = self.refusals.get(why, 0) + 1

    async def _begun(self, response: aiohttp.ClientResponse) -> bool:
        if response.status in (200, 202):
            return True
        error = (await response.json())["error"]
        self._refused(error["code"])
        assert response.status == 503 and "retry-after" in response.headers, (response.status, error)
        return False

    # MARK: Event streams

    async def _by_events(self, session: aiohttp.ClientSession, number: int, at: int) -> int:
        body = {"text": self.message(number), "model": "demo"}
        headers = self.headers | {"accept": "text/event-stream"}
        async with session.post(self.urls[at] + "/v1/runs", json=body, headers=headers) as response:
            if not await self._begun(response):
                return at + 1
            trip, seen = Trip("events", response.headers["x-run-id"], at), []
            self.live += 1
            leaves = number % 2 == 0
            async for event in sse.events(response):
                seen += check.of_sse([event])
                if leaves and len(seen) >= LEAVES_AFTER:
                    break
        try:
            if leaves and not _is_over(seen):
                await self._come_back(session, trip, seen)
            if not trip.conversation:
                trip.over(seen)
            self.trips.append(trip)
        finally:
            self.live -= 1
        return at

    async def _come_back(self, session: aiohttp.ClientSession, trip: Trip, seen: list[dict]) -> None:
        trip.came_back = True
        position = dict(self.headers)
        path = f"/v1/runs/{trip.run}/events"
        # At another server, which reads it from the one that has it; and at the next where that one is being replaced.
        for step in (1, 2, 0):
            position["last-event-id"] = f"{trip.run}:{seen[-1]['seq'] if seen else 0}"
            try:
                async with session.get(self.urls[(trip.server + step) % len(self.urls)] + path, headers=position) as response:
                    if response.status == 200:
                        async for event in sse.events(response):
                            seen += check.of_sse([event])
                        if _is_over(seen):
                            return
            except aiohttp.ClientError:
                pass
        trip.conversation = seen[0]["conversation"]["conversation_id"] if seen else "that of the answer"

    # MARK: OpenAI's dialect

    async def _by_completion(self, session: aiohttp.ClientSession, number: int, at: int) -> int:
        body = {"model": "demo", "stream": True, "stream_options": {"include_usage": True}}
        body["messages"] = [{"role": "user", "content": self.message(None)}]
        async with session.post(self.urls[at] + "/v1/chat/completions", json=body, headers=self.headers) as response:
            if not await self._begun(response):
                return at + 1
            trip = Trip("completions", response.headers["x-run-id"], at, end="nothing")
            self.live += 1
            try:
                async for event in sse.events(response):
                    if event.data == "[DONE]":
                        break
                    chunk = event.json
                    for choice in chunk.get("choices", []):
                        trip.text += choice["delta"].get("content") or ""
                        if choice["finish_reason"]:
                            trip.end = "chat.cut" if "x_cut" in chunk else "chat.complete"
                    if usage := chunk.get("usage"):
                        trip.input_tokens, trip.output_tokens = usage["prompt_tokens"], usage["completion_tokens"]
                    trip.code = chunk.get("error", {}).get("code", trip.code)
            except aiohttp.ClientError as error:
                raise AssertionError(f"a completion broke off at server {at}: {error!r}") from error
            finally:
                self.live -= 1
                self.trips.append(trip)
        return at

    # MARK: Socket.IO

    async def _by_socket(self, session: aiohttp.ClientSession, number: int, at: int) -> int:
        """A connection and its streams, until the server sends it away or refuses it."""
        line = _Line(self, at)
        await line.connect()
        try:
            results = await asyncio.gather(
                *(self._on_line(session, line, number * PER_SOCKET + n) for n in range(PER_SOCKET)), return_exceptions=True
            )
        finally:
            await line.close()
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return at + 1

    async def _on_line(self, session: aiohttp.ClientSession, line: "_Line", number: int) -> None:
        while not self.is_over and line.client.connected:
            told = await line.ask("chat_message", {"text": self.message(number), "model": "demo"})
            if not told["ok"]:
                return self._refused(told["error"]["code"])
            self.live += 1
            trip = Trip("socketio", told["run_id"], line.at)
            try:
                seen = await line.end(told["run_id"])
                if not _is_over(seen):
                    await self._come_back(session, trip, seen)
                    trip.conversation = trip.conversation and told["conversation_id"]
                if not trip.conversation:
                    trip.over(seen)
                self.trips.append(trip)
            finally:
                self.live -= 1


class _Line:
    """One Socket.IO connection; its events by run."""

    def __init__(self, passengers: Passengers, at: int):
        self.at = at
        self._url, self._key = passengers.urls[at], passengers.key
        self.client = socketio.AsyncClient(reconnection=False)
        self._runs: dict[str, list[dict]] = {}
        self._news = asyncio.Condition()
        self._gone = asyncio.Event()
        for name in ("chat_start", "chat_step", "chat_delta", "chat_usage", *sse.TERMINAL):
            self.client.on(name, handler=self._receive)
        self.client.on("disconnect", handler=self._left)

    async def connect(self) -> None:
        await self.client.connect(self._url, auth={"token": self._key}, transports=["websocket"], wait_timeout=10)

    async def _receive(self, envelope: dict) -> None:
        self._runs.setdefault(envelope["run_id"], []).append(envelope)
        if _is_over([envelope]):
            async with self._news:
                self._news.notify_all()

    async def ask(self, event: str, body: dict) -> dict:
        """The answer; what was on its way when the server sent its clients away has none, and is asked of another one."""
        call = asyncio.ensure_future(self.client.call(event, body, timeout=20))
        gone = asyncio.ensure_future(self._gone.wait())
        await asyncio.wait({call, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not call.done():
            call.cancel()
            raise ConnectionError("the connection ended")
        try:
            return call.result()
        except socketio.exceptions.BadNamespaceError as error:
            # The client leaves its namespace some turns before it says that the connection ended.
            raise ConnectionError("the connection ended") from error

    async def _left(self, *_) -> None:
        self._gone.set()
        async with self._news:
            self._news.notify_all()

    async def end(self, run: str) -> list[dict]:
        """All events of the run, or those that came before the server sent its clients away."""
        async with self._news:
            await self._news.wait_for(lambda: _is_over(self._runs.get(run, [])) or not self.client.connected)
            # The client hands events to tasks and tells of the end of the connection at once, before those it has read last.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait_for(lambda: _is_over(self._runs.get(run, []))), 3)
        return self._runs.pop(run, [])

    async def close(self) -> None:
        await self.client.disconnect()


def _is_over(seen: list[dict]) -> bool:
    return bool(seen) and seen[-1]["type"].replace(".", "_") in sse.TERMINAL

"""An OpenAI-compatible upstream that is a witness: it knows to the token what it sent and when its client hung up.

What it does with a request is written as JSON in the last user message (see `Plan`), so that tests that run at the same
time do not disturb each other. One token is one chunk; the text of token i is `TOKEN % i`: a space and a word, as tokens
of real models are.
"""

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field, fields

TOKEN = " w%05d"


def text(tokens: int) -> str:
    return "".join(TOKEN % i for i in range(tokens))


def count(encoding: str, messages: list[dict]) -> int:
    """Tokens of a prompt as OpenAI's cookbook counts them: 3 for a message, 3 for the answer's beginning."""
    import bpe_openai

    vocabulary = bpe_openai.get_encoding(encoding)
    return 3 + sum(3 + len(vocabulary.encode_ordinary(m["role"])) + len(vocabulary.encode_ordinary(m["content"])) for m in messages)


@dataclass
class Plan:
    id: str = ""
    tokens: int = 20
    rate: float = 0  # tokens a second; 0 = as fast as the client reads
    usage: bool = True
    prompt_tokens: int = 7
    tokens_per_chunk: int = 1  # what the usage says of each chunk: an upstream with another vocabulary than ours
    status: int = 200  # anything else is answered with an OpenAI error body instead of a stream
    stall_after: int | None = None  # keep the connection open and say nothing more
    drop_after: int | None = None  # close the connection in the middle of the stream, once all of it has been sent
    reset_after: int | None = None  # the same with a TCP reset, which may overtake what was sent before it
    bad_json_after: int | None = None
    error_after: int | None = None  # an error inside the stream (Anthropic's dialect)
    first_byte_delay: float = 0
    fail_first: int = 0  # so many requests of this id are refused with `fail_status`, or dropped before their first token (0)
    fail_status: int = 503
    fail_model: str = ""  # requests for this model are refused, all of them
    retry_after: str = ""  # the header of a refusal
    keeps_limit: bool = False  # send no more than the request's limit, hidden tokens included
    thinking: int = 0  # so many of the first tokens are reasoning that is shown
    hidden: int = 0  # tokens that are billed and not sent
    reports_more: int = 0  # tokens that the usage has beyond what was sent
    encodings: list = field(default_factory=list)  # count the prompt with these vocabularies, the most of them
    noise: str = ""  # more prompt
    calls: list = field(default_factory=list)  # [name, input] of the tools that are called (Anthropic's dialect)
    cache_read: int = 0  # prompt tokens beside the others that the cache gave, and took (Anthropic's dialect)
    cache_write: int = 0
    stop_reason: str = "end_turn"  # (Anthropic's dialect)
    says: str = ""  # a word that is said before the tokens
    stamp: bool = False  # a token is the wall-clock time at which it was sent, for measuring

    def prompt(self) -> str:
        plain = Plan()
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != getattr(plain, f.name)})


@dataclass
class Request:
    plan: Plan
    body: dict
    headers: dict
    sent: int = 0  # tokens written to the connection
    started: float = field(default_factory=time.time)
    finished: float | None = None  # the whole stream was written
    reported: dict | None = None  # the usage that was sent
    closed: float | None = None  # wall-clock time at which the client closed before it was finished


class Witness:
    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        threading.Thread(target=self._run, daemon=True, name="witness").start()
        self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def request(self, plan_id: str) -> Request:
        """The one request whose plan had this id."""
        found = [request for request in self.requests if request.plan.id == plan_id]
        assert len(found) == 1, f"{len(found)} upstream requests for {plan_id}, expected one"
        return found[0]

    def requests_of(self, plan_id: str) -> list[Request]:
        return [request for request in self.requests if request.plan.id == plan_id]

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
                if not await self._answer(body, headers, reader, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, body: dict, headers: dict, reader, writer) -> bool:
        """Answers one request; True when the connection may carry another."""
        # A message that brought knowledge has it quoted before the text.
        content = self._plan(body).rpartition("\nThe message:\n\n")[2]
        request = Request(Plan(**json.loads(content)), body, headers)
        self.requests.append(request)
        plan = request.plan
        fails = len(self.requests_of(plan.id)) <= plan.fail_first
        if fails and plan.fail_status == 0:
            plan.drop_after = 0
        elif fails or plan.status != 200 or body.get("model") == plan.fail_model:
            status = plan.status if plan.status != 200 else plan.fail_status
            error = json.dumps(self._refusal(status))
            head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {len(error)}\r\n"
            if plan.retry_after:
                head += f"retry-after: {plan.retry_after}\r\n"
            writer.write(f"{head}\r\n{error}".encode())
            return True
        if plan.keeps_limit:
            limit = body.get("max_completion_tokens", body.get("max_tokens", 10**9))
            plan.hidden = min(plan.hidden, limit)
            plan.tokens = min(plan.tokens, limit - plan.hidden)
        if not body["stream"]:
            return await self._whole(request, reader, writer)
        hung_up = asyncio.create_task(self._watch(request, reader))
        stream = asyncio.create_task(self._stream(request, writer))
        await asyncio.wait({hung_up, stream}, return_when=asyncio.FIRST_COMPLETED)
        for task in (hung_up, stream):
            task.cancel()
        await asyncio.gather(hung_up, stream, return_exceptions=True)
        return request.finished is not None and request.closed is None

    def _plan(self, body: dict) -> str:
        users = [message["content"] for message in body["messages"] if message["role"] == "user"]
        return users[-1] if isinstance(users[-1], str) else users[-1][0]["text"]

    def _refusal(self, status: int) -> dict:
        return {"error": {"message": "the witness refuses", "type": "server_error", "code": "refused"}}

    async def _watch(self, request: Request, reader: asyncio.StreamReader) -> None:
        try:
            # One byte at most can be read here that belongs to a next request: clients do not pipeline.
            await reader.read(1)
        except ConnectionError:
            pass
        if request.finished is None:
            request.closed = time.time()

    async def _stream(self, request: Request, writer: asyncio.StreamWriter) -> None:
        plan = request.plan
        await asyncio.sleep(plan.first_byte_delay)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        started = time.monotonic()
        if plan.says:
            self._chunk(writer, {"delta": {"content": plan.says}, "finish_reason": None})
        for index in range(plan.tokens):
            if index == plan.drop_after:
                writer.close()
                return
            if index == plan.reset_after:
                await writer.drain()
                writer.transport.abort()
                return
            if index == plan.stall_after:
                await writer.drain()
                await asyncio.sleep(3600)
            if index == plan.bad_json_after:
                self._event(writer, '{"choices":[{"delta":')
            if plan.rate and (wait := started + index / plan.rate - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            elif index % 16 == 0:
                await asyncio.sleep(0)
            token = f" {time.time():.6f}" if plan.stamp else TOKEN % index
            part = "reasoning_content" if index < plan.thinking else "content"
            self._chunk(writer, {"delta": {part: token}, "finish_reason": None})
            request.sent = index + 1
            await writer.drain()
        self._chunk(writer, {"delta": {}, "finish_reason": "stop"})
        if plan.usage:
            counts = self._usage(request)
            self._event(writer, json.dumps({"object": "chat.completion.chunk", "choices": [], "usage": counts}))
        self._event(writer, "[DONE]")
        request.finished = time.time()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _usage(self, request: Request) -> dict:
        plan = request.plan
        prompt = max((count(name, request.body["messages"]) for name in plan.encodings), default=plan.prompt_tokens)
        counts = {"prompt_tokens": prompt, "completion_tokens": plan.tokens * plan.tokens_per_chunk + plan.hidden + plan.reports_more}
        counts["total_tokens"] = sum(counts.values())
        if plan.hidden:
            counts["completion_tokens_details"] = {"reasoning_tokens": plan.hidden}
        request.reported = counts
        return counts

    async def _whole(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """The answer as one object, for a client that does not stream."""
        hung_up = asyncio.create_task(self._watch(request, reader))
        await asyncio.wait({hung_up}, timeout=request.plan.first_byte_delay)
        if request.closed is not None:
            return False
        hung_up.cancel()
        await asyncio.gather(hung_up, return_exceptions=True)
        message = {"role": "assistant", "content": text(request.plan.tokens)}
        answer = {"id": "w", "object": "chat.completion", "created": 1, "model": "witness", "usage": self._usage(request)}
        answer["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
        data = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        request.sent, request.finished = request.plan.tokens, time.time()
        return True

    def _chunk(self, writer: asyncio.StreamWriter, choice: dict) -> None:
        chunk = {"id": "w", "object": "chat.completion.chunk", "created": 1, "model": "witness"}
        self._event(writer, json.dumps({**chunk, "choices": [{"index": 0, **choice}]}))

    def _event(self, writer: asyncio.StreamWriter, data: str) -> None:
        payload = f"data: {data}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(payload), payload))

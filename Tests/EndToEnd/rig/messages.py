"""The witness in Anthropic's dialect: `POST /v1/messages`, streamed and whole.

What it does is the same `Plan` in the last text of the user; one token is one delta.
"""

import asyncio
import json
import time

from .witness import TOKEN, Request, Witness, text


class MessagesWitness(Witness):
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _plan(self, body: dict) -> str:
        texts = []
        for message in body["messages"]:
            if message["role"] == "user":
                blocks = message["content"]
                texts += [blocks] if isinstance(blocks, str) else [block["text"] for block in blocks if block["type"] == "text"]
        return texts[-1]

    def _refusal(self, status: int) -> dict:
        kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": "the witness refuses"}, "request_id": "req_w"}

    async def _stream(self, request: Request, writer: asyncio.StreamWriter) -> None:
        plan = request.plan
        await asyncio.sleep(plan.first_byte_delay)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        usage = self._input(request) | {"output_tokens": 1}
        message = {"id": "msg_w", "type": "message", "role": "assistant", "model": "witness", "content": [], "usage": usage}
        self._named(writer, "message_start", message=message | {"stop_reason": None, "stop_sequence": None})
        self._named(writer, "ping")
        index = 0
        if self._thinks(request):
            self._named(writer, "content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""})
            if not await self._tokens(request, writer, 0, range(plan.thinking)):
                return
            self._delta(writer, 0, "signature_delta", signature="c2lnbmVk")
            self._named(writer, "content_block_stop", index=0)
            index = 1
        self._named(writer, "content_block_start", index=index, content_block={"type": "text", "text": ""})
        if not await self._tokens(request, writer, index, range(request.sent, plan.tokens)):
            return
        self._named(writer, "content_block_stop", index=index)
        calls = self._calls(request)
        for number, (name, arguments) in enumerate(calls, index + 1):
            block = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {}}
            self._named(writer, "content_block_start", index=number, content_block=block)
            self._delta(writer, number, "input_json_delta", partial_json="")
            if arguments:
                data = json.dumps(arguments)
                for piece in (data[:3], data[3:]):
                    self._delta(writer, number, "input_json_delta", partial_json=piece)
            self._named(writer, "content_block_stop", index=number)
        usage = self._usage(request) if plan.usage else {}
        delta = {"stop_reason": "tool_use" if calls else plan.stop_reason, "stop_sequence": None}
        self._named(writer, "message_delta", delta=delta, usage={"output_tokens": usage.get("output_tokens")})
        self._named(writer, "message_stop")
        request.finished = time.time()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _thinks(self, request: Request) -> bool:
        return bool(request.plan.thinking) and "thinking" in request.body

    async def _tokens(self, request: Request, writer: asyncio.StreamWriter, block: int, numbers: range) -> bool:
        """False when the stream ends in the middle."""
        plan, started = request.plan, time.monotonic()
        for index in numbers:
            if index == plan.drop_after:
                writer.close()
                return False
            if index == plan.bad_json_after:
                self._event(writer, '{"type":"content_block_delta","index":')
            if index == plan.error_after:
                error = {"type": "overloaded_error", "message": "Overloaded"}
                self._named(writer, "error", error=error)
                await writer.drain()
                return False
            if plan.rate and (wait := started + index / plan.rate - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            elif index % 16 == 0:
                await asyncio.sleep(0)
            if index < plan.thinking and self._thinks(request):
                self._delta(writer, block, "thinking_delta", thinking=TOKEN % index)
            else:
                self._delta(writer, block, "text_delta", text=TOKEN % index)
            request.sent = index + 1
            await writer.drain()
        return True

    def _calls(self, request: Request) -> list:
        """Calls are made once: whoever brings results gets an answer."""
        last = request.body["messages"][-1]["content"]
        answered = not isinstance(last, str) and any(block["type"] == "tool_result" for block in last)
        return [] if answered else request.plan.calls

    def _input(self, request: Request) -> dict:
        plan = request.plan
        cache = {"cache_creation_input_tokens": plan.cache_write, "cache_read_input_tokens": plan.cache_read}
        return {"input_tokens": plan.prompt_tokens} | cache

    def _usage(self, request: Request) -> dict:
        plan = request.plan
        output = plan.tokens * plan.tokens_per_chunk + plan.hidden + plan.reports_more
        request.reported = self._input(request) | {"output_tokens": output}
        return request.reported

    async def _whole(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        calls = self._calls(request)
        blocks = [{"type": "text", "text": text(request.plan.tokens)}]
        blocks += [{"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": given} for i, (name, given) in enumerate(calls)]
        answer = {"id": "msg_w", "type": "message", "role": "assistant", "model": "witness", "content": blocks}
        answer |= {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None, "usage": self._usage(request)}
        data = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        request.sent, request.finished = request.plan.tokens, time.time()
        return True

    def _delta(self, writer: asyncio.StreamWriter, index: int, kind: str, **members) -> None:
        self._named(writer, "content_block_delta", index=index, delta={"type": kind} | members)

    def _named(self, writer: asyncio.StreamWriter, kind: str, **members) -> None:
        payload = f"event: {kind}\ndata: {json.dumps({'type': kind} | members)}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(payload), payload))

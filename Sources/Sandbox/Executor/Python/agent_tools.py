"""Tools for the code of an agent.

    from agent_tools import tools, inputs, progress, ToolDenied

    refund = tools.payments.refund(order_id="A1", amount="20.00")
    tools.call("mail.send", {"draft_id": "D1"}, idempotency_key="D1")

A call blocks until its answer has come; threads may call in parallel, up to 16 at once. `list(tools)` names the tools that
are offered. Amounts of money are strings ("20.00"): numbers with more than 15 digits are refused.
This module is a convenience and no boundary: what a call may do is decided outside, for every call.
"""

import json
import os
import re
import sys
import threading
from _queue import SimpleQueue

__all__ = ["ApprovalPending", "ToolDenied", "ToolError", "emit", "inputs", "progress", "tools"]

# The channel's limits, with room for what stands around a value. Beyond them the sandbox would be killed.
_FRAME_BYTES = (1 << 20) - 256
_DEPTH = 28
_VALUES = 9_900
_KEY_BYTES = 128
_TEXT = 150_000
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}", re.ASCII)

inputs = {}


class ToolError(Exception):
    """A call that failed: `code`, `message`, and `retry_after` in seconds or None."""

    def __init__(self, code, message="", retry_after=None):
        super().__init__(f"{code}: {message}" if message else code)
        self.code, self.message, self.retry_after = code, message, retry_after


class ToolDenied(Exception):
    """A call that was not allowed: `code`, the `rule` that said so or None, `message`, and `retry_after` or None."""

    def __init__(self, code, rule=None, message="", retry_after=None):
        super().__init__(f"{code}: {message}" + (f" (rule {rule})" if rule else ""))
        self.code, self.rule, self.message, self.retry_after = code, rule, message, retry_after


class ApprovalPending(Exception):
    """A call with `wait=False` that waits for people: `approval_id`, and `expires` in milliseconds of Unix time."""

    def __init__(self, approval_id, expires=None):
        super().__init__(f"waits for approval {approval_id}")
        self.approval_id, self.expires = approval_id, expires


class _Channel:
    """Frames over one descriptor: a lock for those who write, and a thread that does nothing but read."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.lock = threading.Lock()
        self.last_id = 0
        self.waiting = {}
        self.runs = SimpleQueue()
        self.broken = None

    def start(self):
        threading.Thread(target=self._read_on, name="agent_tools", daemon=True).start()

    def _write(self, body):
        view = memoryview(len(body).to_bytes(4, "big") + body)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def send(self, frame, last=False):
        """`last` keeps the lock, so that no other thread writes afterwards."""
        body = _encoded(frame)
        self.lock.acquire()
        try:
            self._write(body)
        except OSError as error:
            raise ToolError("channel_closed", str(error)) from None
        finally:
            if not last:
                self.lock.release()

    def call(self, tool, arguments, key):
        """Sends a call and returns the queue that its answers come through."""
        frame = {"tool": tool, "args": arguments}
        if key is not None:
            frame["idem"] = key
        body = _encoded(frame)[1:]
        answers = SimpleQueue()
        with self.lock:
            # Read under the lock: either the reader's end finds this call, or this call finds the reader's end.
            if self.broken is not None:
                raise ToolError("channel_closed", self.broken)
            self.last_id += 1
            number = self.last_id
            self.waiting[number] = answers
            try:
                self._write(b'{"type":"call","id":%d,' % number + body)
            except OSError as error:
                del self.waiting[number]
                raise ToolError("channel_closed", str(error)) from None
        return answers

    def _read(self, count):
        data = bytearray()
        while len(data) < count:
            part = os.read(self.descriptor, min(count - len(data), 1 << 16))
            if not part:
                raise EOFError("the channel has ended")
            data += part
        return data

    def _read_on(self):
        reason = "the channel has ended"
        try:
            while True:
                frame = json.loads(self._read(int.from_bytes(self._read(4), "big")))
                kind = frame.get("type")
                if kind == "run":
                    self.runs.put(frame)
                    continue
                answers = self.waiting.get(frame.get("id"))
                if kind != "pending":
                    self.waiting.pop(frame.get("id"), None)
                if answers is not None:
                    answers.put(frame)
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
        finally:
            with self.lock:
                self.broken = reason
                waiting, self.waiting = self.waiting, {}
            for answers in waiting.values():
                answers.put({"type": "error", "code": "channel_closed", "message": reason})
            self.runs.put(None)


def _depth(value, left):
    if left < 0:
        raise ValueError(f"lists and dicts nest deeper than {_DEPTH}")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        _depth(part, left - 1)


def _as_text(value):
    # Whoever has a decimal has imported it.
    if "decimal" in sys.modules and isinstance(value, sys.modules["decimal"].Decimal):
        return str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} is no JSON value")


def _encoded(frame):
    try:
        _depth(frame, _DEPTH + 1)
        text = json.dumps(frame, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_text)
        body = text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError("bad_args", str(error)) from None
    if len(body) > _FRAME_BYTES:
        raise ToolError("bad_args", f"{len(body)} bytes of JSON; at most {_FRAME_BYTES} fit")
    return body


def _plain(value, left, budget):
    """`value` as JSON within the channel's limits; ValueError where that would say something else."""
    budget[0] -= 1
    if left < 0 or budget[0] < 0:
        raise ValueError("too deep or too many values")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 63 else str(int(value))
    if isinstance(value, float):
        if value == 0:
            return 0.0
        # 15 digits are what every reader keeps; not-a-number and the immense are text.
        return float(f"{value:.15g}") if 1e-300 < abs(value) < 9e18 else repr(float(value))
    if isinstance(value, (list, tuple)):
        return [_plain(part, left - 1, budget) for part in value]
    if isinstance(value, dict):
        plain = {_plain(str(key), left, budget): _plain(part, left - 1, budget) for key, part in value.items()}
        if len(plain) < len(value) or any(len(key.encode()) > _KEY_BYTES for key in plain):
            raise ValueError("keys are alike or too long")
        return plain
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), left - 1, budget)
    return _as_text(value)


def _portable(value):
    """`value` if it is JSON that fits a frame, otherwise its `repr`, cut to a length that fits."""
    try:
        plain = _plain(value, _DEPTH, [_VALUES])
        _encoded({"value": plain})
        return plain
    except Exception:
        pass
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    if len(text) > _TEXT:
        text = f"{text[:_TEXT]}… ({len(text)} characters)"
    return _plain(text, 0, [1])


def emit(stream, data):
    """Shows `data` (text, or anything that is JSON) to whoever watches the run. `stream` is `[a-z][a-z0-9_.]{0,63}`."""
    if not _NAME.fullmatch(stream):
        raise ValueError(f"no name of a stream: {stream!r}")
    _channel.send({"type": "emit", "stream": stream, "data": _portable(data)})


def progress(text, done=None, total=None):
    """Shows how far the code is."""
    numbers = {"done": done, "total": total}
    emit("progress", {"text": str(text), **{name: number for name, number in numbers.items() if number is not None}})


class _Tool:
    """A name on its way to a call: `tools.payments` and then `.refund(…)`."""

    __slots__ = ("_name",)

    def __init__(self, name):
        self._name = name

    def __getattr__(self, part):
        if part.startswith("_"):
            raise AttributeError(part)
        return _Tool(f"{self._name}.{part}")

    def __call__(self, /, *positional, **arguments):
        if positional:
            raise TypeError(f"arguments of {self._name} must be named")
        return tools.call(self._name, arguments)

    def __repr__(self):
        return f"<tool {self._name}>"


class _Tools:
    names = ()

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return _Tool(name)

    def __iter__(self):
        return iter(self.names)

    def __repr__(self):
        return f"<tools {', '.join(self.names)}>"

    def call(self, name, arguments=None, *, idempotency_key=None, wait=True):
        """Calls a tool by its name. With `wait=False` a call that needs approval raises ApprovalPending at once."""
        if not isinstance(name, str) or not isinstance(idempotency_key, (str, type(None))):
            raise TypeError("names and idempotency keys are text")
        answers = _channel.call(name, dict(arguments or {}), idempotency_key)
        while True:
            frame = answers.get()
            kind = frame["type"]
            if kind == "return":
                return frame.get("value")
            if kind == "pending":
                if not wait:
                    raise ApprovalPending(frame.get("approval_id"), frame.get("expires"))
                continue
            if kind == "cancel":
                raise ToolError("cancelled", "the call was cancelled")
            code, message, retry = frame.get("code", "error"), frame.get("message", ""), frame.get("retry_after")
            if frame.get("denied"):
                raise ToolDenied(code, frame.get("rule"), message, retry)
            raise ToolError(code, message, retry)


tools = _Tools()
_channel = _Channel(3)

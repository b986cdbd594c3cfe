"""A run over Socket.IO, with the client of python-socketio."""

import queue
import threading
import time

import engineio.payload
import socketio

from .sse import TERMINAL

# Over polling this client gives up at 16 packets in one response; a stream brings more.
engineio.payload.Payload.max_decode_packets = 10_000

_OTHERS = (
    "session_info",
    "chat_start",
    "chat_step",
    "chat_delta",
    "chat_usage",
    "chat_approval",
    "chat_service",
    "conv_status",
    "pong",
    "gap",
)
EVENTS = (*_OTHERS, *sorted(TERMINAL))


class Client:
    """Keeps every event it was sent with its time; one at a time may wait for more."""

    def __init__(
        self,
        url: str,
        token: str | None,
        transports: tuple[str, ...] = ("websocket",),
        auth: dict | None = None,
        headers: dict | None = None,
        wait_timeout: float = 10,
        **options,
    ):
        self.received: list[tuple[str, dict, float]] = []
        self._changed = threading.Condition()
        self.errors: queue.Queue = queue.Queue()
        self.sio = socketio.Client(reconnection=False, **options)
        self._handle_in_order()
        self.sio.on("connect_error", handler=self.errors.put)
        for name in EVENTS:
            self.sio.on(name, handler=lambda data=None, name=name: self._receive(name, data))
        auth = auth if auth is not None else {"token": token}
        self.sio.connect(url, auth=auth, transports=list(transports), wait_timeout=wait_timeout, headers=headers or {})

    def _handle_in_order(self) -> None:
        """This client handles each message in a thread of its own, so that one may overtake another: here the reader handles them."""
        trigger = self.sio.eio._trigger_event

        def in_order(event, *args, **options):
            return trigger(event, *args, **{**options, "run_async": False})

        self.sio.eio._trigger_event = in_order

    def _receive(self, name: str, data: dict) -> None:
        with self._changed:
            self.received.append((name, data, time.time()))
            self._changed.notify_all()

    def call(self, event: str, argument: dict, seconds: float = 10) -> dict:
        return self.sio.call(event, argument, timeout=seconds)

    def wait(self, name: str, run: str | None = None, seconds: float = 20) -> dict:
        """The first event of this name (and run), waiting for it."""
        return self.wait_for(lambda n, e: n == name and (run is None or e["run_id"] == run), seconds)

    def wait_for(self, wanted, seconds: float = 20) -> dict:
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for name, envelope, _ in self.received:
                    if wanted(name, envelope):
                        return envelope
                left = deadline - time.monotonic()
                assert left > 0 and self._changed.wait(left), f"awaited event did not come; last: {self.received[-3:]}"

    def run(self, run: str) -> list[dict]:
        """Every event of the run so far."""
        with self._changed:
            return [envelope for _, envelope, _ in self.received if isinstance(envelope, dict) and envelope.get("run_id") == run]

    def finish(self, run: str, seconds: float = 30) -> list[dict]:
        """Waits for the terminal event and returns the whole run."""
        self.wait_for(lambda name, e: name in TERMINAL and e["run_id"] == run, seconds)
        time.sleep(0.1)  # anything after the terminal event would be a fault: give it the time to arrive
        return self.run(run)

    def close(self) -> None:
        self.sio.disconnect()

"""python-socketio 4 as a program of its own, because its modules have the names of the new one's: Engine.IO 3, Socket.IO 2.

Does one scenario and prints what it saw as one line of JSON. Started by `old_client()` in test_other_clients.py.
"""

import json
import os
import sys
import threading
import time

import engineio.payload
import socketio

assert socketio.__version__.startswith("4."), socketio.__version__
# Over polling this client gives up at 16 packets in one response.
engineio.payload.Payload.max_decode_packets = 10_000
SECONDS = 20


class Client:
    """Keeps every event, with bytes in hexadecimal."""

    def __init__(self, url: str, transports: list[str], namespaces: tuple[str, ...] = (), events: dict[str, tuple[str, ...]] | None = None):
        self.received: list[list] = []
        self.pongs = 0
        self._changed = threading.Condition()
        self.sio = socketio.Client(reconnection=False)
        self._handle_in_order()
        for namespace, names in (events or {}).items():
            for name in (*names, "connect", "connect_error", "disconnect"):
                self.sio.on(name, lambda *data, at=namespace, name=name: self._receive(at, name, data), namespace=namespace)
        self.sio.connect(url, transports=transports, namespaces=list(namespaces))

    def _handle_in_order(self) -> None:
        """Each message is handled in a thread of its own otherwise, so that one may overtake another."""
        trigger, receive = self.sio.eio._trigger_event, self.sio.eio._receive_packet

        def in_order(event, *args, **options):
            return trigger(event, *args, **{**options, "run_async": False})

        def counted(packet):
            if packet.packet_type == engineio.packet.PONG:
                self.pongs += 1
            receive(packet)

        self.sio.eio._trigger_event, self.sio.eio._receive_packet = in_order, counted

    def _receive(self, namespace: str, name: str, data: tuple):
        with self._changed:
            self.received.append([namespace, name, *plain(list(data))])
            self._changed.notify_all()
        return ("answer", *data) if name == "question" else None

    def wait(self, namespace: str, name: str) -> list:
        """The arguments of the first event of this name."""
        deadline = time.monotonic() + SECONDS
        with self._changed:
            while True:
                for event in self.received:
                    if event[:2] == [namespace, name]:
                        return event[2:]
                left = deadline - time.monotonic()
                assert left > 0 and self._changed.wait(left), f"{namespace} {name} did not come: {self.received[-5:]}"


def plain(value):
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def echoes(url: str, transports: list[str]) -> dict:
    """Events, acknowledgements and binary both ways, namespaces, a room, a refusal and the heartbeat."""
    spaces = ("/rooms?name=ada&city=K%C3%B6ln", "/closed", "/none")
    events = {"/": ("auth", "message-back"), "/rooms": ("hello", "said", "question"), "/closed": (), "/none": ()}
    client = Client(f"{url}?token=t+1", transports, (), events)
    # The client sends the query that it is given with a namespace, and knows the namespace by both.
    client.wait("/", "connect")
    seen = {"transport": client.sio.transport(), "auth": client.wait("/", "auth"), "id": client.sio.sid}
    client.sio.namespaces = ["/rooms", "/closed", "/none"]
    for space in spaces:
        client.sio._send_packet(socketio.packet.Packet(socketio.packet.CONNECT, namespace=space))
    seen["hello"] = client.wait("/rooms", "hello")
    seen["refusals"] = [client.wait("/closed", "connect_error"), client.wait("/none", "connect_error")]
    client.sio.emit(
        "message", ("ä€😀 1", 2, {"three": [None, True]}) if transports != ["polling"] else ("ä€ 1", 2, {"three": [None, True]})
    )
    seen["back"] = client.wait("/", "message-back")
    seen["ack"] = plain(client.sio.call("message-with-ack", ("x", b"\x00\x04\xff", {"deep": b"\x00"}), timeout=SECONDS))
    client.sio.call("join", "den", namespace="/rooms", timeout=SECONDS)
    client.sio.emit("say", ("den", {"data": b"\x01" * 70_000, "more": b"\xff"}), namespace="/rooms")
    seen["said"] = client.wait("/rooms", "said")
    seen["asked"] = plain(client.sio.call("ask-me", ("why?", b"\x07"), namespace="/rooms", timeout=SECONDS))
    deadline = time.monotonic() + SECONDS
    while client.pongs == 0:
        assert time.monotonic() < deadline, "no heartbeat"
        time.sleep(0.02)
    seen["upgraded"] = client.sio.transport()
    seen["after"] = client.sio.call("message-with-ack", "still here", timeout=SECONDS)
    client.sio.disconnect()
    return seen


def run(url: str, transports: list[str], token: str) -> dict:
    """A run of KDCube, streamed to its end."""
    names = ("session_info", "chat_start", "chat_step", "chat_delta", "chat_usage", "chat_complete", "chat_error", "chat_cut")
    client = Client(f"{url}?token={token}", transports, (), {"/": (*names, "conv_status")})
    info = client.wait("/", "session_info")[0]
    message = {"text": "Tell me something.\n@tokens 20", "model": "demo"}
    ack = client.sio.call("chat_message", message, timeout=SECONDS)
    client.wait("/", "chat_complete")
    sid, envelopes = (
        client.sio.sid,
        [event[2] for event in client.received if isinstance(event[-1], dict) and event[-1].get("run_id") == ack["run_id"]],
    )
    client.sio.disconnect()
    return {"id": sid, "info": info, "ack": ack, "envelopes": envelopes}


def refused(url: str, transports: list[str], token: str) -> dict:
    client = Client(f"{url}?token={token}", transports, (), {"/": ()})
    return {"error": client.wait("/", "connect_error")}


if __name__ == "__main__":
    scenario, url, transports, *rest = sys.argv[1:]
    print(json.dumps({"echoes": echoes, "run": run, "refused": refused}[scenario](url, transports.split(","), *rest)))
    sys.stdout.flush()
    # Its threads wait for as long as a server may be silent, also after the end.
    os._exit(0)

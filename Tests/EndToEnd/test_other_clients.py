"""Clients that most users do not have: python-socketio in MessagePack, and an old one that speaks Engine.IO 3 and Socket.IO 2."""

import json
import os
import pathlib
import queue
import subprocess
import sys

import pytest
import socketio

from rig.conformance import Conformance
from rig.envelopes import answer, check_run, tokens
from rig.server import ROOT, Installation
from rig.waiting import wait_until

OLD_CLIENT = pathlib.Path(__file__).parent / "rig" / "old_client.py"
TRANSPORTS = ["websocket", "polling", "polling,websocket"]


@pytest.fixture(scope="module")
def conformance(tmp_path_factory):
    """Starts `conformance-server` with options."""
    running = []

    def start(*options):
        running.append(Conformance(tmp_path_factory.mktemp("conformance"), *options))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def packed(conformance):
    return conformance("--parser", "msgpack")


class Packed:
    """python-socketio with its MessagePack packets; events in the order of the wire."""

    def __init__(self, url: str, transports: str, namespaces: list[str], events: dict[str, tuple[str, ...]]):
        self.received: dict[tuple[str, str], queue.Queue] = {}
        self.sio = socketio.Client(reconnection=False, serializer="msgpack")
        trigger = self.sio.eio._trigger_event
        self.sio.eio._trigger_event = lambda event, *args, **options: trigger(event, *args, **{**options, "run_async": False})
        for namespace, names in events.items():
            for name in names:
                inbox = self.received.setdefault((namespace, name), queue.Queue())
                self.sio.on(name, lambda *data, name=name, inbox=inbox: self._receive(inbox, name, data), namespace=namespace)
        self.sio.connect(url, auth={"token": b"\x01"}, transports=transports.split(","), namespaces=namespaces, wait_timeout=20)

    def _receive(self, inbox, name, data):
        inbox.put(list(data))
        return ("answer", *data) if name == "question" else None

    def wait(self, namespace: str, name: str) -> list:
        return self.received[namespace, name].get(timeout=20)


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_messagepack_carries_events_acks_bytes_namespaces_and_broadcasts(packed, transports):
    events = {"/": ("auth", "message-back"), "/rooms": ("hello", "said", "question")}
    one, two = (Packed(packed.url, transports, ["/", "/rooms"], events) for _ in range(2))
    try:
        assert one.wait("/", "auth") == [{"token": b"\x01"}]
        assert one.wait("/rooms", "hello") == [one.sio.get_sid("/rooms"), {"token": b"\x01"}]
        if transports.endswith(",websocket"):
            wait_until("the session upgrades", lambda: one.sio.transport() == "websocket")
        everything = ("ä😀", b"\x00\xff", {"n": None, "deep": [b"", 1.5, -1, 2**40, True]})
        one.sio.emit("message", everything)
        assert one.wait("/", "message-back") == list(everything)
        assert one.sio.call("message-with-ack", everything, timeout=20) == everything
        for client in (one, two):
            client.sio.call("join", "den", namespace="/rooms", timeout=20)
        two.sio.emit("say", ("den", b"\x01" * 70_000, {"from": "two"}), namespace="/rooms")
        for client in (one, two):
            assert client.wait("/rooms", "said") == [b"\x01" * 70_000, {"from": "two"}]
        # Asked by the server, answered by the client.
        assert one.sio.call("ask-me", ("why?", b"\x07"), namespace="/rooms", timeout=20) == ("answer", "why?", b"\x07")
    finally:
        one.sio.disconnect(), two.sio.disconnect()


def test_messagepack_tells_a_refusal_and_goes_on(packed):
    errors = queue.Queue()
    client = Packed(packed.url, "websocket", ["/"], {"/": ("auth",)})
    try:
        client.sio.on("connect_error", errors.put, namespace="/closed")
        client.sio._send_packet(socketio.msgpack_packet.MsgPackPacket(socketio.packet.CONNECT, namespace="/closed", data={}))
        assert errors.get(timeout=20) == {"message": "closed", "data": {"code": "closed"}}
        assert client.sio.call("message-with-ack", 1, timeout=20) == 1
    finally:
        client.sio.disconnect()


def run_old_client(*arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".tools" / "old-clients")}
    return subprocess.run([sys.executable, str(OLD_CLIENT), *arguments], env=environment, capture_output=True, text=True, timeout=90)


def old_client(*arguments: str) -> dict:
    result = run_old_client(*arguments)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def old_server(conformance):
    return conformance("--allow-eio3")


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_a_client_of_socketio_2_is_served(old_server, transports):
    seen = old_client("echoes", old_server.url, transports)
    assert seen["upgraded"] == transports.split(",")[-1]
    assert seen["auth"] == [{"token": "t 1"}], "the query of the session is the auth of the main namespace"
    assert seen["hello"] == [f"/rooms#{seen['id']}", {"name": "ada", "city": "Köln"}]
    assert seen["refusals"] == [[{"code": "closed"}], [{"message": "Invalid namespace"}]]
    # The old client counts characters where the protocol counts UTF-16 code units, so no emoji over its polling.
    assert seen["back"] == ["ä€ 1" if transports == "polling" else "ä€😀 1", 2, {"three": [None, True]}]
    assert seen["ack"] == ["x", {"hex": "0004ff"}, {"deep": {"hex": "00"}}]
    assert seen["said"] == [{"data": {"hex": "01" * 70_000}, "more": {"hex": "ff"}}]
    assert seen["asked"] == ["answer", "why?", {"hex": "07"}]
    assert seen["after"] == "still here"


@pytest.fixture(scope="module")
def old_installation(tmp_path_factory):
    installation = Installation(tmp_path_factory.mktemp("old"), transport={"allow_eio3": True})
    installation.serve()
    yield installation
    installation.stop()


@pytest.mark.parametrize("transports", TRANSPORTS[:2])
def test_kdcube_streams_to_a_client_of_socketio_2(old_installation, transports):
    key = old_installation.key("old", "web", "ada")["key"]
    seen = old_client("run", old_installation.servers[0].url, transports, key)
    assert seen["info"]["session_id"] == seen["id"] and seen["ack"]["ok"] is True
    end = check_run(seen["envelopes"])
    assert end["type"] == "chat.complete" and tokens(answer(seen["envelopes"])) == 20


def test_kdcube_refuses_old_clients_without_a_credential_and_unless_allowed(old_installation, server):
    assert old_client("refused", old_installation.servers[0].url, "websocket", "kd-wrong") == {"error": [{"code": "unauthorized"}]}
    result = run_old_client("refused", server.url, "polling", "kd-wrong")
    assert result.returncode != 0 and "Unexpected status code 400" in result.stderr

"""Three servers on one Redis, in the format of @socket.io/redis-adapter: stock clients, and publishers that we did not write."""

import importlib.util
import json
import queue
import time

import msgpack
import pytest
import requests
import socketio

from rig.members import Listener, Member
from rig.realtime import Client
from rig.server import ROOT, CommandFailed, Installation
from rig.stores import Redis
from rig.waiting import wait_until


def foreign_emitter():
    """The package socket.io-emitter, whose `__init__` is Python 2 and whose one module is both."""
    path = ROOT / ".tools" / "old-clients" / "socket_io_emitter" / "emitter.py"
    spec = importlib.util.spec_from_file_location("foreign_emitter", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Emitter


def pack(value) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    redis = Redis(tmp_path_factory.mktemp("cluster-redis"))
    # Messages of 9 MiB: a member that stands still for half a second would be thrown out.
    redis.client.config_set("client-output-buffer-limit", "pubsub 0 0 0")
    yield redis
    redis.stop()


@pytest.fixture
def start(redis, tmp_path):
    members = []

    def start(count: int) -> list[Member]:
        started = [Member(redis, tmp_path / f"member{len(members) + number}.log") for number in range(count)]
        members.extend(started)
        return started

    yield start
    for member in members:
        member.stop()


@pytest.fixture(scope="module")
def members(redis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("members")
    members = [Member(redis, folder / f"{number}.log") for number in range(3)]
    yield members
    for member in members:
        member.stop()
    assert all("Fatal" not in member.process.log.read_text() for member in members)


@pytest.fixture
def listen():
    listeners = []

    def listen(member: Member, name: str, *rooms: str, **options) -> Listener:
        listeners.append(Listener(member, name, *rooms, **options))
        return listeners[-1]

    yield listen
    for listener in listeners:
        listener.close()


@pytest.fixture
def three(members, listen):
    """A client on each server, all in the room `team`."""
    return [listen(member, name, "team") for member, name in zip(members, ("one", "two", "three"), strict=True)]


def expect(listeners, *event):
    for listener in listeners:
        assert listener.next() == event, listener.name


def silent(listeners):
    """What was meant for others would have come before this."""
    for listener in listeners:
        assert listener.heard.empty(), (listener.name, listener.next())


def test_a_broadcast_reaches_the_clients_of_all_servers_once(three):
    three[0].sio.emit("bcast", ("team", {"n": 1}, b"\x00\xff"))
    three[1].sio.emit("bcast", ("team", "second"))
    for listener in three:
        assert sorted([listener.next(), listener.next()], key=len) == [("tick", "second"), ("tick", {"n": 1}, b"\x00\xff")]
    three[2].sio.emit("bcast", (three[0].sid, "for one"))
    expect(three[:1], "tick", "for one")
    silent(three)


def test_answers_sockets_and_rooms_of_all_servers(three):
    answers, missing = three[0].call("ask", "team", 10_000)
    assert (sorted(answers), missing) == (["one", "three", "two"], 0)
    found = three[1].call("fetch", "team")
    assert {socket["id"] for socket in found} == {listener.sid for listener in three}
    assert all("team" in socket["rooms"] for socket in found)
    names, missing = three[2].call("servers")
    assert len(set(names)) == 2 and missing == 0
    three[0].call("move", "team", "crew")
    three[0].sio.emit("bcast", ("crew", "moved"))
    expect(three, "tick", "moved")


def test_a_client_that_does_not_answer_is_missing(members, three, listen):
    listen(members[1], "silent", "team", answers=False)
    begin = time.monotonic()
    answers, missing = three[0].call("ask", "team", 1_000)
    assert (sorted(answers), missing) == (["one", "three", "two"], 1)
    assert 0.9 < time.monotonic() - begin < 8


def test_a_server_that_stands_still_makes_answers_partial_and_nothing_hang(members, three, start, listen):
    lost = start(1)[0]
    listen(lost, "lost", "team")
    assert len(three[0].call("fetch", "team", 5_000)) == 4
    lost.pause()
    begin = time.monotonic()
    found = three[0].call("fetch", "team", 1_500)
    assert {socket["id"] for socket in found} == {listener.sid for listener in three}
    answers, missing = three[0].call("ask", "team", 1_500)
    assert sorted(answers) == ["one", "three", "two"] and missing >= 1
    assert time.monotonic() - begin < 15
    assert members[0].metric("kdcube_cluster_partial_answers_total") >= 2


def test_a_server_that_dies_is_not_waited_for(three, start, listen):
    lost = start(1)[0]
    listen(lost, "lost", "team")
    lost.pause()
    answer = []
    three[0].sio.emit("fetch", ("team", 60_000), callback=answer.append)
    time.sleep(0.2)
    lost.kill()
    deadline = time.monotonic() + 20
    while not answer and time.monotonic() < deadline:
        time.sleep(0.02)
    assert {socket["id"] for socket in answer[0]} == {listener.sid for listener in three}, "a minute was waited"


def test_python_publishers_reach_every_server(redis, members, three):
    manager = socketio.RedisManager(redis.url, write_only=True)
    manager.emit("news", {"n": 1}, room="team")
    expect(three, "news", {"n": 1})
    manager.emit("news", ("two", "arguments"), room=["team", "other"], skip_sid=three[0].sid)
    expect(three[1:], "news", "two", "arguments")
    manager.emit("news", {"file": b"\x01\x02"})
    expect(three, "news", {"file": b"\x01\x02"})
    manager.emit("ping now", None, room=three[2].sid)
    expect(three[2:], "ping now")
    manager.enter_room(three[1].sid, "/", "side")
    manager.emit("aside", 1, room="side")
    expect(three[1:2], "aside", 1)
    manager.leave_room(three[1].sid, "/", "side")
    manager.close_room("team", "/")
    manager.emit("gone", 1, room="team")
    manager.emit("gone", 2, room="side")
    manager.emit("last", 1)
    expect(three, "last", 1)
    silent(three)
    # A manager without a server fails before it publishes this (python-socketio 5.18).
    redis.client.publish("socketio", json.dumps({"method": "disconnect", "sid": three[0].sid, "namespace": "/", "host_id": "h"}))
    assert three[0].ended.get(timeout=10)
    before = members[0].metric('kdcube_cluster_refused_total{reason="pickle"}')
    redis.client.publish("socketio", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x06method\x94\x8c\x04emit\x94s.")
    manager.emit("last", 2)
    expect(three[1:], "last", 2)
    wait_until("it is counted", lambda: members[0].metric('kdcube_cluster_refused_total{reason="pickle"}') == before + 1)


def test_an_emitter_of_somebody_else_reaches_every_server(redis, three):
    publisher = foreign_emitter()({"client": redis.client})
    publisher.Emit("news", {"n": [1, 2.5, None, "é"]})
    expect(three, "news", {"n": [1, 2.5, None, "é"]})
    publisher.To("team").Emit("news", "for the team")
    expect(three, "news", "for the team")
    publisher.To("nobody").Emit("news", "lost")
    publisher.Of("/elsewhere").Emit("news", "lost")
    publisher.Emit("last")
    expect(three, "last")
    silent(three)


def test_what_redis_emitter_writes(redis, three):
    """@socket.io/redis-emitter is JavaScript: its messages, written here by another library than the server's."""
    request = "socket.io-request#/#"

    def emit(event, *arguments, rooms=(), exclude=(), flags=None):
        packet = {"type": 2, "data": [event, *arguments], "nsp": "/"}
        message = pack(["emitter", packet, {"rooms": list(rooms), "flags": flags or {}, "except": list(exclude)}])
        redis.client.publish("socket.io#/#" + (f"{rooms[0]}#" if len(rooms) == 1 else ""), message)

    emit("news", b"bytes", rooms=["team", "other"], exclude=[three[0].sid], flags={"volatile": True, "compress": False})
    expect(three[1:], "news", b"bytes")
    everybody = {"rooms": ["team"], "except": [three[2].sid]}
    redis.client.publish(request, json.dumps({"type": 2, "opts": everybody, "rooms": ["a", "b"]}))
    redis.client.publish(request, json.dumps({"type": 3, "opts": everybody, "rooms": ["b"]}))
    emit("lost", rooms=["b"])
    emit("found", rooms=["a"])
    expect(three[:2], "found")
    redis.client.publish(request, json.dumps({"type": 4, "opts": {"rooms": ["a"], "except": []}, "close": True}))
    for listener in three[:2]:
        assert listener.ended.get(timeout=10)
    emit("last")
    expect(three[2:], "last")
    silent(three)


def test_nothing_on_the_channels_breaks_a_server(redis, members, three):
    date = msgpack.ExtType(0, (1_000).to_bytes(8, "big"))
    deep = b"\x91" * 100_000 + b"\xc0"
    packet = {"type": 2, "data": ["x"], "nsp": "/"}
    hostile = [
        *(b"", b"\xc1", b"\x93", b"\xdd\xff\xff\xff\xff", b"{", b"{}", deep, b"[" * 100_000, b"x" * (9 << 20)),
        *(pack(value) for value in ([], ["u", None, None], ["u", packet], ["u", {**packet, "type": 1}, {}])),
        pack(["u", {**packet, "data": ["connect"]}, {}]),
        *(
            json.dumps({"type": kind, "requestId": "r", "opts": opts}).encode()
            for kind in range(-1, 12)
            for opts in (None, 1, {"rooms": {}})
        ),
        *(json.dumps({"requestId": "r", "type": kind, "clientCount": -1}).encode() for kind in (6, 8, 9)),
        *(json.dumps({"method": method, "data": [1], "binary": True}).encode() for method in ("emit", "disconnect", "x", "callback")),
    ]
    before = sum(members[0].metric(f'kdcube_cluster_refused_total{{reason="{reason}"}}') for reason in ("malformed", "shape", "too_long"))
    for channel in ("socket.io#/#", "socket.io#/#team#", "socket.io-request#/#", "socket.io-response#/#", "socketio", "socket.io#\xff"):
        for message in hostile:
            redis.client.publish(channel, message)
    message = pack(["emitter", {**packet, "data": ["date", date, msgpack.ExtType(0, b"\x00"), msgpack.ExtType(0, b"\x07\x08")]}, {}])
    redis.client.publish("socket.io#/#", message)
    expect(three, "date", "1970-01-01T00:00:01.000Z", None, b"\x07\x08")
    after = sum(members[0].metric(f'kdcube_cluster_refused_total{{reason="{reason}"}}') for reason in ("malformed", "shape", "too_long"))
    assert after - before > 100
    assert len(three[0].call("fetch", "team")) == 3, "the cluster does not answer any more"


def test_the_chat_server_joins_by_its_setting(redis, tmp_path):
    installation = Installation(tmp_path / "i", redis=redis.url, transport={"cluster": True, "cluster_key": "chat"})
    clients = []
    try:
        servers = [installation.serve(), installation.serve()]
        token = installation.key("acme")["key"]
        clients = [Client(server.url, token) for server in servers]
        heard = queue.Queue()
        for number, client in enumerate(clients):
            client.sio.on("news", handler=lambda text, number=number: heard.put((number, text)))
        for server in servers:
            wait_until("the server hears the others", lambda server=server: "\nkdcube_cluster_connected 1\n" in metrics(server))
        socketio.RedisManager(redis.url, write_only=True).emit("news", "for all")
        assert sorted(heard.get(timeout=10) for _ in clients) == [(0, "for all"), (1, "for all")]
        packet = {"type": 2, "data": ["news", "for one"], "nsp": "/"}
        sid = clients[1].sio.get_sid()
        redis.client.publish(f"chat#/#{sid}#", pack(["emitter", packet, {"rooms": [sid]}]))
        assert heard.get(timeout=10) == (1, "for one")
    finally:
        for client in clients:
            client.close()
        installation.stop()


def metrics(server) -> str:
    return requests.get(f"{server.url}/metrics", timeout=5).text


def test_a_cluster_needs_a_redis(tmp_path):
    installation = Installation(tmp_path / "i", transport={"cluster": True})
    with pytest.raises(CommandFailed, match="transport.cluster.*stores.redis"):
        installation.command("check-config")

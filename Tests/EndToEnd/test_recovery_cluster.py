"""Connection state recovery where there are several servers: at another one, after a kill -9, and after a restart."""

import base64
import json
import re

import msgpack
import pytest
import requests

from rig.members import Member
from rig.returning import Returning
from rig.server import Installation
from rig.stores import Redis
from rig.waiting import wait_until

SECONDS = 20


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    redis = Redis(tmp_path_factory.mktemp("recovery-redis"))
    yield redis
    redis.stop()


@pytest.fixture
def start(redis, tmp_path):
    members = []

    def start(**options) -> Member:
        members.append(Member(redis, tmp_path / f"member{len(members)}.log", recovery=SECONDS, **options))
        return members[-1]

    redis.client.flushdb()
    yield start
    for member in members:
        member.stop()
    assert all("Fatal" not in member.process.log.read_text() for member in members)


def speaker(member: Member):
    """Speaks to the room `team` from this server, and gives what it has said back once it is said."""
    other = Returning(member.url).announced()
    other.call("join", "speakers")

    def say(*numbers: int) -> list[list]:
        for number in numbers:
            other.emit("bcast", "team", number)
            other.emit("bcast", "speakers", number)
            while other.next() != ["tick", number]:
                pass
        return [["tick", number] for number in numbers]

    return say


def joined(member: Member) -> Returning:
    client = Returning(member.url).announced()
    client.call("join", "team")
    return client


def test_a_client_comes_back_elsewhere_after_its_server_was_killed_and_after_a_restart(start):
    first, second = start(), start(threads=2)
    client = joined(first)
    sid, say = client.sid, speaker(second)
    assert [*map(list, say(1, 2))] == [client.next(), client.next()]
    first.kill()
    missed = say(3, 4, 5)
    client.connect(second.url)
    assert client.recovered and client.sid == sid
    assert client.missed == missed
    assert say(6) == [client.next()]

    # A server that has read nothing of this itself.
    client.drop()
    missed = say(7, 8)
    third = start()
    client.connect(third.url)
    assert client.recovered and client.sid == sid and client.missed == missed
    assert say(9) == [client.next()]
    assert client.offsets == sorted(client.offsets) and len(set(client.offsets)) >= 9
    assert all(re.fullmatch(r"\d{13}-\d{8}", offset) for offset in client.offsets)
    assert third.metric('kdcube_recoveries_total{outcome="recovered"}') == 1


def test_a_client_goes_from_server_to_server_while_much_is_said_and_misses_nothing(start):
    members = [start(threads=2), start(), start()]
    client, heard = joined(members[0]), []
    say = speaker(members[2])
    for round in range(12):
        number = 10 * round
        say(*range(number, number + 5))
        if round % 3:
            heard += [client.next() for _ in range(5)]
        # The old server does not know yet, or does.
        if round % 2:
            client.drop()
        say(*range(number + 5, number + 10))
        client.connect(members[round % 3].url)
        assert client.recovered
        heard += client.missed
    say(120)
    while not heard or heard[-1] != ["tick", 120]:
        heard.append(client.next())
    assert heard == [["tick", number] for number in range(121)]


def test_the_server_that_does_not_know_yet_ends_its_connection(start):
    first, second = start(), start()
    client = joined(first)
    old = client.socket
    client.connect(second.url)
    assert client.recovered
    new, client.socket = client.socket, old
    assert client.ended()
    client.socket = new
    wait_until("the old one is gone", lambda: first.metric("kdcube_sockets") == 0)
    # And what is done to it from there reaches it where it is.
    other = Returning(first.url).announced()
    other.call("move", "team", "crew")
    other.emit("bcast", "crew", 1)
    assert client.next() == ["tick", 1]


def test_rooms_that_were_left_by_command_while_the_client_was_away(start):
    first, second = start(), start()
    client = joined(first)
    other = Returning(second.url).announced()
    client.drop()
    wait_until("the first has noticed", lambda: first.metric("kdcube_sockets") == 0)
    other.call("move", "team", "crew")
    for room in ("team", "crew"):
        other.emit("bcast", room, room)
    other.call("echo", 1)
    client.connect(second.url)
    assert client.recovered and client.missed == [["tick", "crew"]]


def test_what_servers_of_node_write_is_read_and_what_we_write_is_theirs(start, redis):
    """The forms are those of the source of @socket.io/redis-streams-adapter 0.3.1: `encode`, `persistSession`, `restoreSession`."""
    member = start()
    client = joined(member)
    data = {"packet": {"type": 2, "data": ["tick", "from node"]}, "opts": {"rooms": ["team"], "except": [], "flags": {}}}
    node = {"uid": "0123456789abcdef", "nsp": "/", "type": "3"}
    entry = redis.client.xadd("socket.io", {**node, "data": json.dumps(data)}).decode()
    assert client.next() == ["tick", "from node"]
    millisecond, number = entry.split("-")
    assert client.offset == f"{millisecond}-{int(number):08}"
    # Redis takes the padded form for the same id, so that a server of Node.js finds the entry by it.
    assert redis.client.xrange("socket.io", client.offset, client.offset)[0][0].decode() == entry

    key = f"sio:session:{client.pid}"

    def kept() -> dict:
        text = redis.client.get(key)
        return msgpack.unpackb(base64.b64decode(text)) if text else {}

    wait_until("it is kept", lambda: kept().get("rooms") == [client.sid, "team"])
    assert (kept()["sid"], kept()["pid"], kept()["data"]) == (client.sid, client.pid, {})
    assert 0 < redis.client.pttl(key) <= SECONDS * 1500 + 2000

    # A socket that a server of Node.js has kept, at its end: no more than these four members.
    client.drop()
    wait_until("its time runs", lambda: 0 < redis.client.pttl(key) <= SECONDS * 1000)
    theirs = {"sid": client.sid, "pid": client.pid, "rooms": ["team", client.sid], "data": {"from": "node"}}
    redis.client.set(key, base64.b64encode(msgpack.packb(theirs)), px=SECONDS * 1000)
    missed = redis.client.xadd("socket.io", {**node, "data": json.dumps(data)}).decode()
    for noise in ({**node, "type": "2"}, {**node, "nsp": "/elsewhere", "data": json.dumps(data)}):
        redis.client.xadd("socket.io", noise)
    client.connect(member.url)
    assert client.recovered and client.missed == [["tick", "from node"]]
    assert client.offsets[-1].split("-")[0] == missed.split("-")[0]
    wait_until("it is kept by its new server", lambda: "kdcube" in kept())


def test_a_redis_that_forgets_everything_costs_recoveries_and_nothing_else(start, redis):
    first, second = start(), start()
    client, say = joined(first), speaker(second)
    assert say(1) == [client.next()]
    redis.kill()
    wait_until("it is noticed", lambda: first.metric("kdcube_recovery_stream_ready") == 0)
    redis.start()
    for member in (first, second):
        wait_until("it is heard again", lambda member=member: requests.get(f"{member.url}/cluster", timeout=5).text == "ready", 20)
    old = Returning.__new__(Returning)
    old.__dict__.update(client.__dict__, offsets=[], missed=[])
    assert say(2) == [client.next()], "a connected client goes on"
    old.connect(second.url)
    assert not old.recovered and old.sid != client.sid


# KDCube servers ------------------------------------------------------------------------------------------------------


def test_two_chat_servers_give_a_socket_back_to_the_same_caller_alone(redis, tmp_path):
    redis.client.flushdb()
    installation = Installation(tmp_path / "i", redis=redis.url, transport={"cluster": True, "recovery": "1m"})
    try:
        first, second = installation.serve(), installation.serve()
        owner, stranger = ({"token": installation.key("acme")["key"]} for _ in range(2))
        for server in (first, second):
            wait_until("it reads along", lambda server=server: "\nkdcube_recovery_stream_ready 1\n" in metrics(server))
        client = Returning(first.url, owner).announced()
        sid, pid = client.sid, client.pid
        client.drop()
        # Whoever has found out another's pid still needs that one's credential, and the owner loses nothing.
        client.auth = stranger
        assert not client.connect(second.url).recovered and client.sid != sid
        client.auth, client.pid = owner, pid
        assert client.connect(second.url).recovered and client.sid == sid
        assert 'kdcube_recoveries_total{outcome="identity"} 1' in metrics(second)
    finally:
        installation.stop()


def metrics(server) -> str:
    return requests.get(f"{server.url}/metrics", timeout=5).text

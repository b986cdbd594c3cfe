"""Examples/Chat, the server that the library's documentation shows: with python-socketio, and with its page and the official client."""

import queue
import socket as sockets

import pytest
import socketio

from rig.process import Process
from rig.server import BINARIES, ROOT
from rig.waiting import free_port, wait_until

CLIENT = ROOT / "web-client" / "vendor" / "socket.io.min.js"


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    port = free_port()
    process = Process([str(BINARIES / "chat"), str(port)], tmp_path_factory.mktemp("chat") / "chat.log")

    def listens() -> bool:
        assert process.alive, process.tail()
        with sockets.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until("the chat listens", listens)
    yield f"http://127.0.0.1:{port}"
    # A supervisor's SIGTERM is an orderly end.
    assert process.stop() == 0, process.tail()


@pytest.fixture
def person(chat):
    clients = []

    def person(transport: str = "websocket"):
        client = socketio.Client(reconnection=False)
        client.said = queue.Queue()
        client.on("said", client.said.put)
        client.connect(chat, transports=[transport], wait_timeout=10)
        clients.append(client)
        return client

    yield person
    for client in clients:
        client.disconnect()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_people_in_a_room_hear_each_other_and_nobody_else(person, transport):
    ann, bob, eve = person(transport), person(transport), person()
    room = f"garden-{transport}"
    assert ann.call("join", (room, "ann")) == ["ann"]
    assert bob.call("join", (room, "bob")) == ["ann", "bob"]
    assert eve.call("join", ("cellar", "eve")) == ["eve"]
    assert ann.said.get(timeout=5) == {"name": "bob", "text": "is here"}
    assert bob.call("say", (room, "hello")) is None
    for client in (ann, bob):
        assert client.said.get(timeout=5) == {"name": "bob", "text": "hello"}
    assert eve.call("say", ("cellar", "echo")) is None
    assert eve.said.get(timeout=5) == {"name": "eve", "text": "echo"} and ann.said.empty()


def test_what_is_not_allowed_and_what_has_another_type_is_said_to_who_sent_it(person):
    ann = person()
    assert ann.call("join", ("attic", "a" * 21)) == refusal("refused", message="A name has 1 to 20 letters.")
    assert ann.call("say", ("attic", "hello")) == refusal("refused", message="Join the room first.")
    assert ann.call("say", ("attic", 5)) == refusal("invalid_argument", path="/1", rule="must be a string")
    assert ann.call("join", "attic") == refusal("invalid_argument", path="/1", rule="must be there")
    assert ann.call("join", ("attic", "ann")) == ["ann"]


def refusal(code: str, **more) -> dict:
    return {"ok": False, "error": {"code": code, **more}}


def test_its_page_is_a_chat(browser, chat):
    context = browser.new_context()
    # The official client, from where the set-up put it and not from its makers.
    context.route("https://cdn.socket.io/**", lambda route: route.fulfill(path=CLIENT, content_type="text/javascript"))
    problems, pages = [], []
    for name in ("ann", "bob"):
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(chat)
        page.fill("[name=room]", "kitchen")
        page.fill("[name=name]", "x" * 30)
        page.click("text=Join")
        page.wait_for_selector("text=A name has 1 to 20 letters.")
        page.fill("[name=name]", name)
        page.click("text=Join")
        page.wait_for_selector("text=Here: ann" + (", bob" if name == "bob" else ""))
        pages.append(page)
    ann, bob = pages
    ann.wait_for_selector("text=bob: is here")
    bob.fill("[name=text]", "<b>hello</b>")
    bob.press("[name=text]", "Enter")
    for page in pages:
        page.wait_for_selector("text=bob: <b>hello</b>")
    context.close()
    assert not problems, problems

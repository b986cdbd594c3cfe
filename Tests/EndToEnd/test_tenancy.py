"""Nothing of one tenant reaches another: every address and every event, tried with everybody else's credentials.

The tables are in rig/tenancy.py, the victim and the attackers in rig/victim.py.
"""

import json

import pytest
import requests
import socketio

from rig import sse, tenancy
from rig.envelopes import of_sse
from rig.examples import bearer
from rig.victim import NOBODY, VICTIM, Attacker, Watcher, World
from rig.waiting import wait_until

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def world(tmp_path_factory, witness):
    world = World(tmp_path_factory.mktemp("tenancy"), witness)
    yield world
    world.stop()


@pytest.fixture(scope="module", autouse=True)
def untouched(world):
    """Whatever was tried: the victim has what it had."""
    before = world.state()
    yield
    assert world.state() == before


def test_the_tables_have_every_address_and_every_event(world):
    """What is new is in the OpenAPI document, and so fails here until somebody has said how it is tried."""
    document = requests.get(world.url + "/openapi.json", timeout=10).json()
    assert "x-undescribed" not in document and "x-unserved" not in document
    served = {tenancy.shape(method, path) for path, methods in document["paths"].items() for method in methods}
    rows = {tenancy.shape(one.method, one.path) for one in tenancy.ADDRESSES}
    assert len(rows) == len(tenancy.ADDRESSES), "an address has two rows"
    assert served - rows == set(), "addresses without a row"
    assert rows - served == set(), "rows without an address"
    events = {one["namespace"]: one for one in document["x-events"]}
    assert set(events) == set(tenancy.PUSHES)
    for namespace, one in events.items():
        assert {event.name for event in tenancy.EVENTS if event.namespace == namespace} == set(one["from_clients"])
        assert set(tenancy.PUSHES[namespace]) == set(one["to_clients"])


@pytest.mark.parametrize("address", tenancy.ADDRESSES, ids=lambda address: address.name)
def test_no_address_shows_or_changes_what_is_somebody_elses(world, address):
    for ask in address.asks:
        form = tenancy.template(address, ask)
        for attacker in world.attackers:
            for names, absent in tenancy.targets(world, tenancy.kinds(form), attacker):
                what = tenancy.filled(form, names)
                answer = tenancy.send(world, address.method, what, attacker.session)
                said = f"{attacker.name}: {address.method} {what}: {answer.status_code}: {answer.text[:500]}"
                assert not world.leaks(answer.text + json.dumps(dict(answer.headers)), attacker, json.dumps(what)), said
                if address.path == "/sse/stream":
                    continue
                assert answer.status_code in ask.allowed, said
                if ask.compares and names:
                    nothing = tenancy.send(world, address.method, tenancy.filled(form, absent), attacker.session)
                    assert tenancy.shown(answer, names, absent) == tenancy.shown(nothing, {}, {}), said


@pytest.mark.parametrize("address", [one for one in tenancy.ADDRESSES if one.needs_credential], ids=lambda address: address.name)
def test_no_address_works_without_a_credential_or_in_another_name(world, address):
    ask = address.asks[0]
    form = tenancy.template(address, ask)
    nothing = {kind: world.things[kind][0].absent for kind in tenancy.kinds(form)}
    anonymous = tenancy.send(world, address.method, tenancy.filled(form, nothing), requests.Session())
    assert anonymous.status_code == 401, anonymous.text
    stranger = world.attackers[1]
    for org in (VICTIM, NOBODY):
        what = tenancy.filled(form, nothing)
        hinted = tenancy.send(world, address.method, what | {"query": what["query"] | {"tenant": org}}, stranger.session)
        assert (hinted.status_code, hinted.json()["error"]["code"]) == (403, "tenant_mismatch"), hinted.text


def test_a_stream_of_the_same_name_is_another_stream(world):
    """The two-call form: the name of a stream is the client's word, and so is the position it wants to go on from."""
    for attacker in world.attackers:
        for thing in world.things["run"]:
            headers = {"last-event-id": f"{thing.name}:0"}
            query = {"stream_id": world.things["stream"][0].name}
            with attacker.session.get(world.url + "/sse/stream", params=query, headers=headers, stream=True, timeout=20) as answer:
                parser, events = sse.Parser(), []
                chunks = answer.iter_content(None)
                while not events:
                    events += parser.feed(next(chunks))
                started = attacker.session.post(world.url + "/sse/chat", params=query, json=tenancy.TEXT, timeout=20)
                assert started.status_code == 202, started.text
                while not any(event.name in sse.TERMINAL for event in events):
                    events += parser.feed(next(chunks))
            ready, *rest = events
            assert ready.name == "ready" and not world.leaks(ready.data, attacker, json.dumps(query))
            assert {envelope["run_id"] for envelope in of_sse(rest)} == {started.json()["run_id"]}
            assert not world.leaks("".join(event.data for event in rest), attacker)


@pytest.mark.parametrize("event", tenancy.EVENTS, ids=lambda event: event.name)
def test_no_event_reaches_what_is_somebody_elses(world, event):
    for attacker in world.attackers:
        watcher = world.watchers[attacker.name]
        for form in event.arguments:
            for names, absent in tenancy.targets(world, tenancy.kinds(form), attacker):
                what = tenancy.filled(form, names)
                answer = watcher.call(event.namespace, event.name, what)
                said = f"{attacker.name}: {event.name} {what}: {answer}"
                assert not world.leaks(json.dumps(answer), attacker, json.dumps(what)), said
                if answer.get("ok") is False:
                    assert answer["error"]["code"] in event.codes, said
                elif "run_id" in answer and answer["run_id"]:
                    watcher.wait("chat_complete", answer["run_id"])
                if event.compares and names:
                    nothing = watcher.call(event.namespace, event.name, tenancy.filled(form, absent))
                    (name,), (none,) = names.values(), absent.values()
                    assert json.dumps(answer).replace(name, none) == json.dumps(nothing), said


@pytest.mark.parametrize(("namespace", "form", "code"), tenancy.HANDSHAKES, ids=lambda value: str(value))
def test_no_handshake_names_another_tenant(world, namespace, form, code):
    for attacker in world.attackers:
        for names, absent in tenancy.targets(world, tenancy.kinds(form), attacker):
            refusals = [refusal(world.url, namespace, {"token": attacker.token} | tenancy.filled(form, one)) for one in (names, absent)]
            assert refusals[0] == refusals[1] and refusals[0]["data"]["code"] == code, (attacker.name, refusals)


def refusal(url: str, namespace: str, auth: dict) -> dict:
    """The CONNECT_ERROR of a handshake."""
    client, told = socketio.Client(reconnection=False), []
    client.on("connect_error", handler=told.append, namespace=namespace)
    try:
        with pytest.raises(socketio.exceptions.ConnectionError):
            client.connect(url, auth=auth, namespaces=[namespace], transports=["websocket"], wait_timeout=10)
    finally:
        client.disconnect()
    return told[0]


def test_what_is_pushed_to_one_tenant_reaches_nobody_else(world):
    """All that the victim did was done while the attackers' sockets were open; and they were sent their own."""
    seen = {
        "/": {name for name, _, _ in world.client.received} | world.cut_names,
        "/console": {name for of, name, _ in world.console.everything() if of == "/console"},
    }
    for namespace, names in tenancy.PUSHES.items():
        missing = {name for name, how in names.items() if how} - seen[namespace]
        assert not missing, f"the victim was never sent {missing}: nothing is known of them"
    for attacker in world.attackers:
        watcher = world.watchers[attacker.name]
        for namespace, name, text in watcher.everything():
            assert not world.leaks(text, attacker, watcher.said), f"{attacker.name} was sent {name} on {namespace}: {text[:500]}"


def test_what_a_model_is_told_is_the_callers_own(world, witness):
    """A conversation of the same name in another tenant has no history of the victim's."""
    for attacker in world.attackers:
        for thing in world.things["talk"]:
            plan = f'{{"id": "told-{attacker.name}-{thing.name}"}}'
            body = {"text": plan, "model": "witness", "conversation_id": thing.name}
            answer = attacker.session.post(world.url + "/v1/runs", json=body, headers={"accept": "text/event-stream"}, timeout=20)
            assert answer.status_code == 200, answer.text
            assert not world.leaks(answer.text, attacker, thing.name)
            assert not world.leaks(json.dumps(witness.request(f"told-{attacker.name}-{thing.name}").body), attacker, thing.name)


@pytest.mark.parametrize("how", ["revoked", "blocked", "expired", "token"])
def test_a_key_that_is_taken_away_is_out_of_its_open_sockets(world, how):
    """It asks for nothing more, and is told nothing more."""
    org = f"{how}org"
    root = world.installation.key(org, "web", "root", "--role", "admin")["key"]
    made = world.installation.key(org, "web", "boss", "--role", "admin")
    # As old as a token may be: clocks may differ by a minute.
    gone = Watcher(
        world.url, Attacker(how, world.token(org, seconds=-55, user="boss") if how == "token" else made["key"], org, is_admin=True)
    )
    left: list[str] = []
    gone.sio.on("disconnect", handler=lambda *_: left.append("console"), namespace="/console")
    try:
        assert gone.call("/", "chat_message", tenancy.TEXT)["ok"]
        code = "token_expired" if how == "token" else "invalid_api_key"
        if how == "revoked":
            world.installation.command("keys", "revoke", made["id"])
        elif how != "token":
            body = {"key": made["id"]} | ({"blocked": True} if how == "blocked" else {"duration": "1s"})
            answer = requests.post(world.url + "/key/update", json=body, headers=bearer(root), timeout=10)
            assert answer.status_code == 200, answer.text
        wait_until("its console is shown out", lambda: left, 10)
        for event in tenancy.EVENTS:
            if event.name not in ("auth_refresh", "ping"):
                refused = gone.call(
                    "/", event.name, tenancy.filled(event.arguments[0], {kind: "x" for kind in tenancy.kinds(event.arguments[0])})
                )
                assert refused["error"]["code"] == code, (event.name, refused)
        # A key that is good lets the same socket go on.
        again = world.installation.key(org, "web", "boss")["key"]
        assert gone.call("/", "auth_refresh", {"token": again})["ok"]
        assert gone.call("/", "chat_message", tenancy.TEXT)["ok"]
    finally:
        gone.close()

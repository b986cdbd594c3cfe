"""Two servers on one Redis and one Postgres behind the proxies of `deployment/`."""

import json
import ssl
import threading
import time

import httpx
import pytest
import requests
import socketio

from rig.proxies import HAProxy, Nginx
from rig.realtime import Client
from rig.server import Installation
from rig.sse import TERMINAL
from rig.stores import Redis
from rig.waiting import wait_until


def new_session(front) -> requests.Session:
    """A client that trusts the proxy's certificate, whatever the environment says."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(front.certificate)
    return session


class Fleet:
    def __init__(self, folder, postgres: str):
        (folder / "redis").mkdir()
        self.redis = Redis(folder / "redis")
        self.installations = [Installation(folder / name, redis=self.redis.url, postgres=postgres) for name in ("one", "two")]
        self.servers = [installation.serve() for installation in self.installations]

    def stop(self) -> None:
        for installation in self.installations:
            installation.stop()
        self.redis.stop()


@pytest.fixture(scope="module")
def fleet(shared_postgres, tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("proxies"), shared_postgres.database())
    yield fleet
    fleet.stop()


@pytest.fixture(scope="module", params=[Nginx, HAProxy])
def front(request, fleet, tmp_path_factory):
    front = request.param(tmp_path_factory.mktemp("front") / "it", [server.url for server in fleet.servers])
    yield front
    front.stop()


@pytest.fixture
def client(fleet, front, make_tenant):
    """A session of requests as a new client, with a key."""
    session = new_session(front)
    session.headers.update(make_tenant(fleet.installations[0]).headers)
    yield session
    session.close()


def events(response) -> list[tuple[str, float]]:
    """The names of a stream's events and when each came, to the run's end."""
    found = []
    for line in response.iter_lines(chunk_size=1):
        if line.startswith(b"event: "):
            found.append((line.removeprefix(b"event: ").decode(), time.monotonic()))
            if found[-1][0] in TERMINAL:
                return found
    raise AssertionError(f"the stream broke off: {found[-3:]}")


def start(client, url: str, text: str):
    return client.post(
        url + "/v1/runs", json={"text": text, "model": "demo"}, headers={"accept": "text/event-stream"}, stream=True, timeout=60
    )


def test_the_proxy_has_nothing_to_complain_of_sends_to_tls_and_keeps_metrics_inside(front, client):
    assert front.warnings == []
    moved = requests.get(front.http + "/console/", allow_redirects=False, timeout=10)
    assert moved.status_code == 308 and moved.headers["location"].startswith("https://localhost")
    assert client.get(front.https + "/metrics", timeout=10).status_code == 404
    page = client.get(front.https + "/", timeout=10)
    assert page.status_code == 200 and page.headers["strict-transport-security"]


def test_an_event_stream_comes_token_by_token(front, client):
    came = events(start(client, front.https, "Tell me something.\n@tokens 60\n@rate 20"))
    assert came[-1][0] == "chat_complete"
    deltas = [at for name, at in came if name == "chat_delta"]
    assert len(deltas) > 10 and deltas[-1] - deltas[0] > 0.7, "the events came together"


def test_http2_to_the_proxy_and_kept_connections_behind_it(fleet, front, client):
    trust = ssl.create_default_context(cafile=str(front.certificate))
    with httpx.Client(http2=True, verify=trust, trust_env=False, headers={"authorization": client.headers["authorization"]}) as two:
        for _ in range(50):
            answer = two.get(front.https + "/v1/models")
            assert answer.http_version == "HTTP/2" and answer.status_code == 200
        asked = {"text": "Tell me something.\n@tokens 30\n@rate 100", "model": "demo"}
        with two.stream("POST", front.https + "/v1/runs", json=asked, headers={"accept": "text/event-stream"}) as stream:
            names = [line.removeprefix("event: ") for line in stream.iter_lines() if line.startswith("event: ")]
    assert names[-1] == "chat_complete"
    assert all(server.metrics()["kdcube_tcp_connections"] < 20 for server in fleet.servers)


def connect(front, key: str, transports: tuple[str, ...]) -> Client:
    """This client reads and writes a WebSocket on two threads, and Python's TLS was not made for that: a few of a hundred connections end as
    they begin, by the client's own doing. Over plain TCP none of them does, with the same proxy."""
    for left in reversed(range(5)):
        # python-socketio makes its own session unless it is given one, which then keeps the proxy's cookie over the upgrade.
        options = {"http_session": new_session(front), "websocket_extra_options": {"sslopt": {"ca_certs": str(front.certificate)}}}
        try:
            return Client(front.https, key, transports, wait_timeout=3, **options)
        except socketio.exceptions.ConnectionError:
            if left == 0:
                raise
    raise AssertionError("unreachable")


@pytest.mark.parametrize("transports", [("websocket",), ("polling",), ("polling", "websocket")])
def test_socket_io_over_each_transport(front, client, transports):
    for left in reversed(range(5)):
        socket = connect(front, client.headers["authorization"].removeprefix("Bearer "), transports)
        try:
            for _ in range(3):
                told = socket.call("chat_message", {"text": "Hello.\n@tokens 40\n@rate 200", "model": "demo"})
                assert told["ok"]
                socket.wait("chat_complete", told["run_id"])
            return
        except socketio.exceptions.SocketIOError:
            # The client's own fault, as in connect().
            if left == 0:
                raise
        finally:
            socket.close()


def test_a_polling_session_and_a_run_stay_with_their_server(front, client):
    polling = front.https + "/socket.io/?EIO=4&transport=polling"
    sid = json.loads(client.get(polling, timeout=10).text[1:])["sid"]
    for _ in range(20):
        assert client.post(f"{polling}&sid={sid}", data="3", timeout=10).text == "ok"
    started = client.post(front.https + "/v1/runs", json={"text": "Hello.\n@tokens 20\n@rate 0", "model": "demo"}, timeout=10)
    for _ in range(5):
        url = f"{front.https}/v1/runs/{started.json()['run_id']}/events"
        with client.get(url, headers={"accept": "text/event-stream"}, stream=True, timeout=10) as again:
            assert again.status_code == 200
            assert events(again)[-1][0] == "chat_complete"
    if isinstance(front, HAProxy):
        assert client.cookies["KDCUBE"] in ("kdcube0", "kdcube1")


def test_a_server_that_drains_keeps_its_runs_and_gets_no_new_clients(shared_postgres, tmp_path, make_tenant):
    """A rolling upgrade behind HAProxy, which asks /readyz."""
    fleet = Fleet(tmp_path, shared_postgres.database())
    front = HAProxy(tmp_path / "front", [server.url for server in fleet.servers])
    try:
        client = new_session(front)
        client.headers.update(make_tenant(fleet.installations[0]).headers)
        came: list[tuple[str, float]] = []
        stream = start(client, front.https, "A long one.\n@tokens 240\n@rate 20")
        mine = fleet.servers[int(stream.cookies["KDCUBE"].removeprefix("kdcube"))]
        reader = threading.Thread(target=lambda: came.extend(events(stream)))
        reader.start()
        mine.process.terminate()

        def elsewhere() -> bool:
            fresh = requests.post(
                front.https + "/v1/runs",
                json={"text": "Hello.\n@tokens 5\n@rate 0", "model": "demo"},
                headers=dict(client.headers),
                verify=front.certificate,
                timeout=10,
            )
            return fresh.status_code == 202

        wait_until("new clients get the other server", elsewhere, 10, every=0.2)
        assert mine.process.alive, "its run goes on"
        reader.join(30)
        assert came[-1][0] == "chat_complete"
        assert mine.process.wait() == 0
    finally:
        front.stop()
        fleet.stop()

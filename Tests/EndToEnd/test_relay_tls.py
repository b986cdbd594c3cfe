"""Servers that speak TLS with each other, behind a balancer that sends every request to one of them at random: stock clients notice nothing,
and who does not prove to be of the cluster gets nothing."""

import json
import ssl

import pytest
import requests

from rig import certificates
from rig.balancer import RandomBalancer
from rig.realtime import Client
from rig.server import ROOT, Installation, Server
from rig.stores import Redis
from rig.waiting import wait_until

NODES = 3


def installation(folder, redis: str, tls: dict | None, **more) -> Installation:
    server = {"web_client": str(ROOT / "web-client"), "host": "127.0.0.1"} | ({"tls": tls} if tls else {})
    return Installation(folder, redis=redis, server=server, transport={"cluster": True}, **more)


def ask(server: Server, sid: str = "", body: str | None = None) -> requests.Response:
    """A request of a polling session; without `sid` the one that opens it."""
    with requests.Session() as client:
        client.trust_env, client.verify = False, str(server.certificate)
        address = f"{server.url}/socket.io/?EIO=4&transport=polling" + (f"&sid={sid}" if sid else "")
        return client.request("GET" if body is None else "POST", address, data=body, timeout=10)


def opened(server: Server) -> str:
    return json.loads(ask(server).text[1:])["sid"]


def relayed(server: Server, outcome: str) -> int:
    return int(server.metrics()[f'kdcube_relayed_requests_total{{outcome="{outcome}"}}'])


def relays(server: Server, owner: Server) -> bool:
    return ask(server, opened(owner), "40").status_code == 200


class Cluster:
    def __init__(self, folder, postgres: str):
        self.folder = folder
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        certificates.make(self.certificate, self.key)
        (folder / "redis").mkdir()
        self.redis = Redis(folder / "redis")
        tls = {"certificate": str(self.certificate), "key": str(self.key)}
        self.installation = installation(folder / "nodes", self.redis.url, tls, postgres=postgres)
        for _ in range(NODES):
            self.installation.serve(ready=False)
        self.servers = self.installation.servers
        for server in self.servers:
            server.wait_ready()
        for server in self.servers:
            for owner in self.servers:
                wait_until("a server finds the others", lambda a=server, b=owner: relays(a, b), 20)
        self.balancer = RandomBalancer(folder / "balancer", [server.port for server in self.servers], tls=True, probe="/healthz")

    def relayed(self, outcome: str) -> int:
        return sum(relayed(server, outcome) for server in self.servers)

    def shown(self) -> set[str]:
        return {ssl.get_server_certificate(("127.0.0.1", server.port), timeout=10).strip() for server in self.servers}

    def stop(self) -> None:
        self.balancer.stop()
        self.installation.stop()
        self.redis.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, shared_postgres):
    cluster = Cluster(tmp_path_factory.mktemp("relay-tls"), shared_postgres.database())
    yield cluster
    cluster.stop()


@pytest.fixture
def key(cluster, make_tenant):
    return make_tenant(cluster.installation).key


@pytest.mark.parametrize("transports", [("polling",), ("polling", "websocket")], ids="+".join)
def test_a_stock_client_meets_a_server_at_random_with_every_request(cluster, key, transports):
    before = cluster.relayed("answered"), cluster.relayed("upgraded")
    for _ in range(6):
        client = Client(cluster.balancer.url, key, transports)
        try:
            assert client.sio.transport() == transports[-1]
            run = client.call("chat_message", {"text": "Hello.\n@tokens 40\n@rate 400", "model": "demo"})["run_id"]
            assert client.finish(run)[-1]["type"] == "chat.complete"
        finally:
            client.close()
    # That every request of six sessions meets its own server happens once in some ten thousand runs.
    assert cluster.relayed("answered") > before[0]
    if "websocket" in transports:
        assert cluster.relayed("upgraded") > before[1]
    assert cluster.relayed("untrusted") == 0


def test_a_certificate_is_renewed_under_a_polling_client(cluster, key):
    """The servers take it at different moments, and one file comes before the other."""
    client = Client(cluster.balancer.url, key, ("polling",))
    try:
        sid, before = client.sio.get_sid(), cluster.shown()
        certificates.make(cluster.folder / "new.pem", cluster.folder / "new.key")
        (cluster.folder / "new.pem").replace(cluster.certificate)
        assert client.call("ping", {})["timestamp"] and cluster.shown() == before
        (cluster.folder / "new.key").replace(cluster.key)

        def all_show_it() -> bool:
            assert client.call("ping", {})["timestamp"]
            return cluster.shown() == {cluster.certificate.read_text().strip()}

        wait_until("all show the new one", all_show_it, 20)
        for _ in range(20):
            assert client.call("ping", {})["timestamp"]
        assert client.sio.connected and client.sio.get_sid() == sid
        assert cluster.relayed("untrusted") == 0
    finally:
        client.close()


@pytest.mark.parametrize("speaks_tls", [True, False], ids=["another certificate", "no TLS"])
def test_a_server_that_does_not_prove_to_be_of_the_cluster_gets_nothing(cluster, tmp_path, speaks_tls):
    """It writes itself into the table like any other. Its sessions are unknown to the others, as if it were down, and theirs to it."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificates.make(certificate, key)
    tls = {"certificate": str(certificate), "key": str(key)} if speaks_tls else None
    stranger = installation(tmp_path / "it", cluster.redis.url, tls)
    try:
        other, server = stranger.serve(), cluster.servers[0]
        for asked, owner in ((server, other), (other, server)):
            sid, before = opened(owner), relayed(asked, "untrusted")

            def is_refused(asked=asked, sid=sid, before=before) -> bool:
                answer = ask(asked, sid, "40")
                assert (answer.status_code, answer.json()["code"]) == (400, 1)
                return relayed(asked, "untrusted") > before

            wait_until("the server knows where the session is, and does not ask there", is_refused, 20)
    finally:
        stranger.stop()

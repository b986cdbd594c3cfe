"""Hundreds of clients that are dropped at once and come back at once: all are back, nobody misses anything, and the memory is given back."""

import asyncio

import pytest
import requests

from rig import lines
from rig.envelopes import answer, check_run, tokens
from rig.server import Installation
from rig.sse import wait_for
from rig.waiting import wait_until

pytestmark = pytest.mark.alone

CLIENTS, STORMS = 300, 2
TOKENS, RATE = 200, 50


@pytest.fixture
def alone(tmp_path):
    """A server whose memory nobody else uses."""
    installation = Installation(tmp_path)
    installation.serve()
    yield installation
    installation.stop()


class Client:
    """Follows a run, wherever its connection broke."""

    def __init__(self, port: int, key: str, run: str):
        self.port, self.key, self.run = port, key, run
        self.seen: list[dict] = []

    async def come(self) -> None:
        self.line = await lines.Socket.join(self.port, self.key)
        self.line.resume(self.run, self.seen[-1]["seq"] if self.seen else 0)
        self.seen.append(await self.line.envelope())


def test_a_storm_loses_nobody_and_gives_the_memory_back(alone):
    server, key = alone.servers[0], alone.key("storm")["key"]
    body = {"text": f"Go.\n@tokens {TOKENS}\n@rate {RATE}", "model": "demo"}
    run = requests.post(server.url + "/v1/runs", json=body, headers={"authorization": f"Bearer {key}"}, timeout=10).json()["run_id"]
    clients = [Client(server.port, key, run) for _ in range(CLIENTS)]

    async def storms() -> list[int]:
        sizes = []
        for storm in range(1 + STORMS):
            await asyncio.gather(*(client.come() for client in clients))
            wait_until("all are there", lambda: server.metrics()["kdcube_connections"] == CLIENTS, 60)
            sizes.append(server.resident_kib())
            if storm < STORMS:
                for client in clients:
                    client.line.drop()
        assert all(await asyncio.gather(*(lines.rest(client.line, client.seen) for client in clients))), "a connection ended"
        for client in clients:
            client.line.drop()
        return sizes

    sizes = wait_for(storms())
    for client in clients:
        assert check_run(client.seen)["type"] == "chat.complete" and tokens(answer(client.seen)) == TOKENS
    # All that a client has costs as much the second time as the first.
    assert sizes[-1] < 1.1 * sizes[0], f"resident KiB with {CLIENTS} clients, storm by storm: {sizes}"
    # And once they have left it is given back.
    before = server.metrics()["kdcube_memory_returns_total"]
    wait_until("it is given back", lambda: server.metrics()["kdcube_memory_returns_total"] > before, 30, every=0.5)
    assert server.resident_kib() < sizes[-1]

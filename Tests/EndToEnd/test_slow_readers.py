"""Readers that stop reading in the middle of a run cost little, slow nobody, and get the whole text when they read on."""

import asyncio

import pytest
import requests

from rig import lines
from rig.envelopes import answer, check_run, of_sse, tokens
from rig.server import Installation
from rig.sse import collect, wait_for
from rig.waiting import wait_until

#: Of each kind: event streams and sockets.
READERS = 8
TOKENS, RATE = 20_000, 5_000
#: What one may cost, in the process and in the kernel.
COST_MAX = 1 << 20


@pytest.fixture
def alone(tmp_path):
    """A server whose memory nobody else uses."""
    installation = Installation(tmp_path)
    installation.serve()
    yield installation
    installation.stop()


def start(server, key: str) -> str:
    body = {"text": f"Go.\n@tokens {TOKENS}\n@rate {RATE}", "model": "demo"}
    return requests.post(server.url + "/v1/runs", json=body, headers={"authorization": f"Bearer {key}"}, timeout=10).json()["run_id"]


async def readers(port: int, key: str, run: str) -> list[lines.Line]:
    """Each has read its first event, and reads no more."""
    found = []
    for number in range(2 * READERS):
        if number % 2:
            line = await lines.Socket.join(port, key, receive_buffer=4_096)
            line.resume(run, 0)
        else:
            line = await lines.EventStream.follow(port, key, run, receive_buffer=4_096)
        line.seen = [await line.envelope()]
        found.append(line)
    return found


def test_readers_that_stop_cost_less_than_a_mebibyte_and_lose_nothing(alone):
    server, key = alone.servers[0], alone.key("slow")["key"]
    # What every run makes the process touch for the first time is no reader's cost.
    collect(server.url, key, {"text": f"Go.\n@tokens {TOKENS}\n@rate 0", "model": "demo"})

    async def stop_and_go_on() -> None:
        before = server.resident_kib()
        run = start(server, key)
        stopped = await readers(server.port, key, run)
        other = of_sse(await asyncio.to_thread(collect, server.url, key, {"text": "Go.\n@tokens 50\n@rate 100", "model": "demo"}))
        assert check_run(other)["type"] == "chat.complete", "a healthy reader beside them"
        await asyncio.to_thread(wait_until, "the runs are over", lambda: server.metrics()["kdcube_runs_active"] == 0, 60)
        waiting = lines.waiting_bytes(server.port)
        mine = [waiting[line.port] for line in stopped]
        cost = (server.resident_kib() - before) * 1024 / len(stopped)
        assert min(mine) > 0, "a reader that has read everything shows nothing"
        assert cost + max(mine) < COST_MAX, f"{cost:.0f} bytes a reader in the process, {mine} in the kernel"
        for line in stopped:
            assert await lines.rest(line, line.seen), "the connection ended"
            end = check_run(line.seen)
            assert end["type"] == "chat.complete" and tokens(answer(line.seen)) == TOKENS
            assert answer(line.seen) == end["data"]["final_answer"]
            line.drop()

    wait_for(stop_and_go_on())

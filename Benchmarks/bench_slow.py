"""Readers that stop reading: what they cost, whether they get the whole text, and what they do to a healthy one.

A thousand event streams and a thousand sockets follow runs of 20,000 tokens, a hundred readers a run. Each reads its first event and
then nothing for a minute; its kernel keeps 4 KiB for it. Over a WebSocket the heartbeat ends such a connection (25 + 20 s by default): that client
comes back with `chat_resume`, as the SDK does. An event stream goes on where it was. Both must end up with the run's whole text.

The healthy readers follow an upstream that stamps every token with its time: before anything else happens, beside the runs that nobody
reads, and beside the same runs with the slow readers: first while these are sent what buffers take, then while they stand still.
"""

import asyncio
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import requests
from bench_runs import latency

from harness import LOAD_CORE, SERVER_CORE, cpu_seconds, percentiles, pin, raise_file_limit, table
from rig import lines
from rig.envelopes import answer, check_run, tokens
from rig.server import Installation
from rig.waiting import wait_until

READERS = int(os.environ.get("READERS", "2000"))
READERS_A_RUN = 100
TOKENS, STOP = 20_000, int(os.environ.get("STOP", "60"))
BATCH = 50


def started(server, key: str) -> str:
    body = {"text": f"Go.\n@tokens {TOKENS}\n@rate {TOKENS / STOP:.0f}", "model": "demo"}
    response = requests.post(f"{server.url}/v1/runs", json=body, headers={"authorization": f"Bearer {key}"}, timeout=30)
    assert response.status_code == 202, response.text
    return response.json()["run_id"]


class Slow:
    def __init__(self, port: int, key: str, run: str, is_socket: bool):
        self.port, self.key, self.run, self.is_socket = port, key, run, is_socket
        self.seen: list[dict] = []
        self.returns = 0

    async def come(self) -> None:
        if self.is_socket:
            self.line = await lines.Socket.join(self.port, self.key, receive_buffer=4_096)
            self.line.resume(self.run, self.seen[-1]["seq"] if self.seen else 0)
        else:
            self.line = await lines.EventStream.follow(self.port, self.key, self.run, receive_buffer=4_096)
        self.seen.append(await self.line.envelope())

    async def finish(self) -> None:
        """Reads on; after the end of a connection on another one."""
        while not await lines.rest(self.line, self.seen):
            assert self.is_socket, "an event stream was cut"
            self.returns += 1
            self.line.drop()
            await self.come()
        self.line.drop()
        end = check_run(self.seen)
        assert tokens(answer(self.seen)) == TOKENS and answer(self.seen) == end["data"]["final_answer"]
        self.seen = []


async def each(jobs) -> None:
    places = asyncio.Semaphore(BATCH)

    async def one(job) -> None:
        async with places:
            await job

    await asyncio.gather(*(one(job) for job in jobs))


class Healthy:
    """Ages of tokens in a process of its own, which nothing else in this file disturbs."""

    def __init__(self, server, key: str):
        self.arguments = [sys.executable, __file__, "--healthy", str(server.port), key]

    def ages(self, rounds: int = 0) -> list[float]:
        environment = os.environ | ({"ROUNDS": str(rounds)} if rounds else {})
        out = subprocess.run(self.arguments, capture_output=True, text=True, check=True, env=environment).stdout
        return [float(line) for line in out.split()]


def healthy(port: int, key: str) -> None:
    def chat(prompt: str) -> dict:
        return {"model": "witness", "text": prompt}

    print("\n".join(map(str, latency(port, "/v1/runs", key, chat)[1])))


def main() -> None:
    raise_file_limit()
    os.sched_setaffinity(0, LOAD_CORE)
    if sys.argv[1:2] == ["--healthy"]:
        return healthy(int(sys.argv[2]), sys.argv[3])
    witness = subprocess.Popen(
        [sys.executable, pathlib.Path(__file__).with_name("bench_runs.py"), "--witness"], stdout=subprocess.PIPE, text=True
    )
    with tempfile.TemporaryDirectory() as name:
        installation = Installation(pathlib.Path(name), upstream=f"http://127.0.0.1:{int(witness.stdout.readline())}/v1")
        try:
            pin(witness.pid, LOAD_CORE)
            measure(installation)
        finally:
            installation.stop()
            witness.terminate()
            witness.wait()


def measure(installation: Installation) -> None:
    server = installation.serve()
    pin(server.process.pid, SERVER_CORE)
    key = installation.key("slow")["key"]
    healthy = Healthy(server, key)
    healthy.ages()  # warm
    rows = [["alone", percentiles(healthy.ages()), ""]]
    runs = READERS // READERS_A_RUN

    def beside(title: str, rounds: int = 0) -> None:
        cpu, began = cpu_seconds(server.process.pid), time.monotonic()
        ages = percentiles(healthy.ages(rounds))
        used = (cpu_seconds(server.process.pid) - cpu) / (time.monotonic() - began)
        rows.append([title, ages, f"{used:.0%}"])

    for _ in range(runs):
        started(server, key)
    beside(f"beside {runs} runs of {TOKENS:,} tokens that nobody reads")
    wait_until("the runs are over", lambda: server.metrics()["kdcube_runs_active"] == 0, STOP + 60, every=1)
    asyncio.run(slow(server, key, runs, beside))
    head = ["a healthy reader", "age of a token p50 / p99 ms", "CPU of the server"]
    table(f"Slow readers: {READERS:,} that read nothing for {STOP} s", head, rows)


async def slow(server, key: str, runs: int, beside) -> None:
    before = server.resident_kib()
    live = [started(server, key) for _ in range(runs)]
    readers = [Slow(server.port, key, live[number // READERS_A_RUN], number % 2 == 0) for number in range(READERS)]
    began = time.monotonic()
    await each(reader.come() for reader in readers)
    print(f"  {len(readers)} came within {time.monotonic() - began:.1f} s", file=sys.stderr)
    stop = time.monotonic()
    # The last ones to come are still being sent what is kept for each: that is work, and over in some seconds.
    await asyncio.to_thread(beside, "while the last of them are sent what is kept for them", 1)
    await asyncio.to_thread(beside, f"beside {READERS:,} readers that read nothing")
    # Shortly before the heartbeat ends the half of them, and at the end.
    costs = []
    for second in (min(40, STOP - 1), STOP):
        await asyncio.sleep(max(0, second - (time.monotonic() - stop)))
        waiting = lines.waiting_bytes(server.port)
        mine = [waiting[reader.line.port] for reader in readers if reader.line.port in waiting]
        costs.append(((server.resident_kib() - before) / READERS, sum(mine) / 1024 / len(mine), max(mine) / 1024, len(mine)))
    began = time.monotonic()
    # All at once: one that waited for its turn here would have read nothing for longer than an event stream may.
    await asyncio.gather(*(reader.finish() for reader in readers))
    returned = sum(reader.returns > 0 for reader in readers)
    form = [[f"{cost[0]:.0f}", f"{cost[1]:.0f}", f"{cost[2]:.0f}", f"{cost[3]:,}"] for cost in costs]
    table(
        f"What {READERS:,} readers cost that read nothing",
        ["after", "KiB each in the process", "in the kernel, mean", "most", "connections"],
        [[f"{second} s", *cells] for second, cells in zip((min(40, STOP - 1), STOP), form, strict=True)],
    )
    print(f"  all {READERS:,} have the whole text, {time.monotonic() - began:.1f} s after they read on; {returned:,} came back for it")


if __name__ == "__main__":
    main()

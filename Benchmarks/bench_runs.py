"""Runs: tokens a second with and without windows to pay from, and the latency that the server adds to its upstream.

Throughput: the scripted model as fast as it goes, read as raw bytes, so that the reader is not what is measured. "No
window" is a key without any budget on its path; the others pay from the same twelve windows on four scopes.
Latency: a witness upstream stamps every token with the time at which it sent it; the same stream is read directly and
through the server.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from harness import LOAD_CORE, SERVER_CORE, cpu_seconds, percentiles, pin, raise_file_limit, table
from rig.server import Installation
from rig.stores import Redis
from rig.witness import Plan, Witness

ROUNDS = int(os.environ.get("ROUNDS", "7"))
RUNS, TOKENS = 16, 100_000
LIVE, PACED_TOKENS, PACE = 20, 200, 50
_STAMP = re.compile(rb" (\d{10}\.\d{6})")


def request(path: str, key: str, body: dict) -> bytes:
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\naccept: text/event-stream\r\nconnection: close\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data


async def drain(port: int, message: bytes) -> int:
    """Reads a run to its end; returns the output tokens that its last events name."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(message)
    tail = b""
    while data := await reader.read(1 << 18):
        tail = (tail + data)[-8192:]
        if b"chat.complete" in tail[-8192:] and b'"output_tokens"' in tail:
            break
    writer.close()
    found = re.findall(rb'"output_tokens":\s*(\d+)', tail)
    assert found, tail
    return int(found[-1])


def throughput(server, key: str) -> tuple[float, float]:
    """Tokens a second, and tokens per CPU second of the server, over runs that go at once."""
    text = f"Go.\n@tokens {TOKENS}\n@rate 0"
    message = request("/v1/runs", key, {"text": text, "model": "demo"})

    async def all_runs() -> list[int]:
        return await asyncio.gather(*(drain(server.port, message) for _ in range(RUNS)))

    cpu, started = cpu_seconds(server.process.pid), time.monotonic()
    tokens = sum(asyncio.run(all_runs()))
    elapsed, used = time.monotonic() - started, cpu_seconds(server.process.pid) - cpu
    assert tokens == RUNS * TOKENS, f"{tokens} of {RUNS * TOKENS} tokens"
    return tokens / elapsed, tokens / used


def windows(installation: Installation, org: str, key_id: str) -> None:
    for scope in (f"org:{org}", f"project:{org}/web", f"user:{org}/web/ada", f"key:{key_id}"):
        installation.budget(scope, "100000", "usd", "day")
        installation.budget(scope, "1000000000", "tokens", "month")
        installation.budget(scope, "100000000", "requests", "day")


def throughput_rows(folder: pathlib.Path, redis: Redis) -> list[list[str]]:
    with contextlib.ExitStack() as stack:
        variants = {}
        for name, store, capped in (("no window", "", False), ("12 windows, embedded", "", True), ("12 windows, Redis", redis.url, True)):
            installation = Installation(folder / f"v{len(variants)}", redis=store)
            stack.callback(installation.stop)
            server = installation.serve()
            pin(server.process.pid, SERVER_CORE)
            key = installation.key("bench")
            if capped:
                windows(installation, "bench", key["id"])
            throughput(server, key["key"])  # warm
            variants[name] = (server, key["key"], [])
        for _ in range(ROUNDS):
            for server, key, figures in variants.values():
                figures.append(throughput(server, key))
    base = [figure[1] for figure in variants["no window"][2]]
    rows = []
    for name, (_, _, figures) in variants.items():
        per_cpu = statistics.median(figure[1] for figure in figures)
        spread = f"{min(figure[1] for figure in figures):,.0f} - {max(figure[1] for figure in figures):,.0f}"
        rate = statistics.median(figure[0] for figure in figures)
        # Round by round, because what else the machine does changes between them.
        cost = statistics.median(1 - figure[1] / plain for figure, plain in zip(figures, base, strict=True))
        rows.append([name, f"{rate:,.0f}", f"{per_cpu:,.0f}", spread, f"{cost * 100:+.1f} %"])
    return rows


async def paced(port: int, message: bytes) -> tuple[float, list[float]]:
    """Time to the first token, and the age of each token at its arrival."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.time()
    writer.write(message)
    first, ages, rest = 0.0, [], b""
    while data := await reader.read(1 << 16):
        now = time.time()
        whole, _, rest = (rest + data).rpartition(b"\n")
        stamps = _STAMP.findall(whole)
        if stamps and not first:
            first = now - started
        ages += [now - float(stamp) for stamp in stamps]
        if len(ages) >= PACED_TOKENS:
            break
    writer.close()
    assert len(ages) >= PACED_TOKENS, f"{len(ages)} of {PACED_TOKENS} tokens"
    return first, ages[:PACED_TOKENS]  # the last event repeats the whole answer


def latency(port: int, path: str, key: str, make_body) -> tuple[list[float], list[float]]:
    async def all_runs():
        jobs = []
        for index in range(LIVE):
            plan = Plan(id=f"{time.monotonic_ns()}-{index}", tokens=PACED_TOKENS, rate=PACE, stamp=True)
            jobs.append(asyncio.create_task(paced(port, request(path, key, make_body(plan.prompt())))))
            await asyncio.sleep(0.0513)  # apart, so that neither their starts nor their ticks coincide
        return await asyncio.gather(*jobs)

    firsts, ages = [], []
    for _ in range(ROUNDS):
        for first, each in asyncio.run(all_runs()):
            firsts.append(first)
            ages += each
    return firsts, ages


def latency_rows(folder: pathlib.Path) -> list[list[str]]:
    witness = subprocess.Popen([sys.executable, __file__, "--witness"], stdout=subprocess.PIPE, text=True)
    installation = None
    try:
        port = int(witness.stdout.readline())
        pin(witness.pid, LOAD_CORE)
        installation = Installation(folder / "latency", upstream=f"http://127.0.0.1:{port}/v1")
        server = installation.serve()
        pin(server.process.pid, SERVER_CORE)
        key = installation.key("bench")
        windows(installation, "bench", key["id"])

        def chat(prompt: str) -> dict:
            return {"model": "witness", "messages": [{"role": "user", "content": prompt}], "stream": True}

        figures = {
            "the upstream directly": latency(port, "/v1/chat/completions", "w", chat),
            "through the server, openai": latency(server.port, "/v1/chat/completions", key["key"], chat),
            "through the server, events": latency(server.port, "/v1/runs", key["key"], lambda prompt: {"model": "witness", "text": prompt}),
        }
    finally:
        if installation:
            installation.stop()
        witness.terminate()
        witness.wait()
    direct = [statistics.median(values) for values in figures["the upstream directly"]]
    rows = []
    for name, (firsts, ages) in figures.items():
        added = [statistics.median(values) - base for values, base in zip((firsts, ages), direct, strict=True)]
        rows.append([name, percentiles(firsts), f"{added[0] * 1000:+.2f}", percentiles(ages), f"{added[1] * 1000:+.2f}"])
    return rows


def main() -> None:
    if sys.argv[1:] == ["--witness"]:
        print(Witness().port, flush=True)
        time.sleep(3600)
        return
    raise_file_limit()
    os.sched_setaffinity(0, LOAD_CORE)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        redis = Redis(folder)
        try:
            pin(redis.process.pid, LOAD_CORE)
            rows = throughput_rows(folder, redis)
        finally:
            redis.stop()
        head = ["", "tokens/s", "tokens per CPU s", "spread", "cost of metering"]
        table(f"{RUNS} runs of {TOKENS:,} tokens at once, medians of {ROUNDS}", head, rows)
        head = ["", "first token p50 / p99 ms", "added", "a token's age p50 / p99 ms", "added"]
        table(f"{LIVE} runs at {PACE} tokens a second", head, latency_rows(folder))


if __name__ == "__main__":
    main()

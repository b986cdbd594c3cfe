"""The cut: from the token that exhausts a cap, as the upstream sent it, to the cut event at the client.

One run at a time on an idle server. The upstream stamps every chunk with the time at which it sends it, and sends the next one two
milliseconds later; the last that is delivered is the last that the cap pays for, so what is measured is at most two
milliseconds longer than from the one that is refused. It is an error if another delta comes after the cut.
"""

import asyncio
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from bench_runs import request

from harness import LOAD_CORE, SERVER_CORE, percentiles, pin, table
from rig.server import Installation
from rig.stores import Redis
from rig.witness import Plan

CUTS = int(os.environ.get("CUTS", "100"))
CAP, PACE = 600, 500
_STAMP = re.compile(rb" (\d{10}\.\d{6})")


async def cut(port: int, message: bytes) -> float:
    """Seconds from the sending of the token that exhausts the cap to the cut event at the client."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(message)
    seen = b""
    while b'"type":"chat.cut"' not in seen:
        data = await reader.read(1 << 16)
        assert data, seen
        seen += data
    now = time.time()
    deltas, _, rest = seen.partition(b'"type":"chat.cut"')
    while data := await reader.read(1 << 16):
        rest += data
    writer.close()
    stamps = [float(stamp) for stamp in _STAMP.findall(deltas)]
    assert 0 < len(stamps) < CAP, f"{len(stamps)} chunks"
    assert b'"type":"chat.delta"' not in rest, "a token after the cut"
    return now - stamps[-1]


def rows_of(folder: pathlib.Path, port: int, name: str, redis: str) -> list[str]:
    installation = Installation(folder / re.sub(r"\W", "", name), upstream=f"http://127.0.0.1:{port}/v1", redis=redis)
    with contextlib.ExitStack() as stack:
        stack.callback(installation.stop)
        server = installation.serve()
        pin(server.process.pid, SERVER_CORE)
        ages = []
        for index in range(CUTS):
            key = installation.key("bench", "web", f"user{index}")
            installation.budget(f"user:bench/web/user{index}", str(CAP), "output_tokens", "total")
            installation.budget(f"key:{key['id']}", "10", "usd", "day")
            if index == 0:
                installation.budget("org:bench", "1000", "usd", "day")
                installation.budget("project:bench/web", "1000", "usd", "day")
            plan = Plan(id=f"{name}-{index}", tokens=CAP, rate=PACE, stamp=True)
            ages.append(asyncio.run(cut(server.port, request("/v1/runs", key["key"], {"model": "witness", "text": plan.prompt()}))))
        return [name, percentiles(ages), f"{max(ages) * 1000:.2f}"]


def main() -> None:
    os.sched_setaffinity(0, LOAD_CORE)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        redis = Redis(folder)
        witness = subprocess.Popen(
            [sys.executable, pathlib.Path(__file__).with_name("bench_runs.py"), "--witness"], stdout=subprocess.PIPE, text=True
        )
        try:
            port = int(witness.stdout.readline())
            for process in (redis.process, witness):
                pin(process.pid, LOAD_CORE)
            rows = [rows_of(folder, port, "embedded", ""), rows_of(folder, port, "Redis", redis.url)]
        finally:
            witness.terminate()
            witness.wait()
            redis.stop()
    table(f"{CUTS} cuts, a token each {1000 // PACE} ms", ["counters", "cut p50 / p99 ms", "longest"], rows)


if __name__ == "__main__":
    main()

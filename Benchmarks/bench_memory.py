"""Memory of one live stream: what the server's resident size grows by, for each of many runs that stream at one time.

Each run has its own connection (server-sent events), its run log with some hundred tokens, and a lease on eight windows in Redis: organisation,
project, user and key by money and by tokens.
"""

import asyncio
import contextlib
import pathlib
import statistics
import tempfile

from bench_runs import request

from harness import SERVER_CORE, pin, raise_file_limit, table
from rig.server import Installation
from rig.stores import Redis

#: Runs that live at one time, and what they stream.
LIVE = [500, 1_500, 3_000]
RATE, SECONDS = 20, 15


def resident(pid: int) -> int:
    """KiB."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def stream(port: int, key: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.write(request("/v1/runs", key, {"text": f"Go.\n@tokens 8000\n@rate {RATE}", "model": "demo"}))
    try:
        while await reader.read(1 << 14):
            pass
    finally:
        writer.close()


async def grown(port: int, pid: int, keys: list[str], live: int) -> float:
    """KiB a run; the runs are left when it is known."""
    before = resident(pid)
    jobs = []
    for index in range(live):
        jobs.append(asyncio.create_task(stream(port, keys[index % len(keys)])))
        await asyncio.sleep(0.002)
    await asyncio.sleep(SECONDS)
    after = resident(pid)
    assert not any(job.done() for job in jobs), "a run has ended"
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    return (after - before) / live


def main() -> None:
    raise_file_limit()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        redis = Redis(folder)
        stack.callback(redis.stop)
        rows = []
        for live in LIVE:
            # A fresh process each time: memory that was used once is not given back.
            installation = Installation(folder / f"v{live}", redis=redis.url)
            stack.callback(installation.stop)
            keys = [installation.key(f"bench{live}") for _ in range(4)]
            for scope in (
                f"org:bench{live}",
                f"project:bench{live}/web",
                f"user:bench{live}/web/ada",
                *(f"key:{key['id']}" for key in keys),
            ):
                installation.budget(scope, "100000", "usd", "day")
                installation.budget(scope, "1000000000", "tokens", "day")
            server = installation.serve()
            pin(server.process.pid, SERVER_CORE)
            asyncio.run(warm(server.port, keys[0]["key"]))
            kib = asyncio.run(grown(server.port, server.process.pid, [key["key"] for key in keys], live))
            rows.append([f"{live:,}", f"{kib:.1f}", f"{resident(server.process.pid) / 1024:.0f}"])
            installation.stop()
        table("Memory of live streams", ["live runs", "KiB a run", "MiB of the process"], rows)
        print(f"  median {statistics.median(float(row[1]) for row in rows):.1f} KiB")


async def warm(port: int, key: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request("/v1/runs", key, {"text": "Go.\n@tokens 50\n@rate 0", "model": "demo"}))
    while await reader.read(1 << 14):
        pass
    writer.close()


if __name__ == "__main__":
    main()

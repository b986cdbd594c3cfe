"""Socket.IO beside python-socketio under uvicorn: acknowledgements, broadcast, storms, idle connections.

The two servers take turns, so that what else the machine does meets both alike. Each figure is the median of the rounds.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

from harness import LOAD_CORE, ROOT, SERVER_CORE, pinned, raise_file_limit, table
from rig.waiting import free_port, wait_until

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = os.environ.get("SECONDS_A_RUN", "4")

#: name, unit, arguments of the generator
LOADS = [
    ("acks, 50 connections, 8 in flight", "per CPU s", ["--mode", "ack", "--conns", "50", "--inflight", "8"]),
    ("acks, 1,000 connections, 1 in flight", "per CPU s", ["--mode", "ack", "--conns", "1000"]),
    ("deliveries, room of 100", "per CPU s", ["--mode", "fanout", "--conns", "100"]),
    ("deliveries, room of 1,000", "per CPU s", ["--mode", "fanout", "--conns", "1000"]),
    ("deliveries, room of 5,000", "per CPU s", ["--mode", "fanout", "--conns", "5000", "--batch", "256"]),
    # The age of a delivery at a pace that both servers keep up with, which the loads above do not tell: they wait for the last member.
    ("age of a delivery, room of 500, 10 a second", "p99 ms", ["--mode", "fanout", "--conns", "500", "--rate", "10"]),
    ("5,000 clients that come at once", "a second", ["--mode", "idle", "--conns", "5000", "--batch", "5000"]),
    ("idle connection, 5,000 of them", "KiB", ["--mode", "idle", "--conns", "5000"]),
]


def ours(port: int) -> list[str]:
    return [f"{os.environ['KDCUBE_BINARIES']}/conformance-server", "--suite", "bench", "--port", str(port)]


def theirs(port: int) -> list[str]:
    return [sys.executable, "-W", "ignore", "Benchmarks/peer.py", str(port)]


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=polling", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def measure(command, load: list[str], seconds: str = SECONDS) -> dict:
    """One fresh server, one load; what the generator printed as JSON."""
    port = free_port()
    server = pinned(command(port), SERVER_CORE, stdout=subprocess.DEVNULL)
    try:
        wait_until("the server answers", lambda: answers(port), 30)
        time.sleep(0.5)
        arguments = [str(ROOT / ".tools/sioload"), *load, "--port", str(port), "--pid", str(server.pid), "--secs", seconds, "--sink", "1"]
        out = subprocess.run(["taskset", "-c", str(*LOAD_CORE), *arguments], capture_output=True, text=True, check=True).stdout
        return json.loads(out.splitlines()[-1])
    finally:
        server.terminate()
        server.wait()


def value(figures: dict, unit: str) -> float:
    match unit:
        case "KiB":
            return (figures["rss_end_kib"] - figures["rss_before_kib"]) / figures["conns"]
        case "p99 ms":
            return figures["p99_ms"]
        case "a second":
            return figures["conns"] / figures["connect_s"]
        case _:
            return figures["rate"] * figures["elapsed_s"] / figures["server_cpu_s"]


def main() -> None:
    raise_file_limit()
    rows = []
    for name, unit, load in LOADS:
        runs = {"kdcube": [], "python-socketio": []}
        for _ in range(ROUNDS):
            runs["kdcube"].append(measure(ours, load))
            runs["python-socketio"].append(measure(theirs, load))
        mine, peer = ([value(figures, unit) for figures in runs[who]] for who in runs)
        form = "{:.1f}" if unit in ("KiB", "p99 ms") else "{:,.0f}"
        ratio = statistics.median(mine) / statistics.median(peer)
        spread = f"{form.format(min(mine))} - {form.format(max(mine))}"
        latency = " / ".join(f"{statistics.median(f[p] for f in runs['kdcube']):.2f}" for p in ("p50_ms", "p99_ms"))
        row = [name, unit, form.format(statistics.median(mine)), spread, form.format(statistics.median(peer)), f"{ratio:.2f}"]
        rows.append([*row, latency if unit in ("per CPU s", "p99 ms") else ""])
    head = ["", "unit", "kdcube", "spread", "python-socketio", "ratio", "p50 / p99 ms (kdcube)"]
    table(f"Socket.IO over WebSocket, medians of {ROUNDS}", head, rows)


if __name__ == "__main__":
    main()

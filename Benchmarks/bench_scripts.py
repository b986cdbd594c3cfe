"""What one script costs a Redis master: open, step and settle of the real function library, over 4 and over 8 windows.

A Redis of its own has a core to itself. 200 connections (a node each, as in docs/scale.md) have one command under way each, so every
command is read and answered on its own, as it is when many nodes share a master. Printed are Redis' own time of a call
(INFO commandstats), the CPU time of the process for a call (with parsing, reading and writing), and the bytes of what it keeps.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time

import redis

from harness import LOAD_CORE, ROOT, SERVER_CORE, cpu_seconds, pinned, table
from rig.waiting import free_port, wait_until

FUNCTIONS = ROOT / "Sources" / "Accounting" / "Redis" / "Functions"
NODES = int(os.environ.get("NODES", "200"))
LEASES = int(os.environ.get("LEASES", "20000"))
USERS = LEASES // 4
#: Each lease is stepped that often before it is settled: a run of 8 slices.
STEPS = int(os.environ.get("STEPS", "4"))
SLICE = 100
NANO_A_TOKEN = 10_000


def encoded(*words: object) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        text = str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(text), text))
    return b"".join(parts)


class Scripts:
    """The commands as RedisCounterStore encodes them."""

    def __init__(self, port: int, units: list[str]):
        self.client = redis.Redis(port=port)
        self.units = units
        self.version = self._load()
        self.day = time.strftime("%Y-%m-%d", time.gmtime())
        now = int(time.time() * 1000)
        self.span = (now - now % 86_400_000, now - now % 86_400_000 + 86_400_000)
        self.client.hset("{acme}:epoch", mapping={"inc": "life", "ep": "1", "cleared": "1"})
        # Whoever connects as a node connects for the whole run.
        self.links = [socket.create_connection(("127.0.0.1", port)) for _ in range(NODES)]
        for link in self.links:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _load(self) -> str:
        source = "".join((FUNCTIONS / name).read_text() for name in ("accounting.lua", "leases.lua", "late.lua", "functions.lua"))
        self.client.function_load(source, replace=True)
        return source.partition("name=kdcube_")[2].partition("\n")[0]

    def windows(self, lease: int) -> list[str]:
        user = lease % USERS
        project = user % 100
        scopes = ["org:acme", f"project:acme/p{project}", f"user:acme/p{project}/user{user}", f"key:key_{user:012x}"]
        return [f"{{acme}}:w:{scope}:{unit}:day:{self.day}" for unit in self.units for scope in scopes]

    def call(self, name: str, lease: int, *arguments: object) -> bytes:
        keys = ["{acme}:epoch", "{acme}:ledger", "{acme}:leases", f"{{acme}}:lease:run_{lease:016x}.4f2a9c81d07b", *self.windows(lease)]
        return encoded("FCALL", f"kdcube_{name}_{self.version}", len(keys), *keys, "life", *arguments)

    @staticmethod
    def offers(size: int) -> list[object]:
        sizes = []
        while size > 1:
            sizes.append(size)
            size //= 2
        sizes.append(1)
        words: list[object] = [len(sizes)]
        for tokens in sizes:
            words += [tokens, f"{tokens * NANO_A_TOKEN},{tokens},0,0,{tokens}"]
        return words

    def open(self, lease: int) -> bytes:
        user = lease % USERS
        run = f"run_{lease:016x}"
        attribution = [f"p{user % 100}", f"user{user}", f"key_{user:012x}", run, "gpt-5-mini", "1f2e3d4c5b6a7988"]
        refs = [word for _ in range(4 * len(self.units)) for word in (9_000_000_000_000_000, 1, 1, *self.span)]
        fixed = "1500000,600,1,600,0,1"
        return self.call("open", lease, "node-1", 1, *attribution, 30_000, 64, "0", 1, fixed, *self.offers(64), *refs)

    def spent(self, tokens: int) -> list[object]:
        return [1_500_000 + tokens * NANO_A_TOKEN, 600, 0, 0, tokens, 0, 1, "0"]

    def step(self, lease: int, number: int) -> bytes:
        return self.call("step", lease, "node-1", 1, number, 30_000, 64, *self.spent(number * SLICE // 2), *self.offers(SLICE))

    def settle(self, lease: int) -> bytes:
        return self.call("settle", lease, "node-1", 1, STEPS + 1, *self.spent(STEPS * SLICE))

    def read(self, first: int, count: int) -> bytes:
        names = list(dict.fromkeys(name for lease in range(first, first + count) for name in self.windows(lease)))[:count]
        return encoded("FCALL_RO", f"kdcube_read_{self.version}", len(names) + 1, "{acme}:epoch", *names, "life")

    def bring_in(self) -> None:
        pipe = self.client.pipeline(transaction=False)
        for name in {name for lease in range(USERS) for name in self.windows(lease)}:
            cap = 9_000_000_000_000_000
            pipe.fcall(f"kdcube_load_{self.version}", 2, "{acme}:epoch", name, "life", cap, 1, 1, *self.span, 0, cap, 0, "o", "")
        pipe.execute()

    def play(self, commands: list[bytes], word: bytes) -> None:
        """One command under way on each connection."""
        for first in range(0, len(commands), NODES):
            batch = commands[first : first + NODES]
            for link, command in zip(self.links, batch, strict=False):
                link.sendall(command)
            for link, _ in zip(self.links, batch, strict=False):
                answer = link.recv(1 << 20)
                while not answer.endswith(b"\r\n"):
                    answer += link.recv(1 << 20)
                assert word in answer, answer


def measure(scripts: Scripts, pid: int, word: bytes, commands: list[bytes]) -> list[float]:
    """Redis' own microseconds a call, CPU microseconds a call, calls a second."""
    scripts.client.config_resetstat()
    cpu, began = cpu_seconds(pid), time.monotonic()
    scripts.play(commands, word)
    cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - began
    stats = scripts.client.info("commandstats")
    own = stats.get("cmdstat_fcall", stats.get("cmdstat_fcall_ro"))["usec_per_call"]
    return [own, cpu / len(commands) * 1e6, len(commands) / wall]


def rows(port: int, pid: int, units: list[str]) -> tuple[list[list[str]], list[list[str]]]:
    scripts = Scripts(port, units)
    scripts.client.flushall()
    scripts.client.hset("{acme}:epoch", mapping={"inc": "life", "ep": "1", "cleared": "1"})
    scripts.bring_in()
    found = {"open": measure(scripts, pid, b"granted", [scripts.open(lease) for lease in range(LEASES)])}
    found["read"] = measure(scripts, pid, b"windows", [scripts.read(first, 1) for first in range(LEASES)])
    found["read of 200"] = measure(scripts, pid, b"windows", [scripts.read(first, 200) for first in range(LEASES // 20)])
    lease = "{acme}:lease:run_" + f"{7:016x}.4f2a9c81d07b"
    live = scripts.client.memory_usage(lease, samples=0)
    steps = [scripts.step(lease, number) for number in range(1, STEPS + 1) for lease in range(LEASES)]
    found["step"] = measure(scripts, pid, b"granted", steps)
    entries = scripts.client.xlen("{acme}:ledger")
    entry = scripts.client.memory_usage("{acme}:ledger", samples=0) / entries
    found["settle"] = measure(scripts, pid, b"settled", [scripts.settle(lease) for lease in range(LEASES)])
    settled = scripts.client.memory_usage(lease, samples=0)
    window = scripts.client.memory_usage(scripts.windows(7)[0], samples=0)
    for link in scripts.links:
        link.close()
    sizes = {"read": "1", "read of 200": "200"}
    times = [[name, sizes.get(name, f"{4 * len(units)}"), *(f"{value:,.1f}" for value in figures[:2]), f"{1e6 / figures[1]:,.0f}"]
             for name, figures in found.items()]  # fmt: skip
    return times, [[f"{4 * len(units)}", str(live), str(settled), str(window), f"{entry:.0f}"]]


def main() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        # As docs/operations.md asks for: append-only, fsync each second.
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", folder]
        server = pinned(command, SERVER_CORE, stdout=subprocess.DEVNULL)
        os.sched_setaffinity(0, LOAD_CORE)
        try:
            client = redis.Redis(port=port)
            wait_until("Redis answers", lambda: answers(client))
            times, sizes = [], []
            for units in (["usd"], ["usd", "tokens"]):
                more = rows(port, server.pid, units)
                times += more[0]
                sizes += more[1]
            head = ["script", "windows", "Redis' own µs", "CPU µs", "a core carries /s"]
            table(f"One script, {LEASES:,} live leases, {NODES} connections", head, times)
            table("Bytes kept", ["windows", "live lease", "settled lease", "window", "ledger row in the stream"], sizes)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


if __name__ == "__main__":
    main()

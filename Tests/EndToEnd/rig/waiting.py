"""Ports and waiting."""

import itertools
import os
import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def free_port() -> int:
    """Below the ports that the kernel gives to connections, which could take one between its choice and its use."""
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _turns() -> itertools.cycle:
    """Each worker of the tests has ports of its own, and two runs at one time begin elsewhere."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(12_000 + worker, 32_000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    start = random.randrange(len(ports))
    return itertools.cycle([*ports[start:], *ports[:start]])


_ports = _turns()


def wait_until(what: str, probe: Callable[[], T], seconds: float = 10.0, every: float = 0.02) -> T:
    """Polls until `probe` returns something true, and returns that. Says what was awaited when it never comes."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}; last seen: {value!r}")
        time.sleep(every)

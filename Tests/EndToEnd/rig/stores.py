"""A real Redis for one test module, without persistence, on a free port."""

import pathlib

import redis

from .process import Process
from .waiting import free_port, wait_until


class Redis:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.client = redis.Redis(port=self.port, socket_timeout=5)
        self.process: Process | None = None
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = Process([*command, "--dir", str(self.folder)], self.folder / "redis.log")
        wait_until("Redis answers", self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def function_calls(self) -> int:
        """How often a function of ours was called: the round trips that the accounting makes."""
        stats = self.client.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("fcall", "fcall_ro", "eval", "evalsha"))

    def stop(self) -> None:
        self.process.stop()

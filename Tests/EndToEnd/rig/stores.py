"""A real Redis without persistence and a real Postgres without fsync, each on a free port."""

import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

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

    def kill(self) -> None:
        """kill -9: what was in memory is gone."""
        self.process.child.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.child.send_signal(signal.SIGCONT)


def postgres_program(name: str) -> str:
    """Debian keeps the server's programs off the PATH, in a folder for each version: the newest one."""
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    found = next((str(folder / name) for folder in folders if (folder / name).exists()), None) or shutil.which(name)
    assert found, "these tests need the PostgreSQL server programs: apt-get install postgresql"
    return found


def _as_postgres(command: list[str]) -> list[str]:
    """Postgres refuses to run as root. setpriv executes in its own place, so the process id is Postgres' own."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]


class Postgres:
    """A cluster in a folder that the user postgres can reach, which pytest's own folders are not."""

    def __init__(self, fsync: bool = False):
        self._options = [] if fsync else ["-F"]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kdcube-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        self.port = free_port()
        self._numbers = itertools.count(1)
        initdb = [postgres_program("initdb"), "-D", str(self.folder / "data"), "-U", "kdcube", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(_as_postgres([*initdb, "--no-sync"]), check=True, stdout=subprocess.DEVNULL, cwd="/")
        self.process: Process | None = None
        self.start()

    def start(self) -> None:
        command = [postgres_program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), "-h", "127.0.0.1"]
        command += ["-k", str(self.folder), "-c", "shared_buffers=128MB", *self._options]
        self.process = Process(_as_postgres(command), self.folder / "log", cwd=pathlib.Path("/"))
        wait_until("Postgres answers", lambda: self._psql("postgres", "SELECT 1").returncode == 0, 30)

    def _psql(self, database: str, sql: str) -> subprocess.CompletedProcess:
        command = [postgres_program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "kdcube", "-At", "-d", database, "-c", sql]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def ask(self, url: str, sql: str) -> str:
        """What `psql` prints: the server's word is not taken for what the tables hold."""
        result = self._psql(url.rpartition("/")[2], sql)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"e2e{next(self._numbers)}"
        created = self._psql("postgres", f"CREATE DATABASE {name}")
        assert created.returncode == 0, created.stderr
        return f"postgresql://kdcube:unused-secret@127.0.0.1:{self.port}/{name}"

    def crash(self) -> None:
        """Postgres' immediate shutdown: connections break, and the next start recovers."""
        self.process.child.send_signal(signal.SIGQUIT)
        self.process.wait()

    def pause(self) -> None:
        """Every process of it stands still: connections stay, answers do not come."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout.split()
        for pid in [self.process.pid, *map(int, children)]:
            os.kill(pid, number)

    def remove(self) -> None:
        if self.process.alive:
            self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)

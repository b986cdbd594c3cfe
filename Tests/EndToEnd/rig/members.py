"""Several conformance-servers on one Redis, and python-socketio's client on each."""

import pathlib
import queue
import signal
import time

import requests
import socketio

from .process import Process
from .server import BINARIES
from .stores import Redis
from .waiting import wait_until


class Member:
    """A conformance-server of the suite `bench`, in the cluster of a Redis; with `recovery`, the seconds for which it keeps lost sockets."""

    def __init__(self, redis: Redis, log: pathlib.Path, recovery: int = 0, threads: int = 1):
        command = [str(BINARIES / "conformance-server"), "--suite", "bench", "--port", "0", "--redis", redis.url]
        command += ["--recovery", str(recovery), "--threads", str(threads)]
        self.process = Process(command, log)
        line = wait_until("the server listens", self._line)
        self.url = f"http://127.0.0.1:{line.rpartition(' ')[2]}"
        wait_until("the server hears the others", lambda: requests.get(f"{self.url}/cluster", timeout=5).text == "ready")

    def _line(self) -> str | None:
        assert self.process.alive, self.process.tail()
        return next((line for line in self.process.log.read_text().splitlines() if line.startswith("listening on port")), None)

    def metric(self, line: str) -> int:
        text = requests.get(f"{self.url}/metrics", timeout=5).text
        return next((int(found.rpartition(" ")[2]) for found in text.splitlines() if found.rpartition(" ")[0] == line), 0)

    def pause(self) -> None:
        self.process.child.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.process.child.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.alive:
            self.process.child.send_signal(signal.SIGCONT)
            self.process.stop()


class Listener:
    """A client that keeps what it is sent, and answers `question` with its name."""

    def __init__(self, member: Member, name: str, *rooms: str, answers: bool = True):
        self.name = name
        self.heard: queue.Queue = queue.Queue()
        self.ended = queue.Queue()
        self.sio = socketio.Client(reconnection=False)
        self.sio.on("*", handler=lambda event, *arguments: self.heard.put((event, *arguments)))
        self.sio.on("disconnect", handler=lambda *_: self.ended.put(True))
        if answers:
            self.sio.on("question", handler=lambda *_: name)
        else:
            # Longer than any test waits for it.
            self.sio.on("question", handler=lambda *_: time.sleep(30))
        self.sio.connect(member.url, transports=["websocket"])
        for room in rooms:
            self.sio.call("join", room)

    @property
    def sid(self) -> str:
        return self.sio.get_sid()

    def call(self, event: str, *arguments, seconds: float = 20):
        return self.sio.call(event, arguments, timeout=seconds)

    def next(self, seconds: float = 10) -> tuple:
        return self.heard.get(timeout=seconds)

    def close(self) -> None:
        if self.sio.connected:
            self.sio.disconnect()

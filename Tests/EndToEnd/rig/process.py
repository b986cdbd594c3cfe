"""A child process with its output in a file, ended by its id."""

import pathlib
import signal
import subprocess


class Process:
    def __init__(self, command: list[str], log: pathlib.Path, cwd: pathlib.Path | None = None, env: dict | None = None):
        self.log = log
        with log.open("ab") as out:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd, env=env)

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def alive(self) -> bool:
        return self.child.poll() is None

    def terminate(self) -> None:
        self.child.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 30.0) -> int:
        return self.child.wait(seconds)

    def stop(self, seconds: float = 20.0) -> int:
        """SIGTERM, and SIGKILL for one that does not listen. Returns the exit status."""
        if self.alive:
            self.terminate()
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.wait()

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

"""The `conformance-server` binary: Socket.IO without anything of KDCube in it, for clients that we did not write."""

import pathlib
import re

from .process import Process
from .server import BINARIES
from .waiting import wait_until


class Conformance:
    """`--suite clients`: echoes on `/`, rooms and questions on `/rooms`, and `/closed`, which takes nobody."""

    def __init__(self, folder: pathlib.Path, *options: str):
        log = folder / f"conformance{''.join(options)}.log"
        command = [str(BINARIES / "conformance-server"), "--suite", "clients", "--port", "0", *options]
        self.process = Process(command, log)
        found = wait_until("the server listens", lambda: re.search(r"listening on port (\d+)", log.read_text()))
        self.url = f"http://127.0.0.1:{found[1]}"

    def stop(self) -> None:
        self.process.stop()

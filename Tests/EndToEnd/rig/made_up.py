"""The made-up server of the console's pages: web-client/tests/fake_console.py as a process."""

import json
import sys
import urllib.request

from .process import Process
from .server import ROOT
from .waiting import free_port, wait_until

FAKE = ROOT / "web-client" / "tests" / "fake_console.py"


class Fake:
    def __init__(self, folder, *options: str):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = Process([sys.executable, str(FAKE), "--port", str(port), *options], folder / "fake.log")
        try:
            wait_until("the made-up server to answer", self.answers, 20)
        except AssertionError:
            self.process.stop()
            raise

    def answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.url}/console/", timeout=2).status == 200
        except OSError:
            return False

    def post(self, path: str, **body) -> dict:
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def approval(self, **fields) -> dict:
        return self.post("/fake/approval", **{"args": {"amount": "310.00", "customer": "C-9", "order_id": "Z-1"}, **fields})

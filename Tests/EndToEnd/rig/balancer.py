"""HAProxy that knows no sticky sessions: every request goes to a server at random."""

import pathlib

import requests

from .process import Process
from .proxies import _program
from .waiting import free_port, wait_until


class RandomBalancer:
    """With `tls` it speaks TLS with the servers; its own port is plain."""

    def __init__(self, folder: pathlib.Path, ports: list[int], tls: bool = False, probe: str = "/nodes"):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._probe = probe
        options = "check inter 200 fall 1 rise 1" + (" ssl verify none" if tls else "")
        servers = "".join(f"    server node{i} 127.0.0.1:{port} {options}\n" for i, port in enumerate(ports))
        (folder / "haproxy.cfg").write_text(
            "global\n    maxconn 1000\n"
            "defaults\n    mode http\n    timeout connect 2s\n    timeout client 60s\n    timeout server 60s\n    timeout tunnel 60s\n"
            "    option redispatch\n    retries 2\n"
            f"frontend all\n    bind 127.0.0.1:{self.port}\n    default_backend nodes\n"
            f"backend nodes\n    balance random(1)\n    http-reuse never\n{servers}"
        )
        self.process = Process([_program("haproxy"), "-f", str(folder / "haproxy.cfg"), "-db"], folder / "log")
        wait_until("the balancer passes requests on", self._answers, 20)

    def _answers(self) -> bool:
        assert self.process.alive, self.process.tail()
        try:
            return requests.get(self.url + self._probe, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        self.process.stop()

"""nginx and HAProxy with the configurations of `deployment/`, in front of servers of a test: only addresses and paths are changed."""

import os
import pathlib
import re
import shutil
import subprocess

import requests

from . import certificates
from .process import Process
from .server import ROOT
from .waiting import free_port, wait_until


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    assert found, f"{name} is not installed: run scripts/setup.sh --test"
    return found


def _certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    certificate, key = folder / "kdcube.crt", folder / "kdcube.key"
    certificates.make(certificate, key)
    return certificate, key


class TLSProxy:
    """`https` and `http` are its addresses; `certificate` is the one to trust."""

    def __init__(self, folder: pathlib.Path, servers: list[str]):
        self.folder = folder
        folder.mkdir(parents=True)
        self.certificate, self._key = _certificate(folder)
        ports = free_port(), free_port()
        self.http, self.https = f"http://localhost:{ports[0]}", f"https://localhost:{ports[1]}"
        check, start = self._configure(ports, [server.removeprefix("http://") for server in servers])
        checked = subprocess.run(check, capture_output=True, text=True, timeout=30, check=False)
        assert checked.returncode == 0, checked.stderr + checked.stdout
        self.warnings = [line for line in (checked.stderr + checked.stdout).splitlines() if "warn" in line.lower()]
        self.process = Process(start, folder / "log")
        wait_until("the proxy passes requests on", self._answers, 20)

    def _configure(self, ports: tuple[int, int], servers: list[str]) -> tuple[list[str], list[str]]:
        """Writes the configuration; the commands that check it and that start the proxy."""
        raise NotImplementedError

    def _answers(self) -> bool:
        assert self.process.alive, self.process.tail()
        try:
            return requests.get(self.https + "/readyz", verify=self.certificate, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        self.process.stop()


def _replaced(text: str, pattern: str, replacement: str) -> str:
    changed, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    assert count, f"{pattern} is not in the configuration"
    return changed


class Nginx(TLSProxy):
    def _configure(self, ports, servers):
        text = (ROOT / "deployment" / "nginx" / "kdcube.conf").read_text()
        text = _replaced(text, r"^    listen \[::\].*\n", "")
        text = _replaced(text, r"listen 80;", f"listen 127.0.0.1:{ports[0]};")
        text = _replaced(text, r"listen 443 ", f"listen 127.0.0.1:{ports[1]} ")
        text = _replaced(text, r"kdcube\.example", "localhost")
        text = _replaced(text, r"/etc/ssl/certs/kdcube\.pem", str(self.certificate))
        text = _replaced(text, r"/etc/ssl/private/kdcube\.key", str(self._key))
        text = _replaced(text, r"(?:^    server 10\..*\n)+", "".join(f"    server {server};\n" for server in servers))
        (self.folder / "kdcube.conf").write_text(text)
        paths = "".join(f"{name}_temp_path {self.folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            f"pid {self.folder}/pid; daemon off; error_log stderr; worker_processes 1;\n"
            f"events {{}}\nhttp {{ access_log off; {paths}include {self.folder}/kdcube.conf; }}\n"
        )
        if os.geteuid() == 0:
            # As root, or its workers could not write into the folder of the test.
            main = (self.folder / "nginx.conf").read_text()
            (self.folder / "nginx.conf").write_text("user root;\n" + main)
        command = [_program("nginx"), "-p", str(self.folder), "-e", "stderr", "-c", str(self.folder / "nginx.conf")]
        return [*command, "-t"], command


class HAProxy(TLSProxy):
    def _configure(self, ports, servers):
        both = self.folder / "kdcube.pem"
        both.write_text(self.certificate.read_text() + self._key.read_text())
        text = (ROOT / "deployment" / "haproxy" / "haproxy.cfg").read_text()
        text = _replaced(text, r"bind :80$", f"bind 127.0.0.1:{ports[0]}")
        text = _replaced(text, r"bind :443 ", f"bind 127.0.0.1:{ports[1]} ")
        text = _replaced(text, r"/etc/haproxy/kdcube\.pem", str(both))
        # The test's own hard limit of open files is lower than a proxy's.
        text = _replaced(text, r"maxconn 100000", "maxconn 1000")
        lines = "".join(f"    server kdcube{i} {server} cookie kdcube{i}\n" for i, server in enumerate(servers))
        text = _replaced(text, r"(?:^    server kdcube\d 10\..*\n)+", lines)
        (self.folder / "haproxy.cfg").write_text(text)
        command = [_program("haproxy"), "-f", str(self.folder / "haproxy.cfg")]
        return [*command, "-c"], [*command, "-db"]

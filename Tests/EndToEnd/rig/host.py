"""A page of somebody else: a small HTTP server of its own that serves the files of `Examples/sdk` with real addresses in them."""

import http.server
import pathlib
import shutil
import threading
from collections.abc import Iterator

from .server import ROOT, Installation
from .witness import Witness

SDK = ROOT / "Examples" / "sdk"
#: Signs tokens for the server of `listing`.
SECRET = "the tests of the pages share these bytes with nobody"

TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


class Host:
    """Another origin than the server's. `more` is a second folder, served as it is. `kdcube`, `token` and `model` replace what the files say; `policy` is the page's own policy of content."""

    def __init__(self, folder: pathlib.Path, more: pathlib.Path | None = None) -> None:
        self.folder, self.more = folder, more
        self.kdcube, self.token, self.model, self.policy = "", "", "demo", ""
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = host.file(self.path.partition("?")[0].lstrip("/"))
                self.send_response(404 if body is None else 200)
                self.send_header("content-type", TYPES.get(pathlib.Path(self.path.partition("?")[0]).suffix, "text/plain"))
                if host.policy:
                    self.send_header("content-security-policy", host.policy)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True, name="host").start()

    def file(self, name: str) -> bytes | None:
        if name == "blank.html":
            return b"<!doctype html><title>Blank</title>"
        if self.more and ".." not in name and (self.more / name).is_file():
            return (self.more / name).read_bytes()
        path = self.folder / name
        if not name or "/" in name or not path.is_file():
            return None
        text = path.read_text()
        if name != "widget.css":
            text = text.replace("https://kdcube.example", self.kdcube).replace("kd-…", self.token)
            text = text.replace("'demo'", f"'{self.model}'").replace('"demo"', f'"{self.model}"')
        return text.encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def listing(host: Host, witness: Witness, folder: pathlib.Path) -> Iterator[Installation]:
    """A server that lists the host's origin, with the web client as it is installed."""
    shutil.copytree(ROOT / "web-client", folder / "web-client", ignore=shutil.ignore_patterns("tests"))
    server = {"web_client": str(folder / "web-client"), "origins": [host.url]}
    installation = Installation(folder / "installation", upstream=witness.url, server=server, auth={"jwt": {"secret": SECRET}})
    installation.serve()
    yield installation
    installation.stop()

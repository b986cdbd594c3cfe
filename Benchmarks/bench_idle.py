"""Memory of an idle client of the server itself: plain, with permessage-deflate, over TLS, and with both.

Each is a WebSocket with a socket in the namespace `/`, joined with a key; then it waits. A fresh process each time.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import ssl
import tempfile

from bench_memory import resident

from harness import SERVER_CORE, pin, raise_file_limit, table
from rig import certificates
from rig.server import Installation

CLIENTS = int(os.environ.get("CLIENTS", "3000"))
#: Handshakes in progress at once.
BATCH = 64


def frame(text: str) -> bytes:
    """One masked text frame; the mask is zero, so the text stays as it is."""
    body = text.encode()
    head = bytes([0x81, 0x80 | len(body)]) if len(body) < 126 else bytes([0x81, 0x80 | 126]) + len(body).to_bytes(2, "big")
    return head + bytes(4) + body


async def client(port: int, key: str, context: ssl.SSLContext | None, deflate: bool) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=1 << 14)
    lines = [
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *(["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"] if deflate else []),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in answer and (b"permessage-deflate" in answer) == deflate, answer
    writer.write(frame("40" + json.dumps({"token": key})))
    seen = b""
    while b"session_info" not in seen and b"40{" not in seen:
        seen += await reader.read(4096)
    assert b"44{" not in seen, seen
    return writer


async def grown(port: int, pid: int, key: str, context: ssl.SSLContext | None, deflate: bool) -> float:
    """KiB a client."""
    places = asyncio.Semaphore(BATCH)

    async def one():
        async with places:
            return await client(port, key, context, deflate)

    # The first ones make the process touch what all of them share.
    writers = list(await asyncio.gather(*(one() for _ in range(BATCH))))
    await asyncio.sleep(1)
    before = resident(pid)
    writers += await asyncio.gather(*(one() for _ in range(CLIENTS)))
    await asyncio.sleep(2)
    after = resident(pid)
    for writer in writers:
        writer.transport.abort()
    return (after - before) / CLIENTS


def main() -> None:
    raise_file_limit()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        tls = {"certificate": str(folder / "certificate.pem"), "key": str(folder / "key.pem")}
        certificates.make(folder / "certificate.pem", folder / "key.pem")
        rows = []
        for title, is_secure, deflate in [
            ("plain", False, False),
            ("permessage-deflate", False, True),
            ("TLS", True, False),
            ("TLS and permessage-deflate", True, True),
        ]:
            sections = {"transport": {"deflate": deflate}} | ({"server": {"tls": tls}} if is_secure else {})
            installation = Installation(folder / title.replace(" ", "-"), **sections)
            stack.callback(installation.stop)
            key = installation.key("bench")["key"]
            server = installation.serve()
            pin(server.process.pid, SERVER_CORE)
            kib = asyncio.run(grown(server.port, server.process.pid, key, context if is_secure else None, deflate))
            rows.append([title, f"{kib:.1f}"])
            installation.stop()
        table(f"Memory of an idle client, {CLIENTS:,} of them", ["", "KiB"], rows)


if __name__ == "__main__":
    main()

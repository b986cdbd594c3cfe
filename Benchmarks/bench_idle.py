"""Memory of an idle client of the server itself: plain, with permessage-deflate, over TLS, and with both.

Each is a WebSocket with a socket in the namespace `/`, joined with a key; then it waits. A fresh process each time.
"""

import asyncio
import contextlib
import os
import pathlib
import ssl
import tempfile

from bench_memory import resident

from harness import SERVER_CORE, pin, raise_file_limit, table
from rig import certificates
from rig.lines import Socket
from rig.server import Installation

CLIENTS = int(os.environ.get("CLIENTS", "3000"))
#: Handshakes in progress at once.
BATCH = 64


async def grown(port: int, pid: int, key: str, context: ssl.SSLContext | None, deflate: bool) -> float:
    """KiB a client."""
    places = asyncio.Semaphore(BATCH)

    async def one() -> Socket:
        async with places:
            return await Socket.join(port, key, deflate, context=context)

    # The first ones make the process touch what all of them share.
    clients = list(await asyncio.gather(*(one() for _ in range(BATCH))))
    await asyncio.sleep(1)
    before = resident(pid)
    clients += await asyncio.gather(*(one() for _ in range(CLIENTS)))
    await asyncio.sleep(2)
    after = resident(pid)
    for client in clients:
        client.drop()
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

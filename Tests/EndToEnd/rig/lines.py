"""Clients on plain connections, cheap enough for thousands: Socket.IO over a WebSocket, and event streams.

Nothing reads for them: a client that is not asked for what comes next stops reading, and what it does not read waits at the server.
"""

import asyncio
import json
import pathlib
import socket
import ssl
import struct

from . import envelopes as check
from .sse import TERMINAL, Parser

#: A client reads no further ahead than this.
AHEAD = 1 << 12


class Closed(Exception):
    """The server has ended the connection."""


def frame(text: str) -> bytes:
    """One masked text frame; the mask is zero, so the text stays as it is."""
    body = text.encode()
    head = bytes([0x81, 0x80 | len(body)]) if len(body) < 126 else bytes([0x81, 0x80 | 126]) + struct.pack(">H", len(body))
    return head + bytes(4) + body


def is_end(envelope: dict) -> bool:
    return envelope["type"].replace(".", "_") in TERMINAL


class Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    @classmethod
    async def dial(cls, port: int, context: ssl.SSLContext | None = None, receive_buffer: int = 0):
        """`receive_buffer`: bytes that the kernel keeps for this client, where it is not to choose itself."""
        connection = socket.socket()
        connection.setblocking(False)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        name = "127.0.0.1" if context else None
        return cls(*await asyncio.open_connection(sock=connection, limit=AHEAD, ssl=context, server_hostname=name))

    @property
    def port(self) -> int:
        """The client's own."""
        return self.writer.get_extra_info("sockname")[1]

    async def bytes(self, count: int) -> bytes:
        try:
            return await self.reader.readexactly(count)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Closed from error

    async def head(self) -> str:
        """The head of an answer."""
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    def drop(self) -> None:
        self.writer.transport.abort()


class Socket(Line):
    """A Socket.IO client in the namespace `/`."""

    @classmethod
    async def join(cls, port: int, key: str, deflate: bool = False, **options) -> "Socket":
        line = await cls.dial(port, **options)
        fields = [f"Host: 127.0.0.1:{port}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        fields += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        fields += ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"] if deflate else []
        request = "\r\n".join(["GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", *fields, "", ""])
        line.writer.write(request.encode())
        head = await line.head()
        assert " 101 " in head and ("permessage-deflate" in head) == deflate, head
        line.say("40" + json.dumps({"token": key}))
        while not (text := await line.text()).startswith("40"):
            assert not text.startswith("44"), text
        return line

    def say(self, text: str) -> None:
        self.writer.write(frame(text))

    async def text(self) -> str:
        """The next message. Pings are answered."""
        while True:
            first, length = await self.bytes(2)
            if length == 126:
                length = int.from_bytes(await self.bytes(2))
            elif length == 127:
                length = int.from_bytes(await self.bytes(8))
            payload = await self.bytes(length)
            if first & 0x0F == 8:
                raise Closed
            if payload == b"2":
                self.say("3")
            elif first & 0x0F == 1 and not first & 0x40:
                return payload.decode()

    def resume(self, run: str, after: int) -> None:
        self.say("42" + json.dumps(["chat_resume", {"run_id": run, "after_seq": after}]))

    async def envelope(self) -> dict:
        """The next event of a run."""
        while True:
            text = await self.text()
            if text.startswith('42["chat_'):
                name, envelope = json.loads(text[2:])
                assert name == envelope["type"].replace(".", "_")
                return envelope


class EventStream(Line):
    """`GET /v1/runs/{run}/events`."""

    @classmethod
    async def follow(cls, port: int, key: str, run: str, **options) -> "EventStream":
        line = await cls.dial(port, **options)
        line.parser, line.events = Parser(), []
        fields = [f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {key}", "Accept: text/event-stream"]
        line.writer.write("\r\n".join([f"GET /v1/runs/{run}/events HTTP/1.1", *fields, "", ""]).encode())
        head = (await line.head()).lower()
        assert " 200 " in head and "transfer-encoding: chunked" in head, head
        return line

    async def envelope(self) -> dict:
        while not self.events:
            size = int(await self.reader.readline() or b"0", 16)
            if size == 0:
                raise Closed
            self.events = self.parser.feed((await self.bytes(size + 2))[:-2])
        return check.of_sse([self.events.pop(0)])[0]


async def rest(line: Line, seen: list[dict]) -> bool:
    """Reads what is left of a run into `seen`. False when the connection ended before the run did."""
    while not (seen and is_end(seen[-1])):
        try:
            seen.append(await line.envelope())
        except Closed:
            return False
    return True


def waiting_bytes(port: int) -> dict[int, int]:
    """Bytes that the kernel keeps for each client of a server on `port`, by the client's port."""
    found = {}
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        own, other = (int(address.rpartition(":")[2], 16) for address in fields[1:3])
        if own == port and other:
            found[other] = int(fields[4].partition(":")[0], 16)
    return found

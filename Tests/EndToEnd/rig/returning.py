"""A Socket.IO client that does about recovery what the stock one does, and tells what it was sent."""

import json

import websocket


class Returning:
    """Remembers its `pid`, and of every event the last argument as its offset if that is a string."""

    def __init__(self, url: str, auth: dict | None = None, namespace: str = "/"):
        self.auth, self.namespace = auth or {}, namespace
        self.pid = self.offset = self.sid = None
        self.recovered = False
        self.offsets: list[str] = []
        self.missed: list[list] = []
        self.socket: websocket.WebSocket | None = None
        self.connect(url)

    @property
    def _prefix(self) -> str:
        return "" if self.namespace == "/" else self.namespace + ","

    def connect(self, url: str) -> "Returning":
        """Comes (back), and keeps in `missed` what was sent before the CONNECT packet."""
        self.socket = websocket.create_connection(url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket", timeout=20)
        assert self.socket.recv().startswith("0{")
        known = {name: value for name, value in (("pid", self.pid), ("offset", self.offset)) if value is not None}
        self.socket.send(f"40{self._prefix}{json.dumps({**known, **self.auth})}")
        self.missed = []
        while not (text := self._packet()).startswith(f"40{self._prefix}" + "{"):
            self.missed.append(self._take(text))
        answer = json.loads(text[2 + len(self._prefix) :])
        self.recovered = self.pid is not None and answer.get("pid") == self.pid
        self.sid, self.pid = answer["sid"], answer.get("pid")
        return self

    def _packet(self) -> str:
        while (text := self.socket.recv()) == "2":
            self.socket.send("3")
        assert text.startswith("4"), text
        return text

    def _take(self, text: str) -> list:
        assert text.startswith(f"42{self._prefix}["), text
        event = json.loads(text[2 + len(self._prefix) :])
        if isinstance(event[-1], str) and len(event) > 1:
            self.offset = event.pop()
            self.offsets.append(self.offset)
        return event

    def next(self) -> list:
        """The next event, without its offset; announcements are taken in silence, and so are answers."""
        while True:
            text = self._packet()
            if text.startswith("43"):
                continue
            event = self._take(text)
            if event[0] != "kdcube_offset":
                return event

    def announced(self) -> "Returning":
        """Waits for the first offset."""
        while self.offset is None:
            self._take(self._packet())
        return self

    def call(self, event: str, *arguments) -> list:
        """Nothing else may be on its way."""
        self.socket.send(f"42{self._prefix}7{json.dumps([event, *arguments])}")
        while not (text := self._packet()).startswith(f"43{self._prefix}7"):
            self._take(text)
        return json.loads(text[3 + len(self._prefix) :])

    def emit(self, event: str, *arguments) -> None:
        self.socket.send(f"42{self._prefix}{json.dumps([event, *arguments])}")

    def ended(self) -> bool:
        """Whether the server ends this connection."""
        try:
            while True:
                self._packet()
        except (websocket.WebSocketConnectionClosedException, ConnectionError, AssertionError):
            return True

    def drop(self) -> None:
        """The connection ends without a word."""
        self.socket.sock.close()

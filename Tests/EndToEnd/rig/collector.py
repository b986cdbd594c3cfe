"""A collector of traces: OTLP over HTTP in JSON, as a server of ours sends it. It keeps every span."""

import http.server
import json
import threading

from .waiting import wait_until


def _value(value: dict):
    """An attribute's value as Python has it."""
    ((kind, content),) = value.items()
    if kind == "intValue":
        assert isinstance(content, str), "64-bit integers are texts in OTLP's JSON"
        return int(content)
    return [_value(one) for one in content["values"]] if kind == "arrayValue" else content


def _attributes(pairs: list[dict]) -> dict:
    return {pair["key"]: _value(pair["value"]) for pair in pairs}


class Span:
    def __init__(self, span: dict, resource: dict):
        self.name, self.kind, self.resource = span["name"], span["kind"], resource
        self.trace, self.id, self.parent = span["traceId"], span["spanId"], span.get("parentSpanId", "")
        assert len(self.trace) == 32 and len(self.id) == 16
        self.attributes = _attributes(span["attributes"])
        self.events = [(event["name"], _attributes(event["attributes"])) for event in span.get("events", [])]
        self.began, self.ended = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        self.status, self.state = span.get("status"), span.get("traceState", "")
        assert self.began <= self.ended

    def __getitem__(self, name: str):
        return self.attributes[name]

    def __repr__(self) -> str:
        return f"{self.name} {self.attributes} {self.events} {self.status}"


class Collector:
    """`statuses` are answered first, one each; after them everything is taken."""

    def __init__(self, port: int = 0):
        self.spans: list[Span] = []
        self.headers: list[dict] = []
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _handler(collector):  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = collector.statuses.pop(0) if collector.statuses else 200
                if status == 200:
                    collector.take(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        return Handler

    def take(self, path: str, headers: dict, body: bytes) -> None:
        assert path == "/v1/traces"
        self.headers.append({name.lower(): value for name, value in headers.items()})
        self.bodies.append(body)
        for resource in json.loads(body)["resourceSpans"]:
            facts = _attributes(resource["resource"]["attributes"])
            self.spans += [Span(span, facts) for scope in resource["scopeSpans"] for span in scope["spans"]]

    def run(self, run_id: str) -> Span:
        """The span of a run, once it has come, and all of its trace with it."""
        return wait_until(
            f"the span of {run_id}", lambda: next((s for s in self.spans if s.attributes.get("kdcube.run_id") == run_id), None)
        )

    def children(self, parent: Span) -> list[Span]:
        """In the order in which they began."""
        found = [span for span in self.spans if span.parent == parent.id]
        assert all(span.trace == parent.trace and parent.began <= span.began <= span.ended <= parent.ended for span in found), found
        return sorted(found, key=lambda span: span.began)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

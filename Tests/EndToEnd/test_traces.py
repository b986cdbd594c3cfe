"""Traces: the tree of a run at a collector, joined to its caller's, and carried on; a collector that is away; sampling."""

import http.server
import json
import threading

import pytest
import requests

from rig.collector import Collector
from rig.envelopes import check_run, of_sse
from rig.realtime import Client
from rig.server import Installation
from rig.sse import stream
from rig.tools import SETTINGS, call, code, prompt
from rig.waiting import free_port, wait_until

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = PARENT[:-2] + "00"
SECRET = "the-word-that-nobody-may-see"


class _Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append(dict(self.headers))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def tool_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def collector():
    collector = Collector()
    yield collector
    collector.stop()


@pytest.fixture(scope="module")
def installation(witness, collector, tool_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("traced")
    text = {"type": "string", "minLength": 1, "maxLength": 64}
    parameters = {"type": "object", "additionalProperties": False, "required": ["text"], "properties": {"text": text}}
    address = {"method": "POST", "url": f"http://127.0.0.1:{tool_server.server_port}/echo", "body": "json"}
    echo = {"name": "echo", "description": "Says it again.", "effect": "read", "parameters": parameters}
    echo["http"] = address | {"allow_hosts": ["127.0.0.1"], "private_hosts": ["127.0.0.1"]}
    never = echo | {"name": "never", "roles": ["nobody"]}
    run_code = {
        "name": "run_code",
        "description": "Runs Python.",
        "builtin": "run_code",
        "effect": "write",
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "required": ["code"],
            "properties": {"code": {"type": "string", "minLength": 1, "maxLength": 65_536}},
        },
    }
    (folder / "tools.json").write_text(json.dumps({"tools": [echo, never, run_code]}))
    telemetry = {"otlp": collector.url, "headers": {"x-collector-key": "k3y"}, "service": "kdcube-tests"}
    sections = {"tools": {"file": str(folder / "tools.json")}, "sandbox": SETTINGS["sandbox"], "telemetry": telemetry}
    installation = Installation(folder / "installation", upstream=witness.url, **sections)
    installation.serve()
    yield installation
    installation.stop()


def start(server, tenant, text: str, headers: dict | None = None, **more) -> tuple[str, list[dict]]:
    """A run to its end: its id, and its envelopes."""
    body = {"text": text, "model": "demo"} | more
    answer = requests.post(f"{server.url}/v1/runs", json=body, headers=tenant.headers | (headers or {}), timeout=10)
    assert answer.status_code == 202, answer.text
    run = answer.json()["run_id"]
    envelopes = of_sse(list(stream(f"{server.url}/v1/runs/{run}/events", tenant.key)))
    check_run(envelopes)
    return run, envelopes


def test_a_run_with_calls_is_a_tree_and_holds_no_content(server, tenant, collector, tool_server):
    run, envelopes = start(
        server, tenant, prompt(call("echo", text=SECRET), call("never", text="x"), code("print('" + SECRET + "')"), then=4)
    )
    root = collector.run(run)
    assert (root.name, root.kind, root.parent) == ("invoke_agent", 2, "")
    assert root.resource["service.name"] == "kdcube-tests" and root.resource["service.version"]
    assert root["gen_ai.operation.name"] == "invoke_agent" and root["gen_ai.request.model"] == "demo"
    assert (root["kdcube.org"], root["kdcube.project"], root["kdcube.outcome"]) == (tenant.org, "web", "complete")
    assert root["gen_ai.conversation.id"] == envelopes[0]["conversation"]["conversation_id"]
    assert root["gen_ai.response.finish_reasons"] == ["stop"] and root["gen_ai.response.time_to_first_chunk"] > 0

    children = collector.children(root)
    assert [span.name for span in children if span.kind == 3] == ["chat demo", "chat demo"], children
    first, second = (span for span in children if span.kind == 3)
    assert first["gen_ai.response.finish_reasons"] == ["tool_calls"] and second["gen_ai.response.finish_reasons"] == ["stop"]
    assert (first["kdcube.round"], second["kdcube.round"]) == (1, 2)
    usage = envelopes[-1]["usage"]
    assert root["gen_ai.usage.output_tokens"] == usage["output_tokens"], usage
    assert sum(span["gen_ai.usage.output_tokens"] for span in (first, second)) == usage["output_tokens"]

    tools = {span["gen_ai.tool.name"]: span for span in children if span.kind == 1}
    assert sorted(tools) == ["echo", "never", "run_code"]
    allowed, denied = tools["echo"], tools["never"]
    assert allowed.name == "execute_tool echo" and allowed["gen_ai.operation.name"] == "execute_tool"
    assert allowed["kdcube.decision"] == "allow" and allowed["kdcube.rule"] and allowed["kdcube.decision_id"].startswith("dec_")
    assert denied["kdcube.decision"] == "deny" and denied["kdcube.rule"] == "tool.roles" and denied.status["code"] == 2
    assert allowed["gen_ai.tool.call.id"] != denied["gen_ai.tool.call.id"]

    header = next(one for one in tool_server.seen if root.trace in one.get("traceparent", ""))
    assert header["traceparent"] == f"00-{root.trace}-{allowed.id}-01", "the tool's server joins below the call"
    sent = b"".join(collector.bodies)
    assert SECRET.encode() not in sent and tenant.key.encode() not in sent
    assert all(one["x-collector-key"] == "k3y" for one in collector.headers)


def test_calls_of_code_are_below_the_call_that_runs_it(server, tenant, collector):
    source = "from agent_tools import tools\nprint(tools.echo(text='hello'))"
    run, _ = start(server, tenant, prompt(code(source)))
    (outer,) = (span for span in collector.children(collector.run(run)) if span.name == "execute_tool run_code")
    (inner,) = collector.children(outer)
    assert inner.name == "execute_tool echo" and inner["kdcube.decision"] == "allow" and inner["kdcube.decision_id"].startswith("dec_")


def test_a_cut_is_an_event_with_its_reason_and_a_refusal_a_span(server, tenant, collector, plan):
    tenant.cap("0.001")
    steady = plan(tokens=2_000, rate=1_000)
    run, envelopes = start(server, tenant, steady.prompt(), model="witness", server_tools=False)
    assert envelopes[-1]["type"] == "chat.cut"
    root = collector.run(run)
    ((name, cut),) = root.events
    assert name == "kdcube.cut" and cut["kdcube.cut.reason"] == "budget_exceeded" and cut["kdcube.cut.unit"] == "usd"
    assert root["kdcube.outcome"] == "cut" and root.status is None, "a cut is what was asked for, and no fault"
    (chat,) = collector.children(root)
    assert chat["kdcube.stopped"] and "gen_ai.response.finish_reasons" not in chat.attributes

    refused = requests.post(f"{server.url}/v1/runs", json={"text": "x", "model": "witness"}, headers=tenant.headers, timeout=10)
    assert refused.status_code == 402
    found = wait_until(
        "the refusal is told",
        lambda: [s for s in collector.spans if s.attributes.get("kdcube.org") == tenant.org and s["kdcube.outcome"] == "refused"],
    )
    assert found[0]["error.type"] == "budget_exceeded" and found[0].events[0][0] == "kdcube.cut"


def test_a_trace_goes_on_from_the_caller_to_the_upstream(server, tenant, collector, witness, plan):
    steady = plan(tokens=3)
    headers = {"traceparent": PARENT, "tracestate": "vendor=1"}
    run, _ = start(server, tenant, steady.prompt(), headers, model="witness")
    root = collector.run(run)
    assert (root.trace, root.parent, root.state) == (PARENT[3:35], PARENT[36:52], "vendor=1")
    (chat,) = collector.children(root)
    assert chat["gen_ai.provider.name"] == "openai" and chat["server.address"] == "127.0.0.1"
    assert chat["server.port"] == witness.port and chat["gen_ai.usage.input_tokens"] == 7
    sent = witness.request(steady.id).headers
    assert sent["traceparent"] == f"00-{root.trace}-{chat.id}-01" and sent["tracestate"] == "vendor=1"

    # Who does not record is followed too: nothing is kept, and the header goes on as it came.
    quiet = plan(tokens=3)
    start(server, tenant, quiet.prompt(), {"traceparent": UNSAMPLED}, model="witness")
    assert witness.request(quiet.id).headers["traceparent"] == UNSAMPLED
    # What is no traceparent begins a trace of our own.
    odd = plan(tokens=3)
    run, _ = start(server, tenant, odd.prompt(), {"traceparent": "00-nonsense"}, model="witness")
    assert collector.run(run).parent == ""


def test_the_openai_dialect_and_sockets_join_too(server, tenant, collector, witness, plan):
    steady = plan(tokens=3)
    body = {"model": "witness", "messages": [{"role": "user", "content": steady.prompt()}]}
    headers = tenant.headers | {"traceparent": PARENT}
    answer = requests.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, timeout=10)
    assert answer.status_code == 200
    assert PARENT[3:35] in witness.request(steady.id).headers["traceparent"]

    client = Client(server.url, tenant.key, headers={"traceparent": PARENT})
    other = "00-11111111111111111111111111111111-2222222222222222-01"
    message = {"text": plan(tokens=2).prompt(), "model": "witness"}
    runs = [client.call("chat_message", message | more)["run_id"] for more in ({}, {"traceparent": other})]
    for run in runs:
        client.finish(run)
    client.close()
    assert [collector.run(run).trace for run in runs] == [PARENT[3:35], other[3:35]], "the handshake's, or the message's own"


def test_each_attempt_is_a_span_with_its_failure(witness, collector, tmp_path, make_tenant, plan):
    model = {"id": "again", "provider": "openai", "base_url": witness.url, "api_key": "w", "upstream_model": "witness", "retries": 1}
    installation = Installation(tmp_path / "again", extra_models=[model], telemetry={"otlp": collector.url + "/v1/traces"})
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        run, _ = start(server, tenant, plan(tokens=3, fail_first=1).prompt(), model="again")
        first, second = collector.children(collector.run(run))
        assert first["error.type"] == "503" and first.status["code"] == 2 and first["kdcube.attempt"] == 1
        assert second["kdcube.attempt"] == 2 and second["gen_ai.response.finish_reasons"] == ["stop"]
        assert (second.name, second["gen_ai.request.model"], second["kdcube.model"]) == ("chat witness", "witness", "again")
    finally:
        installation.stop()


def test_a_collector_that_is_away_touches_no_run(tmp_path, make_tenant):
    """What has no room is dropped and counted; what waits is sent when the collector is back, and at the end of the server."""
    port = free_port()
    installation = Installation(tmp_path / "away", telemetry={"otlp": f"http://127.0.0.1:{port}", "queue": 6})
    collector = None
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        for _ in range(7):
            _, envelopes = start(server, tenant, "@tokens 3\n@rate 0")
            assert envelopes[-1]["type"] == "chat.complete"
        dropped = wait_until("spans are dropped", lambda: server.metrics().get("kdcube_trace_spans_dropped_total", 0))
        assert dropped < 14
        log = server.process.log.read_text()
        assert log.count("the collector of traces does not answer") <= 1
        collector = Collector(port)
        collector.statuses = [503]
        found = wait_until("what waited has come", lambda: len(collector.spans) + dropped >= 14 and list(collector.spans), seconds=20)
        assert len(found) + dropped == 14
        run, _ = start(server, tenant, "@tokens 3\n@rate 0")
        server.process.stop()
        assert collector.run(run), "sent before the process ended"
    finally:
        installation.stop()
        if collector:
            collector.stop()


def test_a_sample_of_nothing_sends_nothing(tmp_path, make_tenant):
    collector = Collector()
    installation = Installation(tmp_path / "none", telemetry={"otlp": collector.url, "sample": 0})
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        start(server, tenant, "@tokens 3\n@rate 0")
        start(server, tenant, "@tokens 3\n@rate 0", {"traceparent": PARENT})
        server.process.stop()
        assert not collector.bodies
    finally:
        installation.stop()
        collector.stop()


@pytest.mark.parametrize(
    ("telemetry", "says"),
    [
        ({"otlp": "collector:4318"}, "telemetry.otlp"),
        ({"otlp": "http://user:secret@c:4318"}, "telemetry.otlp"),
        ({"sample": 1.5}, "telemetry.sample"),
        ({"headers": {"a b": "c"}}, "telemetry.headers"),
        ({"surprise": 1}, "telemetry.surprise"),
    ],
    ids=["scheme", "password", "sample", "header", "unknown"],
)
def test_settings_with_a_mistake_are_refused(tmp_path, telemetry, says):
    installation = Installation(tmp_path / "wrong", telemetry=telemetry)
    server = installation.serve(ready=False)
    assert server.process.wait(30) != 0
    tail = server.process.tail()
    assert says in tail and "secret" not in tail, tail

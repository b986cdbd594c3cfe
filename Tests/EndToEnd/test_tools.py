"""The server's own tools through the real server: decisions, schemas, budgets, policies, idempotency, HTTP and MCP."""

import hashlib
import http.server
import json
import sqlite3
import sys
import threading

import openai
import pytest
import requests

from rig.envelopes import answer, check_run, of_sse
from rig.server import ROOT, CommandFailed, Installation, nano
from rig.sse import collect
from rig.tools import DEMO, SETTINGS, call, code, last_step, prompt, steps
from rig.waiting import wait_until


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = Installation(tmp_path_factory.mktemp("tools"), **SETTINGS)
    installation.serve()
    yield installation
    installation.stop()


def run(server, tenant, text: str, **more) -> list[dict]:
    envelopes = of_sse(collect(server.url, tenant.key, {"text": text, "model": "demo"} | more))
    check_run(envelopes)
    return envelopes


def test_a_call_is_made_between_the_words_and_the_model_goes_on(server, tenant):
    envelopes = run(server, tenant, prompt(call("crm.lookup", customer="C-17"), then=5))
    end = last_step(envelopes, "crm.lookup")
    assert end["status"] == "completed" and end["decision"] == "allow" and end["decision_id"].startswith("dec_")
    assert end["args"] == {"customer": "C-17"} and "C-17" in json.dumps(end["result"])
    statuses = [step["event"]["status"] for step in steps(envelopes, "crm.lookup")]
    assert statuses == ["started", "running", "completed"]
    assert envelopes[-1]["type"] == "chat.complete" and envelopes[-1]["data"]["finish_reason"] == "stop"


def test_several_calls_of_one_answer_each_have_their_steps(server, tenant):
    calls = [call("crm.lookup", customer=f"C-{number}") for number in range(3)]
    envelopes = run(server, tenant, prompt(*calls))
    ended = [step["data"] for step in steps(envelopes) if step["event"]["status"] == "completed"]
    assert sorted(end["args"]["customer"] for end in ended) == ["C-0", "C-1", "C-2"]
    assert len({end["call_id"] for end in ended}) == len({end["decision_id"] for end in ended}) == 3


def test_a_tool_of_another_role_is_not_offered_and_a_call_of_it_is_denied(server, tenant, installation, make_tenant):
    denied = last_step(run(server, tenant, prompt(call("mail.send", draft_id="x"))), "mail.send")
    assert denied["status"] == "error" and denied["decision"] == "deny"
    assert denied["rule"] == "tool.roles" and denied["error"]["rule"] == "tool.roles"
    mailer = make_tenant(installation, "--role", "mailer")
    drafted = last_step(run(server, mailer, prompt(call("mail.draft", to="a@b.c", subject="s", body="b"))), "mail.draft")
    sent = last_step(run(server, mailer, prompt(call("mail.send", draft_id=drafted["result"]["draft_id"]))), "mail.send")
    assert sent["status"] == "completed", sent


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("payments.refund", '{"order_id":"A1","amount":"20.00","tenant":"other"}', "bad_args"),
        ("payments.refund", '{"order_id":"A1","amount":20.00}', "bad_args"),
        ("payments.refund", '{"order_id":"A1","amount":"1000.01"}', "bad_args"),
        ("payments.refund", '{"order_id":"A1","amount":"1.00","amount":"999.00"}', "bad_args"),
        ("crm.lookup", "{}", "bad_args"),
        ("Payments.Refund", '{"order_id":"A1","amount":"1.00"}', "unknown_tool"),
        ("раyments.refund", '{"order_id":"A1","amount":"1.00"}', "unknown_tool"),
        ("__class__", "{}", "unknown_tool"),
        ("os.system", '{"command":"id"}', "unknown_tool"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_code_and_never_called(server, tenant, name, arguments, code):
    envelopes = run(server, tenant, prompt(f"@tool {name} {arguments}"))
    end = [step for step in steps(envelopes) if step["event"]["status"] == "error"]
    assert len(end) == 1 and end[0]["data"]["error"]["code"] == code, steps(envelopes)
    assert envelopes[-1]["type"] == "chat.complete", "the model read the refusal and went on"


@pytest.mark.parametrize(
    ("policy", "kind", "reason"),
    [("feed_back", "chat.complete", "stop"), ("stop_turn", "chat.complete", "tool_denied"), ("cut_stream", "chat.cut", "policy_denied")],
)
def test_what_a_denied_call_means_is_the_requests_to_say(server, tenant, policy, kind, reason):
    end = run(server, tenant, prompt(call("mail.send", draft_id="x"), then=4), on_deny=policy)[-1]
    assert end["type"] == kind
    assert (end["cut"]["reason"] if kind == "chat.cut" else end["data"]["finish_reason"]) == reason


def test_a_request_may_want_some_of_the_tools_or_none(server, tenant):
    some = run(server, tenant, prompt(call("crm.lookup", customer="C")), server_tools=["payments.refund"])
    assert last_step(some, "crm.lookup")["status"] == "error"
    none = run(server, tenant, prompt(call("crm.lookup", customer="C")), server_tools=False)
    assert none[-1]["data"]["finish_reason"] == "tool_calls", "without the server's tools a call is the client's"
    bad = requests.post(server.url + "/v1/runs", json={"text": "x", "server_tools": "all"}, headers=tenant.headers, timeout=10)
    assert bad.status_code == 400 and bad.json()["error"]["param"] == "server_tools"


def test_a_calls_price_and_the_number_of_calls_are_budgets(server, tenant):
    tenant.cap("2", "calls")
    refund = [call("payments.refund", order_id=f"A{number}", amount="1.00") for number in range(4)]
    envelopes = run(server, tenant, prompt(*refund))
    ends = [step for step in steps(envelopes) if step["event"]["status"] in ("completed", "error")]
    assert sorted(step["event"]["status"] for step in ends) == ["completed", "completed", "error", "error"]
    refused = next(step["data"]["error"] for step in ends if step["event"]["status"] == "error")
    assert refused["code"] == "rate_limited"
    usage = tenant.usage()
    end = envelopes[-1]
    assert nano(usage["totals"]["cost_usd"]) == nano(end["cost_usd"]) + 2 * nano("0.01")


BAD_FRAME = """import os, struct, time
from agent_tools import tools
tools.crm.lookup(customer="C-1")
body = b'{"type":"call","id":100,"tool":"payments.refund","args":{"order_id":"A","amount":"1.00","amount":"900.00"}}'
os.write(3, struct.pack(">I", len(body)) + body)
time.sleep(0.2)"""


def test_every_attempt_is_a_decision_in_the_log(server, installation, make_tenant):
    admin, stranger = (make_tenant(installation, "--role", "admin") for _ in range(2))
    attempts = [call("crm.lookup", customer="C-9"), call("mail.send", draft_id="x"), "@tool os.system {}", "@tool crm.lookup {}"]
    envelopes = run(server, admin, prompt(*attempts, code(BAD_FRAME)))
    url = server.url + "/api/admin/decisions"
    found = requests.get(url, params={"run": envelopes[0]["run_id"], "kind": "call"}, headers=admin.headers, timeout=10).json()["data"]
    said = [(one["source"], one["tool"], one["decision"], one["rule"]) for one in found]
    assert sorted(said) == sorted(
        [
            ("model", "crm.lookup", "allow", "tool.catalog"),
            ("model", "mail.send", "deny", "tool.roles"),
            ("model", "os.system", "deny", "supervisor.unknown_tool"),
            ("model", "crm.lookup", "deny", "supervisor.arguments"),
            ("model", "run_code", "allow", "tool.catalog"),
            ("code", "crm.lookup", "allow", "tool.catalog"),
            ("code", "payments.refund", "deny", "supervisor.channel"),
        ]
    )
    told = {step["data"]["decision_id"] for step in steps(envelopes) if "decision_id" in step["data"]}
    assert {one["id"] for one in found} == told, "what the run was told of is what is written, and nothing more"
    looked = next(one for one in found if one["tool"] == "crm.lookup" and one["source"] == "model" and one["decision"] == "allow")
    assert looked["arguments"] == '{"customer":"C-9"}' and looked["user"] == "ada" and looked["outcome"]["status"] == "ok"
    assert looked["arguments_digest"] == hashlib.sha256(b'{"customer":"C-9"}').hexdigest()
    assert all("outcome" not in one for one in found if one["decision"] == "deny")
    one = requests.get(f"{url}/{looked['id']}", headers=admin.headers, timeout=10)
    assert one.json()["call_id"] == looked["call_id"]
    assert requests.get(f"{url}/{looked['id']}", headers=stranger.headers, timeout=10).status_code == 404
    assert requests.get(url, params={"kind": "call"}, headers=stranger.headers, timeout=10).json()["data"] == []
    assert requests.get(url, params={"org": admin.org}, headers=stranger.headers, timeout=10).status_code == 403
    database = sqlite3.connect(installation.folder / "data" / "kdcube.sqlite")
    for change in ("DELETE FROM tool_decisions", "UPDATE tool_decisions SET decision = 'allow'"):
        with pytest.raises(sqlite3.Error):
            database.execute(change)
    database.close()


def test_a_stream_that_is_cut_for_a_name_has_its_decision_too(server, installation, make_tenant):
    admin = make_tenant(installation, "--role", "admin")
    envelopes = run(server, admin, prompt(call("mail.send", draft_id="x")), on_deny="cut_stream")
    decision = envelopes[-1]["cut"]["decision_id"]
    found = wait_until(
        "the record is written",
        lambda: requests.get(f"{server.url}/api/admin/decisions/{decision}", headers=admin.headers, timeout=10).json().get("rule"),
    )
    assert found == "tool.roles"


def test_admins_see_the_tools_and_the_isolation(server, tenant, installation, make_tenant):
    admin = make_tenant(installation, "--role", "admin")
    tools = requests.get(server.url + "/api/admin/tools", headers=admin.headers, timeout=10).json()["data"]
    assert "payments.refund" in {tool["name"] for tool in tools}
    isolation = requests.get(server.url + "/api/admin/isolation", headers=admin.headers, timeout=10).json()
    assert isolation["level"] in ("limited", "full") and isolation["runs_code"] and len(isolation["probes"]) >= 12
    assert not isolation.keys() & {"pool", "starts", "kills"}, "sums over all organisations are the operator's"
    assert requests.get(server.url + "/api/admin/isolation", headers=tenant.headers, timeout=10).status_code == 403


def test_openai_clients_use_the_same_tools(server, tenant):
    client = openai.OpenAI(base_url=server.url + "/v1", api_key=tenant.key, max_retries=0)
    text = prompt(call("crm.lookup", customer="C-3"), code("print('seen')\n6 * 7"), then=4)
    whole = client.chat.completions.create(model="demo", messages=[{"role": "user", "content": text}], extra_body={"server_tools": True})
    choice = whole.choices[0]
    assert choice.finish_reason == "stop" and choice.message.content and not choice.message.tool_calls
    parts = list(
        client.chat.completions.create(
            model="demo", stream=True, messages=[{"role": "user", "content": text}], extra_body={"server_tools": ["crm.lookup", "run_code"]}
        )
    )
    assert not any(part.choices and part.choices[0].delta.tool_calls for part in parts), "they are the server's to make"
    assert [part.choices[0].finish_reason for part in parts if part.choices][-1] == "stop"
    handed = client.chat.completions.create(
        model="demo",
        messages=[{"role": "user", "content": call("crm.lookup", customer="C")}],
        tools=[{"type": "function", "function": {"name": "crm.lookup", "parameters": {"type": "object"}}}],
    )
    assert handed.choices[0].finish_reason == "tool_calls", "the client's own tools stay the client's"


def test_memory_is_the_users_and_search_is_the_projects(server, tenant, make_tenant, installation):
    run(server, tenant, prompt(call("memory.set", key="colour", value="green")))
    assert last_step(run(server, tenant, prompt(call("memory.get", key="colour"))), "memory.get")["result"]["value"] == "green"
    other = make_tenant(installation)
    assert last_step(run(server, other, prompt(call("memory.get", key="colour"))), "memory.get")["result"]["found"] is False
    put = requests.put(
        server.url + "/v1/knowledge/refunds",
        data="Refunds take five days.",
        headers=tenant.headers | {"content-type": "text/plain"},
        timeout=10,
    )
    assert put.status_code == 201
    found = last_step(run(server, tenant, prompt(call("knowledge.search", query="refunds"))), "knowledge.search")["result"]
    assert [passage["doc"] for passage in found["passages"]] == ["refunds"]
    assert not last_step(run(server, other, prompt(call("knowledge.search", query="refunds"))), "knowledge.search")["result"]["passages"]


def test_a_call_with_an_idempotency_key_is_made_once_also_after_a_restart(tmp_path, make_tenant):
    installation = Installation(tmp_path / "once", **SETTINGS)
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        source = (
            'from agent_tools import tools\ntools.call("mail.draft", {"to": "a@b.c", "subject": "%s", "body": "b"}, idempotency_key="k1")'
        )
        first = last_step(run(server, tenant, prompt(code(source % "one"))), "run_code")
        assert first["exit"] == "ok", first
        again = last_step(run(server, tenant, prompt(code(source % "one"))), "run_code")
        assert again["value"] == first["value"], "the first outcome, not a second draft"
        other = last_step(run(server, tenant, prompt(code(source % "two"))), "run_code")
        assert other["exit"] == "error" and "idempotency_conflict" in other["stderr"]
        server.process.stop()
        installation.restart(server)
        later = last_step(run(server, tenant, prompt(code(source % "one"))), "run_code")
        assert later["value"] == first["value"]
    finally:
        installation.stop()


class _Upstream(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append((self.path, dict(self.headers), body))
        answer_ = b'{"refunded": true}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer_)))
        self.end_headers()
        self.wfile.write(answer_)

    def log_message(self, *_):
        pass


def test_tools_behind_http_and_mcp(tmp_path, make_tenant, monkeypatch):
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    upstream.seen = []
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    closed = {"type": "object", "additionalProperties": False}
    text = {"type": "string", "minLength": 1, "maxLength": 64}
    refund = {
        "name": "billing.refund",
        "description": "Refunds.",
        "effect": "write",
        "parameters": closed | {"required": ["order", "amount"], "properties": {"order": text, "amount": text}},
        "http": {
            "method": "POST",
            "url": f"http://127.0.0.1:{upstream.server_port}/orders/{{order}}/refunds",
            "body": "json",
            "headers": {"authorization": "Bearer ${BILLING_SECRET}"},
            "allow_hosts": ["127.0.0.1"],
            "private_hosts": ["127.0.0.1"],
        },
    }
    hidden = json.loads(json.dumps(refund))
    hidden["name"] = "billing.hidden"
    hidden["http"]["private_hosts"] = []
    number = {"type": "integer", "minimum": -1000, "maximum": 1000}
    add = {
        "name": "maths.add",
        "description": "Adds.",
        "effect": "read",
        "parameters": closed | {"required": ["a", "b"], "properties": {"a": number, "b": number}},
        "mcp": {"command": [sys.executable, str(ROOT / "Tests/EndToEnd/rig/mcp_server.py")], "tool": "add"},
    }
    catalog = tmp_path / "tools.json"
    catalog.write_text(json.dumps({"tools": [refund, hidden, add]}))
    installation = Installation(tmp_path / "adapters", tools={"file": str(catalog)})
    monkeypatch.setenv("BILLING_SECRET", "s3cr3t-of-billing")
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        envelopes = run(server, tenant, prompt(call("billing.refund", order="a b/c", amount="1.00"), call("maths.add", a=2, b=40)))
        assert last_step(envelopes, "billing.refund")["result"] == {"refunded": True}
        assert "42" in json.dumps(last_step(envelopes, "maths.add")["result"])
        path, headers, body = upstream.seen[0]
        assert path == "/orders/a%20b%2Fc/refunds" and json.loads(body) == {"amount": "1.00"}
        assert headers["authorization"] == "Bearer s3cr3t-of-billing"
        assert "s3cr3t" not in json.dumps(envelopes)
        refused = last_step(run(server, tenant, prompt(call("billing.hidden", order="x", amount="1.00"))), "billing.hidden")
        assert refused["status"] == "error" and len(upstream.seen) == 1, "a private address that is not listed"
        assert "s3cr3t" not in installation.servers[0].process.log.read_text()
    finally:
        installation.stop()
        upstream.shutdown()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("tools: [{name: Bad}]", "name"),
        ("tools: [{name: a, description: d, effect: read, builtin: run_code, parameters: {type: object}}]", "additionalProperties"),
        (
            "tools: [{name: a, description: d, effect: read, surprise: 1, builtin: crm.lookup, parameters: {type: object, additionalProperties: false}}]",
            "surprise",
        ),
        (
            "tools: [{name: a, description: d, effect: read, builtin: nothing.here, parameters: {type: object, additionalProperties: false}}]",
            "nothing.here",
        ),
        ("tools: &a [*a]", "tools"),
    ],
)
def test_a_catalog_with_a_mistake_is_refused_with_its_place(tmp_path, text, says):
    catalog = tmp_path / "tools.yaml"
    catalog.write_text(text)
    installation = Installation(tmp_path / "mistaken", tools={"file": str(catalog)})
    with pytest.raises(CommandFailed) as failure:
        installation.command("check-config")
    assert says in failure.value.stderr and "tools.file" in failure.value.stderr, failure.value.stderr


def test_the_demos_catalog_is_one(tmp_path):
    Installation(tmp_path, tools={"file": DEMO}).command("check-config")


def test_words_between_the_rounds_are_charged_like_any_other(server, tenant):
    envelopes = run(server, tenant, prompt(call("crm.lookup", customer="C"), then=7))
    end = envelopes[-1]
    assert nano(end["cost_usd"]) == nano(tenant.usage()["totals"]["cost_usd"])
    assert len(answer(envelopes)) > 0


#: Every metric that clients of `/metrics` may rely on, with its labels.
METRICS = {
    "kdcube_connections": set(),
    "kdcube_sockets": set(),
    "kdcube_runs_active": set(),
    "kdcube_runs_total": {"outcome"},
    "kdcube_tokens_total": {"kind", "model"},
    "kdcube_cost_nanousd_total": set(),
    "kdcube_cuts_total": {"reason"},
    "kdcube_cut_latency_seconds_count": set(),
    "kdcube_time_to_first_token_seconds_count": set(),
    "kdcube_delta_latency_seconds_count": set(),
    "kdcube_counter_ops_total": {"op"},
    "kdcube_decisions_total": {"decision", "tool"},
    "kdcube_tool_seconds_count": {"status"},
    "kdcube_sandbox_starts_total": {"kind"},
    "kdcube_sandbox_kills_total": {"reason"},
    "kdcube_slow_consumers_total": set(),
    "kdcube_outbox_rows": set(),
}


def test_every_metric_is_there_with_its_labels_and_moves(server, tenant):
    before = server.metrics()
    run(
        server,
        tenant,
        prompt(call("crm.lookup", customer="C-17"), call("mail.send", draft_id="x"), code("while True: print('x' * 100_000)")),
    )
    tenant.cap("0.000200")
    cut = run(server, tenant, "@tokens 4000\n@rate 1000")
    assert cut[-1]["type"] == "chat.cut"
    after = server.metrics()
    for name, labels in METRICS.items():
        found = [sample for sample in after if sample.partition("{")[0] == name]
        assert found, f"{name} is not there"
        for sample in found:
            assert {part.partition("=")[0] for part in sample.partition("{")[2].rstrip("}").split(",") if part} == labels, sample
        moves = sum(after[sample] for sample in found) != sum(before.get(sample, 0) for sample in found)
        still = name in ("kdcube_connections", "kdcube_sockets", "kdcube_runs_active", "kdcube_slow_consumers_total", "kdcube_outbox_rows")
        assert moves or still, f"{name} has not moved"
    assert tenant.key not in str(after) and tenant.org not in str(after), "labels carry nothing of a client's"

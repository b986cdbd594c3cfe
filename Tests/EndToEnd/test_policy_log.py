"""What the decision log has besides calls, limits across servers, switches, and how else people are told and answer."""

import hashlib
import hmac
import http.server
import json
import sqlite3
import threading
import time

import pytest
import requests

from rig.examples import approvals, bearer, ends, follow, only_end, refund, say, start
from rig.server import ROOT, CommandFailed, Installation
from rig.waiting import wait_until


def decisions(example, key: str, **filters) -> list[dict]:
    answer = requests.get(f"{example.server.url}/api/admin/decisions", params=filters, headers=bearer(key), timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def outcome(end: dict) -> tuple:
    return end["status"], end.get("error", {}).get("code")


# Limits across servers


@pytest.mark.parametrize("store", ["embedded", "postgres"])
def test_62_sixteen_at_once_on_two_servers_with_one_redis_are_exactly_four(make_example, redis_server, store, request):
    sections = {"redis": redis_server.url}
    if store == "postgres":
        sections["postgres"] = request.getfixturevalue("shared_postgres").database()
    example = make_example("refund-authorization", **sections)
    servers = [example.serve(), example.serve()]
    anna = example.person("anna")
    runs = [(servers[number % 2], start(servers[number % 2], anna, refund("50.00", "C-9", f"B-{number}"))) for number in range(16)]
    ended = [only_end(follow(server, anna, run["run_id"])) for server, run in runs]
    assert sorted(map(outcome, ended), key=str) == [("completed", None)] * 4 + [("error", "limit_exceeded")] * 12
    told = {end["error"]["details"]["limit"] for end in ended if "error" in end}
    assert len(told) == 1 and "200" in told.pop()
    root = example.key("root", "admin")
    allowed = decisions(example, root, decision="allow", tool="payments.refund")
    assert len(allowed) == 4
    assert {limit["limit"] for one in allowed for limit in one["details"]["limits"]} >= {
        ended[0].get("error", {}).get("details", {}).get("limit")
    } - {None}
    example.installation.command("audit", "verify")


# Every kind of record


def test_admissions_cuts_kills_changes_and_foreign_tenants_are_in_the_log(make_example):
    example = make_example("refund-authorization")
    server = example.serve()
    anna, root = example.person("anna"), example.key("root", "admin")
    cap = example.installation.key("acme", "web", "cap")
    example.installation.budget(f"key:{cap['id']}", "0.0001")

    cut = follow(server, cap["key"], start(server, cap["key"], "@tokens 500")["run_id"])[-1]
    assert cut["type"] == "chat.cut"
    run = cut["run_id"]
    admitted, ended = sorted(decisions(example, root, run=run), key=lambda one: one["seq"])
    assert (admitted["kind"], admitted["tool"], admitted["decision"]) == ("admission", "run.admission", "allow")
    assert (ended["kind"], ended["tool"], ended["decision"], ended["code"]) == ("cut", "run.cut", "deny", "budget_exceeded")
    assert cut["cut"]["decision_id"] == ended["id"] and ended["details"]["cut"]["unit"] == "usd"

    refused = requests.post(server.url + "/v1/runs", json={"text": "@tokens 500"}, headers=bearer(cap["key"]), timeout=10)
    assert refused.status_code == 402
    assert (
        refused.json()["error"]["cut"]["decision_id"]
        == wait_until("the refusal is written", lambda: next(iter(decisions(example, root, kind="admission", decision="deny")), None))["id"]
    )

    slow = start(server, anna, "@tokens 2000\n@rate 20")["run_id"]
    kill = f"{server.url}/api/admin/streams/{slow}/kill"
    assert requests.post(kill, json={"reason": "It repeats itself."}, headers=bearer(root), timeout=10).status_code == 200
    killed = follow(server, anna, slow)[-1]["cut"]
    one = wait_until("the kill is written", lambda: next(iter(decisions(example, root, kind="kill", run=slow)), None))
    assert killed["reason"] == "killed" and killed["decision_id"] == one["id"] and "It repeats itself." in one["details"]["target"]

    hint = requests.post(server.url + "/v1/runs", json={"text": "x", "tenant": "globex"}, headers=bearer(anna), timeout=10)
    assert hint.status_code == 403
    mismatch = wait_until("the mismatch is written", lambda: next(iter(decisions(example, root, kind="refusal")), None))
    assert (mismatch["code"], mismatch["user"], mismatch["details"]) == ("tenant_mismatch", "anna", {"field": "tenant"})

    changes = {one["tool"] for one in decisions(example, root, kind="change")}
    assert {"key.create", "budget.set"} <= changes
    example.installation.command("keys", "revoke", cap["id"])
    revoked = decisions(example, root, kind="change", limit=1)[0]
    assert revoked["tool"] == "key.revoke" and revoked["details"] == {"by": "command line", "key": cap["id"]}
    lines = [json.loads(line) for line in example.installation.command("audit", "export", "--org", "acme").splitlines()]
    assert {line.get("what", "call") for line in lines if line["kind"] == "decision"} >= {"admission", "cut", "kill", "change", "refusal"}
    example.installation.command("audit", "verify")


def test_decisions_are_found_by_user_rule_time_and_conversation(make_example):
    example = make_example("refund-authorization")
    server = example.serve()
    anna, root = example.person("anna"), example.key("root", "admin")
    envelopes = say(server, anna, refund("20.00", "C-1"))
    middle = int(time.time() * 1000)
    time.sleep(0.01)
    say(server, anna, refund("2000.00", "C-1"))
    talk = envelopes[0]["conversation"]["conversation_id"]
    assert [one["rule"] for one in decisions(example, root, kind="call")] == ["refund-too-large", "refund-small"]
    assert [one["rule"] for one in decisions(example, root, kind="call", until=middle)] == ["refund-small"]
    assert [one["rule"] for one in decisions(example, root, kind="call", since=middle)] == ["refund-too-large"]
    assert [one["rule"] for one in decisions(example, root, conversation=talk)] == ["refund-small"]
    assert [one["user"] for one in decisions(example, root, rule="refund-small", user="anna")] == ["anna"]
    assert decisions(example, root, rule="refund-small", user="nobody") == []
    assert requests.get(f"{server.url}/api/admin/decisions?kind=x", headers=bearer(root), timeout=10).status_code == 400


# Switches


def test_a_tool_that_is_switched_off_is_off_everywhere_and_after_a_restart(make_example, redis_server):
    example = make_example("refund-authorization", redis=redis_server.url)
    first, second = example.serve(), example.serve()
    anna, operator, admin = example.person("anna"), example.key("root", "operator"), example.key("adm", "admin")
    url = f"{first.url}/api/admin/tools/payments.refund"
    assert requests.post(url, json={"disabled": True}, headers=bearer(admin), timeout=10).status_code == 403
    said = requests.post(url, json={"disabled": True, "reason": "The bank is down."}, headers=bearer(operator), timeout=10)
    assert said.status_code == 200 and said.json()["disabled"]["reason"] == "The bank is down."
    assert outcome(only_end(say(first, anna, refund("1.00", "C-1")))) == ("error", "tool_disabled")
    wait_until("the other server follows", lambda: outcome(only_end(say(second, anna, refund("1.00", "C-1"))))[1] == "tool_disabled")
    second.kill()
    example.installation.restart(second)
    assert outcome(only_end(say(second, anna, refund("1.00", "C-1"))))[1] == "tool_disabled"
    assert requests.post(url, json={"disabled": False}, headers=bearer(operator), timeout=10).json()["disabled"] is None
    wait_until("it is on again", lambda: outcome(only_end(say(second, anna, refund("1.00", "C-1")))) == ("completed", None))


# How people are told, and how they answer


class Receiver:
    """An address that takes what is sent to it; the first `failures` deliveries are refused."""

    def __init__(self, failures: int = 0):
        self.taken: list[tuple[dict, bytes]] = []
        self.failures = failures
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if receiver.failures > 0:
                    receiver.failures -= 1
                    self.send_response(503)
                else:
                    receiver.taken.append((dict(self.headers), body))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_a_webhook_is_told_with_a_signature_and_again_when_it_fails(make_example):
    receiver, secret = Receiver(failures=1), "a secret of the receiver"
    example = make_example("refund-authorization", approvals={"webhook": receiver.url, "webhook_secret": secret})
    server = example.serve()
    anna, fay = example.person("anna"), example.key("fay", "finance")
    run = start(server, anna, refund("120.00", "C-1"))["run_id"]
    pending = wait_until("it is asked", lambda: next(iter(approvals(server, fay)), None))
    wait_until("the webhook has it at the second time", lambda: receiver.taken)
    headers, body = receiver.taken[0]
    signed = hmac.new(secret.encode(), headers["x-kdcube-timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-kdcube-signature"] == f"sha256={signed}"
    told = json.loads(body)
    assert told["type"] == "approval" and told["approval"]["id"] == pending["id"] and told["approval"]["args"]["amount"] == "120.00"

    # From the command line, as the person that a key belongs to.
    with pytest.raises(CommandFailed) as failure:
        example.installation.command("approvals", "approve", pending["id"], "--key", anna)
    assert "not_an_approver" in str(failure.value) or "own_call" in str(failure.value)
    listed = example.installation.json("approvals", "list", "--org", "acme")
    assert [one["id"] for one in listed] == [pending["id"]]
    answered = example.installation.command("approvals", "approve", pending["id"], "--key", fay, "--reason", "Fine.")
    assert "approved" in answered
    assert only_end(follow(server, anna, run))["status"] == "completed", "the server has seen what was decided beside it"


@pytest.mark.parametrize("reads", [False, True])
def test_90_while_the_log_cannot_be_written_nothing_with_an_effect_is_called(redis_server, tmp_path, reads):
    """The counters are in Redis and work; the database of the log is held by somebody else."""
    installation = Installation(
        tmp_path / "full",
        redis=redis_server.url,
        tools={"file": str(ROOT / "scripts" / "demo" / "tools.yaml")},
        sandbox={"minimum": "limited", "warm": 0},
        audit={"reads_without_log": reads},
    )
    try:
        server = installation.serve()
        key = installation.key("acme")["key"]
        calls = {
            "crm.lookup": '@tool crm.lookup {"customer": "C1"}',
            "payments.refund": '@tool payments.refund {"order_id": "A1", "amount": "1.00"}',
        }
        runs = {tool: start(server, key, f"@tokens 80\n@rate 20\n{call}\n@then\n@tokens 2")["run_id"] for tool, call in calls.items()}
        lock = sqlite3.connect(tmp_path / "full" / "data" / "kdcube.sqlite", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        refused = requests.post(server.url + "/v1/runs", json={"text": "x"}, headers=bearer(key), timeout=60)
        assert refused.status_code == 503, "no run begins that cannot be recorded"
        ended: dict[str, dict] = {}
        followers = [
            threading.Thread(target=lambda tool=tool, run=run: ended.update({tool: only_end(follow(server, key, run))}))
            for tool, run in runs.items()
        ]
        for follower in followers:
            follower.start()
        not_logged = "kdcube_decisions_not_logged_total"
        wait_until("the log was missed", lambda: server.metrics().get(not_logged, 0) >= 3, seconds=90)
        lock.execute("ROLLBACK")
        for follower in followers:
            follower.join(60)
        assert outcome(ended["payments.refund"]) == ("error", "log_unavailable")
        assert outcome(ended["crm.lookup"]) == (("completed", None) if reads else ("error", "log_unavailable"))
    finally:
        installation.stop()


def test_console_namespace_has_a_snapshot_and_then_changes(make_example):
    import socketio

    example = make_example("refund-authorization")
    server = example.serve()
    anna, root, fay = example.person("anna"), example.key("root", "admin"), example.key("fay", "finance")
    say(server, anna, refund("5.00", "C-1"))
    client, told = socketio.Client(), {"approvals": [], "decisions": []}
    for event in told:
        client.on(event, told[event].append, namespace="/console")
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(server.url, auth={"token": anna}, namespaces=["/console"], transports=["websocket"])
    client.connect(server.url, auth={"token": root}, namespaces=["/console"], transports=["websocket"])
    try:
        wait_until("both snapshots are there", lambda: all(told.values()))
        assert told["approvals"][0] == {"snapshot": True, "data": []}
        assert any(row["tool"] == "payments.refund" for row in told["decisions"][0]["data"])
        run = start(server, anna, refund("120.00", "C-1"))["run_id"]
        asked = wait_until("it is told", lambda: [row for news in told["approvals"][1:] for row in news["data"]])
        assert asked[0]["state"] == "pending" and asked[0]["args"]["amount"] == "120.00"
        requests.post(
            f"{server.url}/api/approvals/{asked[0]['id']}", json={"decision": "deny", "reason": "No."}, headers=bearer(fay), timeout=10
        )
        end = ends(follow(server, anna, run))[0]
        assert end["error"]["code"] == "approval_denied" and "No." in end["error"]["message"]
        wait_until(
            "the end is told, and the decision",
            lambda: (
                any(row["state"] == "denied" for news in told["approvals"] for row in news["data"])
                and any(row.get("code") == "approval_denied" for news in told["decisions"] for row in news["data"])
            ),
        )
    finally:
        client.disconnect()

"""The made-up data of `fake_console.py`: people, approvals, decisions, policies, tools, probes."""

import hashlib
import itertools
import json
import time

MINUTE = 60_000
ROLES_OF_ADMIN = ["admin", "finance"]
PEOPLE = {
    "kd-admin": {"user": "olga", "org": "acme", "project": "web", "roles": ROLES_OF_ADMIN},
    "kd-ola": {"user": "ola", "org": "acme", "project": "web", "roles": ["admin", "operator"]},
    "kd-ben": {"user": "ben", "org": "acme", "project": "web", "roles": ["finance"]},
    "kd-ana": {"user": "ana", "org": "acme", "project": "web", "roles": []},
}
VERSION = hashlib.sha256(b"policies").hexdigest()
REFUNDS = """// Who may refund, and how much.
@id("refund-small")
@limit("3 per session; sum(args.amount) <= 200.00 per customer per day")
permit (
  principal,
  action == Action::"payments.refund",
  resource
) when { context.args.amount.lessThanOrEqual(decimal("100.00")) };

@id("refund-large")
@approval("group:finance quorum:2 timeout:30m")
permit (principal, action == Action::"payments.refund", resource)
when { context.args.amount.greaterThan(decimal("100.00")) };

@id("refund-after-lookup")
@message("Look the customer up before you refund.")
forbid (principal, action == Action::"payments.refund", resource)
unless { context.history.contains({tool: "crm.lookup", key: context.args.customer}) };
"""
MAIL = """@id("mail-to-customers")
permit (principal, action in [Action::"mail.draft", Action::"mail.send"], resource)
when { context.args.to like "*@customers.example" };

@id("reads")
permit (principal, action in Action::"effect:read", resource);

@id("mail-twice")
@shadow("")
forbid (principal, action == Action::"mail.send", resource)
when { context.counts["mail.send"] >= 2 };
"""


def now() -> int:
    return int(time.time() * 1000)


def text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


class World:
    def __init__(self, empty: bool = False):
        self.numbers = itertools.count(1)
        self.approvals: list[dict] = []
        self.decisions: list[dict] = []
        self.tools = [] if empty else tools()
        self.is_empty = empty
        if not empty:
            self.fill()

    def fill(self) -> None:
        vote = {
            "by": "anna",
            "decision": "approve",
            "reason": "The order came back damaged, photos in the ticket.",
            "at": now() - 40_000,
            "as": ["group:finance"],
        }
        large = {"amount": "240.00", "customer": "C-1042", "order_id": "A-77810", "reason": "The parcel arrived damaged."}
        self.add_approval(args=large, left=4.2, votes=[vote], agreed=1)
        self.add_approval(
            tool="mail.send", user="li", rule="mail-outside", source=[["user:olga", "group:legal"]], quorum=1, left=11,
            args={"to": "press@example.org", "subject": "Statement <b>about</b> the outage", "body": "Dear editors,\n\nthe outage of 27 November began at 14:02 UTC.\nNo data was lost.\n\nKind regards", "attachments": ["timeline.pdf", "summary.pdf"]},
        )  # fmt: skip
        self.add_approval(user="olga", args={"amount": "150.00", "customer": "C-2001", "order_id": "B-12"}, left=26.0)
        for state, ago, user in (("approved", 40, "ana"), ("denied", 75, "li"), ("expired", 130, "ana"), ("cancelled", 300, "ana")):
            row = self.add_approval(user=user, args={"amount": "120.00", "customer": "C-1042", "order_id": f"A-{ago}"}, left=-ago)
            row |= {"state": state}
            if state in ("approved", "denied"):
                row["votes"] = [{"by": "ben", "decision": {"approved": "approve", "denied": "deny"}[state], "reason": "Not our fault." if state == "denied" else "", "at": now() - (ago + 3) * MINUTE, "as": ["group:finance"]}]  # fmt: skip
        for _ in range(160):
            self.add_decision(front=False)

    def add_approval(
        self, tool="payments.refund", user="ana", rule="refund-large", source=None, quorum=2, left=30.0, args=None, votes=(), agreed=0
    ) -> dict:
        number = next(self.numbers)
        row = {
            "id": f"apr_{number:04}", "org": "acme", "project": "web", "user": user, "run": f"run_{number:05}", "conversation": f"conv_{number}",
            "call_id": f"call_{number}", "tool": tool, "subject": (args or {"customer": "C-9"}).get("customer"), "args": args or {"amount": "310.00", "customer": "C-9", "order_id": "Z-1"}, "rule": rule,
            "from": source or [["group:finance"]], "quorum": quorum, "agreed": agreed, "created_at": now() + int((left - 30) * MINUTE),
            "expires_at": now() + int(left * MINUTE), "state": "pending", "votes": list(votes), "policy": VERSION,
        }  # fmt: skip
        self.approvals.append(row)
        return row

    def approvals_for(self, who: dict, state: str) -> list[dict]:
        rows = []
        for row in self.approvals:
            if row["state"] == "pending" and row["expires_at"] < now():
                row["state"] = "expired"
            if state == "all" or row["state"] == state:
                rows.append(row | {"may_decide": self.may(who, row)})
        return rows

    def may(self, who: dict, row: dict) -> bool:
        names = {f"user:{who['user']}"} | {f"group:{role}" for role in who["roles"]}
        voted = any(vote["by"] == who["user"] for vote in row["votes"])
        return row["state"] == "pending" and row["user"] != who["user"] and not voted and all(names & set(one) for one in row["from"])

    def decide(self, who: dict, id: str, decision: str, reason: str):
        row = next((row for row in self.approvals if row["id"] == id), None)
        if row is None:
            return None, (404, "approval_not_found", "There is no such approval.")
        if row["state"] != "pending":
            return None, (409, "approval_over", f"This is {row['state']} already.")
        if row["user"] == who["user"]:
            return None, (403, "own_call", "You asked for this; somebody else has to agree.")
        if any(vote["by"] == who["user"] for vote in row["votes"]):
            return None, (409, "already_decided", "You have decided this already.")
        if not self.may(who, row):
            return None, (403, "not_an_approver", "You are none of those who may decide this.")
        row["votes"].append({"by": who["user"], "decision": decision, "reason": reason, "at": now(), "as": ["group:finance"]})
        row["agreed"] = sum(vote["decision"] == "approve" for vote in row["votes"])
        row["state"] = "denied" if decision == "deny" else "approved" if row["agreed"] >= row["quorum"] else "pending"
        return row | {"may_decide": False}, None

    def add_decision(self, front: bool = True) -> dict:
        number = len(self.decisions)
        at = now() if front else now() - number * 7 * MINUTE - 20_000
        kinds = [
            ("payments.refund", {"amount": "35.00", "customer": "C-1042", "order_id": "A-77810"}, "allow", "refund-small", None),
            ("crm.lookup", {"customer": "C-1042"}, "allow", "reads", None),
            ("payments.refund", {"amount": "240.00", "customer": "C-1042", "order_id": "A-77810"}, "deny", "refund-after-lookup", "denied"),
            ("mail.send", {"to": "ana@customers.example", "subject": "Your refund"}, "allow", "mail-to-customers", None),
            ("mail.send", {"to": "ceo@rival.example", "subject": "Hi"}, "deny", "policy.default", "denied"),
            ("knowledge.search", {"query": "how to return a parcel"}, "allow", "reads", None),
            ("payments.refund", {"amount": "90.00", "customer": "C-77", "order_id": "A-2"}, "deny", "refund-small", "limit_exceeded"),
        ]
        tool, args, decision, rule, code = kinds[number % len(kinds)]
        messages = {
            "refund-after-lookup": "Look the customer up before you refund.",
            "policy.default": "No rule allows this.",
            "refund-small": "Limit reached: sum(args.amount) <= 200.00 per customer per day.",
        }
        is_large = decision == "allow" and tool == "payments.refund"
        row = {
            "id": f"dec_{number:05}", "seq": 100_000 - number if not front else 100_000 + number, "at": at, "org": "acme", "project": "web" if number % 5 else "shop",
            "user": "ana" if number % 3 else "li", "key": "key_7f21", "run": f"run_{number // 4:05}", "call_id": f"call_{number}",
            "conversation": f"conv_{number // 4}", "source": "model" if number % 4 else "code", "kind": "call", "tool": tool, "subject": args.get("customer") or args.get("to"), "arguments": text(args),
            "arguments_digest": hashlib.sha256(text(args).encode()).hexdigest(), "decision": decision, "rule": rule, "roles": ["support"],
            "details": {
                "ruling": {"decision": decision, "rule": rule, "rules": [rule], "errors": []}, "policy": VERSION,
                "inputs": {
                    "run": {"id": f"run_{number // 4:05}", "conversation": f"conv_{number // 4}", "source": "model"},
                    "history": [{"tool": "crm.lookup", "key": "C-1042"}] if number % 2 else [], "called": [{"tool": "crm.lookup", "key": "C-1042"}] if number % 2 else [],
                    "approvals": [], "counts": {"crm.lookup": 1, "payments.refund": 2}, "now": at,
                },
                "limits": [
                    {"limit": "3 per session", "used": "2", "max": "3", "amount": "1"},
                    {"limit": "sum(args.amount) <= 200.00 per customer per day", "used": "150.00", "max": "200.00", "amount": args["amount"]},
                ] if tool == "payments.refund" and rule == "refund-small" else [],
            },
        }  # fmt: skip
        if code:
            row |= {"code": code, "message": messages[rule]}
        else:
            row["outcome"] = {
                "status": "error" if number % 17 == 3 else "ok",
                "code": "adapter_error" if number % 17 == 3 else None,
                "bytes": 312,
                "elapsed_ms": 84 + number,
                "at": at + 90,
            }
        if is_large and number % 2 == 0:
            row["approval"] = "apr_0004"
        if tool == "mail.send" and decision == "allow":
            row["details"]["shadow"] = {"version": VERSION, "decision": "deny", "rule": "mail-twice"}
        if front:
            self.decisions.insert(0, row)
        else:
            self.decisions.append(row)
        return row

    def fits(self, row: dict, query) -> bool:
        for key in ("org", "project", "run", "tool", "user", "rule", "decision", "kind"):
            if query.get(key) and str(row.get(key, "")) != query[key]:
                return False
        return int(query.get("since") or 0) <= row["at"] and row["at"] <= int(query.get("until") or now())

    def explanation(self, row: dict) -> dict | None:
        if row["code" if "code" in row else "id"] == "limit_exceeded" or row["kind"] == "approval":
            return None
        amount = json.loads(row["arguments"]).get("amount", "0.00")
        rules = [
            {"id": "refund-small", "outcome": "not_satisfied", "effect": "permit", "clause": 'context.args.amount.lessThanOrEqual(decimal("100.00"))', "values": {"context.args.amount": amount}},
            {"id": "refund-large", "outcome": "satisfied", "effect": "permit"},
            {"id": "refund-after-lookup", "outcome": "satisfied", "effect": "forbid", "clause": 'context.history.contains({tool: "crm.lookup", key: context.args.customer})', "values": {"context.history": [], "context.args.customer": "C-1042"}},
            {"id": "mail-to-customers", "outcome": "out_of_scope", "effect": "permit"},
            {"id": "reads", "outcome": "out_of_scope", "effect": "permit"},
            {"id": "mail-twice", "outcome": "error", "effect": "forbid", "clause": 'context.counts["mail.send"] >= 2', "values": {"context.counts": {"crm.lookup": 1}}},
        ]  # fmt: skip
        return {
            "text": f"{row['tool']}: {row['decision']} by {row['rule']}\npolicy {VERSION}\n",
            "rules": rules,
        }

    def policies(self) -> dict:
        at = now() - 190 * MINUTE
        if self.is_empty:
            return {
                "mode": "enforce",
                "version": None,
                "loaded_at": None,
                "files": [],
                "findings": [],
                "tests": [],
                "versions": [],
                "failure": None,
            }
        return {
            "mode": "enforce", "directory": "policies", "version": VERSION, "loaded_at": at,
            "files": [
                {"name": "mail.cedar", "text": MAIL, "rules": [{"id": "mail-to-customers", "line": 1, "effect": "permit"}, {"id": "reads", "line": 5, "effect": "permit"}, {"id": "mail-twice", "line": 8, "effect": "forbid"}]},
                {"name": "refunds.cedar", "text": REFUNDS, "rules": [{"id": "refund-small", "line": 2, "effect": "permit"}, {"id": "refund-large", "line": 10, "effect": "permit"}, {"id": "refund-after-lookup", "line": 15, "effect": "forbid"}]},
            ],
            "findings": [
                {"severity": "warning", "file": "refunds.cedar", "line": 8, "column": 10, "rule": "refund-small", "message": "A refund of exactly 100.00 is small here and not large below; say which you mean."},
                {"severity": "note", "file": "mail.cedar", "line": 8, "column": 1, "rule": "mail-twice", "message": "This rule is only tried (@shadow): it changes nothing yet."},
            ],
            "tests": [
                {"name": "a small refund after a lookup is allowed", "file": "refunds.test.yaml", "passed": True, "message": ""},
                {"name": "a large refund needs two of finance", "file": "refunds.test.yaml", "passed": True, "message": ""},
                {"name": "no mail to strangers", "file": "mail.test.yaml", "passed": True, "message": ""},
            ],
            "versions": [{"version": VERSION, "loaded_at": at}, {"version": hashlib.sha256(b"older").hexdigest(), "loaded_at": at - 1440 * MINUTE}],
            "failure": {"at": now() - 12 * MINUTE, "findings": [{"severity": "error", "file": "refunds.cedar", "line": 3, "column": 2, "rule": "refund-small", "message": "@limits is no annotation; it is @limit."}]},
        }  # fmt: skip

    def dry_run(self, body: dict) -> dict:
        changed = next((file for file in body["files"] if "error" in file["text"]), None)
        if changed:
            finding = {
                "severity": "error",
                "file": changed["name"],
                "line": 2,
                "column": 1,
                "rule": "refund-small",
                "message": "Expected `permit` or `forbid`, found `error`.",
            }
            return {"findings": [finding], "tests": [], "compared": 0, "differs": []}
        differs = [
            {"decision_id": row["id"], "tool": row["tool"], "user": row["user"], "at": row["at"], "was": {"decision": row["decision"], "rule": row["rule"]},
             "now": {"decision": "approval" if row["decision"] == "allow" else "allow", "rule": "refund-large"}}
            for row in self.decisions[:40] if row["tool"] == "payments.refund"
        ]  # fmt: skip
        tests = self.policies()["tests"]
        tests[1] = tests[1] | {"passed": False, "message": "expected approval (quorum 2), found allow by refund-small"}
        return {"findings": [], "tests": tests, "compared": 160, "differs": differs}

    def isolation(self) -> dict:
        def probe(name: str, expected: str, found: str, **more: str) -> dict:
            return {"name": name, "passed": expected == found, "expected": expected, "found": found} | more

        return {
            "level": "limited", "minimum": "limited", "runs_code": True, "cgroups": "none", "landlock_abi": 3,
            "pool": {"warm": 2, "starting": 0, "running": 1, "leaving": 0, "most": 20}, "starts": {"warm": 212, "cold": 4}, "kills": {"timeout": 3, "oom": 1},
            "probes": [
                probe("connect", "EPERM", "EPERM"), probe("netlink", "EPERM", "EPERM"), probe("descriptors", "0 1 2 3", "0 1 2 3"), probe("environment", "empty", "empty"),
                probe("write_root", "EROFS", "EROFS"), probe("user_namespace", "EPERM", "EPERM"), probe("trace", "EPERM", "EPERM"),
                probe("cgroup_memory", "limited", "not there", fix="Start the server where it may write its own cgroup (systemd: Delegate=yes)."),
            ],
        }  # fmt: skip


def tools() -> list[dict]:
    def schema(**properties):
        return {"type": "object", "additionalProperties": False, "required": list(properties)[:1], "properties": properties}

    string, amount = {"type": "string", "minLength": 1, "maxLength": 64}, {"type": "string", "format": "decimal"}
    return [
        {"name": "run_code", "description": "Runs Python in an isolated sandbox, without network and without files.", "effect": "write", "parameters": schema(code=string), "cost_usd": "0.000000000", "timeout_ms": 30000, "builtin": "run_code"},
        {"name": "crm.lookup", "description": "Looks a customer up by id.", "effect": "read", "parameters": schema(customer=string), "correlate": "customer", "cost_usd": "0.000100000", "timeout_ms": 10000, "builtin": "crm.lookup"},
        {"name": "payments.refund", "description": "Refunds an order, in whole or in part. The amount is in the currency of the order.", "effect": "write", "parameters": schema(order_id=string, amount=amount, customer=string), "correlate": "customer", "roles": ["support", "finance"], "cost_usd": "0.002000000", "timeout_ms": 15000, "kind": "http"},
        {"name": "mail.send", "description": "Sends a mail.", "effect": "write", "parameters": schema(to=string, subject=string, body=string), "correlate": "to", "cost_usd": "0.000000000", "timeout_ms": 15000, "kind": "mcp", "disabled": {"by": "olga", "reason": "The relay bounces everything since noon.", "at": now() - 50 * MINUTE}},
        {"name": "knowledge.search", "description": "Searches the documents of this project.", "effect": "read", "parameters": schema(query=string), "cost_usd": "0.000000000", "timeout_ms": 5000, "builtin": "knowledge.search"},
    ]  # fmt: skip

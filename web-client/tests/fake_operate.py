"""What the fake console answers to the pages Spend, Audit, System and to the editor of policies."""

import hashlib
import json
import math
import time

from aiohttp import web

HOUR, DAY = 3_600_000, 86_400_000
NAMES = {
    "org": ["acme", "globex"],
    "project": ["web", "shop", "research"],
    "user": ["ana", "li", "ben", "olga", "mo"],
    "model": ["gpt-4.1", "claude-sonnet-4", "smollm2", "text-embedding-3-small"],
    "tool": ["payments.refund", "crm.lookup"],
    "key": ["key_7f21", "key_a03c", "key_11be"],
}
SCOPES = {"org": "org:{}", "project": "project:acme/{}", "user": "user:acme/web/{}", "key": "key:{}"}
CONFIG = """# As it is in force; secrets are masked.
server:
  host: 0.0.0.0
  port: 8000
  name: node-a
models:
  - id: gpt-4.1
    provider: openai
    base_url: https://models.example/v1
    api_key: "••••••"
stores:
  postgres: postgres://kdcube:••••••@db.example/kdcube
  redis: redis://cache.example:6379
policies:
  directory: policies
  publish: directory
"""


def now() -> int:
    return int(time.time() * 1000)


def version_of(files: list[dict]) -> str:
    return hashlib.sha256(json.dumps(sorted((file["name"], file["text"]) for file in files)).encode()).hexdigest()


def refused(status: int, code: str, message: str, **more) -> web.Response:
    return web.json_response(
        {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": None}} | more, status=status
    )


class Operate:
    """Adds its addresses to a `Fake`, and keeps what is changed by them."""

    def __init__(self, fake):
        self.fake = fake
        self.level, self.drained, self.published, self.is_broken = "info", set(), None, False
        get, post, put = fake.app.router.add_get, fake.app.router.add_post, fake.app.router.add_put
        get("/api/admin/policies/{version}", self.version)
        post("/api/admin/policies/check", self.check)
        put("/api/admin/policies", self.publish)
        post("/api/admin/policies/rollback", self.roll_back)
        get("/api/admin/usage", self.usage)
        get("/api/admin/audit", self.audit)
        post("/api/admin/audit/verify", self.verify)
        get("/api/admin/audit/export", self.export)
        get("/api/admin/health", self.health)
        get("/api/admin/prices", self.prices)
        post("/api/admin/prices/reload", self.reload_prices)
        get("/api/admin/config", self.config)
        post("/api/admin/drain", self.drain)
        get("/api/admin/log-level", self.log_level)
        put("/api/admin/log-level", self.set_log_level)
        post("/fake/publish", self.publish_aside)
        post("/fake/break", self.break_chain)

    def operator(self, request: web.Request) -> dict:
        who = self.fake.admin(request)
        if "operator" not in who["roles"]:
            raise web.HTTPForbidden(
                text='{"error":{"message":"This needs the role operator.","code":"scope_denied"}}', content_type="application/json"
            )
        return who

    # Policies

    def set(self) -> dict:
        made = self.fake.world.policies()
        test = {"name": "refunds.test.yaml", "text": "tests:\n  - name: a small refund after a lookup is allowed\n    call: payments.refund\n    expect: { decision: allow }\n"}  # fmt: skip
        made["test_files"] = [] if self.fake.world.is_empty else [test]
        if self.published:
            rows = [{"version": self.published["version"], "loaded_at": self.published["at"]}] + made["versions"]
            made |= {
                "version": self.published["version"],
                "files": self.published["files"],
                "versions": rows,
                "failure": None,
                "findings": [],
            }
        return made

    def take(self, files: list[dict]) -> str:
        rows = [{"name": file["name"], "text": file["text"], "rules": []} for file in files if file["name"].endswith(".cedar")]
        self.published = {"version": version_of(rows), "files": rows, "at": now()}
        return self.published["version"]

    def found(self, files: list[dict]) -> dict:
        findings = []
        for file in files:
            for number, line in enumerate(file["text"].split("\n"), 1):
                if line.startswith("error"):
                    findings.append({"severity": "error", "file": file["name"], "line": number, "column": 1, "message": "Expected `permit` or `forbid`, found `error`."})  # fmt: skip
                if "100.00" in line:
                    findings.append({"severity": "warning", "file": file["name"], "line": number, "column": 10, "message": "A refund of exactly 100.00 is small here and not large below; say which you mean."})  # fmt: skip
        bad = any(finding["severity"] == "error" for finding in findings)
        tests = [] if bad else self.fake.world.policies()["tests"]
        return {"ok": not bad, "findings": findings, "tests": tests}

    async def version(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        files = {file["name"]: file["text"] for file in self.fake.world.policies()["files"]}
        files["mail.cedar"] = files["mail.cedar"].replace("*@customers.example", "*@example.com")
        files["old.cedar"] = '@id("old")\npermit (principal, action, resource);\n'
        return web.json_response({"version": request.match_info["version"], "files": files, "test_files": {}})

    async def check(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        return web.json_response(self.found((await request.json())["files"]))

    async def publish(self, request: web.Request) -> web.Response:
        self.operator(request)
        body = await request.json()
        if body["base"] != self.set()["version"]:
            return refused(409, "version_conflict", "Another version is in force than the one that these files were made from.")
        found = self.found(body["files"])
        if not found["ok"]:
            return refused(422, "policies_refused", "These files do not load.", **found)
        return web.json_response({"version": self.take(body["files"])})

    async def roll_back(self, request: web.Request) -> web.Response:
        self.operator(request)
        return web.json_response({"version": self.take(self.fake.world.policies()["files"])})

    async def publish_aside(self, _request: web.Request) -> web.Response:
        files = self.set()["files"]
        files[0]["text"] += '\n@id("added-meanwhile")\nforbid (principal, action == Action::"mail.send", resource);\n'
        return web.json_response({"version": self.take(files)})

    # Spend

    async def usage(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        query = request.query
        by, step = query.get("by", "project"), query.get("step", "day")
        length = HOUR if step == "hour" else DAY
        start, end = int(query["from"]), int(query["to"])
        names = [] if self.fake.world.is_empty else NAMES.get(by, [])
        series = [
            {"at": at, "values": {name: self.cost(name, index, at, length) for index, name in enumerate(names)}}
            for at in range(start - start % length, min(end, now()), length)
        ]
        rows = []
        for name in names:
            cost = sum(float(point["values"][name]) for point in series)
            rows.append(
                {
                    by: name,
                    "input_tokens": int(cost * 210_000),
                    "output_tokens": int(cost * 54_000),
                    "requests": int(cost * 40),
                    "calls": int(cost * 9),
                    "cost_usd": f"{cost:.6f}",
                    "scope": SCOPES[by].format(name) if by in SCOPES else None,
                }
            )
        rows.sort(key=lambda row: -float(row["cost_usd"]))
        total = {key: sum(row[key] for row in rows) for key in ("input_tokens", "output_tokens", "requests")}
        if query.get("format") == "csv":
            text = "\n".join([f"{by},cost_usd", *(f"{row[by]},{row['cost_usd']}" for row in rows)]) + "\n"
            return web.Response(text=text, content_type="text/csv")
        forecast = {"unit": "usd", "window": "month", "limit": "500.00", "used": "312.48", "at_end": "540.10", "spent_at": now() + 2 * DAY}
        cost = f"{sum(float(row['cost_usd']) for row in rows):.6f}"
        return web.json_response(
            {"scope": query.get("scope", "org:acme"), "from": start, "to": end, "by": by, "step": step, "windows": [], "rows": rows, "series": series,
             "totals": total | {"cost_usd": cost}, "forecast": forecast if rows else None}
        )  # fmt: skip

    @staticmethod
    def cost(name: str, index: int, at: int, length: int) -> str:
        hours = at / HOUR
        wave = 1 + 0.5 * math.sin(hours / 24 * 2 * math.pi + index) + 0.3 * math.sin(hours / 7.3 + 2 * index)
        return f"{max(0.0, wave) * (0.9 / (index + 1)) * (length / HOUR) * 0.4:.6f}"

    # Audit

    async def audit(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        if self.fake.world.is_empty:
            return web.json_response({"org": "acme", "records": 0, "last_seq": 0, "signed_to": 0, "anchored_to": None, "last_checkpoint_at": None, "keys": [], "ranges": []})  # fmt: skip
        key = {"id": "k_3c9f2b7e", "public_key": "MCowBQYDK2VwAyEAy1u0m3bq8Jq2xG0b5n9c3JYyU1l4m0", "since": now() - 40 * DAY}
        ranges = [
            {"from": 1, "to": 17_400, "state": "anchored"},
            {"from": 17_401, "to": 18_196, "state": "signed"},
            {"from": 18_197, "to": 18_243, "state": "open"},
        ]
        return web.json_response(
            {"org": request.query.get("org", "acme"), "records": 18_243, "last_seq": 18_243, "signed_to": 18_196, "anchored_to": 17_400,
             "last_checkpoint_at": now() - 31_000, "keys": [key], "ranges": ranges}
        )  # fmt: skip

    async def verify(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        fault = {"seq": 4711, "reason": "hash", "message": "its hash is not that of its text"} if self.is_broken else None
        report = {"org": "acme", "records": 4710 if fault else 18_243, "unchained": 0, "first": 1, "last": 18_243, "signed_to": 18_196, "anchored_to": 17_400, "unanchored": 843, "fault": fault}  # fmt: skip
        return web.json_response({"ok": fault is None, "orgs": [report], "keys": [], "unreadable_lines": 0, "damage": None})

    async def break_chain(self, _request: web.Request) -> web.Response:
        self.is_broken = True
        return web.json_response({})

    async def export(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        return web.Response(text='{"seq":1,"org":"acme"}\n', content_type="application/jsonl")

    # System

    async def health(self, request: web.Request) -> web.Response:
        sums = "operator" in self.fake.admin(request)["roles"]
        node = {"version": "0.9.0", "started_at": now() - 3 * DAY - 2 * HOUR, "at": now() - 800}
        nodes = [
            node | {"node": "node-a", "address": "10.0.0.4:8000", "runs": 14, "sockets": 41, "draining": "node-a" in self.drained},
            node | {"node": "node-b", "address": "10.0.0.5:8000", "runs": 9, "sockets": 22, "draining": "node-b" in self.drained, "started_at": now() - 5 * HOUR},
        ]  # fmt: skip
        stores = [
            {"name": "postgres", "ok": True, "latency_ms": 2.4, "detail": "PostgreSQL 15.8"},
            {"name": "redis", "ok": True, "latency_ms": 0.4, "detail": "Redis 7.0, lag 0 ms"},
            {"name": "counters", "ok": False, "latency_ms": None, "detail": "The script is not loaded; it is sent again."},
        ]
        upstreams = [
            {"model": "gpt-4.1", "provider": "openai", "host": "models.example", "calls": 1_204, "failures": 3, "last_failure_at": now() - 25 * 60_000},
            {"model": "claude-sonnet-4", "provider": "anthropic", "host": "claude.example", "calls": 310, "failures": 0, "last_failure_at": None},
            {"model": "demo", "provider": "scripted", "host": None, "calls": 12, "failures": 0, "last_failure_at": None},
        ]  # fmt: skip
        if not sums:
            nodes = [row | {"sockets": None} for row in nodes]
            upstreams = [row | {"calls": None, "failures": None} for row in upstreams]
        return web.json_response(
            {"version": "0.9.0", "nodes": nodes, "stores": stores, "outbox_rows": 2 if sums else None,
             "settlements_pending": 0 if sums else None, "upstreams": upstreams,
             "prices": {"version": "a41c09d2e7", "loaded_at": now() - 6 * HOUR}, "isolation": {"level": "limited", "minimum": "limited"}, "log_level": self.level}
        )  # fmt: skip

    async def config(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        return web.json_response({"yaml": CONFIG, "settings": {}})

    async def prices(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        price = {"input_per_million": "2.00", "cache_read_per_million": "0.50", "cache_write_per_million": "2.00", "output_per_million": "8.00", "reasoning_per_million": "8.00"}  # fmt: skip
        data = [
            {"model": "gpt-4.1", "version": "a41c09d2e7", "price": price | {"tiers": [price | {"prompt_tokens_above": 200_000, "input_per_million": "4.00"}]}},
            {"model": "claude-sonnet-4", "version": "a41c09d2e7", "price": price | {"output_per_million": "15.00", "tiers": []}},
            {"model": "unpriced", "version": "a41c09d2e7", "price": None},
        ]  # fmt: skip
        return web.json_response({"version": "a41c09d2e7", "loaded_at": now() - 6 * HOUR, "data": data, "cursor": None})

    async def reload_prices(self, request: web.Request) -> web.Response:
        self.fake.admin(request)
        return web.json_response({"version": "b52d10e3f8", "previous_version": "a41c09d2e7", "changed": True, "models": 3})

    async def drain(self, request: web.Request) -> web.Response:
        self.operator(request)
        body = await request.json()
        self.drained.add(body.get("node", "node-a"))
        return web.json_response({"node": body.get("node", "node-a"), "draining": True})

    async def log_level(self, request: web.Request) -> web.Response:
        self.operator(request)
        return web.json_response({"level": self.level})

    async def set_log_level(self, request: web.Request) -> web.Response:
        self.operator(request)
        self.level = (await request.json())["level"]
        return web.json_response({"level": self.level})

"""What the fake console answers about the catalog of tools: shown, checked, published, taken back. Its file is JSON, one tool a line."""

import hashlib
import json
import re

from aiohttp import web
from fake_console_data import now
from fake_operate import refused

OWN = ("disabled", "kind", "cost_usd", "timeout_ms", "source")
BUILTINS = ["run_code", "knowledge.search", "memory.get", "memory.set", "crm.lookup", "payments.refund", "mail.draft", "mail.send"]
MADE = {
    "http": {
        "method": "POST",
        "url": "https://billing.example/refunds",
        "body": "json",
        "allow_hosts": ["billing.example"],
        "headers": {"authorization": "Bearer ${BILLING_TOKEN}"},
    },
    "mcp": {"command": ["/usr/local/bin/mail-mcp"], "tool": "send"},
}


class Tools:
    """Adds its addresses to a `Fake`, and keeps what is changed by them."""

    def __init__(self, fake):
        self.fake = fake
        for tool in fake.world.tools:
            kind = tool.get("kind")
            entry = {key: value for key, value in tool.items() if key not in OWN}
            tool["source"] = entry | ({kind: MADE[kind]} if kind else {})
        self.versions = [{"version": self.version(), "loaded_at": now() - 3_600_000, "text": self.text()}]
        route = fake.app.router
        route.add_get("/api/admin/tools", self.show)
        route.add_get("/api/admin/tools/{name}", self.past)
        route.add_put("/api/admin/tools", self.publish)
        route.add_post("/api/admin/tools/check", self.check)
        route.add_post("/api/admin/tools/rollback", self.roll_back)

    def text(self, sources: list[dict] | None = None) -> str:
        rows = [tool["source"] for tool in self.fake.world.tools] if sources is None else sources
        return "tools:\n" + "".join(f"  - {json.dumps(row)}\n" for row in rows)

    def version(self, text: str | None = None) -> str:
        return hashlib.sha256((self.text() if text is None else text).encode()).hexdigest()

    async def show(self, request: web.Request) -> web.Response:
        who = self.fake.admin(request)
        tools, whole = self.fake.world.tools, {"version": self.version(), "publish": "file", "loaded_at": self.versions[0]["loaded_at"]}
        if "operator" not in who["roles"]:
            return web.json_response({"data": [{key: value for key, value in tool.items() if key != "source"} for tool in tools]} | whole)
        versions = [{key: row[key] for key in ("version", "loaded_at")} for row in self.versions]
        more = {
            "file": "tools.yaml",
            "text": self.text(),
            "builtins": BUILTINS,
            "variables": ["CRM_TOKEN"],
            "failure": None,
            "versions": versions,
        }
        return web.json_response({"data": tools} | whole | more)

    def edited(self, body: dict) -> list[dict]:
        if "text" in body:
            return [json.loads(line[4:]) for line in body["text"].splitlines()[1:]]
        sources = [tool["source"] for tool in self.fake.world.tools]
        for edit in body["edits"]:
            place = next((index for index, one in enumerate(sources) if one["name"] == edit["name"]), len(sources))
            sources[place : place + 1] = [edit["tool"]] if edit["tool"] else []
        return sources

    def found(self, sources: list[dict]) -> list[dict]:
        findings = []
        for number, one in enumerate(sources, 2):
            place = {"severity": "error", "kind": "tools", "file": "tools.yaml", "line": number, "column": 1, "rule": one["name"]}
            if not re.fullmatch("[a-z][a-z0-9_.]{0,63}", one["name"]):
                findings.append(place | {"message": "the name is [a-z][a-z0-9_.]{0,63}"})
            if one["parameters"].get("additionalProperties") is not False:
                findings.append(place | {"message": f"tools[{number - 2}].parameters: says additionalProperties: false"})
        if not any(one["name"] == "payments.refund" for one in sources):
            message = 'There is no action Action::"payments.refund".'
            findings.append({"severity": "error", "kind": "type", "file": "refunds.cedar", "line": 5, "column": 3, "rule": "refund-small", "message": message})  # fmt: skip
        return findings

    def changes(self, sources: list[dict]) -> dict:
        was, now_ = ({one["name"]: one for one in rows} for rows in ([tool["source"] for tool in self.fake.world.tools], sources))
        return {
            "made": [name for name in now_ if name not in was],
            "changed": [name for name in now_ if name in was and was[name] != now_[name]],
            "removed": [name for name in was if name not in now_],
        }

    async def check(self, request: web.Request) -> web.Response:
        self.fake.operate.operator(request)
        sources = self.edited(await request.json())
        findings = self.found(sources)
        text = None if findings else self.text(sources)
        return web.json_response(
            {
                "ok": not findings,
                "findings": findings,
                "text": text,
                "base": self.version(),
                "version": None,
                "changes": self.changes(sources),
            }
        )

    def take(self, sources: list[dict]) -> web.Response:
        known = {tool["name"]: tool for tool in self.fake.world.tools}
        changes, previous = self.changes(sources), self.version()
        self.fake.world.tools[:] = [
            {"cost_usd": "0.000000000", "timeout_ms": 30000}
            | {key: known[one["name"]][key] for key in ("disabled", "kind") if key in known.get(one["name"], {})}
            | {key: value for key, value in one.items() if key not in MADE}
            | {"source": one}
            for one in sources
        ]
        self.versions.insert(0, {"version": self.version(), "loaded_at": now(), "text": self.text()})
        return web.json_response({"version": self.version(), "previous_version": previous, "changed": True, "changes": changes})

    async def publish(self, request: web.Request) -> web.Response:
        self.fake.operate.operator(request)
        body = await request.json()
        if body["base"] != self.version():
            return refused(409, "version_conflict", "Another version is in force than the one that was changed.")
        sources = self.edited(body)
        findings = self.found(sources)
        if findings:
            return refused(422, "tools_refused", f"These tools cannot be in force: {findings[0]['message']}", findings=findings)
        return self.take(sources)

    async def past(self, request: web.Request) -> web.Response:
        self.fake.operate.operator(request)
        row = next(row for row in self.versions if row["version"] == request.match_info["name"])
        return web.json_response({"version": row["version"], "text": row["text"]})

    async def roll_back(self, request: web.Request) -> web.Response:
        self.fake.operate.operator(request)
        wanted = (await request.json())["version"]
        return self.take(self.edited({"text": next(row["text"] for row in self.versions if row["version"] == wanted)}))

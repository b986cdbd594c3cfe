"""A server that answers what the console asks, with made-up data: for looking at the pages without stores, policies or a model.

    .tools/venv/bin/python web-client/tests/fake_console.py --port 8123

Open /console/#key=kd-admin (admin and approver), #key=kd-ben (approver alone) or #key=kd-ana (who asked). `--empty` has no data.
"""

import argparse
import mimetypes
import pathlib
import sys

import socketio
from aiohttp import web

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from fake_console_data import PEOPLE, World, now  # noqa: E402
from fake_control import Control  # noqa: E402
from fake_operate import Operate  # noqa: E402
from fake_tools import Tools  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The server's own: what this page would load from elsewhere fails here, too.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
mimetypes.add_type("text/javascript", ".js")


def refusal(status: int, code: str, message: str) -> web.Response:
    error = {"message": message, "type": "permission_error", "code": code, "param": None}
    return web.json_response({"error": error}, status=status, headers={"x-request-id": "req_fake_1"})


class Fake:
    def __init__(self, world: World, streams: int = 24):
        self.world = world
        self.sockets = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
        self.sockets.on("connect", self.connect, namespace="/console")
        self.app = web.Application()
        self.sockets.attach(self.app)
        get, post = self.app.router.add_get, self.app.router.add_post
        get("/v1/quota", self.quota)
        get("/v1/models", self.models)
        get("/api/approvals", self.own_approvals)
        get("/api/admin/approvals", self.admin_approvals)
        post("/api/approvals/{id}", self.decide)
        get("/api/admin/decisions", self.decisions)
        get("/api/admin/decisions/{id}", self.decision)
        self.operate = Operate(self)
        get("/api/admin/policies", self.policies)
        post("/api/admin/policies/dry-run", self.dry_run)
        self.tools = Tools(self)
        post("/api/admin/tools/{name}", self.switch)
        get("/api/admin/isolation", self.isolation)
        post("/fake/approval", self.make_approval)
        post("/fake/decision", self.make_decision)
        self.control = Control(self, streams, world.is_empty)
        get("/{path:.*}", self.file)

    def who(self, request: web.Request) -> dict:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in PEOPLE:
            raise web.HTTPUnauthorized(
                text='{"error":{"message":"This key is not known.","code":"invalid_api_key"}}', content_type="application/json"
            )
        return PEOPLE[token]

    def admin(self, request: web.Request) -> dict:
        who = self.who(request)
        if "admin" not in who["roles"]:
            raise web.HTTPForbidden(
                text='{"error":{"message":"This needs the role admin.","code":"scope_denied"}}', content_type="application/json"
            )
        return who

    async def connect(self, sid: str, _environ: dict, auth: dict | None) -> None:
        who = PEOPLE.get((auth or {}).get("token", ""))
        if not who or "admin" not in who["roles"]:
            raise socketio.exceptions.ConnectionRefusedError({"message": "This needs the role admin.", "data": {"code": "scope_denied"}})
        await self.sockets.emit(
            "approvals", {"snapshot": True, "data": self.world.approvals_for(who, "pending")}, to=sid, namespace="/console"
        )
        await self.sockets.emit("decisions", {"snapshot": True, "data": self.world.decisions[:20]}, to=sid, namespace="/console")
        await self.control.greet(sid)

    async def push(self, name: str, row: dict) -> None:
        await self.sockets.emit(name, {"data": [row]}, namespace="/console")

    async def quota(self, request: web.Request) -> web.Response:
        who = self.who(request)
        return web.json_response({"org": who["org"], "project": who["project"], "user": who["user"], "roles": who["roles"], "windows": []})

    async def models(self, request: web.Request) -> web.Response:
        self.who(request)
        return web.json_response({"object": "list", "data": [{"id": name} for name in ("claude-sonnet", "gpt-mini", "demo")]})

    async def own_approvals(self, request: web.Request) -> web.Response:
        who = self.who(request)
        rows = self.world.approvals_for(who, request.query.get("state", "pending"))
        if "admin" not in who["roles"]:
            rows = [row for row in rows if row["may_decide"] or row["user"] == who["user"] or row["votes"]]
        return web.json_response({"data": rows, "cursor": None})

    async def admin_approvals(self, request: web.Request) -> web.Response:
        rows = self.world.approvals_for(self.admin(request), request.query.get("state", "pending"))
        rows = [row for row in rows if all(request.query.get(key, row[key]) == row[key] for key in ("org", "project", "user"))]
        return web.json_response({"data": rows, "cursor": None})

    async def decide(self, request: web.Request) -> web.Response:
        who, body = self.who(request), await request.json()
        row, problem = self.world.decide(who, request.match_info["id"], body["decision"], body.get("reason", ""))
        if problem:
            return refusal(*problem)
        await self.push("approvals", row)
        return web.json_response({"ok": True, "state": row["state"], "approval": row})

    async def decisions(self, request: web.Request) -> web.Response:
        self.admin(request)
        rows = [row for row in self.world.decisions if self.world.fits(row, request.query)]
        start, limit = int(request.query.get("cursor", 0)), int(request.query.get("limit", 50))
        more = start + limit < len(rows)
        return web.json_response({"data": rows[start : start + limit], "cursor": str(start + limit) if more else None})

    async def decision(self, request: web.Request) -> web.Response:
        self.admin(request)
        row = next((row for row in self.world.decisions if row["id"] == request.match_info["id"]), None)
        if row is None:
            return refusal(404, "decision_not_found", "There is no such decision.")
        return web.json_response(row | {"explanation": self.world.explanation(row)})

    async def policies(self, request: web.Request) -> web.Response:
        self.admin(request)
        return web.json_response(self.operate.set())

    async def dry_run(self, request: web.Request) -> web.Response:
        self.admin(request)
        return web.json_response(self.world.dry_run(await request.json()))

    async def switch(self, request: web.Request) -> web.Response:
        who, body = self.admin(request), await request.json()
        tool = next(tool for tool in self.world.tools if tool["name"] == request.match_info["name"])
        tool.pop("disabled", None)
        if body["disabled"]:
            tool["disabled"] = {"by": who["user"], "reason": body.get("reason", ""), "at": now()}
        return web.json_response(tool)

    async def isolation(self, request: web.Request) -> web.Response:
        self.admin(request)
        return web.json_response(self.world.isolation())

    async def make_approval(self, request: web.Request) -> web.Response:
        row = self.world.add_approval(**(await request.json() if request.can_read_body else {}))
        await self.push("approvals", row | {"may_decide": True})
        return web.json_response(row)

    async def make_decision(self, _request: web.Request) -> web.Response:
        row = self.world.add_decision()
        await self.push("decisions", row)
        return web.json_response(row)

    async def file(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        path = {"": "index.html", "console/": "console/index.html", "socket.io/socket.io.js": "vendor/socket.io.min.js"}.get(path, path)
        file = ROOT / path
        if not file.is_file() or ROOT not in file.resolve().parents and not path.startswith("vendor/"):
            raise web.HTTPNotFound
        return web.FileResponse(file, headers={"content-security-policy": POLICY, "cache-control": "no-cache"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--streams", type=int, default=24)
    options = parser.parse_args()
    web.run_app(Fake(World(empty=options.empty), options.streams).app, host="127.0.0.1", port=options.port, print=None)

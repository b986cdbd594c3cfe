"""The made-up control plane of `fake_console.py`: runs, windows, keys, who is who. Runs spend as time goes on; a kill, a budget and a key are kept."""

import asyncio
import itertools
import random
import secrets

from aiohttp import web
from fake_console_data import MINUTE, now

USERS = ["ana", "ben", "li", "mira", "olga", "sam", "noor", "theo"]
MODELS = ["claude-sonnet", "gpt-mini", "demo"]
PROJECTS = ["web", "support", "research"]
MIDNIGHT = 86_400_000


def money(value: float) -> str:
    return f"{value:.6f}"


def window(
    scope: str, limit: str, used: float, held: float = 0, suspense: float = 0, unit: str = "usd", period: str = "day", **more
) -> dict:
    text = money if unit == "usd" else lambda value: str(int(value))
    ends = {"day": (now() // MIDNIGHT + 1) * MIDNIGHT, "minute": now() // MINUTE * MINUTE + MINUTE, "month": now() + 3 * MIDNIGHT}.get(
        period
    )
    free = max(0.0, float(limit) - used - held - suspense)
    row = {
        "scope": scope,
        "unit": unit,
        "window": period,
        "limit": limit,
        "used": text(used),
        "held": text(held),
        "suspense": text(suspense),
    }
    return row | {"free": text(free), "resets_at": ends} | more


class Control:
    """Everything below /api/admin that is not policies, approvals or tools."""

    def __init__(self, fake, streams: int = 24, empty: bool = False):
        self.fake, self.numbers, self.dice = fake, itertools.count(1), random.Random(7)
        self.streams: dict[str, dict] = {}
        self.ended: dict[str, dict] = {}
        self.answers: dict[str, dict] = {}
        self.minutes = {name: [0.0] * 60 for name in ("runs", "tokens", "cost_usd", "cuts")}
        self.orgs = {"acme": "Acme Inc."}
        self.projects = [] if empty else [("acme", name, None) for name in PROJECTS]
        self.users = [] if empty else [("acme", self.dice.choice(PROJECTS), user, user.title()) for user in USERS]
        self.windows: list[dict] = []
        self.keys: list[dict] = []
        if not empty:
            self.fill(streams)
        routes = fake.app.router
        for method, path, handler in self.routes():
            routes.add_route(method, "/api/admin" + path, handler)
        fake.app.on_startup.append(self.start)

    def routes(self):
        yield from (("GET", "/now", self.now), ("GET", "/streams", self.list_streams), ("POST", "/streams/{run}/kill", self.kill))
        yield from (("GET", "/runs/{run}", self.run), ("GET", "/budgets", self.list_budgets), ("PUT", "/budgets", self.set_budget))
        yield from (
            ("DELETE", "/budgets", self.remove_budget),
            ("POST", "/budgets/preview", self.preview),
            ("GET", "/keys", self.list_keys),
        )
        yield from (("POST", "/keys", self.make_key), ("PATCH", "/keys/{id}", self.change_key), ("DELETE", "/keys/{id}", self.revoke))
        yield from (("POST", "/keys/{id}/rotate", self.rotate), ("GET", "/orgs", self.list_orgs), ("PUT", "/orgs/{org}", self.put_org))
        yield from (("GET", "/projects", self.list_projects), ("PUT", "/projects/{org}/{project}", self.put_project))
        yield from (("GET", "/users", self.list_users), ("PUT", "/users/{org}/{project}/{user}", self.put_user))

    def fill(self, streams: int) -> None:
        for _ in range(streams):
            self.add_stream()
        self.windows = [
            window("org:acme", "50.00", 31.4, 1.2, 0.4), window("org:acme", "900.00", 412.77, 1.2, 0.4, period="month", zone="Europe/Berlin"),
            window("org:acme", "40", 0, streams, unit="runs", period="total"), window("project:acme/web", "10.00", 9.12, 0.55),
            window("project:acme/web", "2000000", 1_240_000, 21_000, unit="tokens"), window("project:acme/support", "20.00", 11.3, 0.6, 0.4),
            window("project:acme/research", "5.00", 5.0), window("user:acme/web/ana", "2.00", 1.91, 0.06), window("user:acme/support/li", "2.00", 0.31),
            window("key:key_7Hq2mZ", "1.00", 0.12), window("user:acme/web/ana", "200", 48, 2, unit="calls", tool="payments.refund"),
        ]  # fmt: skip
        for number, (state, alias) in enumerate([("active", "web-frontend"), ("active", None), ("blocked", "old-crawler"), ("expired", "hackathon"), ("active", "nightly-report"), ("revoked", "leaked"), ("active", "ana-laptop")]):  # fmt: skip
            row = self.add_key(
                {
                    "project": PROJECTS[number % 3],
                    "user": None if number in (4,) else USERS[number],
                    "alias": alias,
                    "service_account": number == 4,
                }
            )
            row |= {"state": state, "blocked": state == "blocked", "created_at": now() - number * 9 * MIDNIGHT}
            row["last_used_at"] = None if number == 1 else now() - number * 37 * MINUTE
            if state == "expired":
                row["expires_at"] = now() - MIDNIGHT
            if state == "revoked":
                row["revoked_at"] = now() - 2 * MIDNIGHT
            if number == 0:
                row |= {
                    "id": "key_7Hq2mZ",
                    "models": ["claude-sonnet", "demo"],
                    "roles": ["admin", "finance"],
                    "expires_at": now() + 20 * MIDNIGHT,
                }
        for name, size in (("runs", 20), ("tokens", 60_000), ("cost_usd", 0.9), ("cuts", 1.2)):
            self.minutes[name] = [max(0.0, size * (0.5 + 0.4 * self.dice.random() + at / 120)) for at in range(60)]

    def add_stream(self) -> dict:
        project, user = self.dice.choice(PROJECTS), self.dice.choice(USERS)
        row = {
            "run_id": f"run_{next(self.numbers):05}{secrets.token_hex(4)}", "org": "acme", "project": project, "user": user, "key": f"key_{user}", "model": self.dice.choice(MODELS),
            "conversation_id": "conv_1", "state": "running", "waiting": self.dice.choices([None, "model", "tool", "approval"], [8, 1, 2, 1])[0], "tool": None,
            "started_at": now() - self.dice.randint(1000, 400_000), "input_tokens": self.dice.randint(200, 9000), "output_tokens": self.dice.randint(0, 4000),
            "cost_usd": money(self.dice.random() * 0.4), "tokens_per_second": round(self.dice.random() * 90, 1), "node": "n1",
            "cost_per_minute_usd": money(self.dice.random() ** 3 * 0.9), "stops": None,
        }  # fmt: skip
        if row["waiting"]:
            row |= {
                "tokens_per_second": 0,
                "cost_per_minute_usd": "0.000000",
                "tool": "payments.refund" if row["waiting"] != "model" else None,
            }
        if self.dice.random() < 0.8:
            seconds = None if row["waiting"] else self.dice.randint(4, 9000)
            row["stops"] = {"scope": f"project:acme/{project}", "unit": "usd", "window": "day", "limit": "10.00", "used": "9.12", "held": "0.55", "resets_at": (now() // MIDNIGHT + 1) * MIDNIGHT, "seconds": seconds}  # fmt: skip
        self.streams[row["run_id"]] = row
        return row

    def add_key(self, body: dict) -> dict:
        row = {
            "id": f"key_{secrets.token_hex(4)}", "org": body.get("org", "acme"), "project": body["project"], "user": body.get("user"), "identity": body.get("identity"),
            "roles": body.get("roles", []), "alias": body.get("alias"), "models": body.get("models", []), "on_cut": "stop", "on_disconnect": None, "metadata": {},
            "created_at": now(), "expires_at": body.get("expires_at"), "revoked_at": None, "blocked": False, "last_used_at": None,
            "kind": "service_account" if body.get("service_account") else "key", "state": "active",
        }  # fmt: skip
        self.keys.insert(0, row)
        return row

    # What goes on by itself.

    async def start(self, app) -> None:
        self.task = asyncio.create_task(self.tick())

    async def tick(self) -> None:
        for beat in itertools.count(1):
            await asyncio.sleep(0.25)
            changed = []
            for row in self.dice.sample(list(self.streams.values()), min(len(self.streams), 400)):
                if row["waiting"]:
                    continue
                row["output_tokens"] += int(row["tokens_per_second"] / 4)
                rate = float(row["cost_per_minute_usd"]) * (0.95 + 0.1 * self.dice.random())
                row |= {"cost_per_minute_usd": money(rate), "cost_usd": money(float(row["cost_usd"]) + rate / 240)}
                if row["stops"] and row["stops"]["seconds"]:
                    row["stops"] |= {"seconds": max(1, row["stops"]["seconds"] - (beat % 4 == 0))}
                changed.append(row)
            if changed:
                await self.emit("streams", {"data": changed, "gone": []})
            if beat % 4 == 0 and self.windows and self.streams:
                row = self.windows[0]
                row |= {"used": money(float(row["used"]) + 0.01), "free": money(float(row["free"]) - 0.01)}
                await self.emit("windows", {"data": [row]})
                await self.emit("now", self.current())

    async def emit(self, name: str, body: dict) -> None:
        await self.fake.sockets.emit(name, body, namespace="/console")

    async def greet(self, sid: str) -> None:
        for name, rows in (("streams", list(self.streams.values())), ("windows", self.windows)):
            await self.fake.sockets.emit(name, {"snapshot": True, "data": rows}, to=sid, namespace="/console")
        await self.fake.sockets.emit("now", self.current(), to=sid, namespace="/console")

    def current(self) -> dict:
        rows, minutes = list(self.streams.values()), self.minutes
        waits = sum(row["state"] == "pending" for row in self.fake.world.approvals)
        problems = ["Redis answers slowly: 84 ms at the last look."] if rows else []
        return {
            "at": now(), "runs": len(rows), "tokens_per_second": sum(row["tokens_per_second"] for row in rows), "cost_per_minute_usd": money(sum(float(row["cost_per_minute_usd"]) for row in rows)),
            "cuts_last_hour": int(sum(minutes["cuts"])), "decisions_last_hour": {"allow": 412 if rows else 0, "deny": 31 if rows else 0}, "approvals_waiting": waits, "health": "degraded" if problems else "ok", "problems": problems,
            "lines": {"runs": [int(x) for x in minutes["runs"]], "tokens": [int(x) for x in minutes["tokens"]], "cost_usd": [money(x) for x in minutes["cost_usd"]], "cuts": [int(x) for x in minutes["cuts"]]},
        }  # fmt: skip

    # The addresses.

    def page(self, request: web.Request, rows: list[dict]) -> web.Response:
        self.fake.admin(request)
        rows = [
            row
            for row in rows
            if all(request.query.get(key) in (None, row.get(key, request.query.get(key))) for key in ("project", "user", "state"))
        ]
        start, limit = int(request.query.get("cursor", 0)), int(request.query.get("limit", 100))
        return web.json_response({"data": rows[start : start + limit], "cursor": str(start + limit) if start + limit < len(rows) else None})

    async def now(self, request):
        self.fake.admin(request)
        return web.json_response(self.current())

    async def list_streams(self, request):
        return self.page(request, list(self.streams.values()))

    async def kill(self, request):
        self.fake.admin(request)
        row = self.streams.pop(request.match_info["run"], None)
        if row is None:
            return self.refuse(409, "run_ended", "This run has ended already.")
        self.ended[row["run_id"]] = row | {"reason": (await request.json()).get("reason", "")}
        await self.emit("streams", {"data": [], "gone": [row["run_id"]]})
        return web.json_response({"run_id": row["run_id"], "status": "killed"})

    async def run(self, request):
        self.fake.admin(request)
        run = request.match_info["run"]
        row = self.ended.get(run) or self.streams.get(run)
        if row is None and run != "run_cut":
            return self.refuse(404, "run_not_found", "There is no such run.")
        return web.json_response(explained(run, row))

    async def list_budgets(self, request):
        return self.page(request, self.windows)

    def same(self, body):
        return lambda row: all(row.get(key) == body.get(key) for key in ("scope", "unit", "window", "model", "tool"))

    async def set_budget(self, request):
        self.fake.admin(request)
        body = await request.json()
        known = next(filter(self.same(body), self.windows), None)
        row = window(
            body["scope"],
            body["limit"],
            float((known or {}).get("used", 0)),
            float((known or {}).get("held", 0)),
            unit=body["unit"],
            period=body["window"],
        )
        row |= {key: body[key] for key in ("model", "tool", "zone") if key in body}
        self.windows = [one for one in self.windows if one is not known] + [row]
        await self.emit("windows", {"data": [row]})
        return web.json_response(row | {"created": known is None}, status=200 if known else 201)

    async def remove_budget(self, request):
        self.fake.admin(request)
        known = next(filter(self.same(request.query), self.windows), None)
        if known is None:
            return self.refuse(404, "budget_not_found", "There is no such budget.")
        self.windows.remove(known)
        return web.json_response({"removed": True})

    async def preview(self, request):
        self.fake.admin(request)
        body = await request.json()
        known = next(filter(self.same(body), self.windows), {"used": "0", "held": "0", "suspense": "0"})
        over = float(known["used"]) + float(known["held"]) > float(body["limit"])
        cut = [row for row in self.streams.values() if body["scope"] in ("org:acme", f"project:acme/{row['project']}")] if over else []
        return web.json_response(
            {key: known[key] for key in ("used", "held", "suspense")} | {"limit": body["limit"], "would_refuse": over, "would_cut": cut}
        )

    async def list_keys(self, request):
        return self.page(request, self.keys)

    async def make_key(self, request):
        self.fake.admin(request)
        body, again = await request.json(), request.headers.get("idempotency-key", "")
        if again in self.answers:
            return web.json_response(self.answers[again] | {"key": None, "replayed": True})
        row = self.add_key(body)
        for one in body.get("budgets", []):
            self.windows.append(window(f"key:{row['id']}", one["limit"], 0, unit=one["unit"], period=one["window"]))
        self.answers[again] = row
        return web.json_response(row | {"key": f"kd-{secrets.token_hex(20)}"}, status=201)

    def key(self, request):
        self.fake.admin(request)
        return next(row for row in self.keys if row["id"] == request.match_info["id"])

    async def change_key(self, request):
        row = self.key(request)
        row |= await request.json()
        row["state"] = "blocked" if row["blocked"] else "active"
        return web.json_response(row)

    async def revoke(self, request):
        row = self.key(request)
        row |= {"state": "revoked", "revoked_at": now()}
        return web.json_response(row)

    async def rotate(self, request):
        old, grace = self.key(request), (await request.json()).get("grace_seconds", 0)
        new = self.add_key(old)
        old |= {"expires_at": now() + grace * 1000} if grace else {"state": "revoked", "revoked_at": now()}
        return web.json_response(new | {"key": f"kd-{secrets.token_hex(20)}", "replaces": old["id"]}, status=201)

    async def list_orgs(self, request):
        rows = [
            {"org": org, "name": name, "created_at": now(), "projects": len(self.projects), "keys": len(self.keys)}
            for org, name in self.orgs.items()
        ]
        return self.page(request, rows)

    def keys_of(self, **names) -> int:
        return sum(all(row[name] == value for name, value in names.items()) for row in self.keys)

    async def list_projects(self, request):
        return self.page(
            request,
            [
                {"org": org, "project": project, "name": name, "created_at": now(), "keys": self.keys_of(project=project)}
                for org, project, name in self.projects
            ],
        )

    async def list_users(self, request):
        return self.page(
            request,
            [
                {"org": org, "project": project, "user": user, "name": name, "created_at": now(), "keys": self.keys_of(user=user)}
                for org, project, user, name in self.users
            ],
        )

    async def put_org(self, request):
        return await self.put(request, lambda path, name: self.orgs.__setitem__(path["org"], name))

    async def put_project(self, request):
        return await self.put(request, lambda path, name: self.projects.append((path["org"], path["project"], name)))

    async def put_user(self, request):
        return await self.put(request, lambda path, name: self.users.append((path["org"], path["project"], path["user"], name)))

    async def put(self, request, keep):
        self.fake.admin(request)
        keep(request.match_info, (await request.json()).get("name"))
        return web.json_response(dict(request.match_info) | {"created_at": now()}, status=201)

    def refuse(self, status: int, code: str, message: str) -> web.Response:
        return web.json_response(
            {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": None}},
            status=status,
            headers={"x-request-id": "req_fake_2"},
        )


def explained(run: str, row: dict | None) -> dict:
    """As `GET /runs/{run}` tells it: one that its project's budget cut, one that was killed, or one that still runs."""
    lives = row is not None and "reason" not in row
    reason = "killed" if row else "budget_exceeded"
    row = row or {"project": "web", "user": "ana", "key": "key_7Hq2mZ", "model": "claude-sonnet", "started_at": now() - 95_000}
    at = row["started_at"]
    spent = window("project:acme/web", "10.00", 10.0)
    cut = None if lives else {"reason": reason, "scope": {"kind": "project", "id": "acme/web"}, "unit": "usd", "window": "day", "limit": "10.00", "used": "10.00", "held": "0", "resets_at": spent["resets_at"], "decision_id": "dec_00002"}  # fmt: skip
    story = [f"Ana of acme/web asked {row['model']} for an answer at 11:02:10 UTC.", "It was let in: project acme/web had $0.41 of its $10.00 for today left.", "The model wrote 812 tokens, and payments.refund was called once."]  # fmt: skip
    ends = {"killed": f"An administrator ended it: “{row.get('reason')}”.", "budget_exceeded": "Then the $10.00 of project acme/web for today were spent, and the run was cut at that token."}  # fmt: skip
    if not lives:
        story += [ends[reason], "It cost $0.41; nothing that it did not deliver was charged."]
    charges = [{"at": at + 4000 * step, "kind": "settle" if step == 4 else "commit", "is_charge": True, "input_fresh": 900 if step == 1 else 0, "output_visible": 203, "cost_usd": "0.1025", "model": row["model"], "run": run} for step in range(1, 5)]  # fmt: skip
    timeline = [
        {"at": at, "kind": "admission", "text": "Let in: every window on the path had something left.", "decision_id": "dec_00001", "data": {"windows": 4}},
        {"at": at + 4000, "kind": "charge", "text": "900 tokens in and 203 out, $0.1025.", "data": {}},
        {"at": at + 9000, "kind": "tool", "text": "payments.refund for C-1042: allowed by refund-small.", "decision_id": "dec_00003", "data": {"tool": "payments.refund"}},
        {"at": at + 9100, "kind": "approval", "text": "Two of finance agreed.", "decision_id": "dec_00004", "data": {}},
        {"at": at + 20_000, "kind": "charge", "text": "609 tokens out, $0.3075.", "data": {}},
    ]  # fmt: skip
    if not lives:
        timeline.append(
            {
                "at": at + 21_000,
                "kind": "kill" if reason == "killed" else "cut",
                "text": ends[reason],
                "decision_id": "dec_00002",
                "data": {},
            }
        )
    return {
        "run_id": run, "state": "running" if lives else "cut", "model": row["model"], "message": ends[reason], "org": "acme", "project": row["project"], "user": row["user"], "key": row["key"],
        "ended_at": None if lives else at + 21_000, "cut": cut, "error": None, "totals": {"input_tokens": 900, "output_tokens": 812, "requests": 1, "cost_usd": "0.4100", "estimated": False},
        "charges": charges, "windows": [spent, window("org:acme", "50.00", 31.4, 1.2, 0.4)], "timeline": timeline, "story": story,
    }  # fmt: skip

"""The control plane: what all servers do, seen from any of them, over HTTP, Socket.IO and `kdcube top`."""

import collections
import contextlib
import json
import os
import pty
import select
import sqlite3
import subprocess
import termios
import threading
import time

import pytest
import requests
import socketio

from rig.server import BINARIES, CommandFailed, Installation, environment
from rig.sse import collect
from rig.waiting import wait_until

LONG = "hi\n@tokens 100000\n@rate 100"


class Admin:
    """Somebody with a key for administration, at one of the servers."""

    def __init__(self, installation, org: str, role: str = "admin"):
        self.key = installation.key(org, "web", f"boss-{role}", "--role", role)["key"]
        self.session = requests.Session()
        self.session.headers["authorization"] = f"Bearer {self.key}"

    def get(self, server, path: str, status: int = 200, **query) -> dict:
        answer = self.session.get(f"{server.url}/api/admin/{path}", params=query, timeout=20)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, server, path: str, body: dict | None = None, status: int = 200) -> dict:
        answer = self.session.post(f"{server.url}/api/admin/{path}", json=body, timeout=60)
        assert answer.status_code == status, answer.text
        return answer.json()


class Reader:
    """A long run that is read to its end."""

    def __init__(self, server, key: str, text: str = LONG):
        self.events: list = []
        self._thread = threading.Thread(target=lambda: self.events.extend(collect(server.url, key, {"text": text})))
        self._thread.start()

    def end(self) -> dict:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.events[-1].json


class Watcher:
    """A console: every event of the namespace, in the order in which it came."""

    def __init__(self, server, key: str, org: str | None = None):
        self.told = collections.defaultdict(list)
        self.client = socketio.Client(reconnection=False)
        for event in ("streams", "windows", "now", "decisions", "approvals"):
            self.client.on(event, self.told[event].append, namespace="/console")
        auth = {"token": key} | ({"org": org} if org else {})
        self.client.connect(server.url, auth=auth, namespaces=["/console"], transports=["websocket"])

    def rows(self) -> dict[str, dict]:
        """The streams as a page would show them now."""
        rows: dict[str, dict] = {}
        for event in list(self.told["streams"]):
            rows |= {row["run_id"]: row for row in event["data"]}
            for run in event["gone"]:
                rows.pop(run, None)
        return rows


@pytest.fixture(params=[False, True], ids=["sqlite", "postgres"])
def pair(tmp_path, request, redis_server):
    """Two servers on one Redis, and one database."""
    stores = {"redis": redis_server.url}
    if request.param:
        stores["postgres"] = request.getfixturevalue("shared_postgres").database()
    installation = Installation(tmp_path / "pair", **stores)
    with contextlib.ExitStack() as stack:
        stack.callback(installation.stop)
        yield installation, [installation.serve() for _ in range(2)]


def test_a_stream_of_one_server_is_seen_and_killed_at_the_other(pair, make_tenant):
    installation, (first, second) = pair
    tenant = make_tenant(installation)
    tenant.cap("0.50")
    admin, stranger = Admin(installation, tenant.org), Admin(installation, make_tenant(installation).org)
    operator = Admin(installation, "ops", "operator")
    watcher, all_watcher = Watcher(second, admin.key), Watcher(second, operator.key, "*")
    other_watcher = Watcher(second, stranger.key)
    with contextlib.ExitStack() as stack:
        for one in (watcher, all_watcher, other_watcher):
            stack.callback(one.client.disconnect)
        reader = Reader(first, tenant.key)
        began = time.monotonic()
        (row,) = wait_until("the other server lists it", lambda: admin.get(second, "streams")["data"])
        assert time.monotonic() - began < 10
        wait_until("the other server's console has it", lambda: row["run_id"] in watcher.rows())
        assert time.monotonic() - began < 12
        wait_until("the operator's too", lambda: row["run_id"] in all_watcher.rows())
        assert (row["org"], row["project"], row["user"], row["key"]) == (tenant.org, "web", "ada", tenant.key_id)
        assert (row["model"], row["state"]) == ("demo", "running")

        def moving() -> dict | None:
            rows = admin.get(second, "streams")["data"]
            return next((row for row in rows if 60 < row["tokens_per_second"] < 140 and float(row["cost_per_minute_usd"]) > 0), None)

        row = wait_until("it has a speed", moving)
        assert row["output_tokens"] > 20 and row["waiting"] is None
        stops = wait_until("what will stop it is known", lambda: admin.get(second, "streams")["data"][0]["stops"])
        assert (stops["scope"], stops["unit"], stops["window"], stops["limit"]) == (tenant.scope, "usd", "total", "0.50")
        # 0.50 at 100 tokens of 0.000002 a second is spent in the better part of an hour.
        assert 1_000 < wait_until("and when", lambda: admin.get(second, "streams")["data"][0]["stops"]["seconds"]) < 10_000

        # Filters, and whoever has no business here.
        assert admin.get(second, "streams", project="web", user="ada")["data"] and not admin.get(second, "streams", project="x")["data"]
        assert stranger.get(second, "streams")["data"] == [] and stranger.get(first, "streams")["data"] == []
        assert stranger.get(second, "streams", 403, org=tenant.org)["error"]["code"] == "scope_denied"
        assert stranger.get(second, "now", 403, org="*")["error"]["code"] == "scope_denied"
        assert operator.get(second, "streams", org=tenant.org)["data"][0]["run_id"] == row["run_id"]
        assert operator.get(second, "streams", 400, project="web")["error"]["param"] == "org"
        stranger.get(second, f"runs/{row['run_id']}", 404)

        # The present hour.
        now = wait_until(
            "the minute has its tokens",
            lambda: (now := admin.get(second, "now"))["runs"] == 1 and now["lines"]["tokens"][-1] > 0 and now["health"] == "ok" and now,
        )
        assert now["problems"] == []
        assert {name: len(line) for name, line in now["lines"].items()} == {"runs": 60, "tokens": 60, "cost_usd": 60, "cuts": 60}
        assert now["decisions_last_hour"]["allow"] >= 1 and float(now["lines"]["cost_usd"][-1]) > 0
        assert stranger.get(second, "now")["runs"] == 0 and operator.get(second, "now", org="*")["runs"] >= 1

        # A run that lives elsewhere has a story too.
        story = admin.get(second, f"runs/{row['run_id']}")
        assert story["state"] == "running" and story["timeline"][0]["kind"] == "admission" and len(story["story"]) <= 5

        # Both are in sight, from either.
        nodes = {node["node"]: node for node in admin.get(first, "health")["nodes"]}
        assert len(nodes) == 2 and {node["address"] for node in nodes.values()} == {f"127.0.0.1:{s.port}" for s in (first, second)}
        assert nodes[row["node"]]["runs"] == 1 and nodes[row["node"]]["address"].endswith(str(first.port))

        killed = admin.post(second, f"streams/{row['run_id']}/kill", {"reason": "too dear"}, 202)
        assert killed["status"] == "requested"
        last = reader.end()
        assert last["type"] == "chat.cut" and last["cut"]["reason"] == "killed"
        wait_until("it leaves the other server's list", lambda: not admin.get(second, "streams")["data"])
        wait_until("and its console", lambda: row["run_id"] not in watcher.rows())
        kill = wait_until("why is told", lambda: admin.get(second, "decisions?kind=kill")["data"])
        assert any("too dear" in one["details"].get("target", "") for one in kill)
        wait_until("a cut is counted", lambda: admin.get(second, "now")["cuts_last_hour"] == 1)

        # What a console is told, besides.
        (streams,) = (event for event in watcher.told["streams"] if event.get("snapshot"))
        assert streams["data"] == [] and streams["gone"] == []
        wait_until("windows and now", lambda: watcher.told["windows"] and watcher.told["now"])
        windows = [window for event in watcher.told["windows"] for window in event["data"] if window["scope"] == tenant.scope]
        assert windows and all(window["limit"] == "0.50" and "free" in window for window in windows)
        assert wait_until("it was used", lambda: float([w for e in watcher.told["windows"] for w in e["data"]][-1]["used"]) > 0)
        assert any(event["runs"] == 1 for event in watcher.told["now"])
        assert not other_watcher.rows() and all(event["runs"] == 0 for event in other_watcher.told["now"])
        assert all(window["scope"] != tenant.scope for event in other_watcher.told["windows"] for window in event["data"])
    with pytest.raises(socketio.exceptions.ConnectionError):
        Watcher(second, admin.key, "*")


def test_a_cut_run_has_a_story_with_its_proof(server, installation, tenant):
    tenant.cap("0.0005", window="day")
    end = collect(server.url, tenant.key, {"text": "hi\n@tokens 1000\n@rate 0"})[-1].json
    assert end["type"] == "chat.cut"
    admin = Admin(installation, tenant.org)
    found = wait_until(
        "the end is kept",
        lambda: (found := admin.get(server, f"runs/{end['run_id']}"))["cut"] and found,
    )
    assert found["totals"]["cost_usd"] == end["cost_usd"]
    kinds = [entry["kind"] for entry in found["timeline"]]
    assert kinds[0] == "admission" and kinds[-1] == "end" and "charge" in kinds
    cut = next(entry for entry in found["timeline"] if entry["kind"] == "cut")
    assert cut["decision_id"] == end["cut"]["decision_id"] == cut["data"]["id"]
    assert [entry["at"] for entry in found["timeline"]] == sorted(entry["at"] for entry in found["timeline"])
    assert len(found["story"]) <= 5 and tenant.org in found["story"][0] and end["cut"]["decision_id"] in found["story"][-1]
    assert found["message"] in found["story"]
    admin.get(server, "runs/run_" + "A" * 24, 404)
    admin.get(server, "runs/nonsense", 404)


def test_health_says_what_is_away_and_a_server_can_be_drained(tmp_path, redis_server, make_tenant):
    redis = redis_server
    installation = Installation(tmp_path / "own", redis=redis.url)
    with contextlib.ExitStack() as stack:
        stack.callback(installation.stop)
        server = installation.serve()
        tenant = make_tenant(installation)
        admin, operator = Admin(installation, tenant.org), Admin(installation, "ops", "operator")
        collect(server.url, tenant.key, {"text": "hi\n@tokens 3"})
        quiet = ("outbox_rows", "settlements_pending")
        health = wait_until(
            "nothing waits", lambda: (found := operator.get(server, "health")) and all(found[name] == 0 for name in quiet) and found
        )
        assert {store["name"]: store["ok"] for store in health["stores"]} == {"database": True, "redis": True, "counters": True}
        (upstream,) = (upstream for upstream in health["upstreams"] if upstream["model"] == "demo")
        assert upstream == {"model": "demo", "provider": "scripted", "host": None, "calls": 1, "failures": 0, "last_failure_at": None}
        told = admin.get(server, "health")
        (upstream,) = (upstream for upstream in told["upstreams"] if upstream["model"] == "demo")
        assert (upstream["calls"], upstream["failures"]) == (None, None), "sums over all organisations are the operator's"
        assert (told["outbox_rows"], told["settlements_pending"], told["nodes"][0]["sockets"]) == (None, None, None)
        assert (health["outbox_rows"], health["settlements_pending"], health["nodes"][0]["sockets"]) == (0, 0, 0)
        assert health["prices"]["version"] and health["log_level"] == "info" and health["problems"] == []
        wait_until("it is ready", lambda: server.metrics()["kdcube_ready"] == 1)

        redis.stop()
        health = wait_until("Redis is missed", lambda: (health := admin.get(server, "health"))["problems"] and health, seconds=20)
        states = {store["name"]: store["ok"] for store in health["stores"]}
        assert states["database"] and not states["redis"] and not states["counters"]
        now = admin.get(server, "now")
        assert now["health"] == "degraded" and "Redis" in now["problems"][0]
        assert server.metrics()["kdcube_ready"] == 0
        redis.start()
        wait_until("it is back", lambda: server.status("/readyz") == 200 and admin.get(server, "now")["health"] == "ok", seconds=30)

        assert admin.post(server, "drain", status=403)["error"]["code"] == "role_required"
        assert operator.post(server, "drain", {"node": "nobody"}, 404)
        assert operator.post(server, "drain")["status"] == "draining"
        assert server.status("/readyz") == 503
        refused = requests.post(f"{server.url}/v1/runs", json={"text": "x"}, headers=tenant.headers, timeout=10)
        assert refused.status_code == 503
        wait_until("its node says so", lambda: admin.get(server, "health")["nodes"][0]["draining"])
        wait_until("and the gauge", lambda: server.metrics()["kdcube_ready"] == 0)


def test_one_server_drains_the_other(tmp_path, redis_server, make_tenant):
    installation = Installation(tmp_path / "own", redis=redis_server.url)
    with contextlib.ExitStack() as stack:
        stack.callback(installation.stop)
        first, second = installation.serve(), installation.serve()
        tenant, operator = make_tenant(installation), Admin(installation, "ops", "operator")
        reader = Reader(second, tenant.key, "hi\n@tokens 300\n@rate 100")
        nodes = wait_until("both are seen", lambda: len(found := operator.get(first, "health")["nodes"]) == 2 and found)
        node = next(node["node"] for node in nodes if node["address"].endswith(str(second.port)))
        assert operator.post(first, "drain", {"node": node}, 202)["status"] == "requested"
        wait_until("it hears of it", lambda: second.status("/readyz") == 503, seconds=10)
        assert first.status("/readyz") == 200
        assert reader.end()["type"] == "chat.complete", "what lived went on"
        # A server that has ended says so: it is out of sight long before it would be missed.
        second.process.stop()

        def seen() -> list[str]:
            return [found["address"] for found in operator.get(first, "health")["nodes"]]

        wait_until("it is out of sight", lambda: seen() == [f"127.0.0.1:{first.port}"], seconds=5)


def test_the_audit_page_verifies_and_exports(tmp_path, make_tenant):
    installation = Installation(tmp_path / "own", audit={"checkpoints": str(tmp_path / "checkpoints.jsonl")})
    with contextlib.ExitStack() as stack:
        stack.callback(installation.stop)
        server = installation.serve()
        tenant, other = make_tenant(installation), make_tenant(installation)
        admin, operator = Admin(installation, tenant.org), Admin(installation, "ops", "operator")
        for one in (tenant, other):
            collect(server.url, one.key, {"text": "hi\n@tokens 3"})
        # A server that ends signs what it has.
        server.process.stop()
        installation.restart(server)
        standing = admin.get(server, "audit")
        assert standing["org"] == tenant.org and standing["records"] == standing["last_seq"] >= 1
        assert standing["signed_to"] == standing["anchored_to"] and standing["last_checkpoint_at"] > 0 and standing["keys"]
        ranges = standing["ranges"]
        assert ranges[0]["from"] == 1 and ranges[0]["state"] == "anchored" and ranges[-1]["to"] == standing["last_seq"]
        assert admin.get(server, "audit", 403, org=other.org)["error"]["code"] == "scope_denied"

        found = admin.post(server, "audit/verify")
        assert found["ok"] and [report["org"] for report in found["orgs"]] == [tenant.org]
        assert admin.post(server, "audit/verify", {"org": other.org}, 403)
        everything = operator.post(server, "audit/verify")
        assert everything["ok"] and {tenant.org, other.org} <= {report["org"] for report in everything["orgs"]}
        assert everything["keys"] == installation.json("audit", "verify")["keys"]

        export = admin.session.get(f"{server.url}/api/admin/audit/export", timeout=20)
        assert export.headers["content-type"].startswith("application/x-ndjson")
        assert export.text == installation.command("audit", "export", "--org", tenant.org)
        assert all(json.loads(line)["org"] == tenant.org for line in export.text.splitlines())
        assert operator.session.get(f"{server.url}/api/admin/audit/export", timeout=20).text == installation.command("audit", "export")
        assert admin.get(server, "audit/export", 400, **{"from": "noon"})["error"]["param"] == "from"
        assert admin.session.get(f"{server.url}/api/admin/audit/export?to=2001-01-01", timeout=20).text == ""

        with contextlib.closing(sqlite3.connect(installation.folder / "data" / "kdcube.sqlite", timeout=10)) as database:
            triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'tool_decisions'").fetchall()
            for (trigger,) in triggers:
                database.execute(f"DROP TRIGGER {trigger}")
            database.execute("UPDATE tool_decisions SET message = 'never mind' WHERE org = ? AND seq = 1", (tenant.org,))
            database.commit()
        broken = admin.post(server, "audit/verify")
        assert not broken["ok"] and broken["orgs"][0]["fault"]["seq"] == 1
        with pytest.raises(CommandFailed):
            installation.command("audit", "verify", "--org", tenant.org)


def test_the_configuration_is_shown_without_what_is_secret_or_anothers(tmp_path, make_tenant):
    model = {"id": "far", "provider": "openai", "base_url": "https://user@far.example:8443/v1", "api_key": "sk-very-secret"}
    scopes = ["org:mine", "project:mine/web", "org:theirs"]
    budgets = [{"scope": scope, "unit": "usd", "window": "day", "limit": "1.00"} for scope in scopes]
    installation = Installation(tmp_path / "own", extra_models=[model], budgets=budgets, accounting={"slots": {"mine": 1, "theirs": 1}})
    with contextlib.ExitStack() as stack:
        stack.callback(installation.stop)
        server = installation.serve()
        admin, operator = Admin(installation, "mine"), Admin(installation, "ops", "operator")
        mine, everything = admin.get(server, "config"), operator.get(server, "config")
        assert [budget["scope"] for budget in mine["settings"]["budgets"]] == scopes[:2]
        assert [budget["scope"] for budget in everything["settings"]["budgets"]] == scopes
        assert everything["settings"]["models"] == installation.json("check-config")["models"]
        for shown in (mine, everything):
            assert "sk-very-secret" not in json.dumps(shown) and '"***"' in shown["yaml"] and "far" in shown["yaml"]
        assert "theirs" not in json.dumps(mine)
        assert mine["settings"]["stores"]["data"] == "***" and str(tmp_path) in everything["settings"]["stores"]["data"]
        (far,) = (upstream for upstream in admin.get(server, "health")["upstreams"] if upstream["model"] == "far")
        assert far["host"] == "far.example:8443"


def test_top_for_scripts_from_the_stores_and_from_a_server(server, installation, tenant):
    admin = Admin(installation, tenant.org)
    reader = Reader(server, tenant.key, "hi\n@tokens 100000\n@rate 100")
    try:
        (row,) = wait_until("the stores know of it", lambda: installation.json("top", "--org", tenant.org)["streams"], seconds=10)
        assert row["org"] == tenant.org
        text = installation.command("top", "--once")
        assert row["run_id"] in text and "kdcube top · 1 server" in text and "\x1b" not in text
        command = [str(BINARIES / "kdcube"), "top", "--url", server.url, "--key", admin.key, "--json"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment(), check=True)
        shown = json.loads(result.stdout)
        assert [stream["run_id"] for stream in shown["streams"]] == [row["run_id"]] and shown["servers"] == 1
        assert shown["now"]["runs"] == 1
        denied = subprocess.run([*command[:-2], "kd-nonsense"], capture_output=True, text=True, timeout=30, env=environment(), check=False)
        assert denied.returncode == 1 and len(denied.stderr.splitlines()) == 1
    finally:
        admin.post(server, f"streams/{row['run_id']}/kill")
    reader.end()


def test_top_gives_the_terminal_back_as_it_was(installation, server):
    child, terminal = pty.fork()
    if child == 0:
        os.execve(BINARIES / "kdcube", ["kdcube", "top", "--config", str(installation.config)], environment())
    shown = b""

    def look(text: bytes) -> bool:
        nonlocal shown
        while select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 1 << 16)
            except OSError:
                break
        return text in shown

    wait_until("a picture is there", lambda: look(b"k kills a run"))
    assert not termios.tcgetattr(terminal)[3] & (termios.ICANON | termios.ECHO)
    os.write(terminal, b"k")
    wait_until("it asks", lambda: look(b"kill which run?"))
    os.write(terminal, b"nobody\r")
    wait_until("there is none", lambda: look(b"there is no run nobody"))
    os.write(terminal, b"q")
    wait_until("the screen is given back", lambda: look(b"\x1b[?1049l"))
    assert os.waitpid(child, 0)[1] == 0
    flags = termios.tcgetattr(terminal)[3]
    assert flags & termios.ICANON and flags & termios.ECHO
    os.close(terminal)

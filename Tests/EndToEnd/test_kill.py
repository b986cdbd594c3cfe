"""Orders to cut what runs: one run, a scope, a key that is taken away; on the server that has it or on another."""

import contextlib
import threading
import time

import pytest
import requests

from rig.server import CommandFailed, Installation
from rig.sse import collect
from rig.waiting import wait_until

LONG = "hi\n@tokens 100000\n@rate 200"


class Streams:
    """Long runs that are read to their ends."""

    def __init__(self):
        self.threads, self.ends = [], {}

    def start(self, name: str, server, key: str) -> None:
        def read():
            events = collect(server.url, key, {"text": LONG})
            self.ends[name] = events[-1].json | {"deltas": sum(event.json["type"] == "chat.delta" for event in events)}

        self.threads.append(threading.Thread(target=read))
        self.threads[-1].start()

    def end(self) -> dict:
        for thread in self.threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self.threads)
        return self.ends


def admin_of(server, installation, org: str):
    session = requests.Session()
    session.headers["authorization"] = f"Bearer {installation.key(org, 'web', 'boss', '--role', 'admin')['key']}"

    def live() -> list[dict]:
        answer = session.get(f"{server.url}/api/admin/streams", timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return session, live


def test_an_admin_sees_live_runs_and_kills_one(server, installation, tenant, make_tenant):
    tenant.cap("10", window="day")
    admin, live = admin_of(server, installation, tenant.org)
    stranger, _ = admin_of(server, installation, make_tenant(installation).org)
    streams = Streams()
    streams.start("a", server, tenant.key)
    (run,) = wait_until("the run is listed", lambda: [run for run in live() if run["delivered_tokens"] > 5] or None)
    assert (run["org"], run["project"], run["model"], run["state"], run["phase"]) == (tenant.org, "web", "demo", "running", "streaming")
    assert float(run["cost_usd"]) > 0 and run["started_at"] <= time.time() * 1000
    kill = f"{server.url}/api/admin/streams/{run['run_id']}/kill"
    assert requests.get(f"{server.url}/api/admin/streams", headers=tenant.headers, timeout=10).status_code == 403
    assert stranger.get(f"{server.url}/api/admin/streams", timeout=10).json()["data"] == []
    hidden, unknown = stranger.post(kill, timeout=10), stranger.post(kill.replace(run["run_id"], "run_" + "A" * 24), timeout=10)
    assert hidden.status_code == unknown.status_code == 404 and hidden.json()["error"] == unknown.json()["error"]
    assert live(), "and it lives"
    assert admin.post(kill, timeout=10).json() == {"run_id": run["run_id"], "status": "killed"}
    last = streams.end()["a"]
    assert last["type"] == "chat.cut" and last["cut"]["reason"] == "killed" and last["run_id"] == run["run_id"]
    assert last["usage"]["output_tokens"] > 0
    again = admin.post(kill, timeout=10)
    assert again.status_code == 409 and again.json()["error"]["code"] == "run_ended"
    wait_until("charged what was delivered", lambda: installation.json("why", run["run_id"])["totals"]["cost_usd"] == last["cost_usd"])


@pytest.mark.parametrize("shared", [False, True], ids=["embedded", "redis-and-postgres"])
def test_orders_reach_every_server_and_nobody_else(request, tmp_path, make_tenant, shared):
    stores = {}
    if shared:
        stores = {"redis": request.getfixturevalue("redis_server").url, "postgres": request.getfixturevalue("shared_postgres").database()}
    installation = Installation(tmp_path / "own", **stores)
    with contextlib.ExitStack() as stack:
        stack.callback(installation.stop)
        servers = [installation.serve() for _ in range(2 if shared else 1)]
        tenant = make_tenant(installation)
        tenant.cap("10", window="day")
        keys = {name: installation.key(tenant.org, "web", name) for name in ("ann", "bob", "cid", "dee")}
        admins = [admin_of(server, installation, tenant.org) for server in servers]
        streams = Streams()
        for index, (name, key) in enumerate(keys.items()):
            streams.start(name, servers[index % len(servers)], key["key"])

        def all_four() -> list[dict] | None:
            # Each server knows of all.
            lists = [[run for run in live() if run["delivered_tokens"]] for _, live in admins]
            return lists[0] if all(len(runs) == 4 for runs in lists) else None

        listed = wait_until("all run", all_four)
        runs = {run["user"]: run["run_id"] for run in listed}

        # A stranger's order is taken for a run of its own, and does nothing; absent and hidden look the same.
        if shared:
            stranger, _ = admin_of(servers[0], installation, make_tenant(installation).org)
            for name in ("ann", "bob"):
                answer = stranger.post(f"{servers[0].url}/api/admin/streams/{runs[name]}/kill", timeout=10)
                assert (answer.status_code, answer.json()) == (202, {"run_id": runs[name], "status": "requested"})
            time.sleep(0.6)
            assert not streams.ends

        # From the command line by id; through the other server where there is one.
        assert installation.json("kill", runs["ann"]) == {"ordered": [f"run:{runs['ann']}"]}
        elsewhere = admins[0][0].post(f"{servers[0].url}/api/admin/streams/{runs['bob']}/kill", timeout=10)
        assert elsewhere.json() == {"run_id": runs["bob"], "status": "requested" if shared else "killed"}
        # A key that is taken away.
        installation.command("keys", "revoke", keys["cid"]["id"])
        wait_until("three are cut", lambda: len(streams.ends) == 3, seconds=10)
        time.sleep(0.5)
        assert set(streams.ends) == {"ann", "bob", "cid"}, "the fourth goes on"
        # A budget that is lowered, with all that was granted before.
        installation.command(
            "budget", "set", "--scope", f"user:{tenant.org}/web/dee", "--unit", "usd", "--window", "day", "--limit", "9", "--revoke"
        )
        ends = streams.end()
        assert {end["cut"]["reason"] for end in ends.values()} == {"killed"}
        assert ends["cid"]["cut"]["scope"] == {"kind": "key", "id": keys["cid"]["id"]}
        assert ends["dee"]["cut"]["scope"] == {"kind": "user", "id": f"{tenant.org}/web/dee"}
        # What begins afterwards is not meant, once the other server has seen the order too.
        wait_until(
            "a new run goes through",
            lambda: collect(servers[0].url, keys["dee"]["key"], {"text": "hi\n@tokens 3"})[-1].json["type"] == "chat.complete",
        )
        refused = requests.post(
            f"{servers[0].url}/v1/runs", json={"text": "x"}, headers={"authorization": f"Bearer {keys['cid']['key']}"}, timeout=10
        )
        assert refused.status_code == 401
        for name in keys:
            wait_until(
                "charged", lambda name=name: installation.json("why", ends[name]["run_id"])["totals"]["cost_usd"] == ends[name]["cost_usd"]
            )
        with pytest.raises(CommandFailed):
            installation.command("kill", "nobody")

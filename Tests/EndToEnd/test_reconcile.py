"""`kdcube reconcile`: counters that somebody tampered with, beside live streams, and a server that never comes back."""

import json
import subprocess

import pytest

from rig import administration
from rig.envelopes import answer, check_run, tokens
from rig.realtime import Client
from rig.server import BINARIES, CommandFailed, Installation, environment
from rig.waiting import wait_until


def reconcile(installation: Installation, *arguments: str) -> tuple[int, list[dict]]:
    command = [str(BINARIES / "kdcube"), "reconcile", *arguments, "--json", "--config", str(installation.config)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert result.returncode in (0, 1) and not result.stderr, result
    return result.returncode, json.loads(result.stdout)


def test_counters_that_differ_are_found_and_rebuilt_beside_live_streams(redis_server, tmp_path, make_tenant):
    installation = Installation(tmp_path / "i", redis=redis_server.url)
    try:
        servers = [installation.serve(), installation.serve()]
        tenant = make_tenant(installation)
        tenant.cap("0.5", window="month")
        body = {"text": "go\n@tokens 3000\n@rate 300", "model": "demo"}
        clients = [Client(server.url, tenant.key) for server in servers]
        runs = [client.call("chat_message", body)["run_id"] for client in clients]
        wait_until("both stream", lambda: all(tokens(answer(c.run(r))) > 200 for c, r in zip(clients, runs, strict=True)))
        assert reconcile(installation, "--org", tenant.org) == (0, [_clean(tenant.org)])

        key = next(k for k in redis_server.client.keys(f"{{{tenant.org}}}:w:*"))
        redis_server.client.hincrby(key, "used", 7)
        assert reconcile(installation, "--org", tenant.org)[0] == 1, "less than a token's price, hidden in what passes"
        redis_server.client.hincrby(key, "used", 12338)
        status, reports = reconcile(installation, "--org", tenant.org)
        assert status == 1
        found = reports[0]["differences"][0]
        assert found["scope"] == tenant.scope and found["unit"] == "usd" and found["window"] == "month"
        assert round((float(found["counted"]) - float(found["charged"])) * 1e9) in range(12345 - 2000 * 100, 12345 + 2000 * 100)

        assert reconcile(installation, "--org", tenant.org, "--repair") == (0, [_clean(tenant.org)])
        for client, run in zip(clients, runs, strict=True):
            end = check_run(client.finish(run))
            assert end["type"] == "chat.complete" and tokens(answer(client.run(run))) == 3000
        usage = installation.settled_usage(tenant.scope)
        assert usage["totals"]["output_tokens"] == 6000
        assert float(usage["windows"][0]["used"]) == float(usage["totals"]["cost_usd"])
        assert reconcile(installation) == (0, [_clean(tenant.org), _clean(administration.ORG, windows=0)])
    finally:
        installation.stop()


def test_embedded_counters_are_repaired_once_the_server_has_stopped(tmp_path, make_tenant):
    installation = Installation(tmp_path / "i")
    try:
        server = installation.serve()
        tenant = make_tenant(installation)
        tenant.cap("0.5")
        client = Client(server.url, tenant.key)
        client.finish(client.call("chat_message", {"text": "go\n@tokens 30", "model": "demo"})["run_id"])
        assert reconcile(installation) == (0, [_clean(tenant.org), _clean(administration.ORG, windows=0)])
        with pytest.raises(CommandFailed):
            installation.command("reconcile", "--org")
    finally:
        installation.stop()


def test_a_server_that_never_comes_back_is_named_and_can_be_given_up(redis_server, tmp_path, make_tenant):
    """Redis loses everything while a killed server's board is gone: what it may hold stays locked until somebody says otherwise."""
    installation = Installation(tmp_path / "i", redis=redis_server.url)
    try:
        dead = installation.serve()
        tenant = make_tenant(installation)
        tenant.cap("0.004")
        client = Client(dead.url, tenant.key)
        run = client.call("chat_message", {"text": "go\n@tokens 3000\n@rate 100", "model": "demo"})["run_id"]
        wait_until("it streams", lambda: tokens(answer(client.run(run))) > 100)
        dead.process.child.kill()
        dead.process.wait()
        for board in (installation.folder / "data" / "nodes").glob("*.board"):
            board.unlink()
        redis_server.stop()
        redis_server.start()
        server = installation.serve()
        client = Client(server.url, tenant.key)
        refused = client.call("chat_message", {"text": "hi\n@tokens 3", "model": "demo"}, seconds=30)
        assert refused["error"]["code"] == "accounting_unavailable"
        status, reports = reconcile(installation, "--org", tenant.org)
        assert status == 0 and len(reports[0]["awaited"]) == 1
        node = reports[0]["awaited"][0]["node"]
        assert reconcile(installation, "--org", tenant.org, "--forget", node)[1][0]["awaited"] == []
        again = {"text": "hi\n@tokens 3", "model": "demo"}
        wait_until("runs start again", lambda: client.call("chat_message", again, seconds=30)["ok"], 40)
    finally:
        installation.stop()


def _clean(org: str, windows: int = 1) -> dict:
    return {"org": org, "windows": windows, "differences": [], "suspended": [], "awaited": []}

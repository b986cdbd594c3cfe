"""Prices: the command, the admin address, versions that are pinned at admission, tiers and classes in real charges."""

import json
import subprocess

import pytest
import requests

from rig.envelopes import answer, check_run, of_sse
from rig.realtime import Client
from rig.server import BINARIES, CommandFailed, Installation, environment, nano
from rig.sse import collect
from rig.waiting import wait_until


@pytest.fixture
def own(tmp_path, make_tenant):
    """An installation whose price file a test may change, with an admin's key."""
    installation = Installation(tmp_path / "own")
    server = installation.serve()
    tenant = make_tenant(installation)
    admin = installation.key("ops", "console", "root", "--role", "admin")
    yield installation, server, tenant, {"authorization": f"Bearer {admin['key']}"}
    installation.stop()


def reprice(installation, output: float) -> None:
    entry = {"input_cost_per_token": 1e-06, "output_cost_per_token": output}
    (installation.folder / "prices.json").write_text(json.dumps({"demo": entry}))


def rows(installation, run: str) -> list[dict]:
    return [row for row in map(json.loads, installation.command("export", "--format", "jsonl").splitlines()) if row["run"] == run]


def test_prices_are_listed_shown_and_have_a_version(own):
    installation, _, _, _ = own
    (listed,) = installation.json("prices", "list")
    assert listed["model"] == "demo" and listed["price"]["output_per_million"] == "2.00"
    assert installation.json("prices", "show", "demo")["price"]["input_per_million"] == "1.00"
    assert installation.command("prices", "version").strip() == listed["version"]
    with pytest.raises(CommandFailed) as failure:
        installation.command("prices", "show", "nobody-knows")
    assert failure.value.status == 1 and len(failure.value.stderr.strip().splitlines()) == 1


def test_a_price_file_is_checked_before_it_is_used(tmp_path):
    """Complaint 32: a price a million tokens typed as one a token."""

    def check(content: str, *more: str) -> subprocess.CompletedProcess:
        (tmp_path / "p.json").write_text(content)
        command = [str(BINARIES / "kdcube"), "prices", "check", str(tmp_path / "p.json"), *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment(), check=False)

    good = {"a": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_request": 0.01}, "b": {"mode": "chat"}}
    result = check(json.dumps(good), "--json")
    assert result.returncode == 0
    found = json.loads(result.stdout)
    assert found["models"] == 1 and found["unpriced"] == ["b"] and found["uncharged"] == [{"model": "a", "field": "input_cost_per_request"}]
    result = check(json.dumps({"a": {"input_cost_per_token": 2.5, "output_cost_per_token": 10}}))
    assert result.returncode == 1 and "a.input_cost_per_token" in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert check("not json").returncode == 1


def test_only_an_admin_reads_and_reloads_prices(own):
    _, server, tenant, admin = own
    address = server.url + "/api/admin/prices"
    assert requests.get(address, timeout=10).status_code == 401
    refused = requests.get(address, headers=tenant.headers, timeout=10)
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "role_required"
    assert requests.post(address + "/reload", headers=tenant.headers, timeout=10).status_code == 403
    listed = requests.get(address, headers=admin, timeout=10).json()
    assert [entry["model"] for entry in listed["data"]] == ["demo"] and listed["version"]
    assert requests.get(address + "/demo", headers=admin, timeout=10).json()["price"]["tiers"] == []
    assert requests.get(address + "/nothing", headers=admin, timeout=10).status_code == 404
    assert requests.get(address + "?limit=0", headers=admin, timeout=10).status_code == 400


def test_a_run_keeps_the_price_that_it_was_admitted_with(own):
    installation, server, tenant, admin = own
    tenant.cap("5.00")
    client = Client(server.url, tenant.key)
    try:
        before = client.call("chat_message", {"text": "hi\n@tokens 100\n@rate 60"})["run_id"]
        wait_until("some text", lambda: answer(client.run(before)))
        reprice(installation, 7e-06)
        told = requests.post(server.url + "/api/admin/prices/reload", headers=admin, timeout=10).json()
        assert told["changed"] and told["version"] != told["previous_version"]
        after = client.call("chat_message", {"text": "hi\n@tokens 100"})["run_id"]
        ends = {run: check_run(client.finish(run)) for run in (before, after)}
    finally:
        client.close()
    for run, output, version in ((before, 2_000, told["previous_version"]), (after, 7_000, told["version"])):
        used = ends[run]["usage"]
        assert nano(ends[run]["cost_usd"]) == used["input_tokens"] * 1_000 + used["output_tokens"] * output
        charged = rows(installation, run)
        assert {row["price_version"] for row in charged} == {version}
        assert sum(nano_of(row) for row in charged) == nano(ends[run]["cost_usd"])
    models = requests.get(server.url + "/v1/models/demo", headers=tenant.headers, timeout=10).json()
    assert models["x_price"]["output_per_million"] == "7.00"


def nano_of(row: dict) -> int:
    return 0 if not row["is_charge"] else -nano(row["cost_usd"][1:]) if row["cost_usd"].startswith("-") else nano(row["cost_usd"])


def test_a_file_that_is_no_price_file_changes_nothing(own):
    installation, server, tenant, admin = own
    (installation.folder / "prices.json").write_text('{"demo": {"input_cost_per_token": -1, "output_cost_per_token": 1e-6}}')
    refused = requests.post(server.url + "/api/admin/prices/reload", headers=admin, timeout=10)
    assert refused.status_code == 422 and refused.json()["error"]["code"] == "price_file_invalid"
    models = requests.get(server.url + "/v1/models/demo", headers=tenant.headers, timeout=10).json()
    assert models["x_price"]["output_per_million"] == "2.00"
    command = [str(BINARIES / "kdcube"), "prices", "reload", "--url", server.url, "--key", admin["authorization"].split()[1]]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment(), check=False)
    assert result.returncode == 1 and "demo.input_cost_per_token" in result.stderr
    reprice(installation, 3e-06)
    # The server follows the file too, and may have seen it first.
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment(), check=True).stdout
    assert said.startswith(("prices are now", "prices are as before"))
    models = requests.get(server.url + "/v1/models/demo", headers=tenant.headers, timeout=10).json()
    assert models["x_price"]["output_per_million"] == "3.00"


@pytest.fixture
def shared(redis_server, tmp_path, make_tenant):
    """Two servers with the same price file."""
    installation = Installation(tmp_path / "shared", redis=redis_server.url)
    servers = installation.serve(), installation.serve()
    yield installation, servers, make_tenant(installation)
    installation.stop()


def test_every_server_follows_the_price_file_and_none_takes_a_broken_one(shared):
    installation, (one, two), tenant = shared
    prices = installation.folder / "prices.json"

    def replace(text: str) -> None:
        new = prices.with_suffix(".new")
        new.write_text(text)
        new.rename(prices)

    def reloads(server, outcome: str) -> float:
        return server.metrics().get(f'kdcube_price_reloads_total{{outcome="{outcome}"}}', 0)

    def charged_by(server) -> tuple[set[str], int]:
        """The versions in the ledger of a new run, and what a token of its output cost."""
        end = check_run(of_sse(collect(server.url, tenant.key, {"text": "hi\n@tokens 10", "model": "demo"})))
        used = end["usage"]
        cost = nano(end["cost_usd"]) - used["input_tokens"] * 1_000
        return {row["price_version"] for row in rows(installation, end["run_id"])}, cost // used["output_tokens"]

    before = installation.command("prices", "version").strip()
    assert charged_by(one) == charged_by(two) == ({before}, 2_000)
    replace(json.dumps({"demo": {"input_cost_per_token": 1e-06, "output_cost_per_token": 9e-06}}))
    for server in (one, two):
        wait_until("the new prices are in force", lambda server=server: reloads(server, "changed") == 1, 10)
    after = installation.command("prices", "version").strip()
    assert after != before and charged_by(one) == charged_by(two) == ({after}, 9_000)

    replace('{"demo": {"input_cost_per_token": 2.5, "output_cost_per_token": 10}}')
    for server in (one, two):
        wait_until("the broken file was seen", lambda server=server: reloads(server, "refused") == 1, 10)
        assert charged_by(server) == ({after}, 9_000)
    prices.unlink()
    for server in (one, two):
        wait_until("the missing file was seen", lambda server=server: reloads(server, "refused") == 2, 10)
        assert charged_by(server) == ({after}, 9_000)
        errors = [line for line in server.process.log.read_text().splitlines() if "the price file cannot be used" in line]
        assert len(errors) == 2 and "demo.input_cost_per_token" in errors[0], "one line for each change"
    reprice(installation, 3e-06)
    for server in (one, two):
        wait_until("the mended file is in force", lambda server=server: reloads(server, "changed") == 2, 10)
        assert charged_by(server)[1] == 3_000


def test_a_model_without_a_price_is_refused_under_a_money_cap_and_free_models_are_not(tmp_path, witness, plan, make_tenant):
    """Complaint 33: a money cap must not stop a model that costs nothing; one of unknown price is another matter."""
    models = [{"id": "local", "provider": "openai", "base_url": witness.url, "api_key": "w", "upstream_model": "local"}]
    installation = Installation(tmp_path, upstream=witness.url, extra_models=models)
    try:
        prices = json.loads((installation.folder / "prices.json").read_text())
        prices["local"] = {"input_cost_per_token": 0, "output_cost_per_token": 0}
        (installation.folder / "prices.json").write_text(json.dumps(prices))
        server = installation.serve()
        tenant = make_tenant(installation)
        tenant.cap("0.00")

        def complete(model: str) -> requests.Response:
            body = {"model": model, "messages": [{"role": "user", "content": plan(tokens=5).prompt()}]}
            return requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20)

        assert complete("local").status_code == 200
        assert complete("witness").status_code == 402
        unknown = complete("unpriced")
        assert unknown.status_code == 402 and unknown.json()["error"]["code"] == "price_unknown"
        tenant.cap("1000", unit="tokens")
        assert tenant.usage()["totals"]["cost_usd"] == "0.00"
    finally:
        installation.stop()

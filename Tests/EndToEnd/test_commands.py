"""The commands: exit statuses, JSON, and one line on stderr that says what to do."""

import json
import re
import subprocess

import pytest
import requests
import yaml

from rig.server import BINARIES, ROOT, CommandFailed, environment


def run(*arguments: str, **more) -> subprocess.CompletedProcess:
    command = [str(BINARIES / "kdcube"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment() | more.pop("env", {}), check=False, **more)


def cap(tenant, limit: str, unit: str = "usd", window: str = "total") -> None:
    """By the command, which is the subject here."""
    tenant.installation.command("budget", "set", "--scope", tenant.scope, "--unit", unit, "--window", window, f"--limit={limit}")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "serve",
        "keys",
        "keys create",
        "keys rotate",
        "orgs create",
        "projects list",
        "users create",
        "budget set",
        "usage",
        "prices",
        "prices check",
        "export",
        "why",
        "check-config",
        "doctor",
        "audit verify",
        "audit export",
    ],
)
def test_every_command_explains_itself(command):
    result = run(*command.split(), "--help")
    assert result.returncode == 0 and "USAGE" in result.stdout.upper()


@pytest.mark.parametrize("arguments", ["nonsense", "budget set --scope", "keys create", "serve --no-such-flag"])
def test_wrong_usage_is_64(arguments):
    result = run(*arguments.split())
    assert result.returncode == 64 and result.stderr.strip()


def test_a_key_is_shown_once_and_works_until_it_is_revoked(server, installation, tenant):
    made = installation.key_by_command(tenant.org, "web", "ada")
    assert made["key"].startswith("kd-")
    listed = json.dumps(installation.json("keys", "list"))
    for one in (made, {"id": tenant.key_id, "key": tenant.key}):
        assert one["id"] in listed and one["key"] not in listed
        for path in (installation.folder / "data").rglob("*"):
            assert not path.is_file() or one["key"].encode() not in path.read_bytes(), f"the secret is in {path.name}"
    (address, headers) = (server.url + "/v1/models", {"authorization": f"Bearer {made['key']}"})
    assert requests.get(address, headers=headers, timeout=10).status_code == 200
    installation.command("keys", "revoke", made["id"])
    assert requests.get(address, headers=headers, timeout=10).status_code == 401


def test_budgets_are_set_listed_and_removed(installation, tenant):
    cap(tenant, "5.00", window="day")
    cap(tenant, "1000", unit="tokens", window="hour")
    mine = [budget for budget in installation.json("budget", "list") if budget["scope"] == tenant.scope]
    assert {(budget["unit"], budget["window"]) for budget in mine} == {("usd", "day"), ("tokens", "hour")}
    installation.command("budget", "rm", "--scope", tenant.scope, "--unit", "usd", "--window", "day")
    mine = [budget for budget in installation.json("budget", "list") if budget["scope"] == tenant.scope]
    assert {(budget["unit"], budget["window"]) for budget in mine} == {("tokens", "hour")}


@pytest.mark.parametrize("limit", ["-1", "abc", "1e3", "0.0000000001", "99999999999999999999"])
def test_a_limit_that_is_not_an_amount_is_refused(installation, tenant, limit):
    with pytest.raises(CommandFailed) as failure:
        cap(tenant, limit)
    assert failure.value.status in (1, 64) and len(failure.value.stderr.strip().splitlines()) <= 3


def test_a_new_budget_counts_what_the_ledger_already_holds(server, tenant):
    body = {"model": "demo", "messages": [{"role": "user", "content": "hi\n@tokens 100"}]}
    assert requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20).status_code == 200
    spent = tenant.usage()["totals"]["cost_usd"]
    cap(tenant, "0.0001", window="day")
    (window,) = tenant.usage()["windows"]
    assert float(window["used"]) == float(spent)
    assert requests.post(server.url + "/v1/chat/completions", json=body, headers=tenant.headers, timeout=20).status_code == 402


def test_check_config_masks_secrets_and_refuses_unknown_keys(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text('models: [{ id: up, provider: openai, base_url: "http://x/v1", api_key: "${SECRET}" }]\n')
    result = run("check-config", "--config", str(config), env={"SECRET": "hunter2-hunter2", "KDCUBE_SERVER_PORT": "8123"})
    assert result.returncode == 0 and "8123" in result.stdout and "hunter2-hunter2" not in result.stdout + result.stderr
    config.write_text("server: { prot: 80 }\n")
    result = run("check-config", "--config", str(config))
    assert result.returncode == 1 and "prot" in result.stderr


def test_the_manual_names_every_setting_and_check_config_prints_each(tmp_path):
    (block,) = re.findall(r"^```yaml\n(server:.*?)^```$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE | re.DOTALL)
    config = tmp_path / "c.yaml"
    config.write_text("{}\n")
    result = run("check-config", "--config", str(config), "--json")
    assert result.returncode == 0, result.stderr
    told, printed = settings(yaml.safe_load(block)), settings(json.loads(result.stdout))
    assert told == printed, {"not printed": told - printed, "not told": printed - told}


def settings(tree: dict, path: str = "") -> set[str]:
    """The addresses of all settings; those of a list's elements are not looked at."""
    found: set[str] = set()
    for key, value in tree.items():
        found |= settings(value, f"{path}{key}.") if isinstance(value, dict) and value else {path + key}
    return found


def test_a_port_in_use_is_one_clear_line(server, tmp_path):
    result = run("serve", "--port", str(server.port), "--data", str(tmp_path))
    assert result.returncode == 1 and str(server.port) in result.stderr

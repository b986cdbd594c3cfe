"""Budgets of calls of tools on the command line and in the configuration: set, listed, told in windows, refused where they make no sense."""

import pytest
import requests

from rig.server import CommandFailed, Installation

BODY = {"model": "demo", "messages": [{"role": "user", "content": "hi\n@tokens 5"}]}


def put(installation, scope: str, limit: str, *more: str, unit: str = "calls", window: str = "minute"):
    return installation.json("budget", "set", "--scope", scope, "--unit", unit, "--window", window, f"--limit={limit}", *more)


def test_a_budget_of_a_tool_is_set_listed_and_removed(installation, tenant):
    made = put(installation, tenant.scope, "30", "--tool", "payments.refund")
    assert made == {"scope": tenant.scope, "unit": "calls", "window": "minute", "limit": 30, "tool": "payments.refund", "owner": "operator"}
    assert put(installation, tenant.scope, "100")["limit"] == 100
    assert put(installation, tenant.scope, "2.50", "--tool", "payments.refund", unit="usd", window="day")["limit"] == "2.50"
    listed = installation.json("budget", "list", "--scope", tenant.scope)
    assert sorted((one["unit"], one.get("tool"), one["limit"]) for one in listed if one["unit"] == "calls" and "tool" in one) == [
        ("calls", "payments.refund", 30)
    ]
    assert len(listed) == 3 and not any("model" in one for one in listed)
    assert "payments.refund" in installation.command("budget", "list", "--scope", tenant.scope)

    windows = installation.usage(tenant.scope)["windows"]
    (of_tool,) = [window for window in windows if window["unit"] == "calls" and window.get("tool") == "payments.refund"]
    assert of_tool["limit"] == 30 and of_tool["used"] == of_tool["held"] == of_tool["suspense"] == 0 and of_tool["resets_at"]
    (of_all,) = [window for window in windows if window["unit"] == "calls" and "tool" not in window]
    assert of_all["limit"] == 100 and "model" not in of_all
    assert "calls (payments.refund)" in installation.command("usage", "--scope", tenant.scope)

    named = ("--scope", tenant.scope, "--unit", "calls", "--window", "minute")
    assert installation.json("budget", "rm", *named, "--tool", "payments.refund") == {"removed": True}
    with pytest.raises(CommandFailed) as failure:
        installation.command("budget", "rm", *named, "--tool", "payments.refund")
    assert failure.value.status == 1
    assert len(installation.json("budget", "list", "--scope", tenant.scope)) == 2


def test_a_run_is_no_call(server, installation, tenant):
    put(installation, tenant.scope, "0")
    put(installation, tenant.scope, "0", "--tool", "mail.send")
    answer = requests.post(server.url + "/v1/chat/completions", json=BODY, headers=tenant.headers, timeout=20)
    assert answer.status_code == 200 and answer.json()["usage"]["completion_tokens"] == 5
    usage = tenant.usage()
    assert usage["totals"]["requests"] == 1 and usage["totals"]["calls"] == 0
    assert [window["used"] for window in usage["windows"]] == [0, 0]
    quota = requests.get(server.url + "/v1/quota", headers=tenant.headers, timeout=10).json()["windows"]
    assert [window.get("tool") for window in quota] == [None, "mail.send"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--unit", "tokens", "--tool", "mail.send"], "unit must be calls or usd"),
        (["--unit", "calls", "--model", "demo"], "unit calls counts calls of tools"),
        (["--unit", "calls", "--model", "demo", "--tool", "mail.send"], "a model or a tool, not both"),
        (["--unit", "calls", "--tool", "Mail Send"], "tool must be a name"),
        (["--unit", "usd", "--model", "tool:mail.send"], "model must be a name"),
    ],
)
def test_what_makes_no_sense_is_refused(installation, tenant, options, said):
    with pytest.raises(CommandFailed) as failure:
        installation.command("budget", "set", "--scope", tenant.scope, "--window", "day", "--limit", "3", *options)
    assert failure.value.status != 0 and said in failure.value.stderr


def test_budgets_of_tools_come_from_the_configuration(redis_server, shared_postgres, tmp_path):
    scope = "project:acme/web"
    budgets = [
        {"scope": scope, "unit": "calls", "window": "minute", "limit": 30, "tool": "payments.refund"},
        {"scope": "org:acme", "unit": "calls", "window": "day", "limit": 500},
    ]
    postgres = shared_postgres.database()
    installation = Installation(tmp_path / "configured", redis=redis_server.url, postgres=postgres, budgets=budgets)
    try:
        server = installation.serve()
        key = installation.key("acme")["key"]
        (window,) = installation.usage(scope)["windows"]
        assert window["tool"] == "payments.refund" and window["limit"] == 30 and window["unit"] == "calls"
        answer = requests.post(server.url + "/v1/chat/completions", json=BODY, headers={"authorization": f"Bearer {key}"}, timeout=20)
        assert answer.status_code == 200
    finally:
        installation.stop()
    wrong = Installation(tmp_path / "wrong", budgets=[{**budgets[0], "unit": "requests"}])
    with pytest.raises(CommandFailed) as failure:
        wrong.command("serve")
    assert "unit must be calls or usd" in failure.value.stderr
    wrong = Installation(tmp_path / "model", extra_models=[{"id": "tool:x", "provider": "scripted"}])
    with pytest.raises(CommandFailed) as failure:
        wrong.command("check-config")
    assert "tool:" in failure.value.stderr

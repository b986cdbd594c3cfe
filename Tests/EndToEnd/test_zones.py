"""Budgets in time zones: windows that begin and end with the local day, said so wherever a window is told."""

import datetime
import threading
import time
import zoneinfo

import pytest
import requests

from rig.server import CommandFailed, Installation
from rig.sse import collect
from rig.waiting import wait_until

#: No summer time, and half an hour off: its midnight is no other zone's on the hour.
ZONE = "Asia/Kolkata"
BODY = {"model": "demo", "messages": [{"role": "user", "content": "hi\n@tokens 500"}]}


def next_midnight(zone: str) -> int:
    now = datetime.datetime.now(zoneinfo.ZoneInfo(zone))
    return int((now.replace(hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=1)).timestamp() * 1000)


def away_from_midnight(*zones: str) -> None:
    """A test must not see two days of its zone."""
    for zone in zones:
        left = next_midnight(zone) / 1000 - time.time()
        if left < 60:
            time.sleep(left + 1)


def put(installation, scope: str, limit: str, *more: str, unit: str = "usd", window: str = "day"):
    return installation.json("budget", "set", "--scope", scope, "--unit", unit, "--window", window, f"--limit={limit}", *more)


def test_a_day_of_a_zone_ends_at_its_midnight(server, installation, tenant):
    away_from_midnight(ZONE)
    made = put(installation, tenant.scope, "0.0001", "--zone", ZONE)
    assert made["zone"] == ZONE and made["window"] == "day"
    midnight = next_midnight(ZONE)

    events = [event.json for event in collect(server.url, tenant.key, {"text": "hi\n@tokens 500"})]
    (told,) = next(event for event in events if event["type"] == "chat.usage")["windows"]
    assert told["zone"] == ZONE
    cut = events[-1]["cut"]
    assert cut["reason"] == "budget_exceeded" and cut["zone"] == ZONE and cut["resets_at"] == midnight

    usage = tenant.usage()
    (window,) = usage["windows"]
    assert window["zone"] == ZONE and window["resets_at"] == midnight and window["used"] == usage["totals"]["cost_usd"] == "0.0001"
    (left,) = requests.get(server.url + "/v1/quota", headers=tenant.headers, timeout=10).json()["windows"]
    assert left["zone"] == ZONE and left["resets_at"] == midnight
    refused = requests.post(server.url + "/v1/chat/completions", json=BODY, headers=tenant.headers, timeout=20)
    assert refused.status_code == 402 and refused.headers["x-budget-reset"].endswith("T18:30:00Z")
    assert refused.json()["error"]["cut"]["zone"] == ZONE
    assert f"this day in {ZONE}" in refused.json()["error"]["message"]
    assert ZONE in installation.command("usage", "--scope", tenant.scope)
    assert ZONE in installation.command("budget", "list", "--scope", tenant.scope)


def test_a_limit_is_changed_without_its_zone_and_the_zone_by_name(installation, tenant):
    assert "zone" not in put(installation, tenant.scope, "1")
    assert put(installation, tenant.scope, "1", "--zone", ZONE)["zone"] == ZONE
    assert put(installation, tenant.scope, "2")["zone"] == ZONE, "who raises a limit does not say when it resets"
    (listed,) = installation.json("budget", "list", "--scope", tenant.scope)
    assert listed["limit"] == "2.00" and listed["zone"] == ZONE
    assert "zone" not in put(installation, tenant.scope, "2", "--zone", "UTC")
    (listed,) = installation.json("budget", "list", "--scope", tenant.scope)
    assert "zone" not in listed


@pytest.mark.parametrize("zone, window, says", [("Europe/Atlantis", "day", "time zone"), (ZONE, "hour", "day, week or month")])
def test_a_zone_that_cannot_be_followed_is_refused(installation, tenant, zone, window, says):
    with pytest.raises(CommandFailed) as failure:
        put(installation, tenant.scope, "1", "--zone", zone, window=window)
    assert failure.value.status == 1 and says in failure.value.stderr and len(failure.value.stderr.strip().splitlines()) == 1


def test_a_running_stream_goes_over_into_the_new_zones_window(server, installation, tenant):
    away_from_midnight(ZONE, "Pacific/Auckland", "UTC")
    put(installation, tenant.scope, "100000", unit="tokens")
    events = []
    thread = threading.Thread(target=lambda: events.extend(collect(server.url, tenant.key, {"text": "hi\n@tokens 400\n@rate 40"})))
    thread.start()
    wait_until("it spends", lambda: installation.usage(tenant.scope)["windows"][0]["used"] > 0, 20)
    put(installation, tenant.scope, "300", "--zone", "Pacific/Auckland", unit="tokens")
    thread.join(60)
    cut = events[-1].json["cut"]
    assert cut["zone"] == "Pacific/Auckland" and cut["limit"] == 300 and cut["resets_at"] == next_midnight("Pacific/Auckland")
    usage = tenant.usage()
    (window,) = usage["windows"]
    totals = usage["totals"]
    assert 250 < window["used"] == totals["input_tokens"] + totals["output_tokens"] <= 300
    # Back again: the window that was left counts what was spent meanwhile.
    assert "zone" not in put(installation, tenant.scope, "300", "--zone", "UTC", unit="tokens")
    (back,) = tenant.usage()["windows"]
    assert back["used"] == window["used"]
    assert requests.post(server.url + "/v1/chat/completions", json=BODY, headers=tenant.headers, timeout=20).status_code == 429


def test_a_budget_of_the_configuration_has_its_zone(tmp_path):
    def installed(name: str, zone: str) -> Installation:
        budget = {"scope": "org:acme", "unit": "tokens", "window": "week", "limit": "100", "zone": zone}
        return Installation(tmp_path / name, budgets=[budget])

    good = installed("good", ZONE)
    try:
        assert f'"zone":"{ZONE}"' in good.command("check-config")
        good.serve()
        (listed,) = good.json("budget", "list")
        assert listed["zone"] == ZONE
    finally:
        good.stop()
    bad = installed("bad", "Europe/Atlantis")
    with pytest.raises(CommandFailed) as failure:
        bad.command("check-config")
    assert "budgets[0]" in failure.value.stderr and "time zone" in failure.value.stderr
    try:
        server = bad.serve(ready=False)
        assert server.process.wait(20) == 1 and "time zone" in server.process.tail()
    finally:
        bad.stop()


def test_litellms_words_change_a_budget_and_leave_its_zone(server, installation, tenant):
    headers = {"authorization": f"Bearer {installation.key(tenant.org, 'web', 'boss', '--role', 'admin')['key']}"}

    def post(action: str, body: dict) -> dict:
        answer = requests.post(f"{server.url}/key/{action}", json=body, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    made = post("generate", {"max_budget": 1, "budget_duration": "1d"})
    put(installation, f"key:{made['token']}", "1", "--zone", ZONE)
    changed = post("update", {"key": made["key"], "max_budget": 2})
    assert changed["max_budget"] == 2 and changed["budget_reset_at"].endswith("T18:30:00Z")
    assert post("update", {"key": made["key"], "budget_duration": "7d"})["budget_reset_at"].endswith("T18:30:00Z")
    assert post("update", {"key": made["key"], "budget_duration": "1h"})["budget_reset_at"].endswith(":00:00Z")

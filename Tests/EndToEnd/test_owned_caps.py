"""Budgets that are the operator's, the account of rotated keys, and what a key may not call."""

import json

import pytest
import requests
from test_admin import Api, complete


@pytest.fixture
def admin(server, installation, tenant):
    return Api(server, installation.key(tenant.org, "web", "boss", "--role", "admin")["key"])


@pytest.fixture
def operator(server, installation):
    return Api(server, installation.key("ops", "web", "root", "--role", "operator")["key"])


def test_a_rotated_key_goes_on_with_what_was_used_of_its_budgets(server, admin, installation, tenant):
    scope = f"key:{tenant.key_id}"
    admin.ok("PUT", "budgets", {"scope": scope, "unit": "requests", "window": "day", "limit": 3}, status=201)
    assert complete(server, tenant.key).status_code == 200
    new = admin.ok("POST", f"keys/{tenant.key_id}/rotate", {"grace_seconds": 600}, status=201)
    assert (new["account"], new["id"] != tenant.key_id) == (tenant.key_id, True)
    assert complete(server, new["key"]).status_code == 200
    # Both spend from one account while both are in use, and so does whoever comes after them.
    assert complete(server, tenant.key).status_code == 200
    assert complete(server, tenant.key).status_code == complete(server, new["key"]).status_code == 429
    last = admin.ok("POST", f"keys/{new['id']}/rotate", status=201)
    assert last["account"] == tenant.key_id and complete(server, last["key"]).status_code == 429
    rows = admin.ok("GET", "budgets", scope=f"key:{last['id']}")["data"]
    assert [(row["scope"], row["used"], row["free"]) for row in rows] == [(scope, 3, 0)]
    assert installation.usage(f"key:{last['id']}")["totals"]["requests"] == 3
    charged = admin.ok("GET", "ledger", scope=f"key:{last['id']}")["data"]
    assert charged == admin.ok("GET", "ledger", scope=scope)["data"] and {row["key"] for row in charged} == {tenant.key_id}
    exported = [installation.command("export", "--scope", name) for name in (scope, f"key:{last['id']}")]
    assert exported[0] == exported[1] and exported[0].count(tenant.key_id) >= 3
    # What is set for the key that is in use is set for the account.
    assert admin.ok("PUT", "budgets", {"scope": f"key:{last['id']}", "unit": "requests", "window": "day", "limit": 4})["scope"] == scope
    assert complete(server, last["key"]).status_code == 200 and complete(server, last["key"]).status_code == 429


def test_a_model_that_a_key_may_not_call_is_not_shown_to_it(server, admin):
    secret = admin.ok("POST", "keys", {"project": "web", "models": ["other"]}, status=201)["key"]
    listed, one = (
        requests.get(f"{server.url}/v1/models{path}", headers={"authorization": f"Bearer {secret}"}, timeout=10) for path in ("", "/demo")
    )
    assert listed.json()["data"] == [] and (one.status_code, one.json()["error"]["code"]) == (404, "model_not_found")


def test_a_cap_of_the_operator_is_not_the_tenants_to_lift(admin, operator, installation, tenant):
    scope = f"org:{tenant.org}"
    cap = {"scope": scope, "unit": "usd", "window": "month", "limit": "5"}
    assert operator.ok("PUT", "budgets", cap, status=201)["owner"] == "operator"
    for limit in ("9", "1", "5"):
        assert admin.refused("PUT", "budgets", cap | {"limit": limit}) == (403, "operator_owned", "scope")
    named = {"scope": scope, "unit": "usd", "window": "month"}
    assert admin.refused("DELETE", "budgets", **named)[:2] == (403, "operator_owned")
    # A tighter one of its own holds beside it, and is not the operator's whatever it says.
    own = cap | {"window": "day", "limit": "1"}
    assert admin.refused("PUT", "budgets", own | {"owner": "operator"})[:2] == (403, "operator_owned")
    assert admin.ok("PUT", "budgets", own, status=201)["owner"] == "org"
    assert {row["window"]: (row["owner"], row["limit"]) for row in admin.all("budgets", 1)} == {
        "day": ("org", "1.00"),
        "month": ("operator", "5.00"),
    }
    assert operator.refused("PUT", "budgets", own | {"owner": "nobody"})[:2] == (400, "invalid_request_error")
    assert operator.ok("PUT", "budgets", cap | {"owner": "org"})["owner"] == "org", "handed over"
    assert admin.ok("PUT", "budgets", cap | {"limit": "2"})["owner"] == "org"
    # The command line speaks for the operator; a key's budgets are its organisation's.
    set_by = ("budget", "set", "--unit", "usd", "--window", "month", "--limit", "3", "--json", "--scope")
    assert json.loads(installation.command(*set_by, scope))["owner"] == "operator"
    assert admin.refused("PUT", "budgets", cap)[:2] == (403, "operator_owned")
    assert json.loads(installation.command(*set_by, f"key:{tenant.key_id}"))["owner"] == "org"
    assert json.loads(installation.command(*set_by, scope, "--owner", "org"))["owner"] == "org"
    assert admin.ok("DELETE", "budgets", **named) == {"removed": True}


@pytest.mark.parametrize("path", ["decisions", "approvals", "audit", "audit/export", "keys", "usage"])
def test_a_text_that_names_no_organisation_is_refused_before_any_store_is_asked(admin, operator, path):
    for api in (admin, operator):
        for text in ("a/b", "{a}", "a\u202eb", "x" * 129):
            assert api.refused("GET", path, org=text) == (400, "invalid_request_error", "org")
    assert admin.refused("GET", path, org="somebody-else")[:2] == (403, "scope_denied")

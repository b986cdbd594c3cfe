"""`/api/admin`: organisations, projects, users, keys, budgets and usage; what an admin of one organisation may not touch."""

import time

import pytest
import requests

from rig.server import Installation, nano
from rig.waiting import wait_until


class Api:
    """`/api/admin` with one key. A refusal is a pair of status and code."""

    def __init__(self, server, key: str):
        self.server, self.headers = server, {"authorization": f"Bearer {key}"}

    def ask(self, method: str, path: str, body: dict | None = None, headers: dict | None = None, **query) -> requests.Response:
        address = f"{self.server.url}/api/admin/{path}"
        return requests.request(method, address, json=body, params=query, headers=self.headers | (headers or {}), timeout=20)

    def ok(self, method: str, path: str, body: dict | None = None, status: int = 200, **more) -> dict:
        answer = self.ask(method, path, body, **more)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json()

    def refused(self, method: str, path: str, body: dict | None = None, **more) -> tuple[int, str, str | None]:
        answer = self.ask(method, path, body, **more)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["param"]

    def all(self, path: str, limit: int, **query) -> list[dict]:
        rows, cursor = [], None
        while True:
            page = self.ok("GET", path, limit=limit, **query, **({"cursor": cursor} if cursor else {}))
            assert len(page["data"]) <= limit
            rows += page["data"]
            cursor = page["cursor"]
            if cursor is None:
                return rows

    def changes(self, org: str) -> list[str]:
        return [row["tool"] for row in reversed(self.ok("GET", "decisions", kind="change", org=org)["data"])]


def complete(server, key: str, tokens: int = 5, **more) -> requests.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": f"hi\n@tokens {tokens}"}], **more}
    return requests.post(server.url + "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}, timeout=20)


@pytest.fixture
def admin(server, installation, tenant):
    return Api(server, installation.key(tenant.org, "web", "boss", "--role", "admin")["key"])


@pytest.fixture
def operator(server, installation):
    return Api(server, installation.key("ops", "web", "root", "--role", "operator")["key"])


def test_who_is_who_is_made_named_listed_and_logged(admin, operator, tenant):
    org = tenant.org
    assert admin.ok("GET", f"orgs/{org}") | {"created_at": 0} == {"org": org, "name": None, "created_at": 0, "projects": 1, "keys": 2}
    assert admin.ok("PUT", f"orgs/{org}", {"name": "Größe & Co"})["name"] == "Größe & Co"
    assert admin.ok("PUT", f"projects/{org}/lab", {}, status=201)["keys"] == 0
    assert admin.ok("PUT", f"projects/{org}/lab", status=200)["name"] is None
    assert admin.ok("PUT", f"users/{org}/lab/zo%C3%AB", {"name": "Zoë"}, status=201)["user"] == "zoë"
    assert admin.ok("PUT", f"users/{org}/lab/zo%C3%AB", {"name": None})["name"] is None
    assert [row["project"] for row in admin.all("projects", 1)] == ["lab", "web"]
    assert [(row["project"], row["user"]) for row in admin.all("users", 2)] == [("lab", "zoë"), ("web", "ada"), ("web", "boss")]
    assert [row["user"] for row in admin.all("users", 1, project="web")] == ["ada", "boss"]
    assert [row["org"] for row in admin.all("orgs", 1)] == [org]
    made = [name for name in admin.changes(org) if not name.startswith("key.")]
    assert made == ["org.set", "project.create", "user.create", "user.set"], "the same again is no change"
    # An admin makes no organisation; an operator does, and sees them all.
    assert admin.refused("PUT", f"orgs/{org}-two") == (403, "scope_denied", "org")
    assert operator.ok("PUT", f"orgs/{org}-two", {"name": "Two"}, status=201)["projects"] == 0
    assert {org, f"{org}-two"} <= {row["org"] for row in operator.all("orgs", 50)}
    assert operator.changes(f"{org}-two") == ["org.create"]


@pytest.mark.parametrize(
    "path", ["orgs/-", "orgs/a%20b", "projects/{org}/a%2Fb", "projects/{org}/-", "users/{org}/web/%7B", "users/{org}/web/%00"]
)
def test_what_is_no_name_is_refused_before_any_store_is_asked(admin, tenant, path):
    status, code, _ = admin.refused("PUT", path.format(org=tenant.org), {})
    assert (status, code) in ((400, "invalid_request_error"), (403, "scope_denied"))


def test_a_key_is_made_with_all_that_it_may_have_and_changed(server, admin, tenant):
    body = {"project": "web", "user": "zoe", "identity": "zoe@home", "roles": ["analyst"], "alias": "night", "models": ["demo"]}
    body |= {"on_cut": "finish", "on_disconnect": "stop", "metadata": {"a": [1]}, "expires_at": int(time.time() * 1000) + 60_000}
    body |= {"service_account": True, "budgets": [{"unit": "usd", "window": "day", "limit": "0.0005"}]}
    made = admin.ok("POST", "keys", body, status=201)
    secret, row = made.pop("key"), made
    assert secret.startswith("kd-") and row["org"] == tenant.org and row["kind"] == "service_account" and row["state"] == "active"
    given = {name: body[name] for name in body if name not in ("service_account", "budgets")}
    assert {name: row[name] for name in given} == given
    assert complete(server, secret, 5_000).json()["choices"][0]["finish_reason"] == "length"
    assert complete(server, secret).status_code == 402, "the key's own budget"
    found = (
        wait_until("the use is noted", lambda: (row := admin.ok("GET", f"keys/{row_id}"))["last_used_at"] and row)
        if (row_id := row["id"])
        else None
    )
    assert abs(found["last_used_at"] - time.time() * 1000) < 60_000 and "key" not in found
    changed = admin.ok(
        "PATCH", f"keys/{row_id}", {"alias": None, "models": None, "metadata": None, "expires_at": None, "on_disconnect": None}
    )
    assert (changed["alias"], changed["models"], changed["metadata"], changed["expires_at"]) == (None, [], {}, None)
    assert changed["on_disconnect"] is None and changed["roles"] == ["analyst"]
    assert admin.ok("PATCH", f"keys/{row_id}", {"blocked": True})["state"] == "blocked" and complete(server, secret).status_code == 401
    assert admin.ok("PATCH", f"keys/{row_id}", {"blocked": False, "expires_at": "2001-01-01T00:00:00Z"})["state"] == "expired"
    assert complete(server, secret).status_code == 401
    assert [row["id"] for row in admin.all("keys", 1, state="expired")] == [row_id]
    assert admin.ok("DELETE", f"keys/{row_id}")["state"] == "revoked"
    assert admin.ok("DELETE", f"keys/{row_id}")["state"] == "revoked", "again"
    assert admin.refused("PATCH", f"keys/{row_id}", {"alias": "x"})[:2] == (409, "key_revoked")
    assert [row["id"] for row in admin.all("keys", 1, project="web", user="zoe")] == [row_id]
    assert len(admin.all("keys", 1, state="active")) == 2 and len(admin.all("keys", 2)) == 3
    assert admin.changes(tenant.org)[-6:] == ["budget.set", "key.create", "key.set", "key.set", "key.set", "key.revoke"][-6:]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"project": "a b"}, "project"),
        ({}, "project"),
        ({"project": "web", "roles": "admin"}, "roles"),
        ({"project": "web", "roles": ["a", "a"]}, "roles"),
        ({"project": "web", "expires_at": 1}, "expires_at"),
        ({"project": "web", "expires_at": "soon"}, "expires_at"),
        ({"project": "web", "models": "demo"}, "models"),
        ({"project": "web", "metadata": []}, "metadata"),
        ({"project": "web", "on_cut": "x"}, "on_cut"),
        ({"project": "web", "budgets": [{"unit": "usd", "window": "day", "limit": "-1"}]}, "budgets.0.limit"),
        ({"project": "web", "budgets": [{"unit": "usd", "window": "year", "limit": "1"}]}, "budgets.0.window"),
        ({"project": "web", "no_such": 1}, "no_such"),
    ],
    ids=str,
)
def test_a_field_that_makes_no_sense_is_named(admin, fields, param):
    status, _, named = admin.refused("POST", "keys", fields)
    assert (status, named) == (400, param)


def test_an_admin_gives_no_role_above_its_own_and_touches_no_other_organisation(server, installation, tenant, admin, operator, make_tenant):
    other = make_tenant(installation)
    assert admin.refused("POST", "keys", {"project": "web", "roles": ["operator"]}) == (403, "role_not_grantable", "roles")
    assert operator.ok("POST", "keys", {"org": tenant.org, "project": "web", "roles": ["operator"]}, status=201)["roles"] == ["operator"]
    above = installation.key(tenant.org, "web", "root", "--role", "operator")["id"]
    assert admin.refused("POST", f"keys/{above}/rotate")[:2] == (403, "role_not_grantable")
    by_name = [
        ("GET", f"orgs/{other.org}", None), ("PUT", f"projects/{other.org}/x", {}), ("PUT", f"users/{other.org}/x/y", {}),
        ("GET", f"keys?org={other.org}", None), ("POST", "keys", {"org": other.org, "project": "web"}),
        ("GET", f"budgets?scope={other.scope}", None), ("GET", f"budgets?org={other.org}", None), ("GET", f"usage?scope={other.scope}", None),
        ("PUT", "budgets", {"scope": f"key:{other.key_id}", "unit": "usd", "window": "day", "limit": "1"}),
        ("POST", "budgets/preview", {"scope": other.scope, "unit": "usd", "window": "day", "limit": "1"}),
        ("DELETE", f"budgets?scope={other.scope}&unit=usd&window=day", None), ("GET", "usage?org=*", None), ("GET", "keys?org=*", None),
    ]  # fmt: skip
    for method, path, body in by_name:
        assert admin.refused(method, path, body)[:2] == (403, "scope_denied"), path
    for method, path, body in (("GET", "", None), ("PATCH", "", {"blocked": True}), ("DELETE", "", None), ("POST", "/rotate", {})):
        assert admin.refused(method, f"keys/{other.key_id}{path}", body) == (404, "key_not_found", "id")
    assert complete(server, other.key).status_code == 200
    ordinary = Api(server, tenant.key)
    for path in ("orgs", "keys", "budgets", "usage"):
        assert ordinary.refused("GET", path)[:2] == (403, "role_required")
    assert Api(server, "kd-nobody").refused("GET", "keys")[:2] == (401, "invalid_api_key")


def test_the_same_write_again_answers_the_same_record(admin, tenant):
    once = {"idempotency-key": f"make {tenant.org}"}
    first = admin.ok("POST", "keys", {"project": "web", "alias": "ci"}, status=201, headers=once)
    again = admin.ok("POST", "keys", {"alias": "ci", "project": "web"}, status=201, headers=once)
    assert first["key"].startswith("kd-") and again.pop("key") is None and again.pop("replayed")
    assert again == {name: value for name, value in first.items() if name != "key"}
    assert admin.refused("POST", "keys", {"project": "lab"}, headers=once)[:2] == (422, "idempotency_key_reused")
    assert len(admin.all("keys", 10)) == 3
    # What was refused has used nothing up, and another's key of the same words is another.
    twice = {"idempotency-key": f"rotate {tenant.org}"}
    assert admin.refused("POST", f"keys/{first['id']}/rotate", {"grace_seconds": -1}, headers=twice)[0] == 400
    rotated = admin.ok("POST", f"keys/{first['id']}/rotate", {}, status=201, headers=twice)
    assert admin.ok("POST", f"keys/{first['id']}/rotate", {}, status=201, headers=twice)["id"] == rotated["id"]
    assert admin.refused("POST", "keys", {"project": "web"}, headers={"idempotency-key": "x" * 129})[0] == 400


def test_a_rotated_key_goes_at_once_or_after_its_grace(server, admin, tenant):
    admin.ok("PUT", "budgets", {"scope": f"key:{tenant.key_id}", "unit": "tokens", "window": "day", "limit": 100_000}, status=201)
    live = requests.post(server.url + "/v1/runs", json={"text": "hi\n@tokens 100000\n@rate 50"}, headers=tenant.headers, timeout=10).json()[
        "run_id"
    ]
    new = admin.ok("POST", f"keys/{tenant.key_id}/rotate", {"grace_seconds": 600}, status=201)
    assert new["replaces"] == tenant.key_id and new["id"] != tenant.key_id and new["user"] == "ada"
    assert complete(server, tenant.key).status_code == 200 and complete(server, new["key"]).status_code == 200
    old = admin.ok("GET", f"keys/{tenant.key_id}")
    assert old["state"] == "active" and 0 < old["expires_at"] - time.time() * 1000 <= 600_000
    assert [row["limit"] for row in admin.ok("GET", "budgets", scope=f"key:{new['id']}")["data"]] == [100_000], "its budgets come along"
    last = admin.ok("POST", f"keys/{new['id']}/rotate", status=201)
    assert complete(server, new["key"]).status_code == 401 and complete(server, last["key"]).status_code == 200
    assert admin.refused("POST", f"keys/{new['id']}/rotate") == (409, "key_not_active", "id")
    # What runs by the old key goes on during the grace, and ends when it is over: here at once.
    admin.ok("PATCH", f"keys/{tenant.key_id}", {"expires_at": int(time.time() * 1000)})
    wait_until("its run is cut", lambda: all(row["run_id"] != live for row in admin.ok("GET", "streams")["data"]))
    assert complete(server, tenant.key).status_code == 401


def test_budgets_show_what_is_used_held_and_free_and_are_tried_first(server, admin, tenant):
    scope = tenant.scope
    body = {"scope": scope, "unit": "usd", "window": "total", "limit": "0.50"}
    made = admin.ok("PUT", "budgets", body, status=201)
    assert made == body | {
        "used": "0.00",
        "held": "0.00",
        "suspense": "0.00",
        "free": "0.50",
        "resets_at": None,
        "created": True,
        "owner": "org",
    }
    assert admin.ok("PUT", "budgets", body)["created"] is False
    run = requests.post(server.url + "/v1/runs", json={"text": "hi\n@tokens 100000\n@rate 50"}, headers=tenant.headers, timeout=10).json()
    busy = wait_until("money is held", lambda: (row := admin.ok("GET", "budgets", scope=scope)["data"][0])["held"] != "0.00" and row)
    assert nano(busy["free"]) == nano("0.50") - nano(busy["used"]) - nano(busy["held"]) - nano(busy["suspense"])
    wide = admin.ok("POST", "budgets/preview", body)
    assert not wide["would_refuse"] and wide["would_cut"] == []
    tight = admin.ok("POST", "budgets/preview", body | {"limit": "0.000001"})
    assert tight["would_refuse"] and [row["run_id"] for row in tight["would_cut"]] == [run["run_id"]] and tight["limit"] == "0.000001"
    other = admin.ok("POST", "budgets/preview", body | {"limit": "0", "model": "other"})
    assert other["would_refuse"] and other["would_cut"] == [], "a budget of another model"
    assert admin.ok("GET", "budgets", scope=scope)["data"][0]["limit"] == "0.50", "nothing was changed"
    admin.ok("PUT", "budgets", body | {"limit": "0.000001"})
    wait_until("the run is cut", lambda: admin.ok("GET", "streams")["data"] == [])
    for window, limit in (("day", "1"), ("month", "20")):
        admin.ok(
            "PUT",
            "budgets",
            {"scope": f"org:{tenant.org}", "unit": "usd", "window": window, "limit": limit, "zone": "Europe/Berlin"},
            status=201,
        )
    admin.ok(
        "PUT", "budgets", {"scope": f"key:{tenant.key_id}", "unit": "requests", "window": "day", "limit": 9, "model": "demo"}, status=201
    )
    kept = admin.ok("PUT", "budgets", {"scope": f"org:{tenant.org}", "unit": "usd", "window": "day", "limit": 2})
    assert kept["zone"] == "Europe/Berlin" and kept["limit"] == "2.00" and kept["resets_at"] > time.time() * 1000
    rows = admin.all("budgets", 1)
    assert [(row["scope"].split(":")[0], row["window"]) for row in rows] == [
        ("key", "day"),
        ("org", "day"),
        ("org", "month"),
        ("project", "total"),
    ]
    assert rows[0]["model"] == "demo" and rows[0]["free"] == 8, "one was used"
    named = {"scope": f"key:{tenant.key_id}", "unit": "requests", "window": "day"}
    assert admin.refused("DELETE", "budgets", **named)[:2] == (404, "not_found")
    assert admin.ok("DELETE", "budgets", **named, model="demo") == {"removed": True}
    assert admin.refused("PUT", "budgets", body | {"unit": "euro"}) == (400, "invalid_request_error", "unit")
    assert "budget.remove" in admin.changes(tenant.org)


def check_usage(server, admin, org: str, keys: dict[str, str]) -> None:
    """Two users and two projects; the figures are the ledger's."""
    for name, tokens in (("ann", 40), ("ann", 10), ("bob", 5), ("nobody", 7)):
        assert complete(server, keys[name], tokens).status_code == 200
    whole = wait_until(
        "all is in the ledger", lambda: (it := admin.ok("GET", "usage", org=org, by="user"))["totals"]["output_tokens"] == 62 and it
    )
    assert whole["scope"] == f"org:{org}" and whole["totals"]["requests"] == 4
    assert [(row["user"], row["output_tokens"], row["requests"]) for row in whole["rows"]] == [
        ("web/ann", 50, 2), ("lab/no user", 7, 1), ("web/bob", 5, 1)
    ]  # fmt: skip
    assert whole["rows"][0]["scope"] == f"user:{org}/web/ann" and whole["rows"][1]["scope"] is None
    assert sum(nano(row["cost_usd"]) for row in whole["rows"]) == nano(whole["totals"]["cost_usd"])
    assert len(whole["series"]) in (30, 31) and set(whole["series"][-1]["values"]) == {"web/ann", "lab/no user", "web/bob"}
    by_project = admin.ok("GET", "usage", by="project", step="hour", org=org)
    assert [row["project"] for row in by_project["rows"]] == ["web", "lab"] and len(by_project["series"]) in (24, 25)
    assert [row["user"] for row in admin.ok("GET", "usage", scope=f"project:{org}/web", by="user")["rows"]] == ["ann", "bob"]
    assert [row["model"] for row in admin.ok("GET", "usage", by="model", org=org)["rows"]] == ["demo"]
    assert admin.ok("GET", "usage", by="tool", org=org)["rows"] == []
    assert len(admin.ok("GET", "usage", by="key", org=org)["rows"]) == 3
    admin.ok("PUT", "budgets", {"scope": f"org:{org}", "unit": "usd", "window": "month", "limit": "1"}, status=201)
    look = admin.ok("GET", "usage", org=org, by="project")
    (window,) = look["windows"]
    assert window["used"] == whole["totals"]["cost_usd"] == look["forecast"]["used"] and window["window"] == "month"
    assert nano(look["forecast"]["at_end"]) >= nano(window["used"]) and look["forecast"]["limit"] == "1.00"
    assert look["forecast"]["spent_at"] is None or look["forecast"]["spent_at"] < window["resets_at"]
    text = admin.ask("GET", "usage", org=org, by="user", format="csv").text.splitlines()
    assert text[0] == "at,user,cost_usd" and len(text) == 4
    day = 86_400_000
    assert admin.ok("GET", "usage", org=org, **{"from": 0, "to": 92 * day})["rows"] == []
    for query in (
        {"from": 0, "to": 93 * day},
        {"from": 0, "to": 9 * day, "step": "hour"},
        {"from": 5, "to": 5},
        {"by": "colour"},
        {"step": "week"},
    ):
        assert admin.refused("GET", "usage", org=org, **query)[0] == 400, query


def test_usage_is_what_the_ledger_holds(server, installation, tenant, admin):
    keys = {name: installation.key(tenant.org, "web", name)["key"] for name in ("ann", "bob")}
    keys["nobody"] = admin.ok("POST", "keys", {"project": "lab"}, status=201)["key"]
    check_usage(server, admin, tenant.org, keys)


def test_the_same_with_redis_and_postgres(redis_server, shared_postgres, tmp_path):
    installation = Installation(tmp_path / "shared", redis=redis_server.url, postgres=shared_postgres.database())
    try:
        server = installation.serve()
        operator = Api(server, installation.key("ops", "web", "root", "--role", "operator")["key"])
        operator.ok("PUT", "orgs/acme", {"name": "Acme"}, status=201)
        operator.ok("PUT", "users/acme/web/ann", {"name": "Ann"}, status=201)
        assert operator.ok("PUT", "orgs/acme", {"name": "Acme Inc"})["projects"] == 1
        keys = {}
        for name in ("ann", "bob"):
            keys[name] = operator.ok("POST", "keys", {"org": "acme", "project": "web", "user": name}, status=201)["key"]
        once = {"idempotency-key": "nobody"}
        made = operator.ok("POST", "keys", {"org": "acme", "project": "lab", "service_account": True}, status=201, headers=once)
        keys["nobody"] = made["key"]
        assert (
            operator.ok("POST", "keys", {"org": "acme", "project": "lab", "service_account": True}, status=201, headers=once)["id"]
            == made["id"]
        )
        check_usage(server, operator, "acme", keys)
        assert [row["name"] for row in operator.all("users", 1, org="acme")] == ["Ann", None]
        assert [row["org"] for row in operator.ok("GET", "usage", org="*")["rows"]] == ["acme"]
        row = operator.ok(
            "PUT", "budgets", {"scope": "user:acme/web/ann", "unit": "output_tokens", "window": "day", "limit": 60}, status=201
        )
        assert (row["used"], row["free"]) == (50, 10), "what the ledger holds counts"
        assert complete(server, keys["ann"], 500).json()["x_cut"]["scope"]["id"] == "acme/web/ann"
        rows = operator.all("budgets", 1, org="acme")
        assert [row["scope"] for row in rows] == ["org:acme", "user:acme/web/ann"] and rows[1]["free"] == 0
        tight = operator.ok("POST", "budgets/preview", {"scope": "org:acme", "unit": "tokens", "window": "total", "limit": 10})
        assert tight["would_refuse"] and tight["used"] > 62
        rotated = operator.ok("POST", f"keys/{made['id']}/rotate", {"grace_seconds": 60}, status=201)
        states = {row["id"]: row["state"] for row in operator.all("keys", 2, org="acme")}
        assert states[made["id"]] == states[rotated["id"]] == "active" and len(states) == 4
        wait_until("uses are noted", lambda: operator.ok("GET", f"keys/{made['id']}")["last_used_at"])
        assert operator.ok("GET", "keys", org="acme", state="revoked")["data"] == []
        assert {"org.create", "user.create", "key.create", "budget.set", "key.set"} <= set(operator.changes("acme"))
    finally:
        installation.stop()


def test_the_command_line_does_what_the_addresses_do(server, installation, tenant, admin):
    org, run = tenant.org, installation.json
    assert run("orgs", "create", org, "--name", "Acme")["created"] is False
    assert run("projects", "create", "--org", org, "lab")["created"] is True
    assert run("users", "create", "--org", org, "--project", "lab", "eve", "--name", "Eve")["name"] == "Eve"
    assert [row["project"] for row in run("projects", "list", "--org", org)] == ["lab", "web"]
    assert [row["user"] for row in run("users", "list", "--org", org, "--project", "lab")] == ["eve"]
    assert {"org": org, "name": "Acme"}.items() <= next(row for row in run("orgs", "list") if row["org"] == org).items()
    more = ["--alias", "ci", "--model", "demo", "--expires-in", "1h", "--service-account", "--budget", "requests/day=4"]
    made = installation.key(org, "lab", "eve", *more)
    row = admin.ok("GET", f"keys/{made['id']}")
    assert (row["alias"], row["models"], row["kind"], row["state"]) == ("ci", ["demo"], "service_account", "active")
    assert 3_500_000 < row["expires_at"] - row["created_at"] <= 3_600_000
    assert [row["limit"] for row in admin.ok("GET", "budgets", scope=f"key:{made['id']}")["data"]] == [4]
    assert run("keys", "block", made["id"])["blocked"] and complete(server, made["key"]).status_code == 401
    assert run("keys", "unblock", made["id"])["state"] == "active" and complete(server, made["key"]).status_code == 200
    new = run("keys", "rotate", made["id"], "--grace", "1d")
    assert new["replaces"] == made["id"] and complete(server, new["key"]).status_code == complete(server, made["key"]).status_code == 200
    last = run("keys", "rotate", new["id"])
    assert complete(server, new["key"]).status_code == 401 and complete(server, last["key"]).status_code == 200
    assert complete(server, last["key"]).status_code == 429, "what they used together"
    states = {row["id"]: row["state"] for row in run("keys", "list", "--org", org)}
    assert (states[made["id"]], states[new["id"]], states[last["id"]]) == ("active", "revoked", "active")

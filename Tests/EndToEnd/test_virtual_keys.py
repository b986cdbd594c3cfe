"""LiteLLM's key management, the subset: keys with budgets of their own that are real caps."""

import time

import pytest
import requests

from rig.server import Installation, nano
from rig.waiting import wait_until


class Keys:
    """A LiteLLM client: a base address and an admin's key."""

    def __init__(self, server, admin: str):
        self.url, self.headers = server.url, {"authorization": f"Bearer {admin}"}

    def post(self, action: str, body: dict) -> requests.Response:
        return requests.post(f"{self.url}/key/{action}", json=body, headers=self.headers, timeout=10)

    def generate(self, **fields) -> dict:
        answer = self.post("generate", fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def info(self, key: str | None = None) -> requests.Response:
        return requests.get(f"{self.url}/key/info", params={"key": key} if key else {}, headers=self.headers, timeout=10)


@pytest.fixture
def admin(server, installation, tenant):
    return Keys(server, installation.key(tenant.org, "web", "boss", "--role", "admin")["key"])


def complete(server, key: str, tokens: int = 5, model: str = "demo") -> requests.Response:
    body = {"model": model, "messages": [{"role": "user", "content": f"hi\n@tokens {tokens}"}]}
    return requests.post(server.url + "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}, timeout=20)


def test_a_key_with_a_budget_is_cut_there(server, installation, tenant, admin):
    made = admin.generate(max_budget=0.0005, budget_duration="30d", user_id="zoe", team_id="lab", key_alias="zoe's", metadata={"a": [1]})
    assert made["key"].startswith("kd-") and made["token"].startswith("key_") and made["key_name"].endswith(made["key"][-4:])
    assert (made["user_id"], made["team_id"], made["organization_id"]) == ("zoe", "lab", tenant.org)
    assert made["max_budget"] == 0.0005 and made["spend"] == 0 and made["budget_duration"] == "30d" and made["metadata"] == {"a": [1]}
    assert made["budget_reset_at"].endswith("-01T00:00:00Z"), "a month's budget begins with the month"
    cut = complete(server, made["key"], 5_000).json()
    assert cut["x_cut"]["scope"] == {"kind": "key", "id": made["token"]} and cut["x_cut"]["limit"] == "0.0005"
    assert complete(server, made["key"], 5_000).status_code == 402
    info = wait_until("spend", lambda: (found := admin.info(made["key"]).json())["info"]["spend"] and found)
    assert info["key"] == made["token"] and made["key"] not in str(info) and 0 < info["info"]["spend"] <= 0.0005
    (window,) = installation.usage(f"key:{made['token']}")["windows"]
    assert (window["unit"], window["window"], window["limit"]) == ("usd", "month", "0.0005")
    # The key may ask about itself, and about no other.
    own = Keys(server, made["key"])
    assert own.info().json()["info"]["key_alias"] == "zoe's"
    assert own.info(tenant.key_id).status_code == 404 and own.post("generate", {}).status_code == 403


def test_an_update_changes_what_it_names_and_nothing_else(server, installation, tenant, admin):
    made = admin.generate(max_budget=1, budget_duration="1d", rpm_limit=100, tpm_limit=5_000, models=["demo"])
    assert (made["rpm_limit"], made["tpm_limit"], made["models"]) == (100, 5_000, ["demo"])
    changed = admin.post("update", {"key": made["key"], "max_budget": 1e-05}).json()
    assert changed["max_budget"] == 0.00001 and changed["budget_duration"] == "1d" and changed["rpm_limit"] == 100
    assert complete(server, made["key"], 5_000).json()["x_cut"]["limit"] == "0.00001"
    changed = admin.post("update", {"key": made["token"], "budget_duration": "7d", "tpm_limit": None}).json()
    assert (changed["budget_duration"], changed["tpm_limit"], changed["max_budget"]) == ("7d", None, 0.00001)
    budgets = installation.json("budget", "list", "--scope", f"key:{made['token']}")
    assert {(one["unit"], one["window"]) for one in budgets} == {("usd", "week"), ("requests", "minute")}
    assert admin.post("update", {"key": made["key"], "max_budget": None, "rpm_limit": 0}).json()["max_budget"] is None
    refused = complete(server, made["key"])
    assert refused.status_code == 429 and refused.headers["x-ratelimit-limit-requests"] == "0"
    moved = admin.post("update", {"key": made["key"], "team_id": "elsewhere"})
    assert moved.status_code == 400 and moved.json()["error"]["code"] == "unsupported_parameter"


def test_a_budget_of_one_tool_or_model_is_no_limit_of_the_key(server, installation, tenant, admin):
    made = admin.generate()
    for more in (("usd", "0.10", "day", "--tool", "crm.lookup"), ("tokens", "50", "minute", "--model", "demo")):
        unit, limit, window, *subject = more
        installation.command(
            "budget", "set", "--scope", f"key:{made['token']}", "--unit", unit, "--limit", limit, "--window", window, *subject
        )
    info = admin.info(made["key"]).json()["info"]
    assert (info["max_budget"], info["budget_duration"], info["tpm_limit"]) == (None, None, None)
    assert admin.post("update", {"key": made["key"], "budget_duration": "30d"}).status_code == 400
    changed = admin.post("update", {"key": made["key"], "max_budget": 10}).json()
    assert (changed["max_budget"], changed["budget_duration"]) == (10, None)
    assert admin.post("update", {"key": made["key"], "max_budget": None}).json()["max_budget"] is None
    left = installation.json("budget", "list", "--scope", f"key:{made['token']}")
    assert {(one["unit"], one["window"]) for one in left} == {("usd", "day"), ("tokens", "minute")}


def test_models_block_expiry_and_deletion(server, admin):
    made = admin.generate(models=["something-else"], duration="1h")
    assert made["expires"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    refused = complete(server, made["key"])
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "model_not_allowed"
    listed = requests.get(server.url + "/v1/models", headers={"authorization": f"Bearer {made['key']}"}, timeout=10).json()
    assert listed["data"] == []
    assert admin.post("update", {"key": made["key"], "models": []}).status_code == 200
    assert complete(server, made["key"]).status_code == 200
    assert admin.post("block", {"key": made["key"]}).json()["blocked"]
    assert complete(server, made["key"]).status_code == 401
    assert not admin.post("unblock", {"key": made["token"]}).json()["blocked"]
    assert complete(server, made["key"]).status_code == 200
    assert admin.post("update", {"key": made["key"], "duration": "1s"}).status_code == 200
    wait_until("the key has expired", lambda: complete(server, made["key"]).status_code == 401, 5)
    other = admin.generate()
    half = admin.post("delete", {"keys": [other["key"], "kd-nobody"]})
    assert half.status_code == 404 and complete(server, other["key"]).status_code == 200, "all or none"
    assert admin.post("delete", {"keys": [other["key"], made["token"]]}).json() == {"deleted_keys": [other["key"], made["token"]]}
    assert complete(server, other["key"]).status_code == 401 and admin.info(other["key"]).status_code == 404


def test_what_becomes_of_a_keys_runs_is_set_changed_and_taken_away(installation, tenant, admin):
    made = admin.generate(on_disconnect="stop")
    assert made["on_disconnect"] == "stop"
    assert admin.post("update", {"key": made["key"], "max_budget": 1}).json()["on_disconnect"] == "stop"
    assert admin.post("update", {"key": made["key"], "on_disconnect": "drain"}).json()["on_disconnect"] == "drain"
    listed = {key["id"]: key["on_disconnect"] for key in installation.json("keys", "list", "--org", tenant.org)}
    assert listed[made["token"]] == "drain" and listed[tenant.key_id] is None
    assert admin.post("update", {"key": made["key"], "on_disconnect": None}).json()["on_disconnect"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"soft_budget": 1},
        {"max_parallel_requests": 2},
        {"model_max_budget": {"demo": 1}},
        {"budget_id": "x"},
        {"tags": ["a"]},
        {"no_such": 1},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_is_not_supported_is_refused_and_never_ignored(admin, fields):
    refused = admin.post("generate", fields)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "unsupported_parameter" and refused.json()["error"]["param"] == next(iter(fields))
    assert admin.post("generate", {next(iter(fields)): None}).status_code == 200, "what is empty asks for nothing"


@pytest.mark.parametrize(
    "fields",
    [
        {"max_budget": -1},
        {"max_budget": "1"},
        {"max_budget": 0.0000000001},
        {"max_budget": 1e9},
        {"max_budget": 1, "budget_duration": "45m"},
        {"budget_duration": "1d"},
        {"tpm_limit": 1.5},
        {"rpm_limit": -1},
        {"duration": "soon"},
        {"models": "demo"},
        {"models": ["a\nb"]},
        {"metadata": []},
        {"user_id": "a/b"},
        {"blocked": "yes"},
        {"on_disconnect": "wait"},
    ],
    ids=str,
)
def test_a_field_that_makes_no_sense_is_named(admin, fields):
    refused = admin.post("generate", fields)
    if fields == {"metadata": []}:
        assert refused.status_code == 400
        return
    assert refused.status_code == 400 and refused.json()["error"]["code"] == "invalid_request_error"


def test_keys_of_another_organisation_do_not_exist(server, installation, tenant, admin, make_tenant):
    other = make_tenant(installation)
    assert admin.post("generate", {"organization_id": other.org}).status_code == 403
    for action, body in (
        ("update", {"key": other.key, "max_budget": 1}),
        ("block", {"key": other.key_id}),
        ("delete", {"keys": [other.key]}),
    ):
        assert admin.post(action, body).status_code == 404
    assert admin.info(other.key).status_code == 404 and complete(server, other.key).status_code == 200
    operator = Keys(server, installation.key("ops", "web", "root", "--role", "operator")["key"])
    made = operator.generate(organization_id=other.org, team_id="web")
    assert complete(server, made["key"]).status_code == 200 and operator.info(other.key_id).status_code == 200


def test_the_same_with_redis_and_postgres(redis_server, shared_postgres, tmp_path, make_tenant):
    installation = Installation(tmp_path / "shared", redis=redis_server.url, postgres=shared_postgres.database())
    try:
        server = installation.serve()
        admin = Keys(server, installation.key("acme", "web", "boss", "--role", "admin")["key"])
        made = admin.generate(max_budget=0.0005, budget_duration="1d", metadata={"k": "v"}, models=["demo"])
        assert complete(server, made["key"], 5_000).json()["x_cut"]["scope"]["id"] == made["token"]
        assert admin.info(made["token"]).json()["info"]["metadata"] == {"k": "v"}
        assert admin.post("block", {"key": made["key"]}).status_code == 200 and complete(server, made["key"]).status_code == 401
        assert nano(installation.usage(f"key:{made['token']}")["totals"]["cost_usd"]) <= nano("0.0005")
    finally:
        installation.stop()

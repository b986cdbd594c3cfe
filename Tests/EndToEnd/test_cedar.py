"""`kdcube authorize` and `kdcube validate`: Cedar on the command line."""

import json
import subprocess

import pytest

from rig.server import BINARIES, environment

SCHEMA = """
entity Team; entity User in [Team] { level: Long };
entity Photo { owner: User, expires?: datetime };
action view, share appliesTo { principal: [User], resource: [Photo], context: { ip: ipaddr } };
"""
POLICIES = """
permit(principal in Team::"family", action == Action::"view", resource);
permit(principal, action, resource) when { principal == resource.owner };
forbid(principal, action, resource) unless { context.ip.isInRange(ip("10.0.0.0/8")) };
forbid(principal, action == Action::"share", resource) when { principal.level < 3 + 9223372036854775807 };
"""
ENTITIES = [
    {"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 1}, "parents": [{"type": "Team", "id": "family"}]},
    {"uid": {"type": "User", "id": "bob"}, "attrs": {"level": 5}, "parents": []},
    {"uid": {"type": "Team", "id": "family"}, "attrs": {}, "parents": []},
    {
        "uid": {"type": "Photo", "id": "p"},
        "attrs": {"owner": {"__entity": {"type": "User", "id": "bob"}}, "expires": "2030-01-01"},
        "parents": [],
    },
]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "policies.cedar").write_text(POLICIES)
    (tmp_path / "schema.cedarschema").write_text(SCHEMA)
    (tmp_path / "entities.json").write_text(json.dumps(ENTITIES))
    return tmp_path


def kdcube(*arguments) -> subprocess.CompletedProcess:
    command = [str(BINARIES / "kdcube"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)


def request(user: str, action: str, ip: str = "10.1.2.3", **more) -> str:
    parts = {"principal": ("User", user), "action": ("Action", action), "resource": ("Photo", "p")}
    body = {name: {"type": kind, "id": id_} for name, (kind, id_) in parts.items()}
    return json.dumps(body | {"context": {"ip": ip}} | more)


def options(files) -> list:
    return ["--policies", files / "policies.cedar", "--entities", files / "entities.json", "--schema", files / "schema.cedarschema"]


def test_one_request(files):
    (files / "request.json").write_text(request("ann", "view"))
    result = kdcube("authorize", *options(files), "--request-json", files / "request.json")
    assert result.returncode == 0 and json.loads(result.stdout) == {"decision": "allow", "reason": ["policy0"], "errors": []}


def test_a_batch_is_answered_line_by_line(files):
    lines = [
        request("bob", "view"),
        request("ann", "view", ip="192.168.0.1"),
        request("bob", "share"),
        request("ann", "delete"),
        "rubbish",
        request("carol", "view"),
    ]
    (files / "batch.jsonl").write_text("\n".join(lines))
    result = kdcube("authorize", *options(files), "--batch", files / "batch.jsonl")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert answers[0] == {"decision": "allow", "reason": ["policy1"], "errors": []}
    assert answers[1] == {"decision": "deny", "reason": ["policy2"], "errors": []}
    assert answers[2] == {"decision": "allow", "reason": ["policy1"], "errors": ["policy3"]}, "an overflow is an error of its policy alone"
    assert "line 4" in answers[3]["error"] and "line 5" in answers[4]["error"]
    assert answers[5]["decision"] == "deny"
    assert result.returncode == 1 and "2 of the requests" in result.stderr


def test_validation_says_where_and_what(files):
    good = kdcube("validate", "--policies", files / "policies.cedar", "--schema", files / "schema.cedarschema")
    assert good.returncode == 0, good.stdout
    bad = files / "bad.cedar"
    bad.write_text('permit(principal, action, resource) when { resource.expires < datetime("2030-01-01") };')
    result = kdcube("validate", "--policies", bad, "--schema", files / "schema.cedarschema")
    assert result.returncode == 1 and "policy0, line 1" in result.stdout and "has" in result.stdout
    bad.write_text("permit(principal, action, resource) when { 1 < 2 < 3 };")
    result = kdcube("validate", "--policies", bad, "--schema", files / "schema.cedarschema")
    assert result.returncode == 1 and "line 1, column" in result.stderr
    assert kdcube("authorize", "--policies", bad, "--entities", files / "entities.json").returncode == 64

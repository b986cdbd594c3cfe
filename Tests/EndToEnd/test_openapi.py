"""The document of addresses: it is what the router has, and what the server answers."""

import pathlib
import subprocess
import sys

import pytest
import requests
from test_admin import Api

from rig.server import environment

#: What does not end by itself, or starts what costs: their own tests read them (test_runs_http, test_openai_sdk, test_dialect…).
STREAMS = "x-stream"


@pytest.fixture(scope="module")
def document(installation):
    return requests.get(installation.servers[0].url + "/openapi.json", timeout=10).json()


def operations(document: dict):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_route_is_described_and_every_description_is_served(document):
    assert document["openapi"].startswith("3.1")
    assert "x-undescribed" not in document, "these routes have no line in Sources/Server/Reference"
    assert "x-unserved" not in document, "these lines of Sources/Server/Reference have no route"
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names)) > 70


def test_the_document_is_valid_and_holds_together(document):
    text = str(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}'" in text, f"nothing has the schema {name}"
    for method, path, operation in operations(document):
        named = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}, (method, path)
        assert "default" in operation["responses"] and any(status < "400" for status in operation["responses"]), (method, path)
        for media in operation.get("requestBody", {}).get("content", {}).values():
            if "example" in media:
                import jsonschema

                jsonschema.validate(media["example"], {**media["schema"], "components": document["components"]})


def test_the_document_needs_no_credential_and_says_who_needs_which(server, document):
    assert requests.get(server.url + "/api/admin/openapi.json", timeout=10).json() == document
    for method, path, operation in operations(document):
        if operation.get("security") == [] or path.startswith("/socket.io"):
            continue
        concrete = path.replace("{org}", "a").replace("{", "").replace("}", "")
        answer = requests.request(method, server.url + concrete, timeout=10)
        assert answer.status_code == 401, (method, path, answer.status_code)


def test_the_server_answers_as_the_document_says(server, installation, tenant, tmp_path):
    """Some hundred requests by dice with a fixed seed: no failure of ours, and answers as described.

    Left out: streams, which do not end by themselves; pages, which are no interface; what stops this server or changes it for the other
    tests that share it (drain, log-level, a verification of all that they have logged, the price file).
    """
    key = installation.key(tenant.org, "web", "boss", "--role", "admin")["key"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", server.url + "/openapi.json"]
    command += ["-H", f"Authorization: Bearer {key}", "--seed", "20261128", "--max-examples", "6", "--no-shrink", "--workers", "2"]
    command += ["--phases", "examples,fuzzing", "--max-time", "50", "--request-timeout", "10", "--suppress-health-check", "all"]
    command += ["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"]
    command += ["--exclude-tag", "pages", "--exclude-path-regex", "/(drain|log-level|audit/verify|prices/reload)$", "--continue-on-failure"]
    command += ["--exclude-by", "/x-stream == true", "--warnings", "off", "--report-junit-path", str(tmp_path / "report.xml")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(), cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stdout[-6_000:] + result.stderr[-2_000:]
    assert requests.get(server.url + "/readyz", timeout=10).status_code == 200
    assert Api(server, key).ok("GET", "keys")["data"], pathlib.Path(tmp_path)

"""The document of addresses: it is what the router has, and what the server answers."""

import pathlib
import subprocess
import sys
import time

import jsonschema
import jwt
import pytest
import requests

from rig.server import environment

SECRET = "the end-to-end tests share these bytes with nobody"


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
                jsonschema.validate(media["example"], {**media["schema"], "components": document["components"]})


def test_the_document_needs_no_credential_and_says_who_needs_which(server, document):
    assert requests.get(server.url + "/api/admin/openapi.json", timeout=10).json() == document
    for method, path, operation in operations(document):
        if operation.get("security") == [] or path.startswith("/socket.io"):
            continue
        concrete = path.replace("{org}", "a").replace("{", "").replace("}", "")
        answer = requests.request(method, server.url + concrete, timeout=10)
        assert answer.status_code == 401, (method, path, answer.status_code)


@pytest.mark.timeout(300)
def test_the_server_answers_as_the_document_says(make_example):
    """Some hundred requests by dice with a fixed seed: no failure of ours, and answers as described.

    Left out: streams (`x-stream`), which go on as long as a run lives and have tests of their own; pages, which are no interface; `drain`,
    after which the server takes nothing more. A token asks, because a key would soon revoke itself.
    """
    example = make_example("refund-authorization", auth={"jwt": {"secret": SECRET}})
    server = example.serve()
    claims = {"sub": "dice", "org": "acme", "project": "support", "roles": ["operator"], "exp": int(time.time()) + 600}
    token = jwt.encode(claims, SECRET, "HS256")
    command = [str(pathlib.Path(sys.executable).parent / "schemathesis"), "run", server.url + "/openapi.json"]
    command += ["-H", f"Authorization: Bearer {token}", "--seed", "20261128", "--max-examples", "4", "--no-shrink", "--continue-on-failure"]
    command += ["--phases", "examples,fuzzing", "--request-timeout", "40", "--suppress-health-check", "all", "--warnings", "off"]
    command += ["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"]
    command += ["--exclude-tag", "pages", "--exclude-path-regex", "/drain$", "--exclude-by", "/x-stream == true"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment(), cwd=example.folder, check=False)
    assert result.returncode == 0, result.stdout[-6_000:] + result.stderr[-2_000:]
    assert int(result.stdout.partition("Tested: ")[2].partition("\n")[0].split()[0]) > 75, "every operation but those was asked"
    assert server.status("/readyz") == 200

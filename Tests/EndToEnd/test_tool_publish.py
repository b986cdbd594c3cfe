"""Tools that are made, changed and taken away while servers run: over HTTP, in the file, by kdcube tools; followed by every server."""

import http.server
import json
import pathlib
import shutil
import subprocess
import threading

import pytest
import requests
import yaml

from rig import tools
from rig.examples import bearer, ends, only_end, refund, say
from rig.server import BINARIES, Installation, environment
from rig.waiting import wait_until

FIND = {
    "name": "crm.find",
    "description": "Finds a customer.",
    "effect": "write",
    "builtin": "crm.lookup",
    "parameters": {
        "type": "object",
        "additionalProperties": False,
        "required": ["customer"],
        "properties": {"customer": {"type": "string", "minLength": 1, "maxLength": 64}},
    },
}
PERMIT = '\n@id("find")\npermit (principal, action == Action::"crm.find", resource);\n'
CALL = '@tool crm.find {"customer": "C-17"}\n@then\n@tokens 3'


class Catalog:
    """An operator in front of the tools of one server."""

    def __init__(self, server, folder: pathlib.Path, operator: str):
        self.server, self.file, self.operator = server, folder / "tools.yaml", operator

    def ask(self, method: str, path: str = "", body: dict | None = None, key: str = "") -> requests.Response:
        url = f"{self.server.url}/api/admin/tools{path}"
        return requests.request(method, url, json=body, headers=bearer(key or self.operator), timeout=30)

    def show(self, key: str = "") -> dict:
        answer = self.ask("GET", "", None, key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def version(self) -> str:
        return self.show()["version"]

    def names(self) -> list[str]:
        return [tool["name"] for tool in self.show()["data"]]

    def put(self, *edits: dict | None, base: str = "", name: str = "", key: str = "") -> requests.Response:
        listed = [{"name": name or edit["name"], "tool": edit} for edit in edits]
        return self.ask("PUT", "", {"edits": listed, "base": base or self.version(), "reason": "A test."}, key)

    def remove(self, name: str) -> requests.Response:
        return self.ask("PUT", "", {"edits": [{"name": name, "tool": None}], "base": self.version(), "reason": "A test."})

    def acts(self, action: str) -> list[dict]:
        url = f"{self.server.url}/api/admin/decisions"
        answer = requests.get(url, params={"org": "-", "tool": action}, headers=bearer(self.operator), timeout=10)
        assert answer.status_code == 200, answer.text
        return [json.loads(row["details"]) if isinstance(row["details"], str) else row["details"] for row in answer.json()["data"]]


def ok(answer: requests.Response) -> dict:
    assert answer.status_code == 200, answer.text
    return answer.json()


def code(answer: requests.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]["code"]


@pytest.fixture
def shop(make_example):
    example = make_example("refund-authorization")
    server = example.serve()
    example.catalog = Catalog(server, example.folder, example.key("op", "operator", "admin"))
    return example


def permit(shop, text: str = PERMIT) -> None:
    """Publishes the policies with one rule more."""
    url, key = f"{shop.server.url}/api/admin/policies", shop.catalog.operator
    standing = requests.get(url, headers=bearer(key), timeout=10).json()
    files = [{"name": file["name"], "text": file["text"] + text} for file in standing["files"]]
    ok(requests.put(url, json={"files": files, "base": standing["version"], "reason": "It may."}, headers=bearer(key), timeout=30))


def test_a_tool_is_made_called_changed_and_taken_away(shop):
    catalog, anna = shop.catalog, shop.person("anna")
    before, text = catalog.version(), catalog.file.read_text()
    assert only_end(say(shop.server, anna, CALL))["error"]["code"] == "unknown_tool"

    checked = ok(catalog.ask("POST", "/check", {"edits": [{"name": "crm.find", "tool": FIND}]}))
    assert checked["ok"] and checked["changes"] == {"made": ["crm.find"], "changed": [], "removed": []} and checked["base"] == before
    assert catalog.version() == before and catalog.file.read_text() == text, "a check changes nothing"
    made = ok(catalog.put(FIND))
    assert made["changed"] and made["version"] == checked["version"] == catalog.version() and made["previous_version"] == before
    assert catalog.file.read_text() == checked["text"] and checked["text"].startswith(text.rstrip("\n")), (
        "the rest of the file is as it was"
    )
    assert not ok(catalog.put(FIND))["changed"], "who did not hear the answer may ask again"

    # At once: no policy permits it yet.
    assert only_end(say(shop.server, anna, CALL))["rule"] == "policy.default"
    permit(shop)
    end = only_end(say(shop.server, anna, CALL))
    assert end["decision"] == "allow" and end["status"] == "completed", end

    # Policies that name it keep it.
    refused = catalog.remove("crm.find")
    assert code(refused, 422) == "tools_refused" and "crm.find" in catalog.names(), refused.text
    assert any("crm.find" in finding["message"] and finding["file"].endswith(".cedar") for finding in refused.json()["findings"]), (
        refused.text
    )
    other = FIND | {"parameters": FIND["parameters"] | {"required": ["id"], "properties": {"id": {"type": "string"}}}}
    permit(shop, '\n@id("own")\nforbid (principal, action == Action::"crm.find", resource) when { context.args.customer == "C-1" };\n')
    refused = catalog.put(other)
    assert code(refused, 422) == "tools_refused" and any("own" in json.dumps(finding) for finding in refused.json()["findings"]), (
        refused.text
    )
    assert not ok(catalog.ask("POST", "/check", {"edits": [{"name": "crm.find", "tool": other}]}))["ok"]

    changed = ok(catalog.put(FIND | {"description": "Finds somebody."}))
    assert changed["changes"]["changed"] == ["crm.find"]
    assert [tool["description"] for tool in catalog.show()["data"] if tool["name"] == "crm.find"] == ["Finds somebody."]
    acts = catalog.acts("tools.publish")
    assert [act.get("made") or act.get("changed") for act in acts] == [["crm.find"], ["crm.find"]], acts
    assert (
        acts[0]["reason"] == "A test." and acts[0]["version"] == changed["version"] and acts[0]["was"] == made["version"] and acts[0]["by"]
    )

    back = ok(catalog.ask("POST", "/rollback", {"version": made["version"], "reason": "It was better."}))
    assert back["version"] == made["version"] == catalog.version() and catalog.file.read_text() == checked["text"]
    assert ok(catalog.ask("GET", f"/{before}"))["text"] == text
    assert {row["version"] for row in catalog.show()["versions"]} == {before, made["version"], changed["version"]}
    shop.installation.command("audit", "verify")


def test_what_is_not_published_and_why(shop):
    catalog, admin = shop.catalog, shop.key("root", "admin")
    text, before = catalog.file.read_text(), catalog.version()
    shown = catalog.show(admin)
    assert "text" not in shown and not any("source" in tool for tool in shown["data"]), "how tools are made is the operator's"
    for method, path, body in (
        ("PUT", "", {"text": text, "base": before, "reason": "x"}),
        ("POST", "/check", {"text": text}),
        ("POST", "/rollback", {"version": before, "reason": "x"}),
        ("GET", f"/{before}", None),
    ):
        assert code(catalog.ask(method, path, body, admin), 403) == "role_required"
    assert code(catalog.put(FIND, base="0" * 64), 409) == "version_conflict"
    for body in ({"text": text}, {"base": before}, {"text": text, "edits": [], "base": before}, {"edits": [], "base": before}):
        assert code(catalog.ask("PUT", "", {"reason": "x"} | body), 400) == "invalid_request_error", body
    assert code(catalog.ask("PUT", "", {"text": text + "#", "base": before, "reason": " "}), 400) == "invalid_request_error"
    assert code(catalog.ask("POST", "/rollback", {"version": "0" * 64, "reason": "x"}), 404)

    def refused(tool: dict, word: str) -> None:
        answer = catalog.put(tool)
        assert code(answer, 422) == "tools_refused" and word in json.dumps(answer.json()["findings"]), (tool, answer.text)

    remote = {key: value for key, value in FIND.items() if key != "builtin"}
    inside = {"method": "GET", "url": "http://api.test/{customer}", "allow_hosts": ["api.test"]}
    refused(FIND | {"name": "Bad Name"}, "name")
    refused(FIND | {"parameters": {"type": "object"}}, "crm.find")
    refused(FIND | {"builtin": "run_code"}, "code")
    refused(FIND | {"builtin": "no.such"}, "built-in")
    refused(remote | {"mcp": {"command": ["/bin/sh", "-c", "id"], "tool": "x"}}, "program")
    refused(remote | {"http": inside | {"private_hosts": ["api.test"]}}, "private_hosts")
    refused(remote | {"http": inside | {"allow_hosts": ["other.test"]}}, "allow_hosts")
    refused(remote | {"http": inside | {"headers": {"authorization": "Bearer s3cr3t"}}}, "environment")
    refused(remote | {"http": inside | {"headers": {"authorization": "Bearer ${PATH}"}}}, "tools.variables")
    refused(FIND | {"description": "x" * 5000}, "description")
    assert code(catalog.ask("PUT", "", {"text": "tools: &a []", "base": before, "reason": "x"}), 422) == "tools_refused"
    assert catalog.file.read_text() == text and catalog.version() == before and not catalog.acts("tools.publish")

    # A link is somebody else's: the volume of a cluster.
    outside = catalog.file.with_name("outside.yaml")
    catalog.file.rename(outside)
    catalog.file.symlink_to(outside)
    assert code(catalog.put(FIND), 409) == "file_not_writable"
    assert outside.read_text() == text
    catalog.file.unlink()
    outside.rename(catalog.file)

    # What somebody has just written is not lost.
    catalog.file.write_text(text + "# by hand\n")
    answer = catalog.put(FIND)
    assert answer.status_code in (200, 409), answer.text
    assert "# by hand" in catalog.file.read_text()


def test_the_file_is_followed_with_the_policies_that_belong_to_it(shop):
    """A tool and a rule about it come and go together, in whatever order the files are written."""
    catalog, anna = shop.catalog, shop.person("anna")
    text = catalog.file.read_text()
    entry = yaml.safe_dump([FIND], sort_keys=False).replace("\n", "\n  ").rstrip()
    policy = shop.folder / "policies" / "find.cedar"
    # First the rule: there is no such tool yet.
    policy.write_text(PERMIT)
    policies = f"{shop.server.url}/api/admin/policies"
    look = lambda: requests.get(policies, headers=bearer(catalog.operator), timeout=10).json()  # noqa: E731
    wait_until("the rule is refused", lambda: look()["failure"])
    catalog.file.write_text(f"{text.rstrip()}\n\n  {entry}\n")
    wait_until("both are in force", lambda: "crm.find" in catalog.names() and not look()["failure"], 30)
    assert only_end(say(shop.server, anna, CALL))["decision"] == "allow"
    # Another name on both sides: neither fits without the other.
    catalog.file.write_text(f"{text.rstrip()}\n\n  {entry.replace('crm.find', 'crm.seek')}\n")
    wait_until("the file is refused, with the rule's place", lambda: "find.cedar" in json.dumps(catalog.show()["failure"]), 30)
    assert "crm.find" in catalog.names(), "the last good one stays"
    policy.write_text(PERMIT.replace("crm.find", "crm.seek"))
    wait_until("both have changed", lambda: "crm.seek" in catalog.names() and not catalog.show()["failure"] and not look()["failure"], 30)
    catalog.file.write_text("tools: [")
    wait_until("what is no YAML is told", lambda: catalog.show()["failure"], 30)
    assert "crm.seek" in catalog.names()
    # And away, the tool first.
    catalog.file.write_text(text)
    policy.unlink()
    wait_until("both are gone", lambda: "crm.seek" not in catalog.names() and not catalog.show()["failure"] and not look()["failure"], 30)
    assert only_end(say(shop.server, anna, refund("15.00", "C-900")))["decision"] == "allow"


def test_every_server_follows_and_the_command_line_publishes(shop, tmp_path):
    catalog = shop.catalog
    sections = {"tools": {"file": str(catalog.file)}, "policies": {"directory": str(shop.folder / "policies")}}
    neighbour = Installation(tmp_path / "neighbour", **sections)
    other = neighbour.serve()
    second = Catalog(other, shop.folder, neighbour.key("acme", "web", "op", "--role", "operator", "--role", "admin")["key"])
    ben = neighbour.key("acme", "web", "ben")["key"]

    def kdcube(*arguments: str, of: Catalog = catalog) -> subprocess.CompletedProcess:
        command = [str(BINARIES / "kdcube"), "tools", *arguments, *(["--url", of.server.url] if arguments[0] != "check" else [])]
        settings = environment() | {"KDCUBE_ADMIN_KEY": of.operator}
        return subprocess.run(command, capture_output=True, text=True, timeout=30, env=settings, check=False)

    file = tmp_path / "mine.yaml"
    document = yaml.safe_load(catalog.file.read_text())
    document["tools"].append(FIND)
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    policies = str(shop.folder / "policies")
    assert kdcube("check", str(file), "--policies", policies).returncode == 0
    done = kdcube("publish", str(file), "--reason", "By hand.")
    assert done.returncode == 0 and "new: crm.find" in done.stdout, done
    assert "crm.find" in catalog.names()
    wait_until("the other server has it", lambda: "crm.find" in second.names(), 30)
    permit(shop)
    wait_until("and may call it", lambda: only_end(say(other, ben, CALL))["decision"] == "allow", 30)
    listed = kdcube("list", of=second)
    assert listed.returncode == 0 and "crm.find: write; built in: crm.lookup" in listed.stdout, listed

    document["tools"].pop()
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    checked = kdcube("check", str(file), "--policies", policies)
    assert checked.returncode == 1 and "crm.find" in checked.stdout, checked
    refused = kdcube("publish", str(file), "--reason", "x", of=second)
    assert refused.returncode == 1 and "crm.find" in refused.stderr, refused
    file.write_text("tools: [")
    assert kdcube("check", str(file)).returncode == 1
    neighbour.stop()


class Order(http.server.BaseHTTPRequestHandler):
    """A tool behind HTTP that says with what it was asked."""

    def do_GET(self):
        body = json.dumps({"path": self.path, "key": self.headers.get("x-key")}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """A server that lets all be published, with code, and a tool behind HTTP beside it."""
    folder = tmp_path / "workshop"
    folder.mkdir()
    shutil.copy(tools.DEMO, folder / "tools.yaml")
    monkeypatch.setenv("WORKSHOP_KEY", "s3cr3t-workshop")
    installation = Installation(
        tmp_path / "installation", tools={"file": str(folder / "tools.yaml"), "publish": "all"}, sandbox=tools.SETTINGS["sandbox"]
    )
    beside = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Order)
    thread = threading.Thread(target=beside.serve_forever, daemon=True)
    thread.start()
    yield installation, folder, beside.server_address[1]
    beside.shutdown()
    thread.join()
    installation.stop()


def test_code_and_models_have_a_new_tool_at_once_and_its_secret_is_told_to_nobody(workshop):
    installation, folder, port = workshop
    server = installation.serve()
    key = installation.key("acme", "web", "ann")["key"]
    catalog = Catalog(server, folder, installation.key("acme", "web", "op", "--role", "operator", "--role", "admin")["key"])
    order = {
        "name": "orders.get",
        "description": "Reads an order.",
        "effect": "read",
        "parameters": FIND["parameters"],
        "http": {
            "method": "GET",
            "url": f"http://127.0.0.1:{port}/orders/{{customer}}",
            "allow_hosts": ["127.0.0.1"],
            "private_hosts": ["127.0.0.1"],
            "headers": {"x-key": "${WORKSHOP_KEY}"},
        },
    }
    assert code(catalog.put(order | {"http": order["http"] | {"headers": {"x-key": "s3cr3t"}}}), 422) == "tools_refused"
    ok(catalog.put(order))
    source = 'from agent_tools import tools\ntools.orders.get(customer="A 1")["path"]'
    envelopes = say(server, key, tools.prompt(tools.call("orders.get", customer="A1"), tools.code(source), rate=0))
    first, second, *nested = ends(envelopes)
    by_model = tools.last_step([one for one in envelopes if not one.get("data", {}).get("parent_call_id")], "run_code")
    assert by_model["value"] == "/orders/A%201", by_model
    results = [step["data"]["result"] for step in tools.steps(envelopes, "orders.get") if step["event"]["status"] == "completed"]
    assert {one["path"] for one in results} == {"/orders/A1", "/orders/A%201"}, (first, second, nested)
    assert {one["key"] for one in results} == {"***"}, "an answer that repeats the secret is masked"
    shown = catalog.ask("GET").text
    assert "s3cr3t-workshop" not in shown and "${WORKSHOP_KEY}" in shown
    # A secret that stands in the file in clear is shown to nobody, nor kept.
    catalog.file.write_text(catalog.file.read_text().replace("${WORKSHOP_KEY}", "in-clear-1234"))
    wait_until("the file is in force", lambda: catalog.show()["text"] is None, 30)
    shown = catalog.ask("GET").text
    assert "in-clear-1234" not in shown and "***" in shown
    for row in catalog.show()["versions"]:
        assert "in-clear-1234" not in ok(catalog.ask("GET", f"/{row['version']}"))["text"]
    ok(catalog.remove("orders.get"))
    assert ends(say(server, key, tools.prompt(tools.call("orders.get", customer="A1"))))[0]["error"]["code"] == "unknown_tool"


def test_publishing_can_be_off(make_example):
    example = make_example("refund-authorization")
    example.installation = Installation(
        example.folder / "off",
        tools={"file": str(example.folder / "tools.yaml"), "publish": "off"},
        policies={"directory": str(example.folder / "policies")},
    )
    catalog = Catalog(example.serve(), example.folder, example.key("op", "operator", "admin"))
    assert catalog.show()["publish"] == "off"
    assert code(catalog.put(FIND), 403) == "publishing_off"
    example.stop()

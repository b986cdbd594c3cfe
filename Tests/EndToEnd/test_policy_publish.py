"""Policies that are published over HTTP: checked, logged, written as a whole, in force at once, and taken back."""

import json
import pathlib
import subprocess
import threading

import pytest
import requests

from rig.examples import bearer, only_end, refund, say
from rig.server import BINARIES, CommandFailed, Installation, environment
from rig.waiting import wait_until

EXTRA = '@id("extra")\nforbid (principal, action == Action::"payments.refund", resource) when { context.args.order_id == "never" };\n'
STRICTER = ('greaterThan(decimal("1000.00")) };', 'greaterThan(decimal("10.00")) };')


class Publisher:
    """An operator in front of one server."""

    def __init__(self, example):
        self.example, self.server, self.folder = example, example.serve(), example.folder / "policies"
        self.operator, self.admin = example.key("op", "operator"), example.key("root", "admin")

    def ask(self, method: str, path: str = "", body: dict | None = None, key: str = "") -> requests.Response:
        url = f"{self.server.url}/api/admin/policies{path}"
        return requests.request(method, url, json=body, headers=bearer(key or self.operator), timeout=30)

    def version(self) -> str:
        return self.ask("GET").json()["version"]

    def put(self, files: dict[str, str | None], base: str = "", reason: str = "A test.", key: str = "") -> requests.Response:
        body = {"files": named(files), "base": base or self.version(), "reason": reason}
        return self.ask("PUT", "", body, key)

    def texts(self) -> dict[str, str]:
        """The set as the directory has it."""
        return {path.name: path.read_text() for path in self.folder.iterdir() if not path.name.startswith(".")}

    def rule(self, amount: str = "15.00") -> str:
        end = only_end(say(self.server, self.example.person("anna"), refund(amount, "C-900")))
        return self.example.decision(end)["rule"]

    def acts(self, action: str) -> list[dict]:
        url = f"{self.server.url}/api/admin/decisions"
        answer = requests.get(url, params={"org": "-", "tool": action}, headers=bearer(self.operator), timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


def named(files: dict[str, str | None]) -> list[dict]:
    return [{"name": name, "text": text} for name, text in files.items()]


@pytest.fixture
def publisher(make_example):
    return Publisher(make_example("refund-authorization"))


def test_a_set_is_checked_published_and_taken_back(publisher):
    texts, before = publisher.texts(), publisher.version()
    tests = texts["refunds.test.yaml"]
    stricter = texts["refunds.cedar"].replace(*STRICTER)

    checked = publisher.ask("POST", "/check", {"files": named({"refunds.cedar": stricter})}, publisher.admin).json()
    assert not checked["ok"] and any(not test["passed"] for test in checked["tests"]), "the tests in force are asked"
    checked = publisher.ask("POST", "/check", {"files": named({"a.cedar": "forbit ("})}).json()
    assert not checked["ok"] and checked["findings"][0]["file"] == "a.cedar" and checked["version"] is None

    refused = publisher.put({"refunds.cedar": stricter})
    assert refused.status_code == 422 and refused.json()["error"]["code"] == "policies_refused", refused.text
    assert refused.json()["findings"][0]["kind"] == "test" and publisher.version() == before and publisher.texts() == texts

    answer = publisher.put({"refunds.cedar": stricter, "refunds.test.yaml": None, "notes/extra.cedar": EXTRA}, reason="Less is more.")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["changed"] and said["previous_version"] == before and said["version"] == publisher.version() != before
    assert publisher.rule() == "refund-too-large", "at once, in the server that was asked"
    assert not (publisher.folder / "refunds.test.yaml").exists()
    assert (publisher.folder / "notes" / "extra.cedar").read_text() == EXTRA
    (act,) = publisher.acts("policies.publish")
    details = json.loads(act["details"]) if isinstance(act["details"], str) else act["details"]
    assert (details["reason"], details["version"], details["was"]) == ("Less is more.", said["version"], before), details
    assert details["by"] and details["by_org"] == "acme", details
    again = publisher.put({"refunds.cedar": stricter, "notes/extra.cedar": EXTRA}, base=before)
    assert again.status_code == 200 and not again.json()["changed"], "who did not hear the answer may ask again"

    kept = publisher.ask("GET", f"/{before}").json()
    assert kept["files"] == {"refunds.cedar": texts["refunds.cedar"]} and kept["test_files"] == {"refunds.test.yaml": tests}
    back = publisher.ask("POST", "/rollback", {"version": before, "reason": "It was better."})
    assert back.status_code == 200 and back.json()["version"] == before == publisher.version(), back.text
    (publisher.folder / "notes").rmdir()
    assert publisher.texts() == texts and publisher.rule() == "refund-small"
    (act,) = publisher.acts("policies.rollback")
    assert "It was better." in json.dumps(act)
    assert publisher.ask("POST", "/rollback", {"version": "0" * 64, "reason": "x"}).status_code == 404
    publisher.example.installation.command("audit", "verify")


def test_what_is_not_published_and_why(publisher):
    texts, before = publisher.texts(), publisher.version()
    cedar, tests = texts["refunds.cedar"], texts["refunds.test.yaml"]
    changed = cedar + "\n// another\n"

    def code(answer: requests.Response, status: int) -> str:
        assert answer.status_code == status, answer.text
        return answer.json()["error"]["code"]

    assert code(publisher.put({"refunds.cedar": changed}, key=publisher.admin), 403) == "role_required"
    assert code(publisher.put({"refunds.cedar": changed}, base="0" * 64), 409) == "version_conflict"
    assert code(publisher.put({"refunds.cedar": changed}, reason=" "), 400) == "invalid_request_error"
    assert code(publisher.ask("PUT", "", {"files": named({"refunds.cedar": changed}), "reason": "x"}), 400) == "invalid_request_error"
    names = [
        "../x.cedar",
        "/x.cedar",
        ".x.cedar",
        "a/../x.cedar",
        "a//x.cedar",
        "x.txt",
        "x.cedar\n",
        "a/b/c/d/e/f.cedar",
        "é.cedar",
        ".cedar",
    ]
    for name in [*names, "a/.git/x.cedar", f"{'x' * 250}.cedar", "..", ""]:
        answer = publisher.put({"refunds.cedar": cedar, name: changed})
        assert code(answer, 400) == "invalid_policy_file" and answer.json()["error"]["param"] == "files[1].name", name
    twice = [*named({"refunds.cedar": cedar}), *named({"refunds.cedar": cedar})]
    assert code(publisher.ask("PUT", "", {"files": twice, "base": before, "reason": "x"}), 400) == "invalid_policy_file"
    assert code(publisher.put({"refunds.cedar": "/" * (1 << 20 | 1)}), 400) == "invalid_policy_file"
    many = {f"f{number}.cedar": "" for number in range(257)}
    assert code(publisher.put(many), 400) == "invalid_policy_file"
    assert code(publisher.put({"refunds.test.yaml": tests}), 422) == "policies_refused", "a set has a policy"
    assert publisher.texts() == texts and publisher.version() == before and not publisher.acts("policies.publish")

    # A link is somebody else's: the volume of a cluster, or a way out.
    outside = publisher.example.folder / "outside.cedar"
    outside.write_text(EXTRA)
    (publisher.folder / "link.cedar").symlink_to(outside)
    wait_until("the link is in force", lambda: publisher.version() != before)
    assert code(publisher.put({"refunds.cedar": changed, "link.cedar": EXTRA + "\n"}), 409) == "directory_not_writable"
    assert outside.read_text() == EXTRA
    (publisher.folder / "link.cedar").unlink()
    wait_until("it is gone", lambda: publisher.version() == before)
    away = publisher.example.folder / "away"
    away.mkdir()
    (publisher.folder / "sub").symlink_to(away)
    assert code(publisher.put({"refunds.cedar": cedar, "sub/x.cedar": EXTRA}), 409) == "directory_not_writable"
    assert not list(away.iterdir()) and publisher.version() == before


def test_of_many_who_publish_at_once_one_is_first(publisher):
    cedar, base = publisher.texts()["refunds.cedar"], publisher.version()
    answers: list[requests.Response] = []
    threads = [
        threading.Thread(target=lambda number=number: answers.append(publisher.put({"refunds.cedar": f"{cedar}\n// {number}\n"}, base)))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert publisher.version() == won["version"] and len(publisher.acts("policies.publish")) == 1


def test_a_server_that_was_killed_in_the_middle_has_the_whole_set(publisher):
    """What is there after the journal has got its name and some of the files have not: the new set, and never parts of two."""
    texts = publisher.texts()
    stricter = texts["refunds.cedar"].replace(*STRICTER)
    publisher.server.kill()
    journal = publisher.folder / ".publishing"
    (publisher.folder / "old.cedar").write_text(EXTRA)
    journal.write_text(json.dumps({"files": {"refunds.cedar": stricter, "more.cedar": EXTRA.replace("extra", "more")}}))
    publisher.example.installation.command("policy", "check", str(publisher.folder))
    publisher.example.installation.restart(publisher.server)
    wait_until("it is finished", lambda: not journal.exists())
    assert publisher.texts() == {"refunds.cedar": stricter, "more.cedar": EXTRA.replace("extra", "more")}
    assert publisher.rule() == "refund-too-large"
    # A journal that is none: what was in force stays, and nothing is guessed.
    before = publisher.version()
    journal.write_text('{"files": {"../x.cedar": ""}}')
    refused = 'kdcube_policy_loads_total{outcome="refused"}'
    wait_until("it is refused", lambda: publisher.server.metrics().get(refused, 0) >= 1)
    assert publisher.version() == before and publisher.ask("GET").json()["failure"]


def test_a_second_server_of_the_directory_follows_and_the_command_publishes(publisher, tmp_path):
    example = publisher.example
    sections = {"tools": {"file": str(example.folder / "tools.yaml")}, "policies": {"directory": str(publisher.folder)}}
    neighbour = Installation(tmp_path / "neighbour", **sections)
    other, key = neighbour.serve(), neighbour.key("acme", "web", "root", "--role", "admin")["key"]
    folder = tmp_path / "set"
    folder.mkdir()
    cedar = publisher.texts()["refunds.cedar"]
    (folder / "refunds.cedar").write_text(cedar.replace(*STRICTER))
    options = ("--url", publisher.server.url, "--key", publisher.operator, "--reason", "A stricter day.")
    before = publisher.version()

    def run(*arguments: str) -> str:
        command = [str(BINARIES / "kdcube"), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
        if result.returncode != 0:
            raise CommandFailed(arguments, result)
        return result.stdout

    assert "policies are now version" in run("policy", "publish", str(folder), *options)
    url = f"{other.url}/api/admin/policies"
    wait_until("the other has it", lambda: requests.get(url, headers=bearer(key), timeout=10).json()["version"] != before)
    assert set(publisher.texts()) == {"refunds.cedar"}, "its tests are gone as in the folder"
    (folder / "refunds.cedar").write_text(cedar)
    with pytest.raises(CommandFailed) as failure:
        run("policy", "publish", str(folder), *options, "--base", before)
    assert "Another version is in force" in failure.value.stderr
    (folder / "refunds.cedar").write_text("forbit (")
    with pytest.raises(CommandFailed) as failure:
        run("policy", "publish", str(folder), *options)
    assert "refunds.cedar:1:1" in failure.value.stderr and failure.value.status == 1, failure.value.stderr
    assert before in run("policy", "rollback", before, *options)
    assert publisher.version() == before
    neighbour.stop()


def test_publishing_can_be_off(make_example):
    publisher = Publisher(make_example("refund-authorization", policies={"publish": "off"}))
    answer = publisher.put(publisher.texts())
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "publishing_off"
    assert publisher.ask("GET").json()["publish"] == "off"
    assert publisher.ask("POST", "/check", {"files": named(publisher.texts())}).json()["ok"]
    assert pathlib.Path(publisher.folder, "refunds.cedar").exists()

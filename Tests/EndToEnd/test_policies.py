"""The examples of policies through the real server: what is said in them, who agrees, and what comes of it."""

import json
import subprocess

import pytest
import requests
import yaml

from rig.envelopes import answer
from rig.examples import (
    ALL_DAY,
    EXAMPLES,
    NAMES,
    Example,
    bearer,
    conversation,
    decide,
    ends,
    follow,
    only_end,
    refund,
    say,
    snippets,
    squeezed,
    start,
    talks,
)
from rig.server import BINARIES, ROOT, CommandFailed, environment
from rig.waiting import wait_until


@pytest.mark.parametrize(("name", "title"), talks(), ids=lambda value: value.replace(" ", "-"))
def test_what_is_said_in_an_example_comes_out_as_it_says(examples, name, title):
    example = examples(name)
    talk = next(talk for talk in conversation(name)["talks"] if talk["name"] == title)
    key, session = example.person(talk["as"]), None
    for turn in talk["turns"]:
        answers = iter(turn.get("decide", []))

        def decide_next(approval: dict, answers=answers) -> None:
            for _ in range(approval["quorum"]):
                who = next(answers)
                said = decide(example.server, example.person(who["by"]), approval["id"], who["decision"], who["reason"])
                assert said.status_code == 200 and said.json()["ok"], said.text
                if who["decision"] == "deny":
                    return

        envelopes = say(example.server, key, turn["say"], session, decide_next)
        session = envelopes[0]["conversation"]["conversation_id"]
        assert next(answers, None) is None, "everybody was asked"
        if "calls" in turn:
            check_calls(example, ends(envelopes), turn["calls"])
        assert envelopes[-1]["type"] == "chat.complete" and answer(envelopes), "the model goes on"


def check_calls(example: Example, ended: list[dict], expected: list[dict]) -> None:
    """Calls of one tool are in order; those of several may have begun at one time."""
    assert sorted(end["tool"] for end in ended) == sorted(call["tool"] for call in expected), ended
    for tool in {call["tool"] for call in expected}:
        found = [example.facts(end) for end in ended if end["tool"] == tool]
        wanted = [call for call in expected if call["tool"] == tool]
        assert [one | want for one, want in zip(found, wanted, strict=True)] == found, (found, wanted)
        assert [one.get("code") for one in found] == [call.get("code") for call in wanted], (found, wanted)


def kdcube(*arguments: str) -> str:
    """A command as a page shows it: from the repository's root, without a server."""
    command = [str(BINARIES / "kdcube"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), cwd=ROOT, check=False)
    assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_checked_tested_and_served_as_its_page_says(name):
    folder = f"Examples/{name}"
    kdcube("check-config", "--config", f"{folder}/kdcube.yaml")
    kdcube("policy", "check", f"{folder}/policies", "--tools", f"{folder}/tools.yaml", "--strict")
    kdcube("policy", "test", f"{folder}/policies", "--tools", f"{folder}/tools.yaml", "--coverage")


DOCUMENTS = [ROOT / "docs" / "policy-guide.md", *(EXAMPLES / name / "README.md" for name in NAMES)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.parent.name + "-" + path.stem)
def test_what_a_page_shows_is_from_a_file_that_is_tested(document):
    files = [path for path in EXAMPLES.rglob("*") if path.suffix in (".cedar", ".yaml")]
    texts = [squeezed(path.read_text()) for path in files]
    for snippet in snippets(document.read_text(), "cedar", "yaml", "text"):
        assert any(squeezed(snippet) in text for text in texts), f"{document.name} shows what no example has:\n{snippet}"


def test_the_policies_of_the_demo_are_checked_and_tested():
    folder, tools = "scripts/demo/policies", "scripts/demo/tools.yaml"
    kdcube("policy", "check", "--strict", folder, "--tools", tools)
    assert " 0 failed" in kdcube("policy", "test", "--coverage", folder, "--tools", tools)


def test_the_guide_shows_the_schema_and_a_question_as_they_are(tmp_path):
    guide = (ROOT / "docs" / "policy-guide.md").read_text()
    folder = "Examples/refund-authorization"
    schema = squeezed(kdcube("policy", "schema", "--tools", f"{folder}/tools.yaml"))
    assert all(squeezed(snippet) in schema for snippet in snippets(guide, "cedarschema")) and "cedarschema" in guide, schema
    (question,) = snippets(guide, "json")
    (tmp_path / "question.json").write_text(question)
    explain = ("policy", "explain", f"{folder}/policies", "--request", str(tmp_path / "question.json"))
    said = kdcube(*explain, "--json")
    assert json.loads(said)["decision"] == "approval" and json.loads(said)["approval"]["quorum"] == 2, said
    shown = {"explained": kdcube(*explain), "findings": kdcube("policy", "check", f"{folder}/policies")}
    for language, text in shown.items():
        (snippet,) = snippets(guide, language)
        # All but the version, which is another with each change.
        assert [line for line in text.splitlines() if line in snippet.splitlines()] == snippet.splitlines(), text


# Limits


def test_sixteen_at_once_against_the_sum_of_a_day_are_four(refunds):
    """Number 62, from conversations of their own (63): 50.00 each, 200.00 for a customer in a day."""
    runs = [start(refunds.server, refunds.person("anna"), refund("50.00", "C-200", f"B-{number}")) for number in range(16)]
    ended = [only_end(follow(refunds.server, refunds.person("anna"), run["run_id"])) for run in runs]
    assert sum(end["status"] == "completed" for end in ended) == 4
    refused = [end for end in ended if end["status"] != "completed"]
    assert {(end["error"]["code"], end["rule"]) for end in refused} == {("limit_exceeded", "refund-small")}
    assert any("200" in end["error"]["message"] for end in refused), refused[0]
    other = only_end(say(refunds.server, refunds.person("anna"), refund("50.00", "C-201")))
    assert other["status"] == "completed", "another customer has room"


def test_a_budget_is_spent_whatever_people_agree_to(make_example):
    example = make_example("cost-containment", budgets=[{"scope": "org:acme", "unit": "usd", "window": "day", "limit": "1.00"}])
    example.edit_all(ALL_DAY)
    (example.folder / "policies" / "costs.test.yaml").unlink()
    example.serve()
    asked: list[dict] = []
    envelopes = say(example.server, example.person("anna"), '@tool research.deep {"query": "x"}\n@then\n@tokens 2', on_pending=asked.append)
    assert only_end(envelopes)["error"]["code"] == "budget_exceeded" and not asked, "nobody is bothered with what cannot be paid"


def test_outside_of_office_hours_nobody_is_asked(make_example):
    example = make_example("cost-containment", {'duration("8h")': 'duration("23h")', 'duration("18h")': 'duration("0h")'})
    (example.folder / "policies" / "costs.test.yaml").unlink()
    example.serve()
    end = only_end(say(example.server, example.person("anna"), '@tool research.deep {"query": "x"}\n@then\n@tokens 2'))
    assert end["rule"] == "office-hours" and "office hours" in end["error"]["message"], end


# Code


def test_a_loop_of_code_meets_its_limit_and_code_has_no_network(examples):
    example = examples("secure-code")
    loop = next(talk for talk in conversation("secure-code")["talks"] if "loop" in talk["name"])
    ended = ends(say(example.server, example.person("dev"), loop["turns"][0]["say"]))
    (ran,) = [end for end in ended if end["tool"] == "run_code"]
    assert ran["value"] == 20 and ran["stdout"] == "limit_exceeded code-reads\n", ran
    network = next(talk for talk in conversation("secure-code")["talks"] if "network" in talk["name"])
    first = ends(say(example.server, example.person("dev"), network["turns"][0]["say"]))[0]
    assert first["stdout"].startswith("no network:"), first


def test_what_code_is_told_when_it_writes(examples):
    example = examples("secure-code")
    talk = next(talk for talk in conversation("secure-code")["talks"] if "acts" in talk["name"])
    ran = next(end for end in ends(say(example.server, example.person("dev"), talk["turns"][0]["say"])) if end["tool"] == "run_code")
    assert ran["stdout"] == "denied code-never-writes\n" and set(ran["value"]) == {"C-1", "C-2", "C-3"}, ran


# The record


def test_a_decision_can_be_explained_and_made_again(refunds):
    say(refunds.server, refunds.person("anna"), refund("1500.00", "C-300"))
    say(refunds.server, refunds.person("anna"), refund("5.00", "C-300"))
    admin = refunds.key("root", "admin")
    url = f"{refunds.server.url}/api/admin/decisions"
    found = requests.get(url, params={"tool": "payments.refund"}, headers=bearer(admin), timeout=10).json()["data"]
    denied = next(one for one in found if one["decision"] == "deny" and one["rule"] == "refund-too-large")
    one = requests.get(f"{url}/{denied['id']}", headers=bearer(admin), timeout=10).json()
    assert "refund-too-large (forbid, refunds.cedar:52) is satisfied" in one["explanation"]["text"], one
    refunds.installation.command("policy", "replay", str(refunds.folder / "policies"))
    stricter = refunds.folder / "stricter"
    stricter.mkdir(exist_ok=True)
    text = (refunds.folder / "policies" / "refunds.cedar").read_text()
    (stricter / "refunds.cedar").write_text(text.replace('decimal("50.00")', 'decimal("1.00")'))
    with pytest.raises(CommandFailed) as failure:
        refunds.installation.command("policy", "replay", str(stricter))
    assert failure.value.status == 1 and "refund-approved" in str(failure.value), "5.00 would have needed finance"
    refunds.installation.command("audit", "verify")


STRICTER = ('greaterThan(decimal("1000.00")) };', 'greaterThan(decimal("10.00")) };')


def test_changed_policies_are_in_force_without_a_restart_and_broken_ones_never(make_example):
    example = make_example("refund-authorization")
    example.serve()

    def rule(amount: str = "15.00") -> str:
        return example.decision(only_end(say(example.server, example.person("anna"), refund(amount, "C-400"))))["rule"]

    assert rule() == "refund-small"
    (example.folder / "policies" / "refunds.test.yaml").unlink()
    example.edit(*STRICTER)
    wait_until("the change is in force", lambda: rule() == "refund-too-large", every=0.5)
    example.edit("forbid (", "forbit (")
    refused = 'kdcube_policy_loads_total{outcome="refused"}'
    wait_until("the mistake was seen", lambda: example.server.metrics().get(refused, 0) >= 1)
    assert rule() == "refund-too-large" and rule("9.00") == "refund-small", "what was in force stays"


def test_a_candidate_is_tried_on_every_call_and_changes_none(make_example, tmp_path):
    candidate = tmp_path / "candidate"
    candidate.mkdir()
    text = (EXAMPLES / "refund-authorization" / "policies" / "refunds.cedar").read_text()
    assert STRICTER[0] in text
    (candidate / "refunds.cedar").write_text(text.replace(*STRICTER))
    example = make_example("refund-authorization", policies={"candidate": str(candidate)})
    example.serve()
    made = [
        example.decision(only_end(say(example.server, example.person("anna"), refund(amount, "C-401")))) for amount in ("20.00", "5.00")
    ]
    assert [one["rule"] for one in made] == ["refund-small", "refund-small"]
    details = [json.loads(one["details"]) if isinstance(one["details"], str) else one["details"] for one in made]
    assert details[0]["shadow"]["decision"] == "deny" and details[0]["shadow"]["rule"] == "refund-too-large", details[0]
    assert "shadow" not in details[1], details[1]


# Sets that are refused


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ({'@approval("group:finance timeout:30m")': '@aproval("group:finance timeout:30m")'}, "aproval"),
        ({'decimal("50.00")': 'decimal("60.00")'}, "one cent more"),
        ({"context.args.amount.greaterThan": "context.args.amont.greaterThan"}, "amont"),
        ({'@approval("group:finance quorum:2 timeout:30m")': '@approval("quorum:2 timeout:30m")'}, "nobody could approve"),
        ({"sum(args.amount) <= 200.00 per customer per day": "sum(args.amount) <= 200.00 per client per day"}, "client"),
        ({'@message("Refunds': '@approval("group:finance")\n@message("Refunds'}, "forbid"),
        ({'@id("refund-approved")': '@id("refund-small")'}, "has this id already"),
    ],
    ids=["annotation", "test", "argument", "approvers", "key", "obligation", "id"],
)
def test_a_set_with_a_mistake_is_not_served(make_example, edit, says):
    example = make_example("refund-authorization")
    for old, new in edit.items():
        path = example.folder / "policies" / "refunds.cedar"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CommandFailed) as failure:
        example.installation.command("policy", "check", str(example.folder / "policies"))
    assert failure.value.status == 1 and says in str(failure.value), failure.value
    served = example.installation.serve(ready=False)
    assert served.process.wait(30) != 0 and "policies.directory" in served.process.tail()


def test_every_example_has_its_page_and_says_which_policies_it_has():
    for name in NAMES:
        page = (EXAMPLES / name / "README.md").read_text()
        assert f"Examples/{name}/kdcube.yaml" in page
        rules = [
            line.split('"')[1]
            for path in (EXAMPLES / name / "policies").glob("*.cedar")
            for line in path.read_text().splitlines()
            if line.startswith("@id(")
        ]
        assert rules and all(f"`{rule}`" in page for rule in rules), (name, rules)
        assert yaml.safe_load((EXAMPLES / name / "tools.yaml").read_text())["tools"]

"""The examples of policies through the real server: what is said in them, who agrees, and what comes of it."""

import json
import subprocess
import threading

import pytest
import requests
import yaml

from rig.envelopes import answer
from rig.examples import (
    EXAMPLES,
    NAMES,
    Example,
    approvals,
    bearer,
    conversation,
    decide,
    ends,
    facts,
    follow,
    news,
    say,
    snippets,
    squeezed,
    start,
    talks,
)
from rig.realtime import Client
from rig.server import BINARIES, ROOT, CommandFailed, environment
from rig.waiting import wait_until

REFUND = '@tool payments.refund {{"order_id": "{order}", "customer": "{customer}", "amount": "{amount}"}}\n@then\n@tokens 3'
#: The rules that ask for the time of day are the same all day long here.
ALL_DAY = {'duration("8h")': 'duration("0h")', 'duration("18h")': 'duration("24h")'}


def refund(amount: str, customer: str, order: str = "A-1") -> str:
    return REFUND.format(order=order, customer=customer, amount=amount)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Each example's server, started when it is first asked for."""
    running: dict[str, Example] = {}

    def get(name: str) -> Example:
        if name not in running:
            running[name] = Example(name, tmp_path_factory.mktemp(name))
            if name == "cost-containment":
                for old, new in ALL_DAY.items():
                    running[name].edit(old, new)
                # Its tests are about the office hours that are not there now.
                (running[name].folder / "policies" / "costs.test.yaml").unlink()
            running[name].serve()
        return running[name]

    yield get
    for example in running.values():
        example.stop()


@pytest.fixture
def refunds(examples):
    return examples("refund-authorization")


@pytest.fixture
def make_example(tmp_path):
    made: list[Example] = []

    def make(name: str, edit: dict[str, str] | None = None, **sections) -> Example:
        made.append(Example(name, tmp_path / name, edit, **sections))
        return made[-1]

    yield make
    for example in made:
        example.stop()


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
            check_calls(ends(envelopes), turn["calls"])
        assert envelopes[-1]["type"] == "chat.complete" and answer(envelopes), "the model goes on"


def check_calls(ended: list[dict], expected: list[dict]) -> None:
    """Calls of one tool are in order; those of several may have begun at one time."""
    assert sorted(end["tool"] for end in ended) == sorted(call["tool"] for call in expected), ended
    for tool in {call["tool"] for call in expected}:
        found = [facts(end) for end in ended if end["tool"] == tool]
        wanted = [call for call in expected if call["tool"] == tool]
        assert [one | want for one, want in zip(found, wanted, strict=True)] == found, (found, wanted)


def kdcube(*arguments: str) -> str:
    """A command as a page shows it: from the repository's root, without a server."""
    command = [str(BINARIES / "kdcube"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), cwd=ROOT, check=False)
    assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_checked_tested_and_served_as_its_page_says(name):
    folder = f"examples/{name}"
    kdcube("check-config", "--config", f"{folder}/kdcube.yaml")
    assert "error" not in kdcube("policy", "check", f"{folder}/policies", "--tools", f"{folder}/tools.yaml")
    kdcube("policy", "test", f"{folder}/policies", "--tools", f"{folder}/tools.yaml", "--coverage")


DOCUMENTS = [ROOT / "docs" / "policy-guide.md", *(EXAMPLES / name / "README.md" for name in NAMES)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.parent.name + "-" + path.stem)
def test_what_a_page_shows_is_from_a_file_that_is_tested(document):
    files = [path for path in EXAMPLES.rglob("*") if path.suffix in (".cedar", ".yaml")]
    texts = [squeezed(path.read_text()) for path in files]
    for snippet in snippets(document.read_text(), "cedar", "yaml", "text"):
        assert any(squeezed(snippet) in text for text in texts), f"{document.name} shows what no example has:\n{snippet}"


def test_the_guide_shows_the_schema_and_a_question_as_they_are(tmp_path):
    guide = (ROOT / "docs" / "policy-guide.md").read_text()
    folder = "examples/refund-authorization"
    schema = squeezed(kdcube("policy", "schema", "--tools", f"{folder}/tools.yaml"))
    assert all(squeezed(snippet) in schema for snippet in snippets(guide, "cedarschema")) and "cedarschema" in guide, schema
    (question,) = snippets(guide, "json")
    (tmp_path / "question.json").write_text(question)
    said = kdcube("policy", "explain", f"{folder}/policies", "--request", str(tmp_path / "question.json"), "--json")
    assert json.loads(said)["decision"] == "approval" and json.loads(said)["approval"]["quorum"] == 2, said


# Approvals


def pending(example: Example, who: str, amount: str, customer: str) -> tuple[dict, list[dict], threading.Thread]:
    """A refund that waits: its approval, the envelopes of its run as they come, and the thread that reads them."""
    envelopes: list[dict] = []
    asked: list[dict] = []
    key = example.person(who)
    run = start(example.server, key, refund(amount, customer))["run_id"]
    reader = threading.Thread(target=lambda: envelopes.extend(follow(example.server, key, run, asked.append)))
    reader.start()
    wait_until("somebody is asked", lambda: asked)
    return asked[0], envelopes, reader


def only_end(envelopes: list[dict]) -> dict:
    (end,) = ends(envelopes)
    return end


def test_an_approval_shows_what_would_be_done_and_who_may_say_so(refunds):
    approval, envelopes, reader = pending(refunds, "anna", "120.00", "C-100")
    assert approval["tool"] == "payments.refund" and "finance" in json.dumps(approval["from"])
    assert approval["args"] == {"order_id": "A-1", "customer": "C-100", "amount": "120.00"}
    assert (approval["quorum"], approval["agreed"], approval["state"]) == (1, 0, "pending")
    (seen,) = [one for one in approvals(refunds.server, refunds.person("fred"), state="pending") if one["id"] == approval["id"]]
    assert seen["may_decide"] is True and seen["args"] == approval["args"]
    mine = [one for one in approvals(refunds.server, refunds.person("anna"), state="pending") if one["id"] == approval["id"]]
    assert all(one["may_decide"] is False for one in mine)
    assert decide(refunds.server, refunds.person("fred"), approval["id"], "approve").json()["state"] == "approved"
    reader.join(30)
    end = only_end(envelopes)
    assert end["status"] == "completed" and end["result"]["status"] == "refunded", end
    assert [one["state"] for one in news(envelopes)] == ["pending", "approved"], news(envelopes)


def test_who_asks_does_not_agree_nor_does_a_stranger(refunds):
    approval, envelopes, reader = pending(refunds, "anna", "130.00", "C-101")
    both = refunds.key("anna", "support", "finance")
    strangers = {
        "the caller's own key": refunds.person("anna"),
        "another key of the caller, with the role": both,
        "a role that is not asked": refunds.key("simon", "support"),
        "finance of another organisation": refunds.key("fred", "finance", org="globex"),
    }
    for who, key in strangers.items():
        refused = decide(refunds.server, key, approval["id"], "approve")
        assert refused.status_code in (403, 404), (who, refused.text)
    assert approval["id"] not in [one["id"] for one in approvals(refunds.server, strangers["finance of another organisation"])]
    assert decide(refunds.server, refunds.person("fred"), approval["id"], "deny", "Not this one.").status_code == 200
    reader.join(30)
    end = only_end(envelopes)
    assert end["error"]["code"] == "approval_denied" and "Not this one." in end["error"]["message"], end
    assert decide(refunds.server, refunds.person("greta"), approval["id"], "approve").status_code == 409, "it is over"


def test_two_people_are_two_people(refunds):
    approval, envelopes, reader = pending(refunds, "anna", "700.00", "C-102")
    first = decide(refunds.server, refunds.person("fred"), approval["id"], "approve")
    assert first.json()["state"] == "pending", first.text
    again = decide(refunds.server, refunds.person("fred"), approval["id"], "approve")
    assert again.status_code in (403, 409), "once is enough"
    twice = decide(refunds.server, refunds.key("fred", "finance"), approval["id"], "approve")
    assert twice.status_code in (403, 409), "another key of his is still him"
    (seen,) = [one for one in approvals(refunds.server, refunds.person("greta"), state="pending") if one["id"] == approval["id"]]
    assert (seen["agreed"], seen["quorum"]) == (1, 2)
    assert decide(refunds.server, refunds.person("greta"), approval["id"], "approve").json()["state"] == "approved"
    reader.join(30)
    assert only_end(envelopes)["status"] == "completed"
    told = [(one["state"], one["agreed"]) for one in news(envelopes)]
    assert told[0] == ("pending", 0) and told[-1] == ("approved", 2) and told == sorted(set(told), key=told.index), told


def test_one_no_is_enough(refunds):
    approval, envelopes, reader = pending(refunds, "anna", "800.00", "C-103")
    assert decide(refunds.server, refunds.person("fred"), approval["id"], "approve").status_code == 200
    assert decide(refunds.server, refunds.person("greta"), approval["id"], "deny", "Too much.").json()["state"] == "denied"
    reader.join(30)
    assert only_end(envelopes)["error"]["code"] == "approval_denied"


def test_after_two_refusals_nobody_is_asked_for_a_while(refunds):
    for number in range(2):
        approval, envelopes, reader = pending(refunds, "anna", "140.00", "C-104")
        decide(refunds.server, refunds.person("fred"), approval["id"], "deny", f"No, for the {number + 1}. time.")
        reader.join(30)
        assert only_end(envelopes)["error"]["code"] == "approval_denied"
    asked: list[dict] = []
    envelopes = say(refunds.server, refunds.person("anna"), refund("140.00", "C-104"), on_pending=asked.append)
    assert only_end(envelopes)["error"]["code"] == "approval_denied_recently" and not asked


def test_silence_is_no_approval_and_nobody_is_named(make_example):
    example = make_example("refund-authorization", {"timeout:30m": "timeout:10s"})
    example.serve()
    asked: list[dict] = []
    envelopes = say(example.server, example.person("anna"), refund("150.00", "C-105"), on_pending=asked.append)
    end = only_end(envelopes)
    assert end["error"]["code"] == "approval_expired" and end["decision"] == "deny", end
    assert [one["state"] for one in news(envelopes)] == ["pending", "expired"]
    late = decide(example.server, example.person("fred"), asked[0]["id"], "approve")
    assert late.status_code in (409, 410), late.text


def test_a_run_that_is_cancelled_takes_its_question_back(refunds):
    approval, envelopes, reader = pending(refunds, "anna", "160.00", "C-106")
    (run,) = [one["run"] for one in approvals(refunds.server, refunds.person("fred"), state="pending") if one["id"] == approval["id"]]
    cancelled = requests.post(f"{refunds.server.url}/v1/runs/{run}/cancel", headers=bearer(refunds.person("anna")), timeout=10)
    assert cancelled.status_code == 200, cancelled.text
    reader.join(30)
    assert envelopes[-1]["data"]["finish_reason"] == "cancelled"
    assert decide(refunds.server, refunds.person("fred"), approval["id"], "approve").status_code == 409
    assert approval["id"] not in [one["id"] for one in approvals(refunds.server, refunds.person("fred"), state="pending")]


def test_an_approval_survives_a_restart_of_the_server(make_example):
    """Number 83: still pending, its deadline kept."""
    example = make_example("refund-authorization")
    example.serve()
    start(example.server, example.person("anna"), refund("170.00", "C-107"))
    (before,) = wait_until("somebody is asked", lambda: approvals(example.server, example.person("fred"), state="pending"))
    example.server.kill()
    example.installation.restart(example.server)
    (after,) = approvals(example.server, example.person("fred"), state="pending")
    assert (after["id"], after["expires_at"], after["agreed"]) == (before["id"], before["expires_at"], 0)
    assert decide(example.server, example.person("fred"), before["id"], "approve").json()["state"] == "approved"


def test_who_calls_again_after_a_stop_finds_the_answer(make_example):
    example = make_example("refund-authorization", server={"web_client": str(ROOT / "web-client"), "grace": "1s"})
    example.serve()
    anna, fred = example.person("anna"), example.person("fred")
    start(example.server, anna, refund("175.00", "C-110"), "the-talk")
    (asked,) = wait_until("somebody is asked", lambda: approvals(example.server, fred, state="pending"))
    example.server.process.stop()
    example.installation.restart(example.server)
    assert decide(example.server, fred, asked["id"], "approve").json()["state"] == "approved"
    again: list[dict] = []
    end = only_end(say(example.server, anna, refund("175.00", "C-110"), "the-talk", again.append))
    assert end["status"] == "completed" and not again, "nobody is asked twice"
    third = start(example.server, anna, refund("175.00", "C-110"), "the-talk")
    (new,) = wait_until("an approval is good for one call", lambda: approvals(example.server, fred, state="pending"))
    assert new["id"] != asked["id"]
    decide(example.server, fred, new["id"], "deny", "Once is enough.")
    assert only_end(follow(example.server, anna, third["run_id"]))["error"]["code"] == "approval_denied"


def test_over_socket_io_people_are_asked_and_answer(refunds):
    asks = Client(refunds.server.url, refunds.person("anna"))
    answers = Client(refunds.server.url, refunds.person("fred"))
    try:
        run = asks.call("chat_message", {"text": f"@rate 0\n{refund('180.00', 'C-108')}", "model": "demo"})["run_id"]
        approval = asks.wait("chat_approval", run)["approval"]
        own = asks.call("approval_decide", {"approval_id": approval["id"], "decision": "approve", "reason": "Mine."})
        assert own["ok"] is False and own["error"]["code"], own
        said = answers.call("approval_decide", {"approval_id": approval["id"], "decision": "approve", "reason": "Fine."})
        assert (said["ok"], said["state"]) == (True, "approved"), said
        envelopes = asks.finish(run)
        assert only_end(envelopes)["status"] == "completed"
    finally:
        asks.close()
        answers.close()


@pytest.mark.parametrize(
    ("body", "status"),
    [({"decision": "maybe", "reason": "x"}, 400), ({"decision": "deny", "reason": ""}, 400), ({"decision": "approve", "reason": "x"}, 404)],
)
def test_an_answer_that_is_none_is_refused(refunds, body, status):
    unknown = f"{refunds.server.url}/api/approvals/apr_AAAAAAAAAAAAAAAAAAAA"
    key = refunds.person("fred")
    if status == 404:
        assert requests.post(unknown, json=body, headers=bearer(key), timeout=10).status_code == 404
        return
    approval, _, reader = pending(refunds, "anna", "190.00", f"C-109-{len(body['decision'])}")
    refused = requests.post(f"{refunds.server.url}/api/approvals/{approval['id']}", json=body, headers=bearer(key), timeout=10)
    assert refused.status_code == status, refused.text
    decide(refunds.server, key, approval["id"], "deny", "Done.")
    reader.join(30)


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
    for old, new in ALL_DAY.items():
        example.edit(old, new)
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
    assert requests.get(f"{url}/{denied['id']}", headers=bearer(admin), timeout=10).status_code == 200
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
        return only_end(say(example.server, example.person("anna"), refund(amount, "C-400")))["rule"]

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
    for amount in ("20.00", "5.00"):
        assert only_end(say(example.server, example.person("anna"), refund(amount, "C-401")))["rule"] == "refund-small"
    admin = bearer(example.key("root", "admin"))
    url = f"{example.server.url}/api/admin/decisions"
    found = requests.get(url, params={"tool": "payments.refund"}, headers=admin, timeout=10).json()["data"]
    told = {json.loads(one["arguments"])["amount"]: requests.get(f"{url}/{one['id']}", headers=admin, timeout=10).text for one in found}
    assert "shadow" in told["20.00"] and "refund-too-large" in told["20.00"], told
    assert "refund-too-large" not in json.dumps(json.loads(told["5.00"]).get("shadow")), told


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
        assert f"examples/{name}/kdcube.yaml" in page
        rules = [
            line.split('"')[1]
            for path in (EXAMPLES / name / "policies").glob("*.cedar")
            for line in path.read_text().splitlines()
            if line.startswith("@id(")
        ]
        assert rules and all(f"`{rule}`" in page for rule in rules), (name, rules)
        assert yaml.safe_load((EXAMPLES / name / "tools.yaml").read_text())["tools"]

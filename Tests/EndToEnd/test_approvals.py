"""Calls that people have to agree to, through the real server, with the policies of Examples/refund-authorization."""

import json
import threading

import pytest
import requests

from rig.examples import Example, approvals, bearer, decide, follow, news, only_end, refund, say, start
from rig.realtime import Client
from rig.server import ROOT
from rig.waiting import wait_until


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


def test_a_draft_that_is_changed_while_people_think_is_not_sent(examples):
    """Number 76: all is decided again when they have agreed."""
    mail = examples("vendor-onboarding")
    bo, draft = (
        mail.person("bo"),
        '@tool mail.draft {"draft_id": "late", "to": "a@vendor.example", "subject": "s", "body": "%s", "final": %s}',
    )
    say(
        mail.server,
        bo,
        draft % ("Net 30.", "true"),
        "talk-76",
        lambda asked: decide(mail.server, mail.person("lena"), asked["id"], "approve"),
    )
    sending = start(mail.server, bo, '@tool mail.send {"draft_id": "late"}\n@then\n@tokens 2', "talk-76")
    (asked,) = wait_until("procurement is asked", lambda: approvals(mail.server, mail.person("paul"), state="pending"))
    changed = say(mail.server, bo, draft % ("Net 5.", "false"), "talk-76")
    assert only_end(changed)["status"] == "completed", changed
    assert decide(mail.server, mail.person("paul"), asked["id"], "approve").json()["state"] == "approved"
    end = only_end(follow(mail.server, bo, sending["run_id"]))
    assert (end["decision"], end["rule"]) == ("deny", "send-only-signed"), end


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

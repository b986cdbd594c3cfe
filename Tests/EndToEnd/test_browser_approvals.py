"""A refund above the limit, from the chat page to the console and back, in headless Chromium with the official client."""

import pytest

from rig.examples import refund
from rig.page import answer, ask, connected, ended


@pytest.fixture
def open_at(browser):
    """Opens a page of a server with a key. Every error of a script on it fails the test."""
    contexts, problems = [], []

    def open_at(url: str, key: str):
        contexts.append(browser.new_context(viewport={"width": 1440, "height": 900}))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}#key={key}")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert not problems, problems


def pending(console):
    card = console.locator("article[data-approval]").first
    card.wait_for()
    return card


def test_a_refund_waits_for_people_and_goes_on_with_their_answer(refunds, open_at):
    server = refunds.server
    chat = open_at(f"{server.url}/", refunds.key("bea", "support"))
    connected(chat)
    first, second = (open_at(f"{server.url}/console/", refunds.key(user, "finance")) for user in ("fay", "fred"))

    ask(chat, refund("700.00", "C-70", "A-700"), "demo")
    asked = answer(chat).locator("section.approval")
    asked.wait_for()
    assert "payments.refund waits for approval" in asked.inner_text() and "2" in asked.inner_text()
    card = pending(first)
    shown = card.inner_text()
    assert "700.00" in shown and "A-700" in shown and "bea" in shown, shown
    card.get_by_role("button", name="Approve").click()
    answer(chat).locator("section.approval", has_text="1 of 2").wait_for()
    assert asked.get_attribute("data-state") == "pending", "two-person approval needs two people"
    pending(second).get_by_role("button", name="Approve").click()
    ended(chat)
    assert asked.get_attribute("data-state") == "approved"
    assert "refunded" in answer(chat).inner_text() or "completed" in answer(chat).inner_text().lower()


def test_a_denial_is_told_to_the_model_and_the_stream_goes_on(refunds, open_at):
    server = refunds.server
    chat = open_at(f"{server.url}/", refunds.key("bob", "support"))
    connected(chat)
    console = open_at(f"{server.url}/console/", refunds.key("flo", "finance"))
    ask(chat, refund("60.00", "C-71", "A-71"), "demo")
    card = pending(console)
    card.get_by_role("textbox", name="Reason").fill("The customer is not known.")
    card.get_by_role("button", name="Deny").click()
    ended(chat)
    assert answer(chat).locator("section.approval").get_attribute("data-state") == "denied"
    assert "The customer is not known." in answer(chat).inner_text() or "approval_denied" in answer(chat).inner_text()

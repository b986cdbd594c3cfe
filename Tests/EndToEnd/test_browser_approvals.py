"""An approval from both sides, in headless Chromium through the real server: the chat of who asks, the consoles of those who agree."""

import re

import pytest
from playwright.sync_api import expect

from rig.page import answer, ask, connected, ended, order
from rig.waiting import wait_until


def refund(order_id: str, customer: str, amount: str) -> str:
    call = f'@tool payments.refund {{"order_id": "{order_id}", "customer": "{customer}", "amount": "{amount}"}}'
    return "\n".join(["Refund it.", "@rate 0", call, "@then", "@tokens 3"])


@pytest.fixture
def screens(browser, refunds):
    """Opens a page as somebody of the example. An error of a script, or something that the policy of content forbids, fails the test."""
    contexts, problems = [], []

    def screens(who: str, path: str = "/console/?page=approvals", *roles: str):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: "Content Security Policy" in message.text and problems.append(message.text))
        key = refunds.key(who, *roles) if roles else refunds.person(who)
        page.goto(f"{refunds.server.url}{path}#key={key}")
        connected(page, "live" if path == "/" or "admin" in roles else "poll")
        return page

    yield screens
    for context in contexts:
        context.close()
    assert not problems, problems


def card(page, order_id: str):
    return page.locator("article.ap", has=page.get_by_role("cell", name=order_id, exact=True))


def test_two_people_agree_in_the_console_and_the_chat_goes_on(screens):
    anna, fred, greta = screens("anna", "/"), screens("fred"), screens("gina", "/console/?page=approvals", "finance", "admin")
    ask(anna, refund("W-1", "C-W1", "700.00"), "demo")
    chat = answer(anna).locator("section.approval")
    chat.get_by_text("0 of 2 agreed").wait_for()
    expect(chat).to_contain_text(
        "May be decided by 2 people of group finance. You asked for this; somebody else has to agree.", use_inner_text=True
    )
    expect(chat.get_by_role("button", name="Approve")).to_have_count(0)
    card(greta, "W-1").get_by_role("textbox", name="Reason").fill("The parcel is lost.")
    card(greta, "W-1").get_by_role("button", name="Approve").click()
    card(greta, "W-1").get_by_text("You have agreed. One more person has to.").wait_for()
    chat.get_by_text("1 of 2 agreed").wait_for()
    card(fred, "W-1").get_by_text("“The parcel is lost.”").wait_for()
    card(fred, "W-1").get_by_role("button", name="Approve").click()
    ended(anna)
    expect(chat).to_have_attribute("data-state", "approved")
    expect(chat).to_contain_text("Approved.", use_inner_text=True)
    assert order(anna)[-1] == "text" and "payments.refund" in order(anna), "the answer goes on"
    for page in (fred, greta):
        page.locator("details.over[data-state=approved]", has_text="W-1").first.wait_for()
    # What came of it is in the feed at once, with the rule and the limits.
    greta.get_by_role("link", name="Decisions", exact=True).click()
    greta.locator("a.dc-row", has_text="W-1").first.click()
    greta.locator(".rc li.rule.is-deciding").first.wait_for()
    record = greta.locator(".rc").inner_text()
    assert "It was allowed by the rule refund-approved, after people had agreed." in record
    assert "sum(args.amount) <= 2000.00 per customer per day" in record


def test_a_denial_is_read_by_who_asked(screens):
    anna, fred = screens("anna", "/"), screens("fred")
    ask(anna, refund("W-2", "C-W2", "80.00"), "demo")
    card(fred, "W-2").wait_for()
    fred.keyboard.press("j")
    wait_until("the card is chosen", lambda: "is-chosen" in (card(fred, "W-2").get_attribute("class") or ""))
    fred.keyboard.press("d")
    fred.keyboard.type("Not without the ticket.")
    fred.keyboard.press("Enter")
    ended(anna)
    expect(answer(anna).locator("section.approval")).to_have_attribute("data-state", "denied")
    tool = answer(anna).locator("details.tool").first
    expect(tool).to_have_attribute("data-phase", "denied")
    assert "Not without the ticket." in tool.locator("[data-fact=error] pre").text_content()


def test_a_change_of_the_policies_is_tried_on_what_was_decided(screens):
    anna, greta = screens("anna", "/"), screens("gina", "/console/?page=approvals", "finance", "admin")
    ask(anna, refund("W-3", "C-W3", "45.00"), "demo")
    ended(anna)
    greta.get_by_role("link", name="Policies", exact=True).click()
    greta.get_by_role("button", name="Edit").click()
    text = greta.get_by_role("textbox", name=re.compile("^Text of "))
    text.fill(
        text.input_value()
        + '\n@id("never")\nforbid (principal, action == Action::"payments.refund", resource) when { context.args.amount == decimal("45.00") };\n'
    )
    greta.get_by_role("button", name="Dry run").click()
    greta.get_by_text("would differ").wait_for()
    expect(greta.locator("a.differ").first).to_contain_text("was allowed by refund-small", use_inner_text=True)
    expect(greta.locator("a.differ").first).to_contain_text("now denied by never", use_inner_text=True)
    text.fill("permit (")
    greta.get_by_role("button", name="Check").click()
    greta.get_by_text("It does not load").wait_for()

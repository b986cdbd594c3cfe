"""The console's pages in headless Chromium, against a server that answers with made-up data: what a page shows and does, not what is decided."""

import re

import pytest
from playwright.sync_api import expect

from rig.waiting import wait_until


def card(page, approval: dict):
    return page.locator(f"article[data-approval={approval['id']}]")


def over(page, approval: dict):
    return page.locator(f"details.over[data-approval={approval['id']}]")


def test_an_approval_appears_is_agreed_to_by_two_and_goes_to_the_decided(fake, console):
    admin, ben = console("kd-admin", "?page=approvals"), console("kd-ben")
    approval = fake.approval()
    expect(card(admin, approval)).to_contain_text("0 of 2 agreed", use_inner_text=True)
    card(admin, approval).get_by_role("textbox", name="Reason").fill("As agreed by phone.")
    card(admin, approval).get_by_role("button", name="Approve").click()
    card(admin, approval).get_by_text("You have agreed. One more person has to.").wait_for()
    card(ben, approval).get_by_text("1 of 2 agreed: olga").wait_for()
    expect(card(ben, approval)).to_contain_text("As agreed by phone.", use_inner_text=True)
    card(ben, approval).get_by_role("button", name="Approve").click()
    for page in (ben, admin):
        over(page, approval).get_by_text("by olga, ben").wait_for()
        expect(over(page, approval)).to_have_attribute("data-state", "approved")


def test_a_denial_needs_a_reason(fake, console):
    page = console("kd-admin", "?page=approvals")
    approval = fake.approval()
    card(page, approval).get_by_role("button", name="Deny").click()
    expect(card(page, approval).get_by_role("alert")).to_contain_text("Say why", use_inner_text=True)
    page.keyboard.type("Not this customer.")
    page.keyboard.press("Enter")
    over(page, approval).locator("summary", has_text="Denied").wait_for()
    over(page, approval).locator("summary").click()
    expect(over(page, approval)).to_contain_text("Not this customer.", use_inner_text=True)


def test_arguments_are_text_and_never_markup(fake, console):
    page = console("kd-admin", "?page=approvals")
    approval = fake.approval(args={"note": "<img src=x onerror=alert(1)><b>hi</b>"})
    card(page, approval).get_by_role("cell", name="<img src=x onerror=alert(1)><b>hi</b>").wait_for()
    expect(card(page, approval).locator("img, b")).to_have_count(0)


def test_who_asked_is_told_that_somebody_else_has_to_agree(fake, console):
    page = console("kd-ana")
    approval = fake.approval()
    card(page, approval).get_by_text("You asked for this; somebody else has to agree.").wait_for()
    expect(card(page, approval).get_by_role("button", name="Approve")).to_have_count(0)


def test_an_approver_sees_the_approvals_alone(fresh, console):
    page = console("kd-ben", "?page=decisions&user=nobody")
    expect(page.locator(".rail-page")).to_have_count(1)
    expect(page.locator("#title")).to_have_text("Approvals", use_inner_text=True)
    expect(page.locator("article.ap")).to_have_count(2)
    assert page.url.endswith("/console/?page=approvals")


def test_keys_choose_ask_and_only_enter_decides(fake, console):
    page = console("kd-admin", "?page=approvals")
    approval = fake.approval(left=1)
    card(page, approval).wait_for()
    page.keyboard.press("j")
    expect(card(page, approval), "the first is the one with the least time").to_have_class(re.compile("is-chosen"))
    page.keyboard.press("a")
    expect(card(page, approval)).to_have_attribute("data-armed", "approve")
    page.keyboard.press("Escape")
    assert card(page, approval).get_attribute("data-armed") is None
    expect(card(page, approval)).to_contain_text("0 of 2 agreed", use_inner_text=True)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    card(page, approval).get_by_text("1 of 2 agreed: olga").wait_for()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_the_number_that_waits_is_in_the_rail_and_in_the_title(fresh, console):
    page = console("kd-admin", "?page=tools")
    wait_until("two of three that are olga's to decide", lambda: page.title().startswith("(2) Tools"))
    fresh.approval()
    wait_until("one more", lambda: page.title().startswith("(3) Tools"))
    expect(page.locator(".badge")).to_have_text("4", use_inner_text=True)


def test_a_decided_card_stays_under_the_hands_of_who_types(fresh, console):
    page = console("kd-admin", "?page=approvals")
    first = fresh.approval(left=20)
    card(page, first).get_by_role("textbox", name="Reason").fill("half a sent")
    fresh.approval(left=2)
    page.locator("article.ap").nth(4).wait_for()
    expect(card(page, first).get_by_role("textbox", name="Reason")).to_have_value("half a sent")
    assert page.evaluate("document.activeElement.value") == "half a sent"


def test_filters_are_in_the_address_and_come_from_it(console):
    page = console("kd-admin", "?page=decisions&tool=mail.send")
    page.locator("a.dc-row").first.wait_for()
    wait_until("calls of the tool alone", lambda: set(page.locator(".dc-tool").all_inner_texts()) == {"mail.send"})
    page.get_by_role("button", name="Denied").click()
    page.wait_for_url(re.compile("decision=deny"))
    wait_until("denials alone", lambda: set(page.locator("a.dc-row .mark").all_inner_texts()) == {"Denied"})
    page.get_by_role("combobox", name="User").fill("li")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("user=li"))
    page.go_back()
    wait_until("the address is the one before", lambda: "user=li" not in page.url)


def test_the_feed_goes_on_and_takes_in_what_is_new(fresh, console):
    page = console("kd-admin", "?page=decisions")
    page.locator("a.dc-row").nth(99).wait_for()
    page.locator(".dc-end").scroll_into_view_if_needed()
    page.get_by_text("That is all.").wait_for()
    expect(page.locator("a.dc-row")).to_have_count(160)
    new = fresh.post("/fake/decision")
    page.locator(f"a[data-decision={new['id']}]").wait_for()
    expect(page.locator("a.dc-row").first).to_have_attribute("data-decision", new["id"])


def test_a_decision_tells_its_story_and_its_rules(console):
    page = console("kd-admin", "?page=decisions&id=dec_00002")
    record = page.locator(".rc")
    record.locator("li.rule").first.wait_for()
    expect(record).to_contain_text("to call payments.refund for C-1042.", use_inner_text=True)
    expect(record).to_contain_text(
        "It was denied by the rule refund-after-lookup: “Look the customer up before you refund.”", use_inner_text=True
    )
    assert record.locator("li.rule.is-deciding").inner_text().startswith("Forbids")
    small = record.locator("li.rule", has_text="refund-small")
    expect(small).to_contain_text("The first clause that fails", use_inner_text=True)
    expect(small).to_contain_text("context.args.amount is 240.00", use_inner_text=True)
    page.keyboard.press("Escape")
    page.wait_for_url(re.compile(r"page=decisions$"))


def test_policies_are_edited_checked_tried_and_findings_stand_at_their_lines(console):
    page = console("kd-admin", "?page=policies&file=refunds.cedar")
    expect(page.locator("li.line.has-finding + li")).to_contain_text("A refund of exactly 100.00", use_inner_text=True)
    page.get_by_role("button", name="Edit").click()
    text = page.get_by_role("textbox", name="Text of refunds.cedar")
    text.fill(text.input_value().replace("quorum:2", "quorum:3"))
    page.get_by_text("1 file changed, not published").wait_for()
    page.get_by_role("button", name="Dry run").click()
    page.get_by_text("decisions would differ").wait_for()
    page.locator("a.differ").first.click()
    page.locator(".rc-head").wait_for()
    page.reload()
    page.go_back()
    expect(text, "the tab has kept it").to_have_value(re.compile("quorum:3"))
    page.get_by_role("button", name="Changes (1)").click()
    expect(page.locator(".df-line.is-new")).to_contain_text("quorum:3", use_inner_text=True)
    page.get_by_role("button", name="Text", exact=True).click()
    text.fill("// first\nerror\n")
    page.get_by_text("It does not load").wait_for()
    expect(page.locator(".ce-line", has_text="error").locator(".ce-says")).to_contain_text("Expected `permit`", use_inner_text=True)
    expect(page.get_by_text("publishing needs a key with the role operator")).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("button", name="Discard 1 change? Press again").click()
    page.get_by_role("button", name="Edit").wait_for()


def test_an_operator_publishes_after_somebody_else_did(fresh, console):
    page = console("kd-ola", "?page=policies")
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="New file").click()
    page.get_by_role("textbox", name="Name of the new file").fill("extra.txt")
    page.keyboard.press("Enter")
    page.get_by_text("It would load").wait_for()
    expect(page.get_by_role("alert").filter(has_text="cedar").last).to_contain_text("end with .cedar", use_inner_text=True)
    page.get_by_role("textbox", name="Name of the new file").fill("extra.cedar")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Text of extra.cedar").fill('@id("extra")\nforbid (principal, action, resource);\n')
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("Say why: the reason stands in the log.").wait_for()
    fresh.post("/fake/publish")
    page.get_by_role("textbox", name="Reason").fill("One more rule.")
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("Another version is in force than the one this draft began with.").wait_for()
    page.get_by_text("What changed meanwhile").click()
    assert "added-meanwhile" in page.locator(".wb-notice .df-line.is-new").all_inner_texts()[1]
    page.get_by_role("button", name="Put my changes on top of it").click()
    page.get_by_role("button", name="Changes (1)").wait_for()
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("button", name="Edit").wait_for()
    expect(page.locator(".po-tab", has_text="extra.cedar")).to_be_visible()
    page.locator(".versions a").last.click()
    page.locator(".df[data-file='extra.cedar'][data-kind=removed]").wait_for()
    page.get_by_role("textbox", name="Reason").fill("Not yet.")
    page.get_by_role("button", name="Roll back", exact=True).click()
    page.locator(".po-tab", has_text="extra.cedar").wait_for(state="detached")


def test_a_tool_is_switched_off_with_a_reason(console):
    page = console("kd-admin", "?page=tools")
    tool = page.locator("details[data-tool='crm.lookup']")
    tool.locator("summary").click()
    tool.get_by_role("button", name="Switch off").click()
    expect(tool.get_by_role("alert")).to_contain_text("Say why", use_inner_text=True)
    tool.get_by_role("textbox", name="Reason").fill("It answers nonsense.")
    tool.get_by_role("button", name="Switch off").click()
    tool.get_by_text("Switched off by olga now: “It answers nonsense.”").wait_for()
    tool.get_by_role("button", name="Switch on").click()
    tool.locator(".tl-state", has_text="On").wait_for()


def test_tools_are_the_operators_to_make(console):
    page = console("kd-admin", "?page=tools")
    page.get_by_text("needs a key with the role operator").wait_for()
    expect(page.get_by_role("button", name="New tool")).to_be_disabled()
    tool = page.locator("details[data-tool='crm.lookup']")
    tool.locator("summary").first.click()
    tool.get_by_text("Decisions about it").wait_for()
    expect(tool.get_by_role("button", name="Change", exact=True)).to_have_count(0)


def test_a_tool_is_made_with_what_the_server_says_as_one_types(fresh, console):
    page = console("kd-ola", "?page=tools")
    page.get_by_role("button", name="New tool").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Crm")
    dialog.get_by_label("Description").fill("Finds a customer.")
    dialog.get_by_label("Address").fill("https://crm.example/customers/{id}")
    dialog.get_by_label("Reason").fill("Support asks for it.")
    dialog.get_by_role("button", name="Publish").click()
    dialog.get_by_text("A name begins with a small letter").wait_for()
    dialog.get_by_label("Name", exact=True).fill("crm.find")
    schema = dialog.get_by_label("Parameters")
    whole = schema.input_value()
    schema.fill(whole[:-2])
    dialog.get_by_text("The parameters are no JSON yet").wait_for()
    schema.fill(whole.replace('"additionalProperties": false,', ""))
    dialog.get_by_text("It would be refused").wait_for()
    dialog.get_by_text("says additionalProperties: false", exact=False).last.wait_for()
    schema.fill(whole)
    dialog.get_by_text("It can be published").wait_for()
    dialog.get_by_text("crm.find is new.").wait_for()
    dialog.get_by_text("What changes in tools.yaml").click()
    dialog.locator(".df-line.is-new").wait_for()
    dialog.get_by_role("button", name="Publish").click()
    row = page.locator("details[data-tool='crm.find']")
    row.wait_for()

    # The second one to publish is told.
    row.locator("summary").click()
    row.get_by_role("button", name="Change").click()
    dialog.get_by_label("Description").fill("Finds somebody.")
    dialog.get_by_label("Reason").fill("Shorter.")
    other = console("kd-ola", "?page=tools")
    remove = other.locator("details[data-tool='mail.send']")
    remove.locator("summary").click()
    remove.get_by_role("button", name="Take away").click()
    other.get_by_role("dialog").get_by_label("Reason").fill("Nobody uses it.")
    other.get_by_role("button", name="Take it away").click()
    remove.wait_for(state="detached")
    dialog.get_by_role("button", name="Publish").click()
    dialog.get_by_text("Another version is in force").wait_for()
    page.keyboard.press("Escape")

    # What a policy names stays.
    tool = other.locator("details[data-tool='payments.refund']")
    tool.locator("summary").click()
    tool.get_by_role("button", name="Take away").click()
    other.get_by_text("refunds.cedar:5:3").wait_for()
    other.get_by_role("dialog").get_by_label("Reason").fill("Too risky.")
    other.get_by_role("button", name="Take it away").click()
    other.get_by_text("These tools cannot be in force").wait_for()
    other.keyboard.press("Escape")

    other.get_by_text("Versions", exact=True).click()
    other.get_by_role("button", name="Roll back…").last.click()
    other.get_by_role("dialog").get_by_text("mail.send is new").or_(other.get_by_role("dialog").get_by_text("mail.send")).first.wait_for()
    other.get_by_role("dialog").get_by_label("Reason").fill("It was better.")
    other.get_by_role("dialog").get_by_role("button", name="Roll back", exact=True).click()
    other.locator("details[data-tool='mail.send']").wait_for()
    other.locator("details[data-tool='crm.find']").wait_for(state="detached")


PAGES = {
    "now": ".now-tile",
    "streams": ".st-row",
    "budgets": ".bg-window",
    "keys": ".ky",
    "keys&tab=who": ".who-row",
    "run": ".nothing",
    "run&id=run_cut": ".run-event",
    "approvals": ".ap",
    "decisions": ".dc-row",
    "decisions&id=dec_00000": ".rc-head",
    "policies": ".po",
    "tools": ".tl",
    "sandboxes": ".sb-level",
    "spend&range=30d": ".sp-table",
    "audit": ".au-bar",
    "system": ".sy-head",
    "system&part=prices": ".sy-prices tbody tr",
    "system&part=config": ".sy-config .line",
}
BEYOND = """() => [...document.querySelectorAll('.page *')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 1 && box.right > innerWidth + 1 && !one.closest('.code-lines, .sample, .po-tabs, .run-scroll, .ce, .df-lines, .sp-table-box, pre, .hidden');
}).map((one) => one.className)"""


#: As a link within the console does it: nothing is loaded again.
GO = "search => { history.pushState(null, '', search); dispatchEvent(new PopStateEvent('popstate')); }"


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_runs_out_of_a_page(console, width):
    page = console("kd-admin", width=width)
    for name, shown in PAGES.items():
        page.evaluate(GO, f"?page={name}")
        page.locator(shown).first.wait_for()
        assert page.evaluate(BEYOND) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def test_a_lost_connection_is_said_and_what_is_stale_as_well(fresh, console):
    page = console("kd-admin", "?page=approvals")
    page.locator("article.ap").first.wait_for()
    fresh.process.child.kill()
    page.get_by_text("There is no connection. What you see is as of").wait_for()
    expect(page.locator("article.ap")).to_have_count(3)


def test_spending_is_stacked_and_led_into_and_the_address_holds_it(console):
    page = console("kd-admin", "?page=spend&range=30d")
    page.get_by_text("At this rate the month’s $500.00 is spent on").wait_for()
    expect(page.locator(".sp-table tbody tr").first).to_contain_text("web", use_inner_text=True)
    expect(page.locator(".sp-table tbody tr").first).to_contain_text("%", use_inner_text=True)
    wait_until("the chart is drawn", lambda: page.locator(".sp-canvas canvas").get_attribute("aria-label"))
    page.get_by_role("group", name="Time").get_by_role("button", name="Today").click()
    page.wait_for_url(re.compile("range=today"))
    page.get_by_role("link", name="web", exact=True).click()
    page.wait_for_url(re.compile(r"project=web.*by=user"))
    page.get_by_role("rowheader", name="ana").wait_for()
    page.get_by_label("First day").fill("2026-11-01")
    page.wait_for_url(re.compile("from=2026-11-01"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    assert download.value.suggested_filename.startswith("spend-acme-web-by-user-2026-11-01-to-")
    assert download.value.path().read_text().startswith("user,cost_usd\nana,")


def test_without_charts_the_table_says_so(console, fake):
    page = console("kd-admin", "?page=tools")
    page.route("**/vendor/chart.min.js", lambda route: route.abort())
    page.get_by_role("link", name="Spend", exact=True).click()
    page.get_by_text("Chart.js is not installed on this server").wait_for()
    expect(page.locator(".sp-table tbody tr")).to_have_count(3)
    expect(page.locator(".sp-canvas")).not_to_be_visible()


def test_the_chain_is_verified_and_a_bad_record_is_named(fresh, console):
    page = console("kd-admin", "?page=audit")
    expect(page.locator(".au-bar")).to_have_attribute("aria-label", re.compile("Anchored: records 1 to 17,400"))
    page.get_by_role("button", name="Verify now").click()
    page.get_by_text("The chain is whole").wait_for()
    fresh.post("/fake/break")
    page.get_by_role("button", name="Verify now").click()
    page.get_by_text("acme: the first bad record is 4,711: its hash is not that of its text.").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export JSON lines").click()
    assert re.fullmatch(r"audit-acme-\d{4}-\d\d-\d\d\.jsonl", download.value.suggested_filename)


def test_an_operator_drains_a_server_and_changes_the_log_level(fresh, console):
    page = console("kd-ola", "?page=system")
    row = page.locator("tr[data-node='node-b']")
    row.get_by_role("button", name="Drain", exact=True).click()
    row.get_by_role("button", name="Drain now?").click()
    row.get_by_text("Draining").wait_for()
    page.get_by_label("Log level").select_option("debug")
    wait_until("the level is in force", lambda: page.get_by_label("Log level").input_value() == "debug")
    page.get_by_role("button", name="Configuration").click()
    page.locator(".sy-config .hint", has_text="Secrets are masked").wait_for()
    (admin := console("kd-admin", "?page=system")).get_by_text("node-b", exact=True).wait_for()
    expect(admin.get_by_role("button", name="Drain")).to_have_count(0)
    sums = admin.get_by_role("columnheader", name=re.compile("Sockets|Calls|Failures"))
    expect(admin.get_by_label("Log level").or_(sums).or_(admin.get_by_text("Outbox", exact=True))).to_have_count(0)


def test_prices_are_seen_and_read_again(fresh, console):
    page = console("kd-admin", "?page=system")
    page.get_by_role("button", name="Prices", exact=True).click()
    row = page.locator("tr[data-model='gpt-4.1']")
    assert row.first.inner_text().split() == ["gpt-4.1", "$2.00", "$0.50", "$2.00", "$8.00", "$8.00"]
    assert row.nth(1).inner_text().startswith("prompts above 200,000 tokens")
    expect(page.locator("tr[data-model=unpriced]")).to_contain_text("refused under a budget of money", use_inner_text=True)
    page.get_by_role("button", name="Read the price file again").click()
    wait_until("it is said", lambda: "version b52d10e3f8" in page.locator("#announce").text_content())

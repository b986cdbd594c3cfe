"""The console's pages of streams, budgets and keys in headless Chromium, with made-up data: crowds, keys alone, what a dialog asks."""

from playwright.sync_api import expect

from rig.waiting import wait_until


def test_ten_thousand_runs_scroll_and_only_those_in_sight_are_in_the_page(crowd, console):
    page = console("kd-admin", "?page=streams&sort=newest")
    page.get_by_text("10,000 runs").wait_for()
    assert 10 < page.locator(".st-row").count() < 60
    first = page.locator(".st-row").first.get_attribute("data-run")
    page.locator(".vl").evaluate("list => list.scrollTop = list.scrollHeight")
    wait_until("the last rows", lambda: page.locator(".st-row[aria-posinset='10000']").count() == 1)
    expect(page.locator(f"[data-run={first}]")).to_have_count(0)
    assert page.locator(".st-row").count() < 60


def test_the_dearest_run_is_ended_with_a_reason_by_keys(fresh, console):
    page = console("kd-admin", "?page=streams")
    page.locator(".st-row").first.wait_for()
    page.keyboard.press("j")
    run = page.locator(".st-row.is-chosen").get_attribute("data-run")
    page.keyboard.press("x")
    dialog = page.get_by_role("dialog", name="End this run?")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Say why", use_inner_text=True)
    page.keyboard.type("A loop.")
    page.keyboard.press("Enter")
    dialog.wait_for(state="hidden")
    wait_until("it is gone", lambda: page.locator(f"[data-run={run}]").count() == 0)
    page.goto(f"{fresh.url}/console/?page=run&id={run}")
    page.locator(".run-story", has_text="An administrator ended it: “A loop.”.").wait_for()


def test_a_budget_is_previewed_before_it_is_set(fresh, console):
    page = console("kd-admin", "?page=budgets&find=acme/web")
    row = page.locator("[data-window='project:acme/web|usd|day|||']")
    row.get_by_role("button", name="Change the limit").click()
    page.get_by_role("textbox", name="Limit").fill("9.00")
    page.locator(".bg-verdict", has_text="would be cut now").wait_for()
    page.get_by_role("textbox", name="Limit").fill("12.00")
    page.locator(".bg-verdict", has_text="Nothing that runs now would be cut.").wait_for()
    page.get_by_role("button", name="Change it").click()
    row.get_by_text("of $12.00").wait_for()
    row.get_by_role("button", name="Remove the budget").click()
    page.get_by_role("button", name="Remove it").click()
    row.wait_for(state="detached")


def test_a_secret_is_shown_once_and_only_its_button_puts_it_away(fresh, console):
    page = console("kd-admin", "?page=keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_role("textbox", name="Alias").fill("billing")
    page.keyboard.press("Enter")
    expect(page.locator(".dg-problem")).to_contain_text("Say which project.", use_inner_text=True)
    page.get_by_role("dialog").get_by_role("combobox", name="Project").fill("web")
    page.keyboard.press("Enter")
    secret = page.locator(".ky-secret output").inner_text()
    assert secret.startswith("kd-")
    inside = "dialog => dialog.scrollWidth <= dialog.clientWidth"
    assert page.get_by_role("dialog").evaluate(inside)
    expect(page.get_by_role("button", name="Copy the key")).to_be_visible()
    page.keyboard.press("Escape")
    page.mouse.click(4, 4)
    expect(page.locator(".ky-secret")).to_be_visible()
    page.get_by_role("button", name="I have kept it").click()
    key = page.locator(".ky", has_text="billing")
    key.locator("summary").click()
    key.get_by_role("button", name="Block").click()
    key.locator(".ky-state", has_text="Blocked").wait_for()
    key.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke it").click()
    key.locator(".ky-state", has_text="Revoked").wait_for()
    assert secret not in page.content()


def test_a_newcomer_makes_project_user_and_key_from_the_console_alone(fresh, console):
    page = console("kd-admin", "?page=keys&tab=who")
    page.get_by_role("button", name="New project in acme").click()
    page.get_by_role("textbox", name="Name").fill("shop")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="New user in shop").click()
    page.get_by_role("textbox", name="Name").fill("zoe")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="New key in zoe").click()
    expect(page.get_by_role("dialog").get_by_role("combobox", name="Project")).to_have_value("shop")
    page.get_by_role("button", name="Make the key").click()
    assert page.locator(".ky-secret output").inner_text().startswith("kd-")

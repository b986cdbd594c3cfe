"""The console half of docs/getting-started.md: an organisation of one's own, keys, a policy, a tool, a budget, an approval, by nothing else."""

import re

import pytest
import requests

from rig.examples import Example, bearer, ends, follow, refund, say, start
from rig.page import connected
from rig.waiting import wait_until

RULE = '\n@id("no-gifts")\nforbid (principal in Org::"nova", action == Action::"payments.refund", resource)\nwhen { context.args.amount == decimal("13.00") };\n'


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Example("refund-authorization", tmp_path_factory.mktemp("newcomer"))
    shop.serve()
    yield shop
    shop.stop()


@pytest.fixture
def console(browser, shop):
    """Opens the console with a key. An error of a script, or what the policy of content forbids, fails the test."""
    contexts, problems = [], []

    def console(query: str, key: str, state: str = "live"):
        contexts.append(browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce"))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: "Content Security Policy" in message.text and problems.append(message.text))
        page.goto(f"{shop.server.url}/console/{query}#key={key}")
        connected(page, state)
        return page

    yield console
    for context in contexts:
        context.close()
    assert not problems, problems


def key_of(page, user: str, role: str) -> str:
    """Makes a user of nova's shop and a key with a role, on the tab Who."""
    page.locator("[data-who='project:nova/shop']").get_by_role("button", name="New user in shop").click()
    page.get_by_role("textbox", name="Name").fill(user)
    page.keyboard.press("Enter")
    page.locator(f"[data-who='user:nova/shop/{user}']").get_by_role("button", name=f"New key in {user}").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Roles").fill(role)
    dialog.get_by_role("button", name="Make the key").click()
    secret = dialog.locator(".ky-secret output").inner_text()
    dialog.get_by_role("button", name="I have kept it").click()
    return secret


def call(shop, key: str, amount: str, customer: str) -> dict:
    """How a refund by the scripted model ended."""
    return ends(say(shop.server, key, refund(amount, customer)))[0]


def test_a_controlled_agent_from_the_console_alone(shop, console):
    page = console("?page=keys&tab=who", shop.key("root", "operator", "admin"))
    page.get_by_role("button", name="New organisation").click()
    page.get_by_role("textbox", name="Name").fill("nova")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="New project in nova").click()
    page.get_by_role("textbox", name="Name").fill("shop")
    page.keyboard.press("Enter")
    clerk, finance = key_of(page, "sue", "support"), key_of(page, "fay", "finance")
    assert call(shop, clerk, "13.00", "C-1")["decision"] == "allow"

    page.get_by_role("link", name="Policies", exact=True).click()
    page.get_by_role("button", name="Edit").click()
    text = page.get_by_role("textbox", name=re.compile("^Text of .*cedar$"))
    text.fill(text.input_value() + RULE)
    page.get_by_text("It would load").wait_for()
    page.get_by_role("textbox", name="Reason").fill("Nova gives no presents.")
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("button", name="Edit").wait_for()
    assert call(shop, clerk, "13.00", "C-2")["rule"] == "no-gifts"

    page.get_by_role("link", name="Tools", exact=True).click()
    page.get_by_role("button", name="New tool").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("nova.customer")
    dialog.get_by_label("Description").fill("Looks a customer of Nova up.")
    dialog.get_by_label("How it is made").select_option("builtin")
    dialog.get_by_label("Which").select_option("crm.lookup")
    dialog.get_by_label("Reason").fill("Nova has customers.")
    dialog.get_by_role("button", name="Publish").click()
    page.locator("[data-tool='nova.customer']").wait_for()
    end = ends(say(shop.server, clerk, '@tool nova.customer {"customer": "C-1"}\n@then\n@tokens 3'))[0]
    assert end["decision"] == "allow" and end["status"] == "completed", end
    tool = page.locator("[data-tool='payments.refund']")
    tool.locator("summary").click()
    tool.get_by_role("textbox", name="Reason").fill("The till is counted.")
    tool.get_by_role("button", name="Switch off").click()
    tool.get_by_text("Switched off", exact=True).wait_for()
    assert call(shop, clerk, "20.00", "C-3")["decision"] == "deny"
    tool.get_by_role("button", name="Switch on").click()
    tool.get_by_text("On", exact=True).wait_for()
    assert call(shop, clerk, "20.00", "C-4")["decision"] == "allow"

    run = start(shop.server, clerk, refund("120.00", "C-5"))["run_id"]
    approver = console("?page=approvals", finance, "poll")
    approver.get_by_role("textbox", name="Reason").fill("The parcel is lost.")
    approver.get_by_role("button", name="Approve").click()
    end = ends(follow(shop.server, clerk, run))[0]
    assert end["decision"] == "allow" and end["status"] == "completed"

    page.goto(f"{shop.server.url}/console/?page=budgets&org=nova")
    page.get_by_role("button", name="Set a budget", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="For whom").fill("project:nova/shop")
    dialog.get_by_role("textbox", name="Limit").fill("0.0004")
    dialog.get_by_role("button", name="Set it").click()
    page.locator("[data-window='project:nova/shop|usd|day|||']").wait_for()
    # What was spent before counts, and each answer is cut or refused from then on.
    wait_until("the budget ends it", lambda: ended_by(shop, clerk) == "budget_exceeded")
    bar = page.locator("[data-window='project:nova/shop|usd|day|||'] .wbox")
    # What is left is less than a token costs, or nothing.
    wait_until("its bar says so", lambda: bar.get_attribute("data-tone") in ("warning", "cut"), seconds=30)


def ended_by(shop, key: str) -> str:
    """What ended one long answer: its finish reason, or the code of its refusal."""
    body = {"model": "demo", "messages": [{"role": "user", "content": "hi\n@tokens 2000\n@rate 0"}]}
    answer = requests.post(f"{shop.server.url}/v1/chat/completions", json=body, headers=bearer(key), timeout=20)
    return answer.json()["choices"][0]["finish_reason"] if answer.status_code == 200 else answer.json()["error"]["code"]

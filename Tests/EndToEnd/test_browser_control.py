"""The control plane in the console, in headless Chromium against the real server: who runs, what limits it, who holds keys, why it was cut."""

import re
import threading

import pytest
import requests
from playwright.sync_api import expect

from rig.page import answer, ended
from rig.page import ask as chat
from rig.server import Installation
from rig.sse import collect
from rig.waiting import wait_until

#: About a minute of an answer; whoever starts one ends it.
LONG = "hi\n@tokens 3000\n@rate 50"


class Run:
    """A run that is read to its end on a thread of its own."""

    def __init__(self, url: str, key: str, text: str = LONG):
        self.last: dict = {}
        self.thread = threading.Thread(target=self.read, args=(url, key, text), daemon=True)
        self.thread.start()

    def read(self, url: str, key: str, text: str) -> None:
        self.last = collect(url, key, {"text": text})[-1].json

    def end(self, seconds: float = 30) -> dict:
        self.thread.join(seconds)
        assert self.last, "the run did not end"
        return self.last


@pytest.fixture
def console(browser, server, tenant):
    """Opens the console of the tenant's organisation. An error of a script, or what the policy of content forbids, fails the test."""
    contexts, problems = [], []

    def console(query: str = "", *roles: str, width: int = 1440, at=(server, tenant)):
        where, whose = at
        words = [word for role in roles or ("admin",) for word in ("--role", role)]
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: "Content Security Policy" in message.text and problems.append(message.text))
        page.goto(f"{where.url}/console/{query}#key={whose.installation.key(whose.org, 'web', 'boss', *words)['key']}")
        page.locator("#connection[data-state=live]").wait_for()
        return page

    yield console
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture
def start(server, installation, tenant):
    """Starts runs of the tenant, and ends those that a test leaves."""
    runs = []

    def start(text: str = LONG, key: str = tenant.key) -> Run:
        runs.append(Run(server.url, key, text))
        return runs[-1]

    yield start
    if any(not run.last for run in runs):
        admin = requests.Session()
        admin.headers["authorization"] = f"Bearer {installation.key(tenant.org, 'web', 'boss', '--role', 'admin')['key']}"
        for row in admin.get(f"{server.url}/api/admin/streams", timeout=10).json()["data"]:
            admin.post(f"{server.url}/api/admin/streams/{row['run_id']}/kill", timeout=10)
    for run in runs:
        run.thread.join(20)


def ask(url: str, key: str, text: str = "hi\n@tokens 3\n@rate 0") -> requests.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": text}]}
    return requests.post(f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}, timeout=20)


def test_a_stream_is_seen_as_it_spends_and_killed_with_a_reason(console, start, tenant):
    tenant.cap("10.00", window="day")
    page = console("?page=streams")
    page.get_by_role("heading", name="Nothing runs").wait_for()
    run = start()
    row = page.locator(".st-row")
    row.get_by_text("Writes").wait_for()
    expect(row).to_contain_text("ada", use_inner_text=True)
    expect(row).to_contain_text(f"{tenant.org}/web", use_inner_text=True)
    expect(row).to_contain_text("demo", use_inner_text=True)
    row.locator(".st-stops", has_text="Project web").wait_for()
    first = row.locator(".st-cost").inner_text()
    wait_until("it costs more in place", lambda: row.locator(".st-cost").inner_text() > first)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_role("textbox", name="Reason").fill("It only tells tales.")
    page.keyboard.press("Enter")
    assert run.end()["cut"]["reason"] == "killed"
    row.wait_for(state="detached")
    # Whoever asks why reads it aloud, with the reason in the record of it.
    page.get_by_role("searchbox", name="Why was I cut? Run id").fill(run.last["run_id"])
    page.keyboard.press("Enter")
    page.locator(".run-story p").nth(1).wait_for()
    page.locator(".run-id .mark", has_text="Cut").wait_for()
    page.locator(".run-section", has_text="Proof").get_by_role("link").first.click()
    page.locator(".rc-head").wait_for()
    expect(page.locator(".rc")).to_contain_text("It only tells tales.", use_inner_text=True)


def test_a_run_of_another_server_is_seen_and_killed(console, tmp_path, redis_server, shared_postgres, make_tenant):
    shared = Installation(tmp_path / "two", redis=redis_server.url, postgres=shared_postgres.database())
    try:
        here, there = shared.serve(), shared.serve()
        tenant = make_tenant(shared)
        page = console("?page=streams", at=(here, tenant))
        run = Run(there.url, tenant.key)
        row = page.locator(".st-row")
        row.get_by_text("Writes").wait_for()
        row.get_by_role("button", name="End run").click()
        page.get_by_role("textbox", name="Reason").fill("From here.")
        page.keyboard.press("Enter")
        assert run.end()["cut"]["reason"] == "killed"
        row.wait_for(state="detached")
    finally:
        shared.stop()


def test_why_a_run_was_cut_is_found_from_the_first_page(console, server, tenant):
    tenant.cap("0.0005", window="day")
    last = collect(server.url, tenant.key, {"text": "hi\n@tokens 5000\n@rate 2000"})[-1].json
    assert last["type"] == "chat.cut"
    page = console()
    expect(page.locator("#title")).to_have_text("Now", use_inner_text=True)
    page.get_by_role("searchbox", name="Why was I cut? Run id").fill(last["run_id"])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"page=run&id={last['run_id']}"))
    story = page.locator(".run-story")
    story.locator("p").nth(2).wait_for()
    expect(story).to_contain_text(f"{tenant.org}/web", use_inner_text=True)
    expect(story).to_contain_text("0.0005", use_inner_text=True)
    window = page.locator(".run-window.is-cutting")
    expect(window).to_contain_text("Money today", use_inner_text=True)
    expect(window).to_contain_text("of $0.0005", use_inner_text=True)
    assert page.locator(".run-event").count() >= 2 and page.locator(".run-charges tbody tr").count() >= 1
    page.goto(f"{server.url}/console/?page=run&id=run_{'A' * 24}")
    page.get_by_text("There is no run").wait_for()


def test_an_administrator_comes_from_the_chat_to_the_whole_story(console, tenant):
    tenant.cap("0.0005", window="day")
    page = console("../")
    chat(page, "hi\n@tokens 5000\n@rate 2000", "demo")
    ended(page)
    notice = answer(page).locator(".notice.is-cut")
    notice.get_by_text("Why?").click()
    notice.get_by_role("link", name="The whole story").click()
    page.locator(".run-story p").nth(2).wait_for()
    expect(page.locator(".run-window.is-cutting")).to_contain_text("0.0005", use_inner_text=True)


def test_bars_move_and_a_limit_tells_whom_it_would_cut(console, start, tenant):
    tenant.cap("10.00", window="day")
    page = console("?page=budgets")
    row = page.locator(f"[data-window='{tenant.scope}|usd|day|||']")
    used = row.locator(".part-used b")
    used.wait_for()
    before = used.inner_text()
    run = start()
    row.locator(".part-held b").wait_for()
    wait_until("the bar moves by itself", lambda: used.inner_text() > before)
    row.get_by_role("button", name="Change the limit").click()
    limit = page.get_by_role("textbox", name="Limit")
    limit.fill("9.00")
    page.locator(".bg-verdict", has_text="Nothing that runs now would be cut.").wait_for()
    limit.fill("0.0002")
    page.locator(".bg-verdict", has_text="One run would be cut now.").wait_for()
    page.get_by_role("button", name="Change it").click()
    assert run.end()["cut"]["limit"] == "0.0002"
    row.get_by_text("of $0.0002").wait_for()
    wait_until("it is spent", lambda: row.locator(".wbox").get_attribute("data-tone") == "cut")
    expect(row.locator(".part-held")).to_be_hidden()
    row.get_by_role("button", name="Remove the budget").click()
    page.get_by_role("button", name="Remove it").click()
    row.wait_for(state="detached")
    page.get_by_role("button", name="Set a budget", exact=True).click()
    page.get_by_role("dialog").get_by_role("combobox", name="For whom").fill(f"org:{tenant.org}")
    page.get_by_role("dialog").get_by_label("Of what").select_option("tokens")
    page.get_by_role("textbox", name="Limit").fill("5000")
    page.get_by_role("button", name="Set it").click()
    page.locator(f"[data-window='org:{tenant.org}|tokens|day|||']").wait_for()


def test_the_operators_cap_has_a_lock_for_the_tenants_administrator(console, installation, tenant):
    installation.budget(tenant.scope, "10", window="month", owner="operator")
    window = f"[data-window='{tenant.scope}|usd|month|||']"
    row = console("?page=budgets").locator(window)
    row.get_by_text("Operator’s").wait_for()
    expect(row.get_by_role("button", name="Change the limit")).to_have_count(0)
    expect(row.locator(".bg-lock")).to_have_attribute("title", re.compile("^Set by the operator"))
    free = console("?page=budgets", "admin", "operator").locator(window)
    expect(free.get_by_role("button", name="Change the limit")).to_have_count(1)
    expect(free.locator(".bg-lock")).to_be_hidden()


def test_a_key_is_made_used_blocked_rotated_and_revoked(console, server):
    page = console("?page=keys")
    page.locator(".ky").first.wait_for()
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Project").fill("web")
    dialog.get_by_label("User").fill("zoe")
    dialog.get_by_role("textbox", name="Alias").fill("zoe-laptop")
    dialog.get_by_role("button", name="A budget of its own").click()
    dialog.get_by_role("textbox", name="Limit").fill("1.00")
    dialog.get_by_role("button", name="Make the key").click()
    secret = dialog.locator(".ky-secret output").inner_text()
    dialog.get_by_role("button", name="I have kept it").click()
    assert ask(server.url, secret).status_code == 200
    key = page.locator(".ky", has_text="zoe-laptop").first
    key.locator("summary").click()
    key.get_by_role("button", name="Block").click()
    key.locator(".ky-state", has_text="Blocked").wait_for()
    wait_until("it is refused", lambda: ask(server.url, secret).status_code in (401, 403))
    key.get_by_role("button", name="Unblock").click()
    key.locator(".ky-state", has_text="Active").wait_for()
    wait_until("it is let in", lambda: ask(server.url, secret).status_code == 200)
    key.get_by_role("link", name="Its budgets").click()
    page.locator(".bg-window", has_text="of $1.00").wait_for()
    page.go_back()
    key.locator("summary").click()
    key.get_by_role("button", name="Rotate").click()
    dialog.get_by_label("The old one ends").select_option("0")
    dialog.get_by_role("button", name="Rotate it").click()
    newer = dialog.locator(".ky-secret output").inner_text()
    dialog.get_by_role("button", name="I have kept it").click()
    assert newer != secret and ask(server.url, newer).status_code == 200
    wait_until("the old one is refused", lambda: ask(server.url, secret).status_code == 401)
    page.locator(".ky[data-state=revoked]", has_text="zoe-laptop").wait_for()
    key = page.locator(".ky[data-state=active]", has_text="zoe-laptop")
    key.locator("summary").click()
    key.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke it").click()
    wait_until("it is refused", lambda: ask(server.url, newer).status_code == 401)


def test_a_newcomer_comes_to_a_first_answer_by_the_console_alone(console, server, tenant):
    org = f"{tenant.org}-new"
    page = console("?page=keys&tab=who", "admin", "operator")
    page.get_by_role("button", name="New organisation").click()
    page.get_by_role("textbox", name="Name").fill(org)
    page.get_by_role("textbox", name="Called").fill("A new one")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"New project in {org}").click()
    page.get_by_role("textbox", name="Name").fill("shop")
    page.keyboard.press("Enter")
    row = page.locator(f"[data-who='project:{org}/shop']")
    row.get_by_role("button", name="New user in shop").click()
    page.get_by_role("textbox", name="Name").fill("zoe")
    page.keyboard.press("Enter")
    page.locator(f"[data-who='user:{org}/shop/zoe']").get_by_role("button", name="New key in zoe").click()
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator(".ky-secret output").inner_text()
    assert ask(server.url, secret).status_code == 200
    told = requests.get(f"{server.url}/v1/quota", headers={"authorization": f"Bearer {secret}"}, timeout=10).json()
    assert (told["org"], told["project"], told["user"]) == (org, "shop", "zoe")


def test_the_first_page_tells_what_runs_and_what_stands_out(console, start, server, installation, tenant):
    tenant.cap("0.05", window="day")
    page = console()
    page.locator(".now-health", has_text="All is well.").wait_for()
    expect(page.locator("[data-tile=runs] b")).to_have_text("0", use_inner_text=True)
    run = start()
    page.locator("[data-tile=runs] b", has_text="1").wait_for()
    page.locator("[data-kind=dearest]", has_text="ada’s run on demo").wait_for()
    wait_until("tokens are counted", lambda: page.locator("[data-tile=tokens] b").inner_text() != "0")
    assert page.locator("[data-tile=runs] path").first.get_attribute("d").startswith("M0 ")
    page.locator("[data-kind=dearest]").click()
    page.locator(".run-id .mark", has_text="Runs").wait_for()
    page.get_by_role("button", name="End it").click()
    page.get_by_role("textbox", name="Reason").fill("Enough.")
    page.keyboard.press("Enter")
    run.end()
    page.locator(".run-id .mark", has_text="Cut").wait_for()
    page.get_by_role("link", name="Now", exact=True).click()
    wait_until("the cut is counted", lambda: page.locator("[data-tile=cuts] b").inner_text() == "1")


BEYOND = """() => [...document.querySelectorAll('.page *')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 1 && box.right > innerWidth + 1 && !one.closest('.run-scroll, .sample, pre, .hidden');
}).map((one) => one.className)"""


def test_nothing_runs_out_of_a_page_on_a_phone(console, start, server, tenant):
    tenant.cap("10.00", window="day")
    start()
    page = console(width=390)
    shown = {"streams": ".st-row", "now": ".now-one", "budgets": ".bg-window", "keys": ".ky", "keys&tab=who": ".who-row"}
    for name, what in shown.items():
        page.goto(f"{server.url}/console/?page={name}")
        page.locator(what).first.wait_for()
        assert page.evaluate(BEYOND) == [], name

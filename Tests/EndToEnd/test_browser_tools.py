"""Tool calls and code on the chat page, in headless Chromium, through a server that has tools and a sandbox of its own."""

import re

import pytest
from playwright.sync_api import expect

from rig.page import answer, ask, connected, ended, fact, order
from rig.server import ROOT, Installation


@pytest.fixture(scope="module")
def installation(witness, tmp_path_factory):
    """The tools of the demo. Code runs where the machine can shut it in without cgroups, too."""
    installation = Installation(
        tmp_path_factory.mktemp("tools"),
        upstream=witness.url,
        tools={"file": str(ROOT / "scripts" / "demo" / "tools.yaml")},
        sandbox={"minimum": "limited", "warm": 1},
    )
    installation.serve()
    yield installation
    installation.stop()


def script(*parts: str, rate: int = 0) -> str:
    """A message to the scripted model; it writes as fast as it can unless it is told otherwise."""
    return "\n".join(["Do it.", f"@rate {rate}", *parts])


def code(*lines: str) -> str:
    return "\n".join(["@code", "```python", *lines, "```"])


def ticks(count: int, pause: float) -> str:
    """Code that writes `tick 0.` to `tick N.`, a line each."""
    return code("import time", f"for n in range({count}):", '    print(f"tick {n}.", flush=True)', f"    time.sleep({pause})")


def ticked(card) -> list[str]:
    return re.findall(r"tick \d+\.", card.locator("pre.output").text_content())


def all_ticks(count: int) -> list[str]:
    return [f"tick {n}." for n in range(count)]


@pytest.fixture
def page(open_page):
    page = open_page()
    connected(page)
    return page


def code_card(page):
    return answer(page).locator("details.tool.is-code").last


def test_code_shows_its_output_while_it_runs_between_the_words(page):
    ask(page, script("@tokens 12", ticks(32, 0.25), "@then", "@tokens 9"), "demo")
    card = code_card(page)
    card.locator("pre.output span.stdout", has_text="tick 1.").wait_for()
    expect(card).to_have_attribute("data-phase", "running")
    assert card.get_attribute("open") is not None
    assert len(ticked(card)) < 32, "the output is shown before the code has ended"
    expect(answer(page)).to_contain_text("Waiting for run_code", use_inner_text=True)
    ended(page)
    expect(card).to_have_attribute("data-phase", "done")
    expect(card.locator(".exit")).to_have_attribute("data-exit", "ok")
    expect(card.locator(".exit")).to_contain_text("Ran to its end", use_inner_text=True)
    assert ticked(card) == all_ticks(32)
    assert "time.sleep(0.25)" in fact(card, "arguments")
    assert order(page) == ["text", "run_code", "text"]


def test_code_is_seen_as_it_is_written(page):
    ask(page, script(code("total = 0", *(f"total += {n}" for n in range(60)), "print(total)"), "@then", "@tokens 3", rate=20), "demo")
    card = code_card(page)
    card.locator("[data-fact=arguments] pre", has_text="total += 3").wait_for()
    expect(card).to_have_attribute("data-phase", "writing")
    assert "print(total)" not in fact(card, "arguments")
    ended(page)
    assert fact(card, "arguments").endswith("print(total)") and card.locator("pre.output").text_content() == "1770\n"


def test_calls_that_code_makes_stand_in_its_card(page):
    lines = [
        "from agent_tools import tools",
        'tools.memory.set(key="colour", value="ultramarine")',
        'print("kept", tools.memory.get(key="colour"))',
    ]
    ask(page, script(code(*lines), "@then", "@tokens 4"), "demo")
    ended(page)
    card = code_card(page)
    nested = card.locator(".tool-calls details.tool")
    assert nested.evaluate_all("all => all.map(one => one.dataset.tool)") == ["memory.set", "memory.get"]
    assert nested.evaluate_all("all => all.map(one => one.dataset.phase)") == ["done", "done"]
    nested.last.locator("summary").click()
    result = nested.last.locator("[data-fact=result] pre")
    result.wait_for()
    expect(result).to_contain_text("ultramarine", use_inner_text=True)
    assert '"key": "colour"' in fact(nested.last, "arguments")
    assert "ultramarine" in card.locator("pre.output").text_content()
    assert order(page) == ["run_code", "text"], "a nested call has no second card"


def test_a_call_that_is_denied_says_by_which_rule(page):
    ask(page, script("@tokens 5", '@tool mail.send {"draft_id": "D1"}', "@then", "@tokens 6"), "demo")
    ended(page)
    card = answer(page).locator("details.tool[data-tool='mail.send']")
    expect(card).to_have_attribute("data-phase", "denied")
    expect(card.locator("summary")).to_contain_text("Denied", use_inner_text=True)
    expect(card.locator("summary")).to_contain_text("D1", use_inner_text=True)
    card.locator("summary").click()
    card.locator("[data-fact=decision] pre").wait_for()
    assert re.search(r"Denied by rule \S+", fact(card, "decision")) and fact(card, "error")
    expect(card.locator("[data-fact=result]")).to_have_count(0)
    assert order(page) == ["text", "mail.send", "text"], "the model goes on"


def test_code_that_is_denied_a_call_shows_it_in_its_card(page):
    lines = [
        "from agent_tools import tools, ToolDenied",
        "try:",
        '    tools.mail.send(draft_id="D1")',
        "except ToolDenied as denied:",
        '    print("denied", bool(denied.rule))',
    ]
    ask(page, script(code(*lines), "@then", "@tokens 4"), "demo")
    ended(page)
    card = code_card(page)
    expect(card).to_have_attribute("data-phase", "done")
    assert card.locator("pre.output").text_content() == "denied True\n"
    nested = card.locator(".tool-calls details.tool")
    expect(nested).to_have_attribute("data-phase", "denied")
    assert re.search(r"Denied by rule \S+", fact(nested, "decision"))


def test_code_that_fails_shows_its_exit_and_its_error_output(page):
    ask(page, script(code('print("so far", flush=True)', 'raise ValueError("of no use")'), "@then", "@tokens 4"), "demo")
    ended(page)
    card = code_card(page)
    expect(card.locator(".exit")).to_have_attribute("data-exit", "error")
    assert "so far" in card.locator("span.stdout").first.text_content()
    assert "of no use" in card.text_content()


def test_two_calls_at_once_each_have_their_card(page):
    ask(page, script("@tokens 3", ticks(32, 0.25), ticks(32, 0.25), "@then", "@tokens 5"), "demo")
    page.locator("details.tool.is-code[data-phase=running] pre.output", has_text="tick 2.").nth(1).wait_for()
    ended(page)
    cards = answer(page).locator("details.tool.is-code")
    assert cards.evaluate_all("all => all.map(one => one.dataset.phase)") == ["done", "done"]
    assert ticked(cards.first) == ticked(cards.last) == all_ticks(32), "neither has the other's output"
    assert cards.first.get_attribute("data-call") != cards.last.get_attribute("data-call")
    assert order(page) == ["text", "run_code", "run_code", "text"]


def test_after_a_lost_connection_nothing_is_repeated(open_page, proxy):
    page = open_page(proxy.url)
    connected(page)
    ask(page, script("@tokens 10", ticks(24, 0.25), "@then", "@tokens 8"), "demo")
    card = code_card(page)
    card.locator("pre.output", has_text="tick 2.").wait_for()
    proxy.refusing = True
    assert proxy.cut() >= 1
    page.locator("#connection:not([data-state=live])").wait_for()
    proxy.refusing = False
    connected(page)
    ended(page)
    assert ticked(card) == all_ticks(24)
    expect(answer(page).locator("details.tool")).to_have_count(1)
    assert order(page) == ["text", "run_code", "text"]
    expect(answer(page)).to_contain_text("Resumed after a lost connection", use_inner_text=True)


def test_after_a_reload_the_cards_are_there_again_once(page):
    ask(page, script("@tokens 10", ticks(48, 0.25), "@then", "@tokens 8"), "demo")
    code_card(page).locator("pre.output", has_text="tick 2.").wait_for()
    page.reload()
    connected(page)
    card = code_card(page)
    card.locator("pre.output", has_text="tick 3.").wait_for()
    ended(page)
    assert ticked(card) == all_ticks(48)
    expect(answer(page).locator("details.tool")).to_have_count(1)
    assert order(page) == ["text", "run_code", "text"]


def test_a_run_that_is_cut_while_code_runs_ends_the_card(page, installation, tenant):
    ask(page, script("@tokens 4", ticks(200, 0.1)), "demo")
    card = code_card(page)
    card.locator("pre.output", has_text="tick 3.").wait_for()
    # Budgets hold nothing while tools work; an operator's order is what cuts here.
    installation.command("kill", "--scope", f"user:{tenant.org}/{tenant.project}/ada")
    notice = page.get_by_role("region", name="The answer was stopped")
    notice.wait_for()
    expect(notice).to_contain_text("An operator stopped this run.", use_inner_text=True)
    assert card.get_attribute("data-phase") in ("failed", "skipped", "stopped"), "no card runs on"
    shown = ticked(card)
    assert shown == all_ticks(len(shown)) and 4 <= len(shown) < 200, "what was shown stays"
    page.wait_for_timeout(500)
    assert ticked(card) == shown, "nothing comes later"
    assert "is-running" not in answer(page).get_attribute("class")


def test_a_live_region_tells_of_calls_in_sentences(page):
    ask(page, script('@tool crm.lookup {"customer": "C1"}', "@then", "@tokens 4"), "demo")
    ended(page)
    said = page.locator("#announce p").all_text_contents()
    assert "crm.lookup is called for C1." in said
    assert any(re.fullmatch(r"crm\.lookup (is done|failed)\.", one) for one in said)


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_cards_fit_the_width(open_page, width):
    page = open_page(viewport={"width": width, "height": 844})
    connected(page)
    long = code(f'print("{"x" * 300}")', "from agent_tools import tools", 'tools.crm.lookup(customer="C1")')
    ask(page, script("@tokens 20", long, f'@tool memory.set {{"key": "{"k" * 100}", "value": "v"}}', "@then", "@tokens 4"), "demo")
    ended(page)
    card = code_card(page)
    box = card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    for summary in answer(page).locator("details.tool > summary:visible").all():
        state, line = summary.locator(".state").bounding_box(), summary.bounding_box()
        assert line["x"] <= state["x"] and state["x"] + state["width"] <= line["x"] + line["width"]
        assert line["height"] < 60, "one line"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    scroller = page.locator("#scroller")
    assert scroller.evaluate("one => one.scrollWidth <= one.clientWidth"), "nothing scrolls sideways but the code in its box"


def test_the_empty_page_offers_code_and_a_call_that_is_refused(page):
    page.locator("#model").select_option("demo")
    page.locator("#new").click()
    starters = page.locator(".starter")
    expect(starters).to_have_count(6)
    starters.filter(has_text="A call that is refused").click()
    page.keyboard.press("Enter")
    ended(page)
    expect(answer(page).locator("details.tool")).to_have_attribute("data-phase", "denied")
    page.locator("#new").click()
    page.locator(".starter", has_text="Code that calls tools").click()
    page.keyboard.press("Enter")
    code_card(page).locator(".tool-calls details.tool").first.wait_for(timeout=30_000)
    ended(page)
    assert code_card(page).locator(".exit").get_attribute("data-exit") in ("ok", "error")

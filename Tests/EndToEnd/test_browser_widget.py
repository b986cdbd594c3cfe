"""The widget in headless Chromium, on pages of the server's own origin and of another."""

import json
import os
import re
import shutil
import time

import pytest
from playwright.sync_api import expect

from rig.examples import approvals, decide, refund
from rig.host import SDK, Host, listing
from rig.server import ROOT
from rig.waiting import wait_until
from rig.witness import text

#: The widget may load no more, all its modules together.
WIDGET_BYTES = 30_000


@pytest.fixture(scope="module")
def installation(witness, host, tmp_path_factory):
    yield from listing(host, witness, tmp_path_factory.mktemp("widget"))


def widget(page):
    return page.locator(".kdcube-widget")


def ask_widget(page, prompt: str) -> None:
    widget(page).get_by_role("textbox", name="Message").fill(prompt)
    page.keyboard.press("Enter")


def answered(page):
    """The last answer, once it has ended."""
    page.locator(".kdcube-widget article").last.wait_for()
    wait_until("the answer ends", lambda: widget(page).locator(".busy").count() == 0, 30)
    return widget(page).locator("article").last


def test_the_widget_answers_on_a_page_of_another_origin_with_a_strict_policy(pages, host, server, plan):
    host.policy = f"default-src 'none'; script-src {server.url}; connect-src {server.url}; style-src 'self'"
    loaded: dict[str, int] = {}

    def watch(page):
        page.on(
            "response", lambda answer: answer.url.startswith(server.url) and answer.url.endswith(".js") and loaded.update({answer.url: 0})
        )

    page = pages(f"{host.url}/widget.html", watch)
    names = "JSON.stringify(Object.getOwnPropertyNames(window).sort())"
    ask_widget(page, plan(tokens=120, rate=150).prompt())
    assert answered(page).inner_text().split() == text(120).split()
    ask_widget(page, plan(tokens=5).prompt())
    assert answered(page).inner_text().split() == text(5).split()
    size = sum(int(page.request.get(url).headers["content-length"]) for url in loaded)
    assert len(loaded) >= 7 and size < WIDGET_BYTES, (size, sorted(loaded))
    assert page.context.cookies() == [] and page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    bare = page.context.new_page()
    bare.goto(f"{host.url}/blank.html")
    assert page.evaluate(names) == bare.evaluate(names), "no global names"


def own_page(page, server, token: str, themed: bool = False) -> None:
    """The widget on a page of the server's own origin, under the server's own policy of content."""
    link = '<link rel="stylesheet" href="/host.css">' if themed else ""
    tag = f'<script src="/embed.js" data-token="{token}" data-model="witness" async></script>'
    policy = page.request.get(server.url + "/").headers["content-security-policy"]
    page.route(
        "**/own.html",
        lambda route: route.fulfill(
            body=f'<!doctype html><html lang="en"><title>Own</title>{link}{tag}',
            content_type="text/html",
            headers={"content-security-policy": policy},
        ),
    )
    page.route("**/host.css", lambda route: route.fulfill(body=(SDK / "widget.css").read_text(), content_type="text/css"))


def test_the_widget_answers_on_a_page_of_its_own_origin(pages, server, tenant, plan):
    page = pages(f"{server.url}/own.html", lambda page: own_page(page, server, tenant.key))
    ask_widget(page, plan(tokens=30, rate=100).prompt())
    assert answered(page).inner_text().split() == text(30).split()


def test_the_tag_may_stand_in_the_head_and_name_a_server_and_a_place(pages, server, host, tenant, plan):
    tag = f'<script src="{host.url}/embed.js" data-url="{server.url}" data-token="{tenant.key}" data-model="witness" data-target="#here" async></script>'
    shutil.copytree(ROOT / "web-client" / "embed", host.more / "embed")
    for name in ("embed.js", "client"):
        (shutil.copytree if name == "client" else shutil.copy)(ROOT / "web-client" / name, host.more / name)
    (host.more / "head.html").write_text(f'<!doctype html><head>{tag}</head><div id="here"></div><p>After</p>')
    page = pages(f"{host.url}/head.html")
    ask_widget(page, plan(tokens=8).prompt())
    assert answered(page).inner_text().split() == text(8).split()
    expect(page.locator("#here .kdcube-widget")).to_have_count(1)


def test_a_page_that_is_not_listed_is_told_so(pages, browser, host, server):
    stranger = Host(SDK)
    stranger.kdcube, stranger.token = server.url, host.token
    page = pages(f"{stranger.url}/widget.html")
    page.get_by_text("does not list this page under server.origins").wait_for()
    stranger.stop()


def test_the_widget_shows_where_a_cap_cut_and_refuses_the_next(pages, host, tenant, plan):
    tenant.cap("0.0006", window="day")
    page = pages(f"{host.url}/widget.html")
    ask_widget(page, plan(tokens=5_000, rate=400).prompt())
    shown = answered(page)
    note = shown.locator(".note.cut").inner_text()
    assert re.fullmatch(rf"Stopped here\. Project {tenant.org}/web has spent its \$0\.0006 for today\. It resets in .+\.", note), note
    words = re.findall(r"w\d{5}", shown.inner_text())
    assert words and words == text(len(words)).split()
    ask_widget(page, plan(tokens=5_000).prompt())
    expect(answered(page)).to_contain_text("Not started. The budget is spent. (request ", use_inner_text=True)
    assert widget(page).get_by_role("textbox", name="Message").input_value() != "", "what was not sent is not lost"


def test_the_widget_goes_on_after_a_lost_connection(pages, host, proxy, plan):
    host.kdcube = proxy.url
    page = pages(f"{host.url}/widget.html")
    ask_widget(page, plan(tokens=300, rate=100).prompt())
    widget(page).get_by_text("w00030").wait_for()
    proxy.refusing = True
    assert proxy.cut() >= 1
    widget(page).get_by_text("Connection lost. Trying again in").wait_for()
    proxy.refusing = False
    assert answered(page).inner_text().split() == text(300).split()


def test_the_widget_stops_by_its_button_and_works_by_keyboard(pages, host, plan, witness):
    wanted = plan(tokens=20_000, rate=50)
    page = pages(f"{host.url}/widget.html")
    widget(page).get_by_role("textbox", name="Message").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type(wanted.prompt())
    page.keyboard.press("Enter")
    widget(page).get_by_text("w00010").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(answered(page)).to_contain_text("Stopped by you.", use_inner_text=True)
    assert widget(page).locator("[aria-live=polite]").inner_text() != "", "a screen reader is told"
    wait_until("the upstream is closed", lambda: witness.request(wanted.id).closed, 10)


def test_the_widget_shows_that_a_call_waits_for_people(pages, refunds):
    server = refunds.server

    def own(page):
        page.route(
            "**/own.html",
            lambda route: route.fulfill(
                content_type="text/html",
                body=f'<!doctype html><title>Own</title><script src="/embed.js" data-token="{refunds.person("anna")}" data-model="demo" async></script>',
            ),
        )

    page = pages(f"{server.url}/own.html", own)
    ask_widget(page, "@rate 0\n" + refund("80.00", "C-widget", "S-widget"))
    widget(page).locator("article").get_by_text(re.compile(r"payments\.refund waits for group finance \(until \d\d:\d\d\)\.")).wait_for()
    waiting = approvals(server, refunds.person("fred"), state="pending")
    (pending,) = [approval["id"] for approval in waiting if approval["args"]["order_id"] == "S-widget"]
    assert decide(server, refunds.person("fred"), pending, "approve").status_code == 200
    told = answered(page).inner_text()
    assert "payments.refund was approved." in told and "payments.refund is done." in told, told


#: A model's text with all that is on the list, and what must stay the text that it is.
MARKDOWN = """## Budgets

A budget has **a limit**, *a window* and `a unit`. See https://example.com/a.

- of a user
- of a project <b>not bold</b>

1. spend
2. stop

```js
const left = limit - used; // <script>window.hacked = 1</script>
```

<img src=x onerror="window.hacked = 1"> [x](javascript:window.hacked=1) [good](https://example.com/b)
"""


def made_up(page, *envelopes: dict) -> None:
    """Answers each message with this run, a few characters of text at a time."""
    events, seq = [], 0
    for envelope in envelopes:
        pieces = re.findall(r"[\s\S]{1,7}", envelope["text"]) if "text" in envelope else [None]
        for piece in pieces:
            seq += 1
            body = {"type": "chat.delta", "delta": {"text": piece, "marker": "answer"}} if piece else dict(envelope)
            events.append(f"id: r:{seq}\ndata: {json.dumps(body | {'run_id': 'r', 'seq': seq})}\n\n")
    page.route("**/v1/runs", lambda route: route.fulfill(content_type="text/event-stream", body="".join(events)))


def step(tool: str, call: str, status: str, **data) -> dict:
    return {
        "type": "chat.step",
        "event": {"step": "tool", "status": status, "title": tool},
        "data": {"tool": tool, "call_id": call, **data},
    }


APPROVAL = {"id": "a1", "tool": "payments.refund", "args": {}, "from": "group:finance", "quorum": 2, "agreed": 1, "state": "pending"}
CUT = {"reason": "budget_exceeded", "scope": {"kind": "project", "id": "acme/shop"}, "unit": "usd", "window": "day", "limit": "5.000000000"}


def test_what_a_model_writes_never_becomes_markup(pages, server, tenant):
    def prepare(page):
        own_page(page, server, tenant.key)
        made_up(page, {"text": MARKDOWN}, {"type": "chat.complete", "data": {"final_answer": MARKDOWN, "finish_reason": "stop"}})

    page = pages(f"{server.url}/own.html", prepare)
    ask_widget(page, "<b>Hello</b>")
    shown = answered(page)
    kinds = shown.evaluate("all => [...new Set([...all.querySelectorAll('*')].map((one) => one.localName))].sort()")
    assert kinds == ["a", "button", "code", "div", "em", "li", "ol", "p", "pre", "strong", "ul"]
    assert shown.locator("a").evaluate_all("all => all.map((a) => [a.getAttribute('href'), a.rel])") == [
        ["https://example.com/a", "noopener noreferrer nofollow"],
        ["https://example.com/b", "noopener noreferrer nofollow"],
    ]
    told = shown.inner_text()
    for words in ("<b>not bold</b>", "<script>window.hacked = 1</script>", "<img src=x", "[x](javascript:window.hacked=1)"):
        assert words in told
    assert page.evaluate("window.hacked") is None
    expect(widget(page).locator(".you")).to_have_text("<b>Hello</b>", use_inner_text=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1024, 390])
def test_how_the_widget_looks(pages, server, tenant, scheme, width, tmp_path):
    """Once with a page's colours and once with its own; `KDCUBE_SCREENSHOTS` names a folder to keep the pictures in."""
    folder = os.environ.get("KDCUBE_SCREENSHOTS", tmp_path)
    calls = [step("crm.lookup", "c1", "running"), step("crm.lookup", "c1", "completed"), step("mail.send", "c2", "error", decision="deny")]
    end = {"type": "chat.cut", "cut": CUT | {"resets_at": int(time.time() * 1000) + 11_520_000}}
    for name in ("themed", "own"):

        def prepare(page, name=name):
            own_page(page, server, tenant.key, themed=name == "themed")
            made_up(page, {"text": MARKDOWN}, *calls, {"type": "chat.approval", "approval": APPROVAL}, {"text": "So I went on with"}, end)

        page = pages(f"{server.url}/own.html", prepare, color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        widget(page).evaluate("host => { host.style.blockSize = '850px'; host.style.maxBlockSize = 'none'; }")
        ask_widget(page, "How do budgets work?")
        answered(page)
        page.screenshot(path=f"{folder}/widget-{name}-{scheme}-{width}.png")
        box = widget(page).locator("section").evaluate("box => [box.getBoundingClientRect().right, box.scrollWidth - box.clientWidth]")
        assert box[0] <= width and box[1] == 0, "nothing hangs over"

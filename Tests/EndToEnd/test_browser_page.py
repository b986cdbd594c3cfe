"""The chat page in headless Chromium: with the official client over a real connection that can be cut, and without it.

The witness answers, because its text is known to the letter: a hole or a repeat on the page cannot hide.
"""

import re

from playwright.sync_api import expect

from rig.page import answer, ask, connected, ended, words
from rig.waiting import wait_until
from rig.witness import text


def check_whole(page, count: int) -> None:
    """Every word of the witness once and in order."""
    ended(page)
    assert words(page) == text(count).split()


def test_it_connects_by_polling_upgrades_and_streams(open_page, plan):
    sockets, polls = [], []

    def watch(page):
        page.on("websocket", lambda opened: sockets.append(opened.url))
        page.on("request", lambda request: polls.append(request.url) if "transport=polling" in request.url else None)

    page = open_page(prepare=watch)
    connected(page)
    assert "key=" not in page.url, "the key stayed in the address"
    ask(page, plan(tokens=80, rate=100).prompt())
    check_whole(page, 80)
    assert polls and "EIO=4" in polls[0]
    assert len(sockets) == 1 and "transport=websocket" in sockets[0] and "sid=" in sockets[0]


def test_the_stream_is_seen_while_it_comes(open_page, plan):
    page = open_page()
    connected(page)
    ask(page, plan(tokens=600, rate=80).prompt())
    answer(page).get_by_text("w00010").wait_for()
    assert 10 < len(words(page)) < 600
    check_whole(page, 600)


def test_a_cut_says_which_cap_stopped_it(open_page, tenant, plan):
    tenant.cap("0.01", window="day")
    page = open_page()
    connected(page)
    ask(page, plan(tokens=20_000, rate=2000).prompt())
    notice = page.get_by_role("region", name="The answer was stopped")
    notice.wait_for()
    said = notice.inner_text()
    assert "Stopped here." in said and f"{tenant.org}/{tenant.project}" in said and "resets in" in said
    shown = words(page)
    assert shown == text(len(shown)).split() and 0 < len(shown) < 5000
    assert len(shown) == tenant.usage()["totals"]["output_tokens"]


def test_after_a_lost_connection_it_resumes_without_hole_or_repeat(open_page, proxy, plan):
    page = open_page(proxy.url)
    connected(page)
    ask(page, plan(tokens=400, rate=80).prompt())
    answer(page).get_by_text("w00030").wait_for()
    for _ in range(2):
        proxy.refusing = True
        assert proxy.cut() >= 1
        page.locator("#connection:not([data-state=live])").wait_for()
        proxy.refusing = False
        connected(page)
    check_whole(page, 400)
    expect(answer(page)).to_contain_text("Resumed after a lost connection", use_inner_text=True)


def test_without_socketio_it_streams_over_events(open_page, plan):
    def block(page):
        page.route(re.compile(r"/socket\.io/\?"), lambda route: route.abort())

    page = open_page(prepare=block)
    connected(page, "sse")
    ask(page, plan(tokens=60, rate=60).prompt())
    check_whole(page, 60)


def test_over_events_too_a_lost_connection_is_resumed(open_page, proxy, plan):
    page = open_page(proxy.url, query="?transport=sse")
    connected(page, "sse")
    ask(page, plan(tokens=300, rate=80).prompt())
    answer(page).get_by_text("w00030").wait_for()
    assert proxy.cut() >= 1
    check_whole(page, 300)


def test_stop_ends_the_run(open_page, tenant, plan, witness):
    wanted = plan(tokens=20_000, rate=50)
    page = open_page()
    connected(page)
    ask(page, wanted.prompt())
    answer(page).get_by_text("w00010").wait_for()
    page.get_by_role("button", name="Stop").click()
    ended(page)
    shown = words(page)
    assert shown == text(len(shown)).split()
    wait_until("the upstream is closed", lambda: witness.request(wanted.id).closed)
    assert tenant.usage()["totals"]["output_tokens"] >= len(shown)


def test_a_wrong_key_is_said_and_another_can_be_given(open_page, server, tenant, browser):
    page = browser.new_context().new_page()
    late = []
    page.route("**/v1/quota", lambda route: route.continue_() if len(late) else late.append(route))
    page.goto(f"{server.url}/#key=kd-wrong")
    page.get_by_text("The server refused this key").wait_for(timeout=15_000)
    page.locator("#key-field").fill(tenant.key)
    page.keyboard.press("Enter")
    connected(page)
    # An answer to the wrong key that comes only now is not about this one.
    late[0].continue_()
    page.wait_for_timeout(500)
    expect(page.locator("#key-field")).to_have_count(0)
    connected(page)
    page.context.close()

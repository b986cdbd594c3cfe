"""The SDK and the widget in headless Chromium, on pages of the server's own origin and of another; the SDK in node."""

import json
import os
import re
import shutil
import subprocess
import time

import pytest

from rig.examples import decide, refund, snippets, squeezed
from rig.host import Host
from rig.server import ROOT, Installation
from rig.waiting import wait_until
from rig.witness import text

SDK = ROOT / "examples" / "sdk"
#: The widget may load no more, all its modules together.
WIDGET_BYTES = 30_000


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    host = Host(SDK, tmp_path_factory.mktemp("more"))
    yield host
    host.stop()


@pytest.fixture(scope="module")
def installation(witness, host, tmp_path_factory):
    """Lists the host's origin, with the web client as it is installed."""
    folder = tmp_path_factory.mktemp("sdk")
    shutil.copytree(ROOT / "web-client", folder / "web-client", ignore=shutil.ignore_patterns("tests"))
    server = {"web_client": str(folder / "web-client"), "origins": [host.url]}
    installation = Installation(folder / "installation", upstream=witness.url, server=server)
    installation.serve()
    yield installation
    installation.stop()


@pytest.fixture
def pages(browser, host, server, tenant):
    """Opens pages. An error of a script, or what the policy of content forbids, fails the test."""
    host.kdcube, host.token, host.model, host.policy = server.url, tenant.key, "witness", ""
    contexts, problems = [], []

    def pages(address: str, prepare=lambda page: None, **options):
        contexts.append(browser.new_context(viewport={"width": 900, "height": 760}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: "Content Security Policy" in message.text and problems.append(message.text))
        prepare(page)
        page.goto(address)
        return page

    yield pages
    for context in contexts:
        context.close()
    assert not problems, problems


def sdk(page, url: str, token: str, transport: str = "sse", path: str = "/kdcube.js") -> None:
    """Loads the SDK into a page as `window.kdcube`."""
    if transport != "sse":
        page.add_script_tag(url=f"{url}/socket.io/socket.io.js")
    page.evaluate(
        """async ([url, token, transport, path]) => {
            const { KDCube, KDCubeError } = await import(url + path);
            window.states = [];
            window.kdcube = new KDCube({ url, token, transport });
            kdcube.on('state', ({ state, transport }) => states.push(`${state} ${transport}`));
            window.refusal = (promise) => promise.then(() => null, (e) =>
                ({ typed: e instanceof KDCubeError, code: e.code, status: e.status, requestId: e.requestId }));
        }""",
        [url, token, transport, path],
    )


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_a_run_streams_as_events_and_as_text(pages, host, server, tenant, plan, transport):
    page = pages(f"{host.url}/blank.html")
    sdk(page, server.url, tenant.key, transport)
    seen = page.evaluate(
        """async (prompt) => {
            const run = await kdcube.send(prompt, { model: 'witness' });
            const pieces = []; for await (const piece of run.texts()) pieces.push(piece);
            const events = []; for await (const event of run) events.push([event.type, event.first_seq ?? event.seq, event.seq]);
            return { pieces, events, whole: await run.text(), done: await run.done, state: kdcube.state, active: kdcube.runs.active.length };
        }""",
        plan(tokens=60, rate=120).prompt(),
    )
    assert seen["whole"] == "".join(seen["pieces"]) == text(60) and len(seen["pieces"]) > 5
    ranges = [(first, last) for _, first, last in seen["events"]]
    assert ranges[0][0] == 1 and all(after[0] == before[1] + 1 for before, after in zip(ranges, ranges[1:], strict=False))
    assert seen["done"]["state"] == "complete" and seen["done"]["usage"]["output_tokens"] == 60 and float(seen["done"]["costUSD"]) > 0
    assert (seen["state"]["state"], seen["state"]["transport"], seen["active"]) == ("live", transport, 0)


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_after_a_lost_connection_nothing_is_missing_or_comes_twice(pages, host, proxy, tenant, plan, transport):
    page = pages(f"{host.url}/blank.html")
    sdk(page, proxy.url, tenant.key, transport)
    page.evaluate(
        """async (prompt) => {
            window.run = await kdcube.send(prompt, { model: 'witness' });
            window.resumed = 0; run.on('resumed', () => resumed++);
            window.got = ''; (async () => { for await (const piece of run.texts()) got += piece; })();
        }""",
        plan(tokens=300, rate=100).prompt(),
    )
    page.wait_for_function("got.includes('w00030')")
    proxy.refusing = True
    assert proxy.cut() >= 1
    page.wait_for_function("states.some((state) => state.startsWith('waiting'))")
    proxy.refusing = False
    assert page.evaluate("run.done.then(({ state }) => state)") == "complete"
    assert page.evaluate("got") == page.evaluate("run.text()") == text(300)
    assert page.evaluate("resumed") >= 1


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_cancel_and_an_abort_signal_end_the_run(pages, host, server, tenant, plan, witness, transport):
    page = pages(f"{host.url}/blank.html")
    sdk(page, server.url, tenant.key, transport)
    plans = [plan(tokens=20_000, rate=50), plan(tokens=20_000, rate=50)]
    outcomes = page.evaluate(
        """async ([first, second]) => {
            const begun = async (run) => { for await (const _ of run.texts()) return; };
            const run = await kdcube.send(first, { model: 'witness' });
            await begun(run); await run.cancel();
            const controller = new AbortController();
            const other = await kdcube.send(second, { model: 'witness', signal: controller.signal });
            await begun(other); controller.abort();
            return Promise.all([run.done, other.done]);
        }""",
        [one.prompt() for one in plans],
    )
    for one, outcome in zip(plans, outcomes, strict=True):
        assert (outcome["state"], outcome["finishReason"]) == ("complete", "cancelled")
        wait_until("the upstream is closed", lambda one=one: witness.request(one.id).closed, 10)


def test_where_sockets_do_not_get_through_it_falls_back(pages, host, server, tenant, plan):
    page = pages(f"{host.url}/blank.html", lambda page: page.route(re.compile(r"/socket\.io/\?"), lambda route: route.abort()))
    sdk(page, server.url, tenant.key, "auto")
    assert page.evaluate(
        "(prompt) => kdcube.send(prompt, { model: 'witness' }).then((run) => run.text())", plan(tokens=9).prompt()
    ) == text(9)
    assert page.evaluate("kdcube.state.transport") == "sse"


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_refusals_are_typed(pages, host, server, tenant, plan, transport):
    page = pages(f"{host.url}/blank.html")
    sdk(page, server.url, "kd-wrong", transport)
    assert page.evaluate("refusal(kdcube.connect())")["code"] == ("unauthorized" if transport == "socket" else "invalid_api_key")
    assert page.evaluate("kdcube.state.state") == "refused"
    tenant.cap("0.000001")
    sdk(page, server.url, tenant.key, transport)
    refused = page.evaluate("(prompt) => refusal(kdcube.send(prompt, { model: 'witness' }))", plan(tokens=50).prompt())
    assert refused["typed"] and refused["code"] == "budget_exceeded"
    if transport == "sse":
        assert refused["status"] == 402 and refused["requestId"], "a page of another origin can read them"


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_a_tenant_that_is_not_the_tokens_is_refused(pages, host, server, tenant, plan, transport):
    page = pages(f"{host.url}/blank.html")
    sdk(page, server.url, tenant.key, transport)
    said = page.evaluate(
        """async ([url, token, transport, tenant, prompt]) => {
            const { KDCube } = await import(url + '/kdcube.js');
            const right = new KDCube({ url, token, transport, tenant, project: 'web' });
            const wrong = new KDCube({ url, token, transport, tenant: 'other' });
            const text = await (await right.send(prompt, { model: 'witness' })).text();
            return [text, (await refusal(wrong.connect())).code];
        }""",
        [server.url, tenant.key, transport, tenant.org, plan(tokens=5).prompt()],
    )
    assert said == [text(5), "tenant_mismatch"]


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_a_cut_is_an_outcome(pages, host, server, tenant, plan, transport):
    tenant.cap("0.0002")
    page = pages(f"{host.url}/blank.html")
    sdk(page, server.url, tenant.key, transport)
    done = page.evaluate(
        "(prompt) => kdcube.send(prompt, { model: 'witness' }).then((run) => run.done)", plan(tokens=2_000, rate=400).prompt()
    )
    assert done["state"] == "cut" and done["cut"]["reason"] == "budget_exceeded" and done["error"] is None
    assert done["text"] and text(2_000).startswith(done["text"])


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_history_quota_a_new_token_and_a_run_of_before(pages, host, server, installation, tenant, plan, transport):
    page = pages(f"{host.url}/blank.html")
    sdk(page, server.url, tenant.key, transport)
    tenant.cap("1.00")
    other = installation.key(tenant.org, "web", "ada")["key"]
    stranger = installation.key(tenant.org, "web", "bob")["key"]
    seen = page.evaluate(
        """async ([prompt, other]) => {
            const run = await kdcube.send(prompt, { model: 'witness' });
            await run.done;
            const refreshed = await kdcube.refreshAuth(other);
            const quota = await kdcube.quota();
            const list = await kdcube.conversations.list({ limit: 5 });
            const turns = (await kdcube.conversations.get(run.conversationId)).turns;
            const state = await kdcube.runs.get(run.id);
            kdcube.close();
            const again = await kdcube.resume(run.id, run.lastSeq - 3);
            const seqs = []; for await (const event of again) seqs.push([event.first_seq ?? event.seq, event.seq]);
            await kdcube.conversations.delete(run.conversationId);
            const ended = await (await kdcube.resume(run.id, run.lastSeq)).done;
            const lost = await (await kdcube.resume('run_unknown')).done;
            return { quota, refreshed, listed: list.data.map((c) => c.id), id: run.conversationId, said: turns[0].assistant,
                state: state.state, seqs, last: run.lastSeq, left: (await kdcube.conversations.list()).data.length, lost: lost.error.code, ended: [ended.state, ended.conversationId] };
        }""",
        [plan(tokens=12).prompt(), other],
    )
    assert seen["quota"]["org"] == tenant.org and seen["quota"]["windows"], seen["quota"]
    assert seen["refreshed"] == {"expiresAt": None}
    assert seen["listed"] == [seen["id"]] and seen["said"] == text(12) and seen["left"] == 0
    assert seen["seqs"][0][0] == seen["last"] - 2 and seen["seqs"][-1][1] == seen["last"], seen["seqs"]
    assert seen["ended"] == ["complete", seen["id"]], "the end comes again where nothing else is left"
    assert seen["lost"] == "run_not_found"
    refused = page.evaluate("(token) => refusal(kdcube.refreshAuth(token))", stranger)
    if transport == "socket":
        assert refused["code"] == "tenant_mismatch"


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_an_approval_from_both_sides(pages, refunds, transport):
    """On the server's own origin: the example lists no other."""
    url = refunds.server.url
    anna, fred = pages(f"{url}/healthz"), pages(f"{url}/healthz")
    sdk(anna, url, refunds.person("anna"), transport)
    sdk(fred, url, refunds.person("fred"), transport)
    anna.evaluate(
        """async (prompt) => {
            window.news = []; kdcube.on('approval', ({ approval, run }) => news.push([approval.tool, approval.state, run.id]));
            window.run = await kdcube.send(prompt, { model: 'demo' });
        }""",
        "@rate 0\n" + refund("80.00", f"C-{transport}", f"S-{transport}"),
    )
    anna.wait_for_function("news.length === 1")
    answer = fred.evaluate(
        """async (order) => {
            const { data } = await kdcube.approvals.list({ state: 'pending' });
            const mine = data.find((approval) => approval.args.order_id === order);
            const silent = await refusal(kdcube.approvals.decide(mine.id, 'deny'));
            return { silent, answer: await kdcube.approvals.decide(mine.id, 'approve', 'As agreed.') };
        }""",
        f"S-{transport}",
    )
    assert answer["silent"]["code"] == "reason_required" and answer["answer"]["state"] == "approved"
    assert anna.evaluate("run.done.then(({ state }) => state)") == "complete"
    assert [(tool, state) for tool, state, _ in anna.evaluate("news")] == [("payments.refund", "pending"), ("payments.refund", "approved")]


def test_the_example_page_streams_stops_and_goes_on_after_a_reload(pages, host, plan):
    page = pages(f"{host.url}/chat.html")
    page.get_by_text("live (socket)").wait_for()
    page.get_by_label("Message").fill(plan(tokens=12).prompt())
    page.keyboard.press("Enter")
    page.locator("#note", has_text="complete, $").wait_for()
    assert page.locator("#answer").text_content() == text(12)
    page.get_by_label("Message").fill(plan(tokens=20_000, rate=60).prompt())
    page.keyboard.press("Enter")
    page.locator("#answer", has_text="w00030").wait_for()
    page.goto(f"{host.url}/chat.html?again#resume")
    page.locator("#answer", has_text="w00060").wait_for()
    rest = page.locator("#answer").text_content()
    assert "w00000" not in rest and rest in text(400), "only what was not shown before the reload, without a hole"
    page.get_by_role("button", name="Stop").click()
    page.locator("#note", has_text="complete, $").wait_for()


def run_node(server, token: str, prompt: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"KDCUBE_URL": server.url, "KDCUBE_TOKEN": token}
    return subprocess.run(["node", str(SDK / "ask.mjs"), prompt], capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_the_example_runs_in_node(server, tenant):
    done = run_node(server, tenant.key, "Go on.\n@tokens 40\n@rate 0")
    assert done.returncode == 0, done.stderr
    assert "complete: 40 tokens, $0.0" in done.stdout and len(done.stdout.split()) > 30
    tenant.cap("0.0002")
    cut = run_node(server, tenant.key, "Go on.\n@tokens 300\n@rate 0")
    assert "cut: " in cut.stdout and "The cap of 0.0002" in cut.stdout, cut.stdout + cut.stderr
    refused = run_node(server, "kd-wrong", "Go on.")
    assert refused.returncode == 1 and refused.stderr.startswith("invalid_api_key (status 401, request "), refused.stderr


def test_what_the_guide_shows_is_in_the_examples():
    files = [squeezed(path.read_text()) for path in SDK.iterdir()]
    shown = snippets((ROOT / "docs" / "sdk.md").read_text(), "js", "html", "css")
    assert len(shown) >= 6
    for snippet in shown:
        assert any(squeezed(snippet) in file for file in files), snippet


# The widget


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
    assert page.locator("#here .kdcube-widget").count() == 1


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
    assert "Not started. The budget is spent. (request " in answered(page).inner_text()
    assert widget(page).get_by_role("textbox", name="Message").input_value() != "", "what was not sent is not lost"


def test_the_widget_goes_on_after_a_lost_connection(pages, host, proxy, plan):
    host.kdcube = proxy.url
    page = pages(f"{host.url}/widget.html")
    ask_widget(page, plan(tokens=300, rate=100).prompt())
    widget(page).get_by_text("w00030").wait_for()
    assert proxy.cut() >= 1
    widget(page).get_by_text("Connection lost. Trying again in").wait_for()
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
    assert "Stopped by you." in answered(page).inner_text()
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
    fred = pages(f"{server.url}/healthz")
    sdk(fred, server.url, refunds.person("fred"))
    pending = fred.evaluate(
        "kdcube.approvals.list({ state: 'pending' }).then(({ data }) => data.find((a) => a.args.order_id === 'S-widget').id)"
    )
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
    assert page.evaluate("window.hacked") is None and widget(page).locator(".you").inner_text() == "<b>Hello</b>"


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

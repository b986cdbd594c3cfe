"""The SDK in headless Chromium, over both transports, on pages of the server's own origin and of another; and in node."""

import os
import re
import subprocess
import time

import jwt
import pytest

from rig.examples import refund, snippets, squeezed
from rig.host import SDK, SECRET, listing
from rig.server import ROOT
from rig.waiting import wait_until
from rig.witness import text


@pytest.fixture(scope="module")
def installation(witness, host, tmp_path_factory):
    yield from listing(host, witness, tmp_path_factory.mktemp("sdk"))


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
        plan(tokens=60, rate=30).prompt(),
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


def token(org: str, seconds: int) -> tuple[str, int]:
    """A JSON Web Token and when it expires, in milliseconds. The server allows a minute more, because clocks differ."""
    until = int(time.time()) + seconds
    return jwt.encode({"sub": "ada", "org": org, "project": "web", "exp": until}, SECRET, "HS256"), until * 1000


@pytest.mark.parametrize("transport", ["socket", "sse"])
def test_a_run_goes_on_while_an_expired_token_is_replaced(pages, host, server, tenant, plan, transport):
    page = pages(f"{host.url}/blank.html")
    sdk(page, server.url, token(tenant.org, 8 - 60)[0], transport)
    page.evaluate("async (prompt) => { window.run = await kdcube.send(prompt, { model: 'witness' }); }", plan(tokens=720, rate=60).prompt())
    wait_until("the token expires", lambda: (page.evaluate("refusal(kdcube.quota())") or {}).get("code") == "token_expired", 30)
    fresh, until = token(tenant.org, 300)
    assert page.evaluate("(token) => kdcube.refreshAuth(token)", fresh) == {"expiresAt": until if transport == "socket" else None}
    assert page.evaluate("run.text()") == text(720)
    assert page.evaluate(
        "(prompt) => kdcube.send(prompt, { model: 'witness' }).then((run) => run.text())", plan(tokens=3).prompt()
    ) == text(3)


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
    assert "w00000" not in rest and rest in text(20_000), "only what was not shown before the reload, without a hole"
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

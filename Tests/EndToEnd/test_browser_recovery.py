"""Connection state recovery with the official client in headless Chromium: at the library's bench server, and at a KDCube server."""

import re
import urllib.request

import pytest

from rig.process import Process
from rig.server import BINARIES, ROOT, Installation
from rig.waiting import free_port, wait_until
from rig.witness import text

CLIENT = (ROOT / "web-client" / "vendor" / "socket.io.min.js").read_text()

#: A socket that can be cut, with everything it hears; `other` speaks while it is away.
SCRIPT = """
async ({auth, otherAuth, transports, before, idle}) => {
  const opened = (socket) => new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', (error) => reject(new Error(error.message)));
  });
  const until = async (what, holds) => {
    const deadline = Date.now() + 15000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`not ${what}: ` + JSON.stringify(seen));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const seen = {ticks: [], offsets: 0};
  const socket = io({auth, transports, forceNew: true, reconnection: false});
  socket.on('tick', (number) => seen.ticks.push(number));
  socket.onAny((name) => { if (name === 'kdcube_offset') seen.offsets += 1; });
  await opened(socket);
  seen.first = {id: socket.id, recovered: socket.recovered};
  await socket.timeout(5000).emitWithAck('join', 'team');
  const other = io({auth: otherAuth, transports: ['websocket'], forceNew: true});
  await opened(other);
  let sent = 0;
  const say = async () => { other.emit('bcast', 'team', sent); sent += 1; await other.timeout(5000).emitWithAck('echo', 1); };
  for (let i = 0; i < before; i += 1) await say();
  await until('all before', () => seen.ticks.length === before);
  if (idle) {
    const told = seen.offsets;
    await until('told its offset', () => seen.offsets > told);
  }
  seen.cuts = [];
  for (let cut = 0; cut < 2; cut += 1) {
    socket.io.engine.close();
    for (let i = 0; i < 3; i += 1) await say();
    const again = opened(socket);
    socket.connect();
    await again;
    seen.cuts.push({id: socket.id, recovered: socket.recovered, missed: seen.ticks.length - before});
    await say();
    before += 4;
    await until('all after', () => seen.ticks.length >= before);
  }
  await say();
  await until('the last', () => seen.ticks.includes(sent - 1));
  seen.sent = sent;
  socket.disconnect();
  other.disconnect();
  return seen;
}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The server of the library's benchmarks, which keeps lost sockets for six seconds and so tells idle ones their offset every three."""
    port = free_port()
    command = [str(BINARIES / "conformance-server"), "--suite", "bench", "--port", str(port), "--threads", "2", "--recovery", "6"]
    process = Process(command, tmp_path_factory.mktemp("bench") / "server.log")
    wait_until("the server listens", lambda: "listening" in process.log.read_text(), 30)
    yield f"http://127.0.0.1:{port}"
    process.stop()


@pytest.fixture
def page(browser, bench):
    context = browser.new_context()
    page = context.new_page()
    # Any page that the server itself answers with: browsers keep pages of unknown places from loopback addresses.
    page.goto(bench + "/metrics")
    page.add_script_tag(content=CLIENT)
    yield page
    context.close()


@pytest.mark.parametrize(
    ("transports", "before", "idle"),
    [(["websocket"], 3, False), (["polling"], 3, False), (["websocket"], 0, False), (["websocket"], 1, True)],
    ids=["websocket", "polling", "before the first event", "after an idle time"],
)
def test_what_is_emitted_meanwhile_arrives_once(page, transports, before, idle):
    seen = page.evaluate(SCRIPT, {"auth": {}, "otherAuth": {}, "transports": transports, "before": before, "idle": idle})
    assert seen["ticks"] == list(range(seen["sent"]))
    assert not seen["first"]["recovered"]
    assert [(cut["id"], cut["recovered"]) for cut in seen["cuts"]] == [(seen["first"]["id"], True)] * 2
    assert seen["cuts"][0]["missed"] == 3, "they are there when the client hears that it is connected"


# A KDCube server ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installation(witness, tmp_path_factory):
    installation = Installation(tmp_path_factory.mktemp("recovery"), upstream=witness.url, transport={"recovery": "2m"})
    installation.serve()
    yield installation
    installation.stop()


def recoveries(server, outcome: str) -> int:
    with urllib.request.urlopen(server.url + "/metrics") as response:
        match = re.search(rf'^kdcube_recoveries_total{{outcome="{outcome}"}} (\d+)', response.read().decode(), re.MULTILINE)
    return int(match.group(1)) if match else 0


@pytest.fixture
def tab(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url + "/healthz")
    page.add_script_tag(url=server.url + "/socket.io/socket.io.js")
    yield page
    context.close()


def test_the_sdk_follows_its_run_over_a_recovered_connection_without_a_repeat(tab, server, tenant, plan):
    seen = tab.evaluate(
        """async ([token, prompt]) => {
            const { KDCube } = await import('/kdcube.js');
            const sockets = [], heard = {}, recovered = [], ids = [];
            const cuttable = (...options) => {
                const socket = io(...options);
                socket.on('connect', () => { recovered.push(socket.recovered); ids.push(socket.id); });
                socket.onAny((name, event) => { if (event?.seq) heard[event.seq] = (heard[event.seq] ?? 0) + 1; });
                sockets.push(socket);
                return socket;
            };
            const kdcube = new KDCube({ token, io: cuttable });
            const run = await kdcube.send(prompt, { model: 'witness' });
            const events = [];
            // Twice, and only what is open: a client whose connection is closed while it opens waits out its time for that.
            const cuts = [10, 40];
            for await (const event of run) {
                events.push(event);
                if (events.length >= cuts[0] && sockets[0].connected && recovered.length + cuts.length === 3) {
                    cuts.shift();
                    sockets[0].io.engine.close();
                }
            }
            const whole = await run.text();
            kdcube.close();
            return { events: events.map((e) => [e.first_seq ?? e.seq, e.seq]), whole, recovered, ids, count: sockets.length, heard };
        }""",
        [tenant.key, plan(tokens=400, rate=100).prompt()],
    )
    assert seen["whole"] == text(400)
    assert seen["events"][0][0] == 1
    assert all(after[0] == before[1] + 1 for before, after in zip(seen["events"], seen["events"][1:], strict=False))
    assert seen["count"] == 1 and seen["recovered"] == [False, True, True] and len(set(seen["ids"])) == 1
    # Nor does the server send one twice: it is asked for what comes after the last.
    assert set(seen["heard"].values()) == {1}


def test_another_credential_gets_another_socket(tab, server, tenant, installation, make_tenant):
    before = recoveries(server, "identity")
    stranger = make_tenant(installation)
    seen = tab.evaluate(
        """async ([token, other]) => {
            let mine = token;
            const socket = io({ auth: (give) => give({ token: mine }), reconnectionDelay: 50 });
            const connected = () => new Promise((resolve, reject) => {
                socket.once('session_info', (info) => resolve({ id: socket.id, recovered: socket.recovered, org: info.org }));
                socket.once('connect_error', (error) => reject(new Error(error.message)));
            });
            const seen = [await connected()];
            for (const next of [token, other, other]) {
                mine = next;
                const again = connected();
                socket.io.engine.close();
                seen.push(await again);
            }
            socket.disconnect();
            return seen;
        }""",
        [tenant.key, stranger.key],
    )
    assert [one["recovered"] for one in seen] == [False, True, False, True]
    assert seen[0]["id"] == seen[1]["id"] != seen[2]["id"] == seen[3]["id"]
    assert [one["org"] for one in seen] == [tenant.org, tenant.org, stranger.org, stranger.org]
    assert recoveries(server, "identity") == before + 1

"""The official client by itself, on a bare page of the server: each transport, acknowledgements, a cut, resuming."""

import pytest

from rig.witness import text

#: Connects, asks, collects until the run ends; everything that a test wants to know comes back in one object.
SCRIPT = """
async ({token, prompt, options, resumeAfter}) => {
  const socket = io({auth: {token}, reconnection: true, ...options});
  const seen = {events: [], transports: [], errors: []};
  const names = ['chat_start', 'chat_step', 'chat_delta', 'chat_usage', 'chat_complete', 'chat_cut', 'chat_error'];
  socket.on('session_info', (info) => { seen.session = info; });
  socket.io.on('open', () => {
    seen.transports.push(socket.io.engine.transport.name);
    socket.io.engine.on('upgrade', (transport) => seen.transports.push(transport.name));
  });
  socket.on('connect_error', (error) => seen.errors.push({message: error.message, data: error.data}));
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', (error) => reject(new Error(error.message)));
  });
  const ended = new Promise((resolve) => {
    for (const name of names) {
      socket.on(name, (event) => {
        seen.events.push(event);
        if (['chat_complete', 'chat_cut', 'chat_error'].includes(name)) resolve();
      });
    }
  });
  seen.ack = await socket.timeout(10000).emitWithAck('chat_message', {text: prompt, model: 'witness'});
  if (!seen.ack.ok) { socket.disconnect(); return seen; }
  if (resumeAfter) {
    await new Promise((resolve) => {
      const timer = setInterval(() => { if (seen.events.length > resumeAfter) { clearInterval(timer); resolve(); } }, 5);
    });
    const again = new Promise((resolve) => socket.once('connect', resolve));
    socket.io.engine.close();
    await again;
    const last = seen.events[seen.events.length - 1].seq;
    seen.resume = await socket.timeout(10000).emitWithAck('chat_resume', {run_id: seen.ack.run_id, after_seq: last});
    seen.resumedAfter = last;
  }
  await ended;
  // The upgrade has time of its own: on a slow machine it comes after the run.
  for (let left = 100; left > 0 && (options.transports ?? []).length > seen.transports.length; left--)
    await new Promise((resolve) => setTimeout(resolve, 100));
  await new Promise((resolve) => setTimeout(resolve, 150));
  socket.disconnect();
  return seen;
}
"""


@pytest.fixture
def talk(browser, server, tenant):
    """Runs the script with these client options and returns what it saw."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url + "/healthz")
    page.add_script_tag(url=server.url + "/socket.io/socket.io.js")

    def talk(prompt: str, resume_after: int = 0, **options):
        arguments = {"token": tenant.key, "prompt": prompt, "options": options, "resumeAfter": resume_after}
        return page.evaluate(SCRIPT, arguments)

    yield talk
    context.close()


def check_answer(seen: dict, count: int) -> None:
    from rig.envelopes import answer, check_run

    assert seen["ack"]["ok"] and check_run(seen["events"])["type"] == "chat.complete"
    assert answer(seen["events"]) == text(count)


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]], ids="+".join)
def test_each_transport_carries_a_whole_run(talk, plan, tenant, transports):
    seen = talk(plan(tokens=120, rate=120).prompt(), transports=transports)
    check_answer(seen, 120)
    assert seen["transports"] == transports
    assert seen["session"]["project"] == tenant.project and not seen["errors"]


def test_a_fast_run_arrives_whole_over_polling(talk, plan):
    check_answer(talk(plan(tokens=3000).prompt(), transports=["polling"]), 3000)


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids="+".join)
def test_it_reconnects_by_itself_and_resumes(talk, plan, transports):
    seen = talk(plan(tokens=200, rate=80).prompt(), resume_after=20, transports=transports, reconnectionDelay=100)
    assert seen["resume"] == {"ok": True, "from_seq": seen["resumedAfter"] + 1} | seen["resume"]
    check_answer(seen, 200)


def test_a_cut_is_its_own_event(talk, plan, tenant):
    tenant.cap("0.0002")
    seen = talk(plan(tokens=5000, rate=300).prompt())
    assert seen["events"][-1]["type"] == "chat.cut" and seen["events"][-1]["cut"]["reason"] == "budget_exceeded"


def test_a_refused_handshake_carries_its_code(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url + "/healthz")
    page.add_script_tag(url=server.url + "/socket.io/socket.io.js")
    code = page.evaluate(
        """() => new Promise((resolve) => io({auth: {token: 'kd-wrong'}}).on('connect_error', (e) => resolve(e.data && e.data.code)))"""
    )
    context.close()
    assert code in ("unauthorized", "invalid_api_key")

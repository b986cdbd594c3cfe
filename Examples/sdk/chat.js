import { KDCube } from 'https://kdcube.example/kdcube.js';

const byId = (id) => document.getElementById(id);
const kdcube = new KDCube({ url: 'https://kdcube.example', token: 'kd-…' });
const options = { model: 'demo', onDisconnect: 'drain' }; // it goes on at the server while the page is reloaded
let run;

kdcube.on('state', ({ state, transport, retryAt, error }) => {
  const wait = Math.ceil((retryAt - Date.now()) / 1000);
  byId('state').textContent = error?.message ?? (state === 'waiting' ? `Trying again in ${wait} s` : `${state} (${transport})`);
});
kdcube.connect().catch(() => {}); // `state` has said why

async function show(text) {
  run = typeof text === 'string' ? await kdcube.send(text, options) : text;
  byId('answer').textContent = byId('note').textContent = '';
  run.on('resumed', () => { byId('note').textContent = 'Resumed after a lost connection.'; });
  for await (const event of run) {
    if (event.type === 'chat.delta') byId('answer').append(event.delta.text);
    if (event.type === 'chat.cut') byId('note').textContent = `Stopped: the limit of ${event.cut.limit} is reached.`;
    // What a page needs to go on after a reload.
    sessionStorage.setItem('run', JSON.stringify([run.id, run.lastSeq]));
  }
  const { state, costUSD } = await run.done;
  byId('note').append(` ${state}, $${costUSD}`);
}

document.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = event.target.elements.message;
  show(field.value).catch((error) => { byId('note').textContent = `${error.code}: ${error.message} (request ${error.requestId})`; });
  field.value = '';
});
byId('stop').addEventListener('click', () => run?.cancel());

// A call of a tool that waits for people. Who may agree does it elsewhere, or here with `kdcube.approvals.decide`.
kdcube.on('approval', ({ approval }) => {
  byId('approval').textContent = `${approval.tool}: ${approval.state}`;
});

// After a reload: what came before is known, so only the rest is asked for. Without a position all of it comes again.
const [runId, afterSeq] = JSON.parse(sessionStorage.getItem('run') ?? '[]');
if (runId && location.hash === '#resume') show(await kdcube.resume(runId, afterSeq));

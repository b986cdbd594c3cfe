import assert from 'node:assert/strict';
import test from 'node:test';
import { KDCube, KDCubeError } from '../kdcube.js';

const envelope = (seq, type, more = {}) => ({ type, run_id: 'r1', seq, conversation: { conversation_id: 'c1', turn_id: 't1' }, ...more });
const delta = (seq, text, more) => envelope(seq, 'chat.delta', { delta: { text, marker: 'answer' }, ...more });
const complete = (seq) => envelope(seq, 'chat.complete', { data: { final_answer: 'all of it', finish_reason: 'stop' }, usage: { input_tokens: 1, output_tokens: 2 }, cost_usd: '0.01' });
const sse = (...events) => events.map((e) => `event: ${e.type.replace('.', '_')}\nid: r1:${e.seq}\ndata: ${JSON.stringify(e)}\n\n`).join('');

/** A server by its answers: path → function of the request. */
function client(answers, options = {}) {
  const asked = [];
  const fetch = async (address, request) => {
    const { pathname, search } = new URL(address);
    asked.push({ method: request.method, path: pathname + search, headers: request.headers, body: request.body && JSON.parse(request.body) });
    const answer = answers[`${request.method} ${pathname}`] ?? (() => ({}));
    const { status = 200, body = {}, headers = {} } = await answer(asked.length);
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers });
  };
  return { asked, kdcube: new KDCube({ url: 'http://kdcube.test/', token: 'kd-x', fetch, ...options }) };
}

async function all(iterable) {
  const found = [];
  for await (const one of iterable) found.push(one);
  return found;
}

test('a run is iterated for events and for text, more than once, and ends with an outcome', async () => {
  const stream = sse(envelope(1, 'chat.start', { data: { model: 'demo' } }), delta(2, 'Hel'), envelope(3, 'chat.delta', { delta: { text: 'hm', marker: 'thinking' } }), delta(4, 'lo'), complete(5));
  const { kdcube, asked } = client({ 'POST /v1/runs': () => ({ body: stream }) });
  const run = await kdcube.send('Hi', { model: 'demo', maxTokens: 9, conversationId: 'c1' });
  assert.deepEqual((await all(run)).map((e) => e.seq), [1, 2, 3, 4, 5]);
  assert.deepEqual(await all(run.texts()), ['Hel', 'lo']);
  const late = [];
  run.on('event', ({ seq }) => late.push(seq));
  run.on('end', ({ state }) => late.push(state));
  assert.deepEqual(late, [1, 2, 3, 4, 5, 'complete'], 'who listens late is told what came before');
  assert.equal(await run.text(), 'Hello');
  const { state, finishReason, costUSD, usage } = await run.done;
  assert.deepEqual({ state, finishReason, costUSD, usage }, { state: 'complete', finishReason: 'stop', costUSD: '0.01', usage: { input_tokens: 1, output_tokens: 2 } });
  assert.deepEqual(asked.find((r) => r.method === 'POST').body, { text: 'Hi', model: 'demo', max_tokens: 9, conversation_id: 'c1' });
  assert.deepEqual([run.conversationId, run.turnId, run.lastSeq, kdcube.runs.active], ['c1', 't1', 5, []]);
  kdcube.close();
});

test('after a lost connection it goes on behind the last event, and what comes twice is shown once', async () => {
  const { kdcube, asked } = client({
    'POST /v1/runs': () => ({ body: sse(delta(1, 'one '), delta(2, 'two ')) }),
    'GET /v1/runs/r1/events': () => ({ body: sse(delta(2, 'two '), delta(3, 'three'), complete(4)) }),
  });
  const resumed = [];
  const run = await kdcube.send('Hi');
  run.on('resumed', (how) => resumed.push(how));
  assert.equal(await run.text(), 'one two three');
  assert.equal(asked.find((r) => r.path.endsWith('/events')).headers['last-event-id'], 'r1:2');
  assert.deepEqual(resumed, [{ after: 2 }]);
  kdcube.close();
});

test('a run that was detached and resumed reconnects like any other', async () => {
  const rest = [sse(delta(2, 'two ')), sse(delta(3, 'three'), complete(4))];
  const { kdcube, asked } = client({
    'POST /v1/runs': () => ({ body: sse(delta(1, 'one ')) }),
    'GET /v1/runs/r1/events': () => ({ body: rest.shift() }),
  });
  const run = await kdcube.send('Hi');
  run.detach();
  await assert.rejects(run.text());
  run.resume();
  assert.equal((await run.done).state, 'complete');
  assert.equal(asked.filter((r) => r.path.endsWith('/events')).length, 2, 'the stream that broke after it was followed up');
  kdcube.close();
});

test('a gap is an event, and the final answer fills the text', async () => {
  const gap = 'event: gap\ndata: {"run_id":"r1","first_seq":2,"seq":7}\n\n';
  const { kdcube } = client({ 'POST /v1/runs': () => ({ body: sse(delta(1, 'all ')) + gap + sse(complete(8)) }) });
  const run = await kdcube.send('Hi');
  assert.deepEqual((await all(run)).map((e) => e.type), ['chat.delta', 'gap', 'chat.complete']);
  assert.equal(await run.text(), 'all of it');
  kdcube.close();
});

test('a cut is an outcome with its text; a failed run throws a typed error', async () => {
  const cut = envelope(2, 'chat.cut', { cut: { reason: 'budget_exceeded', limit: '5.00' }, cost_usd: '5.00' });
  const error = envelope(2, 'chat.error', { error: { code: 'upstream_error', message: 'It broke.' } });
  for (const [last, check] of [
    [cut, async (run) => {
      assert.equal(await run.text(), 'so far');
      assert.deepEqual([(await run.done).state, (await run.done).cut.reason], ['cut', 'budget_exceeded']);
    }],
    [error, async (run) => {
      await assert.rejects(run.text(), (e) => e instanceof KDCubeError && e.code === 'upstream_error' && e.runId === 'r1');
      await assert.rejects(all(run.texts()), { code: 'upstream_error' });
      assert.equal((await run.done).text, 'so far');
    }],
  ]) {
    const { kdcube } = client({ 'POST /v1/runs': () => ({ body: sse(delta(1, 'so far'), last) }) });
    await check(await kdcube.send('Hi'));
    kdcube.close();
  }
});

test('a refusal carries code, status and request id', async () => {
  const refuse = () => ({ status: 402, body: { error: { code: 'budget_exceeded', message: 'Spent.' } }, headers: { 'x-request-id': 'q7', 'retry-after': '30' } });
  const { kdcube } = client({ 'POST /v1/runs': refuse });
  await assert.rejects(kdcube.send('Hi'), { code: 'budget_exceeded', status: 402, requestId: 'q7', retryAfter: 30, message: 'Spent.' });
  kdcube.close();
});

test('a token that the server does not take refuses the connection', async () => {
  const states = [];
  const { kdcube } = client({ 'GET /v1/quota': () => ({ status: 401, body: { error: { code: 'unauthorized', message: 'No.' } } }) });
  kdcube.on('state', ({ state }) => states.push(state));
  await assert.rejects(kdcube.connect(), { code: 'unauthorized', status: 401 });
  assert.deepEqual(states, ['refused']);
});

test('a run that the server cannot continue is lost, and can be resumed', async () => {
  let known = false;
  const { kdcube } = client({
    'GET /v1/runs/r1/events': () => (known ? { body: sse(delta(3, 'end'), complete(4)) } : { status: 404, body: { error: { code: 'run_not_found', message: 'None.' } } }),
  });
  const run = await kdcube.resume('r1', 2);
  assert.equal((await run.done).error.code, 'run_not_found');
  await assert.rejects(all(run), { code: 'run_not_found' });
  known = true;
  run.resume();
  assert.equal(await run.text(), 'end');
  kdcube.close();
});

test('tenant and project are repeated on each request, and an unknown option is a mistake', async () => {
  const { kdcube, asked } = client({}, { tenant: 'acme', project: 'web' });
  await kdcube.approvals.list({ state: 'pending' });
  assert.equal(asked.at(-1).path, '/api/approvals?state=pending&tenant=acme&project=web');
  await assert.rejects(kdcube.send('Hi', { max_tokens: 5 }), TypeError);
  kdcube.close();
  assert.equal(kdcube.state.state, 'closed');
});

test('what cannot work is said at once', () => {
  assert.throws(() => new KDCube({ url: 'http://x' }), { code: 'no_token' });
  assert.throws(() => new KDCube({ url: 'http://x', token: 'kd-x', transport: 'socket' }), { code: 'no_socket_client' });
  assert.throws(() => new KDCube({ token: 'kd-x' }), { code: 'no_url' });
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { Run } from '../client/run.js';
import { Backoff } from '../client/backoff.js';
import { errorFrom } from '../client/errors.js';

const delta = (seq) => ({ type: 'chat.delta', run_id: 'r', seq, delta: { text: `w${seq} ` } });
const settled = () => new Promise((resolve) => setImmediate(resolve));

function follow(transport = {}) {
  const log = [];
  const calls = { resume: 0, drop: 0 };
  const run = new Run({ resume: async () => { calls.resume += 1; }, drop: () => { calls.drop += 1; }, ...transport }, { runId: 'r' });
  const listen = () => {
    run.on('event', (e) => log.push(e.seq));
    run.on('gap', (g) => log.push(`gap ${g.first_seq}-${g.seq}`));
    run.on('resumed', ({ after }) => log.push(`resumed ${after}`));
    run.on('end', (e) => log.push(`end ${e.type}`));
  };
  return { run, log, calls, listen };
}

test('events that come before anybody listens wait for the listener', async () => {
  const { run, log, listen } = follow();
  run.receive(delta(1));
  run.receive(delta(2));
  listen();
  await settled();
  run.receive(delta(3));
  assert.deepEqual(log, [1, 2, 3]);
});

test('a hole asks the transport once, and closes when the missing event comes', async () => {
  const { run, log, calls, listen } = follow();
  listen();
  await settled();
  for (const seq of [1, 3, 4, 5]) run.receive(delta(seq));
  assert.equal(calls.resume, 1);
  run.receive(delta(2));
  assert.deepEqual(log, [1, 2, 3, 4, 5]);
});

test('a resume is told after its events, and a gap among them before', async () => {
  const { run, log, listen } = follow();
  listen();
  await settled();
  run.receive(delta(1));
  run.markResume();
  run.receiveGap(3);
  run.receive(delta(4));
  assert.deepEqual(log, [1, 'gap 2-3', 'resumed 1', 4]);
});

test('the terminal event ends the run once and lets the transport forget it', async () => {
  const { run, log, calls, listen } = follow();
  listen();
  await settled();
  run.receive({ type: 'chat.complete', run_id: 'r', seq: 1 });
  run.receive({ type: 'chat.cut', run_id: 'r', seq: 2 });
  assert.deepEqual(log, [1, 'end chat.complete']);
  assert.equal(calls.drop, 1);
});

test('the wait between tries grows to its cap and starts anew after a success', () => {
  const backoff = new Backoff({ first: 500, cap: 4000, random: () => 1 });
  assert.deepEqual([1, 2, 3, 4, 5].map(() => backoff.next()), [500, 1000, 2000, 4000, 4000]);
  backoff.reset();
  assert.equal(backoff.next(), 500);
});

test('errors have one shape, whatever form they came in', () => {
  const body = errorFrom({ error: { message: 'm', code: 'budget_exceeded', request_id: 'q' } }, { status: 402 });
  assert.deepEqual([body.message, body.code, body.requestId, body.status], ['m', 'budget_exceeded', 'q', 402]);
  assert.equal(errorFrom({ ok: false, error: 'policy_denied' }).code, 'policy_denied');
  assert.equal(errorFrom(undefined).code, 'unknown');
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { ApprovalsStore } from '../console/approvals-store.js';
import { Live } from '../console/live.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** The official client as far as the console uses it. */
function fakeIo() {
  const sockets = [];
  const io = (namespace, options) => {
    const listeners = {};
    const socket = { namespace, options, connects: 0, on: (name, listener) => { listeners[name] = listener; }, connect() { this.connects += 1; }, disconnect() {}, fire: (name, value) => listeners[name]?.(value) };
    sockets.push(socket);
    return socket;
  };
  return { io, sockets };
}

/** Time that goes on when the test says so. */
function fakeTime() {
  let now = 0;
  let last = 0;
  const due = new Map();
  return {
    clock: () => now,
    timers: { set(done, ms) { due.set(last += 1, { done, at: now + ms }); return last; }, clear: (timer) => due.delete(timer) },
    tick(ms) {
      now += ms;
      for (const [timer, { done, at }] of due) if (at <= now && due.delete(timer)) done();
    },
  };
}

function follow(options) {
  const time = fakeTime();
  const log = [];
  const live = new Live({ token: 'kd-x', clock: time.clock, timers: time.timers, isAdmin: true, ask: async () => [], ...options });
  live.on('connection', ({ state }) => log.push(state));
  live.on('approvals', (news) => log.push(news));
  live.start();
  return { live, log, tick: time.tick };
}

test('an admin is told over the namespace of the console', () => {
  const { io, sockets } = fakeIo();
  const { live, log, tick } = follow({ io });
  const [socket] = sockets;
  assert.equal(socket.namespace, '/console');
  socket.options.auth((auth) => assert.deepEqual(auth, { token: 'kd-x' }));
  socket.fire('connect');
  socket.fire('approvals', { snapshot: true, data: [{ id: 'a' }] });
  socket.fire('approvals', { data: [{ id: 'b' }] });
  assert.deepEqual(log, ['connecting', 'live', { snapshot: true, data: [{ id: 'a' }] }, { snapshot: false, data: [{ id: 'b' }] }]);
  socket.fire('disconnect', 'transport close');
  assert.equal(log.at(-1), 'waiting');
  tick(1000);
  assert.equal(socket.connects, 2);
  socket.fire('connect');
  live.retryNow(); // the page came to the front, and all is well
  assert.equal(log.at(-1), 'live');
  assert.equal(socket.connects, 2);
});

test('a refused namespace is answered by asking every three seconds', async () => {
  const { io, sockets } = fakeIo();
  let asked = 0;
  const { live, log, tick } = follow({ io, ask: async () => [{ id: `a${asked += 1}` }] });
  sockets[0].fire('connect_error', Object.assign(new Error('no'), { data: { code: 'scope_denied' } }));
  await settled();
  assert.deepEqual(log, ['connecting', 'poll', { snapshot: true, data: [{ id: 'a1' }] }]);
  tick(3000);
  await settled();
  assert.equal(asked, 2);
  live.stop();
  tick(9000);
  await settled();
  assert.equal(asked, 2);
});

test('whoever is no admin asks, and a server that is away is waited for', async () => {
  let isAway = true;
  const { log, tick } = follow({ io: () => assert.fail('no push for them'), isAdmin: false, ask: async () => {
    if (isAway) throw Object.assign(new Error('away'), { code: 'offline' });
    return [];
  } });
  await settled();
  assert.equal(log.at(-1), 'waiting');
  isAway = false;
  tick(3000);
  await settled();
  assert.ok(log.includes('poll'));
});

test('a key that is refused while asking ends it', async () => {
  const { log } = follow({ isAdmin: false, ask: async () => { throw Object.assign(new Error('no'), { status: 401 }); } });
  await settled();
  assert.equal(log.at(-1), 'refused');
});

function store(pages) {
  const calls = [];
  const api = { approvals: async (asAdmin, query) => { calls.push(query.state); return pages[query.state](query); } };
  return { calls, store: new ApprovalsStore(api, { isAdmin: true, onchange() {}, onerror: () => false }) };
}

test('approvals that vanish from a snapshot are asked for: they have ended', async () => {
  let state = 'pending';
  const row = () => ({ id: 'a', state, may_decide: true });
  const { calls, store: approvals } = store({ pending: () => ({ data: state === 'pending' ? [row()] : [] }), all: () => ({ data: [row()], cursor: null }) });
  await approvals.load();
  approvals.take({ snapshot: true, data: [row()] });
  assert.equal(calls.length, 2, 'nothing is missing, nothing is asked');
  state = 'approved';
  approvals.take({ snapshot: true, data: [] });
  await settled();
  assert.equal(approvals.rows[0].state, 'approved');
});

test('a look at what waits that is older than a decision is thrown away', async () => {
  const answers = [];
  const pending = () => new Promise((answer) => answers.push(answer));
  const { store: approvals } = store({ pending, all: () => ({ data: [] }) });
  const asked = approvals.askPending();
  await settled();
  approvals.put({ id: 'a', state: 'approved' });
  answers[0]({ data: [{ id: 'a', state: 'pending' }] });
  await settled();
  assert.equal(answers.length, 2, 'it is asked again');
  answers[1]({ data: [{ id: 'b', state: 'pending' }] });
  assert.deepEqual((await asked).map((row) => row.id), ['b']);
});

test('news that do not say what this person may do are asked for', async () => {
  const { calls, store: approvals } = store({ pending: () => ({ data: [{ id: 'b', state: 'pending', may_decide: true }] }), all: () => ({ data: [], cursor: 'next' }) });
  await approvals.load();
  assert.ok(approvals.hasMore);
  approvals.take({ snapshot: false, data: [{ id: 'b', state: 'pending', agreed: 1 }] });
  assert.equal(calls.length, 2);
  assert.equal(approvals.rows[0].may_decide, true, 'what is known stays');
  approvals.take({ snapshot: false, data: [{ id: 'c', state: 'pending' }] });
  await settled();
  assert.equal(calls.length, 4);
});

test('a failed read is told, and does not take away what was read before', async () => {
  let isAway = false;
  const answer = () => {
    if (isAway) throw new Error('away');
    return { data: [{ id: 'a', state: 'pending' }], cursor: null };
  };
  const { store: approvals } = store({ pending: answer, all: answer });
  await approvals.load();
  isAway = true;
  await approvals.load();
  assert.equal(approvals.rows.length, 1);
  assert.equal(approvals.state, 'ready');
  assert.equal(approvals.error.message, 'away');
});

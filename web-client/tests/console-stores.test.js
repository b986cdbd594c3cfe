import assert from 'node:assert/strict';
import test from 'node:test';
import { LiveRows } from '../console/live-rows.js';
import { sparkPaths } from '../console/spark.js';
import { NowStore, StreamsStore, WindowsStore } from '../console/stores.js';
import { range } from '../console/virtual-list.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a snapshot replaces, news change, what is gone goes', () => {
  const rows = new LiveRows({ key: (row) => row.id, read: async () => ({ data: [], cursor: null }) });
  const told = [];
  rows.on('change', (keys) => told.push(keys));
  rows.take({ snapshot: true, data: [{ id: 'a' }, { id: 'b' }] });
  rows.take({ data: [{ id: 'b', x: 1 }, { id: 'c' }], gone: ['a'] });
  assert.deepEqual(rows.all, [{ id: 'b', x: 1 }, { id: 'c' }]);
  assert.deepEqual(told, [null, ['b', 'c', 'a']]);
  rows.take({ snapshot: true, data: [] });
  assert.equal(rows.size, 0);
});

test('all pages are read, and what was pushed meanwhile is newer', async () => {
  const answers = [];
  const rows = new LiveRows({ key: (row) => row.id, read: (cursor) => new Promise((answer) => answers.push({ cursor, answer })) });
  const done = rows.load();
  assert.equal(rows.state, 'loading');
  answers[0].answer({ data: [{ id: 'a', n: 1 }, { id: 'gone' }], cursor: 'next' });
  await settled();
  assert.equal(answers[1].cursor, 'next');
  rows.take({ data: [{ id: 'a', n: 2 }], gone: ['gone'] });
  answers[1].answer({ data: [{ id: 'b' }], cursor: null });
  await done;
  assert.deepEqual(rows.all, [{ id: 'a', n: 2 }, { id: 'b' }]);
  assert.equal(rows.state, 'ready');
});

test('a failed read is told, and an answer of the organisation before is not taken', async () => {
  let answer = null;
  const rows = new LiveRows({ key: (row) => row.id, read: () => new Promise((resolve, reject) => { answer = { resolve, reject }; }) });
  const failed = rows.load();
  answer.reject(new Error('away'));
  await failed;
  assert.deepEqual([rows.state, rows.error.message], ['failed', 'away']);
  rows.ensure();
  rows.clear();
  answer.resolve({ data: [{ id: 'old' }], cursor: null });
  await settled();
  assert.deepEqual([rows.size, rows.state], [0, 'idle']);
});

test('a stream keeps the line of its rate, one value a second', () => {
  let now = 0;
  const streams = new StreamsStore({ api: {}, clock: () => now });
  for (; now < 60_000; now += 250) streams.take({ data: [{ run_id: 'r', cost_per_minute_usd: String(now / 1000) }] });
  const { line } = streams.get('r');
  assert.equal(line.length, 40);
  assert.equal(line.at(-1).rate, 59.75);
});

test('windows of one scope are told apart, and news leave out what stays', () => {
  const windows = new WindowsStore({ api: {} });
  const row = { scope: 'org:a', unit: 'usd', window: 'day', limit: '5' };
  windows.take({ snapshot: true, isWhole: true, data: [row, { ...row, model: 'demo' }, { ...row, window: 'month' }] });
  assert.equal(windows.size, 3);
  const { limit, ...news } = row;
  windows.take({ data: [{ ...news, used: '1' }] });
  assert.deepEqual(windows.all[0], { ...row, used: '1' });
  assert.equal(limit, '5');
});

test('a budget that was removed here does not come back by news that are older, and comes back when it is set again', () => {
  let now = 1000;
  const windows = new WindowsStore({ api: {}, clock: () => now });
  const row = { scope: 'org:a', unit: 'usd', window: 'day', limit: '5' };
  windows.take({ snapshot: true, isWhole: true, data: [row] });
  const [key] = windows.all.map(windows.key);
  windows.remove(key);
  windows.take({ data: [{ ...row, used: '1' }, { ...row, scope: 'org:b' }] });
  assert.deepEqual(windows.all.map((one) => one.scope), ['org:b'], 'pushed before the server knew');
  windows.put(row);
  windows.take({ data: [{ ...row, used: '2' }] });
  assert.equal(windows.get(key).used, '2');
  windows.remove(key);
  now += 6000;
  windows.take({ data: [row] });
  assert.equal(windows.size, 2, 'somebody else has set it anew');
});

test('a pushed snapshot of windows is not all of them, and has all read again', async () => {
  let reads = 0;
  const row = { scope: 'org:a', unit: 'usd', window: 'day', limit: '5' };
  const windows = new WindowsStore({ api: { get: async () => { reads += 1; return { data: [row], cursor: null }; } } });
  windows.take({ snapshot: true, data: [row] });
  assert.deepEqual([windows.state, reads], ['idle', 0], 'nobody looks yet');
  await windows.load();
  windows.take({ snapshot: true, data: [{ ...row, scope: 'org:b' }] });
  assert.equal(windows.size, 2);
  await settled();
  assert.deepEqual([windows.size, reads], [1, 2]);
});

test('what happens now is read once, then pushed', async () => {
  const asked = [];
  const now = new NowStore({ api: { get: async (path, query) => { asked.push([path, query]); return { runs: 1 }; } }, org: () => 'acme' });
  now.ensure();
  now.ensure();
  await settled();
  assert.deepEqual(asked, [['/api/admin/now', { org: 'acme' }]]);
  now.take({ runs: 2 });
  assert.equal(now.value.runs, 2);
});

test('of ten thousand rows those in sight are drawn', () => {
  const offsets = Array.from({ length: 10_001 }, (_, at) => at * 50);
  assert.deepEqual(range({ top: 0, height: 500, offsets, beyond: 0 }), [0, 11]);
  assert.deepEqual(range({ top: 250_000, height: 500, offsets, beyond: 5 }), [4995, 5016]);
  assert.deepEqual(range({ top: 499_900, height: 500, offsets, beyond: 5 }), [9993, 10_000]);
  assert.deepEqual(range({ top: 0, height: 500, offsets: [0] }), [0, 0]);
  assert.deepEqual(range({ top: 90, height: 10, offsets: [0, 40, 100, 140], beyond: 0 }), [1, 3]);
});

test('a line has its floor at zero and fills its box', () => {
  assert.deepEqual(sparkPaths([0, 10], { width: 10, height: 12 }), { line: 'M0 11L10 1', area: 'M0 11L10 1L10 12L0 12Z' });
  assert.deepEqual(sparkPaths([]), { line: '', area: '' });
  assert.match(sparkPaths([0, 0], { width: 10, height: 12 }).line, /^M0 11L10 11$/);
  assert.match(sparkPaths([5], { width: 10, height: 12, slots: 11 }).line, /^M10 1$/);
});

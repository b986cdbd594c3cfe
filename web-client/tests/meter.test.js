import assert from 'node:assert/strict';
import test from 'node:test';
import { MeterModel, isShut } from '../chat/meter-model.js';
import { level, parseScope, parseWindow, shares } from '../chat/windows.js';

const NOW = Date.UTC(2026, 10, 23, 20, 48);
const project = (used, held = '0.00') => ({ scope: 'project:acme/web', unit: 'usd', window: 'day', limit: '5.00', used, held });
const user = (used) => ({ scope: 'user:acme/web/ana', unit: 'tokens', window: 'minute', limit: 1000, used, held: 0 });

test('scopes come as text and as objects', () => {
  assert.deepEqual(parseScope('project:acme/web'), { kind: 'project', id: 'acme/web' });
  assert.deepEqual(parseScope({ kind: 'org', id: 'acme' }), { kind: 'org', id: 'acme' });
  assert.equal(parseScope('nonsense'), null);
  assert.equal(parseWindow({ scope: 'org:a', unit: 'usd', limit: 'lots' }), null);
});

test('used and held share the bar and never run past its end', () => {
  assert.deepEqual(shares(parseWindow(project('4.00', '0.50'))), { used: 80, held: 10 });
  assert.deepEqual(shares(parseWindow(project('4.90', '0.50'))), { used: 98, held: 2 });
  assert.deepEqual(shares(parseWindow(project('7.00', '0.50'))), { used: 100, held: 0 });
});

test('levels change exactly at 50, 80, 95 and 100 per cent', () => {
  const at = (used) => level(parseWindow(project(used)));
  assert.deepEqual(['2.499999999', '2.50', '3.999999999', '4.00', '4.75', '4.999999999', '5.00'].map(at), [0, 50, 50, 80, 95, 95, 100]);
});

test('the window that is spent first at the present rate is on top', () => {
  const model = new MeterModel();
  model.setQuota([project('4.00'), user(100)], NOW);
  model.applyUsage([project('4.10'), user(500)], NOW + 4000);
  const rows = model.rows(NOW + 4000);
  assert.equal(rows[0].window.kind, 'user');
  assert.equal(Math.round(rows[0].timeLeft), 5000); // 500 tokens left at 100 a second
  assert.equal(rows[0].stopsFirst, true);
  assert.equal(Math.round(rows[1].timeLeft), 36000); // $0.90 left at $0.025 a second
  assert.equal(rows[1].stopsFirst, false);
});

test('a window that resets before it is spent does not stop the run', () => {
  const model = new MeterModel();
  model.setQuota([{ ...user(100), resets_at: new Date(NOW + 6000).toISOString() }], NOW);
  model.applyUsage([user(500)], NOW + 4000);
  assert.equal(model.rows(NOW + 4000)[0].timeLeft, null);
});

test('the reset is kept when usage does not carry it, and a rollover begins the rate anew', () => {
  const model = new MeterModel();
  const resets = new Date(NOW + 60000).toISOString();
  model.setQuota([{ ...user(900), resets_at: resets }], NOW);
  model.applyUsage([user(20)], NOW + 3000);
  const [row] = model.rows(NOW + 3000);
  assert.equal(row.window.resetsAt, NOW + 60000);
  assert.equal(row.timeLeft, null);
});

test('a window that the quota no longer lists is gone', () => {
  const model = new MeterModel();
  model.setQuota([project('1.00'), user(1)], NOW);
  model.setQuota([project('1.00')], NOW + 1);
  assert.deepEqual(model.rows(NOW + 1).map((r) => r.window.kind), ['project']);
});

test('a window that stopped a run is shut although a rest smaller than the next token is left', () => {
  assert.equal(isShut({ limit: 700000n, used: 699000n }), true);
  assert.equal(isShut({ limit: 700000n, used: 600000n }), false);
  assert.equal(isShut({ limit: 0n, used: 0n }), true);
});

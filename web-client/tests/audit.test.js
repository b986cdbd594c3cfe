import assert from 'node:assert/strict';
import test from 'node:test';
import { barOf, countsOf, exportName, exportQuery, fingerprint, rangeWords, verdictOf } from '../console/audit-model.js';

const RANGES = [{ from: 1, to: 900, state: 'anchored' }, { from: 901, to: 999, state: 'signed' }, { from: 1000, to: 1000, state: 'open' }];

test('the bar has every range in its part, and hides none', () => {
  const bar = barOf(RANGES);
  assert.deepEqual(bar.map((one) => [one.state, one.count]), [['anchored', 900], ['signed', 99], ['open', 1]]);
  assert.ok(Math.abs(bar.reduce((sum, one) => sum + one.part, 0) - 1) < 1e-9);
  assert.ok(bar[2].part > 0.01, 'one record of a thousand is still seen');
  assert.deepEqual(countsOf(RANGES), { anchored: 900, signed: 99, open: 1 });
  assert.deepEqual([barOf([]), countsOf(undefined)], [[], { anchored: 0, signed: 0, open: 0 }]);
  assert.deepEqual([rangeWords(RANGES[0]), rangeWords(RANGES[2])], ['records 1 to 900', 'record 1,000']);
});

test('a verification says what is right, or the first bad record', () => {
  const report = { org: 'acme', records: 1000, unchained: 0, signed_to: 999, anchored_to: 900, unanchored: 100, fault: null };
  assert.deepEqual(verdictOf({ ok: true, orgs: [report] }), {
    tone: 'done', icon: 'check', title: 'The chain is whole',
    lines: ['acme: 1,000 records are as they were written; signed up to 999, anchored up to 900.', '100 at the end could be cut off unseen.'],
  });
  const broken = verdictOf({ ok: false, orgs: [{ ...report, records: 41, fault: { seq: 42, reason: 'hash', message: 'its hash is not that of its text' } }] });
  assert.deepEqual([broken.title, broken.lines], ['The chain is broken', ['acme: the first bad record is 42: its hash is not that of its text.', 'The 41 records before it are as they were written.']]);
  assert.match(verdictOf({ ok: true, orgs: [{ ...report, anchored_to: null, unanchored: 0 }] }).lines[0], /there is no file of checkpoints outside/);
  assert.deepEqual(verdictOf({ ok: true, orgs: [] }).lines, ['There is nothing to verify yet.']);
  assert.match(verdictOf({ ok: false, orgs: [], damage: 'page 3' }).lines[0], /damaged: page 3/);
});

test('an export is named after what it holds', () => {
  const now = Date.UTC(2026, 10, 28, 12);
  assert.equal(exportName('acme', {}, now), 'audit-acme-2026-11-28.jsonl');
  assert.equal(exportName('a/b', { from: '2026-11-01' }, now), 'audit-a_b-2026-11-01-to-2026-11-28.jsonl');
  assert.deepEqual(exportQuery({ from: '2026-11-01', to: '2026-11-01' }), { from: Date.UTC(2026, 10, 1), to: Date.UTC(2026, 10, 2) });
  assert.deepEqual(exportQuery({ from: 'x' }), {});
  assert.equal(fingerprint('abcdefghi'), 'abcd efgh i');
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { readAddress, writeAddress } from '../console/address.js';
import { colourOf } from '../console/spend-chart.js';
import {
  below, byOf, costDecimals, fileName, forecastWords, nameWords, periodOf, REST, scopeOf, shareRows, shareWords, stackOf, stampWords, stepTitle, stepWords, usageQuery,
} from '../console/spend-model.js';

const NOW = Date.UTC(2026, 10, 28, 12, 34, 5);
const DAY = 86_400_000;
const WHO = { org: 'own', isOperator: false };
const OPERATOR = { org: 'own', isOperator: true };
const day = (text) => Date.parse(`${text}T00:00:00Z`);

test('named times begin with a day of UTC and end now', () => {
  const of = (range) => periodOf({ range }, NOW);
  assert.deepEqual([of('today').from, of('today').to, of('today').step], [day('2026-11-28'), NOW, 'hour']);
  assert.deepEqual([of('7d').from, of('7d').step, of('7d').canHours], [day('2026-11-22'), 'day', true]);
  assert.deepEqual([of('30d').from, of('30d').canHours], [day('2026-10-30'), false]);
  assert.equal(of('month').from, day('2026-11-01'));
  assert.equal(of(undefined).range, '7d');
  assert.equal(of('nonsense').range, '7d');
});

test('two days stand above a named time, the second within it', () => {
  const period = periodOf({ from: '2026-11-03', to: '2026-11-05', range: 'today' }, NOW);
  assert.deepEqual([period.from, period.to, period.range, period.words], [day('2026-11-03'), day('2026-11-06'), 'custom', 'from 2026-11-03 to 2026-11-05']);
  assert.equal(periodOf({ from: '2026-11-28' }, NOW).to, NOW, 'nothing is asked of the future');
  assert.equal(periodOf({ to: '2026-11-20' }, NOW).words, 'on 2026-11-20');
  assert.match(periodOf({ from: '2026-11-09', to: '2026-11-05' }, NOW).problem, /first day lies after/);
  assert.match(periodOf({ from: '2026-01-01', to: '2026-11-05' }, NOW).problem, /92 days/);
  assert.equal(periodOf({ from: '2026-13-45' }, NOW).range, '7d', 'no such day');
});

test('hours are asked of at most eight days', () => {
  assert.equal(periodOf({ range: '7d', step: 'hour' }, NOW).step, 'hour');
  assert.equal(periodOf({ range: '30d', step: 'hour' }, NOW).step, 'day');
  assert.equal(periodOf({ range: 'today', step: 'day' }, NOW).step, 'day');
});

test('the address holds it all, and becomes what the server is asked', () => {
  const address = readAddress('?page=spend&org=acme&project=web&by=model&range=30d');
  assert.deepEqual(readAddress(writeAddress(address)), address);
  assert.deepEqual(usageQuery(address.filters, WHO, NOW), { scope: 'project:acme/web', from: day('2026-10-30'), to: NOW, by: 'model', step: 'day' });
  assert.deepEqual([scopeOf({}, WHO), scopeOf({ org: 'a' }, WHO), scopeOf({ project: 'p', user: 'u' }, WHO)], [{}, { org: 'a' }, { scope: 'user:own/p/u' }]);
  assert.deepEqual([{}, { project: 'p' }, { project: 'p', user: 'u' }, { user: 'u', by: 'key' }, { by: 'x' }, { by: 'org' }].map((filters) => byOf(filters, WHO)), ['project', 'user', 'model', 'key', 'project', 'project']);
  assert.deepEqual([{}, { org: 'a' }].map((filters) => byOf(filters, OPERATOR)), ['org', 'project']);
  assert.equal(fileName({}, OPERATOR, NOW), 'spend-all-by-org-2026-11-22-to-2026-11-28.csv');
  assert.equal(fileName(address.filters, WHO, NOW), 'spend-acme-web-by-model-2026-10-30-to-2026-11-28.csv');
});

test('the stack has every step, the dearest names, and the rest as one', () => {
  const names = Array.from({ length: 8 }, (_, index) => `m${index}`);
  const values = Object.fromEntries(names.map((name, index) => [name, String(8 - index)]));
  const period = { from: day('2026-11-26'), to: NOW };
  const usage = { by: 'model', step: 'day', rows: [...names.slice(0, 7).map((model) => ({ model })), { model: null }], series: [{ at: day('2026-11-26'), values }, { at: day('2026-11-28'), values: { m0: '0.5' } }, { at: day('2020-01-01'), values }] };
  const stack = stackOf(usage, period, NOW);
  assert.deepEqual(stack.at.map((at) => (at - period.from) / DAY), [0, 1, 2]);
  assert.deepEqual(stack.sets.map((set) => set.name), [...names.slice(0, 6), REST]);
  assert.deepEqual([stack.sets[0].values, stack.sets[6].values], [[8, 0, 0.5], [2 + 1, 0, 0]]);
  assert.deepEqual(stack.totals, [36, 0, 0.5]);
  assert.deepEqual(stackOf({ by: 'model', step: 'hour', rows: [], series: [] }, { from: day('2026-11-28'), to: NOW }, NOW).at.length, 13);
  assert.deepEqual([colourOf('m0', 0), colourOf('m6', 6), colourOf(REST, 2)], ['--chart-1', '--chart-rest', '--chart-rest']);
});

test('shares are of the whole that the ledger says', () => {
  const rows = shareRows({ by: 'user', totals: { cost_usd: '3.00' }, rows: [{ user: 'ana', cost_usd: '2.00' }, { user: 'no user', cost_usd: '0.999999999' }, { user: null, cost_usd: '0.000000001' }] });
  assert.deepEqual(rows.map((row) => [row.name, shareWords(row.share, row.cost)]), [['ana', '66.6 %'], ['no user', '33.3 %'], [REST, '< 0.1 %']]);
  assert.deepEqual([nameWords(REST), nameWords('ana')], ['All others', 'ana']);
  assert.deepEqual(shareRows({ by: 'user', rows: [{ user: 'a', cost_usd: '0' }] })[0].share, 0);
  assert.deepEqual([[20_000_000_000n], [500_000_000n], [1000n], []].map(costDecimals), [2, 4, 6, 6]);
});

test('the forecast is a sentence with the instant', () => {
  const forecast = { unit: 'usd', window: 'month', limit: '500.00', used: '312.48', at_end: '540.10', spent_at: Date.UTC(2026, 10, 27, 14) };
  assert.equal(forecastWords(forecast).text, 'At this rate the month’s $500.00 is spent on 27 Nov 14:00 UTC.');
  assert.deepEqual(forecastWords({ ...forecast, at_end: '400.00', spent_at: null }), { text: 'At this rate the month ends with $400.00 of $500.00 spent.', tone: 'done', icon: 'check' });
  assert.equal(forecastWords({ ...forecast, used: '500.00' }).text, 'The month’s $500.00 is spent.');
  assert.equal(forecastWords(null), null);
  assert.equal(stampWords(Date.UTC(2026, 0, 2, 3, 4)), '2 Jan 03:04');
  assert.deepEqual([stepWords(NOW, 'hour'), stepWords(day('2026-11-28'), 'hour'), stepWords(NOW, 'day')], ['12:00', '28 Nov', '28 Nov']);
  assert.equal(stepTitle(Date.UTC(2026, 10, 28, 23), 'hour'), '28 Nov 23:00 to 00:00 UTC');
});

test('a name leads one level down, where there is one', () => {
  assert.deepEqual(below({ scope: 'org:acme' }), { org: 'acme', project: '', user: '', by: 'project' });
  assert.deepEqual(below({ scope: 'project:acme/web' }), { org: 'acme', project: 'web', user: '', by: 'user' });
  assert.deepEqual(below({ scope: 'user:acme/web/ana' }), { org: 'acme', project: 'web', user: 'ana', by: 'model' });
  for (const scope of [null, undefined, 'user:acme/web/', 'key:1']) assert.equal(below({ scope }), null);
});

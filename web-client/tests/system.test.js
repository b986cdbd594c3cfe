import assert from 'node:assert/strict';
import test from 'node:test';
import { priceRows, reloadedWords } from '../console/price-model.js';
import { failureWords, healthMark, latencyWords, nodeMark, outboxWords, problemsOf, storeMark, uptimeWords } from '../console/system-model.js';
import { yamlText } from '../console/yaml-text.js';

const NOW = Date.UTC(2026, 10, 28, 12);
const node = (more) => ({ node: 'a', version: '1', started_at: NOW - 7_200_000, at: NOW - 900, draining: false, runs: 2, sockets: 3, ...more });

test('a server takes runs, drains, has drained, or is silent', () => {
  assert.deepEqual([node(), node({ draining: true }), node({ draining: true, runs: 0 }), node({ at: NOW - 60_000 })].map((one) => nodeMark(one, NOW)[0]), ['Takes runs', 'Draining', 'Drained', 'Silent for 1 min']);
  assert.equal(uptimeWords(NOW - 7_260_000, NOW), '2 h 1 min');
  assert.equal(uptimeWords(null, NOW), '–');
});

test('prices of a column have the same decimals, tiers stand below their model', () => {
  const price = { input_per_million: '1.00', cache_read_per_million: '0.10', cache_write_per_million: '1.25', output_per_million: '10.00', reasoning_per_million: '10.00' };
  const rows = priceRows([{ model: 'a', price: { ...price, tiers: [{ ...price, prompt_tokens_above: 200000, input_per_million: '0.125' }] } }, { model: 'b', price: null }]);
  assert.deepEqual(rows.map((row) => [row.words, row.above]), [['a', null], ['prompts above 200,000 tokens', 200000], ['b', null]]);
  assert.deepEqual(rows[0].prices, ['$1.000', '$0.100', '$1.250', '$10.000', '$10.000']);
  assert.equal(rows[1].prices[0], '$0.125');
  assert.equal(rows[2].prices, null);
  assert.equal(reloadedWords({ changed: true, version: 'v2', models: 1234 }), 'New prices are in force: version v2, 1,234 models.');
  assert.equal(reloadedWords({ changed: false }), 'The file has not changed.');
});

test('stores are well, slow or at fault', () => {
  assert.deepEqual([{ ok: true, latency_ms: 2 }, { ok: true, latency_ms: 80 }, { ok: false, latency_ms: null }].map((store) => storeMark(store)[0]), ['Well', 'Slow', 'Fault']);
  assert.deepEqual([0.02, 0.42, 12.6, 1240, null].map(latencyWords), ['< 0.1 ms', '0.4 ms', '13 ms', '1.2 s', '–']);
});

test('what somebody should look at, the worst first', () => {
  const health = {
    nodes: [node(), node({ node: 'b', version: '2', draining: true })], stores: [{ name: 'redis', ok: true, latency_ms: 90 }, { name: 'postgres', ok: false, detail: 'connection refused' }],
    upstreams: [{ model: 'm', last_failure_at: NOW - 60_000 }, { model: 'n', last_failure_at: NOW - 9e6 }], isolation: { level: 'limited', minimum: 'full' },
  };
  assert.deepEqual(problemsOf(health, NOW).map(({ text }) => text), [
    'PostgreSQL: connection refused', 'Redis is slow: 90 ms', 'b: draining', 'The servers run different versions: 1, 2', 'm: a call failed 1 min ago', 'Code does not run: full isolation is demanded, limited is there',
  ]);
  assert.deepEqual(healthMark(problemsOf(health, NOW))[0], 'One fault');
  assert.deepEqual(healthMark([{ tone: 'warning' }, { tone: 'warning' }])[0], '2 things to look at');
  assert.deepEqual(problemsOf({ nodes: [node()], stores: [], upstreams: [], isolation: { level: 'none', minimum: null } }, NOW), []);
  assert.deepEqual(healthMark([])[0], 'All is well');
});

test('what is on its way into the ledger, and calls that failed', () => {
  assert.equal(outboxWords({ outbox_rows: 0, settlements_pending: 0 }), 'Empty: every charge is in the ledger');
  assert.equal(outboxWords({ outbox_rows: 1, settlements_pending: 2 }), '1 charge waits in the outbox, 2 settlements wait for the ledger');
  assert.deepEqual([outboxWords({ outbox_rows: null, settlements_pending: null }), failureWords({ calls: null, failures: null })], [null, null]);
  assert.deepEqual([{ calls: 0, failures: 0 }, { calls: 9, failures: 0 }, { calls: 1000, failures: 3 }].map(failureWords), ['not called yet', 'none', '3 (0.3 %)']);
});

test('settings are written as a person would write them', () => {
  const settings = { server: { host: '127.0.0.1', port: 8000, origins: ['https://a.example'], name: 'node-a' }, models: [{ id: 'demo', metering: 'stream', options: {} }, { id: 'b', prices: { in: '1.00' } }], budgets: [], log: { level: 'info' }, on: true, none: null, text: 'yes' };
  assert.equal(yamlText(settings), `server:
  host: "127.0.0.1"
  port: 8000
  origins: ["https://a.example"]
  name: node-a
models:
  - id: demo
    metering: stream
    options: {}
  - id: b
    prices:
      in: "1.00"
budgets: []
log:
  level: info
"on": true
none: null
text: "yes"
`);
  assert.deepEqual([yamlText({}), yamlText(undefined), yamlText(3)], ['', '', '3\n']);
});

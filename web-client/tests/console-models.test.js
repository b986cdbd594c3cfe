import assert from 'node:assert/strict';
import test from 'node:test';
import { filled, fullest, limitProblem, lockWords, partWords, parts, previewWords, subject, toneOf, treeRows, widened, windowOf } from '../console/budget-model.js';
import { callsWords, killWords, poolWords } from '../console/catalog-words.js';
import { endOf, keyBody, keyMark, lifeWords, nameProblem, passing, usedWords, whoRows } from '../console/key-model.js';
import { decisionWords, healthWords, lineOf, standOut, tiles } from '../console/now-model.js';
import { asText, chargeRows, cuttingWindow, decisionIds, eventMark, eventWords, groupCharges, pathWindows, sentences, storyParts, totalWords } from '../console/run-model.js';
import { rateText, sortStreams, stopWords, streamMark, totals, unusual } from '../console/stream-model.js';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const budget = (more) => windowOf({ scope: 'project:acme/web', unit: 'usd', window: 'day', limit: '10.00', used: '6.00', held: '1.00', suspense: '0.50', free: '2.50', resets_at: NOW + 3_600_000, ...more });
const run = (more) => ({
  run_id: 'run_1', org: 'acme', project: 'web', user: 'ana', model: 'demo', waiting: null, started_at: NOW, input_tokens: 1000, output_tokens: 234, cost_usd: '0.0421', cost_per_minute_usd: '0.5', tokens_per_second: 40,
  stops: { scope: 'project:acme/web', unit: 'usd', window: 'day', limit: '10.00', used: '9.00', held: '0.50', resets_at: NOW + 3_600_000, seconds: 40 }, ...more,
});

test('a window says its four parts, and they never run over its end', () => {
  const window = budget();
  assert.deepEqual(parts(window), { used: 60, held: 10, suspense: 5, free: 25 });
  assert.deepEqual(partWords(window), [['used', '$6.0000'], ['held', '$1.0000'], ['suspense', '$0.5000'], ['free', '$2.5000']]);
  assert.deepEqual(parts(budget({ used: '9.50', held: '3.00' })), { used: 95, held: 5, suspense: 0, free: 0 });
  assert.deepEqual(parts(budget({ limit: '0' })), { used: 100, held: 0, suspense: 0, free: 0 });
  assert.equal(toneOf(window), 'muted');
  assert.equal(toneOf(budget({ held: '2.00' })), 'warning', 'what is held is not there for others');
  assert.equal(toneOf(budget({ used: '10.00' })), 'cut');
  assert.equal(windowOf({ scope: 'nonsense', limit: '1', unit: 'usd' }), null);
});

test('what is free rounds down, what is used rounds up', () => {
  const words = Object.fromEntries(partWords(budget({ used: '6.00001', held: '0', suspense: '0' })));
  assert.equal(words.used, '$6.0001');
  assert.equal(words.free, '$3.9999');
});

test('a window is called by what it counts', () => {
  assert.equal(subject(budget()), 'Money today');
  assert.equal(subject(budget({ unit: 'tokens', limit: '5', model: 'demo', window: 'month' })), 'Tokens, in and out of demo this month');
  assert.equal(subject(budget({ unit: 'calls', limit: '5', tool: 'mail.send' })), 'Calls of mail.send today');
  assert.equal(subject(budget({ unit: 'runs', limit: '5', window: 'total' })), 'Runs at one time');
});

test('the tree has every level above a budget, and keys under whom they belong to', () => {
  const keys = new Map([['key_1', { org: 'acme', project: 'web', user: 'ana', alias: 'laptop' }]]);
  const rows = treeRows([budget(), budget({ scope: 'key:key_1' }), budget({ scope: 'user:acme/web/ben' })], { keys, org: 'acme', projects: [{ org: 'acme', project: 'support' }] });
  assert.deepEqual(rows.map((row) => `${row.depth} ${row.type} ${row.type === 'scope' ? row.id : ''}`.trim()), [
    '0 scope org:acme', '1 scope project:acme/support', '1 scope project:acme/web', '1 window', '2 scope user:acme/web/ana', '3 scope key:key_1', '3 window', '2 scope user:acme/web/ben', '2 window',
  ]);
  assert.equal(rows.find((row) => row.id === 'key:key_1').name, 'laptop');
  const asked = treeRows([], { keys, extra: ['key:key_1', 'nonsense'] });
  assert.deepEqual(asked.map((row) => row.id), ['org:acme', 'project:acme/web', 'user:acme/web/ana', 'key:key_1'], 'one that is asked for stands there without a budget');
});

test('a limit is checked before it is sent, and a preview is a sentence', () => {
  assert.equal(limitProblem('5.00', 'usd'), '');
  assert.notEqual(limitProblem('5,00', 'usd'), '');
  assert.notEqual(limitProblem('1.5', 'tokens'), '');
  assert.equal(previewWords({ would_cut: [{}, {}] })[0], '2 runs would be cut now.');
  assert.equal(previewWords({ would_cut: [], would_refuse: true })[2], 'warning');
  assert.equal(previewWords({ would_cut: [], would_refuse: false })[2], 'done');
});

test('a preview knows the runs of all servers', () => {
  const streams = [run(), run({ run_id: 'run_2', user: 'ben', model: 'other' }), run({ run_id: 'run_3', project: 'support' })];
  const ids = (asked, answer) => widened({ unit: 'usd', ...asked }, { would_cut: [], ...answer }, streams).would_cut.map((one) => one.run_id);
  assert.deepEqual(ids({ scope: 'project:acme/web' }, { would_refuse: true }), ['run_1', 'run_2']);
  assert.deepEqual(ids({ scope: 'project:acme/web', model: 'demo' }, { would_refuse: true, would_cut: [{ run_id: 'run_1' }] }), ['run_1']);
  assert.deepEqual(ids({ scope: 'user:acme/web/ben' }, { would_refuse: true }), ['run_2']);
  assert.deepEqual(ids({ scope: 'org:acme' }, { would_refuse: false }), []);
  assert.deepEqual(ids({ scope: 'org:acme', unit: 'requests' }, { would_refuse: true }), [], 'these are refused, not cut');
});

test('the fullest is no count of runs', () => {
  const [half, runs] = [budget(), budget({ unit: 'runs', limit: '2', used: '0', held: '2', suspense: '0', window: 'total' })];
  assert.equal(fullest([half, runs]), half);
  assert.equal(filled(half), 0.75);
  assert.equal(fullest([]), null);
});

test('runs are filtered by scope and words, and ordered', () => {
  const rows = [run(), run({ run_id: 'run_2', user: 'ben', cost_per_minute_usd: '2', stops: null, started_at: NOW + 5 }), run({ run_id: 'run_3', project: 'support', cost_usd: '9', cost_per_minute_usd: '0', waiting: 'tool', tool: 'mail.send' })];
  const ids = (filters) => sortStreams(rows, filters).map((row) => row.run_id);
  assert.deepEqual(ids({}), ['run_2', 'run_1', 'run_3']);
  assert.deepEqual(ids({ sort: 'cost' }), ['run_3', 'run_1', 'run_2']);
  assert.deepEqual(ids({ sort: 'stops' }), ['run_1', 'run_3', 'run_2']);
  assert.deepEqual(ids({ sort: 'newest' })[0], 'run_2');
  assert.deepEqual(ids({ project: 'support' }), ['run_3']);
  assert.deepEqual(ids({ find: 'mail demo' }), ['run_3']);
  assert.deepEqual(totals(rows), { runs: '3 runs', money: '$2.50 a minute', tokens: '120 tokens a second' });
  assert.deepEqual([unusual(rows).dearest.run_id, unusual(rows).next.run_id], ['run_2', 'run_1']);
});

test('a run says what it waits for and what stops it', () => {
  assert.deepEqual(streamMark(run()), ['Writes', 'live', 'running']);
  assert.equal(streamMark(run({ waiting: 'approval' }))[0], 'Waits for a person');
  assert.equal(streamMark(run({ waiting: 'tool', tool: 'mail.send' }))[0], 'Waits for mail.send');
  const stop = stopWords(run());
  assert.deepEqual([stop.what, stop.when, stop.share, stop.tone], ['Project web', 'in 40 s', 0.95, 'cut']);
  assert.equal(stopWords(run({ stops: { ...run().stops, seconds: null } })).when, 'not at this rate');
  assert.equal(stopWords(run({ stops: null })), null);
  assert.equal(rateText(run()), '$0.5000/min');
  assert.equal(rateText(run({ cost_per_minute_usd: '0' })), '–');
});

test('what happens now: four tiles, health, and what stands out', () => {
  const now = { runs: 2, tokens_per_second: 41.6, cost_per_minute_usd: '0.0412', cuts_last_hour: 3, decisions_last_hour: { allow: 9, deny: 1 }, health: 'ok', problems: [], lines: { runs: [1, 2], cost_usd: ['0.1', '0.2'] } };
  assert.deepEqual(tiles(now).map((tile) => tile.value), ['2', '42', '$0.0412', '3']);
  assert.deepEqual(lineOf(['1', 2], 4), [0, 0, 1, 2]);
  assert.equal(tiles(now)[0].line.length, 60);
  assert.equal(healthWords(now).text, 'All is well.');
  assert.equal(healthWords({ health: 'degraded', problems: ['Redis is away.'] }).text, 'Redis is away.');
  assert.equal(decisionWords(now).share, 0.1);
  const found = standOut({ streams: [run(), run({ run_id: 'run_9', waiting: 'approval', stops: null, cost_per_minute_usd: '0' })], windows: [budget({ used: '9.00' })] });
  assert.deepEqual(found.map((one) => one.kind), ['next', 'full', 'dearest', 'waiting']);
  assert.deepEqual(standOut({ streams: [], windows: [budget()] }), []);
});

const cut = {
  run_id: 'run_1', state: 'cut', message: 'It was cut.', model: 'demo', ended_at: NOW,
  cut: { reason: 'budget_exceeded', scope: { kind: 'project', id: 'acme/web' }, unit: 'usd', window: 'day', limit: '10.00', used: '10.00', held: '0', resets_at: NOW + 3_600_000, decision_id: 'dec_2' },
  totals: { cost_usd: '0.41', input_tokens: 900, output_tokens: 812 }, charges: [{ at: '2026-11-28T12:00:00.000Z', kind: 'commit', is_charge: true, cost_usd: '0.41', input_fresh: 800, input_cache_read: 100, output_visible: 800, output_reasoning: 12 }],
  windows: [{ scope: 'org:acme', unit: 'usd', window: 'day', limit: '50.00', used: '1' }, { scope: 'project:acme/web', unit: 'usd', window: 'day', limit: '10.00', used: '10.00' }],
  timeline: [{ at: NOW, kind: 'admission', text: 'Let in.', decision_id: 'dec_1' }, { at: NOW, kind: 'cut', text: 'Cut.', decision_id: 'dec_2' }],
};

test('the story of a run, its window and its proof', () => {
  assert.deepEqual(sentences(cut), ['It was cut.']);
  assert.deepEqual(sentences({ ...cut, story: ['One.', 'Two.'] }), ['One.', 'Two.']);
  assert.equal(cuttingWindow(cut).text, 'project:acme/web');
  assert.equal(cuttingWindow({ cut: { reason: 'killed' } }), null);
  assert.deepEqual(pathWindows(cut).map((one) => [one.text, one.isCutting]), [['project:acme/web', true], ['org:acme', false]]);
  assert.deepEqual(decisionIds(cut), ['dec_2', 'dec_1']);
  const [row] = chargeRows(cut);
  assert.deepEqual([row.at, row.kind, row.input, row.output, row.cost], [NOW, 'charged', 900, 812, 410_000_000n]);
  assert.equal(totalWords(cut), '$0.410000 for 900 tokens in and 812 out');
  assert.match(asText(cut, NOW), /Window: Project acme\/web, usd a day: \$10\.00 used of \$10\.00, begins anew 13:00 UTC/);
});

test('a sentence says its instants as people do, and leads to its decisions', () => {
  const parts = storyParts('It began at 2026-11-28T11:02:10Z and resets at 2026-11-29T00:00:00Z (dec_a1-b).', NOW);
  assert.deepEqual(parts.map((part) => part.text), ['It began at ', '11:02:10 UTC', ' and resets at ', '00:00 UTC on 2026-11-29', ' (', 'dec_a1-b', ').']);
  assert.equal(parts[1].at, Date.parse('2026-11-28T11:02:10Z'));
  assert.equal(eventWords({ text: '0.0002 usd for 9 tokens' }), '$0.0002 for 9 tokens');
  assert.equal(eventWords({ text: 'admitted to demo' }), 'Admitted to demo');
  assert.equal(eventWords({ text: 'payments.refund allowed, ok after 3 ms' }), 'payments.refund allowed, ok after 3 ms');
  assert.equal(eventWords({ kind: 'approval', text: 'approval.pending: allow' }), 'People were asked to agree');
  assert.deepEqual([eventWords({ kind: 'end', text: 'cut' }), eventMark({ kind: 'end', text: 'cut' })[1]], ['It was cut', 'cut']);
});

test('charges that follow each other are one event', () => {
  const charge = (at) => ({ at, kind: 'charge', text: '0.1 usd for 3 tokens', data: { cost_usd: '0.1', input_fresh: 1, output_visible: 2 } });
  const grouped = groupCharges([{ at: 0, kind: 'admission', text: 'in' }, charge(1), charge(2), charge(9), { at: 10, kind: 'tool', text: 'x' }, charge(11), { at: 12, kind: 'charge', text: '', data: { cost_usd: '0.00' } }]);
  assert.deepEqual(grouped.map((one) => [one.kind, one.events.length]), [['admission', 0], ['charge', 3], ['tool', 0], ['charge', 0]]);
  assert.equal(grouped[1].text, '3 charges: $0.300000 for 9 tokens');
  assert.equal(grouped[1].until, 9);
});

test('what became of the last calls of a tool', () => {
  const row = (status, ms) => ({ decision: 'allow', outcome: { status, elapsed_ms: ms } });
  assert.equal(callsWords([]), 'Nobody has called it yet.');
  assert.equal(callsWords([row('ok', 12)]), 'Of one call 1 went well. It took 12 ms.');
  const rows = [row('ok', 10), row('timeout', 2100), row('ok', 12), { decision: 'deny' }, { decision: 'allow' }];
  assert.equal(callsWords(rows), 'Of the last 5 calls 2 went well, 1 was denied, 1 failed, 1 not over. Half of them took at most 12 ms, the slowest 2.1 s.');
});

test('sandboxes say how many there are and why some were killed', () => {
  assert.equal(poolWords(null), '');
  assert.equal(poolWords({ warm: 2, starting: 0, running: 1, leaving: 0, most: 20 }), '2 wait for code, 1 runs it, 17 more may be started');
  assert.equal(poolWords({ warm: 1, starting: 1, running: 0, leaving: 2, most: 4 }), '1 waits for code, 0 run it, 1 starts, 2 are thrown away, 0 more may be started');
  assert.equal(killWords({}), '');
  assert.equal(killWords({ starts: { warm: 3, cold: 1 }, kills: {} }), 'none of 4');
  assert.equal(killWords({ starts: { warm: 9 }, kills: { oom: 1, timeout: 2 } }), 'of 9: took too long (2), used its memory (1)');
});

test('a key says who, how long and since when', () => {
  const key = { id: 'key_1', org: 'acme', project: 'web', user: 'ana', alias: 'laptop', state: 'active', expires_at: NOW + 20 * 86_400_000, last_used_at: null, roles: ['admin'] };
  assert.equal(keyMark(key)[0], 'Active');
  assert.equal(lifeWords(key, NOW), 'good for 20 d');
  assert.equal(lifeWords({ ...key, expires_at: null }, NOW), 'good for ever');
  assert.equal(usedWords(key, NOW), 'never used');
  assert.equal(usedWords({ last_used_at: NOW - 7_200_000 }, NOW), 'used 2 h ago');
  assert.equal(passing([key], { find: 'lap admin' }).length, 1);
  assert.equal(passing([key], { state: 'revoked' }).length, 0);
});

test('the form of a key becomes what the server takes, or says what is wrong', () => {
  const form = { org: '', project: 'web', user: 'ana', alias: '', roles: ['admin'], models: [], life: '30', date: '', serviceAccount: false, budgets: [{ limit: '5.00', unit: 'usd', window: 'day' }] };
  assert.deepEqual(keyBody(form, NOW).body, { project: 'web', user: 'ana', roles: ['admin'], expires_at: NOW + 30 * 86_400_000, budgets: [{ unit: 'usd', window: 'day', limit: '5.00' }] });
  assert.equal(keyBody({ ...form, project: '' }, NOW).field, 'project');
  assert.equal(keyBody({ ...form, user: 'a b' }, NOW).field, 'user');
  assert.equal(keyBody({ ...form, life: 'date', date: '2020-01-01' }, NOW).field, 'date');
  assert.equal(keyBody({ ...form, budgets: [{ limit: 'much', unit: 'usd', window: 'day' }] }, NOW).field, 'limit-0');
  assert.equal(endOf('', '', NOW), null);
  assert.notEqual(nameProblem('a/b', 'user'), '');
});

test('who is who: projects under organisations, users under projects', () => {
  const rows = whoRows({ orgs: [{ org: 'acme' }], projects: [{ org: 'acme', project: 'web' }, { org: 'new', project: 'a' }], users: [{ org: 'acme', project: 'web', user: 'ana' }] });
  assert.deepEqual(rows.map((row) => row.id), ['org:acme', 'project:acme/web', 'user:acme/web/ana', 'org:new', 'project:new/a']);
});

test('an administrator is told why the operator’s budget cannot be changed, an operator may change it', () => {
  assert.equal(budget({}).owner, 'org', 'a server before it does not say');
  assert.match(lockWords(budget({ owner: 'operator' }), { isOperator: false }), /^Set by the operator/);
  assert.equal(lockWords(budget({ owner: 'operator' }), { isOperator: true }), '');
  assert.equal(lockWords(budget({ owner: 'org' }), { isOperator: false }), '');
});

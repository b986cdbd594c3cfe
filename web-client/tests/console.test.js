import assert from 'node:assert/strict';
import test from 'node:test';
import { goTo, inScope, readAddress, withFilters, writeAddress } from '../console/address.js';
import { adapterWords, levelWords, parameterRows, priceWords, runsWords, sortProbes } from '../console/catalog-words.js';
import { about, clauseText, decisionMark, decisionQuery, doneBy, limitShares, limitWords, outcomeWords, passes, ruleMark, sortRules, story } from '../console/decision-words.js';
import { checkVerdict, fileOfRule, filesOfVersion, groupDiffers, lineRange, linesOf, looseFindings, placeOf, refusedFindings, rulingWords, sortFindings, summaryWords } from '../console/policies-model.js';
import { Rows } from '../console/rows.js';

const NOON = new Date(2026, 10, 28, 12, 0, 5).getTime();
const decision = (more) => ({
  id: 'd1', at: NOON, org: 'acme', project: 'web', user: 'ana', tool: 'payments.refund', kind: 'call', source: 'model', decision: 'allow', rule: 'refund-small', run: 'r1',
  arguments: '{"order_id":"A-1","amount":"20.00"}', ...more,
});

test('an address is read and written the same, and holds only what is known', () => {
  const address = readAddress('?tool=mail.send&page=decisions&org=acme&wrong=1&user=');
  assert.deepEqual(address, { page: 'decisions', filters: { org: 'acme', tool: 'mail.send' } });
  assert.equal(writeAddress(address), '?page=decisions&org=acme&tool=mail.send');
  assert.deepEqual(readAddress(writeAddress(address)), address);
  assert.equal(readAddress('?page=nonsense').page, 'now');
  assert.equal(readAddress(`?org=${'x'.repeat(300)}`).filters.org, undefined);
  assert.deepEqual(goTo(address, 'tools'), { page: 'tools', filters: { org: 'acme' } });
  assert.deepEqual(withFilters(address, { tool: '', decision: 'deny' }).filters, { org: 'acme', decision: 'deny' });
  assert.ok(inScope({ org: 'acme', user: 'ana' }, address.filters) && !inScope({ org: 'other' }, address.filters));
});

test('rows are changed by news and keep what the news leaves out', () => {
  const rows = new Rows({ max: 2 });
  assert.equal(rows.merge([{ id: 'a', at: 1, may_decide: true }, { id: 'b', at: 2 }]).length, 2);
  assert.equal(rows.merge([{ id: 'a', at: 1, state: 'approved' }, null, {}]).length, 0);
  assert.deepEqual(rows.get('a'), { id: 'a', at: 1, may_decide: true, state: 'approved' });
  rows.merge([{ id: 'c', at: 3 }]);
  assert.deepEqual(rows.all.map((row) => row.id), ['b', 'c'], 'the oldest goes');
});

test('filters of the feed: what the server is asked, and what pushed rows pass', () => {
  assert.deepEqual(decisionQuery({ tool: 't', range: 'hour', id: 'd9' }, NOON), { tool: 't', since: NOON - 3_600_000 });
  assert.equal(decisionQuery({ since: '2026-11-28T00:00:00Z' }, NOON).since, Date.parse('2026-11-28T00:00:00Z'));
  assert.ok(passes(decision(), { tool: 'payments.refund', range: 'day', user: 'ana', id: 'd9' }, NOON));
  assert.ok(!passes(decision(), { user: 'li' }, NOON));
  assert.ok(!passes(decision({ at: NOON - 7_200_000 }), { range: 'hour' }, NOON));
  assert.ok(!passes(decision(), { decision: 'deny' }, NOON));
});

test('the story tells who asked, what was decided by which rule, and what became of it', () => {
  const outcome = { status: 'ok', bytes: 312, elapsed_ms: 84, code: null };
  assert.deepEqual(story(decision({ outcome })), [
    'At 12:00:05 the model asked, for ana of acme/web, to call payments.refund for A-1.', 'It was allowed by the rule refund-small.', 'It succeeded after 84 ms and answered 312 bytes.',
  ]);
  assert.deepEqual(story(decision({ decision: 'deny', code: 'limit_exceeded', message: 'Limit reached.' })).slice(1), [
    'It was denied by the rule refund-small (limit_exceeded): “Limit reached.”', 'Nothing was done.',
  ]);
  assert.match(story(decision({ decision: 'deny', rule: 'policy.default' }))[1], /^It was denied by default: no rule allows it\.$/);
  assert.match(story(decision({ approval: 'apr_1' }))[1], /after people had agreed/);
  assert.match(story(decision({ details: { shadow: { decision: 'deny', rule: 'x' } } })).at(-1), /only being tried would deny it, by the rule x/);
  assert.deepEqual(story(decision({ kind: 'kill', tool: 'tool.off', subject: 'mail.send', arguments: undefined, rule: '' })), ['At 12:00:05, a switch of a tool: tool.off, mail.send. It concerns ana of acme/web.']);
  const step = decision({ kind: 'approval', tool: 'approval.denied', subject: 'mail.send', arguments: undefined, decision: 'deny', details: { votes: [{ by: 'bo', decision: 'deny', reason: 'No.' }] } });
  assert.deepEqual(story(step).slice(1), ['The call was held by the rule refund-small.', 'bo denied: “No.”']);
  assert.equal(story(decision({ outcome: { status: 'error', code: 'adapter_error', elapsed_ms: 9, bytes: 0 } })).at(-1), 'Failed after 9 ms (adapter_error).');
});

test('a row says what it is about and what became of it', () => {
  assert.equal(about(decision()), 'A-1');
  assert.equal(about(decision({ arguments: undefined, subject: 'key_1' })), 'key_1');
  const change = (details, more) => decision({ kind: 'change', tool: 'x', arguments: '', user: '', rule: '', details: { by: 'command line', ...details }, ...more });
  const said = (details) => about(change(details));
  assert.equal(said({ scope: 'org:acme', unit: 'usd', window: 'day', limit: '5.00', was: '1.00', owner: 'operator' }), 'org:acme · 5.00 usd a day');
  assert.equal(said({ scope: 'user:a/b/c', model: 'demo', unit: 'tokens', window: 'total', limit: 900 }), 'user:a/b/c · demo · 900 tokens');
  assert.equal(said({ key: 'key_1', project: 'web', user: 'ana', roles: [] }), 'key_1 · web/ana');
  assert.equal(said({ key: 'key_1' }), 'key_1');
  assert.equal(said({ project: 'acme/web', name: 'Web' }), 'acme/web');
  assert.equal(said({ org: 'acme' }), 'acme');
  assert.equal(said({ version: 'ef84' }), 'ef84');
  assert.equal(said({ level: 'debug', was: 'info' }), 'debug');
  assert.equal(about(change({ target: 'run:r1', author: 'key_2' }, { kind: 'kill' })), 'run:r1');
  assert.equal(about(change({ tool: 'mail.send', disabled: true }, { kind: 'kill' })), 'mail.send · off');
  assert.equal(about(change({}, { details: undefined })), '');
  assert.deepEqual([doneBy(change({})), doneBy(decision()), doneBy(change({}, { details: undefined }))], ['command line', 'ana', '']);
  assert.equal(outcomeWords(decision()), 'No result yet');
  assert.equal(outcomeWords(decision({ decision: 'deny' })), '');
  assert.equal(outcomeWords(decision({ outcome: { status: 'ok', elapsed_ms: 84 } })), 'Succeeded in 84 ms');
});

test('rules: what decided stands first, what is about other calls last', () => {
  const rules = [{ id: 'far', outcome: 'out_of_scope' }, { id: 'no', outcome: 'not_satisfied' }, { id: 'odd', outcome: 'error' }, { id: 'yes', outcome: 'satisfied', effect: 'forbid' }, { id: 'also', outcome: 'satisfied' }];
  assert.deepEqual(sortRules(rules, ['also']).map((rule) => rule.id), ['also', 'yes', 'no', 'odd', 'far']);
  assert.equal(ruleMark(rules[3])[0], 'Forbids');
  assert.equal(clauseText({ text: 'a > b' }), 'a > b');
  assert.equal(clauseText(undefined), '');
});

test('the bar of a limit never runs past its end', () => {
  assert.deepEqual(limitShares({ used: '150.00', amount: '50.00', max: '200.00' }, false), { used: 0.5, amount: 0.25, isOver: false });
  const over = limitShares({ used: '190', amount: '20', max: '200' }, true);
  assert.ok(over.isOver && over.used === 0.95 && over.used + over.amount <= 1);
  assert.ok(limitShares({ used: '0', amount: '1', max: '0' }, true).isOver);
  assert.equal(limitWords({ used: '2', amount: '1', max: '3' }, false), '2 of 3 used, 1 by this call.');
  assert.equal(limitWords({ used: '3', amount: '1', max: '3' }, true), '3 of 3 were used: no room for 1 more.');
  assert.equal(limitWords({ amount: '1', max: '3' }, false), 'This call counts 1, of at most 3.');
});

test('what is no call is not said to be allowed', () => {
  assert.equal(decisionMark({ kind: 'approval', tool: 'approval.pending', decision: 'allow' })[0], 'Asked');
  assert.equal(decisionMark({ kind: 'approval', tool: 'approval.pending', decision: 'allow', details: { agreed: 1 } })[0], 'Agreed');
  assert.equal(decisionMark({ kind: 'change', tool: 'key.create', decision: 'allow' })[0], 'Changed');
  assert.equal(decisionMark({ kind: 'call', decision: 'allow' })[0], 'Allowed');
});

test('findings stand at their lines, those of other files above', () => {
  const file = { name: 'a.cedar', text: 'one\ntwo\nthree\n', rules: [{ id: 'r', line: 2, effect: 'permit' }] };
  const findings = [{ file: 'a.cedar', line: 2, message: 'x' }, { file: 'a.cedar', line: 99, message: 'past the end' }, { file: 'gone.cedar', line: 1, message: 'y' }];
  const lines = linesOf(file, findings);
  assert.deepEqual(lines.map((line) => line.findings.length), [0, 1, 1]);
  assert.equal(lines[1].rules[0].id, 'r');
  assert.equal(looseFindings([file], findings).length, 1);
  assert.equal(placeOf({ file: 'a.cedar', line: 2, column: 5 }), 'a.cedar:2:5');
  assert.equal(fileOfRule([file], 'r'), 'a.cedar');
  assert.equal(summaryWords({ files: [file], tests: [{ passed: true }, { passed: false }] }), '1 file, 1 rule, 1 of 2 tests pass');
  assert.deepEqual(lineRange(file.text, 2), [4, 7]);
});

test('what a check says of a set, and what a refusal to publish holds', () => {
  const error = { severity: 'error', message: 'x' };
  assert.deepEqual(checkVerdict({ findings: [error] }).slice(0, 4), ['It does not load', 'deny', 'cut', '1 error.']);
  assert.match(checkVerdict({ tests: [{ passed: false }, { passed: true }] })[3], /^1 test of 2 fails\.$/);
  assert.equal(checkVerdict({ findings: [{ severity: 'note' }], tests: [{ passed: true }] })[0], 'It would load');
  assert.deepEqual(sortFindings([{ severity: 'note' }, { severity: 'warning' }, error]).map((one) => one.severity), ['error', 'warning', 'note']);
  assert.deepEqual(refusedFindings({ body: { error: {}, findings: [error] } }), { findings: [error], tests: [] });
  assert.deepEqual(refusedFindings({}), { findings: [], tests: [] });
  assert.deepEqual(filesOfVersion({ 'a.cedar': 'x' }), [{ name: 'a.cedar', text: 'x' }]);
});

test('differences of a dry run are grouped by what changes into what', () => {
  const differ = (was, now) => ({ was: { decision: was, rule: 'w' }, now: { decision: now, rule: 'n' } });
  const groups = groupDiffers([differ('deny', 'allow'), differ('allow', 'approval'), differ('allow', 'approval')]);
  assert.deepEqual(groups.map(({ was, now, rows }) => [was, now, rows.length]), [['allowed', 'held for approval', 2], ['denied', 'allowed', 1]]);
  assert.equal(rulingWords({ decision: 'deny', rule: 'x' }), 'denied by x');
});

test('tools and sandboxes are said in words', () => {
  assert.equal(adapterWords({ builtin: 'x' }), 'built in');
  assert.equal(adapterWords({ kind: 'mcp' }), 'by an MCP server');
  assert.equal(priceWords({ cost_usd: '0.002000000' }), '$0.0020 a call');
  assert.equal(priceWords({ cost_usd: '0.000000000' }), '');
  assert.deepEqual(parameterRows({ required: ['n'], properties: { n: { type: ['integer', 'null'], minimum: 1, maximum: 20 }, t: { type: 'array', items: { type: 'string' } }, e: { enum: ['a', 'b'] } } }), [
    { name: 'n', type: 'integer or null', isRequired: true, text: '1 to 20' }, { name: 't', type: 'array of string', isRequired: false, text: '' }, { name: 'e', type: 'one of', isRequired: false, text: 'one of a, b' },
  ]);
  assert.equal(levelWords({ level: 'full', minimum: 'full' })[2], 'done');
  assert.equal(levelWords({ level: 'none', runs_code: false, probes: [] })[2], 'muted');
  assert.equal(levelWords({ level: 'none', minimum: 'full', probes: [{}] })[2], 'cut');
  assert.match(runsWords({ runs_code: false, minimum: 'full', level: 'limited' }), /full isolation is demanded, and only limited is there/);
  assert.equal(runsWords({ runs_code: false, level: 'none' }), '');
  assert.deepEqual(sortProbes([{ passed: true }, { passed: false }]).map((probe) => probe.passed), [false, true]);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { ToolModel } from '../chat/tool-model.js';
import { elapsed, identify } from '../shared/values.js';
import { codeLine, decisionWords, errorWords, exitWords, resourceWords, sentence } from '../chat/tool-words.js';

const step = (status, data, ts = 0) => ({ type: 'chat.step', ts, event: { step: 'tool_call', status, title: data.tool }, data: { server: true, ...data } });
const of = (id, tool = 'payments.refund', more = {}) => ({ tool, call_id: id, ...more });

/** Each step, and the phase that its call has then. */
function phases(model, steps) {
  return steps.map(([status, data]) => model.step(step(status, data))?.call.phase ?? null);
}

test('a call is written, made and done; what comes after its end changes nothing', () => {
  const model = new ToolModel();
  assert.deepEqual(phases(model, [
    ['started', of('a', 'payments.refund', { index: 0 })], ['running', of('a', 'payments.refund', { index: 0, args: { order_id: 'A1' } })],
    ['completed', of('a', 'payments.refund', { decision: 'allow', result: { refund_id: 'R1' } })], ['running', of('a')],
  ]), ['writing', 'running', 'done', null]);
  const [call] = model.calls;
  assert.deepEqual([call.what, call.decision, call.result], ['A1', 'allow', { refund_id: 'R1' }]);
});

test('a deny is told apart from a failure, and keeps its rule', () => {
  const model = new ToolModel();
  const error = { code: 'policy_denied', message: 'no', rule: 'only-mailers' };
  assert.deepEqual(phases(model, [
    ['error', of('a', 'mail.send', { decision: 'deny', error })], ['error', of('b', 'crm.lookup', { error: { code: 'tool_timeout' } })],
    ['skipped', of('c')],
  ]), ['denied', 'failed', 'skipped']);
  assert.equal(model.get('a').rule, 'only-mailers');
});

test('pieces of arguments find their call by its index, in every round', () => {
  const model = new ToolModel();
  model.step(step('started', of('a', 'run_code', { index: 0 })));
  model.step(step('started', of('b', 'crm.lookup', { index: 1 })));
  for (const text of ['{"co', 'de": "x = 1\\n', 'print(x)"}']) model.argument({ text, index: 0 });
  model.argument({ text: '{"customer":', index: 1 });
  assert.equal(model.get('a').code, 'x = 1\nprint(x)');
  assert.equal(model.get('b').text, '{"customer":');
  model.step(step('started', of('c', 'crm.lookup', { index: 2 })));
  model.argument({ text: '{}', index: 2 });
  assert.deepEqual([model.get('c').text, model.get('b').text, model.argument({ text: 'x', index: 9 })], ['{}', '{"customer":', null]);
});

test('code: its calls are its own, its output comes live, its end says how', () => {
  const model = new ToolModel();
  model.step(step('running', of('a', 'run_code', { index: 0, args: { code: 'print(1)' } }), 100));
  model.step(step('running', of('a', 'run_code', { stream: 'stdout', text: '1\n' }), 200));
  model.step(step('started', of('n', 'crm.lookup', { parent_call_id: 'a', args: { customer: 'C1' } }), 300));
  assert.equal(model.waiting(), 'Waiting for crm.lookup, called by code');
  model.step(step('completed', of('n', 'crm.lookup', { parent_call_id: 'a', result: {} }), 400));
  assert.equal(model.waiting(), 'Waiting for run_code');
  model.step(step('completed', of('a', 'run_code', { exit: 'ok', stdout: '1\n', stderr: '', value: 7, cpu_ms: 12 }), 900));
  const [code, nested] = model.calls;
  assert.deepEqual([code.phase, code.exit, code.nested, code.result, code.resources, code.endedAt - code.beganAt], ['done', 'ok', 1, 7, { cpu_ms: 12 }, 800]);
  assert.deepEqual(code.output.pieces, [{ stream: 'stdout', text: '1\n' }]);
  assert.deepEqual([nested.parent, nested.endedAt - nested.beganAt, model.waiting()], ['a', 100, '']);
});

test('a repeated or late beginning makes no second call', () => {
  const model = new ToolModel();
  assert.equal(model.step(step('running', of('a', 'crm.lookup', { args: {} }))).isNew, true);
  assert.equal(model.step(step('running', of('a', 'crm.lookup', { args: {} }))).isNew, false);
  assert.equal(model.calls.length, 1);
  assert.equal(model.step({ event: { step: 'attempt', status: 'running' }, data: { attempt: 2 } }), null);
});

test('an approval holds the call that it is about, and lets it go', () => {
  const model = new ToolModel();
  const args = { order_id: 'A2' };
  model.step(step('running', of('a', 'payments.refund', { args: { order_id: 'A1' } })));
  model.step(step('running', of('b', 'payments.refund', { args })));
  const approval = { id: 'p', tool: 'payments.refund', args };
  assert.equal(model.approval({ ...approval, state: 'pending' }).id, 'b');
  assert.deepEqual(model.calls.map((call) => call.phase), ['running', 'waiting']);
  model.approval({ ...approval, state: 'approved' });
  assert.deepEqual(model.calls.map((call) => call.phase), ['running', 'running']);
  assert.equal(model.waiting(), 'Waiting for payments.refund and 1 more');
});

test('the end of the run closes what is open, and says what it knows', () => {
  const open = () => {
    const model = new ToolModel();
    model.step(step('running', of('a')));
    model.step(step('running', { ...of('b'), server: undefined }));
    return model;
  };
  const phasesAfter = (hasGap) => {
    const model = open();
    model.settle(hasGap);
    return model.calls.map((call) => call.phase);
  };
  assert.deepEqual([phasesAfter(false), phasesAfter(true)], [['stopped', 'handed'], ['unseen', 'unseen']]);
});

test('the words: time, argument, decision, error, exit, resources', () => {
  assert.deepEqual([0, 120, 1250, 12400, 184000].map(elapsed), ['0 ms', '120 ms', '1.2 s', '12 s', '3 min 4 s']);
  assert.deepEqual([{ amount: '20.00', order_id: 'A1' }, { customer: 'C1' }, { n: { a: 1 } }, 'plain', null].map(identify), ['A1', 'C1', '', 'plain', '']);
  assert.equal(identify({ query: 'x'.repeat(100) }).length, 60);
  assert.equal(codeLine('from agent_tools import tools\n# why\nprint(1)'), 'print(1)');
  assert.equal(decisionWords({ decision: 'deny', rule: 'r', decisionId: 'd' }), 'Denied by rule r\nDecision d');
  assert.equal(decisionWords({}), '');
  assert.equal(errorWords({ code: 'c', message: 'm', rule: 'r' }), 'm\nCode c');
  assert.deepEqual(['ok', 'oom', 'new'].map(exitWords), ['Ran to its end', 'Stopped: out of memory', 'Ended: new']);
  assert.equal(resourceWords({ cpu_ms: 41, memory_bytes: 14_800_000 }), 'CPU 41 ms · memory 14.1 MiB');
  assert.equal(resourceWords(undefined), '');
});

test('a screen reader is told of calls, and of calls within code only when they are denied', () => {
  assert.equal(sentence({ tool: 'crm.lookup', phase: 'running', what: 'C1' }), 'crm.lookup is called for C1.');
  assert.equal(sentence({ tool: 'crm.lookup', phase: 'done', parent: 'a' }), '');
  assert.equal(sentence({ tool: 'mail.send', phase: 'denied', parent: 'a', rule: 'r' }), 'mail.send was denied by rule r.');
  assert.equal(sentence({ tool: 'run_code', isCode: true, phase: 'failed', exit: 'oom', nested: 2 }), 'Code failed. Stopped: out of memory. It made 2 tool calls.');
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { agreementWords, approverLists, approverWords, demandWords, isAmongApprovers, leftWords } from '../shared/approvals.js';
import { countApprovals, earlierWords, endedAt, pageTitle, refusalWords, sameThing, sortApprovals, standing, standingWords, thing } from '../console/approvals-model.js';

/** Numbers this large are milliseconds. */
const T = Date.UTC(2026, 10, 28);
const me = { org: 'acme', project: 'web', user: 'olga', isAdmin: true };
const approval = (more) => ({
  id: 'a', org: 'acme', project: 'web', user: 'ana', tool: 'payments.refund', call_id: 'c1', args: { amount: '240.00', customer: 'C-1', order_id: 'A-1' }, from: [['group:finance']],
  quorum: 2, agreed: 0, votes: [], state: 'pending', created_at: T, expires_at: T + 60_000, may_decide: true, ...more,
});

test('approvers come as the words of an event and as the lists of the API', () => {
  assert.deepEqual(approverLists('group:finance user:anna'), [['group:finance', 'user:anna']]);
  assert.deepEqual(approverLists([['group:finance'], ['group:legal', 'user:bo']]), [['group:finance'], ['group:legal', 'user:bo']]);
  assert.deepEqual(approverLists(['group:finance']), [['group:finance']]);
  assert.deepEqual(approverLists(undefined), []);
  assert.equal(approverWords('group:finance'), 'group finance');
  assert.equal(approverWords('group:finance user:anna agent:bot'), 'group finance, anna or agent bot');
  assert.equal(approverWords([['group:finance'], ['user:bo', 'group:legal']]), 'group finance, and also bo or group legal');
  assert.equal(approverWords(''), 'an approver');
  assert.equal(demandWords({ from: 'group:finance', quorum: 2 }), '2 people of group finance');
});

test('whoever decides is in every list', () => {
  assert.ok(isAmongApprovers('group:finance', { roles: ['finance'] }));
  assert.ok(isAmongApprovers('user:anna', { user: 'anna' }));
  assert.ok(!isAmongApprovers('user:anna', { roles: ['finance'], user: 'bo' }));
  assert.ok(!isAmongApprovers([['group:finance'], ['group:legal']], { roles: ['finance'] }));
  assert.ok(!isAmongApprovers([], { roles: ['finance'] }), 'nobody named is nobody');
});

test('the agreement says how many and, where it is known, who', () => {
  assert.equal(agreementWords({ quorum: 2, agreed: 1, votes: [{ by: 'anna', decision: 'approve' }] }), '1 of 2 agreed: anna');
  assert.equal(agreementWords({ quorum: 2, agreed: 1 }), '1 of 2 agreed');
  assert.equal(agreementWords({ quorum: 2, votes: [{ by: 'bo', decision: 'deny' }] }), '0 of 2 agreed');
  assert.equal(agreementWords({ quorum: 1, agreed: 0 }), '', 'one person is enough: no progress to tell');
});

test('the countdown ends with the approval', () => {
  assert.equal(leftWords(approval(), T + 10_000), '50 s left');
  assert.equal(leftWords(approval(), T + 60_001), 'Time is over');
  assert.equal(leftWords(approval({ state: 'approved' }), T + 10_000), '');
});

test('those that wait are sorted by time left, those that are over by their end', () => {
  const rows = [
    approval({ id: 'late', expires_at: T + 9000 }), approval({ id: 'soon', expires_at: T + 2000 }), approval({ id: 'never', expires_at: null }),
    approval({ id: 'old', state: 'expired', expires_at: T + 500 }), approval({ id: 'new', state: 'approved', votes: [{ by: 'bo', decision: 'approve', at: T + 800 }] }),
    approval({ id: 'elsewhere', org: 'other' }),
  ];
  const { waiting, over } = sortApprovals(rows, { org: 'acme' });
  assert.deepEqual(waiting.map((row) => row.id), ['soon', 'late', 'never']);
  assert.deepEqual(over.map((row) => row.id), ['new', 'old']);
  assert.equal(endedAt(over[0]), T + 800, 'a vote ends it, not its time');
});

test('what a person can do is said to them', () => {
  assert.deepEqual(standing(approval(), me), { canDecide: true, text: '' });
  assert.match(standing(approval({ user: 'olga' }), me).text, /^You asked for this; somebody else has to agree/);
  assert.ok(standing(approval({ user: 'olga', project: 'shop' }), me).canDecide, 'another olga');
  assert.equal(standing(approval({ agreed: 1, votes: [{ by: 'olga', decision: 'approve' }] }), me).text, 'You have agreed. One more person has to.');
  assert.equal(standing(approval({ quorum: 4, agreed: 1, votes: [{ by: 'olga', decision: 'approve' }] }), me).text, 'You have agreed. 3 more people have to.');
  assert.equal(standing(approval({ may_decide: false }), me).text, 'Only group finance can decide this.');
  assert.deepEqual(standing(approval({ state: 'denied' }), me), { canDecide: false, text: '' });
  assert.ok(standing(approval({ user: null }), { ...me, user: null }).canDecide, 'where the server says that it may');
  assert.match(standing(approval({ user: '', may_decide: false }), { ...me, user: null }).text, /^You asked/);
  assert.equal(standingWords({ as: ['group:finance', 'user:bo'] }), 'group finance, user bo');
});

test('the number in the title is of those that wait for this person, else of all', () => {
  const rows = [approval(), approval({ id: 'b', may_decide: false }), approval({ id: 'c', state: 'denied' })];
  assert.deepEqual(countApprovals(rows), { waiting: 2, mine: 1 });
  assert.equal(pageTitle('Approvals', { waiting: 2, mine: 1 }), '(1) Approvals · KDCube');
  assert.equal(pageTitle('Tools', { waiting: 2, mine: 0 }), '(2) Tools · KDCube');
  assert.equal(pageTitle('Tools', { waiting: 0, mine: 0 }), 'Tools · KDCube');
});

test('the same thing is the same tool and the same value of what identifies it', () => {
  const decision = (more) => ({ tool: 'payments.refund', call_id: 'x', arguments: '{"customer":"C-1","order_id":"A-2","amount":"1.00"}', decision: 'allow', ...more });
  const all = [decision(), decision({ tool: 'mail.send' }), decision({ call_id: 'c1' }), decision({ arguments: '{"customer":"C-2"}', decision: 'deny' }), decision({ arguments: '{broken' }), decision({ arguments: undefined })];
  assert.equal(sameThing(approval({ subject: 'C-1' }), all.map((one) => ({ ...one, subject: 'C-1' })).slice(0, 3)).length, 1);
  const elsewhere = [decision({ run: 'r2', call_id: 'c1', subject: 'C-1' }), decision({ run: 'r1', call_id: 'c1', subject: 'C-1' })];
  assert.equal(sameThing(approval({ run: 'r1', subject: 'C-1' }), elsewhere).length, 1, 'ids of calls repeat from run to run');
  assert.equal(sameThing(approval(), all).length, 0, 'where the catalog does not say it, the order identifies it');
  assert.equal(sameThing(approval({ args: { order_id: 'A-2' } }), all).length, 1);
  assert.equal(thing({ subject: 'C-7', args: { id: 1 } }), 'C-7');
  assert.equal(earlierWords([decision(), decision({ decision: 'deny' })], 'C-1'), '2 earlier decisions on C-1: 1 allowed, 1 denied');
  assert.equal(earlierWords([decision()], 'C-1'), '1 earlier decision on C-1: 1 allowed');
});

test('a refusal is said in words, an unknown one as the server said it', () => {
  assert.match(refusalWords({ code: 'own_call' }), /somebody else/);
  assert.equal(refusalWords({ code: 'teapot', message: 'No.' }), 'No.');
});

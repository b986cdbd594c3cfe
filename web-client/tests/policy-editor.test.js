import assert from 'node:assert/strict';
import test from 'node:test';
import { CheckLoop } from '../console/check-loop.js';
import { countLines, diffLines, foldSame } from '../console/line-diff.js';
import {
  addFile, beginDraft, changedMeanwhile, changesOf, editFile, fileOf, filesOf, isChanged, nameProblem, namesOf, policiesOf, readDraft, rebaseDraft, removeFile, renameFile,
  revertFile, storeDraft,
} from '../console/policy-draft.js';

const signs = { same: ' ', old: '-', new: '+' };
const drawn = (before, after) => diffLines(before, after).map((row) => signs[row.kind] + row.text).join('\n');
const set = (version, texts) => ({ version, files: Object.entries(texts).map(([name, text]) => ({ name, text })) });
const kinds = (draft) => changesOf(draft).map(({ name, kind }) => `${kind} ${name}`);

test('lines that come and go are told with their numbers', () => {
  assert.equal(drawn('a\nb\nc\n', 'a\nx\nc\n'), ' a\n-b\n+x\n c');
  assert.equal(drawn('', 'a\n'), '+a');
  assert.equal(drawn('a', ''), '-a');
  assert.equal(drawn('a\n', 'a'), ' a', 'the end of the last line is no line');
  assert.equal(drawn('a\nb\nc\nd', 'b\nc\nx\nd\ne'), '-a\n b\n c\n+x\n d\n+e');
  assert.deepEqual(diffLines('a\nb', 'b\nc').map((row) => [row.kind, row.old, row.new]), [['old', 1, null], ['same', 2, 1], ['new', null, 2]]);
  assert.deepEqual(countLines(diffLines('a\nb', 'b\nc\nd')), { added: 2, removed: 1 });
});

test('a diff gives both texts back, whatever they are', () => {
  let seed = 7;
  const dice = (sides) => (seed = (seed * 48271) % 2147483647) % sides;
  for (let round = 0; round < 300; round += 1) {
    const text = () => Array.from({ length: dice(12) }, () => 'abc'[dice(3)]).join('\n');
    const [before, after] = [text(), text()];
    const rows = diffLines(before, after);
    assert.equal(rows.filter((row) => row.kind !== 'new').map((row) => row.text).join('\n'), before);
    assert.equal(rows.filter((row) => row.kind !== 'old').map((row) => row.text).join('\n'), after);
  }
});

test('texts that are too large to compare line by line are all changed', () => {
  const many = (word) => Array.from({ length: 2100 }, (_, index) => `${word}${index}`).join('\n');
  assert.deepEqual(countLines(diffLines(`same\n${many('a')}`, `same\n${many('b')}`)), { added: 2100, removed: 2100 });
});

test('what is far from a change is left out', () => {
  const lines = Array.from({ length: 30 }, (_, index) => `l${index}`);
  const after = lines.with ? lines.with(15, 'x') : lines.map((line, index) => (index === 15 ? 'x' : line));
  const folded = foldSame(diffLines(lines.join('\n'), after.join('\n')), 2);
  assert.deepEqual(folded.map((row) => row.skipped ?? row.text), [13, 'l13', 'l14', 'l15', 'x', 'l16', 'l17', 12]);
  assert.deepEqual(foldSame(diffLines('a\nb', 'a\nb'), 2), [{ skipped: 2 }]);
  assert.equal(foldSame(diffLines('a\nb\nc\nd', 'a\nb\nc\nx'), 2)[0].text, 'a', 'one line is not worth a gap');
});

test('a draft knows what was changed, made, renamed and taken away', () => {
  let draft = beginDraft(set('v1', { 'a.cedar': 'a', 'b.cedar': 'b', 'a.test.yaml': 't' }));
  assert.ok(!isChanged(draft));
  assert.deepEqual(namesOf(draft), ['a.cedar', 'b.cedar', 'a.test.yaml']);
  draft = editFile(draft, 'a.cedar', 'A');
  draft = addFile(draft, 'c.cedar', 'c');
  draft = renameFile(draft, 'b.cedar', 'd.cedar');
  assert.deepEqual(kinds(draft), ['changed a.cedar', 'new c.cedar', 'renamed d.cedar']);
  draft = removeFile(draft, 'd.cedar');
  assert.deepEqual(kinds(draft), ['changed a.cedar', 'removed b.cedar', 'new c.cedar']);
  assert.deepEqual(policiesOf(draft).map(({ name }) => name), ['a.cedar', 'c.cedar']);
  assert.deepEqual(filesOf(draft).length, 3);
  draft = addFile(draft, 'b.cedar', 'B');
  assert.deepEqual(kinds(draft), ['changed a.cedar', 'changed b.cedar', 'new c.cedar'], 'a file that comes back is no new one');
  for (const name of ['a.cedar', 'b.cedar', 'c.cedar']) draft = revertFile(draft, name);
  assert.ok(!isChanged(draft));
  draft = revertFile(removeFile(draft, 'b.cedar'), 'b.cedar');
  assert.equal(fileOf(draft, 'b.cedar').text, 'b');
  draft = revertFile(renameFile(draft, 'b.cedar', 'x.cedar'), 'x.cedar');
  assert.deepEqual(namesOf(draft), ['a.cedar', 'b.cedar', 'a.test.yaml']);
});

test('names are refused before the server would', () => {
  const draft = beginDraft(set('v1', { 'a.cedar': '' }));
  assert.equal(nameProblem(draft, 'b.cedar'), '');
  assert.equal(nameProblem(draft, 'b.test.yaml'), '');
  assert.equal(nameProblem(draft, 'a.cedar', 'a.cedar'), '');
  for (const name of ['', 'a.cedar', 'b.txt', '../b.cedar', '.b.cedar', `${'x'.repeat(256)}.cedar`]) assert.notEqual(nameProblem(draft, name), '', name);
  assert.match(nameProblem(draft, 'a.test.yaml', 'a.cedar'), /stays a policy/);
});

test('a draft moves onto a version that was published meanwhile', () => {
  let draft = beginDraft(set('v1', { 'a.cedar': 'a', 'b.cedar': 'b', 'c.cedar': 'c' }));
  draft = renameFile(editFile(draft, 'a.cedar', 'mine'), 'c.cedar', 'c2.cedar');
  const now = set('v2', { 'a.cedar': 'a', 'b.cedar': 'theirs', 'c.cedar': 'c', 'n.cedar': 'n' });
  assert.deepEqual(changedMeanwhile(draft, now).map(({ name, kind }) => `${kind} ${name}`), ['changed b.cedar', 'new n.cedar']);
  const moved = rebaseDraft(draft, now);
  assert.deepEqual(moved.conflicts, []);
  assert.equal(moved.draft.base, 'v2');
  assert.deepEqual(kinds(moved.draft), ['changed a.cedar', 'renamed c2.cedar']);
  assert.equal(fileOf(moved.draft, 'b.cedar').text, 'theirs');
  const clash = rebaseDraft(draft, set('v3', { 'a.cedar': 'theirs', 'b.cedar': 'b' }));
  assert.deepEqual(clash.conflicts, ['a.cedar', 'c2.cedar']);
  assert.equal(fileOf(clash.draft, 'a.cedar').text, 'mine');
  assert.deepEqual(kinds(clash.draft), ['changed a.cedar', 'new c2.cedar']);
});

test('a draft outlives its page as text, and nonsense is none', () => {
  const draft = editFile(beginDraft(set('v1', { 'a.cedar': 'a' })), 'a.cedar', 'b');
  assert.deepEqual(readDraft(storeDraft(draft)), draft);
  for (const text of [null, '', '{', '{}', '{"before":[],"files":[{"name":1}]}']) assert.equal(readDraft(text), null);
});

test('a text is checked after a pause, never twice at once, and again when it changed meanwhile', async () => {
  const asked = [];
  const results = [];
  let timer = null;
  const timers = { set: (done) => (timer = done), clear: () => { timer = null; } };
  const loop = new CheckLoop({ timers, check: () => new Promise((resolve, reject) => asked.push({ resolve, reject })), onresult: (result) => results.push(result), onerror: (error) => results.push(error.message) });
  loop.soon();
  loop.soon();
  assert.equal(asked.length, 0, 'somebody still types');
  timer();
  loop.soon();
  timer();
  assert.equal(asked.length, 1, 'one at a time');
  asked[0].resolve('first');
  await new Promise(setImmediate);
  assert.equal(asked.length, 2, 'what changed meanwhile is asked about');
  asked[1].reject(new Error('gone'));
  await new Promise(setImmediate);
  loop.now();
  loop.stop();
  asked[2].resolve('late');
  await new Promise(setImmediate);
  assert.deepEqual(results, ['first', 'gone'], 'nobody waits for the last');
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { SequenceTracker } from '../client/sequence.js';

const delta = (first, last, text) => ({ type: 'chat.delta', seq: last, ...(first === last ? {} : { first_seq: first }), delta: { text } });
const word = (n) => `w${n} `;
const one = (n) => delta(n, n, word(n));
const textOf = (events) => events.map((e) => e.delta?.text ?? '').join('');
const whole = (n) => Array.from({ length: n }, (_, i) => word(i + 1)).join('');

test('events in order pass through once', () => {
  const t = new SequenceTracker();
  assert.equal(textOf([1, 2, 3].flatMap((n) => t.accept(one(n)).deliver)), whole(3));
  assert.deepEqual(t.accept(one(2)), { deliver: [], resume: false });
});

test('a hole holds later events back, asks to resume, and closes without loss', () => {
  const t = new SequenceTracker();
  t.accept(one(1));
  assert.deepEqual(t.accept(one(3)), { deliver: [], resume: true });
  assert.equal(textOf(t.accept(one(2)).deliver), 'w2 w3 ');
  assert.equal(t.last, 3);
});

test('a merged delta that begins inside what was shown is cut at the right character', () => {
  const t = new SequenceTracker();
  [1, 2, 3].forEach((n) => t.accept(one(n)));
  const { deliver } = t.accept(delta(2, 5, 'w2 w3 w4 w5 '));
  assert.equal(textOf(deliver), 'w4 w5 ');
  assert.equal(deliver[0].first_seq, 4);
});

test('a merged delta whose pieces do not line up asks for the rest instead of guessing', () => {
  const t = new SequenceTracker();
  t.accept(delta(1, 4, 'w1 w2 w3 w4 '));
  assert.deepEqual(t.accept(delta(3, 6, 'w3 w4 w5 w6 ')), { deliver: [], resume: true });
  assert.equal(textOf(t.accept(delta(5, 6, 'w5 w6 ')).deliver), 'w5 w6 ');
});

test('a gap is delivered as a gap and the run goes on behind it', () => {
  const t = new SequenceTracker();
  t.accept(one(1));
  t.accept(one(6));
  const { deliver } = t.gap(4);
  assert.deepEqual(deliver, [{ type: 'gap', first_seq: 2, seq: 4 }]);
  assert.equal(textOf(t.accept(one(5)).deliver), 'w5 w6 ');
});

test('nothing is delivered after the terminal event', () => {
  const t = new SequenceTracker();
  t.accept({ type: 'chat.cut', seq: 1 });
  assert.deepEqual(t.accept(one(2)), { deliver: [], resume: false });
  assert.deepEqual(t.gap(9), { deliver: [], resume: false });
});

test('malformed sequence numbers are ignored', () => {
  const t = new SequenceTracker();
  for (const seq of [0, -1, 1.5, NaN, '1', undefined]) assert.deepEqual(t.accept({ type: 'chat.delta', seq }).deliver, []);
  assert.deepEqual(t.accept({ type: 'chat.delta', seq: 1, first_seq: 3 }).deliver, []);
});

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed) {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

test('under loss, repetition, reordering and merging the text is whole and never repeated', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const next = random(seed);
    const n = 5 + Math.floor(next() * 60);
    const t = new SequenceTracker();
    let shown = '';
    const give = (event) => {
      const { deliver } = t.accept(event);
      for (const e of deliver) assert.notEqual(e.type, 'gap');
      shown += textOf(deliver);
    };
    for (let i = 1; i <= n; i += 1) {
      if (next() < 0.25) continue; // lost
      give(one(next() < 0.2 ? 1 + Math.floor(next() * n) : i)); // sometimes another one, early or again
    }
    // The server answers the resume with everything after `last`, grouped as it likes.
    while (t.last < n) {
      const from = t.last + 1;
      const to = Math.min(n, from + Math.floor(next() * 6));
      give(delta(from, to, Array.from({ length: to - from + 1 }, (_, i) => word(from + i)).join('')));
    }
    assert.equal(shown, whole(n), `seed ${seed}`);
  }
});

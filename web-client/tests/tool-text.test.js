import assert from 'node:assert/strict';
import test from 'node:test';
import { OUTPUT_MAX, OutputTail } from '../chat/output-tail.js';
import { PartialString } from '../chat/partial-json.js';

const CODE = 'for n in range(3):\n\tprint("n\\t", n)  # \u00e9 \ud83d\ude00 {"code": [1]}\n';

/** The member as it stands after each piece. */
function read(json, size, name = 'code') {
  const reader = new PartialString(name);
  let added = '';
  for (let at = 0; at < json.length; at += size) added += reader.push(json.slice(at, at + size));
  assert.equal(added, reader.text);
  return reader.text;
}

test('code is read from JSON that is cut anywhere', () => {
  const texts = [
    JSON.stringify({ code: CODE }), JSON.stringify({ other: { code: 'no' }, list: ['code', { code: 'no' }], code: CODE }, null, 2),
    JSON.stringify({ code: CODE, more: 1 }).replace(/[\u0080-\uffff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`),
  ];
  for (const json of texts) for (const size of [1, 2, 3, 7, 1000]) assert.equal(read(json, size), CODE);
});

test('what has come so far is a beginning of the code', () => {
  const json = JSON.stringify({ a: 'x', code: CODE });
  for (let end = 0; end <= json.length; end += 1) assert.ok(CODE.startsWith(read(json.slice(0, end), 5)), `after ${end}`);
});

test('other JSON, and what is none, has no code and does no harm', () => {
  for (const json of ['', '{}', '[]', '"code"', '12', '["code", "x"]', '{"a": {"code": "x"}}', '{"code": 7}', 'nonsense', '}{"code":"x"}', '{"x":"code"}']) {
    assert.equal(read(json, 1), '', json);
  }
  assert.equal(read('{"code": "a\\q\\uzzzzb', 1), 'aq\ufffdb');
  const reader = new PartialString('code');
  reader.push('{"code": "a"');
  assert.equal(reader.isWhole, true);
  assert.equal(reader.push(', "code": "b"}'), '');
});

test('output keeps its order and its streams', () => {
  const output = new OutputTail();
  for (const [stream, text] of [['stdout', 'a'], ['stdout', 'b\n'], ['stderr', 'oh\n'], ['stdout', '']]) output.push(stream, text);
  assert.deepEqual(output.pieces, [{ stream: 'stdout', text: 'ab\n' }, { stream: 'stderr', text: 'oh\n' }]);
});

test('output is bounded at the front, in characters and in pieces', () => {
  const output = new OutputTail();
  for (let n = 0; n < 5000; n += 1) output.push('stdout', `line ${n} ${'x'.repeat(50)}\n`);
  const text = output.pieces.map((piece) => piece.text).join('');
  assert.ok(text.length <= OUTPUT_MAX && text.length > OUTPUT_MAX - 4097 && text.endsWith(`line 4999 ${'x'.repeat(50)}\n`));
  assert.equal(output.dropped + text.length, output.seen.stdout);
  output.push('stdout', 'y'.repeat(3 * OUTPUT_MAX));
  assert.ok(output.length <= OUTPUT_MAX && output.pieces.every((piece) => piece.text.length <= 4096));
  for (let n = 0; n < 5000; n += 1) output.push(n % 2 ? 'stdout' : 'stderr', 'z');
  assert.ok(output.pieces.length <= 1000);
});

test('no piece ends inside a character', () => {
  const output = new OutputTail();
  output.push('stdout', `x${'\ud83d\ude00'.repeat(5000)}`);
  assert.ok(output.pieces.every((piece) => !/[\ud800-\udbff]$/.test(piece.text)));
});

test('the end fills in what was missed, and changes nothing that was seen', () => {
  const seen = new OutputTail();
  for (const [stream, text] of [['stdout', 'a\n'], ['stderr', 'b\n'], ['stdout', 'c\n']]) seen.push(stream, text);
  const before = structuredClone(seen.pieces);
  seen.complete({ stdout: 'a\nc\n', stderr: 'b\n' });
  assert.deepEqual(seen.pieces, before);
  seen.complete({});
  assert.deepEqual(seen.pieces, before);
  seen.complete({ stdout: 'a\nc\nd\n', stderr: 'b\n' });
  assert.deepEqual(seen.pieces, [{ stream: 'stdout', text: 'a\nc\nd\n' }, { stream: 'stderr', text: 'b\n' }]);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { SSEParser } from '../client/sse-parser.js';

const STREAM = ': hello\r\nevent: chat_delta\nid: run_1:2\ndata: {"a":1}\ndata: {"b":2}\n\nretry: 10\r\n\r\ndata:x\r\rdata: no end';
const EXPECTED = [
  { event: 'chat_delta', id: 'run_1:2', data: '{"a":1}\n{"b":2}' },
  { event: 'message', id: 'run_1:2', data: 'x' },
];

test('fields, comments, several data lines and all three line ends are read', () => {
  assert.deepEqual(new SSEParser().push(STREAM), EXPECTED);
});

test('the result is the same under every split into two, and character by character', () => {
  for (let at = 0; at <= STREAM.length; at += 1) {
    const parser = new SSEParser();
    assert.deepEqual([...parser.push(STREAM.slice(0, at)), ...parser.push(STREAM.slice(at))], EXPECTED, `split at ${at}`);
  }
  const parser = new SSEParser();
  assert.deepEqual([...STREAM].flatMap((c) => parser.push(c)), EXPECTED);
});

test('a line without end is refused instead of filling the memory', () => {
  const parser = new SSEParser();
  assert.throws(() => { for (let i = 0; i < 10; i += 1) parser.push('x'.repeat(1024 * 1024)); }, /too long/);
});

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import test from 'node:test';
import { Feed } from '../embed/feed.js';
import { blocks, inline, settled } from '../embed/markdown.js';
import { approvalWords, cutWords, errorWords, span } from '../embed/words.js';

/** A file and everything that it imports, as a browser loads it. */
function loaded(address, found = new Map()) {
  if (found.has(address.href)) return found;
  found.set(address.href, statSync(address).size);
  for (const [, name] of readFileSync(address, 'utf8').matchAll(/^import .* from '(.+)';$/gm)) loaded(new URL(name, address), found);
  return found;
}

test('the widget stays under 30 kB with all that it loads', () => {
  const files = loaded(new URL('../embed/widget.js', import.meta.url), loaded(new URL('../embed.js', import.meta.url)));
  assert.ok(files.size >= 8, 'its modules are counted');
  const bytes = [...files.values()].reduce((a, b) => a + b);
  assert.ok(bytes < 30_000, `${bytes} bytes`);
});

test('blocks are those of the allow-list', () => {
  const source = 'One\ntwo\n\n# Head\n- a\n- b\n  more\n\n3. c\n```js\nlet x;\n\n<b>\n```\nend';
  assert.deepEqual(blocks(source).map(({ type, text, items, first, lang }) => [type, text ?? items, first, lang].filter((v) => v !== undefined)), [
    ['p', 'One\ntwo'], ['strong', 'Head'], ['ul', ['a', 'b\nmore'], 1], ['ol', ['c'], 3], ['code', 'let x;\n\n<b>', 'js'], ['p', 'end'],
  ]);
});

test('blocks that are settled do not change when the text grows', () => {
  const source = 'One\n\ntwo **x**\n\n- a\n- b\n\n```\ncode\n\nmore\n```\n\nend';
  const plain = (list) => list.map(({ type, text, items }) => [type, text ?? items.join('|')]);
  const done = [];
  let rest = '';
  for (const character of source) {
    rest += character;
    const fresh = blocks(rest);
    const count = settled(rest);
    if (count > 0) {
      done.push(...plain(fresh.slice(0, count)));
      rest = rest.slice(fresh[count].start);
    }
  }
  assert.deepEqual([...done, ...plain(blocks(rest))], plain(blocks(source)));
});

test('emphasis, code and links; other addresses stay text', () => {
  assert.deepEqual(inline('a **b** *c* `d*e*` [f](https://g.h) https://i.j.').map((p) => [p.type, p.text, p.href].filter(Boolean)), [
    ['text', 'a '], ['strong', 'b'], ['text', ' '], ['em', 'c'], ['text', ' '], ['code', 'd*e*'], ['text', ' '],
    ['a', 'f', 'https://g.h'], ['text', ' '], ['a', 'https://i.j', 'https://i.j'], ['text', '.'],
  ]);
  for (const text of ['[x](javascript:alert(1))', '<img src=x onerror=alert(1)>', '[x](data:text/html,hi)', '2 * 3 * 4']) {
    assert.deepEqual(inline(text), [{ type: 'text', text }]);
  }
});

test('a hostile text is read in time', () => {
  const started = performance.now();
  for (const piece of ['**a ', '[a](', '`', '*a', 'https://', '- ', '1. ', '```\n', '[[[[']) {
    const text = piece.repeat(20000);
    blocks(text);
    inline(text);
  }
  assert.ok(performance.now() - started < 5000);
});

test('a cut says which cap and when it resets', () => {
  const cut = { reason: 'budget_exceeded', scope: { kind: 'project', id: 'acme/web' }, unit: 'usd', window: 'day', limit: '5.000000000', resets_at: 11_520_000 + 1e12 };
  assert.equal(cutWords(cut, 1e12), 'Stopped here. Project acme/web has spent its $5.00 for today. It resets in 3 h 12 min.');
  assert.equal(cutWords({ ...cut, unit: 'tokens', window: 'total', limit: '100', resets_at: null }, 0), 'Stopped here. Project acme/web has used its 100 tokens. It does not reset by itself.');
  assert.match(cutWords({ reason: 'killed' }, 0), /An operator/);
  assert.match(cutWords(undefined, 0), /The cap is reached/);
});

test('an approval that waits names who may decide and until when', () => {
  const approval = { tool: 'payments.refund', from: 'group:finance', quorum: 2, agreed: 1, expires_at: new Date(2026, 0, 5, 14, 32).getTime(), state: 'pending' };
  assert.equal(approvalWords(approval), 'payments.refund waits for group finance (1 of 2 agreed, until 14:32).');
  assert.equal(approvalWords({ ...approval, state: 'denied' }), 'payments.refund was denied.');
  assert.deepEqual([span(0), span(61_000), span(86_400_000), span(90_000_000)], ['1 s', '1 min 1 s', '1 d', '1 d 1 h']);
  assert.equal(errorWords({ code: 'upstream_error', message: 'It broke.', requestId: 'q' }), 'That did not work. It broke. (request q)');
});

test('the feed goes on behind the last event, without a repeat', async (t) => {
  const delta = (seq, first) => `id: r:${seq}\ndata: ${JSON.stringify({ type: 'chat.delta', run_id: 'r', seq, first_seq: first, delta: { text: 'x' } })}\n\n`;
  const end = 'data: {"type":"chat.complete","run_id":"r","seq":6}\n\n';
  const bodies = [delta(1) + delta(2), delta(2) + delta(3) + delta(5), 'event: gap\ndata: {"run_id":"r","first_seq":4,"seq":4}\n\n' + delta(5) + end];
  const asked = [];
  t.mock.method(globalThis, 'fetch', async (url, { headers }) => {
    asked.push(headers['last-event-id']);
    return new Response(bodies.shift());
  });
  t.mock.method(Math, 'random', () => 0);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const seen = [];
  for await (const event of new Feed('http://x/', 'kd-x').ask({ text: 'Hi' })) {
    seen.push(event.seq ?? event.type);
    if (event.type === 'lost') setImmediate(() => t.mock.timers.tick(60_000));
  }
  assert.deepEqual(seen, [1, 2, 'lost', 'back', 3, 'lost', 'back', 'gap', 5, 6]);
  assert.deepEqual(asked, [undefined, 'r:2', 'r:3']);
});

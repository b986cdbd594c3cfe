import assert from 'node:assert/strict';
import test from 'node:test';
import { parseBlocks } from '../chat/markdown.js';
import { parseInline, safeHref } from '../chat/markdown-inline.js';

const kinds = (source, options) => parseBlocks(source, options).map((b) => b.type);
/** All visible characters of a tree. */
const plain = (nodes) => nodes.map((n) => (n.type === 'br' ? '\n' : n.text ?? plain(n.children ?? n.inline ?? []))).join('');

test('blocks of the allow-list', () => {
  assert.deepEqual(kinds('# A\ntext\n\n- x\n- y\n\n1. z\n\n> q\n\n---\n\n```js\ncode\n```'), ['h', 'p', 'list', 'list', 'quote', 'hr', 'code']);
});

test('a fence keeps its text untouched, closed or not', () => {
  const [code] = parseBlocks('```swift\nlet a = "**b**"\n\n  <b>\n```');
  assert.deepEqual([code.lang, code.text], ['swift', 'let a = "**b**"\n\n  <b>']);
  assert.equal(parseBlocks('```\nopen', { open: true })[0].text, 'open');
  assert.equal(parseBlocks('```\ncode\n``', { open: true })[0].text, 'code');
});

test('lists nest, number from their start and end at prose', () => {
  const [list, paragraph] = parseBlocks('3. a\n   - b\n   - c\n4. d\n\nprose');
  assert.equal(list.first, 3);
  assert.deepEqual(list.children[0].children.map((b) => b.type), ['p', 'list']);
  assert.equal(list.children.length, 2);
  assert.equal(paragraph.type, 'p');
  assert.deepEqual(kinds('in\n1984. It was'), ['p']);
});

test('HTML stays the text it is', () => {
  const [block] = parseBlocks('<img src=x onerror=alert(1)> <script>x</script>');
  assert.deepEqual(block.inline, [{ type: 'text', text: '<img src=x onerror=alert(1)> <script>x</script>' }]);
});

test('only http, https and mailto become links', () => {
  for (const bad of ['javascript:alert(1)', 'JAVASCRIPT:x', 'data:text/html,x', '//host', 'vbscript:x', ' https://x y']) assert.equal(safeHref(bad), null, bad);
  assert.deepEqual(parseInline('[x](javascript:alert(1))'), [{ type: 'text', text: '[x](javascript:alert(1))' }]);
  assert.equal(parseInline('[x](https://a.example/p)')[0].href, 'https://a.example/p');
  assert.equal(parseInline('see https://a.example/p.')[1].href, 'https://a.example/p');
});

test('emphasis, code and what only looks like it', () => {
  assert.deepEqual(parseInline('a **b *c*** `d*e`').map((n) => n.type), ['text', 'strong', 'text', 'code']);
  assert.deepEqual(parseInline('snake_case_name 2 * 3 * 4').map((n) => n.type), ['text']);
  assert.deepEqual(parseInline('**open'), [{ type: 'text', text: '**open' }]);
  assert.equal(parseInline('**open', { open: true })[0].type, 'strong');
});

test('reading on from the last block gives the same as reading all, at every length', () => {
  const source = 'Intro **bold** text\n\n1. one\n2. two\n   - sub `x`\n\n```js\nlet a;\n\n\nb\n```\n\n> quote\nlazy?\n\n## End\ntail *em*';
  let last = 0;
  const kept = [];
  for (let n = 1; n <= source.length; n += 1) {
    const fresh = parseBlocks(source.slice(last, n), { open: true }).map((b) => ({ ...b, start: b.start + last }));
    const from = kept.length > 0 ? kept.length - 1 : 0;
    kept.splice(from, kept.length, ...fresh);
    if (kept.length > 0) last = kept[kept.length - 1].start;
    assert.deepEqual(kept, parseBlocks(source.slice(0, n), { open: true }), `at ${n}`);
  }
});

test('no character of prose is lost, and hostile text is fast', () => {
  const prose = 'a * b_c_ [d](e f) `g ~~h~~ **i __j';
  assert.equal(plain(parseInline(prose)).replace(/~~h~~/, 'h'), prose.replace(/~~h~~/, 'h'));
  for (const evil of ['*a '.repeat(8000), '['.repeat(20000), '`'.repeat(99) + '` '.repeat(9000), '**'.repeat(15000), '> '.repeat(5000), '- '.repeat(5000), '_a*'.repeat(8000)]) {
    const began = performance.now();
    parseBlocks(evil, { open: true });
    assert.ok(performance.now() - began < 2000, `${evil.slice(0, 6)}… took too long`);
  }
});

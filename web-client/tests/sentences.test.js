import assert from 'node:assert/strict';
import test from 'node:test';
import { cutStory, errorStory } from '../chat/sentences.js';
import { connectionPhrase } from '../shared/connection.js';
import { parseWindow } from '../chat/windows.js';
import { formatAbout, formatDuration, formatReset, parseInstant } from '../shared/time.js';
import { SentenceBuffer } from '../chat/announcer.js';

const NOW = Date.UTC(2026, 10, 23, 20, 48);
const CUT = {
  reason: 'budget_exceeded', scope: { kind: 'project', id: 'acme/web' }, unit: 'usd', window: 'day', limit: '5.00', used: '5.00',
  resets_at: '2026-11-24T00:00:00Z',
};

test('a money cut says who, how much, for what and when it resets', () => {
  assert.equal(cutStory(CUT, NOW).text, 'Project acme/web has spent its $5.00 for today. It resets in 3 h 12 min (00:00 UTC).');
});

test('a token cut counts tokens; a window without reset says whose move it is', () => {
  const tokens = { ...CUT, reason: 'rate_limited', unit: 'tokens', window: 'minute', limit: 2000, used: 2000, resets_at: '2026-11-23T20:48:30Z' };
  assert.equal(cutStory(tokens, NOW).text, 'Project acme/web has used its 2,000 tokens for this minute. It resets in 30 s (20:48 UTC).');
  assert.match(cutStory({ ...CUT, window: 'total', resets_at: null }, NOW).text, /in total\. It does not reset by itself/);
});

test('cuts that are not caps offer no waiting', () => {
  assert.equal(cutStory({ reason: 'killed' }, NOW).canWait, false);
  assert.equal(cutStory({ reason: 'policy_denied' }, NOW).canWait, false);
  assert.equal(cutStory({}, NOW).text.startsWith('The cap is reached.'), true);
});

test('a refusal names the window in the way, from the error or from the quota', () => {
  const full = [parseWindow({ ...CUT, scope: 'project:acme/web' })];
  const story = errorStory({ code: 'budget_exceeded', message: 'budget exceeded' }, full, NOW);
  assert.equal(story.text, 'Project acme/web has spent its $5.00 for today. It resets in 3 h 12 min (00:00 UTC).');
  assert.match(story.move, /nothing was charged/);
  assert.equal(errorStory({ code: 'budget_exceeded', message: 'm', details: { x_cut: { ...CUT, scope: { kind: 'org', id: 'acme' } } } }, full, NOW).text.slice(0, 17), 'Organisation acme');
  assert.equal(errorStory({ code: 'budget_exceeded', message: 'as the server said' }, [], NOW).text, 'as the server said');
});

test('durations, forecasts and resets', () => {
  assert.deepEqual([1, 999, 59000, 61000, 3600000, 11520000, 90000000].map(formatDuration), ['1 s', '1 s', '59 s', '1 min 1 s', '1 h', '3 h 12 min', '1 d 1 h']);
  assert.deepEqual([4000, 41000, 200000, 9000000].map(formatAbout), ['4 s', '40 s', '3 min', '3 h']);
  assert.equal(formatReset(Date.UTC(2026, 11, 1), NOW), '2026-12-01 00:00 UTC');
  assert.deepEqual([null, '', 1764000000, 1764000000000, '2026-11-24T00:00:00Z', 'x'].map(parseInstant), [null, null, 1764000000000, 1764000000000, Date.UTC(2026, 10, 24), null]);
});

test('the connection is told in words', () => {
  const phrase = (c) => connectionPhrase(c, NOW, () => '14:32');
  assert.equal(phrase({ state: 'live' }), 'Live');
  assert.equal(phrase({ state: 'sse' }), 'Live by SSE');
  assert.equal(phrase({ state: 'waiting', since: NOW - 1000, retryAt: NOW + 2500 }), 'Reconnecting in 3 s');
  assert.equal(phrase({ state: 'waiting', since: NOW - 60000, retryAt: NOW + 8000 }), 'Offline since 14:32, next try in 8 s');
});

test('speech gets whole sentences without Markdown signs, and all of the text', () => {
  const buffer = new SentenceBuffer();
  const text = 'A **lease** is a slice of every window on the path. It is `small`. And it is granted at once, for the whole path!\n\nEnd';
  const said = [...[...text].flatMap((c) => buffer.push(c)), ...buffer.flush()];
  assert.equal(said[0], 'A lease is a slice of every window on the path.');
  assert.equal(said.join(' ').replace(/\s+/g, ' '), text.replace(/[*`]/g, '').replace(/\s+/g, ' '));
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { columnDecimals, formatLimit, formatMoney, formatPrice, parseMoney } from '../shared/money.js';
import { estimatePrompt, estimateTokens } from '../chat/estimate.js';

test('decimal strings become nano-dollars exactly, and anything else is null', () => {
  assert.equal(parseMoney('5.00'), 5000000000n);
  assert.equal(parseMoney('0.000000001'), 1n);
  assert.equal(parseMoney('90071992547409.93'), 90071992547409930000000n);
  assert.equal(parseMoney('-0.5'), -500000000n);
  for (const bad of ['', 'abc', '1e5', '.5', null, undefined, '1,000.00']) assert.equal(parseMoney(bad), null, String(bad));
});

test('a cost is never shown smaller than it is', () => {
  assert.equal(formatMoney(1n, 6), '$0.000001');
  assert.equal(formatMoney(1000n, 6), '$0.000001');
  assert.equal(formatMoney(1001n, 6), '$0.000002');
  assert.equal(formatMoney(0n, 6), '$0.000000');
  assert.equal(formatMoney(1234567890123456789n, 2), '$1,234,567,890.13');
  assert.equal(formatMoney(-500000000n, 2), '−$0.50');
});

test('limits and prices keep their significant digits', () => {
  assert.equal(formatLimit(5000000000n), '$5.00');
  assert.equal(formatLimit(2500000n), '$0.0025');
  assert.equal(formatLimit(1n), '$0.000000001');
  assert.equal(formatPrice('0.50'), '$0.50');
  assert.equal(formatPrice('0.0825'), '$0.0825');
  assert.equal(formatPrice('15'), '$15.00');
  assert.equal(formatPrice(undefined), null);
});

test('a column has one number of decimals, by its smallest limit', () => {
  assert.equal(columnDecimals([5000000000n, 120000000000n]), 4);
  assert.equal(columnDecimals([10000000n, 120000000000n]), 6);
  assert.equal(columnDecimals([2000000000000n]), 2);
  assert.equal(columnDecimals([]), 6);
});

test('the estimate counts the conversation that is sent again, and is rounded up', () => {
  assert.equal(estimateTokens('abcdefgh'), 2);
  assert.equal(estimateTokens('東京都'), 3);
  assert.deepEqual(estimatePrompt('abcd', ['abcdefgh'], { input_per_million: '0.50' }), { tokens: 3, nano: 1500n });
  assert.equal(estimatePrompt('abcd', [], { input_per_million: '0.0000001' }).nano, 1n);
  assert.equal(estimatePrompt('abcd', [], undefined).nano, null);
});

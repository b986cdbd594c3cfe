import { parseMoney } from '../shared/money.js';

/** Characters of one token: a rule of thumb for European text; only ever shown with "about". */
const CHARS_PER_TOKEN = 4;

/** Tokens of a text, roughly. Scripts without spaces (CJK, kana, hangul) come nearer to one token a character. */
export function estimateTokens(text) {
  const dense = (text.match(/[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/g) ?? []).length;
  return Math.ceil(dense + (text.length - dense) / CHARS_PER_TOKEN);
}

/**
 * What the prompt costs before a single token of answer: the conversation so far is sent again with each turn.
 * @returns {{tokens: number, nano: bigint|null}} nano is null when the model has no price.
 */
export function estimatePrompt(text, history, price) {
  const tokens = estimateTokens(text) + history.reduce((sum, part) => sum + estimateTokens(part), 0);
  const perMillion = parseMoney(price?.input_per_million);
  if (perMillion === null) return { tokens, nano: null };
  return { tokens, nano: (perMillion * BigInt(tokens) + 999999n) / 1000000n };
}

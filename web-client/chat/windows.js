import { formatLimit, formatMoney, formatCount, parseMoney } from '../shared/money.js';
import { parseInstant } from '../shared/time.js';

/**
 * A window of the accounting as the page handles it. Amounts are BigInt: nano-dollars for `usd`, else counts.
 *
 * @typedef {{key: string, kind: string, id: string, unit: string, period: string,
 *   limit: bigint, used: bigint, held: bigint, resetsAt: number|null}} Window
 */

/** From `GET /v1/quota`, `chat.usage` or a cut. @returns {Window|null} null for what cannot be shown. */
export function parseWindow(raw) {
  const scope = parseScope(raw?.scope);
  const unit = raw?.unit;
  const limit = parseAmount(raw?.limit, unit);
  if (!scope || !unit || limit === null) return null;
  const period = raw.window ?? raw.period ?? 'total';
  return {
    key: `${scope.kind}:${scope.id}|${unit}|${period}`, ...scope, unit, period, limit,
    used: parseAmount(raw.used, unit) ?? 0n,
    held: parseAmount(raw.held, unit) ?? 0n,
    resetsAt: parseInstant(raw.resets_at),
  };
}

/** A scope is text ("project:acme/web") in windows and an object ({kind, id}) in a cut. */
export function parseScope(scope) {
  if (scope && typeof scope === 'object') return scope.kind && scope.id ? { kind: scope.kind, id: scope.id } : null;
  const at = String(scope ?? '').indexOf(':');
  return at > 0 ? { kind: scope.slice(0, at), id: scope.slice(at + 1) } : null;
}

export function parseAmount(value, unit) {
  if (unit === 'usd') return parseMoney(value);
  return /^-?\d+$/.test(String(value ?? '')) ? BigInt(value) : null;
}

const KINDS = { org: 'Organisation', project: 'Project', user: 'User', key: 'Key' };

/** "Project acme/web"; "User ana" (the path before the name is the project's, which has its own bar). */
export function scopeName({ kind, id }, { full = true } = {}) {
  const name = !full && kind !== 'key' ? id.split('/').pop() : id;
  return `${KINDS[kind] ?? kind} ${name}`;
}

const PERIODS = { minute: 'this minute', hour: 'this hour', day: 'today', week: 'this week', month: 'this month', total: 'in total' };
const FOR_PERIODS = {
  minute: 'for this minute', hour: 'for this hour', day: 'for today', week: 'for this week', month: 'for this month', total: 'in total',
};

export const periodName = (period) => PERIODS[period] ?? `per ${period}`;
export const forPeriod = (period) => FOR_PERIODS[period] ?? `for this ${period}`;

/** An amount in a column of the meter. */
export function formatAmount(amount, unit, decimals) {
  return unit === 'usd' ? formatMoney(amount, decimals) : formatCount(amount);
}

/** A limit in a sentence: "$5.00", "2,000 tokens". */
export function limitPhrase(limit, unit) {
  return unit === 'usd' ? formatLimit(limit) : `${formatCount(limit)} ${unit}`;
}

/** Parts of a bar in per cent of its limit; held never runs past the end. */
export function shares({ used, held, limit }) {
  if (limit <= 0n) return { used: 100, held: 0 };
  const percent = (part) => Number((part * 10000n) / limit) / 100;
  const usedShare = Math.min(100, Math.max(0, percent(used)));
  return { used: usedShare, held: Math.min(100 - usedShare, Math.max(0, percent(held))) };
}

/** Crossed mark of a window: 0, 50, 80, 95 or 100. */
export function level({ used, limit }) {
  if (used >= limit) return 100;
  for (const mark of [95n, 80n, 50n]) if (used * 100n >= limit * mark) return Number(mark);
  return 0;
}

/** What happens now: tiles, their lines and what is unusual. Pure. */
import { formatCount, formatMoney, parseMoney } from '../shared/money.js';
import { filled, fullest, scopeText, subject } from './budget-model.js';
import { costText, rateText, stopWords, unusual } from './stream-model.js';

const MINUTES = 60;

/** Numbers of a line; what is not there is zero, and the newest is last. */
export function lineOf(values, count = MINUTES) {
  const known = (values ?? []).slice(-count).map((value) => Number(value) || 0);
  return [...Array(Math.max(0, count - known.length)).fill(0), ...known];
}

/**
 * The tiles with a line.
 * @returns {{name: string, title: string, value: string, unit: string, line: number[], say: (value: number) => string, tone: string}[]}
 */
export function tiles(now) {
  const lines = now?.lines ?? {};
  const money = parseMoney(now?.cost_per_minute_usd) ?? 0n;
  const cuts = now?.cuts_last_hour ?? 0;
  return [
    { name: 'runs', title: 'Runs', value: formatCount(now?.runs ?? 0), unit: 'live now', page: 'streams', line: lineOf(lines.runs), say: (value) => (Math.round(value) === 1 ? '1 run' : `${formatCount(Math.round(value))} runs`) },
    { name: 'tokens', title: 'Tokens', value: formatCount(Math.round(now?.tokens_per_second ?? 0)), unit: 'a second', page: 'streams', line: lineOf(lines.tokens), say: (value) => `${formatCount(Math.round(value))}/min` },
    { name: 'cost', title: 'Money', value: formatMoney(money, money > 0n && money < 100_000_000n ? 4 : 2), unit: 'a minute', page: 'spend', line: lineOf(lines.cost_usd), say: (value) => `$${value.toFixed(4)}/min` },
    { name: 'cuts', title: 'Cuts', value: formatCount(cuts), unit: 'in the last hour', page: 'decisions', line: lineOf(lines.cuts), say: (value) => (value === 1 ? '1 cut' : `${formatCount(Math.round(value))} cuts`) },
  ];
}

/** Health as a sentence. @returns {{tone: string, sign: string, text: string, problems: string[]}} */
export function healthWords(now) {
  const problems = now?.problems ?? [];
  if (now?.health === 'ok' && problems.length === 0) return { tone: 'done', sign: 'check', text: 'All is well.', problems };
  return { tone: 'warning', sign: 'alert', text: problems.length === 1 ? problems[0] : problems.length > 1 ? `${problems.length} things are not as they should be.` : 'Something is not as it should be.', problems: problems.length > 1 ? problems : [] };
}

/** "412 allowed, 31 denied" and the share that was denied. */
export function decisionWords(now) {
  const { allow = 0, deny = 0 } = now?.decisions_last_hour ?? {};
  return { allow: formatCount(allow), deny: formatCount(deny), share: allow + deny > 0 ? deny / (allow + deny) : 0, count: allow + deny };
}

/** A window this full is told. */
const NEAR = 0.8;

/**
 * What stands out: at most one of each kind, with where it leads.
 * @returns {{kind: string, sign: string, tone: string, title: string, text: string, page: string, filters: object}[]}
 */
export function standOut({ streams, windows }) {
  const found = [];
  const { dearest, next } = unusual(streams);
  if (next && next.stops.seconds < 600) {
    const stop = stopWords(next);
    found.push({ kind: 'next', sign: 'cut', tone: stop.tone, title: 'Is stopped next', text: `${next.user ?? next.project}’s run on ${next.model}, ${stop.when}, by ${scopeText(next.stops.scope)}`, page: 'run', filters: { id: next.run_id } });
  }
  const full = fullest(windows);
  if (full && filled(full) >= NEAR) {
    const isSpent = full.used >= full.limit;
    found.push({ kind: 'full', sign: 'budget', tone: isSpent ? 'cut' : 'warning', title: isSpent ? 'A budget is spent' : 'The fullest budget',
      text: `${scopeText(full.scope)}, ${subject(full).toLowerCase()}: ${Math.floor(Math.min(1, filled(full)) * 100)} % taken`, page: 'budgets', filters: { find: full.scope.id } });
  }
  if (dearest) {
    found.push({ kind: 'dearest', sign: 'spend', tone: 'muted', title: 'Burns fastest', text: `${dearest.user ?? dearest.project}’s run on ${dearest.model}: ${rateText(dearest)}, ${costText(dearest.cost_usd)} so far`, page: 'run', filters: { id: dearest.run_id } });
  }
  const waiting = streams.filter((row) => row.waiting === 'approval').length;
  if (waiting > 0) found.push({ kind: 'waiting', sign: 'person', tone: 'waiting', title: waiting === 1 ? 'Waits for a person' : 'Wait for a person', text: waiting === 1 ? 'One run stands still until somebody decides' : `${waiting} runs stand still until somebody decides`, page: 'approvals', filters: {} });
  return found;
}

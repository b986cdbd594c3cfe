/** What the page of spending knows, without drawing it: periods, stacks, shares, the forecast in words. Pure; days are those of UTC, as windows. */
import { formatLimit, formatMoney, parseMoney } from '../shared/money.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** What the server answers at most. */
const HOURS_SPAN_MAX = 8 * DAY;
const DAYS_SPAN_MAX = 92 * DAY;
/** Names that have a colour of their own; the rest is one. */
export const COLOURED = 6;
export const REST = '\u0000rest';

export const BY = { org: 'Organisation', project: 'Project', user: 'User', model: 'Model', tool: 'Tool', key: 'Key' };
export const RANGES = { today: 'Today', '7d': '7 d', '30d': '30 d', month: 'Month' };
const RANGE_WORDS = { today: 'today', '7d': 'in the last 7 days', '30d': 'in the last 30 days', month: 'this month' };

const startOfDay = (ms) => ms - (((ms % DAY) + DAY) % DAY);

/** "2026-11-28" → the begin of that day; null when it is none. */
function dayOf(text) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text ?? '')) return null;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(ms) ? null : ms;
}

export const dayText = (ms) => new Date(ms).toISOString().slice(0, 10);

/**
 * The time that is asked for, and in what steps. Two dates stand above a named range; the second is within it.
 * @returns {{from: number, to: number, range: string, step: 'hour'|'day', words: string, problem: string}}
 */
export function periodOf(filters, now) {
  const [first, last] = [dayOf(filters.from), dayOf(filters.to)];
  const isCustom = first !== null || last !== null;
  const range = isCustom ? 'custom' : RANGES[filters.range] ? filters.range : '7d';
  let [from, to] = [0, now];
  if (isCustom) {
    to = Math.min(now, (last ?? startOfDay(now)) + DAY);
    from = first ?? startOfDay(to - 1);
  } else if (range === 'today') from = startOfDay(now);
  else if (range === 'month') from = Date.UTC(new Date(now).getUTCFullYear(), new Date(now).getUTCMonth(), 1);
  else from = startOfDay(now) - (range === '7d' ? 6 : 29) * DAY;
  const span = to - from;
  const canHours = span <= HOURS_SPAN_MAX;
  const wanted = filters.step === 'hour' || filters.step === 'day' ? filters.step : span <= 2 * DAY ? 'hour' : 'day';
  const problem = from >= to ? 'The first day lies after the last.' : span > DAYS_SPAN_MAX ? 'At most 92 days are shown at once.' : '';
  const words = RANGE_WORDS[range] ?? (dayText(from) === dayText(to - 1) ? `on ${dayText(from)}` : `from ${dayText(from)} to ${dayText(to - 1)}`);
  return { from, to, range, step: wanted === 'hour' && !canHours ? 'day' : wanted, canHours, words, problem };
}

/**
 * What a filter that nobody has chosen means: the next level below the scope. Without an organisation an operator sees all.
 * @param {{org: string, isOperator: boolean}} who
 */
export function byOf({ by, org, project, user }, { isOperator }) {
  if (BY[by] && (by !== 'org' || isOperator)) return by;
  return user ? 'model' : project ? 'user' : org || !isOperator ? 'project' : 'org';
}

/** The scope as the API names it. */
export function scopeOf({ org, project, user }, who) {
  const place = org || who.org;
  if (project && user) return { scope: `user:${place}/${project}/${user}` };
  if (project) return { scope: `project:${place}/${project}` };
  return org ? { org } : {};
}

export function usageQuery(filters, who, now) {
  const { from, to, step } = periodOf(filters, now);
  return { ...scopeOf(filters, who), from, to, by: byOf(filters, who), step };
}

/** What a row is about; the server leaves out the names beyond its first hundred. */
export const nameOf = (row, by) => row[by] ?? REST;
export const nameWords = (name) => (name === REST ? 'All others' : name);

/**
 * The stack of the chart: the dearest names and, where there are more, the rest as one; every step of the time, also those without spending.
 * @returns {{at: number[], sets: {name: string, values: number[]}[], totals: number[]}} in dollars: a chart is no ledger.
 */
export function stackOf({ rows = [], series = [], by, step }, { from, to }, now) {
  const length = step === 'hour' ? HOUR : DAY;
  const begin = from - (((from % length) + length) % length);
  const at = [];
  for (let t = begin; t < Math.min(to, now); t += length) at.push(t);
  const place = new Map(at.map((t, index) => [t, index]));
  const known = rows.map((row) => nameOf(row, by)).filter((name) => name !== REST);
  const names = known.slice(0, COLOURED);
  const sets = names.map((name) => ({ name, values: at.map(() => 0) }));
  const rest = at.map(() => 0);
  for (const point of series) {
    const index = place.get(point.at - (((point.at % length) + length) % length));
    if (index === undefined) continue;
    for (const [name, cost] of Object.entries(point.values ?? {})) {
      const set = sets[names.indexOf(name)];
      (set?.values ?? rest)[index] += Number(cost) || 0;
    }
  }
  if (rest.some((value) => value > 0)) sets.push({ name: REST, values: rest });
  return { at, sets, totals: at.map((_, index) => sets.reduce((sum, set) => sum + set.values[index], 0)) };
}

/** Rows with their part of the whole, in tenths of a per cent. */
export function shareRows({ rows = [], totals = {}, by }) {
  const total = parseMoney(totals.cost_usd) ?? 0n;
  return rows.map((row) => {
    const cost = parseMoney(row.cost_usd) ?? 0n;
    return { ...row, name: nameOf(row, by), cost, share: total > 0n ? Number((cost * 1000n) / total) / 10 : 0 };
  });
}

/** "12.3 %"; what is there is never shown as nothing. */
export const shareWords = (share, cost) => (share < 0.1 && cost > 0n ? '< 0.1 %' : `${share.toFixed(1)} %`);

/** Decimals of the column of costs: enough that the least of them is seen, and no more than that. */
export function costDecimals(costs) {
  const most = costs.reduce((a, b) => (a > b ? a : b), 0n);
  return most >= 10_000_000_000n ? 2 : most >= 100_000_000n ? 4 : 6;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n) => String(n).padStart(2, '0');
/** "27 Nov 14:00", in UTC. */
export function stampWords(ms) {
  const at = new Date(ms);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

/** "28 Nov" or "14:00": a step of the time on the axis. */
export function stepWords(ms, step) {
  const at = new Date(ms);
  const hours = at.getUTCHours();
  return step === 'hour' && hours !== 0 ? `${two(hours)}:00` : `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
}

/** The whole of a step: "28 Nov 14:00 to 15:00", "28 Nov". */
export const stepTitle = (ms, step) => (step === 'hour' ? `${stampWords(ms)} to ${two((new Date(ms).getUTCHours() + 1) % 24)}:00 UTC` : `${stepWords(ms, step)}, UTC`);

const PERIODS = { minute: 'minute', hour: 'hour', day: 'day', week: 'week', month: 'month' };

/**
 * "At this rate the month's $500.00 is spent on 27 Nov 14:00 UTC."
 * @returns {{text: string, tone: string, icon: string}|null}
 */
export function forecastWords(forecast) {
  if (!forecast) return null;
  const [limit, used, atEnd] = [forecast.limit, forecast.used, forecast.at_end].map((value) => parseMoney(value));
  if (limit === null || used === null) return null;
  const period = PERIODS[String(forecast.window).split(':')[0]] ?? 'period';
  const whole = `the ${period}’s ${formatLimit(limit)}`;
  if (used >= limit) return { text: `${whole[0].toUpperCase()}${whole.slice(1)} is spent.`, tone: 'cut', icon: 'cut' };
  if (forecast.spent_at) return { text: `At this rate ${whole} is spent on ${stampWords(forecast.spent_at)} UTC.`, tone: 'warning', icon: 'alert' };
  const text = atEnd === null ? `At this rate ${whole} lasts to its end.` : `At this rate the ${period} ends with ${formatMoney(atEnd)} of ${formatLimit(limit)} spent.`;
  return { text, tone: 'done', icon: 'check' };
}

/** Where a click on a name leads: into its scope, one level below. @returns {Record<string, string>|null} filters. */
export function below({ scope }) {
  const [kind, path] = String(scope ?? '').split(/:(.*)/);
  const [org, project, user] = (path ?? '').split('/');
  if (kind === 'org') return { org, project: '', user: '', by: 'project' };
  if (kind === 'project') return { org, project, user: '', by: 'user' };
  return kind === 'user' && user ? { org, project, user, by: 'model' } : null;
}

/** "spend-acme-by-project-2026-11-01-to-2026-11-28.csv" */
export function fileName(filters, who, now) {
  const { from, to } = periodOf(filters, now);
  const place = [filters.org || (who.isOperator && !filters.project ? 'all' : who.org), filters.project, filters.user].filter(Boolean).join('-').replace(/[^\w.-]+/g, '_');
  return `spend-${place}-by-${byOf(filters, who)}-${dayText(from)}-to-${dayText(to - 1)}.csv`;
}

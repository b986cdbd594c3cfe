/** Runs that live, as the page of streams shows them. Pure. */
import { parseAmount, parseScope } from '../chat/windows.js';
import { formatCount, formatMoney, parseMoney } from '../shared/money.js';
import { formatAbout } from '../shared/time.js';
import { inScope } from './address.js';
import { limitWords, scopeText, scopeWords, subject } from './budget-model.js';

export const SORTS = { rate: 'Burns fastest', stops: 'Is stopped first', cost: 'Cost most', newest: 'Newest' };

const rate = (row) => Number(row.cost_per_minute_usd ?? 0) || 0;
const secondsLeft = (row) => row.stops?.seconds ?? Infinity;
/** What a row is ordered by, the least first. */
const ORDERS = { rate: (row) => -rate(row), cost: (row) => -Number(row.cost_usd ?? 0), stops: secondsLeft, newest: (row) => -(row.started_at ?? 0) };

/** Those in the scope whose words hold all that is looked for. */
export function filterStreams(rows, { sort: _sort, find = '', ...scope } = {}) {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && Object.keys(scope).length === 0) return rows;
  return rows.filter((row) => {
    if (!inScope(row, scope)) return false;
    if (words.length === 0) return true;
    const text = `${row.run_id} ${row.org}/${row.project} ${row.user ?? ''} ${row.key ?? ''} ${row.model} ${row.waiting ?? ''} ${row.tool ?? ''} ${row.node ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Filtered and in order; where the order leaves two alike, the older is first. */
export function sortStreams(rows, filters = {}) {
  const by = ORDERS[filters.sort] ?? ORDERS.rate;
  // What they are ordered by is read once of each: there may be ten thousand.
  return filterStreams(rows, filters).map((row) => [by(row), row])
    .sort(([a, one], [b, other]) => (a < b ? -1 : a > b ? 1 : 0) || (one.started_at ?? 0) - (other.started_at ?? 0) || (one.run_id < other.run_id ? -1 : 1)).map(([, row]) => row);
}

/** @returns {[string, string, string]} word, icon, tone. */
export function streamMark({ waiting, tool }) {
  if (waiting === 'approval') return ['Waits for a person', 'person', 'waiting'];
  if (waiting === 'tool') return [tool ? `Waits for ${tool}` : 'Waits for a tool', 'tool', 'waiting'];
  if (waiting === 'model') return ['Waits for the model', 'clock', 'waiting'];
  return ['Writes', 'live', 'running'];
}

/** Four decimals: a run costs less than a cent as a rule. */
export const costText = (value) => formatMoney(parseMoney(value) ?? 0n, 4);
export const rateText = (row) => (rate(row) > 0 ? `${costText(row.cost_per_minute_usd)}/min` : '–');
export const tokensText = (row) => formatCount((row.input_tokens ?? 0) + (row.output_tokens ?? 0));

/**
 * The window that will stop it: what it is, when, and how full.
 * @returns {{what: string, when: string, share: number, tone: string, title: string}|null} null where no cap is on its path.
 */
export function stopWords({ stops }) {
  if (!stops) return null;
  const limit = parseAmount(stops.limit, stops.unit) ?? 0n;
  const taken = (parseAmount(stops.used, stops.unit) ?? 0n) + (parseAmount(stops.held, stops.unit) ?? 0n);
  const share = limit > 0n ? Math.min(1, Number((taken * 1000n) / limit) / 1000) : 1;
  const { seconds } = stops;
  const isSoon = Number.isFinite(seconds) && seconds < 60;
  const resetsFirst = Number.isFinite(seconds) && stops.resets_at && stops.at && stops.at + seconds * 1000 > stops.resets_at;
  const when = !Number.isFinite(seconds) ? 'not at this rate' : resetsFirst ? 'begins anew first' : `in ${formatAbout(Math.max(1, seconds) * 1000)}`;
  return {
    what: scopeWords(parseScope(stops.scope) ?? { kind: '', id: '' }).join(' '), when, share, tone: isSoon ? 'cut' : Number.isFinite(seconds) && seconds < 600 ? 'warning' : 'muted',
    title: `${scopeText(stops.scope)}, ${subject({ unit: stops.unit, period: stops.window })}: ${limitWords({ limit, unit: stops.unit })}`,
  };
}

/** What stands over the list. */
export function totals(rows) {
  let [perMinute, tokens] = [0, 0];
  for (const row of rows) {
    perMinute += rate(row);
    tokens += Number(row.tokens_per_second ?? 0) || 0;
  }
  const runs = rows.length === 1 ? '1 run' : `${formatCount(rows.length)} runs`;
  // A rate is an estimate: a binary fraction is good enough for the sum of many.
  return { runs, money: `${formatMoney(BigInt(Math.round(perMinute * 1e9)), 2)} a minute`, tokens: `${formatCount(Math.round(tokens))} tokens a second` };
}

/** The dearest, and the one that a cap will stop first. */
export function unusual(rows) {
  const dearest = rows.reduce((best, row) => (rate(row) > rate(best ?? {}) ? row : best), null);
  const next = rows.reduce((best, row) => (secondsLeft(row) < secondsLeft(best ?? {}) ? row : best), null);
  return { dearest, next: next && Number.isFinite(secondsLeft(next)) ? next : null };
}

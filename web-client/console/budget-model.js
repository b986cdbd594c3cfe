/** Windows of budgets: what stands in their bars, their words and their tree. Pure. */
import { formatAmount, parseAmount, parseScope, periodName } from '../chat/windows.js';
import { columnDecimals, formatCount, formatLimit, formatMoney } from '../shared/money.js';
import { formatDuration } from '../shared/time.js';
import { windowKey } from './stores.js';

export const UNITS = {
  usd: ['US dollars', 'Money'], tokens: ['tokens', 'Tokens, in and out'], input_tokens: ['tokens in', 'Tokens in'], output_tokens: ['tokens out', 'Tokens out'],
  requests: ['requests', 'Requests'], runs: ['runs at one time', 'Runs at one time'], calls: ['calls of tools', 'Calls of tools'],
};
export const PERIODS = { minute: 'a minute', hour: 'an hour', day: 'a day', week: 'a week', month: 'a month', total: 'in total' };
const KINDS = { org: 'Organisation', project: 'Project', user: 'User', key: 'Key' };

/**
 * A budget row as the pages handle it; amounts are BigInt, nano-dollars for `usd`.
 * @returns {object|null} null for a row that cannot be shown.
 */
export function windowOf(row) {
  const scope = parseScope(row?.scope);
  const limit = parseAmount(row?.limit, row?.unit);
  if (!scope || limit === null) return null;
  const amount = (name) => parseAmount(row[name], row.unit) ?? 0n;
  const [used, held, suspense] = ['used', 'held', 'suspense'].map(amount);
  const rest = limit - used - held - suspense;
  return {
    key: windowKey(row), scope, text: row.scope, unit: row.unit, period: row.window ?? 'total', limit, used, held, suspense, free: rest > 0n ? rest : 0n,
    model: row.model ?? null, tool: row.tool ?? null, zone: row.zone ?? null, owner: row.owner ?? 'org', resetsAt: row.resets_at ?? null, row,
  };
}

/** Why this reader may not change the budget; empty when they may. The server decides, this only says so beforehand. */
export const lockWords = (window, { isOperator }) => (window.owner === 'operator' && !isOperator ? 'Set by the operator: only an operator changes or removes it. A budget of your own in another unit or window holds beside it.' : '');

/** Parts of a bar in per cent of the limit; together never more than 100. */
export function parts({ used, held, suspense, limit }) {
  let left = 100;
  const share = (part) => {
    const percent = limit > 0n ? Number((part * 10000n) / limit) / 100 : part > 0n ? 100 : 0;
    const fits = Math.min(left, Math.max(0, percent));
    left -= fits;
    return fits;
  };
  return { used: share(used), held: share(held), suspense: share(suspense), free: left };
}

/** How full, 0 to 1 and more: what is used, held or in suspense is not there for others. */
export const filled = ({ used, held, suspense, limit }) => (limit > 0n ? Number(((used + held + suspense) * 10000n) / limit) / 10000 : 1);

/** @returns {'cut'|'warning'|'muted'} */
export const toneOf = (window) => (window.used >= window.limit ? 'cut' : filled(window) >= 0.8 ? 'warning' : 'muted');

/** "Money today", "Calls of payments.refund today", "Tokens of gpt-mini this month". */
export function subject({ unit, period, model, tool, zone }) {
  const what = tool ? (unit === 'usd' ? `Money for ${tool}` : `Calls of ${tool}`) : model ? `${UNITS[unit]?.[1] ?? unit} of ${model}` : UNITS[unit]?.[1] ?? unit;
  return unit === 'runs' ? what : `${what} ${periodName(period)}${zone ? `, ${zone}` : ''}`;
}

/** An amount as it stands in a sentence. */
export const phrase = (amount, unit) => (unit === 'usd' ? formatMoney(amount, amount % 10_000_000n === 0n ? 2 : 4) : formatCount(amount));

/** The words beside a bar: each part that is there, and what is free. */
export function partWords(window) {
  const decimals = columnDecimals([window.limit]);
  const say = (amount) => formatAmount(amount, window.unit, decimals);
  // What is free rounds down where what is used rounds up.
  const free = window.unit === 'usd' ? formatMoney(window.free - (window.free % 10n ** BigInt(9 - decimals)), decimals) : formatCount(window.free);
  return [['used', window.unit === 'runs' ? '' : say(window.used)], ['held', window.held > 0n ? say(window.held) : ''], ['suspense', window.suspense > 0n ? say(window.suspense) : ''], ['free', free]]
    .filter(([, text]) => text !== '');
}

export const limitWords = ({ limit, unit }) => (unit === 'usd' ? formatLimit(limit) : formatCount(limit));

export function resetWords({ resetsAt, period, unit }, now) {
  if (unit === 'runs') return 'counts what lives now';
  if (period === 'total' || !resetsAt) return 'never begins anew';
  return resetsAt <= now ? 'begins anew' : `begins anew in ${formatDuration(resetsAt - now)}`;
}

/** "acme", "web", "ana", "key_…": the last name of the scope, with its kind. */
export const scopeWords = ({ kind, id }) => [KINDS[kind] ?? kind, kind === 'key' ? id : id.split('/').at(-1)];

/** "Project acme/web"; of text or an object. */
export function scopeText(scope) {
  const known = parseScope(scope);
  return known ? `${KINDS[known.kind] ?? known.kind} ${known.id}` : String(scope ?? '');
}

/**
 * The tree as rows in order: the organisation, its projects, their users, and keys under whom they belong to.
 * @param {object[]} windows of `windowOf`
 * @param {{projects?: object[], keys?: Map<string, object>, org?: string, extra?: string[]}} known projects that have no budget stand there too,
 *   and the scopes of `extra`, which somebody asks for.
 * @returns {{type: 'scope'|'window', id: string, depth: number, scope: {kind, id}, window?: object, count?: number, name?: string}[]}
 */
export function treeRows(windows, { projects = [], keys = new Map(), org = '', extra = [] } = {}) {
  const nodes = new Map();
  const node = (kind, id, parts) => {
    const name = `${kind}:${id}`;
    if (!nodes.has(name)) nodes.set(name, { scope: { kind, id }, parts, windows: [] });
    return nodes.get(name);
  };
  const above = (parts) => {
    if (parts[0]) node('org', parts[0], [parts[0]]);
    if (parts[1]) node('project', `${parts[0]}/${parts[1]}`, parts.slice(0, 2));
    if (parts[2]) node('user', parts.slice(0, 3).join('/'), parts.slice(0, 3));
  };
  if (org) above([org]);
  for (const one of projects) above([one.org, one.project]);
  const place = ({ kind, id }) => {
    const owner = kind === 'key' ? keys.get(id) : null;
    const parts = kind === 'key' ? [owner?.org ?? org, owner?.project ?? '', owner?.user ?? '', id] : id.split('/');
    above(kind === 'key' ? parts.slice(0, 3) : parts);
    return node(kind, id, parts);
  };
  for (const text of extra) {
    const scope = parseScope(text);
    if (scope) place(scope);
  }
  for (const window of windows) place(window.scope).windows.push(window);
  // Names sort by level; what stands directly under a project (a key without a user) comes before its users.
  const sorted = [...nodes.values()].sort((a, b) => compareParts(a.parts, b.parts));
  const depths = { org: 0, project: 1, user: 2 };
  return sorted.flatMap(({ scope, parts: path, windows: own }) => {
    const depth = depths[scope.kind] ?? path.slice(0, 3).filter(Boolean).length;
    const name = scope.kind === 'key' ? keys.get(scope.id)?.alias : undefined;
    return [
      { type: 'scope', id: `${scope.kind}:${scope.id}`, depth, scope, count: own.length, name },
      ...own.sort(byImportance).map((window) => ({ type: 'window', id: window.key, depth, scope, window })),
    ];
  });
}

function compareParts(a, b) {
  for (let at = 0; at < 4; at += 1) {
    const [one, other] = [a[at] ?? '', b[at] ?? ''];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

const ORDER = Object.keys(UNITS);
const byImportance = (a, b) => Number(Boolean(a.tool || a.model)) - Number(Boolean(b.tool || b.model)) || ORDER.indexOf(a.unit) - ORDER.indexOf(b.unit)
  || Object.keys(PERIODS).indexOf(a.period) - Object.keys(PERIODS).indexOf(b.period) || a.key.localeCompare(b.key);

/** The fullest of them that is worth telling. */
export function fullest(windows) {
  const real = windows.filter((window) => window.unit !== 'runs');
  return real.reduce((best, window) => (best === null || filled(window) > filled(best) ? window : best), null);
}

const ENDS_RUNS = new Set(['usd', 'tokens', 'input_tokens', 'output_tokens']);

/** Whether a run stands under a scope. */
function isUnder({ kind, id }, run) {
  const path = { org: run.org, project: `${run.org}/${run.project}`, user: `${run.org}/${run.project}/${run.user ?? ''}`, key: run.key };
  return path[kind] === id;
}

/**
 * The preview with the runs of all servers: the one that answers knows its own. A spent window cuts whatever runs under it.
 * @param {object[]} streams rows of all runs that live
 */
export function widened(asked, answer, streams) {
  const scope = parseScope(asked.scope);
  if (!answer.would_refuse || !ENDS_RUNS.has(asked.unit) || asked.tool || !scope) return answer;
  const known = new Map((answer.would_cut ?? []).map((run) => [run.run_id, run]));
  for (const run of streams) if (isUnder(scope, run) && (!asked.model || run.model === asked.model) && !known.has(run.run_id)) known.set(run.run_id, run);
  return { ...answer, would_cut: [...known.values()] };
}

/** What the preview of a limit means, in a sentence, with its tone. @returns {[string, string, string]} text, icon, tone */
export function previewWords(answer) {
  const cut = answer?.would_cut?.length ?? 0;
  if (cut > 0) return [`${cut === 1 ? 'One run would' : `${cut} runs would`} be cut now.`, 'cut', 'cut'];
  if (answer?.would_refuse) return ['Nothing that runs would be cut, but what comes next would be refused: the limit is used up.', 'alert', 'warning'];
  return ['Nothing that runs now would be cut.', 'check', 'done'];
}

/** What a limit as it is typed means. @returns {string} why it cannot be taken, or ''. */
export function limitProblem(text, unit) {
  const value = text.trim();
  if (value === '') return 'Say how much.';
  if (unit === 'usd') return /^\d{1,9}(\.\d{1,9})?$/.test(value) ? '' : 'Dollars as a decimal, such as 5.00.';
  return /^\d{1,15}$/.test(value) ? '' : 'A whole number.';
}

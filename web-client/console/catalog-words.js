/** What is said of tools and of sandboxes. Pure. */
import { formatMoney, parseMoney } from '../shared/money.js';
import { elapsed } from '../shared/values.js';

/** "builtin", "http", "mcp" → what makes the call. */
export const adapterWords = ({ builtin, kind }) => (builtin ? 'built in' : { http: 'over HTTP', mcp: 'by an MCP server' }[kind] ?? kind ?? '');

/** The price of a call; '' for one that costs nothing. Four decimals, so that a column can be compared. */
export function priceWords({ cost_usd: cost }) {
  const nano = parseMoney(cost);
  return nano === null || nano === 0n ? '' : `${formatMoney(nano, nano % 100000n === 0n ? 4 : 9)} a call`;
}

export const timeoutWords = ({ timeout_ms: timeout }) => (Number.isFinite(timeout) ? `at most ${elapsed(timeout)}` : '');

/**
 * The parameters of a tool as rows.
 * @returns {{name: string, type: string, isRequired: boolean, text: string}[]}
 */
export function parameterRows(schema) {
  const required = new Set(schema?.required ?? []);
  return Object.entries(schema?.properties ?? {}).map(([name, one]) => ({
    name, type: typeWords(one), isRequired: required.has(name), text: [one.description, boundWords(one)].filter(Boolean).join(' '),
  }));
}

function typeWords(one) {
  const types = [one.type ?? (one.enum ? 'one of' : one.properties ? 'object' : 'any')].flat();
  const word = types.includes('array') && one.items ? `array of ${typeWords(one.items)}` : types.join(' or ');
  return [word, one.format].filter(Boolean).join(', ');
}

function boundWords({ enum: values, minimum, maximum, minLength, maxLength, pattern }) {
  const range = (least, most, unit) => (least === undefined && most === undefined ? ''
    : least === undefined ? `at most ${most}${unit}` : most === undefined ? `at least ${least}${unit}` : `${least} to ${most}${unit}`);
  return [values && `one of ${values.join(', ')}`, range(minimum, maximum, ''), range(minLength, maxLength, ' characters'), pattern && `matches ${pattern}`]
    .filter(Boolean).join('; ');
}

/**
 * What became of a tool's last calls, of rows of the decision log.
 * @returns {string} "Of the last 40 calls 36 went well, 3 were denied, 1 failed. Half of them took at most 12 ms, the slowest 2.1 s."
 */
export function callsWords(rows) {
  if (rows.length === 0) return 'Nobody has called it yet.';
  const denied = rows.filter((row) => row.decision === 'deny').length;
  const ended = rows.filter((row) => row.outcome);
  const failed = ended.filter(({ outcome }) => outcome.status !== 'ok').length;
  const open = rows.length - denied - ended.length;
  const parts = [[ended.length - failed, 'went well'], [denied, denied === 1 ? 'was denied' : 'were denied'], [failed, 'failed'], [open, 'not over']];
  const told = parts.filter(([count]) => count > 0).map(([count, words]) => `${count} ${words}`).join(', ');
  const times = ended.map(({ outcome }) => outcome.elapsed_ms).filter(Number.isFinite).sort((a, b) => a - b);
  const speed = times.length === 0 ? '' : times.length === 1 ? ` It took ${elapsed(times[0])}.`
    : ` Half of them took at most ${elapsed(times[Math.ceil(times.length / 2) - 1])}, the slowest ${elapsed(times.at(-1))}.`;
  return `${rows.length === 1 ? 'Of one call' : `Of the last ${rows.length} calls`} ${told}.${speed}`;
}

/** Level of isolation → word, icon, tone, what it means. */
const LEVELS = {
  full: ['Full isolation', 'check', 'done', 'Code runs in namespaces of its own, behind a filter of system calls, with limits of memory, processes and time that the kernel holds.'],
  limited: ['Limited isolation', 'alert', 'warning', 'Code is shut in, but not every bound holds on this machine; the probes below say which is missing.'],
  none: ['No isolation', 'deny', 'cut', 'This machine cannot shut code in; the probes below say why.'],
};

/** @returns {[string, string, string, string]} of a report; a server without a tool that runs code has none to give. */
export function levelWords({ level, minimum, probes = [] }) {
  if (level === 'none' && !minimum && probes.length === 0) return ['No code is run here', 'skip', 'muted', 'No tool of this server runs code, so there is nothing to shut in.'];
  return LEVELS[level] ?? [`Level ${level}`, 'help', 'muted', ''];
}

/** Whether code runs here, and why not. */
export function runsWords({ runs_code: runs, minimum, level }) {
  if (runs) return `Code runs: ${minimum} isolation is demanded, and ${level} is there.`;
  return minimum ? `Code does not run: ${minimum} isolation is demanded, and ${level === 'none' ? 'none' : `only ${level}`} is there.` : '';
}

/** "2 wait for code, 1 runs it, 17 more may be started"; '' where none can be. */
export function poolWords(pool) {
  if (!pool) return '';
  const free = pool.most - pool.warm - pool.starting - pool.running - pool.leaving;
  const verb = (count, one, many) => `${count} ${count === 1 ? one : many}`;
  return [verb(pool.warm, 'waits for code', 'wait for code'), verb(pool.running, 'runs it', 'run it'), pool.starting > 0 && verb(pool.starting, 'starts', 'start'),
    pool.leaving > 0 && verb(pool.leaving, 'is thrown away', 'are thrown away'), `${free} more may be started`].filter(Boolean).join(', ');
}

const KILLS = {
  timeout: 'took too long', cpu_limit: 'used its share of the processor', oom: 'used its memory', output_limit: 'wrote too much', protocol_limit: 'broke the protocol',
  forbidden_syscall: 'made a forbidden system call', killed: 'was ended from outside',
};

/** Why sandboxes of this server were killed since its start, the most frequent first; '' where no code has run. */
export function killWords({ starts = {}, kills = {} }) {
  const ran = (starts.warm ?? 0) + (starts.cold ?? 0);
  if (ran === 0) return '';
  const told = Object.entries(kills).sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${KILLS[reason] ?? reason} (${count})`);
  return told.length === 0 ? `none of ${ran}` : `of ${ran}: ${told.join(', ')}`;
}

/** Probes that failed first. */
export const sortProbes = (probes) => [...probes].sort((a, b) => Number(a.passed) - Number(b.passed));

/** "user_namespace" → "user namespace" */
export const probeName = (name) => String(name).replaceAll('_', ' ');

/** The story of a run, as a support person reads it aloud, and what proves it. Pure. */
import { formatCount, formatMoney, parseMoney } from '../shared/money.js';
import { formatReset, parseInstant } from '../shared/time.js';
import { scopeText, windowOf } from './budget-model.js';
import { parseAmount } from '../chat/windows.js';
import { windowKey } from './stores.js';

const STATES = {
  running: ['Runs', 'live', 'running'], complete: ['Complete', 'check', 'done'], cut: ['Cut', 'cut', 'cut'], error: ['Failed', 'alert', 'cut'],
  interrupted: ['Interrupted', 'alert', 'warning'],
};
const REASONS = {
  budget_exceeded: 'a budget was spent', rate_limit_exceeded: 'a limit of rate was reached', killed: 'somebody ended it', policy_denied: 'a policy does not allow it to go on',
  accounting_unavailable: 'the accounting could not be reached', revoked: 'its key was revoked', key_revoked: 'its key was revoked',
};
/** Kinds of the timeline → icon, tone, word. */
const KINDS = {
  admission: ['check', 'done', 'Let in'], charge: ['spend', 'muted', 'Charged'], tool: ['tool', 'muted', 'Tool'], approval: ['person', 'waiting', 'Approval'], cut: ['cut', 'cut', 'Cut'],
  kill: ['stop', 'cut', 'Ended'], end: ['check', 'done', 'End'], refusal: ['deny', 'cut', 'Refused'], hold: ['clock', 'muted', 'Held'],
};

const ENDS = { complete: 'It ended by itself', cut: 'It was cut', error: 'It failed', interrupted: 'Its server ended before it was settled' };

/** @returns {[string, string, string]} word, icon, tone. */
export const runMark = ({ state }) => STATES[state] ?? [String(state), 'help', 'muted'];
export const kindMark = (kind) => KINDS[kind] ?? ['skip', 'muted', String(kind)];
/** Of an event; its end is good only where it ended by itself. */
export const eventMark = ({ kind, text }) => (kind === 'end' && ENDS[text] && text !== 'complete' ? [text === 'cut' ? 'cut' : 'alert', 'cut', 'End'] : kindMark(kind));
export const reasonWords = (reason) => REASONS[reason] ?? String(reason ?? '').replaceAll('_', ' ');

/** The sentences: the server's, and where it sends none the one that it keeps. */
export const sentences = (run) => (run.story?.length > 0 ? run.story : [run.message].filter(Boolean));

const INSTANT = /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/;
const DECISION = /\bdec_[\w-]+/;

/**
 * A sentence in parts: words, instants (as they are said, with the instant itself), and ids of decisions.
 * @returns {{kind: 'words'|'instant'|'decision', text: string, at?: number}[]}
 */
export function storyParts(sentence, now) {
  const parts = [];
  let rest = sentence;
  for (;;) {
    const found = new RegExp(`${INSTANT.source}|${DECISION.source}`).exec(rest);
    if (!found) break;
    if (found.index > 0) parts.push({ kind: 'words', text: rest.slice(0, found.index) });
    const [text] = found;
    if (INSTANT.test(text)) parts.push({ kind: 'instant', text: sayInstant(Date.parse(text), now), at: Date.parse(text) });
    else parts.push({ kind: 'decision', text });
    rest = rest.slice(found.index + text.length);
  }
  if (rest) parts.push({ kind: 'words', text: rest });
  return parts;
}

/** "12:48:19 UTC", with the date where it is not today's. */
function sayInstant(at, now) {
  const [day, time] = new Date(at).toISOString().split('T');
  const clock = `${time.slice(0, time.slice(6, 8) === '00' ? 5 : 8)} UTC`;
  return day === new Date(now).toISOString().slice(0, 10) ? clock : `${clock} on ${day}`;
}

const STEPS = {
  pending: 'People were asked to agree', approved: 'They agreed', used: 'The approval was used', denied: 'Somebody denied it', expired: 'Nobody decided in time',
  cancelled: 'It was not needed any more', superseded: 'People were asked again: the policies had changed',
};

/** What an event says, as a sentence begins (names of tools stay as they are): money with its sign. */
export function eventWords({ kind, text }) {
  if (kind === 'end' && ENDS[text]) return ENDS[text];
  const said = String(text ?? '').replace(/\b(\d+(?:\.\d+)?) usd\b/g, '$$$1');
  const step = /^approval\.(\w+)/.exec(said);
  if (step) return STEPS[step[1]] ?? said;
  return /^[a-z]+[ ,:]/.test(said) ? said.charAt(0).toUpperCase() + said.slice(1) : said;
}

/** Charges that follow each other say little one by one. */
const GROUP_MIN = 3;

/** A charge of nothing (a tool that is free) stands in the table, and tells no story. */
function isNothing({ kind, data }) {
  if (kind !== 'charge' || data?.cost_usd === undefined) return false;
  const [row] = chargeRows({ charges: [data] });
  return row.cost === 0n && row.input + row.output === 0;
}

/** The timeline with three and more charges in a row as one event, which keeps them as `events`. */
export function groupCharges(timeline) {
  const out = [];
  for (const event of timeline) {
    if (isNothing(event)) continue;
    const last = out.at(-1);
    if (event.kind === 'charge' && last?.kind === 'charge') last.events.push(event);
    else out.push({ ...event, events: [event] });
  }
  return out.flatMap((one) => {
    if (one.events.length < GROUP_MIN) return one.events.map((event) => ({ ...event, events: [] }));
    const rows = chargeRows({ charges: one.events.map((event) => ({ ...event.data, at: event.at })) });
    const cost = rows.reduce((all, row) => all + row.cost, 0n);
    const tokens = rows.reduce((all, row) => all + row.input + row.output, 0);
    const text = `${rows.length} charges: ${formatMoney(cost, 6)} for ${formatCount(tokens)} tokens`;
    return [{ ...one, text, until: one.events.at(-1).at }];
  });
}

/** The window that ended it, as it stood then; null where no window did. */
export function cuttingWindow(run) {
  const { cut } = run;
  if (!cut?.scope || !cut.unit || cut.limit === undefined) return null;
  const scope = typeof cut.scope === 'string' ? cut.scope : `${cut.scope.kind}:${cut.scope.id}`;
  return windowOf({ ...cut, scope, window: cut.window ?? 'total' });
}

/** The windows of its path as they are now, that one first which ended it. */
export function pathWindows(run) {
  const cutting = cuttingWindow(run);
  const windows = (run.windows ?? []).map(windowOf).filter(Boolean);
  const key = cutting ? windowKey({ ...cutting.row, scope: cutting.text, window: cutting.period }) : '';
  return windows.map((window) => ({ ...window, isCutting: window.key === key })).sort((a, b) => Number(b.isCutting) - Number(a.isCutting));
}

const ROWS = { commit: 'charged', settle: 'settled', resolve: 'resolved', adjust: 'put right', suspense: 'in suspense', overrun: 'more than was held' };
const sum = (row, names) => names.reduce((all, name) => all + Number(row[name] ?? 0), 0);

/** Rows of the ledger as rows of a table. @returns {{at, kind, model, input, output, cost: bigint, isCharge, isEstimated}[]} */
export function chargeRows(run) {
  return (run.charges ?? []).map((row) => ({
    at: parseInstant(row.at), kind: ROWS[row.kind] ?? row.kind ?? '', model: String(row.model ?? '').replace(/^tool:/, ''), input: sum(row, ['input_fresh', 'input_cache_read', 'input_cache_write']),
    output: sum(row, ['output_visible', 'output_reasoning']), cost: parseMoney(row.cost_usd ?? '0') ?? 0n, isCharge: row.is_charge !== false, isEstimated: Boolean(row.estimated),
  }));
}

export function totalWords({ totals }) {
  if (!totals) return '';
  const cost = formatMoney(parseMoney(totals.cost_usd) ?? 0n, 6);
  return `${cost} for ${formatCount(totals.input_tokens ?? 0)} tokens in and ${formatCount(totals.output_tokens ?? 0)} out${totals.estimated ? ', in part estimated' : ''}`;
}

/** Decisions that the run's story leans on. */
export function decisionIds(run) {
  const ids = [run.cut?.decision_id, run.error?.decision_id, ...(run.timeline ?? []).map((one) => one.decision_id)];
  return [...new Set(ids.filter(Boolean))];
}

/** All of it as text, for a ticket. */
export function asText(run, now) {
  const lines = [`Run ${run.run_id}, ${runMark(run)[0].toLowerCase()}`, '', ...sentences(run), '', `Cost: ${totalWords(run)}`];
  const window = cuttingWindow(run);
  if (window) {
    const { cut } = run;
    const amount = (name) => (cut.unit === 'usd' ? `$${cut[name] ?? '0'}` : formatCount(parseAmount(cut[name] ?? '0', cut.unit) ?? 0n));
    lines.push(`Window: ${scopeText(cut.scope)}, ${cut.unit} a ${window.period}: ${amount('used')} used of ${amount('limit')}${cut.resets_at ? `, begins anew ${formatReset(cut.resets_at, now)}` : ''}`);
  }
  for (const one of run.timeline ?? []) lines.push(`${new Date(one.at).toISOString()} ${kindMark(one.kind)[2]}: ${eventWords(one)}${one.decision_id ? ` (decision ${one.decision_id})` : ''}`);
  return lines.join('\n');
}

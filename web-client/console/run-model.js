/** The story of a run, as a support person reads it aloud, and what proves it. Pure. */
import { formatCount, formatMoney, parseMoney } from '../shared/money.js';
import { formatReset } from '../shared/time.js';
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

/** @returns {[string, string, string]} word, icon, tone. */
export const runMark = ({ state }) => STATES[state] ?? [String(state), 'help', 'muted'];
export const kindMark = (kind) => KINDS[kind] ?? ['skip', 'muted', String(kind)];
export const reasonWords = (reason) => REASONS[reason] ?? String(reason ?? '').replaceAll('_', ' ');

/** The sentences: the server's, and where it sends none the one that it keeps. */
export const sentences = (run) => (run.story?.length > 0 ? run.story : [run.message].filter(Boolean));

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

/** What it was charged, as rows of a table; what a lease reserves is no charge. */
export function chargeRows(run) {
  return (run.charges ?? []).map((row) => {
    const usage = row.usage ?? row;
    return {
      at: row.at ?? null, kind: row.kind ?? '', model: row.model ?? '', input: usage.input_tokens ?? usage.input ?? 0, output: usage.output_tokens ?? usage.output ?? 0,
      cost: parseMoney(row.cost_usd ?? row.cost ?? '0') ?? 0n, id: row.id ?? row.seq ?? '', tool: row.tool ?? '', isEstimated: Boolean(row.estimated),
    };
  });
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
  for (const one of run.timeline ?? []) lines.push(`${new Date(one.at).toISOString()} ${kindMark(one.kind)[2]}: ${one.text}${one.decision_id ? ` (decision ${one.decision_id})` : ''}`);
  return lines.join('\n');
}

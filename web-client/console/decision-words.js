/** What is said of a decision, and which of them a filter lets through. Pure. */
import { formatClock, parseInstant } from '../shared/time.js';
import { elapsed, identify } from '../shared/values.js';
import { inScope } from './address.js';
import { argumentsOf } from './approvals-model.js';

/** Kinds of decisions → word in a list, and what is decided. */
export const KINDS = {
  call: ['Calls', 'a call of a tool'], admission: ['Admissions', 'whether a run may begin'], approval: ['Approvals', 'an agreement of a person'],
  cut: ['Cuts', 'the end of a run at its cap'], kill: ['Kills', 'the end of a run by a person'], change: ['Changes', 'a change by a person'],
  refusal: ['Refusals', 'a request that was refused'],
};
export const RANGES = { hour: ['Last hour', 3_600_000], day: ['Last day', 86_400_000], week: ['Last week', 604_800_000] };

/** @returns {[string, string, string]} word, icon, tone. */
export function decisionMark({ decision }) {
  if (decision === 'allow') return ['Allowed', 'check', 'done'];
  if (decision === 'deny') return ['Denied', 'deny', 'cut'];
  return decision === 'approval' ? ['Needs approval', 'person', 'waiting'] : [String(decision ?? 'Decided'), 'help', 'muted'];
}

/** The filters of the address as the API takes them. */
export function decisionQuery(filters, now) {
  const { range, id, ...query } = filters;
  if (RANGES[range]) query.since = now - RANGES[range][1];
  for (const name of ['since', 'until']) if (query[name] !== undefined) query[name] = parseInstant(query[name]) ?? undefined;
  return query;
}

/** Whether a row passes them: what is pushed is not filtered by the server. */
export function passes(row, filters, now) {
  const query = decisionQuery(filters, now);
  return inScope(row, query) && ['decision', 'kind', 'tool', 'rule', 'run'].every((name) => !query[name] || row[name] === query[name])
    && (query.since === undefined || row.at >= query.since) && (query.until === undefined || row.at <= query.until);
}

/** What it is about, short: the thing among the arguments, else the subject. */
export const about = (row) => identify(argumentsOf(row)) || row.subject || '';

/** "Succeeded in 84 ms"; '' where nothing was done. */
export function outcomeWords({ outcome, decision }) {
  if (!outcome) return decision === 'allow' ? 'No result yet' : '';
  const word = { succeeded: 'Succeeded', failed: 'Failed', denied: 'Not done', skipped: 'Not done', unknown: 'Not known', timeout: 'Took too long' }[outcome.status]
    ?? capital(outcome.status);
  const took = Number.isFinite(outcome.elapsed_ms) ? elapsed(outcome.elapsed_ms) : '';
  return took ? `${word} in ${took}` : word;
}

const capital = (text) => `${String(text ?? '').slice(0, 1).toUpperCase()}${String(text ?? '').slice(1).replaceAll('_', ' ')}`;

/** The story of a decision, in sentences that can be read aloud. @returns {string[]} */
export function story(row) {
  const out = [`${opening(row)}.`, verdict(row)];
  if (row.kind === undefined || row.kind === 'call') out.push(ending(row));
  const shadow = row.details?.shadow;
  if (shadow) out.push(`Policies that are only being tried would ${SHADOW[shadow.decision] ?? `say ${shadow.decision}`} it, by ${ruleName(shadow.rule)}.`);
  return out.filter(Boolean);
}

const SHADOW = { allow: 'allow', deny: 'deny', approval: 'ask people about' };
const WHO = { model: 'the model', code: 'code that the model wrote', human: 'a person', client: 'the client' };

function opening(row) {
  const when = `At ${formatClock(row.at, true)}`;
  const forWhom = `${row.user ?? 'a key without a user'} of ${row.org}/${row.project}`;
  const what = about(row);
  if (row.kind !== undefined && row.kind !== 'call') {
    const kind = KINDS[row.kind]?.[1] ?? row.kind;
    return `${when} ${kind} was decided for ${forWhom}${row.subject ? `: ${row.subject}` : what ? `: ${row.tool || ''} ${what}`.replace(/\s+/g, ' ') : ''}`;
  }
  return `${when} ${WHO[row.source] ?? row.source ?? 'somebody'} asked, for ${forWhom}, to call ${row.tool}${what ? ` for ${what}` : ''}`;
}

function verdict(row) {
  const by = row.rule ? ` by ${ruleName(row.rule)}` : '';
  if (row.decision === 'deny') {
    const code = row.code && !['denied', 'policy_denied'].includes(row.code) ? ` (${row.code})` : '';
    return `It was denied${by}${code}${row.message ? `: “${row.message}”` : '.'}`;
  }
  if (row.approval) return `It was allowed${by}, after people had agreed.`;
  return `It was allowed${by}.`;
}

function ending({ decision, outcome }) {
  if (!outcome) return decision === 'deny' ? 'Nothing was done.' : 'What became of it is not known yet.';
  const took = Number.isFinite(outcome.elapsed_ms) ? ` after ${elapsed(outcome.elapsed_ms)}` : '';
  if (outcome.status === 'succeeded') return `It succeeded${took}${outcome.bytes > 0 ? ` and answered ${outcome.bytes} bytes` : ''}.`;
  return `${outcomeWords({ outcome: { status: outcome.status } })}${took}${outcome.code ? ` (${outcome.code})` : ''}.`;
}

/** "the rule refund-small"; the names that the server gives what no rule decides are said in words. */
const BUILT_IN = { 'policy.default': 'default: no rule allows it', 'no-cross-tenant': 'the boundary between tenants' };
const ruleName = (rule) => BUILT_IN[rule] ?? `the rule ${rule}`;

/** @returns {[string, string, string]} word, icon, tone of a rule that was considered. */
export function ruleMark({ outcome, effect }) {
  switch (outcome) {
    case 'satisfied': return effect === 'forbid' ? ['Forbids', 'deny', 'cut'] : ['Permits', 'check', 'done'];
    case 'not_satisfied': return ['Does not apply', 'skip', 'muted'];
    case 'error': return ['Had an error', 'alert', 'warning'];
    default: return ['About other calls', 'skip', 'muted'];
  }
}

/** Rules in the order in which they explain: what decided, what else holds, what failed at a clause, what had an error, what is about other calls. */
export function sortRules(rules, deciding = []) {
  const rank = (rule) => (deciding.includes(rule.id) ? 0 : { satisfied: 1, not_satisfied: 2, error: 3 }[rule.outcome] ?? 4);
  return rules.map((rule, index) => ({ rule, index })).sort((a, b) => rank(a.rule) - rank(b.rule) || a.index - b.index).map(({ rule }) => rule);
}

/** A clause may come as its text, or as an object that holds it. */
export const clauseText = (clause) => (clause && typeof clause === 'object' ? clause.text ?? clause.source ?? JSON.stringify(clause) : clause ?? '');

/** Parts of a limit's bar: what was used before, and what this call takes; amounts are decimals as text. */
export function limitShares({ used, amount, max }) {
  const [usedNumber, amountNumber, maxNumber] = [used, amount, max].map((value) => Number(value ?? 0));
  if (!(maxNumber > 0)) return { used: 1, amount: 0, isOver: true };
  const share = (value) => Math.max(0, Math.min(1, value / maxNumber));
  const usedShare = share(usedNumber);
  return { used: usedShare, amount: Math.min(1 - usedShare, share(amountNumber)), isOver: usedNumber + amountNumber > maxNumber };
}

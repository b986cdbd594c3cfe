/** What is said of a decision, and which of them a filter lets through. Pure. */
import { formatClock, parseInstant } from '../shared/time.js';
import { elapsed } from '../shared/values.js';
import { inScope } from './address.js';
import { askedBy, thing } from './approvals-model.js';

/** Kinds of decisions → word in a list, and what is decided. */
export const KINDS = {
  call: ['Calls', 'a call of a tool'], admission: ['Admissions', 'whether a run may begin'], approval: ['Approvals', 'a step of an approval'],
  cut: ['Cuts', 'the end of a run from outside'], kill: ['Switches', 'a switch of a tool'], change: ['Changes', 'a change by an administrator'],
  refusal: ['Refusals', 'a request that was refused'],
};
export const RANGES = { hour: ['Last hour', 3_600_000], day: ['Last day', 86_400_000], week: ['Last week', 604_800_000] };

/** Steps of an approval → what is said of them: nothing was allowed or denied by asking. */
const STEPS = {
  'approval.pending': ['Asked', 'person', 'waiting'], 'approval.approved': ['Approved', 'check', 'done'], 'approval.used': ['Used', 'check', 'done'],
  'approval.denied': ['Denied', 'deny', 'cut'], 'approval.expired': ['Expired', 'clock', 'muted'], 'approval.cancelled': ['Not needed', 'skip', 'muted'],
  'approval.superseded': ['Asked again', 'skip', 'muted'],
};

/** @returns {[string, string, string]} word, icon, tone. */
export function decisionMark({ decision, kind, tool, details }) {
  if (kind === 'approval' && STEPS[tool]) return tool === 'approval.pending' && details?.agreed > 0 ? ['Agreed', 'person', 'waiting'] : STEPS[tool];
  if (kind === 'change' && decision === 'allow') return ['Changed', 'check', 'muted'];
  if (kind === 'kill' && decision === 'allow') return ['Switched', 'check', 'muted'];
  if (kind === 'cut') return ['Ended', 'cut', 'cut'];
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

/** What it is about, short: the thing that the log names, else the one among the arguments; of a change what was recorded. */
export const about = (row) => thing(row) || (['change', 'kill'].includes(row.kind) ? changed(row.details ?? {}) : '');

/** "org:acme · 5.00 usd a day", "key_9 · web/ana", "mail.send · off". */
function changed({ scope, target, key, tool, disabled, version, level, limit, unit, window, model, org, project, user }) {
  const who = [project, user].filter(Boolean).join('/');
  if (scope) return [scope, model, limit !== undefined && `${limit} ${unit}${window === 'total' ? '' : ` a ${window}`}`].filter(Boolean).join(' · ');
  if (tool) return [tool, disabled !== undefined && (disabled ? 'off' : 'on')].filter(Boolean).join(' · ');
  return key ? [key, who].filter(Boolean).join(' · ') : target ?? version ?? level ?? (who || org) ?? '';
}

/** Who did it: the user that it was done for, else what the log says of the author of a change. */
export const doneBy = (row) => row.user || row.details?.by || '';

const ENDS = { ok: 'Succeeded', error: 'Failed', cancelled: 'Stopped', timeout: 'Took too long', unknown: 'End not known' };
const endWord = (status) => ENDS[status] ?? capital(status);
export const isGood = (outcome) => outcome?.status === 'ok';

/** "Succeeded in 84 ms"; '' where nothing was done. */
export function outcomeWords({ outcome, decision, kind }) {
  if (kind !== undefined && kind !== 'call') return '';
  if (!outcome) return decision === 'allow' ? 'No result yet' : '';
  const took = outcome.elapsed_ms > 0 && outcome.status !== 'unknown' ? elapsed(outcome.elapsed_ms) : '';
  return took ? `${endWord(outcome.status)} in ${took}` : endWord(outcome.status);
}

const capital = (text) => `${String(text ?? '').slice(0, 1).toUpperCase()}${String(text ?? '').slice(1).replaceAll('_', ' ')}`;

/** The story of a decision, in sentences that can be read aloud. @returns {string[]} */
export function story(row) {
  const out = [`${opening(row)}.`, verdict(row)];
  out.push(...voices(row));
  if (isCall(row)) out.push(ending(row));
  const shadow = row.details?.shadow;
  if (shadow) out.push(`Policies that are only being tried would ${SHADOW[shadow.decision] ?? `say ${shadow.decision}`} it, by ${ruleName(shadow.rule)}.`);
  return out.filter(Boolean);
}

const SHADOW = { allow: 'allow', deny: 'deny', approval: 'ask people about' };
const WHO = { model: 'the model', code: 'code that the model wrote', caller: 'the caller', operator: 'an operator', server: 'the server' };

const isCall = (row) => row.kind === undefined || row.kind === 'call';

/** What is of the organisation alone has the project "-". */
const place = ({ org, project }) => (project && project !== '-' ? `${org}/${project}` : org);

function opening(row) {
  const when = `At ${formatClock(row.at, true)}`;
  const forWhom = `${askedBy(row)} of ${place(row)}`;
  const what = about(row);
  if (!isCall(row)) return `${when}, ${KINDS[row.kind]?.[1] ?? row.kind}: ${[row.tool, what].filter(Boolean).join(', ') || 'no more is said'}. ${row.user ? `It concerns ${forWhom}` : `It concerns ${place(row)}`}`;
  return `${when} ${WHO[row.source] ?? row.source ?? 'somebody'} asked, for ${forWhom}, to call ${row.tool}${what ? ` for ${what}` : ''}`;
}

function verdict(row) {
  const by = row.rule ? ` by ${ruleName(row.rule)}` : '';
  if (row.kind === 'approval') return row.rule ? `The call was held by ${ruleName(row.rule)}.` : '';
  if (row.decision === 'deny') {
    const code = row.code && !['denied', 'policy_denied'].includes(row.code) ? ` (${row.code})` : '';
    return `It was ${row.kind === 'cut' ? 'ended' : 'denied'}${by}${code}${row.message ? `: “${row.message}”` : '.'}`;
  }
  if (!isCall(row) && row.kind !== 'admission') return row.message ?? '';
  if (row.approval) return `It was allowed${by}, after people had agreed.`;
  return `It was allowed${by}.`;
}

/** Who said what about an approval, from the record of its step. */
function voices(row) {
  const votes = row.kind === 'approval' ? row.details?.votes ?? [] : [];
  return votes.map((vote) => `${vote.by || 'Somebody'} ${vote.decision === 'deny' ? 'denied' : 'agreed'}${vote.reason ? `: “${vote.reason}”` : '.'}`);
}

function ending({ decision, outcome }) {
  if (!outcome) return decision === 'deny' ? 'Nothing was done.' : 'What became of it is not known yet.';
  const took = outcome.elapsed_ms > 0 && outcome.status !== 'unknown' ? ` after ${elapsed(outcome.elapsed_ms)}` : '';
  if (isGood(outcome)) return `It succeeded${took}${outcome.bytes > 0 ? ` and answered ${outcome.bytes} bytes` : ''}.`;
  return `${endWord(outcome.status)}${took}${outcome.code ? ` (${outcome.code})` : ''}.`;
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

/**
 * Parts of a limit's bar: what was used before, and what this call takes; amounts are decimals as text.
 * @param {boolean} isDenied a call that found no room was not counted, any other is in `used` already.
 */
export function limitShares({ used, amount, max }, isDenied) {
  const [usedNumber, amountNumber, maxNumber] = [used, amount ?? 1, max].map((value) => Number(value ?? 0));
  if (!(maxNumber > 0)) return { used: 1, amount: 0, isOver: true };
  const share = (value) => Math.max(0, Math.min(1, value / maxNumber));
  const before = share(isDenied || used === undefined ? usedNumber : usedNumber - amountNumber);
  return { used: before, amount: Math.min(1 - before, share(amountNumber)), isOver: isDenied && usedNumber + amountNumber > maxNumber };
}

/** "150.00 of 200.00 used, 35.00 by this call" */
export function limitWords(limit, isDenied) {
  const amount = limit.amount ?? 1;
  if (limit.used === undefined) return `This call counts ${amount}, of at most ${limit.max}.`;
  return isDenied ? `${limit.used} of ${limit.max} were used: no room for ${amount} more.` : `${limit.used} of ${limit.max} used, ${amount} by this call.`;
}

/** What the page of approvals knows, without drawing it. Pure. */
import { agreement, approverWords, isPending } from '../shared/approvals.js';
import { parseInstant } from '../shared/time.js';
import { identify } from '../shared/values.js';
import { inScope } from './address.js';

/**
 * @param {object[]} rows approvals
 * @returns {{waiting: object[], over: object[]}} by time left, and by when they ended, the newest first.
 */
export function sortApprovals(rows, filters = {}) {
  const mine = rows.filter((row) => inScope(row, filters));
  const until = (row) => parseInstant(row.expires_at) ?? Infinity;
  return {
    waiting: mine.filter(isPending).sort((a, b) => until(a) - until(b) || String(a.id).localeCompare(String(b.id))),
    over: mine.filter((row) => !isPending(row)).sort((a, b) => endedAt(b) - endedAt(a)),
  };
}

/** When it ended, as far as it is told: its last vote, else when its time was over. */
export function endedAt(approval) {
  const votes = (approval.votes ?? []).map((vote) => parseInstant(vote.at) ?? 0);
  if (['approved', 'denied'].includes(approval.state) && votes.length > 0) return Math.max(...votes);
  return parseInstant(approval.ended_at) ?? parseInstant(approval.expires_at) ?? 0;
}

/** @returns {{waiting: number, mine: number}} how many wait, and how many of them for this person. */
export function countApprovals(rows) {
  const waiting = rows.filter(isPending);
  return { waiting: waiting.length, mine: waiting.filter((row) => row.may_decide).length };
}

/** "(2) Approvals · KDCube": the number is of those that wait for this person, or of all where none does. */
export function pageTitle(name, { waiting, mine }) {
  const count = mine > 0 ? mine : waiting;
  return `${count > 0 ? `(${count}) ` : ''}${name} · KDCube`;
}

/**
 * What this person can do about it.
 * @param {{org: string, project: string, user: string|null}} me
 * @returns {{canDecide: boolean, text: string}}
 */
export function standing(approval, me) {
  if (!isPending(approval)) return { canDecide: false, text: '' };
  const isOwn = ['user', 'project', 'org'].every((name) => (approval[name] ?? '') === (me[name] ?? ''));
  if (isOwn && (me.user || !approval.may_decide)) return { canDecide: false, text: 'You asked for this; somebody else has to agree.' };
  const vote = me.user ? (approval.votes ?? []).find((one) => one.by === me.user) : null;
  if (vote) {
    const { needed, count } = agreement(approval);
    const more = needed - count;
    return { canDecide: false, text: more > 0 ? `You have agreed. ${more === 1 ? 'One more person has' : `${more} more people have`} to.` : 'You have agreed.' };
  }
  if (!approval.may_decide) return { canDecide: false, text: `Only ${approverWords(approval.from)} can decide this.` };
  return { canDecide: true, text: '' };
}

/** What a refusal means for the person who decided, by its code. */
const REFUSALS = {
  own_call: 'You asked for this; somebody else has to agree.',
  not_an_approver: 'Your key is none of those who may decide this.',
  already_decided: 'You have decided this already.',
  approval_expired: 'Its time was over before your decision came. Nothing was done.',
  approval_over: 'It has been decided already.',
  reason_required: 'Say why: whoever asked reads it, and so does the model.',
  same_credential: 'The key that asked cannot agree. Use one of your own.',
};

export const refusalWords = (error) => REFUSALS[error.code] ?? error.message;

/** Which thing a call is about: as the catalog says it, else the argument that looks like it. */
export const thing = ({ subject, args, arguments: text }) => subject || identify(args ?? argumentsOf({ arguments: text }));

/** Earlier decisions about the same thing: the same tool, and the same thing. */
export function sameThing(approval, decisions) {
  const wanted = thing(approval);
  if (wanted === '') return [];
  // A call's id is unique in its run alone.
  const isThisCall = (one) => one.run === approval.run && one.call_id === approval.call_id;
  return decisions.filter((one) => one.tool === approval.tool && !isThisCall(one) && thing(one) === wanted);
}

/** "group finance" for what a vote was given as. */
export const standingWords = (vote) => [vote.as ?? []].flat().map((word) => String(word).replace(':', ' ')).join(', ');

/** Who asked; a key without a user has no name. */
export const askedBy = (row) => row.user || 'a key without a user';

/** The arguments of a decision are kept as the text of their JSON. */
export function argumentsOf(decision) {
  const given = decision?.arguments;
  if (typeof given !== 'string') return given ?? undefined;
  try {
    return JSON.parse(given);
  } catch {
    return { arguments: given };
  }
}

/** "3 earlier decisions on C-1042: 2 allowed, 1 denied". */
export function earlierWords(found, what) {
  if (found.length === 0) return `No earlier decision on ${what} among the newest.`;
  const allowed = found.filter((one) => one.decision === 'allow').length;
  const parts = [allowed > 0 && `${allowed} allowed`, found.length > allowed && `${found.length - allowed} denied`].filter(Boolean);
  return `${found.length} earlier ${found.length === 1 ? 'decision' : 'decisions'} on ${what}: ${parts.join(', ')}`;
}

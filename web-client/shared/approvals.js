/** Approvals in words, for the chat's card and for the console. Pure: the caller gives the clock. */
import { formatDuration, parseInstant } from './time.js';

/** State → what is said of it, icon, tone. */
const ENDS = {
  approved: ['Approved', 'check', 'done'], denied: ['Denied', 'deny', 'cut'], expired: ['Nobody decided in time', 'clock', 'muted'],
  cancelled: ['Not needed any more', 'skip', 'muted'], superseded: ['Asked again: the policies have changed', 'skip', 'muted'],
};

export const isPending = (approval) => ['pending', 'waiting', undefined, null].includes(approval.state);

/** @returns {[string, string, string]} word, icon, tone of an approval that is over. */
export const endOf = (state) => ENDS[state] ?? [String(state), 'skip', 'muted'];

/**
 * Whose agreement is needed: each list is of one rule, somebody of every list has to agree.
 * @param {string|string[]|string[][]} from "group:finance user:anna" in an event, lists of such words in the API.
 * @returns {string[][]}
 */
export function approverLists(from) {
  if (Array.isArray(from)) {
    const lists = from.map((one) => (Array.isArray(one) ? one.map(String) : String(one)));
    return lists.every((one) => typeof one === 'string') ? (lists.length > 0 ? [lists] : []) : lists.map((one) => [one].flat());
  }
  const words = String(from ?? '').split(/[\s,]+/).filter(Boolean);
  return words.length > 0 ? [words] : [];
}

/** "group finance" for "group:finance", "anna" for "user:anna". */
function approverName(word) {
  const at = word.indexOf(':');
  const [kind, name] = at < 0 ? ['', word] : [word.slice(0, at), word.slice(at + 1)];
  return kind === 'user' || kind === '' ? name : `${kind} ${name}`;
}

/** "group finance or anna, who must also be of group legal" reads badly; two lists are joined by "and also". */
export function approverWords(from) {
  const lists = approverLists(from).map((words) => alternatives(words.map(approverName)));
  return lists.length > 0 ? lists.join(', and also ') : 'an approver';
}

const alternatives = (names) => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`);

/** Whether one of the roles, or the user, is in every list; the server has the last word. */
export function isAmongApprovers(from, { roles = [], user = '' }) {
  const mine = new Set([...roles, ...roles.map((role) => `group:${role}`), ...(user ? [`user:${user}`] : [])]);
  const lists = approverLists(from);
  return lists.length > 0 && lists.every((words) => words.some((word) => mine.has(word)));
}

/** How far the agreement is. `agreed` is a number; the names are those of the votes, where they are told. */
export function agreement({ quorum, agreed, votes = [] }) {
  const names = votes.filter((vote) => vote.decision === 'approve').map((vote) => vote.by);
  const count = Number.isFinite(agreed) ? agreed : Array.isArray(agreed) ? agreed.length : names.length;
  return { needed: Math.max(1, Number(quorum) || 1), count, names };
}

/** "1 of 2 agreed: anna"; '' where one person is enough and nobody has. */
export function agreementWords(approval) {
  const { needed, count, names } = agreement(approval);
  if (needed === 1 && count === 0) return '';
  return `${count} of ${needed} agreed${names.length > 0 ? `: ${names.join(', ')}` : ''}`;
}

/** "needs one of group finance", "needs 2 people of group finance". */
export function demandWords({ from, quorum }) {
  return quorum > 1 ? `${quorum} people of ${approverWords(from)}` : approverWords(from);
}

/** @returns {number|null} milliseconds left, negative when its time is over. */
export function timeLeft(approval, now) {
  const until = parseInstant(approval.expires_at);
  return until === null ? null : until - now;
}

/** "4 min 12 s left"; the page's clock may run ahead, so the end is the server's to say. */
export function leftWords(approval, now) {
  const left = timeLeft(approval, now);
  if (left === null || !isPending(approval)) return '';
  return left > 0 ? `${formatDuration(left)} left` : 'Time is over';
}

/** What the page of the audit chain knows, without drawing it. Pure. */
import { formatCount } from '../shared/money.js';

/** State of a range → word, icon, tone, what it means. */
export const STATES = {
  anchored: ['Anchored', 'check', 'done', 'Signed, and the signature stands in a file outside of the database as well: neither the database nor the server alone can change it unseen.'],
  signed: ['Signed', 'key', 'running', 'Signed with the server’s key; the checkpoint is not yet in the file outside.'],
  open: ['Open', 'clock', 'muted', 'Chained to what was before, and signed by the next checkpoint. Until then its end could be cut off unseen.'],
};

/**
 * The bar: each range with its part of the whole. What is there is seen, however small.
 * @param {{from: number, to: number, state: string}[]} ranges
 * @returns {{state: string, from: number, to: number, count: number, part: number}[]} parts add up to 1.
 */
export function barOf(ranges = []) {
  const LEAST = 0.012;
  const rows = ranges.map(({ from, to, state }) => ({ state, from, to, count: Math.max(0, to - from + 1) })).filter((row) => row.count > 0);
  const total = rows.reduce((sum, row) => sum + row.count, 0);
  const raised = rows.map((row) => ({ ...row, part: Math.max(LEAST, row.count / total) }));
  const sum = raised.reduce((all, row) => all + row.part, 0);
  return raised.map((row) => ({ ...row, part: row.part / sum }));
}

/** How many records are in each state. */
export function countsOf(ranges) {
  const counts = { anchored: 0, signed: 0, open: 0 };
  for (const { state, count } of barOf(ranges)) counts[state] = (counts[state] ?? 0) + count;
  return counts;
}

/** "1 to 17,400" */
export const rangeWords = ({ from, to }) => (from === to ? `record ${formatCount(from)}` : `records ${formatCount(from)} to ${formatCount(to)}`);

/**
 * What a verification has found, for people.
 * @param {{ok: boolean, orgs?: object[], damage?: string|null, unreadable_lines?: number}} result as `kdcube audit verify --json` says it.
 * @returns {{tone: string, icon: string, title: string, lines: string[]}}
 */
export function verdictOf(result) {
  const lines = [];
  const orgs = result.orgs ?? [];
  const faults = orgs.filter((one) => one.fault);
  for (const { org, fault, records } of faults) {
    lines.push(`${org}: the first bad record is ${formatCount(fault.seq)}: ${fault.message || fault.reason}.`.replace(/\.\.$/, '.'));
    lines.push(`The ${formatCount(records)} records before it are as they were written.`);
  }
  for (const one of orgs.filter((row) => !row.fault)) {
    const anchored = one.anchored_to === null || one.anchored_to === undefined ? 'there is no file of checkpoints outside' : `anchored up to ${formatCount(one.anchored_to)}`;
    lines.push(`${one.org}: ${formatCount(one.records)} records are as they were written${one.unchained > 0 ? `, ${formatCount(one.unchained)} from before the chain` : ''}; signed up to ${formatCount(one.signed_to)}, ${anchored}.`);
    if (one.unanchored > 0) lines.push(`${formatCount(one.unanchored)} at the end could be cut off unseen.`);
  }
  if (result.damage) lines.push(`The database file is damaged: ${result.damage}.`);
  if (result.unreadable_lines > 0) lines.push(`${formatCount(result.unreadable_lines)} lines of the file of checkpoints are none.`);
  if (orgs.length === 0 && lines.length === 0) lines.push('There is nothing to verify yet.');
  return result.ok ? { tone: 'done', icon: 'check', title: 'The chain is whole', lines } : { tone: 'cut', icon: 'deny', title: 'The chain is broken', lines };
}

/** The text that one reads out to compare a key: in groups of four. */
export const fingerprint = (text) => String(text ?? '').replace(/(.{4})(?=.)/g, '$1 ');

/** "audit-acme-2026-11-28.jsonl" */
export function exportName(org, { from, to }, now) {
  const day = new Date(now).toISOString().slice(0, 10);
  const place = String(org ?? 'all').replace(/[^\w.-]+/g, '_');
  const span = from || to ? `${from ?? 'begin'}-to-${to ?? day}` : day;
  return `audit-${place}-${span}.jsonl`;
}

/** The days of the form as the API takes them: the second day is within. @returns {{from?: number, to?: number}} */
export function exportQuery({ from, to }) {
  const day = (text) => (/^\d{4}-\d{2}-\d{2}$/.test(text ?? '') ? Date.parse(`${text}T00:00:00Z`) : NaN);
  const query = {};
  if (!Number.isNaN(day(from))) query.from = day(from);
  if (!Number.isNaN(day(to))) query.to = day(to) + 86_400_000;
  return query;
}

/** What the page of the system knows, without drawing it. Pure. */
import { formatCount } from '../shared/money.js';
import { formatAbout, formatDuration, parseInstant } from '../shared/time.js';

/** A server writes a row at least every five seconds; three missed ones are silence. */
const SILENT_MS = 15_000;
/** A call that failed this recently is worth a look. */
const RECENT_MS = 3_600_000;
/** Slower than this a store holds every admission up. */
const SLOW_MS = 50;

export const LEVELS = ['trace', 'debug', 'info', 'notice', 'warning', 'error', 'critical'];
const STORES = { database: 'Database', postgres: 'PostgreSQL', redis: 'Redis', counters: 'Counters' };
export const storeName = (name) => STORES[name] ?? name;

/** @returns {[string, string, string]} word, icon, tone of a server. */
export function nodeMark(node, now) {
  const at = parseInstant(node.at);
  if (at !== null && now - at > SILENT_MS) return [`Silent for ${formatDuration(now - at)}`, 'alert', 'cut'];
  if (node.draining) return [node.runs > 0 ? 'Draining' : 'Drained', 'stop', 'warning'];
  return ['Takes runs', 'check', 'done'];
}

export function storeMark({ ok, latency_ms: latency }) {
  if (!ok) return ['Fault', 'deny', 'cut'];
  return latency > SLOW_MS ? ['Slow', 'alert', 'warning'] : ['Well', 'check', 'done'];
}

/** "0.4 ms", "12 ms", "1.2 s" */
export function latencyWords(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 0.1) return '< 0.1 ms';
  if (ms < 10) return `${Number(ms).toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export const uptimeWords = (since, now) => (parseInstant(since) === null ? '–' : formatDuration(Math.max(1000, now - parseInstant(since))));

/** "0.2 %" of calls; nothing where none was made, null where the caller is not told. */
export function failureWords({ calls = 0, failures = 0 }) {
  if (failures === null) return null;
  if (failures === 0) return calls === 0 ? 'not called yet' : 'none';
  return `${formatCount(failures)} (${((failures / Math.max(1, calls)) * 100).toFixed(1)} %)`;
}

export const isRecent = (at, now) => parseInstant(at) !== null && now - parseInstant(at) < RECENT_MS;

/**
 * What somebody should look at, the worst first.
 * @returns {{tone: 'cut'|'warning', text: string}[]}
 */
export function problemsOf(health, now) {
  const cut = [];
  const warning = [];
  const nodes = health.nodes ?? [];
  for (const store of health.stores ?? []) {
    const [word, , tone] = storeMark(store);
    if (tone === 'cut') cut.push(`${storeName(store.name)}: ${store.detail || 'it does not answer'}`);
    else if (tone === 'warning') warning.push(`${storeName(store.name)} is ${word.toLowerCase()}: ${latencyWords(store.latency_ms)}`);
  }
  for (const node of nodes) {
    const [word, , tone] = nodeMark(node, now);
    if (tone !== 'done') (tone === 'cut' ? cut : warning).push(`${node.node}: ${word.toLowerCase()}`);
  }
  const versions = new Set(nodes.map((node) => node.version).filter(Boolean));
  if (versions.size > 1) warning.push(`The servers run different versions: ${[...versions].sort().join(', ')}`);
  for (const upstream of health.upstreams ?? []) if (isRecent(upstream.last_failure_at, now)) warning.push(`${upstream.model}: a call failed ${formatAbout(now - parseInstant(upstream.last_failure_at))} ago`);
  const { level, minimum } = health.isolation ?? {};
  if (minimum === 'full' && level && level !== 'full') warning.push(`Code does not run: full isolation is demanded, ${level === 'none' ? 'none' : level} is there`);
  return [...cut.map((text) => ({ tone: 'cut', text })), ...warning.map((text) => ({ tone: 'warning', text }))];
}

/** The state of all in one line. @returns {[string, string, string]} word, icon, tone. */
export function healthMark(problems) {
  if (problems.length === 0) return ['All is well', 'check', 'done'];
  const faults = problems.filter((problem) => problem.tone === 'cut').length;
  return faults > 0 ? [faults === 1 ? 'One fault' : `${faults} faults`, 'deny', 'cut'] : [problems.length === 1 ? 'One thing to look at' : `${problems.length} things to look at`, 'alert', 'warning'];
}

/** "2 charges wait in the outbox", for those on their way into the ledger; null where the caller is not told. */
export function outboxWords({ outbox_rows: rows = 0, settlements_pending: pending = 0 }) {
  if (rows === null) return null;
  const parts = [];
  if (rows > 0) parts.push(`${formatCount(rows)} ${rows === 1 ? 'charge waits' : 'charges wait'} in the outbox`);
  if (pending > 0) parts.push(`${formatCount(pending)} ${pending === 1 ? 'settlement waits' : 'settlements wait'}`);
  return parts.length > 0 ? `${parts.join(', ')} for the ledger` : 'Empty: every charge is in the ledger';
}

/** Keys, and who is who: what their rows say. Pure. */
import { formatDuration, parseInstant } from '../shared/time.js';
import { limitProblem } from './budget-model.js';

const DAY = 86_400_000;

export const STATES = { '': 'All', active: 'Active', blocked: 'Blocked', expired: 'Expired', revoked: 'Revoked' };
const MARKS = { active: ['Active', 'check', 'done'], blocked: ['Blocked', 'stop', 'warning'], expired: ['Expired', 'clock', 'muted'], revoked: ['Revoked', 'deny', 'cut'] };
/** Choices of how long a key is good → days; '' is for ever, `date` asks for one. */
export const LIVES = { '': 'For ever', 1: 'For a day', 30: 'For 30 days', 90: 'For 90 days', 365: 'For a year', date: 'Until a date' };
export const GRACES = { 0: 'At once', 3600: 'In an hour', 86400: 'In a day', 604800: 'In a week' };

/** @returns {[string, string, string]} word, icon, tone. */
export const keyMark = ({ state }) => MARKS[state] ?? [String(state), 'help', 'muted'];

/** What it is called: its alias, else its id. */
export const keyName = ({ alias, id }) => alias || id;

export const whoWords = ({ org, project, user, kind }, withOrg = false) => `${withOrg ? `${org}/` : ''}${project} · ${user ?? (kind === 'service_account' ? 'service account' : 'no user')}`;

export const usedWords = ({ last_used_at: at }, now) => {
  const used = parseInstant(at);
  if (used === null) return 'never used';
  return now - used < 90_000 ? 'used just now' : `used ${formatDuration(now - used).replace(/ \d+ (s|min|h)$/, '')} ago`;
};

/** "good for ever", "good for 20 d"; what ended says when. */
export function lifeWords({ expires_at: expires, revoked_at: revoked, state }, now) {
  const short = (ms) => formatDuration(ms).replace(/ \d+ (s|min|h)$/, '');
  if (state === 'revoked') return parseInstant(revoked) === null ? '' : `since ${short(now - parseInstant(revoked))}`;
  const until = parseInstant(expires);
  if (until === null) return 'good for ever';
  return until > now ? `good for ${short(until - now)}` : `since ${short(now - until)}`;
}

/** Soon over: somebody should rotate it. */
export const endsSoon = ({ expires_at: expires, state }, now) => state === 'active' && parseInstant(expires) !== null && parseInstant(expires) - now < 7 * DAY;

/** Rows that hold all words; the state is the server's to filter. */
export function passing(rows, { find = '', state = '' }) {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (state && row.state !== state) return false;
    const text = `${row.id} ${row.alias ?? ''} ${row.org}/${row.project} ${row.user ?? ''} ${row.identity ?? ''} ${(row.roles ?? []).join(' ')} ${(row.models ?? []).join(' ')} ${row.kind}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Words that are parted by spaces or commas. */
export const wordsOf = (text) => [...new Set(String(text).split(/[\s,]+/).filter(Boolean))];

/** A name as the server takes it. @returns {string} why not, or ''. */
export function nameProblem(name, what) {
  if (name === '') return `Say which ${what}.`;
  return /[\s/{}]/.test(name) || new TextEncoder().encode(name).length > 128 ? `The name of a ${what} has no spaces, no / and no braces, and at most 128 bytes.` : '';
}

/** When it ends: of a choice of `LIVES`, and of a date (its end, in local time). @returns {number|null|undefined} undefined for a date that is none */
export function endOf(life, date, now) {
  if (life === '') return null;
  if (life !== 'date') return now + Number(life) * DAY;
  const at = /^\d{4}-\d{2}-\d{2}$/.test(date) ? new Date(`${date}T23:59:59`).getTime() : NaN;
  return Number.isNaN(at) || at <= now ? undefined : at;
}

/**
 * The body of `POST /keys` from the fields of the form.
 * @returns {{body?: object, problem?: string, field?: string}}
 */
export function keyBody(form, now) {
  for (const [field, what] of [['project', 'project'], ...(form.org ? [['org', 'organisation']] : []), ...(form.user ? [['user', 'user']] : [])]) {
    const problem = nameProblem(form[field], what);
    if (problem) return { problem, field };
  }
  const expires = endOf(form.life, form.date, now);
  if (expires === undefined) return { problem: 'Choose a date that is still ahead.', field: 'date' };
  for (const [at, one] of form.budgets.entries()) {
    const problem = limitProblem(one.limit, one.unit);
    if (problem) return { problem: `Budget ${at + 1}: ${problem}`, field: `limit-${at}` };
  }
  const body = { project: form.project };
  if (form.org) body.org = form.org;
  if (form.user) body.user = form.user;
  if (form.alias) body.alias = form.alias;
  if (form.serviceAccount) body.service_account = true;
  for (const name of ['roles', 'models']) if (form[name].length > 0) body[name] = form[name];
  if (expires !== null) body.expires_at = expires;
  if (form.budgets.length > 0) body.budgets = form.budgets.map(({ limit, unit, window }) => ({ unit, window: unit === 'runs' ? 'total' : window, limit }));
  return { body };
}

/** Who is who as rows in order: organisations, their projects, their users. */
export function whoRows({ orgs, projects, users }) {
  const rows = [];
  const seen = new Map();
  const org = (name) => orgs.find((one) => one.org === name) ?? { org: name };
  for (const one of [...orgs, ...projects, ...users]) seen.set(one.org, org(one.org));
  for (const name of [...seen.keys()].sort()) {
    rows.push({ type: 'org', id: `org:${name}`, depth: 0, row: seen.get(name) });
    for (const project of projects.filter((one) => one.org === name).sort((a, b) => (a.project < b.project ? -1 : 1))) {
      rows.push({ type: 'project', id: `project:${name}/${project.project}`, depth: 1, row: project });
      const own = users.filter((one) => one.org === name && one.project === project.project).sort((a, b) => (a.user < b.user ? -1 : 1));
      rows.push(...own.map((user) => ({ type: 'user', id: `user:${name}/${user.project}/${user.user}`, depth: 2, row: user })));
    }
  }
  return rows;
}

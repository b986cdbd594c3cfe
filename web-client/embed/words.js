/** What the widget says when an answer stops, waits or fails. Pure: the caller gives the clock. */

const PERIODS = { minute: 'this minute', hour: 'this hour', day: 'today', week: 'this week', month: 'this month' };

/** "3 h 12 min": the two largest units. */
export function span(ms) {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = parts.findIndex(([size]) => seconds >= size);
  const [size, unit] = parts[first];
  const [less, lessUnit] = parts[first + 1] ?? [1, ''];
  const rest = Math.floor((seconds % size) / less);
  return `${Math.floor(seconds / size)} ${unit}${lessUnit && rest ? ` ${rest} ${lessUnit}` : ''}`;
}

export function instant(value) {
  if (!value) return null;
  const number = Number(value);
  const ms = Number.isNaN(number) ? Date.parse(value) : number < 1e11 ? number * 1000 : number;
  return Number.isNaN(ms) ? null : ms;
}

/** "Stopped here. Project acme/web has spent its $5.00 for today. It resets in 3 h 12 min." */
export function cutWords(cut = {}, now) {
  const { reason, scope, limit, unit, window } = cut;
  if (reason === 'policy_denied') return 'Stopped here. A policy does not allow this answer to go on.';
  if (reason === 'killed') return 'Stopped here. An operator stopped this answer.';
  if (reason === 'accounting_unavailable') return 'Stopped here. No further token could be paid for. Try again in a moment.';
  const [kind, id] = typeof scope === 'string' ? [scope.split(':')[0], scope.slice(scope.indexOf(':') + 1)] : [scope?.kind, scope?.id];
  const names = { org: 'Organisation', project: 'Project', user: 'User', key: 'Key' };
  const amount = unit === 'usd' ? `$${money(limit)}` : `${limit} ${unit}`;
  const spent = limit && kind
    ? `${names[kind] ?? kind} ${id} has ${unit === 'usd' ? 'spent' : 'used'} its ${amount}${PERIODS[window] ? ` for ${PERIODS[window]}` : ''}.`
    : 'The cap is reached.';
  const resets = instant(cut.resets_at);
  return `Stopped here. ${spent} ${resets === null ? 'It does not reset by itself.' : `It resets in ${span(resets - now)}.`}`;
}

/** At least two decimals, and no tail of zeros. */
function money(decimal) {
  const [whole, fraction = ''] = String(decimal).split('.');
  return `${whole}.${fraction.replace(/0+$/, '').padEnd(2, '0')}`;
}

/** The person's own clock. */
const clock = (ms) => new Date(ms).toTimeString().slice(0, 5);

/** "payments.refund waits for group finance (0 of 2 agreed, until 14:32)." */
export function approvalWords({ tool, from, quorum = 1, agreed = 0, expires_at: until, state = 'pending' }) {
  const ends = { approved: 'was approved', denied: 'was denied', expired: 'was not decided in time' };
  if (state !== 'pending') return `${tool} ${ends[state] ?? 'is not needed any more'}.`;
  const who = [from ?? 'an approver'].flat(2).join(' ').split(/[\s,]+/).map((word) => word.replace(/^user:/, '').replace(':', ' ')).join(' or ');
  const at = instant(until);
  const facts = [quorum > 1 && `${agreed} of ${quorum} agreed`, at && `until ${clock(at)}`].filter(Boolean).join(', ');
  return `${tool} waits for ${who}${facts && ` (${facts})`}.`;
}

export function errorWords({ code, message, requestId }) {
  const before = {
    budget_exceeded: 'Not started. The budget is spent.', rate_limit_exceeded: 'Not started. Too much at one time.',
    unauthorized: 'This chat’s key is not accepted.', invalid_api_key: 'This chat’s key is not accepted.', token_expired: 'This chat’s token has expired. Load the page again.',
    offline: 'Not sent. The server cannot be reached.',
    policy_denied: 'A policy does not allow this.',
  };
  return `${before[code] ?? `That did not work. ${message}`}${requestId ? ` (request ${requestId})` : ''}`;
}

import { forPeriod, limitPhrase, parseAmount, parseScope, parseWindow, scopeName } from './windows.js';
import { formatDuration, formatReset, parseInstant } from '../shared/time.js';

/** What the page says when a run does not end by itself. Pure text, so that each sentence has a test. */

/** "It resets in 3 h 12 min (00:00 UTC)." or what stands in its place. */
export function resetSentence(resetsAt, now) {
  if (resetsAt === null) return 'It does not reset by itself; whoever manages the budget can raise it.';
  if (resetsAt <= now) return 'It has been reset.';
  return `It resets in ${formatDuration(resetsAt - now)} (${formatReset(resetsAt, now)}).`;
}

/** "Project acme/web has spent its $5.00 for today." @returns {string|null} null if the facts are not there. */
export function spentSentence(facts) {
  const scope = parseScope(facts?.scope);
  const limit = parseAmount(facts?.limit, facts?.unit);
  if (!scope || limit === null) return null;
  const verb = facts.unit === 'usd' ? 'spent' : 'used';
  return `${scopeName(scope)} has ${verb} its ${limitPhrase(limit, facts.unit)} ${forPeriod(facts.window ?? 'total')}.`;
}

/**
 * @param {object} cut the `cut` of the envelope.
 * @returns {{title: string, text: string, resetsAt: number|null, canWait: boolean, windowKey: string|null}}
 *   `canWait`: it can go on later without anybody's doing.
 */
export function cutStory(cut, now) {
  const resetsAt = parseInstant(cut?.resets_at);
  const window = parseWindow(cut);
  const spent = spentSentence(cut);
  const story = { title: 'Stopped here.', resetsAt, canWait: false, windowKey: window?.key ?? null, text: '' };
  switch (cut?.reason) {
    case 'policy_denied':
      return { ...story, windowKey: null, text: 'A policy does not allow this run to go on.' };
    case 'killed':
      return { ...story, windowKey: null, text: 'An operator stopped this run.' };
    case 'accounting_unavailable':
      return {
        ...story, windowKey: null, canWait: true,
        text: 'The accounting cannot be reached, so no further token could be paid for. Everything above is paid.',
      };
    default:
      return {
        ...story, canWait: true,
        text: spent ? `${spent} ${resetSentence(resetsAt, now)}` : `The cap is reached. ${resetSentence(resetsAt, now)}`,
      };
  }
}

/**
 * A run that was refused before its first token, or failed on the way.
 * @param {{code: string, message: string, retryAfter?: number, rule?: string, details?: object}} error
 * @param {import('./windows.js').Window[]} full windows that have nothing left, to name the one in the way.
 * @returns {{title: string, text: string, move: string, retryable: boolean, resetsAt: number|null, windowKey: string|null}}
 */
export function errorStory(error, full, now) {
  const base = { title: 'That did not work.', text: error.message, move: '', retryable: true, resetsAt: null, windowKey: null };
  const inWay = pickWindow(error, full);
  switch (error.code) {
    case 'budget_exceeded':
    case 'rate_limit_exceeded':
    case 'rate_limited':
      return {
        ...base, title: 'Not started.', resetsAt: inWay?.resetsAt ?? retryInstant(error, now), windowKey: inWay?.key ?? null,
        text: inWay ? `${spentSentence({ ...inWay, scope: inWay, window: inWay.period })} ${resetSentence(inWay.resetsAt, now)}` : error.message,
        move: 'Nothing was sent to the model and nothing was charged.',
      };
    case 'accounting_unavailable':
      return {
        ...base, title: 'Not started.', resetsAt: retryInstant(error, now),
        text: 'The accounting cannot be reached, so nothing can be paid for.', move: 'Nothing was charged. Try again in a moment.',
      };
    case 'policy_denied':
      return {
        ...base, title: 'Not allowed.', retryable: false, move: 'Whoever manages the policies can tell you more.',
        text: error.rule ? `A policy does not allow this (rule ${error.rule}).` : 'A policy does not allow this.',
      };
    case 'upstream_error':
      return { ...base, title: 'The model failed.', text: error.message, move: 'What you see above is what it sent. Try again.' };
    case 'cancelled':
    case 'canceled':
      return { ...base, title: 'Stopped by you.', text: '', retryable: false };
    case 'model_not_found':
      return { ...base, title: 'Not started.', text: 'The server does not offer this model.', move: 'Choose another model below.', retryable: false };
    case 'offline':
    case 'no_answer':
      return { ...base, title: 'Not sent.', text: error.message, move: 'Your text is kept. Send it again when the connection is back.' };
    default:
      return base;
  }
}

/** The error may name the window itself; else, of the windows with nothing left, the one that resets last is in the way. */
function pickWindow(error, full) {
  const named = parseWindow(error.details?.x_cut ?? error.details?.cut ?? error.details);
  if (named) return named;
  return [...full].sort((a, b) => (b.resetsAt ?? Infinity) - (a.resetsAt ?? Infinity))[0] ?? null;
}

const retryInstant = (error, now) => (error.retryAfter > 0 ? now + error.retryAfter * 1000 : null);

import { copyButton, h, icon, setText } from '../shared/dom.js';
import { ticking } from '../shared/ticking.js';
import { cutStory, errorStory, spentSentence } from './sentences.js';
import { formatDuration, formatInstant } from '../shared/time.js';
import { limitPhrase, parseAmount, parseScope, scopeName } from './windows.js';

/**
 * The cut as part of the conversation.
 * @param {object} envelope of `chat.cut`
 * @param {{hasRoom: (key: string) => boolean, oncontinue: () => void, storyOf?: (run: string) => string|null}} deps `hasRoom`: the quota shows that the window
 *   can pay again, so the wait may end before the reset (a raised limit).
 */
export function cutNotice(envelope, deps) {
  const cut = envelope.cut ?? {};
  const sentence = h('span');
  const button = h('button.button', { type: 'button', onclick: deps.oncontinue }, 'Continue when possible');
  const why = facts([
    ['Reason', cut.reason], ['Window', windowPhrase(cut)], ['Used', amount(cut.used, cut.unit)],
    ['Limit', amount(cut.limit, cut.unit)], ['Run', envelope.run_id], ['Decision', cut.decision_id],
  ], deps.storyOf?.(envelope.run_id));
  const box = h('section.notice.is-cut', { aria: { label: 'The answer was stopped' } },
    icon('cut'),
    h('div', null, h('p', null, h('strong', null, 'Stopped here.'), ' ', sentence), h('div.actions', null, button, why)));
  const stop = ticking(box, () => {
    const now = Date.now();
    const story = cutStory(cut, now);
    setText(sentence, story.text);
    if (story.resetsAt) sentence.title = formatInstant(story.resetsAt);
    const room = story.windowKey !== null && deps.hasRoom(story.windowKey);
    const open = story.canWait && (story.resetsAt !== null ? story.resetsAt <= now || room : room || cut.reason === 'accounting_unavailable');
    button.hidden = !story.canWait;
    button.disabled = !open;
    setText(button, open ? 'Continue' : story.resetsAt ? `Continue when possible · ${formatDuration(story.resetsAt - now)}` : 'Continue when possible');
    if (room && story.resetsAt > now) setText(sentence, `${spentSentence(cut) ?? 'The cap was reached.'} It has room again.`);
    return true;
  });
  box.dispose = stop;
  return box;
}

/**
 * A refusal or a failure, said plainly, with the ids to quote.
 * @param {{code: string, message: string, runId?: string, requestId?: string}} error
 * @param {{full: () => object[], hasRoom: (key: string) => boolean, onretry: (() => void)|null}} deps
 */
export function errorNotice(error, deps) {
  const title = h('strong');
  const sentence = h('span');
  const move = h('p.move');
  const retry = h('button.button', { type: 'button', onclick: () => deps.onretry() }, 'Try again');
  const ids = facts([['Code', error.code], ['Request', error.requestId], ['Run', error.runId], ['Rule', error.rule]], deps.storyOf?.(error.runId));
  const capped = ['budget_exceeded', 'rate_limit_exceeded', 'rate_limited'].includes(error.code);
  const calm = error.code === 'cancelled' || error.code === 'canceled';
  const box = h(`section.notice.${calm ? 'is-note' : capped ? 'is-cut' : 'is-error'}`, { role: calm ? 'note' : 'alert' },
    icon(calm ? 'stop' : capped ? 'cut' : 'alert'),
    h('div', null, h('p', null, title, ' ', sentence), move, h('div.actions', null, retry, ids)));
  // The window in the way is remembered: once it has room it is no longer among the full ones.
  let first = null;
  const stop = ticking(box, () => {
    const now = Date.now();
    const story = errorStory(error, deps.full(), now);
    if (!first || (first.windowKey === null && story.windowKey !== null)) first = story;
    const room = first.windowKey !== null && deps.hasRoom(first.windowKey);
    const open = first.resetsAt === null ? !capped || first.windowKey === null || room : first.resetsAt <= now || room;
    setText(title, first.title);
    setText(sentence, room ? 'The cap has room again.' : first.windowKey === story.windowKey ? story.text : first.text);
    setText(move, first.move);
    move.hidden = first.move === '';
    retry.hidden = !deps.onretry || !first.retryable;
    retry.disabled = !open;
    setText(retry, open || !first.resetsAt ? 'Try again' : `Try again · ${formatDuration(first.resetsAt - now)}`);
    return !open || capped;
  });
  box.dispose = stop;
  return box;
}

/** @param {string|null} [story] where the console tells the whole of it, for who may see that. */
function facts(rows, story) {
  const known = rows.filter(([, value]) => value !== undefined && value !== null && value !== '');
  if (known.length === 0) return null;
  const text = () => known.map(([name, value]) => `${name}: ${value}`).join('\n');
  return h('details.facts', null, h('summary', null, 'Why?', icon('chevron')),
    h('dl', null, ...known.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, String(value))])),
    story && h('a', { href: story }, 'The whole story'), copyButton('Copy', text));
}

function windowPhrase(cut) {
  const scope = parseScope(cut.scope);
  return scope ? `${scopeName(scope)}, ${cut.unit} per ${cut.window ?? 'total'}` : '';
}

function amount(value, unit) {
  const parsed = parseAmount(value, unit);
  return parsed === null ? '' : limitPhrase(parsed, unit);
}

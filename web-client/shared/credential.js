import { h, icon } from './dom.js';
import { session } from './storage.js';

const STORED = 'kdcube.key';

/**
 * Takes a key out of the address (`#key=kd-…`), so that it is neither bookmarked nor sent on with the link.
 * A key that this tab already uses is never replaced silently: a link must not sign somebody in as somebody else.
 * @returns {{key: string|null, offered: string|null}} the key in use, and one that the person must confirm.
 */
export function readCredential(location, history) {
  const stored = session.get(STORED);
  const hash = new URLSearchParams(location.hash.slice(1));
  const given = hash.get('key');
  if (given === null) return { key: stored, offered: null };
  hash.delete('key');
  const rest = hash.toString();
  history.replaceState(null, '', location.pathname + location.search + (rest ? `#${rest}` : ''));
  if (!stored || stored === given) {
    session.set(STORED, given);
    return { key: given, offered: null };
  }
  return { key: null, offered: given };
}

export const keepCredential = (key) => session.set(STORED, key);
export const forgetCredential = () => session.remove(STORED);

const CHAT_WORDS = {
  why: 'Every answer here is paid for by a key, so that it can be metered and stopped at its cap. The key stays in this tab.',
  confirm: 'This tab works with another key. The link you opened brings a new one; with it you see that person’s conversations and spend that budget.',
  command: 'kdcube keys create --org acme --project web --user ana',
};

/**
 * The panel that asks for a key.
 * @param {{prefill?: string, error?: string, confirm?: boolean, words?: {why: string, confirm: string, command: string},
 *   onkey: (key: string) => void}} options `words` are those of the page.
 */
export function keyPanel({ prefill = '', error = '', confirm = false, words = CHAT_WORDS, onkey }) {
  const field = h('input.field', {
    type: 'password', id: 'key-field', name: 'key', value: prefill, placeholder: 'kd-…', spellcheck: false,
    autocomplete: 'off', required: true, aria: error ? { describedby: 'key-error', invalid: 'true' } : {},
  });
  const show = h('button.quiet', {
    type: 'button', aria: { pressed: 'false' },
    onclick() {
      const hidden = field.type === 'password';
      field.type = hidden ? 'text' : 'password';
      show.textContent = hidden ? 'Hide' : 'Show';
      show.setAttribute('aria-pressed', String(hidden));
    },
  }, 'Show');
  const form = h('form.key-panel', {
    onsubmit(event) {
      event.preventDefault();
      const key = field.value.trim();
      if (key) onkey(key);
    },
  },
  h('div.key-sign', null, icon('key')),
  h('h2', null, confirm ? 'Use the key from this link?' : 'Enter your key'),
  h('p', null, confirm ? words.confirm : words.why),
  h('label', { htmlFor: 'key-field' }, 'API key'),
  h('div.key-row', null, field, show, h('button.button.primary', { type: 'submit' }, 'Start')),
  error && h('p.key-error', { id: 'key-error', role: 'alert' }, icon('alert'), error),
  !confirm && h('div.teach', null,
    h('p', null, 'No key yet? ', h('code', null, 'make run'), ' prints a link with a demo key, or create one:'),
    h('pre', { tabIndex: 0 }, h('code', null, words.command))));
  queueMicrotask(() => field.focus());
  return form;
}

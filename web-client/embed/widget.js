import { Answer, h } from './answer.js';
import { Feed } from './feed.js';
import { CSS } from './style.js';

/**
 * Puts the thread and the composer into a shadow root of `host`.
 * @param {HTMLElement} host @param {{url: string, token: string, model?: string, title?: string}} options
 */
export function mount(host, { url, token, model, title = 'Chat' }) {
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet(); // no style element: the page's policy may forbid inline styles
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];

  const feed = new Feed(url, token ?? '');
  let conversation;
  let running = false;
  const log = h('div', { className: 'log', tabIndex: 0, role: 'region', 'aria-label': 'Conversation', 'data-empty': 'Ask something.' });
  const said = h('div', { className: 'said', 'aria-live': 'polite' });
  const text = h('textarea', { rows: 1, placeholder: 'Message', 'aria-label': 'Message', enterKeyHint: 'send' });
  const button = h('button', { type: 'submit' }, 'Send');
  const form = h('form', {}, text, button);
  root.append(h('section', { 'aria-label': title }, h('h2', {}, title), log, said, form));

  const say = (words) => {
    said.append(h('p', {}, words.replace(/[*_`#>]+/g, '').trim()));
    while (said.childElementCount > 5) said.firstChild.remove();
  };
  /** Keeps the end in sight, unless the person has scrolled up. */
  const follow = (change) => {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
    change();
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  const setRunning = (now) => {
    running = now;
    button.textContent = now ? 'Stop' : 'Send';
    button.className = now ? 'stop' : '';
    changed();
  };
  const changed = () => { button.disabled = !running && text.value.trim() === ''; };

  async function send(words) {
    const answer = new Answer(say, follow);
    log.append(h('div', { className: 'you', 'aria-label': 'You' }, words), answer.element);
    log.scrollTop = log.scrollHeight;
    setRunning(true);
    let began = false;
    try {
      for await (const event of feed.ask({ text: words, model, conversation_id: conversation })) {
        began = true;
        conversation = event.conversation?.conversation_id ?? conversation;
        answer.take(event);
      }
    } catch (error) {
      answer.fail(error);
      if (!began && !text.value) text.value = words; // nothing is lost that was not sent
    }
    setRunning(false);
  }

  const submit = () => {
    const words = text.value.trim();
    if (running || words === '') return;
    text.value = '';
    send(words);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) Promise.resolve(feed.cancel()).catch(() => {});
    else submit();
  });
  text.addEventListener('input', changed);
  text.addEventListener('keydown', (event) => {
    // The page's own shortcuts are not meant; and while an input method composes a word, Enter belongs to it.
    event.stopPropagation();
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  addEventListener('online', () => feed.retry());
  changed();
}

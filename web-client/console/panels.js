import { copyButton, h, icon } from '../shared/dom.js';

/** Bones, shown after 200 ms (by its style): a page that is quick never flickers. */
export function loading() {
  return h('div.loading', { aria: { label: 'Loading', busy: 'true' } }, ...[62, 90, 74, 84].map((width) => {
    const bone = h('div.bone');
    bone.style.setProperty('--w', `${width}%`);
    return bone;
  }));
}

/** What happened, whose move it is, and the request's id to quote. */
export function problem(title, error, onretry) {
  const move = error.code === 'scope_denied' ? 'Choose your own organisation above, or use a key with the role operator.' : error.status === 403 ? 'An administrator can give your key the role it needs.'
    : error.code === 'offline' || error.status >= 500 ? 'The server has to come back; nothing is lost.' : '';
  return h('section.panel.is-problem', { role: 'alert' }, icon('alert'), h('div', null,
    h('p', null, h('strong', null, title), ' ', error.message), move && h('p.hint', null, move),
    h('div.panel-actions', null, onretry && h('button.button', { type: 'button', onclick: onretry }, 'Try again'),
      error.requestId && h('span.hint.num', null, `Request ${error.requestId}`, copyButton('Copy', () => error.requestId)))));
}

/** One sentence, and what would fill the page. */
export function empty(title, text, ...teach) {
  return h('section.nothing', null, h('h2', null, title), h('p', null, text), ...teach);
}

/** Text to copy from: a rule, a command. */
export function sample(text, label = 'Copy') {
  return h('div.sample', null, h('pre', { tabIndex: 0 }, h('code', null, text)), copyButton(label, () => text));
}

/** State as an icon and a word; its colour only repeats them. */
export function stateMark(word, sign, tone) {
  return h('span.mark', { data: { tone } }, icon(sign), h('span', null, word));
}

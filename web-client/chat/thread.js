import { h, icon } from '../shared/dom.js';
import { Answer } from './answer.js';
import { starters } from './starters.js';

/** The turns of the conversation that is open. */
export class Thread {
  #answers = [];
  #texts = [];

  constructor(element, deps) {
    this.element = element;
    this.deps = deps;
  }

  get texts() { return this.#texts.flatMap(({ user, answer }) => [user, answer.text]); }
  get isEmpty() { return this.#answers.length === 0; }

  clear() {
    for (const answer of this.#answers) answer.dispose();
    this.#answers = [];
    this.#texts = [];
    this.element.replaceChildren();
  }

  /** A question and the place of its answer. */
  add(user) {
    if (this.isEmpty) this.element.replaceChildren();
    const answer = new Answer(this.deps);
    this.#answers.push(answer);
    this.#texts.push({ user, answer });
    this.element.append(h('section.turn', null, h('div.question', { aria: { label: 'You' } }, user), answer.element));
    this.deps.ondraw();
    return answer;
  }

  /** Takes a turn back that never began. */
  remove(answer) {
    answer.dispose();
    answer.element.closest('.turn')?.remove();
    this.#answers = this.#answers.filter((other) => other !== answer);
    this.#texts = this.#texts.filter((turn) => turn.answer !== answer);
  }

  show(panel) {
    this.clear();
    this.element.append(panel);
  }

  showEmpty(model, onpick) {
    this.show(h('div.empty', null,
      h('h2', null, 'Ask. See what it costs while it is written.'),
      h('p', null, 'Every token is paid for before it is shown. When a cap is reached the answer stops there, and says which cap it was.'),
      h('div.starters', null, ...starters(model).map(([title, text]) => h('button.starter', { type: 'button', onclick: () => onpick(text) },
        h('strong', null, title), h('span', null, text.split('\n')[0]))))));
  }

  showLoading() {
    this.clear();
    const bones = [40, 90, 82, 64].map((width) => {
      const bone = h('div.bone');
      bone.style.setProperty('--w', `${width}%`);
      return bone;
    });
    this.element.append(h('div.loading', { aria: { label: 'Loading' } }, ...bones));
  }

  showProblem(title, error, onretry) {
    this.show(h('section.notice.is-error', { role: 'alert' }, icon('alert'), h('div', null,
      h('p', null, h('strong', null, title), ' ', error.message),
      error.requestId && h('p.move', null, `Request ${error.requestId}`),
      h('div.actions', null, h('button.button', { type: 'button', onclick: onretry }, 'Try again')))));
  }
}

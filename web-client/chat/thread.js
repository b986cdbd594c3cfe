import { h, icon } from './dom.js';
import { Answer } from './answer.js';

/** Starters that show what is special here; the lines with @ are the scripted model's own controls. */
const STARTERS = {
  demo: [
    ['Watch the meter run', 'Tell me something about metering.\n@tokens 400\n@rate 40'],
    ['Run into the cap', 'Write until you are stopped.\n@tokens 20000\n@rate 200'],
    ['A model that fails', 'Start, then fail.\n@fail after 20'],
  ],
  other: [
    ['Explain something', 'Explain how a token bucket works, with a small example.'],
    ['Write some code', 'Write a function that parses a decimal string into an integer number of cents.'],
    ['Watch the meter run', 'Tell me a long story about a lighthouse, in ten paragraphs.'],
  ],
};

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
    const starters = STARTERS[model === 'demo' ? 'demo' : 'other'];
    this.show(h('div.empty', null,
      h('h2', null, 'Ask. See what it costs while it is written.'),
      h('p', null, 'Every token is paid for before it is shown. When a cap is reached the answer stops there, and says which cap it was.'),
      h('div.starters', null, ...starters.map(([title, text]) => h('button.starter', { type: 'button', onclick: () => onpick(text) },
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

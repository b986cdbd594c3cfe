import { CodeParts } from './code-parts.js';
import { following, h, icon, setIcon, setText } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { isOver } from './tool-model.js';
import { elapsed, show } from '../shared/values.js';
import { PHASES, decisionWords, errorWords } from './tool-words.js';

/** Calls of one code that are drawn; of more the oldest go, and the card says how many. */
const NESTED_MAX = 200;

/** A tool call as one line between the words; opens to what was asked, decided and answered. It changes in place. */
export class ToolCard {
  #facts = new Map();
  #hidden = 0;

  constructor(call) {
    this.call = call;
    this.sign = icon('live');
    this.word = h('span');
    this.state = h('span.state', null, this.sign, this.word);
    this.what = h('span.what');
    this.time = h('span.num.time');
    this.omitted = h('p.tool-note', { hidden: true });
    this.body = h('div.tool-body');
    this.element = h(`details.tool${call.isCode ? '.is-code' : ''}`, { data: { tool: call.tool, call: call.id } },
      h('summary', null, icon(call.isCode ? 'code' : 'tool'), h('span.tool-name', null, call.tool), this.what, this.state, this.time,
        icon('chevron')), this.body);
    if (call.isCode) {
      this.parts = new CodeParts(call);
      this.nestedNote = h('p.tool-note', { hidden: true });
      this.calls = h('div.tool-calls');
      this.nested = h('div', { hidden: true }, h('span.tool-label', null, 'Calls'), this.nestedNote, this.calls);
      this.body.append(this.parts.code, this.nested, this.parts.output, this.parts.end);
      // What code does is worth seeing while it does it. It stays open: a card that closed by itself would move the text below.
      this.element.open = true;
    } else this.#fact('arguments', 'Arguments', '');
    this.body.append(this.omitted);
  }

  /** A card of a call that this code made. */
  nest(card) {
    this.nested.hidden = false;
    following(this.calls, () => this.calls.append(card.element));
    if (this.calls.childElementCount <= NESTED_MAX) return;
    this.calls.firstElementChild.remove();
    this.#hidden += 1;
    this.nestedNote.hidden = false;
    setText(this.nestedNote, `${this.#hidden} earlier ${this.#hidden === 1 ? 'call is' : 'calls are'} not shown.`);
  }

  draw() {
    const { call } = this;
    const [word, sign, tone] = PHASES[call.phase];
    this.element.dataset.phase = call.phase;
    this.state.dataset.tone = tone;
    setIcon(this.sign, sign);
    setText(this.word, word);
    setText(this.what, call.what);
    this.tick();
    if (call.isCode) this.parts.draw();
    else this.#fact('arguments', 'Arguments', call.args === undefined ? call.text : show(call.args));
    this.#fact('decision', 'Decision', decisionWords(call));
    this.#fact('error', 'Error', errorWords(call.error));
    this.#fact('result', call.isCode ? 'Value' : 'Result', call.result === undefined ? '' : show(call.result));
    this.#note();
  }

  /** The time alone: it goes on while nothing else happens. */
  tick(now = Date.now()) {
    const { call } = this;
    // What was not made took no time.
    if (['writing', 'denied', 'skipped', 'unseen'].includes(call.phase) || !call.beganAt) return setText(this.time, '');
    const end = isOver(call) ? call.endedAt : now;
    // The page's clock may differ from the server's; a call that just began shows no time rather than a wrong one.
    const took = Math.max(0, end - call.beganAt);
    setText(this.time, isOver(call) || took >= 1000 ? elapsed(isOver(call) ? took : Math.floor(took / 1000) * 1000) : '');
    this.time.title = formatInstant(call.beganAt);
    return undefined;
  }

  #fact(name, label, text) {
    let fact = this.#facts.get(name);
    if (!fact && text) {
      const pre = h('pre', { tabIndex: 0, aria: { label } });
      fact = { pre, box: h('div.fact', { data: { fact: name } }, h('span.tool-label', null, label), pre) };
      this.#facts.set(name, fact);
      this.body.insertBefore(fact.box, this.omitted);
    }
    if (!fact) return;
    setText(fact.pre, text);
    fact.box.hidden = text === '';
  }

  #note() {
    const { isTruncated, omitted } = this.call;
    const parts = [];
    if (isTruncated) parts.push('It told more than is kept; the rest of its progress is left out.');
    if (omitted.length > 0) parts.push(`Too long to be sent here: ${omitted.join(', ')}.`);
    this.omitted.hidden = parts.length === 0;
    setText(this.omitted, parts.join(' '));
  }
}

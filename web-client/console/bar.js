import { h, setText } from '../shared/dom.js';
import { limitWords, partWords, parts, subject, toneOf } from './budget-model.js';

const NAMES = { used: 'used', held: 'held', suspense: 'in suspense', free: 'free' };
const HELP = {
  used: 'Charged for what was delivered', held: 'Reserved by runs that live, given back if it is not needed',
  suspense: 'Held by a server that ended before it settled; it counts until it is resolved', free: 'What a run can still have',
};

/** A window as a bar: used solid, held hatched, in suspense dotted, free empty; beside it the same in words. */
export class Bar {
  constructor({ isSmall = false } = {}) {
    this.fills = Object.fromEntries(['used', 'held', 'suspense'].map((name) => [name, h(`i.bar-${name}`)]));
    this.bar = h('div.wbar', { role: 'meter', aria: { valuemin: '0', valuemax: '100' } }, ...Object.values(this.fills));
    this.words = Object.fromEntries(Object.keys(NAMES).map((name) => [name, h(`span.part.part-${name}`, { title: HELP[name] }, h('i', { aria: { hidden: 'true' } }), h('b.num'), ` ${NAMES[name]}`)]));
    this.limit = h('span.part-limit.num');
    this.element = h(`div.wbox${isSmall ? '.is-small' : ''}`, null, this.bar, !isSmall && h('div.parts', null, ...Object.values(this.words), this.limit));
  }

  update(window) {
    const share = parts(window);
    for (const [name, fill] of Object.entries(this.fills)) fill.style.setProperty('--share', `${share[name]}%`);
    this.element.dataset.tone = toneOf(window);
    this.bar.setAttribute('aria-valuenow', share.used.toFixed(0));
    const said = partWords(window);
    this.bar.setAttribute('aria-label', subject(window));
    this.bar.setAttribute('aria-valuetext', `${said.map(([name, text]) => `${text} ${NAMES[name]}`).join(', ')}, of ${limitWords(window)}`);
    for (const [name, word] of Object.entries(this.words)) {
      const text = said.find(([one]) => one === name)?.[1];
      word.hidden = text === undefined;
      if (text !== undefined) setText(word.querySelector('b'), text);
    }
    setText(this.limit, `of ${limitWords(window)}`);
  }
}

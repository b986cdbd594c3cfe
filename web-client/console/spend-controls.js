import { h, icon, setText } from '../shared/dom.js';
import { BY, byOf, dayText, periodOf, RANGES } from './spend-model.js';

const STEPS = { hour: 'Hours', day: 'Days' };

/** By what, over which time, in what steps. They only write the address; what they show comes back from it. */
export class SpendControls {
  /** @param {{me: object, onchange: (changes: Record<string, string>) => void, onexport: () => void}} deps */
  constructor({ me, onchange, onexport }) {
    this.me = me;
    const { org: _, ...others } = BY;
    this.by = choice('By', me.isOperator ? { org: 'Org', ...others } : others, (by) => onchange({ by }));
    this.range = choice('Time', RANGES, (range) => onchange({ range, from: '', to: '', step: '' }));
    this.step = choice('Steps', STEPS, (step) => onchange({ step }));
    const date = (label, name) => h('input.filter-field', { type: 'date', aria: { label }, onchange: (event) => {
      // A field that is being typed has no value yet.
      if (event.target.value) onchange({ [name]: event.target.value, ...(name === 'from' ? { to: this.to.value } : { from: this.from.value }), range: '', step: '' });
    } });
    this.from = date('First day', 'from');
    this.to = date('Last day', 'to');
    this.save = h('button.button', { type: 'button', onclick: onexport }, icon('down'), h('span', null, 'Export CSV'));
    this.element = h('div.sp-controls', null, this.by.element, this.range.element, h('span.sp-dates', null, this.from, h('span', { aria: { hidden: 'true' } }, '–'), this.to), this.step.element, this.save);
  }

  set(filters, now) {
    const period = periodOf(filters, now);
    this.by.set(byOf(filters, this.me));
    this.range.set(period.range);
    this.step.set(period.step);
    this.step.button('hour').disabled = !period.canHours;
    this.step.button('hour').title = period.canHours ? '' : 'Hours are shown of at most 8 days';
    for (const [field, value] of [[this.from, period.from], [this.to, period.to - 1]]) {
      if (document.activeElement !== field) field.value = dayText(Math.max(0, value));
      field.max = dayText(now);
      field.classList.toggle('is-set', period.range === 'custom');
    }
  }

  exporting(isBusy) {
    this.save.disabled = isBusy;
    setText(this.save.lastElementChild, isBusy ? 'Exporting…' : 'Export CSV');
  }
}

function choice(label, words, onchoose) {
  const buttons = new Map(Object.entries(words).map(([value, word]) => [value, h('button', { type: 'button', data: { value }, onclick: () => onchoose(value) }, word)]));
  return {
    element: h('div.choice', { role: 'group', aria: { label } }, ...buttons.values()),
    button: (value) => buttons.get(value),
    set: (value) => { for (const [own, button] of buttons) button.setAttribute('aria-pressed', String(own === value)); },
  };
}

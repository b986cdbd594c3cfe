import { h, icon } from '../shared/dom.js';
import { KINDS, RANGES } from './decision-words.js';

const CHOICES = [['', 'All'], ['allow', 'Allowed'], ['deny', 'Denied']];
const OFFERED_MAX = 200;

/** The filters of the feed. They only write the address; what they show comes back from it. */
export class DecisionFilters {
  #seen = { tool: new Set(), rule: new Set() };
  #values = {};

  /** @param {{onchange: (changes: Record<string, string>) => void}} deps */
  constructor({ onchange }) {
    this.onchange = onchange;
    this.choices = CHOICES.map(([value, word]) => h('button', { type: 'button', data: { value }, onclick: () => onchange({ decision: value }) }, word));
    this.kind = this.#select('kind', 'All kinds', Object.entries(KINDS).map(([value, [word]]) => [value, word]));
    this.range = this.#select('range', 'Any time', Object.entries(RANGES).map(([value, [word]]) => [value, word]));
    this.fields = { tool: this.#field('tool', 'Tool'), rule: this.#field('rule', 'Rule'), run: this.#field('run', 'Run') };
    this.clear = h('button.quiet', { type: 'button', onclick: () => this.#clear() }, icon('close'), 'Clear');
    this.element = h('form.dc-filters', { aria: { label: 'Filters' }, autocomplete: 'off', onsubmit: (event) => { event.preventDefault(); this.#typed(); } },
      h('div.choice', { role: 'group', aria: { label: 'Decision' } }, ...this.choices),
      ...Object.values(this.fields).map(({ field, list }) => h('span.filter', { data: { filter: field.name } }, field, list)), this.kind, this.range, this.clear,
      h('button.hidden', { type: 'submit', tabIndex: -1 }, 'Apply'));
  }

  set(filters) {
    this.#values = filters;
    for (const button of this.choices) button.setAttribute('aria-pressed', String(button.dataset.value === (filters.decision ?? '')));
    for (const name of ['kind', 'range']) {
      this[name].value = filters[name] ?? '';
      this[name].classList.toggle('is-set', Boolean(filters[name]));
    }
    for (const [name, { field }] of Object.entries(this.fields)) {
      if (document.activeElement !== field || filters[name]) field.value = filters[name] ?? '';
      field.classList.toggle('is-set', Boolean(filters[name]));
    }
    this.clear.hidden = !['decision', 'kind', 'range', 'tool', 'rule', 'run', 'since', 'until'].some((name) => filters[name]);
  }

  /** What was seen is offered. */
  learn(rows) {
    for (const name of ['tool', 'rule']) {
      const seen = this.#seen[name];
      const before = seen.size;
      for (const row of rows) if (row[name] && seen.size < OFFERED_MAX) seen.add(row[name]);
      if (seen.size !== before) this.fields[name].list.replaceChildren(...[...seen].sort().map((value) => h('option', { value })));
    }
  }

  focus() {
    this.fields.tool.field.focus();
    this.fields.tool.field.select();
  }

  #clear() { this.onchange({ decision: '', kind: '', range: '', tool: '', rule: '', run: '', since: '', until: '' }); }

  #typed() { this.onchange(Object.fromEntries(Object.entries(this.fields).map(([name, { field }]) => [name, field.value.trim()]))); }

  #field(name, word) {
    const list = h('datalist', { id: `filter-${name}` });
    const field = h('input.filter-field', { type: 'search', name, placeholder: word, spellcheck: false, maxLength: 128, aria: { label: word }, onchange: () => this.#typed() });
    field.setAttribute('list', list.id);
    return { field, list };
  }

  #select(name, all, options) {
    return h('select.filter-select', { name, aria: { label: all }, onchange: (event) => this.onchange({ [name]: event.target.value }) },
      h('option', { value: '' }, all), ...options.map(([value, word]) => h('option', { value }, word)));
  }
}

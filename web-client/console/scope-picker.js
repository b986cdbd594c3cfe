import { h } from '../shared/dom.js';
import { SCOPE } from './address.js';

const WORDS = { org: 'Organisation', project: 'Project', user: 'User' };
/** Names that are offered; of more the last seen. */
const OFFERED_MAX = 200;

/** Organisation › project › user. What is typed is a filter in the address; what was seen in the data is offered. */
export class ScopePicker {
  #fields = new Map();
  #lists = new Map();
  #seen = new Map(SCOPE.map((name) => [name, new Set()]));

  /** @param {{onchange: (changes: Record<string, string>) => void}} deps */
  constructor(form, { onchange }) {
    this.onchange = onchange;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#changed();
    });
    SCOPE.forEach((name, index) => {
      const list = h('datalist', { id: `scope-${name}` });
      const field = h('input.scope-field', {
        type: 'search', name, placeholder: WORDS[name], spellcheck: false, maxLength: 128, aria: { label: WORDS[name] }, onchange: () => this.#changed(),
      });
      field.setAttribute('list', list.id);
      this.#fields.set(name, field);
      this.#lists.set(name, list);
      if (index > 0) form.append(h('span.scope-sign', { aria: { hidden: 'true' } }, '›'));
      form.append(field, list);
    });
    form.append(h('button.hidden', { type: 'submit', tabIndex: -1 }, 'Apply'));
  }

  set(filters) {
    for (const [name, field] of this.#fields) {
      const value = filters[name] ?? '';
      if (field.value !== value && document.activeElement !== field) field.value = value;
      field.classList.toggle('is-set', value !== '');
    }
  }

  learn(rows) {
    for (const name of SCOPE) {
      const seen = this.#seen.get(name);
      const before = seen.size;
      for (const row of rows ?? []) if (row?.[name] && seen.size < OFFERED_MAX) seen.add(row[name]);
      if (seen.size !== before) this.#lists.get(name).replaceChildren(...[...seen].sort().map((value) => h('option', { value })));
    }
  }

  #changed() {
    this.onchange(Object.fromEntries([...this.#fields].map(([name, field]) => [name, field.value.trim()])));
  }
}

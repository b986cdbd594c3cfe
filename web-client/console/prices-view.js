import { h } from '../shared/dom.js';
import { formatInstant, parseInstant } from '../shared/time.js';
import { agoWords } from './approval-view.js';
import { empty, loading, problem, sample } from './panels.js';
import { priceRows, reloadedWords } from './price-model.js';

/** The prices in force of the models that are configured, and a button that reads the price file again. */
export class PricesView {
  #ticket = 0;

  /** @param {{api: object, refused: Function, say: Function}} deps */
  constructor(deps) {
    this.deps = deps;
    this.problem = h('div.sy-problem');
    this.table = h('div', null, loading());
    this.button = h('button.button', { type: 'button', onclick: () => this.#reload() }, 'Read the price file again');
    this.version = h('p.hint');
    this.element = h('div.sy-prices', null, h('div.sy-config-head', null, this.version, this.button), this.problem, this.table);
  }

  async load() {
    const ticket = ++this.#ticket;
    try {
      const answer = await this.deps.api.prices();
      if (ticket === this.#ticket) this.#draw(answer);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.table.replaceChildren(problem('The prices could not be read.', error, () => this.load()));
    }
  }

  #draw({ version, loaded_at: loadedAt, data = [] }) {
    const at = parseInstant(loadedAt);
    this.version.replaceChildren('US dollars for a million tokens. Version ', h('code', null, version || '–'), at ? h('span', { title: formatInstant(at) }, `, read ${agoWords(at, Date.now())}.`) : '.');
    const rows = priceRows(data);
    this.table.replaceChildren(rows.length === 0 ? h('div', null, empty('No model is configured', 'The section models of the configuration lists them.'), sample('kdcube prices list --all')) : this.#rows(rows));
  }

  #rows(rows) {
    const heads = ['Model', 'Prompt', 'From cache', 'Into cache', 'Answer', 'Reasoning'];
    return h('div.sp-table-box.sy-table', null, h('table.sp-table', null,
      h('thead', null, h('tr', null, ...heads.map((word, index) => h(index === 0 ? 'th' : 'th.is-number', { scope: 'col' }, word)))),
      h('tbody', null, ...rows.map((row) => h('tr', { data: { model: row.model } }, h('th', { scope: 'row', data: { head: heads[0] } }, row.above === null ? h('code', null, row.model) : h('span.hint', null, row.words)),
        ...(row.prices === null ? [h('td', { colSpan: 5 }, 'no price: refused under a budget of money')]
          : row.prices.map((price, index) => h('td.is-number.num', { data: { head: heads[index + 1] } }, price))))))));
  }

  async #reload() {
    this.button.disabled = true;
    this.problem.replaceChildren();
    try {
      this.deps.say(reloadedWords(await this.deps.api.reloadPrices()));
      await this.load();
    } catch (error) {
      if (!this.deps.refused(error)) this.problem.replaceChildren(problem('The prices are as before.', error));
    } finally {
      this.button.disabled = false;
    }
  }
}

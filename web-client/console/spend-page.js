import { h, icon } from '../shared/dom.js';
import { formatCount, formatMoney, parseMoney } from '../shared/money.js';
import { readAddress, withFilters } from './address.js';
import { OperateApi, saveFile } from './operate-api.js';
import { empty, loading, problem, sample, stateMark } from './panels.js';
import { SpendChart } from './spend-chart.js';
import { SpendControls } from './spend-controls.js';
import { below, BY, byOf, fileName, forecastWords, periodOf, shareRows, stackOf, usageQuery } from './spend-model.js';
import { spendTable } from './spend-table.js';

/** How old the numbers may become while somebody looks. */
const AGAIN_MS = 30_000;

/** What was spent: over time, by whom or what, and how far the budget goes at this rate. */
export class SpendPage {
  title = 'Spend';
  isScoped = true;
  #address = readAddress('?page=spend');
  #ticket = 0;
  #timer = 0;
  #hasData = false;

  constructor(deps) {
    this.deps = deps;
    this.api = new OperateApi(deps.api.rest);
    this.controls = new SpendControls({ me: deps.me, onchange: (changes) => this.#change(changes), onexport: () => this.#export() });
    this.chart = new SpendChart();
    this.head = h('div.sp-head');
    this.body = h('div.sp-body', null, loading());
    this.problem = h('div.sp-problem');
    this.element = h('div.broad', null, this.controls.element, this.problem, this.head, this.body);
  }

  show(address) {
    const isOther = JSON.stringify(this.#address) !== JSON.stringify(address);
    this.#address = address;
    this.controls.set(address.filters, Date.now());
    if (isOther) this.problem.replaceChildren();
    this.#load();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#ticket += 1;
  }

  #change(changes) { this.deps.go(withFilters(this.#address, changes)); }

  async #load() {
    clearTimeout(this.#timer);
    const ticket = ++this.#ticket;
    const { filters } = this.#address;
    const now = Date.now();
    const period = periodOf(filters, now);
    if (period.problem) {
      this.#say(h('section.panel.is-warning', { role: 'alert' }, icon('alert'), h('p', null, period.problem)));
      return;
    }
    try {
      const usage = await this.api.usage(usageQuery(filters, this.deps.me, now));
      if (ticket !== this.#ticket) return;
      this.problem.replaceChildren();
      this.#draw({ ...usage, by: byOf(filters, this.deps.me), step: period.step }, period, now);
      this.#timer = setTimeout(() => (document.hidden ? this.#timer = setTimeout(() => this.#load(), AGAIN_MS) : this.#load()), AGAIN_MS);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.#say(problem('What was spent could not be read.', error, () => this.#load()));
    }
  }

  /** What is on the page stays when it cannot be read again. */
  #say(panel) {
    this.problem.replaceChildren(panel);
    if (!this.#hasData) this.body.replaceChildren();
  }

  #draw(usage, period, now) {
    const { filters } = this.#address;
    const rows = shareRows(usage);
    const total = parseMoney(usage.totals?.cost_usd) ?? 0n;
    this.#hasData = true;
    this.deps.seen(rows.map(below).filter(Boolean));
    const forecast = forecastWords(usage.forecast);
    this.head.replaceChildren(...[
      h('p.sp-total', null, h('strong.num', null, formatMoney(total, total >= 1_000_000_000n || total === 0n ? 2 : 6)), h('span', null, ` ${period.words}`)),
      h('p.hint.num', null, [`${formatCount(usage.totals?.requests ?? 0)} requests`, `${formatCount(usage.totals?.input_tokens ?? 0)} input tokens`, `${formatCount(usage.totals?.output_tokens ?? 0)} output tokens`].join(' · ')),
      forecast && h('p.sp-forecast', null, stateMark(forecast.text, forecast.icon, forecast.tone)),
    ].filter(Boolean));
    if (rows.length === 0) {
      this.chart.clear();
      this.body.replaceChildren(this.#teach(period));
      return;
    }
    const table = spendTable(rows, { by: usage.by, href: (changes) => this.deps.href('spend', { ...this.#own(), ...changes }) });
    const label = `Spending by ${BY[usage.by].toLowerCase()} ${period.words}, stacked over time. The table below has the numbers.`;
    this.body.replaceChildren(this.chart.element, table);
    this.chart.draw({ stack: stackOf(usage, period, now), step: period.step, label });
  }

  /** The filters besides the scope, for links within the page. */
  #own() {
    const { org, project, user, ...own } = this.#address.filters;
    return own;
  }

  #teach(period) {
    return empty('Nothing was spent', `There is no charge in this scope ${period.words}. A run is charged as its tokens are delivered, and is here at once.`,
      sample('curl -N http://localhost:8000/v1/runs \\\n  -H "Authorization: Bearer $KEY" \\\n  -d \'{"model": "demo", "text": "Hello"}\''));
  }

  async #export() {
    const { filters } = this.#address;
    const now = Date.now();
    this.controls.exporting(true);
    try {
      saveFile(await this.api.usageFile(usageQuery(filters, this.deps.me, now)), fileName(filters, this.deps.me, now));
      this.deps.say('Exported.');
    } catch (error) {
      if (!this.deps.refused(error)) this.problem.replaceChildren(problem('It could not be exported.', error, () => this.#export()));
    } finally {
      this.controls.exporting(false);
    }
  }
}

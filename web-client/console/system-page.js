import { h } from '../shared/dom.js';
import { formatCount } from '../shared/money.js';
import { formatInstant, parseInstant } from '../shared/time.js';
import { readAddress, withFilters } from './address.js';
import { agoWords } from './approval-view.js';
import { ConfigView } from './config-view.js';
import { DrainButton } from './drain-button.js';
import { OperateApi } from './operate-api.js';
import { loading, problem, stateMark } from './panels.js';
import { PricesView } from './prices-view.js';
import { failureWords, healthMark, isRecent, latencyWords, LEVELS, nodeMark, outboxWords, problemsOf, storeMark, storeName, uptimeWords } from './system-model.js';

const AGAIN_MS = 5000;
const PARTS = { '': 'State', prices: 'Prices', config: 'Configuration' };

/** The servers and what they stand on: nodes, stores, upstreams, versions; prices; configuration. */
export class SystemPage {
  title = 'System';
  isScoped = false;
  #address = readAddress('?page=system');
  #ticket = 0;
  #timer = 0;
  #drains = new Map(); // node → DrainButton

  constructor(deps) {
    this.deps = deps;
    this.api = new OperateApi(deps.api.rest);
    this.parts = Object.entries(PARTS).map(([part, word]) => h('button', { type: 'button', data: { part }, onclick: () => deps.go(withFilters(this.#address, { part })) }, word));
    this.state = h('div.sy-state', null, loading());
    this.problem = h('div.sy-problem');
    this.level = this.#levels();
    this.views = { config: new ConfigView({ ...deps, api: this.api }), prices: new PricesView({ ...deps, api: this.api }) };
    this.body = h('div', null, this.state);
    this.element = h('div.broad', null, h('div.choice.sy-parts', { role: 'group', aria: { label: 'Shown' } }, ...this.parts), this.problem, this.body);
  }

  show(address) {
    this.#address = address;
    const part = PARTS[address.filters.part] ? address.filters.part : '';
    for (const button of this.parts) button.setAttribute('aria-pressed', String(button.dataset.part === part));
    this.problem.replaceChildren();
    this.leave();
    const view = this.views[part];
    if (view) {
      this.body.replaceChildren(view.element);
      view.load();
    } else {
      this.body.replaceChildren(this.state);
      this.#load();
    }
  }

  leave() {
    clearTimeout(this.#timer);
    this.#ticket += 1;
  }

  async #load() {
    clearTimeout(this.#timer);
    const ticket = ++this.#ticket;
    try {
      const health = await this.api.health();
      if (ticket !== this.#ticket) return;
      this.problem.replaceChildren();
      if (!this.#isInUse()) this.#draw(health);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.problem.replaceChildren(problem('The state of the servers could not be read.', error, () => this.#load()));
      if (!this.state.querySelector('.sy-part')) this.state.replaceChildren();
    }
    this.#timer = setTimeout(() => this.#load(), AGAIN_MS);
  }

  #draw(health) {
    const now = Date.now();
    const problems = problemsOf(health, now);
    const [word, sign, tone] = healthMark(problems);
    this.state.replaceChildren(
      h('section.sy-head', { data: { tone } }, stateMark(word, sign, tone), problems.length > 0 ? h('ul', null, ...problems.map((one) => h('li', null, one.text)))
        : h('p', null, `${health.nodes?.length === 1 ? 'One server' : `${health.nodes?.length ?? 0} servers`}, all stores answer, no upstream failed in the last hour.`)),
      part('Servers', this.#nodes(health.nodes ?? [], now)), part('Stores', stores(health.stores ?? [])),
      part('Upstreams', upstreams(health.upstreams ?? [], now, this.deps.me.isOperator)), part('This server', this.#facts(health)));
  }

  /** Drawing anew would close a list that is open, and take a button away from under a finger. */
  #isInUse() { return document.activeElement === this.level || [...this.#drains.values()].some((drain) => drain.isArmed); }

  #nodes(nodes, now) {
    const { isOperator } = this.deps.me;
    const rows = nodes.map((node) => {
      const drain = this.#drains.get(node.node) ?? new DrainButton(node.node, { api: this.api, refused: this.deps.refused, say: this.deps.say, done: () => this.#load() });
      this.#drains.set(node.node, drain);
      drain.set(node);
      return h('tr', { data: { node: node.node } }, h('th', { scope: 'row' }, h('code', null, node.node), h('span.hint', null, node.address ?? '')), h('td', null, stateMark(...nodeMark(node, now))),
        h('td', null, h('code', null, node.version ?? '–')), number(uptimeWords(node.started_at, now), node.started_at && formatInstant(parseInstant(node.started_at))), number(formatCount(node.runs ?? 0)),
        isOperator && number(formatCount(node.sockets ?? 0)), isOperator && h('td.is-number', null, drain.element));
    });
    return table(['Server', 'State', 'Version', '#Up for', '#Runs', ...(isOperator ? ['#Sockets', '#'] : [])], rows);
  }

  #facts(health) {
    const loaded = parseInstant(health.prices?.loaded_at);
    const { level, minimum } = health.isolation ?? {};
    this.level.value = health.log_level ?? '';
    const facts = [
      ['Version', h('code', null, health.version ?? '–')],
      ['Outbox', outboxWords(health)], // Null for whoever is not told of sums over all organisations.
      ['Prices', h('span', null, health.prices?.version ? h('code', null, health.prices.version) : 'no price list', loaded && h('span.hint', { title: formatInstant(loaded) }, ` loaded ${agoWords(loaded, Date.now())}`))],
      ['Isolation', h('a', { href: this.deps.href('sandboxes') }, level && level !== 'none' ? `${level}${minimum ? `, ${minimum} demanded` : ''}` : minimum ? `none, ${minimum} demanded` : 'no code is run here')],
      ['Log level', this.deps.me.isOperator ? h('span.sy-level', null, this.level, h('span.hint', null, 'until this server starts again')) : h('span', null, health.log_level ?? '–')],
    ];
    return h('dl.facts', null, ...facts.filter(([, value]) => value !== null).flatMap(([name, value]) => [h('dt', null, name), h('dd', null, value)]));
  }

  #levels() {
    return h('select.filter-select', { aria: { label: 'Log level' }, onchange: async (event) => {
      const level = event.target.value;
      try {
        await this.api.setLogLevel(level);
        this.deps.say(`The log level is ${level}.`);
        this.problem.replaceChildren();
      } catch (error) {
        if (!this.deps.refused(error)) this.problem.replaceChildren(problem('The log level was not changed.', error));
      }
      this.level.blur();
      this.#load();
    } }, ...LEVELS.map((level) => h('option', { value: level }, level)));
  }
}

const part = (title, content) => h('section.sy-part', null, h('h2.section-title', null, title), content);
const number = (text, title) => h('td.is-number.num', title ? { title } : null, text);

/** @param {string[]} heads one that begins with # is of numbers. On a phone each row is a list of them. */
function table(heads, rows) {
  for (const row of rows) [...row.cells].forEach((cell, index) => { cell.dataset.head = heads[index].replace('#', ''); });
  return h('div.sp-table-box.sy-table', null, h('table.sp-table', null,
    h('thead', null, h('tr', null, ...heads.map((word) => (word.startsWith('#') ? h('th.is-number', { scope: 'col' }, word.slice(1)) : h('th', { scope: 'col' }, word))))), h('tbody', null, ...rows)));
}

function stores(rows) {
  return h('ul.sy-stores', null, ...rows.map((store) => h('li', { data: { store: store.name } }, h('strong', null, storeName(store.name)), stateMark(...storeMark(store)), h('span.num.sy-latency', { title: 'The time of one small request' }, latencyWords(store.latency_ms)),
    h('span.hint', null, store.detail ?? ''))));
}

function upstreams(rows, now, withSums) {
  if (rows.length === 0) return h('p.hint', null, 'No model is configured.');
  return table(['Model', 'Provider', ...(withSums ? ['#Calls', '#Failures'] : []), 'Last failure'], rows.map((one) => {
    const at = parseInstant(one.last_failure_at);
    return h('tr', null, h('th', { scope: 'row' }, h('code', null, one.model)), h('td', null, h('span', null, one.provider), one.host && h('span.hint', null, ` ${one.host}`)), withSums && number(formatCount(one.calls ?? 0)), withSums && number(failureWords(one)),
      h('td', null, at ? h('span', { title: formatInstant(at) }, isRecent(at, now) ? stateMark(agoWords(at, now), 'alert', 'warning') : agoWords(at, now)) : h('span.hint', null, 'none')));
  }));
}

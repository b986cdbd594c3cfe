import { h, setText } from '../shared/dom.js';
import { readAddress, withFilters } from './address.js';
import { decisionQuery, passes } from './decision-words.js';
import { DecisionFilters } from './decision-filters.js';
import { DecisionRecord } from './decision-record.js';
import { DecisionRow } from './decision-row.js';
import { empty, loading, problem, sample } from './panels.js';
import { Rows } from './rows.js';

const PAGE = 100;
/** Rows in the list; who wants older ones narrows the time. */
const ROWS_MAX = 5000;

/** The feed of decisions, filtered by the address; the opened one beside it. */
export class DecisionsPage {
  title = 'Decisions';
  isScoped = true;
  #address = readAddress('?page=decisions');
  #rows = new Rows({ max: ROWS_MAX });
  #views = new Map();
  #loaded = null; // the filters that the rows were read with
  #cursor = null;
  #ticket = 0;
  #busy = false;
  #meanwhile = []; // what was pushed while the first page is read: the answer may be older

  constructor(deps) {
    this.deps = deps;
    this.filters = new DecisionFilters({ onchange: (changes) => deps.go(withFilters(this.#address, { ...changes, id: '' })) });
    this.message = h('div');
    this.list = h('div.dc-list', { role: 'list', aria: { label: 'Decisions' } });
    this.end = h('p.dc-end.hint');
    this.feed = h('div.dc-feed', null, this.filters.element, this.message, this.list, this.end);
    this.record = new DecisionRecord({ ...deps, onclose: () => this.#close() });
    this.element = h('div.dc', null, this.feed, this.record.element);
    // The next page comes before the end is reached.
    this.atEnd = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#more(), { rootMargin: '600px' });
    this.atEnd.observe(this.end);
  }

  show(address) {
    this.#address = address;
    const { id, ...filters } = address.filters;
    this.filters.set(filters);
    this.element.classList.toggle('is-open', Boolean(id));
    this.#mark(id);
    if (id) this.record.open(id, this.#rows.get(id), filters.org);
    else this.record.close();
    const key = JSON.stringify(filters);
    if (key !== this.#loaded) this.#load(key);
  }

  /** @param {{data: object[], snapshot: boolean}} news */
  news({ data, snapshot }) {
    this.deps.seen(data);
    if (this.#loaded === null) return;
    if (snapshot) {
      this.#catchUp();
      return;
    }
    const now = Date.now();
    const passing = data.filter((row) => this.#rows.get(row.id) || passes(row, this.#address.filters, now));
    this.#rows.merge(passing);
    if (this.#busy) this.#meanwhile.push(...passing);
    this.#draw();
    for (const row of data) this.record.changed(row);
  }

  key(name) {
    if (name === '/') return this.filters.focus();
    if (name !== 'j' && name !== 'k') return undefined;
    const links = [...this.list.children];
    const at = links.findIndex((one) => one === document.activeElement || (!this.list.contains(document.activeElement) && one.hasAttribute('aria-current')));
    const next = links[Math.max(0, Math.min(links.length - 1, at + (name === 'j' ? 1 : -1)))];
    // With one open, moving reads the next; the way back leads to the list, not through all of them.
    if (this.#address.filters.id && next) this.deps.go(withFilters(this.#address, { id: next.dataset.decision }), { replace: true });
    return next?.focus();
  }

  escape() {
    if (!this.#address.filters.id) return false;
    this.#close();
    return true;
  }

  #close() {
    const { id } = this.#address.filters;
    this.deps.go(withFilters(this.#address, { id: '' }));
    this.#views.get(id)?.element.focus();
  }

  /** Something may have been missed. What was read before stays, unless more was missed than a page. */
  async #catchUp() {
    if (this.#busy) return;
    const ticket = this.#ticket;
    try {
      const page = await this.#read();
      if (ticket !== this.#ticket) return;
      const isJoined = page.cursor === null || page.data.some((row) => this.#rows.get(row.id));
      if (!isJoined) return void this.#load(this.#loaded);
      this.#rows.merge(this.#passing(page.data));
      this.#draw();
    } catch (error) {
      if (ticket === this.#ticket) this.deps.refused(error); // else the connection's own sign tells it
    }
  }

  #read(cursor) { return this.deps.api.decisions({ ...decisionQuery(this.#address.filters, Date.now()), limit: PAGE, cursor }); }

  /** The server does not filter by project, so the page does. */
  #passing(rows) { return rows.filter((row) => passes(row, { ...this.#address.filters, range: '' }, Date.now())); }

  async #load(key) {
    const ticket = ++this.#ticket;
    this.#loaded = key;
    this.#busy = true;
    this.#clear();
    this.message.replaceChildren(loading());
    try {
      const page = await this.#read();
      if (ticket !== this.#ticket) return;
      const meanwhile = this.#meanwhile;
      this.#clear();
      this.#take(page, meanwhile);
      this.message.replaceChildren(...(this.#rows.size === 0 ? [this.#teach()] : []));
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.message.replaceChildren(problem('The decisions could not be read.', error, () => this.#load(key)));
    } finally {
      if (ticket === this.#ticket) this.#settled();
    }
  }

  /** Looked at anew: a page of which little passes the filters leaves the end in sight, and that is no news to the observer. */
  #settled() {
    this.#busy = false;
    this.atEnd.unobserve(this.end);
    if (this.#cursor !== null && !this.end.querySelector('button')) this.atEnd.observe(this.end);
  }

  async #more() {
    if (this.#busy || this.#cursor === null) return;
    if (this.#rows.size >= ROWS_MAX) return;
    const ticket = this.#ticket;
    this.#busy = true;
    setText(this.end, 'Reading more…');
    try {
      const page = await this.#read(this.#cursor);
      if (ticket === this.#ticket) this.#take(page);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      const again = h('button.button', { type: 'button', onclick: () => this.#more() }, 'Try again');
      this.end.replaceChildren(`More could not be read: ${error.message} `, again);
    } finally {
      if (ticket === this.#ticket) this.#settled();
    }
  }

  #take({ data = [], cursor = null }, newer = []) {
    this.#rows.merge(this.#passing(data));
    this.#rows.merge(newer);
    this.#cursor = cursor;
    this.deps.seen(data);
    this.filters.learn(data);
    this.#draw();
    if (cursor !== null) setText(this.end, this.#rows.size >= ROWS_MAX ? `The newest ${ROWS_MAX}. Narrow the time to see older ones.` : '');
    else setText(this.end, this.#rows.size > 0 ? 'That is all.' : '');
  }

  #clear() {
    this.#rows.clear();
    this.#views.clear();
    this.#cursor = null;
    this.#meanwhile = [];
    this.list.replaceChildren();
    setText(this.end, '');
  }

  #draw() {
    const sorted = this.#rows.all.sort((a, b) => b.at - a.at || (b.seq ?? 0) - (a.seq ?? 0));
    if (sorted.length > 0 && !this.#busy) this.message.replaceChildren();
    let before = this.list.firstElementChild;
    for (const row of sorted) {
      let view = this.#views.get(row.id);
      if (!view) this.#views.set(row.id, view = new DecisionRow(row.id));
      view.update(row, (id) => this.deps.href('decisions', { ...this.#address.filters, id }));
      if (view.element === before) before = before.nextElementSibling;
      else this.list.insertBefore(view.element, before);
    }
    while (before) {
      const next = before.nextElementSibling;
      this.#views.delete(before.dataset.decision);
      before.remove();
      before = next;
    }
    this.#mark(this.#address.filters.id);
  }

  #mark(id) {
    this.list.querySelector('[aria-current]')?.removeAttribute('aria-current');
    if (id) this.#views.get(id)?.element.setAttribute('aria-current', 'true');
  }

  #teach() {
    const { id, ...filters } = this.#address.filters;
    if (Object.keys(filters).length > 0) return empty('Nothing passes these filters', 'Take one away, or choose a longer time.');
    return empty('Nothing was decided yet', 'Every call of a tool is decided, and what was decided stands here. Send a message that calls one; with the scripted model, for instance:',
      sample('@tool crm.lookup {"customer": "C-1042"}'));
  }
}

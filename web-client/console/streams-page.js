import { h, setText } from '../shared/dom.js';
import { readAddress, withFilters } from './address.js';
import { askToKill } from './kill.js';
import { empty, loading, problem, sample } from './panels.js';
import { filterStreams, SORTS, sortStreams, totals } from './stream-model.js';
import { StreamRow } from './stream-row.js';
import { VirtualList } from './virtual-list.js';
import { whyBox } from './why-box.js';

/** Drawn at most this often, however often news come. */
const DRAW_MS = 250;
/** Rows change places at most this often, and not at all under a pointer or a focus: what one aims at must not move away. */
const SORT_MS = 2000;
const HEADS = [['', 'st-state', 'State'], ['', 'st-who', 'Who'], ['', 'st-model', 'Model'], ['newest', 'st-age', 'Since'], ['', 'st-tokens', 'Tokens'], ['cost', 'st-cost', 'Cost'], ['rate', 'st-burn', 'Burns'], ['stops', 'st-stops', 'Is stopped by']];

/** The runs that live, a row each. */
export class StreamsPage {
  title = 'Streams';
  isScoped = true;
  #address = readAddress('?page=streams');
  #order = [];
  #sorted = ''; // what the order was made with
  #sortedAt = 0;
  #timer = 0;
  #shown = false;
  #chosen = '';

  constructor(deps) {
    this.deps = deps;
    this.find = h('input.filter-field.st-find', { type: 'search', placeholder: 'Find a run, user, model', spellcheck: false, maxLength: 128, aria: { label: 'Find' }, oninput: () => this.#filter({ find: this.find.value.trim() }, true) });
    this.sort = h('select.filter-select', { aria: { label: 'Order' }, onchange: () => this.#filter({ sort: this.sort.value }) }, ...Object.entries(SORTS).map(([value, word]) => h('option', { value }, word)));
    this.sum = h('p.st-sum.num', { aria: { live: 'off' } });
    this.heads = h('div.st-heads', { aria: { hidden: 'true' } }, ...HEADS.map(([sort, name, word]) => (sort
      ? h(`button.st-head.${name}`, { type: 'button', tabIndex: -1, data: { sort }, onclick: () => this.#filter({ sort }) }, word) : h(`span.st-head.${name}`, null, word))));
    this.list = new VirtualList({
      label: 'Runs', id: (row) => row.run_id,
      make: (row) => this.#made(new StreamRow(row, { href: (id) => deps.href('run', { id }), onkill: (one) => this.#kill(one) })),
    });
    this.message = h('div.st-message');
    this.element = h('div.st', null,
      h('div.tools', null, this.find, this.sort, this.sum, whyBox({ ...deps, readAddress })), this.message, this.heads, this.list.element);
    deps.streams.on('change', () => this.#later());
  }

  show(address) {
    this.#address = address;
    this.#shown = true;
    if (document.activeElement !== this.find) this.find.value = address.filters.find ?? '';
    this.sort.value = address.filters.sort ?? 'rate';
    for (const head of this.heads.querySelectorAll('[data-sort]')) head.classList.toggle('is-sorted', head.dataset.sort === this.sort.value);
    this.deps.streams.ensure();
    this.#draw();
  }

  leave() {
    this.#shown = false;
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  asked() { this.deps.streams.load(); }

  key(name) {
    if (name === '/') return this.find.select();
    const at = this.list.indexOf(this.#chosen);
    if (name === 'x') return this.#chosen && at >= 0 ? this.#kill(this.list.items[at]) : undefined;
    if (name !== 'j' && name !== 'k') return undefined;
    const next = this.list.items[Math.max(0, Math.min(this.list.items.length - 1, at + (name === 'j' ? 1 : at < 0 ? 1 : -1)))];
    return next && this.#choose(next.run_id);
  }

  escape() {
    if (!this.#chosen) return false;
    this.#mark('');
    return true;
  }

  #made(view) {
    view.open.addEventListener('focus', () => this.#mark(view.row?.run_id ?? ''));
    view.element.classList.toggle('is-chosen', view.element.dataset.run === this.#chosen);
    return view;
  }

  #choose(id) {
    this.list.reveal(id);
    this.#mark(id);
    this.list.view(id)?.open.focus({ preventScroll: true });
  }

  #mark(id) {
    this.list.view(this.#chosen)?.element.classList.remove('is-chosen');
    this.#chosen = id;
    this.list.view(id)?.element.classList.add('is-chosen');
  }

  #filter(changes, isTyping = false) { this.deps.go(withFilters(this.#address, changes), { replace: isTyping }); }

  #later() {
    if (this.#shown && !this.#timer) this.#timer = setTimeout(() => { this.#timer = 0; this.#draw(); }, DRAW_MS);
  }

  #draw() {
    const { streams, seen } = this.deps;
    if (!this.#shown) return;
    if (streams.error && this.deps.refused(streams.error)) return;
    const rows = this.#ordered();
    seen(rows.slice(0, 50));
    const sum = totals(rows);
    setText(this.sum, rows.length > 0 ? `${sum.runs} · ${sum.money} · ${sum.tokens}` : '');
    this.heads.hidden = rows.length === 0;
    this.list.element.hidden = rows.length === 0;
    this.list.set(rows);
    this.#drawMessage(rows.length, streams);
  }

  /** In order; between two sortings the places stay, what is new comes last. */
  #ordered() {
    const now = Date.now();
    const filters = { ...this.#address.filters };
    const key = JSON.stringify(filters);
    const isHeld = this.list.element.matches(':hover, :focus-within') && key === this.#sorted;
    const { all } = this.deps.streams;
    if (key !== this.#sorted || (!isHeld && now - this.#sortedAt >= SORT_MS)) {
      const sorted = sortStreams(all, filters);
      this.#order = sorted.map((row) => row.run_id);
      this.#sorted = key;
      this.#sortedAt = now;
      return sorted;
    }
    const left = new Map(filterStreams(all, filters).map((row) => [row.run_id, row]));
    const rows = [];
    for (const id of this.#order) {
      const row = left.get(id);
      if (row) rows.push(row);
      left.delete(id);
    }
    rows.push(...sortStreams([...left.values()], { sort: filters.sort }));
    this.#order = rows.map((row) => row.run_id);
    return rows;
  }

  #drawMessage(count, { state, error }) {
    const { find, sort, ...scope } = this.#address.filters;
    const key = count > 0 ? '' : state === 'loading' || state === 'idle' ? 'loading' : state === 'failed' ? `failed ${error.message}` : `empty ${find} ${JSON.stringify(scope)}`;
    if (this.message.dataset.drawn === key) return;
    this.message.dataset.drawn = key;
    if (key === '') return this.message.replaceChildren();
    if (key === 'loading') return this.message.replaceChildren(loading());
    if (state === 'failed') return this.message.replaceChildren(problem('The runs could not be read.', error, () => this.deps.streams.load()));
    if (find || Object.keys(scope).length > 0) return this.message.replaceChildren(empty('No run passes', 'Nothing that lives is in this scope and holds these words. Take one away.'));
    return this.message.replaceChildren(empty('Nothing runs', 'Each run stands here while it lives: who it is of, what it costs, and the window that will stop it. Start one:',
      sample(`curl ${location.origin}/v1/chat/completions -H "authorization: Bearer $KEY" \\\n  -H "content-type: application/json" \\\n  -d '{"model": "demo", "stream": true, "messages": [{"role": "user", "content": "@tokens 500 @rate 20"}]}'`)));
  }

  #kill(row) {
    askToKill(row, this.deps, (status) => {
      if (status !== 'requested') this.deps.streams.take({ gone: [row.run_id] });
    });
  }
}


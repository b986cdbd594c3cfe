import { h, icon, setText } from '../shared/dom.js';
import { ALL_ORGS, readAddress, withFilters } from './address.js';
import { askForBudget, askToRemove } from './budget-dialog.js';
import { toneOf, treeRows, windowOf } from './budget-model.js';
import { ScopeRow, WindowRow } from './budget-row.js';
import { empty, loading, problem, sample } from './panels.js';
import { VirtualList } from './virtual-list.js';
import { windowKey } from './stores.js';

const DRAW_MS = 250;
/** Which budgets there are is not pushed, only how they stand. */
const AGAIN_MS = 20_000;
const SHOWN = [['', 'All'], ['near', 'Over 80 %'], ['spent', 'Spent']];

/** The tree of budgets, with the bars of their windows as they are now. */
export class BudgetsPage {
  title = 'Budgets';
  isScoped = true;
  #address = readAddress('?page=budgets');
  #projects = [];
  #keys = new Map();
  #knownOf = null; // the organisation that the names were read for
  #timer = 0;
  #again = 0;
  #shown = false;

  constructor(deps) {
    this.deps = deps;
    this.find = h('input.filter-field.st-find', { type: 'search', placeholder: 'Find a project, user, key', spellcheck: false, maxLength: 128, aria: { label: 'Find' }, oninput: () => this.#filter({ find: this.find.value.trim() }, true) });
    this.choices = SHOWN.map(([value, word]) => h('button', { type: 'button', data: { value }, onclick: () => this.#filter({ at: value }) }, word));
    this.sum = h('p.st-sum.num');
    this.list = new VirtualList({
      label: 'Budgets', id: (row) => `${row.type} ${row.id}`, size: (row) => (row.type === 'scope' ? '--row-scope' : '--row'),
      make: (row) => (row.type === 'scope' ? new ScopeRow(row, { href: deps.href, onset: (scope) => this.#set(scope) })
        : new WindowRow(row, { me: deps.me, onset: (scope, window) => this.#set(scope, window), onremove: (window) => this.#remove(window) })),
    });
    this.list.element.classList.add('bg-list');
    this.message = h('div.st-message');
    this.element = h('div.st.bg', null, h('div.tools', null, this.find, h('div.choice', { role: 'group', aria: { label: 'Which' } }, ...this.choices), this.sum,
      h('button.button.primary.bg-set', { type: 'button', onclick: () => this.#set('') }, icon('plus'), 'Set a budget')), this.message, this.list.element);
    deps.windows.on('change', () => this.#later());
  }

  show(address) {
    this.#address = address;
    this.#shown = true;
    if (document.activeElement !== this.find) this.find.value = address.filters.find ?? '';
    for (const button of this.choices) button.setAttribute('aria-pressed', String(button.dataset.value === (address.filters.at ?? '')));
    this.deps.windows.ensure();
    this.#again ||= setInterval(() => this.deps.windows.load(), AGAIN_MS);
    this.#learn();
    this.#draw();
  }

  leave() {
    this.#shown = false;
    clearTimeout(this.#timer);
    clearInterval(this.#again);
    this.#timer = this.#again = 0;
  }

  asked() { this.deps.windows.load(); }

  key(name) {
    if (name === '/') return this.find.select();
    if (name !== 'j' && name !== 'k') return undefined;
    const rows = this.list.items;
    const at = rows.findIndex((row) => this.list.view(`${row.type} ${row.id}`)?.element.contains(document.activeElement));
    const step = name === 'j' ? 1 : -1;
    let next = at < 0 ? 0 : at + step;
    while (rows[next] && rows[next].type !== 'window') next += at < 0 ? 1 : step;
    if (!rows[next]) return undefined;
    const id = `${rows[next].type} ${rows[next].id}`;
    this.list.reveal(id);
    return this.list.view(id)?.element.focus({ preventScroll: true });
  }

  #filter(changes, isTyping = false) { this.deps.go(withFilters(this.#address, changes), { replace: isTyping }); }

  #org() { return this.#address.filters.org || this.deps.me.org; }

  /** The organisation whose node stands there even without a budget. */
  #one() { return this.#org() === ALL_ORGS ? '' : this.#org(); }

  /** Names that the budgets alone do not tell: projects without one, and whose each key is. */
  async #learn() {
    const org = this.#org();
    if (this.#knownOf === org) return;
    this.#knownOf = org;
    const all = async (path) => (await this.deps.api.get(path, { org, limit: 1000 }).catch(() => null))?.data ?? [];
    const [projects, keys] = await Promise.all([all('/api/admin/projects'), all('/api/admin/keys')]);
    if (this.#knownOf !== org) return;
    this.#projects = projects;
    this.#keys = new Map(keys.map((one) => [one.id, one]));
    this.deps.seen([...projects, ...keys]);
    this.#draw();
  }

  #later() {
    if (this.#shown && !this.#timer) this.#timer = setTimeout(() => { this.#timer = 0; this.#draw(); }, DRAW_MS);
  }

  #draw() {
    if (!this.#shown) return;
    const { windows: store } = this.deps;
    if (store.error && this.deps.refused(store.error)) return;
    const all = store.all.map(windowOf).filter(Boolean);
    const rows = this.#rows(all);
    const near = all.filter((window) => toneOf(window) !== 'muted').length;
    setText(this.sum, all.length > 0 ? `${all.length === 1 ? '1 budget' : `${all.length} budgets`}${near > 0 ? ` · ${near} over 80 %` : ''}` : '');
    const isEmpty = rows.length === 0 || (all.length === 0 && !rows.some((row) => row.scope.kind === 'key' || row.scope.kind === 'user'));
    this.list.element.hidden = isEmpty;
    this.list.set(isEmpty ? [] : rows);
    this.#drawMessage(all.length, isEmpty ? 0 : rows.length, store);
  }

  #rows(all) {
    const { org: _org, project, user, find = '', at = '' } = this.#address.filters;
    const words = find.toLowerCase().split(/\s+/).filter(Boolean);
    const keep = (window) => {
      if (at === 'spent' && toneOf(window) !== 'cut') return false;
      if (at === 'near' && toneOf(window) === 'muted') return false;
      const owner = window.scope.kind === 'key' ? this.#keys.get(window.scope.id) : null;
      const names = owner ? [owner.org, owner.project, owner.user ?? ''] : window.scope.id.split('/');
      // What lies above the chosen scope limits it too, and stays.
      if (project && names[1] && names[1] !== project) return false;
      if (user && names[2] && names[2] !== user) return false;
      const text = `${window.text} ${owner?.alias ?? ''} ${window.unit} ${window.model ?? ''} ${window.tool ?? ''}`.toLowerCase();
      return words.every((word) => text.includes(word));
    };
    const isFiltered = words.length > 0 || at !== '';
    const projects = isFiltered ? [] : this.#projects.filter((one) => !project || one.project === project);
    const extra = [...(this.#keys.has(find) ? [`key:${find}`] : []), ...(!isFiltered && user && project && this.#one() ? [`user:${this.#one()}/${project}/${user}`] : [])];
    return treeRows(all.filter(keep), { projects, keys: this.#keys, extra, org: isFiltered ? '' : this.#one() });
  }

  #drawMessage(count, shown, { state, error }) {
    const key = shown > 0 ? '' : state === 'loading' || state === 'idle' ? 'loading' : state === 'failed' ? `failed ${error.message}` : count > 0 ? 'filtered' : 'empty';
    if (this.message.dataset.drawn === key) return;
    this.message.dataset.drawn = key;
    const parts = {
      '': () => [], loading: () => [loading()], filtered: () => [empty('No budget passes', 'Take a word or a filter away.')],
      empty: () => [empty('Nothing is limited yet', 'A budget is an amount for a scope and a time. Nobody below it can have more, not by a token. Set one above, or on the command line:', sample(`kdcube budget set --scope org:${this.#one() || 'acme'} \\\n  --unit usd --window day --limit 5.00`))],
    };
    this.message.replaceChildren(...(parts[key] ?? (() => [problem('The budgets could not be read.', error, () => this.deps.windows.load())]))());
  }

  #set(scope, window = null) {
    const scopes = [...new Set([...(this.#one() ? [`org:${this.#one()}`] : []), ...this.#projects.map((one) => `project:${one.org}/${one.project}`), ...this.deps.windows.all.map((row) => row.scope), ...[...this.#keys.keys()].map((id) => `key:${id}`)])].slice(0, 300);
    askForBudget({ scope, window, scopes }, this.deps, (row) => this.deps.windows.put(row));
  }

  #remove(window) {
    askToRemove(window, this.deps, () => this.deps.windows.remove(windowKey(window.row)));
  }
}

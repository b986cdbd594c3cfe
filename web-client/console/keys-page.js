import { h, icon, setText } from '../shared/dom.js';
import { readAddress, withFilters } from './address.js';
import { askForKey } from './key-dialogs.js';
import { passing, STATES } from './key-model.js';
import { KeyRow } from './key-row.js';
import { empty, loading, problem, sample } from './panels.js';
import { Rows } from './rows.js';
import { WhoList } from './who-list.js';

const PAGE = 100;
const ROWS_MAX = 5000;
const TABS = [['', 'Keys'], ['who', 'Who']];

/** The keys of a scope; and who is who, for whom keys are made. */
export class KeysPage {
  title = 'Keys';
  isScoped = true;
  #address = readAddress('?page=keys');
  #rows = new Rows({ max: ROWS_MAX, newest: (row) => row.created_at ?? 0 });
  #views = new Map();
  #loaded = null;
  #cursor = null;
  #ticket = 0;
  #busy = false;
  #models = [];

  constructor(deps) {
    this.deps = { ...deps, changed: (row) => this.#put(row), rotated: (old, row) => this.#rotated(old, row), models: () => this.#models };
    this.tabs = TABS.map(([value, word]) => h('button', { type: 'button', data: { value }, onclick: () => this.#filter({ tab: value }) }, word));
    this.find = h('input.filter-field.st-find', { type: 'search', placeholder: 'Find', spellcheck: false, maxLength: 128, aria: { label: 'Find' }, oninput: () => this.#filter({ find: this.find.value.trim() }, true) });
    this.state = h('select.filter-select', { aria: { label: 'State' }, onchange: () => this.#filter({ state: this.state.value }) }, ...Object.entries(STATES).map(([value, word]) => h('option', { value }, value ? word : 'All states')));
    this.add = h('button.button.primary.bg-set', { type: 'button', onclick: () => this.#make(this.#address.filters) }, icon('plus'), 'New key');
    this.addOrg = h('button.button.bg-set', { type: 'button', onclick: () => this.who.ask('org', {}) }, icon('plus'), 'New organisation');
    this.message = h('div');
    this.list = h('div.ky-list', { role: 'list', aria: { label: 'Keys' } });
    this.end = h('p.dc-end.hint');
    this.keys = h('div.ky-box', null, this.message, this.list, this.end);
    this.who = new WhoList({ ...deps, onkey: (scope) => this.#make(scope) });
    this.element = h('div.st', null, h('div.tools', null, h('div.choice', { role: 'group', aria: { label: 'What' } }, ...this.tabs), this.find, this.state, this.addOrg, this.add), this.keys, this.who.element);
    this.atEnd = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#more(), { rootMargin: '600px' });
    this.atEnd.observe(this.end);
  }

  show(address) {
    this.#address = address;
    const { tab = '', find = '', state = '', org = '', project, user } = address.filters;
    const isWho = tab === 'who';
    for (const button of this.tabs) button.setAttribute('aria-pressed', String(button.dataset.value === tab));
    if (document.activeElement !== this.find) this.find.value = find;
    this.state.value = state;
    this.keys.hidden = isWho;
    this.state.hidden = isWho;
    this.who.element.hidden = !isWho;
    this.addOrg.hidden = !isWho || !this.deps.me.isOperator;
    if (isWho) this.who.find(find);
    const key = JSON.stringify({ isWho, org, ...(isWho ? {} : { project, user, state }) });
    if (key === this.#loaded) return void this.#draw();
    this.#loaded = key;
    if (isWho) this.who.load(org);
    else this.#load();
    this.#learn();
  }

  leave() { this.#loaded = null; }

  asked() {}

  key(name) {
    if (name === '/') return this.find.select();
    if (name !== 'j' && name !== 'k') return undefined;
    if (this.#address.filters.tab === 'who') return this.who.move(name === 'j' ? 1 : -1);
    const lines = [...this.list.querySelectorAll('.ky:not([hidden]) > summary')];
    const at = lines.findIndex((line) => line.parentElement.contains(document.activeElement));
    return lines[Math.max(0, Math.min(lines.length - 1, at + (name === 'j' ? 1 : -1)))]?.focus();
  }

  escape() {
    const open = this.list.querySelector('.ky[open]');
    if (!open) return false;
    open.open = false;
    open.querySelector('summary').focus();
    return true;
  }

  #filter(changes, isTyping = false) { this.deps.go(withFilters(this.#address, changes), { replace: isTyping }); }

  #read(cursor) {
    const { org, project, user, state } = this.#address.filters;
    return this.deps.api.get('/api/admin/keys', { org, project, user, state, limit: PAGE, cursor });
  }

  async #load() {
    const ticket = ++this.#ticket;
    this.#busy = true;
    this.#rows.clear();
    this.#views.clear();
    this.#cursor = null;
    this.list.replaceChildren();
    setText(this.end, '');
    this.message.replaceChildren(loading());
    try {
      const page = await this.#read();
      if (ticket !== this.#ticket) return;
      this.message.replaceChildren();
      this.#take(page);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.message.replaceChildren(problem('The keys could not be read.', error, () => this.#load()));
    } finally {
      if (ticket === this.#ticket) this.#settled();
    }
  }

  async #more() {
    if (this.#busy || this.#cursor === null || this.#rows.size >= ROWS_MAX) return;
    const ticket = this.#ticket;
    this.#busy = true;
    try {
      const page = await this.#read(this.#cursor);
      if (ticket === this.#ticket) this.#take(page);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.end.replaceChildren(`More could not be read: ${error.message} `, h('button.button', { type: 'button', onclick: () => this.#more() }, 'Try again'));
    } finally {
      if (ticket === this.#ticket) this.#settled();
    }
  }

  #settled() {
    this.#busy = false;
    this.#draw();
    this.atEnd.unobserve(this.end);
    if (this.#cursor !== null) this.atEnd.observe(this.end);
  }

  #take({ data = [], cursor = null }) {
    this.#rows.merge(data);
    this.#cursor = cursor;
    this.deps.seen(data);
    this.#draw();
  }

  #put(row) {
    const isNew = !this.#rows.get(row.id);
    const { key: _secret, ...known } = row;
    this.#rows.merge([known]);
    this.#views.get(row.id)?.update(this.#rows.get(row.id));
    this.#draw();
    if (isNew) this.#views.get(row.id)?.element.classList.add('is-new');
  }

  async #rotated(old, row) {
    this.#put(row);
    try {
      this.#put(await this.deps.api.get(`/api/admin/keys/${encodeURIComponent(old.id)}`));
    } catch {
      // The list says it at the next look; the new key is what matters now.
    }
  }

  #draw() {
    if (this.#address.filters.tab === 'who') return;
    const shown = passing(this.#rows.all, this.#address.filters).sort((a, b) => (b.created_at ?? 0) - (a.created_at ?? 0));
    for (const row of shown) if (!this.#views.has(row.id)) this.#views.set(row.id, new KeyRow(row, this.deps));
    const elements = shown.map((row) => this.#views.get(row.id).element);
    const isSame = elements.length === this.list.childElementCount && elements.every((element, at) => this.list.children[at] === element);
    if (!isSame) this.list.replaceChildren(...elements);
    if (this.#busy && this.#rows.size === 0) return;
    setText(this.end, shown.length === 0 ? '' : this.#cursor !== null ? '' : shown.length === 1 ? 'One key.' : `${shown.length} keys.`);
    if (this.#busy || this.message.querySelector('.is-problem')) return;
    this.message.replaceChildren(...(shown.length === 0 ? [this.#teach()] : []));
  }

  #teach() {
    const { tab, id, ...filters } = this.#address.filters;
    if (Object.keys(filters).length > 0) return empty('No key passes', 'In this scope and with these filters there is none. Take one away, or make a key here.');
    return empty('There is no key yet', 'Every answer is paid for by a key. Make one above, or on the command line:', sample(`kdcube keys create --org ${this.deps.me.org} --project web --user ana`));
  }

  /** Names that the form offers. */
  async #learn() {
    if (this.#models.length > 0) return;
    this.#models = await this.deps.api.get('/v1/models').then((answer) => (answer?.data ?? []).map((one) => one.id), () => []);
  }

  async #make({ org, project, user }) {
    const { me, api } = this.deps;
    const of = org || me.org;
    const names = async (path, name) => [...new Set(((await api.get(path, { org: of, limit: 200 }).catch(() => null))?.data ?? []).map((one) => one[name]))];
    const [projects, users, orgs] = await Promise.all([names('/api/admin/projects', 'project'), names('/api/admin/users', 'user'), me.isOperator ? names('/api/admin/orgs', 'org') : []]);
    askForKey({ org: of, project, user, isOperator: me.isOperator, offers: { orgs, projects, users, models: this.#models } }, this.deps, (row) => {
      this.#put(row);
      this.deps.seen([row]);
      if (this.#address.filters.tab === 'who') this.who.load(this.#address.filters.org ?? '');
    });
  }
}

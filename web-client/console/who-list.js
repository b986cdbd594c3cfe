import { h, icon, setText } from '../shared/dom.js';
import { ALL_ORGS } from './address.js';
import { ask, labelled, textField, wrong } from './dialog.js';
import { nameProblem, whoRows } from './key-model.js';
import { loading, problem } from './panels.js';
import { VirtualList } from './virtual-list.js';

const KINDS = { org: 'Organisation', project: 'Project', user: 'User' };
const BELOW = { org: ['project', 'New project'], project: ['user', 'New user'] };

/** Organisations, their projects, their users: made, renamed, and the way to the keys of each. */
export class WhoList {
  #data = { orgs: [], projects: [], users: [] };
  #ticket = 0;
  #made = 0; // answers to what was made or renamed here

  /** @param {{onkey: (scope: object) => void}} deps besides those of a page */
  constructor(deps) {
    this.deps = deps;
    this.message = h('div.st-message');
    this.list = new VirtualList({ label: 'Who', id: (row) => row.id, make: (row) => new WhoRow(row, this) });
    this.list.element.classList.add('who-list');
    this.element = h('div.who-box', null, this.message, this.list.element);
  }

  get known() { return this.#data; }

  async load(org) {
    const [ticket, made] = [++this.#ticket, this.#made];
    const { api, me } = this.deps;
    if (this.list.items.length === 0) this.message.replaceChildren(loading());
    try {
      const read = async (path, query) => (await api.get(path, { ...query, limit: 1000 }))?.data ?? [];
      const of = me.isOperator ? org : org || me.org;
      const [orgs, projects, users] = await Promise.all([read('/api/admin/orgs', {}), read('/api/admin/projects', { org: of }), read('/api/admin/users', { org: of })]);
      if (ticket !== this.#ticket) return;
      if (made !== this.#made) return this.load(org); // what was read is older than that
      this.#data = { orgs: org && org !== ALL_ORGS ? orgs.filter((one) => one.org === org) : orgs, projects, users };
      this.deps.seen([...orgs, ...projects, ...users]);
      this.message.replaceChildren();
      this.draw();
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.message.replaceChildren(problem('Who is who could not be read.', error, () => this.load(org)));
    }
  }

  find(text) {
    this.text = text.toLowerCase();
    this.draw();
  }

  /** To the next row, or back. */
  move(step) {
    const rows = this.list.items;
    const at = rows.findIndex((row) => this.list.view(row.id)?.element.contains(document.activeElement));
    const next = rows[Math.max(0, Math.min(rows.length - 1, at + (at < 0 ? 1 : step)))];
    if (!next) return;
    this.list.reveal(next.id);
    this.list.view(next.id)?.element.querySelector('a').focus({ preventScroll: true });
  }

  draw() {
    const rows = whoRows(this.#data);
    this.list.set(this.text ? rows.filter((one) => `${one.id} ${one.row.name ?? ''}`.toLowerCase().includes(this.text)) : rows);
  }

  /** Makes one, or gives it another name. */
  ask(kind, above, row = null) {
    const name = textField(kind, { value: row?.[kind] ?? '', placeholder: { org: 'acme', project: 'web', user: 'ana' }[kind], maxLength: 128, disabled: Boolean(row), autofocus: !row });
    const title = textField('name', { value: row?.name ?? '', placeholder: { org: 'Acme Inc.', project: 'Web shop', user: 'Ana Gomes' }[kind], maxLength: 200, autofocus: Boolean(row) });
    const where = [above.org, above.project].filter(Boolean).join('/');
    ask({
      title: row ? `Rename this ${KINDS[kind].toLowerCase()}` : `New ${KINDS[kind].toLowerCase()}${where ? ` in ${where}` : ''}`, action: row ? 'Rename' : 'Make it',
      body: [!row && labelled('Name', name, 'As it stands in scopes and addresses; it cannot be changed'), labelled('Called', title, 'For people; may be empty')],
      onsubmit: async () => {
        const own = row?.[kind] ?? name.value.trim();
        const fault = nameProblem(own, KINDS[kind].toLowerCase());
        if (fault) throw wrong(fault, kind);
        const parts = [above.org, above.project, own].filter(Boolean).map(encodeURIComponent).join('/');
        try {
          const made = await this.deps.api.send('PUT', `/api/admin/${kind}s/${parts}`, { name: title.value.trim() || null });
          this.#put(kind, { ...above, keys: 0, ...row, [kind]: own, name: title.value.trim() || null, ...made });
          this.deps.say(row ? 'It was renamed.' : `The ${KINDS[kind].toLowerCase()} was made.`);
        } catch (error) {
          if (!this.deps.refused(error)) throw error;
        }
      },
    });
  }

  #put(kind, made) {
    this.#made += 1;
    const names = ['org', 'project', 'user'].slice(0, ['org', 'project', 'user'].indexOf(kind) + 1);
    const rows = this.#data[`${kind}s`].filter((one) => !names.every((name) => one[name] === made[name]));
    this.#data = { ...this.#data, [`${kind}s`]: [...rows, made] };
    this.draw();
    this.list.reveal(`${kind}:${names.map((name) => made[name]).join('/')}`);
  }
}

class WhoRow {
  constructor({ type, id, depth, row }, list) {
    const { href, onkey } = list.deps;
    this.type = type;
    this.title = h('span.bg-alias');
    this.count = h('a.hint.num', { href: href('keys', { tab: '', ...scopeOf(type, row) }) });
    const below = BELOW[type];
    const add = (word, sign, act) => h('button.quiet', { type: 'button', aria: { label: `${word} in ${row[type]}` }, onclick: act }, icon(sign), h('span', null, word));
    this.element = h('div.who-row', { role: 'listitem', data: { who: id, kind: type } }, h('span.bg-kind', null, KINDS[type]), h('strong', null, row[type]), this.title, this.count, h('a.hint.who-budgets', { href: href('budgets', scopeOf(type, row)) }, 'Budgets'),
      h('span.who-acts', null, h('button.quiet.who-name', { type: 'button', title: 'Rename', aria: { label: `Rename ${row[type]}` }, onclick: () => list.ask(type, aboveOf(type, row), this.row) }, icon('edit')),
        below && add(below[1], 'plus', () => list.ask(below[0], scopeOf(type, row))), type !== 'org' && add('New key', 'key', () => onkey(scopeOf(type, row)))));
    this.element.style.setProperty('--depth', String(depth));
  }

  update({ row }) {
    this.row = row;
    setText(this.title, row.name ?? '');
    setText(this.count, row.keys === 1 ? '1 key' : `${row.keys ?? 0} keys`);
  }
}

const scopeOf = (type, { org, project, user }) => ({ org, ...(type !== 'org' ? { project } : {}), ...(type === 'user' ? { user } : {}) });
const aboveOf = (type, { org, project }) => ({ ...(type !== 'org' ? { org } : {}), ...(type === 'user' ? { project } : {}) });

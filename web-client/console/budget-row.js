import { h, icon, setText } from '../shared/dom.js';
import { formatInstant, formatReset } from '../shared/time.js';
import { Bar } from './bar.js';
import { lockWords, resetWords, scopeWords, subject } from './budget-model.js';

/** A scope of the tree: whose the windows below it are. */
export class ScopeRow {
  constructor(row, { onset, href }) {
    const { scope } = row;
    const [kind, name] = scopeWords(scope);
    const parts = scope.id.split('/');
    const filters = scope.kind === 'key' ? { find: scope.id } : Object.fromEntries(['org', 'project', 'user'].slice(0, parts.length).map((one, at) => [one, parts[at]]));
    this.name = h('strong', null, name);
    this.alias = h('span.bg-alias', { hidden: true });
    this.count = h('span.hint');
    this.element = h('div.bg-scope', { role: 'listitem', data: { scope: row.id, kind: scope.kind } }, h('span.bg-kind', null, kind), this.name, this.alias, this.count,
      h('span.bg-links', null, scope.kind !== 'key' && h('a.hint', { href: href('streams', filters) }, 'Streams'), h('a.hint', { href: href('keys', filters) }, scope.kind === 'key' ? 'The key' : 'Keys')),
      h('button.quiet', { type: 'button', aria: { label: `Set a budget for ${kind} ${name}` }, onclick: () => onset(row.id) }, icon('plus'), h('span', null, 'Budget')));
    this.element.style.setProperty('--depth', String(row.depth));
  }

  update({ count, name }) {
    setText(this.count, count === 0 ? 'no budget of its own' : '');
    this.alias.hidden = !name;
    setText(this.alias, name ?? '');
  }
}

/** One window: what it counts, its bar, and when it begins anew. Changes in place. */
export class WindowRow {
  constructor(row, { me, onset, onremove }) {
    this.me = me;
    this.subject = h('span.bg-subject');
    this.reset = h('span.hint.num');
    this.bar = new Bar();
    this.edit = h('button.quiet', { type: 'button', title: 'Change the limit', onclick: () => onset(this.window.text, this.window) }, icon('edit'));
    this.remove = h('button.quiet', { type: 'button', title: 'Remove the budget', onclick: () => onremove(this.window) }, icon('trash'));
    this.lock = h('span.bg-lock.hint', { hidden: true, tabIndex: 0, role: 'note' }, icon('lock'), h('span', null, 'Operator’s'));
    this.element = h('div.bg-window', { role: 'listitem', tabIndex: -1, data: { window: row.id }, onkeydown: (event) => event.key === 'Enter' && event.target === this.element && !lockWords(this.window, me) && onset(this.window.text, this.window) }, h('div.bg-what', null, this.subject, this.reset), this.bar.element,
      h('span.bg-actions', null, this.lock, this.edit, this.remove));
    this.element.style.setProperty('--depth', String(row.depth));
  }

  update({ window }) {
    this.window = window;
    const words = subject(window);
    setText(this.subject, words);
    setText(this.reset, resetWords(window, Date.now()));
    this.reset.title = window.resetsAt && window.period !== 'total' ? `${formatReset(window.resetsAt, Date.now())}, ${formatInstant(window.resetsAt)}` : '';
    this.bar.update(window);
    const why = lockWords(window, this.me);
    this.lock.hidden = !why;
    this.edit.hidden = this.remove.hidden = Boolean(why);
    this.lock.title = why;
    if (why) this.lock.setAttribute('aria-label', why);
    const whose = scopeWords(window.scope).join(' ');
    this.edit.setAttribute('aria-label', `Change the limit: ${words}, ${whose}`);
    this.remove.setAttribute('aria-label', `Remove the budget: ${words}, ${whose}`);
  }
}

import { copyButton, h, icon, setText } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { askToChange, askToRevoke, askToRotate } from './key-dialogs.js';
import { endsSoon, keyMark, keyName, lifeWords, usedWords, whoWords } from './key-model.js';
import { stateMark } from './panels.js';

/** A key as a line; opened, all of it and what can be done. Its secret is nowhere. */
export class KeyRow {
  constructor(key, deps) {
    this.deps = deps;
    this.name = h('span.ky-name');
    this.who = h('span.ky-who');
    this.roles = h('span.ky-roles');
    this.used = h('span.ky-used.num');
    this.life = h('span.ky-life.num');
    this.state = h('span.ky-state');
    this.body = h('div.ky-body');
    this.problem = h('p.ap-problem', { role: 'alert' });
    this.element = h('details.ky', { role: 'listitem', data: { key: key.id }, ontoggle: () => this.#opened() },
      h('summary', null, this.name, this.who, this.roles, this.used, this.life, this.state, icon('chevron')), h('div.ky-inside', null, this.body, this.problem));
    this.update(key);
  }

  update(key) {
    const now = Date.now();
    this.key = key;
    this.element.dataset.state = key.state;
    setText(this.name, keyName(key));
    this.name.classList.toggle('is-id', !key.alias);
    setText(this.who, whoWords(key, this.deps.me.isOperator));
    this.roles.replaceChildren(...(key.roles ?? []).map((role) => h('span.tag', null, role)));
    setText(this.used, usedWords(key, now));
    this.used.title = key.last_used_at ? formatInstant(key.last_used_at) : '';
    setText(this.life, lifeWords(key, now));
    this.life.title = key.expires_at ? formatInstant(key.expires_at) : '';
    this.life.dataset.tone = endsSoon(key, now) ? 'warning' : 'muted';
    this.state.replaceChildren(stateMark(...keyMark(key)));
    if (this.element.open) this.#draw();
  }

  #opened() {
    if (this.element.open) this.#draw();
    else this.body.replaceChildren();
  }

  #draw() {
    const { key } = this;
    const { href } = this.deps;
    const instant = (value) => (value ? formatInstant(value) : null);
    const facts = [['Id', h('span', null, h('code', null, key.id), copyButton('Copy', () => key.id))], ['Of', `${key.org}/${key.project}${key.user ? `/${key.user}` : ''}`], ['Identity', key.identity],
      ['Kind', key.kind === 'service_account' ? 'service account' : 'key'], ['May call', key.models?.length > 0 ? key.models.join(', ') : 'every model'], ['When a connection is lost', key.on_disconnect],
      ['Made', instant(key.created_at)], ['Last used', instant(key.last_used_at) ?? 'never'], ['Good until', instant(key.expires_at) ?? (key.state === 'revoked' ? null : 'for ever')], ['Revoked', instant(key.revoked_at)],
      ...Object.entries(key.metadata ?? {}).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)])].filter(([, value]) => value);
    const lives = key.state !== 'revoked';
    this.body.replaceChildren(
      h('dl.facts', null, ...facts.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, value)])),
      h('p.links', null, h('a', { href: href('budgets', { find: key.account ?? key.id }) }, 'Its budgets'), h('a', { href: href('streams', { find: key.account ?? key.id }) }, 'What it runs'), key.user && h('a', { href: href('decisions', { user: key.user }) }, `Decisions about ${key.user}`)),
      ...(lives ? [h('div.ap-actions', null,
        this.#button('rotate', 'Rotate', () => askToRotate(key, this.deps, (row) => this.deps.rotated(key, row))),
        this.#button(key.blocked ? 'check' : 'stop', key.blocked ? 'Unblock' : 'Block', () => this.#block(!key.blocked)),
        this.#button('edit', 'Change', () => askToChange(key, this.deps, (row) => this.update({ ...key, ...row }), this.deps.models())),
        this.#button('deny', 'Revoke', () => askToRevoke(key, this.deps, (row) => this.deps.changed({ ...key, state: 'revoked', revoked_at: Date.now(), ...row }))))] : []));
  }

  #button(sign, word, act) { return h('button.button', { type: 'button', onclick: act }, icon(sign), word); }

  async #block(blocked) {
    setText(this.problem, '');
    try {
      const row = await this.deps.api.send('PATCH', `/api/admin/keys/${encodeURIComponent(this.key.id)}`, { blocked });
      this.deps.changed({ ...this.key, blocked, state: blocked ? 'blocked' : 'active', ...row });
      this.deps.say(blocked ? 'The key is blocked.' : 'The key may be used again.');
    } catch (error) {
      if (!this.deps.refused(error)) setText(this.problem, `Not changed: ${error.message}${error.requestId ? ` (request ${error.requestId})` : ''}`);
    }
  }
}

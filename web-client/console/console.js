import { Announcer } from '../chat/announcer.js';
import { ConnectionView } from '../shared/connection-view.js';
import { byId, h, icon } from '../shared/dom.js';
import { setUpKeyboard } from '../shared/keyboard.js';
import { formatClock } from '../shared/time.js';
import { goTo, readAddress, withFilters, writeAddress } from './address.js';
import { ConsoleApi } from './api.js';
import { ApprovalsStore } from './approvals-store.js';
import { countApprovals, pageTitle } from './approvals-model.js';
import { KINDS } from './kinds.js';
import { Live } from './live.js';
import { loading, problem } from './panels.js';
import { Rail } from './rail.js';
import { ScopePicker } from './scope-picker.js';
import { NowStore, StreamsStore, WindowsStore } from './stores.js';

const KEYS = [
  ['j  k', 'Next, previous'], ['x', 'End the chosen run, with a reason'], ['a', 'Approve the chosen one, with a reason'], ['d', 'Deny it, with a reason'], ['Enter', 'Open; after a or d: decide'], ['/', 'Filter'],
  ['Esc', 'Close; leave a field'], ['?', 'These keys'],
];

/** The console: who is signed in, the page that the address names, and the news that all pages share. */
export class Console {
  #session = null; // {api, me, approvals, pages, watch, org, live}
  #page = null;
  #address = readAddress(location.search);
  #ticket = 0;

  /** @param {{onsignout: (error?: Error) => void}} deps */
  constructor(deps) {
    this.deps = deps;
    this.announcer = new Announcer(byId('announce'));
    this.connection = new ConnectionView(byId('connection'), { onretry: () => this.retryNow() });
    this.rail = new Rail(byId('pages'));
    this.scope = new ScopePicker(byId('scope'), { onchange: (changes) => this.go(withFilters(this.#address, { ...changes, id: '' })) });
    const help = setUpKeyboard(byId('keys'), KEYS, {
      Escape: () => this.#page?.escape?.() ?? false,
      ...Object.fromEntries(['j', 'k', 'a', 'd', 'x', '/'].map((key) => [key, () => this.#page?.key?.(key)])),
    });
    byId('help').addEventListener('click', help);
    byId('signout').addEventListener('click', () => this.deps.onsignout());
    addEventListener('popstate', () => this.#show(readAddress(location.search)));
    document.addEventListener('click', (event) => this.#clicked(event));
  }

  /** Shows a panel (the key) in place of everything. */
  block(panel) {
    byId('console').classList.add('is-blocked');
    byId('page').replaceChildren(panel);
    byId('identity').replaceChildren();
    byId('stale').hidden = true;
    document.title = 'Console · KDCube';
  }

  async start(token) {
    const ticket = ++this.#ticket;
    const api = new ConsoleApi({ token });
    const session = { api, live: null, me: null, approvals: null, pages: {}, org: null };
    this.#session = session;
    byId('page').replaceChildren(loading());
    try {
      const [me, isAdmin] = await Promise.all([api.whoAmI(), this.#isAdmin(api)]);
      if (ticket !== this.#ticket) return;
      session.me = { org: me.org, project: me.project, user: me.user ?? null, isAdmin, isOperator: me.roles?.includes('operator') ?? false };
    } catch (error) {
      if (ticket !== this.#ticket || this.refused(error)) return;
      byId('console').classList.add('is-blocked');
      byId('page').replaceChildren(problem('The console could not be opened.', error, () => this.start(token)));
      return;
    }
    this.#open(session, token);
  }

  /** @returns {boolean} whether somebody was signed in. */
  stop() {
    if (!this.#session) return false;
    this.#ticket += 1;
    this.#session.live?.stop();
    this.#page?.leave?.();
    this.#page = null;
    this.#session = null;
    return true;
  }

  retryNow() { this.#session?.live?.retryNow(); }

  /** Goes to an address; `replace` where the way back shall not stop here. */
  go(address, { replace = false } = {}) {
    const search = writeAddress(address);
    // Enter in a field is both a change and a submission: one step back shall undo it.
    history[replace || search === location.search ? 'replaceState' : 'pushState'](null, '', search);
    this.#show(address);
  }

  /** @returns {boolean} whether the key was refused: then the person is asked for another. */
  refused(error, session = this.#session) {
    if (error?.status !== 401) return false;
    // A late answer to a key that was taken back is not about the one that came after it.
    if (session === this.#session) this.deps.onsignout(error);
    return true;
  }

  async #isAdmin(api) {
    try {
      await api.approvals(true, { limit: 1 });
      return true;
    } catch (error) {
      if (error.status === 403) return false;
      throw error;
    }
  }

  #open(session, token) {
    const { api, me } = session;
    session.approvals = new ApprovalsStore(api, { isAdmin: me.isAdmin, onchange: () => this.#counted(), onerror: (error) => this.refused(error, session) });
    // Where none is chosen it is one's own, as for what is pushed: an operator asks for all by `*`.
    const org = () => session.org || me.org;
    session.stores = { streams: new StreamsStore({ api, org }), windows: new WindowsStore({ api, org }), now: new NowStore({ api, org }) };
    const deps = {
      api, me, approvals: session.approvals, ...session.stores, say: (text) => this.announcer.say(text), refused: (error) => this.refused(error, session),
      go: (address, options) => this.go(address, options), seen: (rows) => this.scope.learn(rows),
      href: (page, filters) => writeAddress(goTo(this.#address, page, filters)),
    };
    for (const [name, Page] of Object.entries(KINDS)) if (me.isAdmin || name === 'approvals') session.pages[name] = new Page(deps);
    session.watch = (org) => this.#watch(session, token, org);
    byId('console').classList.remove('is-blocked');
    this.rail.set(Object.keys(session.pages));
    this.#identify(me);
    this.#show(readAddress(location.search));
  }

  /** What is pushed is of one organisation: that of the scope, else one's own. */
  #watch(session, token, org) {
    const { me } = session;
    session.org = org;
    session.live?.stop();
    session.live = new Live({ io: globalThis.io, token, org, isAdmin: me.isAdmin, ask: () => session.approvals.askPending() });
    session.live.on('connection', (connection) => {
      this.connection.set(connection);
      this.#tellStale(connection);
      if (connection.state === 'refused') this.refused({ status: 401, message: 'It is not valid any more.' }, session);
    });
    session.live.on('approvals', (news) => {
      this.scope.learn(news.data);
      session.approvals.take(news);
    });
    session.live.on('decisions', (news) => session.pages.decisions?.news(news));
    for (const [topic, store] of Object.entries(session.stores)) {
      store.clear();
      session.live.on(topic, (news) => store.take(news));
    }
    session.live.on('asked', () => this.#page?.asked?.());
    session.approvals.setOrg(org);
    session.live.start();
  }

  #show(address) {
    const session = this.#session;
    if (!session?.me) return;
    // Whoever is no admin has one page and no scope: a filter that nobody sees would hide what waits for them.
    const isHere = session.pages[address.page] && session.me.isAdmin;
    const page = isHere ? address.page : 'approvals';
    this.#address = isHere ? address : { page, filters: {} };
    if (!isHere) history.replaceState(null, '', writeAddress(this.#address));
    const next = session.pages[page];
    if (next !== this.#page) {
      this.#page?.leave?.();
      byId('page').replaceChildren(next.element);
      byId('page').scrollTop = 0;
    }
    this.#page = next;
    const org = this.#address.filters.org ?? '';
    if (org !== session.org) session.watch(org);
    byId('console').dataset.page = page;
    byId('title').textContent = next.title;
    byId('scope').hidden = !session.me.isAdmin || !next.isScoped;
    this.scope.set(this.#address.filters);
    this.rail.select(page, (name) => writeAddress(goTo(this.#address, name)));
    next.show(this.#address);
    this.#counted();
  }

  #counted() {
    if (!this.#session?.approvals || !this.#page) return;
    const counts = countApprovals(this.#session.approvals.rows);
    this.rail.count(counts);
    document.title = pageTitle(this.#page.title, counts);
    if (this.#page === this.#session.pages.approvals) this.#page.draw();
  }

  /** What is on the page may be old: said as soon as the connection is lost, with the time up to which it is right. */
  #tellStale({ state, since }) {
    const isStale = state === 'waiting' || (state === 'connecting' && !byId('stale').hidden);
    byId('stale').hidden = !isStale;
    if (isStale) byId('stale').textContent = `There is no connection. What you see is as of ${formatClock(since, true)}.`;
  }

  #identify(me) {
    byId('identity').replaceChildren(
      h('span.who', null, h('strong', null, `${me.user ?? 'Key without a user'}${me.isAdmin ? ' · admin' : ''}`), h('span', null, `${me.org}/${me.project}`)),
      h('button.quiet', { type: 'button', onclick: () => this.deps.onsignout(), title: 'Change the key', aria: { label: 'Change the key' } }, icon('key')));
  }

  /** Links within the console change the page without loading it again; with a modifier the browser does as ever. */
  #clicked(event) {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const href = event.target.closest?.('a')?.getAttribute('href');
    if (!href?.startsWith('?')) return;
    event.preventDefault();
    this.go(readAddress(href));
  }
}

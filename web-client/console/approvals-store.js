import { isPending } from '../shared/approvals.js';
import { Rows } from './rows.js';

/** Those that wait are few; more than this is a fault of a policy, and the page says so. */
const PENDING_PAGE = 200;
const OVER_PAGE = 50;

/** The approvals that this key sees: loaded in pages, changed by news. */
export class ApprovalsStore {
  #rows = new Rows({ max: 2000, newest: (row) => row.created_at ?? 0 });
  #cursor = null;
  #org = '';
  #ticket = 0;
  #decided = 0; // answers to decisions so far
  #meanwhile = null; // what was pushed while everything is read: the answer may be older
  state = 'loading'; // ready, failed
  error = null;

  /** @param {{isAdmin: boolean, onchange: () => void, onerror: (error: Error) => boolean}} deps */
  constructor(api, deps) {
    this.api = api;
    this.deps = deps;
  }

  get rows() { return this.#rows.all; }
  get hasMore() { return this.#cursor !== null; }

  /** Approvals are of one organisation; an operator may look at another than their own. */
  setOrg(org) {
    this.#org = org;
    this.#rows.clear();
    this.state = 'loading';
    return this.load();
  }

  /** Everything again: at the start, and when news may have been missed. */
  async load() {
    const ticket = ++this.#ticket;
    this.#meanwhile = [];
    try {
      const [waiting, all] = await Promise.all([this.#page('pending', PENDING_PAGE), this.#page('all', OVER_PAGE)]);
      if (ticket !== this.#ticket) return;
      this.#rows.clear();
      this.#rows.merge(all.data);
      this.#rows.merge(waiting.data);
      this.#rows.merge(this.#meanwhile);
      this.#meanwhile = null;
      this.#cursor = all.cursor ?? null;
      this.state = 'ready';
      this.error = null;
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.onerror(error)) return;
      this.#meanwhile = null;
      if (this.state !== 'ready') this.state = 'failed';
      this.error = error;
    }
    this.deps.onchange();
  }

  async more() {
    const ticket = this.#ticket;
    const page = await this.#page('all', OVER_PAGE, this.#cursor);
    if (ticket !== this.#ticket) return;
    this.#rows.merge(page.data);
    this.#cursor = page.cursor ?? null;
    this.deps.onchange();
  }

  /** For those who have no push. What was decided while it was on its way is newer, so it is asked again. @returns {Promise<object[]>} */
  async askPending() {
    for (;;) {
      const decided = this.#decided;
      const { data } = await this.#page('pending', PENDING_PAGE);
      if (decided === this.#decided) return data ?? [];
    }
  }

  /** @param {{data: object[], snapshot: boolean}} news */
  take({ data, snapshot }) {
    const known = new Set(this.#rows.all.filter(isPending).map((row) => row.id));
    const told = new Set(data.map((row) => row.id));
    const added = this.#rows.merge(data);
    this.#meanwhile?.push(...data);
    const isMissing = snapshot && [...known].some((id) => !told.has(id));
    // What is pushed to everybody may not say what this person may do.
    const isUnsure = added.some((row) => isPending(row) && row.may_decide === undefined);
    if (isMissing || isUnsure) this.load();
    else this.deps.onchange();
  }

  /** What the answer to a decision says. */
  put(approval) {
    if (!approval?.id) return;
    this.#decided += 1;
    this.#rows.merge([approval]);
    this.#meanwhile?.push(approval);
    this.deps.onchange();
  }

  #page(state, limit, cursor) { return this.api.approvals(this.deps.isAdmin, { state, limit, cursor, org: this.#org }); }
}

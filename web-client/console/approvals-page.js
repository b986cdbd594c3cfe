import { h, setText } from '../shared/dom.js';
import { askedBy, sameThing, sortApprovals } from './approvals-model.js';
import { ApprovalView, overRow } from './approval-view.js';
import { EarlierDecisions } from './earlier.js';
import { empty, loading, problem, sample } from './panels.js';

const RULE = `@id("refund-large")
@approval("group:finance quorum:2 timeout:30m")
permit (principal, action == Action::"payments.refund", resource)
when { context.args.amount.greaterThan(decimal("100.00")) };`;

/** A card that was decided here stays this long, so that one sees what came of it. */
const LINGER_MS = 4000;

/** The page of approvals: cards by time left, and under them what is over. */
export class ApprovalsPage {
  title = 'Approvals';
  isScoped = true;
  #views = new Map();
  #over = new Map();
  #leaving = new Map(); // id → when its card goes to the list
  #chosen = '';
  #filters = {};
  #timer = 0;

  constructor(deps) {
    this.deps = deps;
    this.earlier = deps.me.isAdmin ? new EarlierDecisions(deps.api) : null;
    this.message = h('div');
    this.cards = h('div.ap-cards', { role: 'list', aria: { label: 'Waiting' } });
    this.overTitle = h('h2.section-title', null, 'Decided');
    this.overList = h('div.over-list');
    this.more = h('button.button', { type: 'button', onclick: () => this.#more() }, 'Show earlier ones');
    this.element = h('div.narrow', null, this.message, this.cards, this.overTitle, this.overList, this.more);
  }

  show({ filters }) {
    this.#filters = filters;
    this.draw();
    this.#timer ||= setInterval(() => this.#tick(), 1000);
  }

  leave() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  draw() {
    const { approvals, seen } = this.deps;
    seen(approvals.rows);
    const { waiting, over } = sortApprovals(approvals.rows, this.#filters);
    const shown = [...waiting, ...over.filter((row) => this.#leaving.has(row.id))];
    this.#drawCards(shown);
    const done = over.filter((row) => !this.#leaving.has(row.id));
    this.#drawOver(done);
    this.#drawMessage(this.#views.size, approvals);
  }

  key(name) {
    const ids = [...this.cards.children].map((card) => card.dataset.approval);
    const at = ids.indexOf(this.#chosen);
    if (name === 'j' || name === 'k') {
      const next = ids[Math.max(0, Math.min(ids.length - 1, at + (name === 'j' ? 1 : at < 0 ? 1 : -1)))];
      this.#views.get(next)?.element.focus();
      return;
    }
    if (name !== 'a' && name !== 'd') return;
    const view = this.#views.get(this.#chosen) ?? (ids.length === 1 ? this.#views.get(ids[0]) : null);
    if (view) view.arm(name === 'a' ? 'approve' : 'deny');
    else if (ids.length > 0) this.#views.get(ids[0]).element.focus(); // first see which one
  }

  escape() {
    const view = this.#views.get(this.#chosen);
    if (!view?.element.dataset.armed) return false;
    view.disarm();
    view.element.focus();
    return true;
  }

  #drawCards(rows) {
    for (const [id, view] of this.#views) {
      if (rows.some((row) => row.id === id)) continue;
      // One that ended while it was on the page is seen to end.
      const row = this.deps.approvals.rows.find((one) => one.id === id);
      if (row && view.isPending && !this.#leaving.has(id)) {
        this.#leaving.set(id, Date.now() + LINGER_MS);
        rows = [...rows, row];
        this.deps.say(`${row.tool}, asked by ${askedBy(row)}: ${row.state}.`);
        continue;
      }
      const next = view.element.contains(document.activeElement) ? view.element.nextElementSibling ?? view.element.previousElementSibling : null;
      view.element.remove();
      next?.focus({ preventScroll: true });
      this.#views.delete(id);
      if (this.#chosen === id) this.#chosen = '';
    }
    // A card that has the focus is not moved under the hands: only new ones are put in between.
    rows.forEach((row) => {
      const known = this.#views.get(row.id);
      if (known) known.update(row);
      else this.#views.set(row.id, this.#newView(row));
    });
    const order = rows.filter((row) => !this.#leaving.has(row.id) || !this.#views.get(row.id).element.isConnected);
    let before = this.cards.firstElementChild;
    for (const row of order) {
      while (before && this.#leaving.has(before.dataset.approval)) before = before.nextElementSibling;
      const { element } = this.#views.get(row.id);
      if (element === before) before = before.nextElementSibling;
      else this.cards.insertBefore(element, before);
    }
  }

  #newView(row) {
    const { me, href, say } = this.deps;
    say(`Approval wanted: ${row.tool}, asked by ${askedBy(row)}.`);
    const view = new ApprovalView(row, {
      me, href, onchoose: (id) => this.#choose(id), decide: (...decision) => this.#decide(...decision),
      earlier: this.earlier && (async (approval) => sameThing(approval, await this.earlier.of(approval))),
    });
    view.element.setAttribute('role', 'listitem');
    return view;
  }

  #drawOver(rows) {
    this.overTitle.hidden = rows.length === 0;
    this.more.hidden = !this.deps.approvals.hasMore || rows.length === 0;
    const elements = rows.map((row) => {
      const key = JSON.stringify(row);
      const known = this.#over.get(row.id);
      if (known?.key === key) return known.element;
      const element = overRow(row, this.deps);
      element.open = known?.element.open ?? false;
      this.#over.set(row.id, { key, element });
      return element;
    });
    const isSame = elements.length === this.overList.childElementCount && elements.every((element, index) => this.overList.children[index] === element);
    if (!isSame) this.overList.replaceChildren(...elements);
  }

  #drawMessage(count, { state, error }) {
    const key = state === 'loading' ? 'loading' : error ? `failed ${error.message}` : count === 0 ? `empty ${JSON.stringify(this.#filters)}` : '';
    if (this.message.dataset.drawn === key) return;
    this.message.dataset.drawn = key;
    if (key === '') return this.message.replaceChildren();
    if (key === 'loading') return this.message.replaceChildren(loading());
    if (error) return this.message.replaceChildren(problem('The approvals could not be read.', error, () => this.deps.approvals.load()));
    return this.message.replaceChildren(this.#teach());
  }

  #teach() {
    const isFiltered = Object.keys(this.#filters).length > 0;
    if (isFiltered) return empty('Nothing waits here', 'In the scope that is chosen above no call waits for a person.');
    if (!this.deps.me.isAdmin) return empty('Nothing waits for you', 'When a call needs your agreement it appears here by itself, with all that it would do.');
    return empty('Nothing waits for a person', 'A rule with @approval holds a call until people have agreed. Put it into a file of the policies, for instance:', sample(RULE, 'Copy the rule'));
  }

  #choose(id) {
    if (this.#chosen === id) return;
    this.#views.get(this.#chosen)?.choose(false);
    this.#views.get(this.#chosen)?.disarm();
    this.#chosen = id;
    this.#views.get(id)?.choose(true);
  }

  async #decide(approval, decision, reason) {
    try {
      const answer = await this.deps.api.decide(approval.id, decision, reason);
      this.deps.approvals.put(answer?.approval ?? { id: approval.id, state: answer?.state });
    } catch (error) {
      if (this.deps.refused(error)) return;
      // What stands now is the server's to say, whatever the refusal was.
      if (error.status === 409) this.deps.approvals.load();
      throw error;
    }
  }

  async #more() {
    this.more.disabled = true;
    try {
      await this.deps.approvals.more();
      setText(this.more, 'Show earlier ones');
    } catch (error) {
      if (!this.deps.refused(error)) setText(this.more, `Not read: ${error.message} Try again`);
    } finally {
      this.more.disabled = false;
    }
  }

  #tick() {
    const now = Date.now();
    for (const view of this.#views.values()) view.tick(now);
    const gone = [...this.#leaving].filter(([, until]) => until <= now);
    for (const [id] of gone) this.#leaving.delete(id);
    if (gone.length > 0) this.draw();
  }
}

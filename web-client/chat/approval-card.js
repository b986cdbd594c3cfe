import { agreementWords, demandWords, endOf, isPending, leftWords, timeLeft } from '../shared/approvals.js';
import { h, icon, setIcon, setText } from '../shared/dom.js';
import { ticking } from '../shared/ticking.js';
import { formatClock, formatInstant, parseInstant } from '../shared/time.js';
import { show } from '../shared/values.js';

/** An approval that the run waits for: what exactly would happen, who may decide, how long is left. It changes in place. */
export class ApprovalCard {
  #approval = {};
  #stop = null;

  /** @param {{mayDecide: (approval: object) => boolean, isOwn: (approval: object) => boolean, decide: (id: string, decision: string, reason: string) => Promise<object>}} deps */
  constructor(deps) {
    this.deps = deps;
    this.sign = icon('person');
    this.title = h('strong');
    this.left = h('span.num');
    this.who = h('p.move');
    this.agreed = h('p.agreed.num');
    this.rows = h('tbody');
    this.problem = h('p.move', { role: 'alert' });
    this.reason = h('input.field', { type: 'text', placeholder: 'Reason', maxLength: 500, aria: { label: 'Reason' } });
    const button = (word, decision) => h('button.button', { type: 'button', onclick: () => this.#decide(decision) }, word);
    this.actions = h('div.actions', { hidden: true }, this.reason, button('Approve', 'approve'), button('Deny', 'deny'));
    this.element = h('section.notice.approval', { aria: { label: 'Approval' } }, this.sign,
      h('div', null, h('p', null, this.title, ' ', this.left), this.who, this.agreed,
        h('table.args', { aria: { label: 'Arguments' } }, h('colgroup', null, h('col.name'), h('col')), this.rows), this.actions, this.problem));
  }

  get isPending() { return isPending(this.#approval); }

  update(approval) {
    this.#approval = { ...this.#approval, ...approval };
    const { id, tool, args, state } = this.#approval;
    Object.assign(this.element.dataset, { approval: id, state: state ?? 'pending' });
    this.element.classList.toggle('is-waiting', this.isPending);
    const [word, sign] = this.isPending ? ['', 'person'] : endOf(state);
    setIcon(this.sign, sign);
    setText(this.title, this.isPending ? `${tool} waits for approval.` : `${tool}: ${word}.`);
    const own = this.isPending && this.deps.isOwn(this.#approval) ? ' You asked for this; somebody else has to agree.' : '';
    setText(this.who, `${this.isPending ? 'May be decided by' : 'It was for'} ${demandWords(this.#approval)}.${own}`);
    setText(this.agreed, agreementWords(this.#approval));
    this.agreed.hidden = this.agreed.textContent === '';
    this.rows.replaceChildren(...Object.entries(args ?? {}).map(([name, value]) => h('tr', null, h('th', { scope: 'row' }, name), h('td', null, show(value)))));
    this.actions.hidden = !this.isPending || !this.deps.mayDecide(this.#approval);
    if (!this.isPending) setText(this.problem, '');
    this.#stop ??= ticking(this.element, () => this.#tick());
    this.#tick();
  }

  /** @returns {string} what a screen reader is told. */
  sentence() { return this.isPending ? [this.title, this.who, this.agreed].map((one) => one.textContent).filter(Boolean).join(' ') : this.title.textContent; }

  /** The run has ended; nobody's decision matters any more. */
  settle() {
    if (this.isPending) this.update({ state: 'cancelled' });
  }

  dispose() { this.#stop?.(); }

  #tick() {
    const until = parseInstant(this.#approval.expires_at);
    const left = leftWords(this.#approval, Date.now());
    setText(this.left, left && `${left}${timeLeft(this.#approval, Date.now()) > 0 ? `, until ${formatClock(until)}` : ''}.`);
    if (until) this.left.title = formatInstant(until);
    return true;
  }

  async #decide(decision) {
    if (decision === 'deny' && this.reason.value.trim() === '') {
      setText(this.problem, 'Say why: whoever asked reads it, and so does the model.');
      this.reason.focus();
      return;
    }
    const buttons = this.actions.querySelectorAll('button');
    buttons.forEach((button) => { button.disabled = true; });
    setText(this.problem, '');
    try {
      await this.deps.decide(this.#approval.id, decision, this.reason.value.trim());
      // What came of it arrives as an event, as for everybody else.
    } catch (error) {
      setText(this.problem, `Not decided: ${error.message}`);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  }
}

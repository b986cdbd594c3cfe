import { h, icon, setIcon, setText } from '../shared/dom.js';
import { ticking } from '../shared/ticking.js';
import { formatClock, formatDuration, formatInstant, parseInstant } from '../shared/time.js';
import { show } from '../shared/values.js';

const STATES = {
  approved: ['Approved.', 'check'], denied: ['Denied.', 'deny'], expired: ['Nobody decided in time.', 'clock'],
  cancelled: ['Not needed any more.', 'skip'],
};

/** An approval that the run waits for: what exactly would happen, who may decide, how long is left. It changes in place. */
export class ApprovalCard {
  #approval = {};
  #stop = null;

  /** @param {{mayDecide: (from: string) => boolean, decide: (id: string, decision: string, reason: string) => Promise<object>}} deps */
  constructor(deps) {
    this.deps = deps;
    this.sign = icon('person');
    this.title = h('strong');
    this.left = h('span.num');
    this.who = h('p.move');
    this.rows = h('tbody');
    this.problem = h('p.move', { role: 'alert' });
    this.reason = h('input.field', { type: 'text', placeholder: 'Reason', maxLength: 500, aria: { label: 'Reason' } });
    const button = (word, decision) => h('button.button', { type: 'button', onclick: () => this.#decide(decision) }, word);
    this.actions = h('div.actions', { hidden: true }, this.reason, button('Approve', 'approve'), button('Deny', 'deny'));
    this.element = h('section.notice.approval', { aria: { label: 'Approval' } }, this.sign,
      h('div', null, h('p', null, this.title, ' ', this.left), this.who,
        h('table.args', { aria: { label: 'Arguments' } }, h('colgroup', null, h('col.name'), h('col')), this.rows), this.actions, this.problem));
  }

  get isPending() { return ['pending', 'waiting', undefined].includes(this.#approval.state); }

  update(approval) {
    this.#approval = { ...this.#approval, ...approval };
    const { id, tool, args, from, quorum, state } = this.#approval;
    Object.assign(this.element.dataset, { approval: id, state: state ?? 'pending' });
    this.element.classList.toggle('is-waiting', this.isPending);
    const [word, sign] = this.isPending ? ['', 'person'] : STATES[state] ?? [`${state}.`, 'skip'];
    setIcon(this.sign, sign);
    setText(this.title, this.isPending ? `${tool} waits for approval.` : `${tool}: ${word}`);
    setText(this.who, `${this.isPending ? 'May be decided by' : 'It was for'} ${approver(from)}${quorum > 1 ? `, ${quorum} people` : ''}.`);
    this.rows.replaceChildren(...Object.entries(args ?? {}).map(([name, value]) => h('tr', null, h('th', { scope: 'row' }, name), h('td', null, show(value)))));
    this.actions.hidden = !this.isPending || !this.deps.mayDecide(from ?? '');
    if (!this.isPending) setText(this.problem, '');
    this.#stop ??= ticking(this.element, () => this.#tick());
    this.#tick();
  }

  /** @returns {string} what a screen reader is told. */
  sentence() { return this.isPending ? `${this.title.textContent} ${this.who.textContent}` : this.title.textContent; }

  /** The run has ended; nobody's decision matters any more. */
  settle() {
    if (this.isPending) this.update({ state: 'cancelled' });
  }

  dispose() { this.#stop?.(); }

  #tick() {
    const until = parseInstant(this.#approval.expires_at);
    const left = until === null ? 0 : until - Date.now();
    setText(this.left, this.isPending && until ? (left > 0 ? `${formatDuration(left)} left, until ${formatClock(until)}.` : 'Its time is over.') : '');
    if (until) this.left.title = formatInstant(until);
    return true;
  }

  async #decide(decision) {
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

/** "group finance" for "group:finance". */
export const approver = (from) => (from ? String(from).replaceAll(':', ' ') : 'an approver');

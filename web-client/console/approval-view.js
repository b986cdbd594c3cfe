import { agreement, agreementWords, demandWords, endOf, isPending, leftWords, timeLeft } from '../shared/approvals.js';
import { h, icon, setText } from '../shared/dom.js';
import { formatClock, formatDuration, formatInstant, parseInstant } from '../shared/time.js';
import { askedBy, earlierWords, endedAt, refusalWords, standing, standingWords, thing } from './approvals-model.js';
import { argumentsTable } from './arguments.js';
import { earlierList } from './earlier.js';
import { stateMark } from './panels.js';

/** Under this a person has to hurry, and the card says so. */
const HURRY_MS = 60_000;

/** One approval that waits: what exactly will happen, how long is left, who has agreed. It changes in place. */
export class ApprovalView {
  #approval = null;
  #busy = false;
  #armed = '';
  #drawnArgs = '';

  /** @param {{me: object, decide: Function, href: Function, earlier: ((approval: object) => Promise<object[]>)|null, onchoose: (id: string) => void}} deps */
  constructor(approval, deps) {
    this.deps = deps;
    this.tool = h('h2.ap-tool');
    this.left = h('span.num');
    this.clock = h('span.ap-left', null, icon('clock'), this.left);
    this.bar = h('span');
    this.who = h('p.ap-who');
    this.args = h('div.ap-args');
    this.rule = h('p.ap-rule');
    this.dots = h('span.ap-dots', { aria: { hidden: 'true' } });
    this.agreed = h('span.num');
    this.votes = h('ul.ap-votes');
    this.earlier = h('details.ap-earlier', { hidden: !deps.earlier });
    this.note = h('p.ap-note');
    this.reason = h('input.field.ap-reason', {
      type: 'text', maxLength: 500, placeholder: 'Reason', aria: { label: 'Reason' }, autocomplete: 'off', onkeydown: (event) => this.#typed(event),
    });
    this.approve = h('button.button.primary', { type: 'button', onclick: () => this.#decide('approve') }, icon('check'), 'Approve');
    this.deny = h('button.button', { type: 'button', onclick: () => this.#decide('deny') }, icon('deny'), 'Deny');
    this.problem = h('p.ap-problem', { role: 'alert' });
    this.actions = h('div.ap-actions', null, this.reason, this.approve, this.deny);
    this.element = h('article.ap', { tabIndex: -1, data: { approval: approval.id }, onfocusin: () => deps.onchoose(approval.id) },
      h('div.ap-bar', { aria: { hidden: 'true' } }, this.bar),
      h('header.ap-head', null, this.tool, this.clock), this.who, this.args,
      h('div.ap-facts', null, this.rule, h('p.ap-progress', null, this.dots, this.agreed), this.votes, this.earlier),
      this.note, this.actions, this.problem);
    this.update(approval);
    this.#loadEarlier();
  }

  get isPending() { return isPending(this.#approval); }
  get id() { return this.#approval.id; }

  update(approval) {
    const { me, href } = this.deps;
    this.#approval = approval;
    const { tool, user, org, project, run, conversation, created_at: created, rule } = approval;
    this.element.setAttribute('aria-label', `${tool}, asked by ${askedBy(approval)}`);
    setText(this.tool, tool);
    // Drawn again only when something is different: an opened text stays open, a selection stays.
    const args = JSON.stringify(approval.args);
    if (args !== this.#drawnArgs) this.args.replaceChildren(argumentsTable(approval.args));
    this.#drawnArgs = args;
    const asked = parseInstant(created);
    replaceIfChanged(this.who, `${user}|${run}|${href('decisions', { run })}`, () => [
      'Asked by ', h('strong', null, askedBy(approval)), ` of ${org}/${project}`, asked && h('span', { title: formatInstant(asked) }, ` at ${formatClock(asked)}`),
      ' · ', me.isAdmin ? h('a', { href: href('decisions', { run }), title: conversation ? `Conversation ${conversation}` : '' }, 'what this run did before')
        : h('span.id', { title: run }, `run ${run}`),
    ]);
    replaceIfChanged(this.rule, `${rule}|${JSON.stringify(approval.from)}|${approval.quorum}`, () => [
      'Rule ', h('code', null, rule ?? '–'), ` asks for ${demandWords(approval)}.`]);
    this.#drawAgreement();
    this.#drawEnd();
    this.tick();
  }

  /** The time alone. */
  tick(now = Date.now()) {
    const left = timeLeft(this.#approval, now);
    this.clock.hidden = !this.isPending || left === null;
    if (this.clock.hidden) return;
    setText(this.left, leftWords(this.#approval, now));
    this.clock.title = `Until ${formatInstant(parseInstant(this.#approval.expires_at))}`;
    const all = parseInstant(this.#approval.expires_at) - (parseInstant(this.#approval.created_at) ?? now);
    this.bar.style.setProperty('--left', String(Math.max(0, Math.min(1, left / Math.max(1, all)))));
    this.element.classList.toggle('is-hurried', left < HURRY_MS);
    // Nobody can decide what is over; the server says so itself within seconds.
    const isOver = left <= 0;
    this.approve.disabled = this.deny.disabled = this.#busy || isOver;
  }

  choose(isChosen) { this.element.classList.toggle('is-chosen', isChosen); }

  /** By a key: the reason is asked for first, Enter decides. A single key never moves money. */
  arm(decision) {
    if (this.actions.hidden) {
      setText(this.problem, this.isPending ? this.note.textContent : 'It has been decided already.');
      return;
    }
    this.#armed = decision;
    this.element.dataset.armed = decision;
    this.reason.placeholder = decision === 'approve' ? 'Reason, if you like. Enter approves' : 'Why not? Enter denies';
    this.reason.focus();
  }

  disarm() {
    this.#armed = '';
    delete this.element.dataset.armed;
    this.reason.placeholder = 'Reason';
  }

  #drawAgreement() {
    const { needed, count } = agreement(this.#approval);
    replaceIfChanged(this.dots, `${count}/${needed}`, () => (needed < 2 ? []
      : Array.from({ length: needed }, (_, index) => h(`i${index < count ? '.is-full' : ''}`))));
    setText(this.agreed, agreementWords(this.#approval));
    this.dots.parentElement.hidden = this.agreed.textContent === '';
    const votes = this.#approval.votes ?? [];
    replaceIfChanged(this.votes, JSON.stringify(votes), () => votes.filter((vote) => vote.reason || vote.decision === 'deny').map((vote) =>
      h('li', null, h('strong', null, vote.by), vote.decision === 'deny' ? ' denied' : '', vote.reason ? `: “${vote.reason}”` : '', '')));
  }

  #drawEnd() {
    const { canDecide, text } = standing(this.#approval, this.deps.me);
    this.actions.hidden = !canDecide;
    this.element.dataset.state = this.#approval.state ?? 'pending';
    if (!this.isPending) {
      const [word, sign, tone] = endOf(this.#approval.state);
      replaceIfChanged(this.note, word, () => [stateMark(word, sign, tone)]);
      setText(this.problem, '');
    } else replaceIfChanged(this.note, text, () => [icon('person'), h('span', null, text)]);
    this.note.hidden = this.note.textContent === '';
  }

  #typed(event) {
    if (event.key !== 'Enter' || !this.#armed || event.isComposing) return;
    event.preventDefault();
    this.#decide(this.#armed);
  }

  async #decide(decision) {
    const reason = this.reason.value.trim();
    if (this.#busy) return;
    if (decision === 'deny' && reason === '') {
      this.arm('deny');
      setText(this.problem, 'Say why: whoever asked reads it, and so does the model.');
      return;
    }
    this.#setBusy(true);
    setText(this.problem, '');
    try {
      await this.deps.decide(this.#approval, decision, reason);
      this.reason.value = '';
      this.disarm();
      this.element.focus({ preventScroll: true }); // what had the focus is gone; j and k go on from here
    } catch (error) {
      setText(this.problem, `Not decided: ${refusalWords(error)}${error.requestId ? ` (request ${error.requestId})` : ''}`);
    } finally {
      this.#setBusy(false);
    }
  }

  #setBusy(isBusy) {
    this.#busy = isBusy;
    this.approve.disabled = this.deny.disabled = isBusy;
    this.element.setAttribute('aria-busy', String(isBusy));
  }

  async #loadEarlier() {
    if (!this.deps.earlier) return;
    const approval = this.#approval;
    try {
      const found = await this.deps.earlier(approval);
      const what = thing(approval) || 'the same thing';
      this.earlier.replaceChildren(h('summary', null, icon('decisions'), h('span', null, earlierWords(found, what)), found.length > 0 && icon('chevron')),
        earlierList(found, this.deps.href));
      this.earlier.classList.toggle('is-none', found.length === 0);
    } catch {
      this.earlier.hidden = true; // help for the decision, not part of it
    }
  }
}

/** One that is over: a line, which opens to what it was about. */
export function overRow(approval, deps) {
  const [word, sign, tone] = endOf(approval.state);
  const at = endedAt(approval);
  const votes = approval.votes ?? [];
  const names = votes.map((vote) => vote.by).join(', ');
  const by = names === '' ? '' : ['approved', 'denied'].includes(approval.state) ? `by ${names}` : `${names} agreed`;
  return h('details.over', { data: { approval: approval.id, state: approval.state } },
    h('summary', null, stateMark(word, sign, tone), h('span.over-tool', null, approval.tool), h('span.over-what', null, thing(approval)),
      h('span.over-by', null, by), h('time.num', { title: formatInstant(at) }, agoWords(at, Date.now())), icon('chevron')),
    h('div.over-body', null,
      h('p.hint', null, `Asked by ${askedBy(approval)} of ${approval.org}/${approval.project}; rule ${approval.rule} asked for ${demandWords(approval)}.`),
      argumentsTable(approval.args),
      votes.length > 0 && h('ul.ap-votes', null, ...votes.map((vote) => h('li', null, h('strong', null, vote.by),
        ` ${vote.decision === 'deny' ? 'denied' : 'agreed'}${standingWords(vote) ? ` as ${standingWords(vote)}` : ''}${vote.reason ? `: “${vote.reason}”` : '.'}`))),
      deps.me.isAdmin && h('p.links', null, h('a', { href: deps.href('run', { id: approval.run }) }, 'The story of this run'), h('a', { href: deps.href('decisions', { run: approval.run }) }, 'Decisions of this run'),
        approval.decision_id && h('a', { href: deps.href('decisions', { id: approval.decision_id }) }, 'The decision'))));
}

/** "3 min ago"; a clock that is behind makes it "now". */
export const agoWords = (at, now) => (now - at < 5000 ? 'now' : `${formatDuration(now - at).split(' ').slice(0, 2).join(' ')} ago`);

function replaceIfChanged(element, key, children) {
  if (element.dataset.drawn === key) return;
  element.dataset.drawn = key;
  element.replaceChildren(...children().filter((child) => child !== null && child !== undefined && child !== false));
}

import { approverWords } from '../shared/approvals.js';
import { ApprovalCard } from './approval-card.js';
import { ToolCard } from './tool-card.js';
import { ToolModel, isOver } from './tool-model.js';
import { sentence } from './tool-words.js';
import { formatClock, parseInstant } from '../shared/time.js';

/** How often the time of a call that runs is told. */
const TICK_MS = 1000;

/** The cards of one answer: takes its events to the model, and draws the calls that changed. */
export class ToolCards {
  #model = new ToolModel();
  #cards = new Map();
  #approvals = new Map(); // id → {card, approval}
  #dirty = new Set();
  #timer = 0;
  #lastAt = 0;

  /**
   * @param {{place: (element: Element) => void, say: (text: string) => void, changed: () => void}} deps `place` puts a card where the text
   *   stands now, `changed` asks for {@link draw}; and what the approval card needs.
   */
  constructor(deps) {
    this.deps = deps;
  }

  /** Whether anything is shown. */
  get isEmpty() { return this.#cards.size + this.#approvals.size === 0; }

  /** @returns {boolean} whether the step was one of a tool call. */
  step(event) {
    this.#lastAt = event.ts ?? this.#lastAt;
    const news = this.#model.step(event);
    if (!news) return Boolean(event.data?.tool);
    const { call } = news;
    if (news.isNew) this.#place(call);
    this.#changed(call);
    if (news.isPhaseNew) this.#say(sentence(call));
    return true;
  }

  argument(delta) {
    const call = this.#model.argument(delta);
    if (call) this.#changed(call);
  }

  approval(approval) {
    let known = this.#approvals.get(approval.id);
    if (!known) {
      known = { card: new ApprovalCard(this.deps) };
      this.#approvals.set(approval.id, known);
      this.deps.place(known.card.element);
    }
    known.approval = { ...known.approval, ...approval };
    known.card.update(approval);
    this.#say(known.card.sentence());
    const call = this.#model.approval(known.approval);
    if (call) this.#changed(call);
    this.deps.changed();
  }

  /** What the run waits for, in words; '' for nothing of these. */
  waiting() {
    const pending = [...this.#approvals.values()].find(({ card }) => card.isPending);
    if (!pending) return this.#model.waiting();
    const { tool, from, expires_at: expiresAt } = pending.approval;
    const until = parseInstant(expiresAt);
    return `Waiting for approval of ${tool} by ${approverWords(from)}${until ? ` until ${formatClock(until)}` : ''}`;
  }

  settle(hasGap) {
    for (const call of this.#model.settle(hasGap, this.#lastAt)) this.#changed(call);
    for (const { card } of this.#approvals.values()) card.settle();
    this.draw();
    this.dispose();
  }

  draw() {
    for (const call of this.#dirty) this.#cards.get(call.id).draw();
    this.#dirty.clear();
  }

  dispose() {
    clearInterval(this.#timer);
    this.#timer = 0;
    for (const { card } of this.#approvals.values()) card.dispose();
  }

  #place(call) {
    const card = new ToolCard(call);
    this.#cards.set(call.id, card);
    const parent = this.#cards.get(call.parent);
    if (parent?.call.isCode) {
      parent.nest(card);
      this.#dirty.add(parent.call);
    } else this.deps.place(card.element);
    card.draw();
    this.#timer ||= setInterval(() => this.#tick(), TICK_MS);
  }

  #changed(call) {
    this.#dirty.add(call);
    this.deps.changed();
  }

  #tick() {
    for (const card of this.#cards.values()) if (!isOver(card.call)) card.tick();
  }

  #say(text) {
    if (text) this.deps.say(text);
  }
}

import { copyButton, h, icon, setText } from '../shared/dom.js';
import { MarkdownView } from './markdown-view.js';
import { cutNotice, errorNotice } from './notices.js';
import { formatCount, formatMoney, parseMoney } from '../shared/money.js';
import { formatDuration } from '../shared/time.js';
import { ToolCards } from './tool-cards.js';

/**
 * One answer: text, tool cards between the words, and how it ended. It is fed with envelopes in order and draws at
 * most once a frame.
 */
export class Answer {
  #views = [];
  #cards;
  #frame = 0;
  #began = Date.now();
  #gap = false;
  #thinking = '';
  runId = '';
  text = '';
  cost = null;
  usage = null;
  status = 'waiting';

  /** @param {object} deps see notices.js; `ondraw`, `announcer`, `model`; and see approval-card.js. */
  constructor(deps) {
    this.deps = deps;
    this.body = h('div.answer-body');
    this.notes = h('div.notes');
    this.line = h('span.line');
    // The words before and after a tool's call are not one sentence.
    this.copy = copyButton('Copy', () => this.#views.map((view) => view.text.trim()).filter(Boolean).join('\n\n'));
    this.copy.hidden = true;
    this.foot = h('div.answer-foot', null, this.line, this.copy);
    this.#cards = new ToolCards({
      place: (element) => this.#place(element), say: (text) => this.#say(text), changed: () => this.#schedule(),
      mayDecide: deps.mayDecide, isOwn: deps.isOwn, decide: deps.decide,
    });
    this.element = h('article.answer.is-running', { aria: { label: 'Answer' }, tabIndex: -1 }, this.body, this.notes, this.foot);
    this.#wait('the server');
  }

  get running() { return this.status === 'waiting' || this.status === 'streaming'; }

  apply(event) {
    this.runId ||= event.run_id;
    switch (event.type) {
      case 'chat.start': return this.#wait(`model ${event.data?.model ?? ''}`.trim());
      case 'chat.delta': return this.#delta(event.delta ?? {});
      case 'chat.step': return this.#step(event);
      case 'chat.approval':
        this.#cards.approval(event.approval ?? {});
        return this.#waitOn();
      case 'chat.usage': return this.#account(event);
      case 'chat.cut': return this.#end(event, 'cut');
      case 'chat.complete': return this.#end(event, 'complete');
      case 'chat.error': return this.#end(event, 'error');
      default: return undefined; // a newer server's event: nothing to show is better than something wrong
    }
  }

  /** A turn read from history. */
  load({ assistant = '', status, cut, run_id: runId }) {
    this.runId = runId ?? '';
    this.text = assistant;
    this.#last().append(assistant);
    this.status = status;
    this.#settle();
    if (status === 'cut' || cut) this.#cut({ run_id: runId, cut: cut ?? {} });
    else if (status === 'error') this.#note(errorNotice({ code: 'run_failed', message: 'This run failed.', runId }, this.deps));
    setText(this.line, status === 'cut' || status === 'error' ? '' : '');
  }

  /** Refused before it began, or lost for good. */
  fail(error, onretry = null) {
    this.status = 'error';
    this.#settle();
    this.#note(errorNotice({ ...pick(error), runId: error.runId || this.runId }, { ...this.deps, onretry }));
    setText(this.line, '');
    this.deps.announcer.say(error.message);
  }

  /** Events that no server holds any more: say so where they are missing. */
  gap({ first_seq: first, seq }) {
    this.#gap = true;
    const count = seq - first + 1;
    this.#place(h('p.gap', null, icon('alert'),
      `${count} ${count === 1 ? 'event is' : 'events are'} missing here (${first}–${seq}): the connection was away longer than the server keeps them.`));
  }

  resumed(seconds) {
    const away = seconds >= 1 ? ` (${formatDuration(seconds * 1000)})` : '';
    const text = this.#gap ? `Resumed after a lost connection${away}.` : `Resumed after a lost connection${away}. Nothing is missing.`;
    const line = h('p.small-note', null, icon('retry'), text);
    this.notes.querySelector('.small-note')?.remove();
    this.notes.prepend(line);
    this.deps.announcer.say(text);
    this.deps.ondraw();
  }

  /** A passing word in the answer's own line, until the next event. */
  remark(text) {
    if (this.running) this.#wait(text, '');
    this.deps.announcer.say(text);
  }

  /** The connection is gone: nothing is written here until it is back. */
  lost() {
    if (this.running) this.#wait('the connection');
  }

  dispose() {
    cancelAnimationFrame(this.#frame);
    this.#cards.dispose();
    for (const note of this.notes.children) note.dispose?.();
  }

  /** The text that stands last: after a card the words go on in a view of their own. */
  #last() {
    const last = this.#views[this.#views.length - 1];
    if (last && last.element === this.body.lastElementChild) return last;
    const view = new MarkdownView();
    this.#views.push(view);
    this.body.append(view.element);
    return view;
  }

  /** Between the words, where they stand now. */
  #place(element) {
    this.#flush();
    this.#views[this.#views.length - 1]?.finish();
    this.body.append(element);
  }

  #wait(what, before = 'Waiting for ') {
    setText(this.line, before + what);
    this.element.classList.add('is-waiting');
  }

  #delta({ text = '', marker, index }) {
    if (marker === 'thinking') return this.#think(text);
    if (marker === 'tool') return this.#cards.argument({ text, index });
    if (text === '') return undefined;
    this.status = 'streaming';
    this.text += text;
    this.#last().append(text);
    this.deps.announcer.stream(text);
    if (this.element.classList.contains('is-waiting')) {
      this.element.classList.remove('is-waiting');
      setText(this.line, 'Writing');
    }
    return this.#schedule();
  }

  #think(text) {
    if (!this.thinking) {
      this.thinkingText = h('div.thinking-text');
      this.thinking = h('details.thinking', null, h('summary', null, 'Thinking', icon('chevron')), this.thinkingText);
      this.body.prepend(this.thinking);
    }
    this.#thinking += text;
    setText(this.thinkingText, this.#thinking);
    this.deps.ondraw();
  }

  #step(event) {
    const { status, title, step } = event.event ?? {};
    if (this.#cards.step(event)) return this.#waitOn();
    if (status === 'running' || status === 'started') this.#wait(title ?? step);
    return undefined;
  }

  #waitOn() {
    const what = this.#cards.waiting();
    if (what) this.#wait(what, '');
    else this.#wait(`model ${this.deps.model?.() ?? ''}`.trim());
    this.deps.ondraw();
  }

  /** What was said so far comes first: a screen reader is told things in their order. */
  #say(text) {
    this.deps.announcer.endStream();
    this.deps.announcer.say(text);
  }

  #account(event) {
    if (event.usage) this.usage = event.usage;
    const cost = parseMoney(event.cost_usd);
    if (cost !== null) this.cost = cost;
  }

  #end(event, status) {
    this.#account(event);
    this.status = status;
    // After a gap the final text is the only whole one; without a gap what was streamed is exactly it.
    const final = event.data?.final_answer;
    if (this.#gap && final) this.#replace(final);
    this.#settle();
    this.deps.announcer.endStream();
    if (status === 'cut') this.#cut(event);
    else if (status === 'error') this.#note(errorNotice({ ...event.error, runId: event.run_id }, this.deps));
    else if (['cancelled', 'canceled', 'stop_requested'].includes(event.data?.finish_reason)) {
      this.#note(errorNotice({ code: 'cancelled', message: '', runId: '' }, { ...this.deps, onretry: null }));
    } else if (event.data?.finish_reason === 'length') {
      this.#note(h('p.small-note', null, icon('cut'), 'The model’s own length limit ends the answer here.'));
    }
    setText(this.line, this.#summary());
  }

  #replace(text) {
    this.text = text;
    this.#views = [];
    this.body.querySelectorAll('.md, .gap').forEach((node) => node.remove());
    this.#last().append(text);
    this.#note(h('p.small-note', null, icon('check'), 'The missing part was filled in from the final answer.'));
  }

  #summary() {
    const parts = [];
    if (this.usage) parts.push(`${formatCount(this.usage.output_tokens ?? 0)} tokens`);
    if (this.cost !== null) parts.push(formatMoney(this.cost, 6));
    parts.push(formatDuration(Date.now() - this.#began));
    return parts.join(' · ');
  }

  #cut(event) {
    const tail = this.#last().tail();
    tail.append(h('span.cut-mark', { role: 'img', aria: { label: 'cut here' } }, icon('cut')));
    const note = cutNotice(event, this.deps);
    this.#note(note);
    this.deps.announcer.say(note.querySelector('p').textContent);
  }

  #note(element) {
    this.notes.append(element);
    this.deps.ondraw();
  }

  #settle() {
    this.#cards.settle(this.#gap);
    // A frame drawn later would wipe the mark of a cut out of the text.
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#frame);
    this.#flush();
    this.#views[this.#views.length - 1]?.finish();
    this.element.classList.remove('is-running', 'is-waiting');
    this.copy.hidden = this.text === '';
  }

  #schedule() {
    if (this.#frame) return;
    // A hidden tab gets no frames; a timer keeps the text current for whoever comes back.
    const draw = () => {
      this.#frame = 0;
      this.#flush();
    };
    this.#frame = document.hidden ? setTimeout(draw, 300) : requestAnimationFrame(draw);
  }

  #flush() {
    this.#views[this.#views.length - 1]?.render();
    this.#cards.draw();
    this.deps.ondraw();
  }
}

const pick = ({ code, message, requestId, runId, retryAfter, rule, details }) => ({ code, message, requestId, runId, retryAfter, rule, details });

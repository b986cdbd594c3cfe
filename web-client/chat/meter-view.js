import { h, icon, setText } from '../shared/dom.js';
import { columnDecimals, formatCount, formatMoney } from '../shared/money.js';
import { formatAbout, formatClock, formatDuration, formatInstant, formatReset } from '../shared/time.js';
import { formatAmount, level, periodName, scopeName, shares } from './windows.js';

/** All run costs on the page have this many decimals: fine enough to move with single tokens. */
export const COST_DECIMALS = 6;

/** The meter: this run's cost, and a bar for each window on the path. Draws only what changed. */
export class MeterView {
  #cards = new Map();
  #shown = 0n;
  #target = 0n;
  #step = 0;

  constructor(panel, button, model) {
    this.model = model;
    this.cost = h('div.cost.num', null, formatMoney(0n, COST_DECIMALS));
    this.state = h('span.state', { data: { tone: 'muted' } }, 'No run yet');
    this.tokens = h('p.tokens.num', null, 'The cost of a run counts up here while its answer is written.');
    this.list = h('ol.windows');
    this.asOf = h('p.as-of');
    this.close = h('button.quiet.only-sheet', { type: 'button', aria: { label: 'Close the meter' } }, icon('close'));
    panel.append(
      h('div.meter-head', null, h('h2', null, 'Meter'), this.close),
      h('section.run', { aria: { label: 'This run' } }, h('div.run-head', null, h('span', null, 'This run'), this.state), this.cost, this.tokens),
      h('div.windows-head', null, h('h3', null, 'What limits it'),
        h('div.legend', { aria: { hidden: 'true' } }, h('span.key-used', null, 'used'), h('span.key-held', null, 'held'))),
      this.list, this.asOf);
    this.badge = h('span.num', null, formatMoney(0n, COST_DECIMALS));
    this.badgeBar = h('span.badge-bar');
    button.append(icon('meter'), this.badge, this.badgeBar);
    this.button = button;
  }

  /** @param {{tone: string, word: string}} state */
  setRun({ cost, usage, rate, tone, word, fresh = false }) {
    if (fresh) this.#jump(0n);
    if (cost !== null && cost !== undefined) this.#countTo(cost);
    setText(this.state, word);
    this.state.dataset.tone = tone;
    if (!usage) return setText(this.tokens, tone === 'muted' ? this.tokens.textContent : 'No token charged yet');
    const parts = [`${formatCount(usage.input_tokens ?? 0)} tokens in`, `${formatCount(usage.output_tokens ?? 0)} out`];
    if (rate > 0) parts.push(`${formatCount(Math.round(rate))} a second`);
    return setText(this.tokens, parts.join(' · '));
  }

  drawWindows(now, stale) {
    const rows = this.model.rows(now);
    if (rows.length === 0) {
      this.#cards.clear();
      this.list.replaceChildren(h('li.none', null,
        h('p', null, this.model.updatedAt ? 'No cap is set on your path, so nothing stops a run. Set one:' : 'The windows on your path appear here.'),
        this.model.updatedAt ? h('pre', { tabIndex: 0 }, h('code', null, 'kdcube budget set --scope org:acme \\\n  --unit usd --window day --limit 5.00')) : null));
    } else {
      this.list.querySelector('.none')?.remove();
      this.#drawRows(rows, now);
    }
    setText(this.asOf, this.model.updatedAt ? `${stale ? 'Not current: as of' : 'As of'} ${formatClock(this.model.updatedAt, true)}` : '');
    this.asOf.classList.toggle('is-stale', stale);
    this.#drawBadge(rows[0]);
  }

  #drawRows(rows, now) {
    const decimals = columnDecimals(rows.filter((r) => r.window.unit === 'usd').map((r) => r.window.limit));
    const keys = new Set(rows.map((row) => row.window.key));
    for (const [key, card] of this.#cards) {
      if (!keys.has(key)) {
        card.element.remove();
        this.#cards.delete(key);
      }
    }
    rows.forEach((row, index) => {
      const { key } = row.window;
      if (!this.#cards.has(key)) this.#cards.set(key, new WindowCard());
      const card = this.#cards.get(key);
      card.draw(row, now, decimals);
      // Moved only when the order really changes, so that focus and reading position stay.
      if (this.list.children[index] !== card.element) this.list.insertBefore(card.element, this.list.children[index] ?? null);
    });
  }

  #drawBadge(row) {
    const used = row ? shares(row.window).used : 0;
    this.badgeBar.style.setProperty('--used', `${used}%`);
    this.badgeBar.dataset.tone = row ? toneOf(level(row.window)) : 'muted';
    this.badgeBar.hidden = !row;
    this.button.setAttribute('aria-label', `Meter: this run ${formatMoney(this.#target, COST_DECIMALS)}`);
    this.button.title = 'Meter (m)';
  }

  #jump(nano) {
    this.#shown = nano;
    this.#target = nano;
    this.#write();
  }

  /** Counts up to what the server confirmed, never beyond it. */
  #countTo(nano) {
    this.#target = nano;
    if (matchMedia('(prefers-reduced-motion: reduce)').matches || document.hidden || nano < this.#shown) return this.#jump(nano);
    if (!this.#step) this.#step = requestAnimationFrame(() => this.#tick());
    return undefined;
  }

  #tick() {
    const rest = this.#target - this.#shown;
    const part = rest / 5n;
    this.#shown = part > 1000n ? this.#shown + part : this.#target;
    this.#write();
    this.#step = this.#shown === this.#target ? 0 : requestAnimationFrame(() => this.#tick());
  }

  #write() {
    const text = formatMoney(this.#shown, COST_DECIMALS);
    setText(this.cost, text);
    setText(this.badge, text);
  }
}

class WindowCard {
  constructor() {
    this.name = h('span.w-name');
    this.period = h('span.w-period');
    this.amount = h('span.num.w-amount');
    this.limit = h('span.num.w-limit');
    this.heldText = h('span.num.w-held');
    this.used = h('span.fill.used');
    this.held = h('span.fill.held');
    this.bar = h('div.bar', { role: 'meter', aria: { valuemin: '0', valuemax: '100' } }, this.held, this.used,
      h('i.mark.m50'), h('i.mark.m80'), h('i.mark.m95'));
    this.scale = h('div.scale.num', { aria: { hidden: 'true' } }, h('span.m50', null, '50'), h('span.m80', null, '80'), h('span.m95', null, '95 %'));
    this.verdict = h('p.verdict');
    this.sub = h('p.sub.num');
    this.element = h('li.window', null,
      h('div.w-head', null, this.name, this.period), h('div.w-amounts', null, this.amount, this.limit, this.heldText), this.bar, this.scale, this.verdict, this.sub);
  }

  draw({ window, timeLeft, stopsFirst }, now, decimals) {
    const part = shares(window);
    const mark = level(window);
    setText(this.name, scopeName(window));
    setText(this.period, window.unit === 'usd' ? periodName(window.period) : `${window.unit} ${periodName(window.period)}`);
    setText(this.amount, formatAmount(window.used, window.unit, decimals));
    setText(this.limit, `of ${formatAmount(window.limit, window.unit, decimals)}`);
    this.bar.style.setProperty('--used', `${part.used}%`);
    this.bar.style.setProperty('--held', `${part.held}%`);
    this.bar.setAttribute('aria-valuenow', part.used.toFixed(0));
    this.bar.setAttribute('aria-label', `${scopeName(window)} ${periodName(window.period)}`);
    this.element.dataset.tone = toneOf(mark);
    this.element.classList.toggle('is-first', stopsFirst);
    setText(this.verdict, verdict(mark, stopsFirst ? timeLeft : null));
    this.verdict.hidden = this.verdict.textContent === '';
    setText(this.heldText, window.held > 0n ? `held ${formatAmount(window.held, window.unit, decimals)}` : '');
    if (window.resetsAt !== null && window.resetsAt > now) {
      setText(this.sub, `Resets in ${formatDuration(window.resetsAt - now)} (${formatReset(window.resetsAt, now)})`);
      this.sub.title = formatInstant(window.resetsAt);
    } else setText(this.sub, window.period === 'total' ? 'Does not reset' : '');
  }
}

function verdict(mark, timeLeft) {
  if (mark === 100) return 'Spent: it stops every run';
  if (timeLeft !== null) return `Stops the run first: about ${formatAbout(timeLeft)} left at this rate`;
  if (mark >= 80) return `Over ${mark} % used`;
  return '';
}

const toneOf = (mark) => (mark === 100 ? 'cut' : mark >= 80 ? 'warning' : 'muted');

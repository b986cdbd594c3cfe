import { h, icon, setIcon, setText } from '../shared/dom.js';
import { formatClock } from '../shared/time.js';
import { inScope, readAddress } from './address.js';
import { windowOf } from './budget-model.js';
import { countApprovals } from './approvals-model.js';
import { decisionWords, healthWords, standOut, tiles } from './now-model.js';
import { NowTile } from './now-tile.js';
import { loading, problem, sample } from './panels.js';
import { whyBox } from './why-box.js';

const DRAW_MS = 250;
/** Older than this it is not now: the page says so. */
const STALE_MS = 15_000;

/** What runs, what it burns, whether anything waits or is broken: in two seconds. */
export class NowPage {
  title = 'Now';
  isScoped = true;
  #filters = {};
  #timer = 0;
  #tick = 0;
  #shown = false;
  #tiles = new Map();

  constructor(deps) {
    this.deps = deps;
    this.message = h('div');
    this.sign = icon('check');
    this.word = h('strong');
    this.asOf = h('span.hint.num');
    this.problems = h('ul.now-problems');
    this.health = h('section.now-health', { aria: { label: 'Health' } }, h('p', null, this.sign, this.word, this.asOf), this.problems);
    this.grid = h('div.now-tiles');
    this.decisions = h('a.now-card', null, h('span.now-title', null, 'Decisions in the last hour'), this.allowed = h('b.num'), ' allowed ', this.denied = h('b.num'), ' denied', this.share = h('span.now-share', { aria: { hidden: 'true' } }, h('i')));
    this.approvals = h('a.now-card', null, h('span.now-title', null, 'Approvals'), this.waiting = h('b.num'), this.waitingWord = h('span'));
    this.why = h('div.now-card', null, h('span.now-title', null, 'Why was I cut?'), whyBox({ ...deps, readAddress }));
    this.unusual = h('ul.now-unusual');
    this.unusualTitle = h('h2.section-title', null, 'Stands out');
    this.content = h('div', null, this.health, this.grid, h('div.now-cards', null, this.decisions, this.approvals, this.why), this.unusualTitle, this.unusual);
    this.element = h('div.broad.now', null, this.message, this.content);
    for (const store of [deps.now, deps.streams, deps.windows]) store.on('change', () => this.#later());
  }

  show({ filters }) {
    this.#filters = filters;
    this.#shown = true;
    for (const store of [this.deps.now, this.deps.streams, this.deps.windows]) store.ensure();
    this.#tick ||= setInterval(() => this.#later(), 5000);
    this.#draw();
  }

  leave() {
    this.#shown = false;
    clearTimeout(this.#timer);
    clearInterval(this.#tick);
    this.#timer = this.#tick = 0;
  }

  asked() { for (const store of [this.deps.now, this.deps.streams, this.deps.windows]) store.load(); }

  key(name) {
    if (name === '/') return this.why.querySelector('input').focus();
    if (name !== 'j' && name !== 'k') return undefined;
    const links = [...this.content.querySelectorAll('a[href]')];
    const at = links.indexOf(document.activeElement);
    return links[Math.max(0, Math.min(links.length - 1, at + (name === 'j' ? 1 : -1)))]?.focus();
  }

  #later() {
    if (this.#shown && !this.#timer) this.#timer = setTimeout(() => { this.#timer = 0; this.#draw(); }, DRAW_MS);
  }

  #draw() {
    const { now, streams, windows } = this.deps;
    if (!this.#shown || (now.error && this.deps.refused(now.error))) return;
    const failed = [now, streams, windows].find((store) => store.state === 'failed');
    const key = failed ? `failed ${failed.error.message}` : now.value ? '' : 'loading';
    if (this.message.dataset.drawn !== key) {
      this.message.dataset.drawn = key;
      this.message.replaceChildren(...(failed ? [problem('Not everything could be read.', failed.error, () => this.asked())] : now.value ? [] : [loading()]));
    }
    this.content.hidden = !now.value;
    if (now.value) this.#drawNow(now.value);
  }

  #drawNow(value) {
    const { href } = this.deps;
    const health = healthWords(value);
    this.health.dataset.tone = health.tone;
    setIcon(this.sign, health.sign);
    setText(this.word, health.text);
    const age = Date.now() - (value.at ?? Date.now());
    setText(this.asOf, age > STALE_MS ? `As of ${formatClock(value.at, true)}` : '');
    if (this.problems.textContent !== health.problems.join('')) this.problems.replaceChildren(...health.problems.map((text) => h('li', null, text)));
    for (const tile of tiles(value)) {
      if (!this.#tiles.has(tile.name)) {
        const view = new NowTile(tile);
        this.#tiles.set(tile.name, view);
        this.grid.append(view.element);
      }
      this.#tiles.get(tile.name).update(tile, href(tile.page, tile.name === 'cuts' ? { kind: 'cut', range: 'hour' } : {}), value.at ?? Date.now());
    }
    this.#drawCards(value);
    this.#drawUnusual(value);
  }

  #drawCards(value) {
    const { href, approvals } = this.deps;
    const decided = decisionWords(value);
    this.decisions.setAttribute('href', href('decisions', { range: 'hour' }));
    setText(this.allowed, decided.allow);
    setText(this.denied, decided.deny);
    this.share.firstElementChild.style.setProperty('--share', `${decided.share * 100}%`);
    this.share.hidden = decided.count === 0;
    const { waiting, mine } = countApprovals(approvals.rows);
    const count = Math.max(waiting, value.approvals_waiting ?? 0);
    this.approvals.setAttribute('href', href('approvals'));
    this.approvals.dataset.tone = mine > 0 ? 'waiting' : 'muted';
    setText(this.waiting, String(count));
    setText(this.waitingWord, count === 0 ? ' wait' : mine > 0 ? `${count === 1 ? ' waits' : ' wait'}, ${mine} for you` : count === 1 ? ' waits for others' : ' wait for others');
  }

  #drawUnusual(value) {
    const { href, streams, windows } = this.deps;
    const inside = (row) => inScope(row, this.#filters);
    const rows = streams.all.filter(inside);
    const found = standOut({ streams: rows, windows: windows.all.map(windowOf).filter(Boolean) });
    const isQuiet = found.length === 0;
    const key = JSON.stringify(found) + isQuiet + value.runs;
    if (this.unusual.dataset.drawn === key) return;
    this.unusual.dataset.drawn = key;
    const kept = this.unusual.contains(document.activeElement) ? document.activeElement.dataset.kind : null;
    setText(this.unusualTitle, isQuiet ? 'Nothing stands out' : 'Stands out');
    this.unusual.replaceChildren(...(isQuiet ? [this.#quiet(value)] : found.map((one) => h('li', null, h('a.now-one', { href: href(one.page, one.filters), data: { kind: one.kind, tone: one.tone } },
      h('span.now-one-sign', null, icon(one.sign)), h('strong', null, one.title), h('span.num', null, one.text))))));
    if (kept) this.unusual.querySelector(`[data-kind=${kept}]`)?.focus();
  }

  #quiet({ runs }) {
    return runs > 0 ? h('li.hint', null, 'No budget is nearly spent, and nothing waits.')
      : h('li', null, h('p.hint', null, 'No run lives. Open the chat, or send a message:'),
        sample(`curl ${location.origin}/v1/chat/completions -H "authorization: Bearer $KEY" \\\n  -H "content-type: application/json" \\\n  -d '{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'`));
  }
}

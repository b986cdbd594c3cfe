import { h } from '../shared/dom.js';

/** Rows above and below what is seen: scrolling by a wheel never shows a hole. */
const BEYOND = 6;

/** Which rows are seen. Pure. @returns {[number, number]} first, and the one after the last. */
export function range({ top, height, row, count, beyond = BEYOND }) {
  if (row <= 0 || count === 0) return [0, 0];
  const first = Math.max(0, Math.min(count, Math.floor(top / row)) - beyond);
  return [first, Math.min(count, Math.ceil((top + height) / row) + beyond)];
}

/**
 * A list of which only the rows in sight are in the page: ten thousand scroll like ten. All rows are as high as the custom property
 * `--row` of the list says. A view stays with its row while that is in sight, so focus and selection stay too.
 */
export class VirtualList {
  #items = [];
  #views = new Map();
  #index = new Map();
  #row = 0;
  #frame = 0;

  /** @param {{scroller: HTMLElement, make: (item) => {element: HTMLElement, update: (item) => void}, id: (item) => string, label: string}} deps */
  constructor({ make, id, label, role = 'list' }) {
    Object.assign(this, { make, id });
    this.space = h('div.vl-space', { role, aria: { label } });
    this.element = h('div.vl', { tabIndex: -1 }, this.space);
    this.element.addEventListener('scroll', () => this.#later(), { passive: true });
    new ResizeObserver(() => { this.#row = 0; this.draw(); }).observe(this.element);
  }

  get items() { return this.#items; }

  set(items) {
    this.#items = items;
    this.#index = new Map(items.map((item, at) => [this.id(item), at]));
    this.draw();
  }

  indexOf(id) { return this.#index.get(id) ?? -1; }
  view(id) { return this.#views.get(id); }

  /** Brings a row into sight. */
  reveal(id) {
    const at = this.indexOf(id);
    if (at < 0) return;
    const top = at * this.#row;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + this.#row > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = top + this.#row - this.element.clientHeight;
    this.draw();
  }

  draw() {
    if (!this.element.isConnected || this.element.clientHeight === 0) return;
    this.#row ||= parseFloat(getComputedStyle(this.element).getPropertyValue('--row')) || 48;
    const count = this.#items.length;
    this.space.style.height = `${count * this.#row}px`;
    const [first, end] = range({ top: this.element.scrollTop, height: this.element.clientHeight, row: this.#row, count });
    const seen = new Set();
    for (let at = first; at < end; at += 1) {
      const item = this.#items[at];
      const id = this.id(item);
      seen.add(id);
      let view = this.#views.get(id);
      if (!view) {
        view = this.make(item);
        this.#views.set(id, view);
        this.space.append(view.element);
      }
      view.update(item);
      view.element.style.transform = `translateY(${at * this.#row}px)`;
      view.element.setAttribute('aria-setsize', String(count));
      view.element.setAttribute('aria-posinset', String(at + 1));
    }
    for (const [id, view] of this.#views) {
      if (seen.has(id)) continue;
      view.element.remove();
      this.#views.delete(id);
    }
  }

  #later() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.draw(); });
  }
}

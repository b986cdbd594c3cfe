import { h } from '../shared/dom.js';

/** Rows above and below what is seen: scrolling by a wheel never shows a hole. */
const BEYOND = 6;

/**
 * Which rows are seen. Pure.
 * @param {number[]} offsets where each row begins, and after them where the last one ends.
 * @returns {[number, number]} first, and the one after the last.
 */
export function range({ top, height, offsets, beyond = BEYOND }) {
  const count = offsets.length - 1;
  if (count <= 0) return [0, 0];
  return [Math.max(0, rowAt(offsets, top) - beyond), Math.min(count, rowAt(offsets, top + height) + 1 + beyond)];
}

/** The row that a pixel lies in. */
function rowAt(offsets, pixel) {
  let [low, high] = [0, offsets.length - 2];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (offsets[middle] <= pixel) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * A list of which only the rows in sight are in the page: ten thousand scroll like ten. Rows are as high as the custom property of the
 * list says that `size` names, `--row` by default. A view stays with its row while that is in sight, so focus and selection stay too.
 */
export class VirtualList {
  #items = [];
  #views = new Map();
  #index = null; // id → place, made when it is asked for
  #heights = new Map(); // custom property → pixels, until the list changes its width
  #offsets = [0];
  #frame = 0;

  /** @param {{make: (item) => {element: HTMLElement, update: (item) => void}, id: (item) => string, label: string, size?: (item) => string}} deps */
  constructor({ make, id, label, size = null }) {
    Object.assign(this, { make, id, size });
    this.space = h('div.vl-space', { role: 'list', aria: { label } });
    this.element = h('div.vl', { tabIndex: -1 }, this.space);
    this.element.addEventListener('scroll', () => this.#later(), { passive: true });
    new ResizeObserver(() => {
      this.#heights.clear();
      this.#measure();
      this.draw();
    }).observe(this.element);
  }

  get items() { return this.#items; }

  set(items) {
    this.#items = items;
    this.#index = null;
    // Where all rows are of one height they lie as before, unless there are more or fewer.
    if (this.size || items.length !== this.#offsets.length - 1) this.#measure();
    this.draw();
  }

  indexOf(id) {
    this.#index ??= new Map(this.#items.map((item, at) => [this.id(item), at]));
    return this.#index.get(id) ?? -1;
  }
  view(id) { return this.#views.get(id); }

  /** Brings a row into sight. */
  reveal(id) {
    const at = this.indexOf(id);
    if (at < 0) return;
    const [top, end] = [this.#offsets[at], this.#offsets[at + 1]];
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (end > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = end - this.element.clientHeight;
    this.draw();
  }

  draw() {
    // A list that is empty may be hidden by its page.
    if (!this.element.isConnected || (this.element.clientHeight === 0 && this.#items.length > 0)) return;
    if (this.#offsets.length !== this.#items.length + 1) this.#measure();
    const count = this.#items.length;
    this.space.style.height = `${this.#offsets[count]}px`;
    const [first, end] = range({ top: this.element.scrollTop, height: this.element.clientHeight, offsets: this.#offsets });
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
      view.element.style.transform = `translateY(${this.#offsets[at]}px)`;
      view.element.style.height = `${this.#offsets[at + 1] - this.#offsets[at]}px`;
      view.element.setAttribute('aria-setsize', String(count));
      view.element.setAttribute('aria-posinset', String(at + 1));
    }
    for (const [id, view] of this.#views) {
      if (seen.has(id)) continue;
      view.element.remove();
      this.#views.delete(id);
    }
  }

  #measure() {
    if (!this.element.isConnected) return void (this.#offsets = [0]);
    let style = null;
    const height = (name) => {
      if (!this.#heights.has(name)) this.#heights.set(name, parseFloat((style ??= getComputedStyle(this.element)).getPropertyValue(name)) || 48);
      return this.#heights.get(name);
    };
    let top = 0;
    this.#offsets = [0, ...this.#items.map((item) => (top += height(this.size?.(item) ?? '--row')))];
  }

  #later() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.draw(); });
  }
}

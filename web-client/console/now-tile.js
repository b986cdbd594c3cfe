import { h, setText } from '../shared/dom.js';
import { formatClock } from '../shared/time.js';
import { Spark } from './spark.js';

const MINUTE = 60_000;

/** A number with the line of its last hour; what a minute was is told under the pointer. */
export class NowTile {
  #tile = null;
  #at = 0;

  constructor(tile) {
    this.value = h('b.num');
    this.unit = h('span');
    this.spot = h('span.now-spot.num');
    this.line = new Spark();
    this.cursor = h('i.now-cursor', { hidden: true });
    this.chart = h('div.now-chart', { onpointermove: (event) => this.#point(event), onpointerleave: () => this.#rest() }, this.line.element, this.cursor);
    this.element = h('a.now-tile', { data: { tile: tile.name } }, h('span.now-title', null, tile.title, this.spot), h('span.now-value', null, this.value, this.unit), this.chart,
      h('span.now-axis', { aria: { hidden: 'true' } }, h('span', null, '60 min ago'), h('span', null, 'now')));
  }

  update(tile, href, at) {
    this.#tile = tile;
    this.#at = at;
    setText(this.value, tile.value);
    setText(this.unit, tile.unit);
    this.line.set(tile.line);
    if (this.element.getAttribute('href') !== href) this.element.setAttribute('href', href);
    if (this.cursor.hidden) this.#rest();
  }

  #rest() {
    this.cursor.hidden = true;
    const most = Math.max(...this.#tile.line);
    setText(this.spot, most > 0 ? `peak ${this.#tile.say(most)}` : '');
  }

  #point(event) {
    const box = this.chart.getBoundingClientRect();
    const { line, say } = this.#tile;
    const at = Math.max(0, Math.min(line.length - 1, Math.round(((event.clientX - box.left) / box.width) * (line.length - 1))));
    this.cursor.hidden = false;
    this.cursor.style.setProperty('--x', `${(at / (line.length - 1)) * 100}%`);
    setText(this.spot, `${formatClock(this.#at - (line.length - 1 - at) * MINUTE)} · ${say(line[at])}`);
  }
}

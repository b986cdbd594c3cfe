/** Small lines of numbers: their path (pure), and an SVG that changes in place. */
const SVG = 'http://www.w3.org/2000/svg';
/** Of the drawing; the style says how large it is shown. */
const WIDTH = 240;
const HEIGHT = 48;

/**
 * @param {number[]} values oldest first
 * @returns {{line: string, area: string}} paths in a box of 240 × 48; the floor is zero, the ceiling the largest value.
 */
export function sparkPaths(values, { width = WIDTH, height = HEIGHT, slots = values.length } = {}) {
  if (values.length === 0) return { line: '', area: '' };
  const most = Math.max(...values, 0);
  const step = slots > 1 ? width / (slots - 1) : 0;
  const left = width - step * (values.length - 1);
  const x = (at) => round(left + at * step);
  // A pixel of air above and below, so that the stroke is not cut.
  const y = (value) => round(most > 0 ? height - 1 - (value / most) * (height - 2) : height - 1);
  const points = values.map((value, at) => `${x(at)} ${y(value)}`);
  const line = `M${points.join('L')}`;
  return { line, area: `${line}L${x(values.length - 1)} ${height}L${x(0)} ${height}Z` };
}

const round = (value) => Math.round(value * 10) / 10;

export class Spark {
  #key = '';

  constructor({ area = true, slots } = {}) {
    this.slots = slots;
    this.element = document.createElementNS(SVG, 'svg');
    this.element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute('preserveAspectRatio', 'none');
    this.element.setAttribute('aria-hidden', 'true');
    this.element.setAttribute('class', 'spark');
    this.area = area ? this.#path('spark-area') : null;
    this.line = this.#path('spark-stroke');
  }

  set(values) {
    const key = values.join();
    if (key === this.#key) return;
    this.#key = key;
    const paths = sparkPaths(values, { slots: this.slots ?? values.length });
    this.line.setAttribute('d', paths.line);
    this.area?.setAttribute('d', paths.area);
  }

  #path(name) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', name);
    this.element.append(path);
    return path;
  }
}

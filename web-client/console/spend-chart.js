import { h, reducedMotion } from '../shared/dom.js';
import { formatMoney, parseMoney } from '../shared/money.js';
import { loadChart, onScheme } from './chart-loader.js';
import { COLOURED, nameWords, REST, stepTitle, stepWords } from './spend-model.js';

/** Fewer points than this are no area. */
const AREA_MIN = 3;
/** Of more points a peak is hardly wider than the line between two areas: then that is thin. */
const MANY = 60;

/** The custom property of a name's colour, by its place among the dearest. */
export const colourOf = (name, index) => (name === REST || index >= COLOURED ? '--chart-rest' : `--chart-${index + 1}`);

/** Dollars of a chart in words: a number that was added up, not one of the ledger. */
const money = (value) => {
  const decimals = value >= 100 ? 2 : value >= 0.1 ? 4 : 6;
  return formatMoney(parseMoney(value.toFixed(9)), decimals);
};
const axisMoney = (value) => (value >= 1000 ? `$${value / 1000} k` : `$${Number(value.toPrecision(6))}`);

/** The stacked area over the time. Decoration for who sees it: the table below says the same. */
export class SpendChart {
  #chart = null;
  #drawn = null;

  constructor() {
    this.canvas = h('canvas', { role: 'img' });
    this.missing = h('p.hint.sp-missing', { hidden: true }, 'The chart is not shown: Chart.js is not installed on this server (scripts/setup.sh does it). The table says the same.');
    this.element = h('div.sp-chart', null, h('div.sp-canvas', null, this.canvas), this.missing);
    onScheme(() => this.#drawn && this.draw(this.#drawn));
  }

  /** @param {{stack: object, step: string, label: string}} what as of `stackOf`. */
  async draw(what) {
    this.#drawn = what;
    const Chart = await loadChart();
    this.missing.hidden = Chart !== null;
    this.element.classList.toggle('is-missing', Chart === null);
    if (!Chart || this.#drawn !== what) return;
    this.canvas.setAttribute('aria-label', what.label);
    const { type, data, options } = this.#config(what);
    if (this.#chart && this.#chart.config.type !== type) this.clear();
    if (!this.#chart) {
      this.#chart = new Chart(this.canvas, { type, data, options });
      return;
    }
    this.#chart.data = data;
    this.#chart.options = options;
    this.#chart.update(reducedMotion() ? 'none' : undefined);
  }

  clear() {
    this.#chart?.destroy();
    this.#chart = null;
  }

  #config({ stack, step }) {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim();
    const isArea = stack.at.length >= AREA_MIN;
    const font = { family: style.getPropertyValue('--font').trim() || 'sans-serif', size: 12 };
    const [ink, soft, line, surface] = ['--ink', '--ink-3', '--line', '--surface'].map(token);
    const datasets = stack.sets.map(({ name, values }, index) => ({
      label: nameWords(name), data: values, fill: isArea ? (index === 0 ? 'origin' : '-1') : undefined, backgroundColor: token(colourOf(name, index)),
      // A line in the colour of the page keeps two areas apart also for who sees no difference of colours.
      borderColor: surface, borderWidth: stack.at.length > MANY ? 0.5 : isArea ? 1.5 : 1, pointRadius: 0, pointHitRadius: 12, pointHoverRadius: 3, pointHoverBackgroundColor: ink, tension: 0, maxBarThickness: 120,
    }));
    const grid = { color: line, drawBorder: false, drawTicks: false };
    const options = {
      responsive: true, maintainAspectRatio: false, animation: reducedMotion() ? false : { duration: 250 }, interaction: { mode: 'index', intersect: false }, normalized: true,
      layout: { padding: { top: 4 } },
      scales: {
        x: { stacked: true, offset: !isArea, grid: { display: false, drawBorder: false }, ticks: { color: soft, font, maxRotation: 0, autoSkipPadding: 18, padding: 6, callback: (_, index) => stepWords(stack.at[index], step) } },
        y: { stacked: true, beginAtZero: true, grid, ticks: { color: soft, font, padding: 8, maxTicksLimit: 5, callback: axisMoney } },
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          backgroundColor: ink, titleColor: surface, bodyColor: surface, footerColor: surface, titleFont: { ...font, weight: 600 }, bodyFont: font, footerFont: { ...font, weight: 600 }, padding: 10, cornerRadius: 6, boxPadding: 4,
          itemSort: (a, b) => b.datasetIndex - a.datasetIndex, filter: (item) => item.raw > 0,
          callbacks: {
            title: ([item]) => (item ? stepTitle(stack.at[item.dataIndex], step) : ''), label: (item) => ` ${item.dataset.label}  ${money(item.raw)}`,
            footer: ([item]) => (item ? `Together  ${money(stack.totals[item.dataIndex])}` : ''),
          },
        },
      },
    };
    return { type: isArea ? 'line' : 'bar', data: { labels: stack.at.map((at) => stepTitle(at, step)), datasets }, options };
  }
}

import { h } from '../shared/dom.js';
import { formatCount, formatMoney } from '../shared/money.js';
import { colourOf } from './spend-chart.js';
import { below, BY, costDecimals, nameWords, REST, shareWords } from './spend-model.js';

/** The numbers behind the chart, the dearest first; a name leads into its scope. */
export function spendTable(rows, { by, href }) {
  const decimals = costDecimals(rows.map((row) => row.cost));
  const columns = [
    ['Cost', (row) => formatMoney(row.cost, decimals)], ['Share', share],
    // A tool is called; the tokens and requests are those of models.
    ...(by === 'tool' ? [] : [['Requests', (row) => formatCount(row.requests ?? 0)]]), ...(rows.some((row) => row.calls > 0) || by === 'tool' ? [['Calls', (row) => formatCount(row.calls ?? 0)]] : []),
    ...(by === 'tool' ? [] : [['Input tokens', (row) => formatCount(row.input_tokens ?? 0)], ['Output tokens', (row) => formatCount(row.output_tokens ?? 0)]]),
  ];
  return h('div.sp-table-box', { tabIndex: 0, role: 'region', aria: { label: 'Spending as a table' } }, h('table.sp-table', null,
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, BY[by]), ...columns.map(([word]) => h('th.is-number', { scope: 'col' }, word)))),
    h('tbody', null, ...rows.map((row, index) => h('tr', { data: { name: row.name === REST ? '' : row.name } }, h('th', { scope: 'row' }, name(row, index, href)), ...columns.map(([, cell]) => h('td.is-number.num', null, cell(row))))))));
}

function name(row, index, href) {
  const swatch = h('i.sp-swatch', { aria: { hidden: 'true' } });
  swatch.style.setProperty('--swatch', `var(${colourOf(row.name, index)})`);
  const further = below(row);
  const word = nameWords(row.name);
  return h('span.sp-name', null, swatch, further ? h('a', { href: href(further) }, word) : h('span', null, word));
}

function share({ share: part, cost }) {
  const bar = h('i.sp-share', { aria: { hidden: 'true' } });
  bar.style.setProperty('--part', String(Math.max(part > 0 ? 0.5 : 0, part) / 100));
  return h('span.sp-part', null, bar, h('span', null, shareWords(part, cost)));
}

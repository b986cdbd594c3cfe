import { h } from '../shared/dom.js';
import { show } from '../shared/values.js';

/** Text longer than this is folded: a card has to stay one that can be judged. */
const LONG = 600;

/** Arguments as a table: text nodes alone, so nothing that a model wrote becomes markup. */
export function argumentsTable(args, { label = 'Arguments' } = {}) {
  const rows = Object.entries(args && typeof args === 'object' ? args : { value: args });
  if (args === undefined || rows.length === 0) return h('p.hint', null, args === undefined ? 'The arguments are not kept.' : 'No arguments.');
  return h('table.arguments', { aria: { label } }, h('tbody', null,
    ...rows.map(([name, value]) => h('tr', null, h('th', { scope: 'row' }, name), h('td', null, valueNode(value))))));
}

function valueNode(value) {
  if (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one !== 'object')) return value.join('\n');
  const text = show(value) ?? '';
  if (text.length <= LONG) return text === '' ? h('span.hint', null, 'empty') : text;
  return h('details.long', null, h('summary', null, `${text.slice(0, 160)}…`, h('span.hint', null, ` all ${text.length} characters`)), h('div', null, text));
}

import { h, icon } from '../shared/dom.js';
import { countLines, diffLines, foldSame } from './line-diff.js';
import { pieces } from './policy-file.js';

const WORDS = { changed: 'changed', new: 'new', renamed: 'renamed', removed: 'removed' };

/**
 * Files beside what they were: a line that goes has a minus, one that comes a plus.
 * @param {{name: string, from: string|null, kind: string, before: string, after: string}[]} changes
 * @param {{open?: (change: object) => (Node|null)}} options `open` gives a button for a file's heading.
 */
export function diffView(changes, { action = () => null } = {}) {
  return h('div.df-files', null, ...changes.map((change) => {
    const rows = diffLines(change.before, change.after);
    const { added, removed } = countLines(rows);
    return h('section.df', { data: { file: change.name, kind: change.kind } },
      h('header.df-head', null, h('h3.df-name', null, change.kind === 'renamed' ? `${change.from} → ${change.name}` : change.name), h('span.tag', null, WORDS[change.kind] ?? change.kind),
        h('span.df-count.num', null, h('span', { data: { tone: 'done' } }, `+${added}`), ' ', h('span', { data: { tone: 'cut' } }, `−${removed}`), h('span.hidden', null, ` ${added} lines added, ${removed} removed`)),
        action(change)),
      rows.every((row) => row.kind === 'same') ? h('p.hint.df-none', null, 'Its text is the same.') : lines(rows));
  }));
}

const SIGNS = { same: ' ', old: '−', new: '+' };
const SAID = { old: 'removed: ', new: 'added: ' };

function lines(rows) {
  let folded = foldSame(rows);
  const box = h('div.df-lines', { tabIndex: 0, role: 'region', aria: { label: 'Changed lines' } });
  const draw = () => box.replaceChildren(...folded.map((row) => (row.skipped === undefined ? line(row)
    : h('button.df-gap', { type: 'button', onclick: () => { folded = rows; draw(); box.focus(); } }, icon('chevron'), `${row.skipped} ${row.skipped === 1 ? 'line' : 'lines'} as before`))));
  draw();
  return box;
}

function line(row) {
  return h(`div.df-line.is-${row.kind}`, null, h('span.df-number.num', { aria: { hidden: 'true' } }, row.old ?? ''), h('span.df-number.num', { aria: { hidden: 'true' } }, row.new ?? ''),
    h('span.df-sign', { aria: { hidden: 'true' } }, SIGNS[row.kind]), SAID[row.kind] && h('span.hidden', null, SAID[row.kind]), h('code', null, ...pieces(row.text)));
}

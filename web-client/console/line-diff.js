/** Which lines of a text became which of another. Pure. */

/** Cells of the table of common lines, after the same beginning and end are left out: 2,000 changed lines beside 2,000 others. */
const CELLS_MAX = 4_000_000;

/** Lines without the end of the last one: "a\n" and "a" are the same lines. */
const linesOf = (text) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/**
 * @param {string} before
 * @param {string} after
 * @returns {{kind: 'same'|'old'|'new', old: number|null, new: number|null, text: string}[]} every line, with its number in each text; of a
 *   change first what goes, then what comes.
 */
export function diffLines(before, after) {
  const [a, b] = [linesOf(before), linesOf(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const same = (i, j) => ({ kind: 'same', old: i + 1, new: j + 1, text: a[i] });
  const rows = [];
  for (let i = 0; i < start; i += 1) rows.push(same(i, i));
  for (const row of between(a, b, start, a.length - end, b.length - end, same)) rows.push(row);
  for (let i = end; i > 0; i -= 1) rows.push(same(a.length - i, b.length - i));
  return rows;
}

/** The longest common lines of the middle, by the table of lengths; two texts that are too large for it are taken as all changed. */
function between(a, b, start, endA, endB, same) {
  const [height, width] = [endA - start, endB - start];
  const gone = (i) => ({ kind: 'old', old: i + 1, new: null, text: a[i] });
  const come = (j) => ({ kind: 'new', old: null, new: j + 1, text: b[j] });
  const rows = [];
  let [i, j] = [start, start];
  if (height * width <= CELLS_MAX) {
    const row = width + 1;
    const lengths = new Uint32Array((height + 1) * row);
    for (let y = height - 1; y >= 0; y -= 1) {
      for (let x = width - 1; x >= 0; x -= 1) {
        const at = y * row + x;
        lengths[at] = a[start + y] === b[start + x] ? lengths[at + row + 1] + 1 : Math.max(lengths[at + row], lengths[at + 1]);
      }
    }
    while (i < endA && j < endB) {
      const at = (i - start) * row + (j - start);
      if (a[i] === b[j]) rows.push(same(i++, j++));
      else if (lengths[at + row] >= lengths[at + 1]) rows.push(gone(i++));
      else rows.push(come(j++));
    }
  }
  while (i < endA) rows.push(gone(i++));
  while (j < endB) rows.push(come(j++));
  return rows;
}

/** How many lines come and go. */
export function countLines(rows) {
  return { added: rows.filter((row) => row.kind === 'new').length, removed: rows.filter((row) => row.kind === 'old').length };
}

/**
 * Only what is near a change; between two of these the number of lines that are left out.
 * @param {number} around lines that are kept before and after a change
 * @returns {({skipped: number}|object)[]} rows as of `diffLines`, and gaps.
 */
export function foldSame(rows, around = 3) {
  const near = new Uint8Array(rows.length);
  rows.forEach((row, index) => {
    if (row.kind !== 'same') near.fill(1, Math.max(0, index - around), index + around + 1);
  });
  const out = [];
  let skipped = 0;
  rows.forEach((row, index) => {
    // One line that is left out takes as much room as the line itself.
    const isAlone = !near[index] && (index === 0 || near[index - 1]) && (index === rows.length - 1 || near[index + 1]);
    if (!near[index] && !isAlone) {
      skipped += 1;
      return;
    }
    if (skipped > 0) out.push({ skipped });
    skipped = 0;
    out.push(row);
  });
  if (skipped > 0) out.push({ skipped });
  return out;
}

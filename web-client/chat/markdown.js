import { parseInline } from './markdown-inline.js';

/**
 * A small Markdown reader: an allow-list of blocks, as plain data. Nothing here or in the renderer ever treats the
 * model's text as markup; what is not on the list stays visible as the text it is.
 *
 * @typedef {{type: 'p'|'h'|'code'|'list'|'quote'|'hr'|'li', start?: number, level?: number, lang?: string,
 *   text?: string, ordered?: boolean, first?: number, inline?: object[], children?: Block[]}} Block
 */

/** Deeper nesting is shown flat: a hostile text must not exhaust the stack. */
const MAX_DEPTH = 6;

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})[.)])(?:([ \t]+)(.*)|)$/;
const BLANK = /^[ \t]*$/;

/**
 * @param {string} source
 * @param {{open?: boolean}} options `open`: the text is still growing; an unfinished mark at its end counts as closed.
 * @returns {Block[]} each with the offset where it starts: a finished block never changes when more text comes, so
 *   a growing text is read again only from the start of its last block.
 */
export function parseBlocks(source, { open = false } = {}, depth = 0) {
  const lines = source.split('\n');
  const reader = { lines, at: 0, offset: 0, open, depth };
  const blocks = [];
  while (reader.at < lines.length) {
    if (BLANK.test(lines[reader.at])) {
      skip(reader);
      continue;
    }
    const start = reader.offset;
    const block = fence(reader) ?? heading(reader) ?? rule(reader) ?? (depth < MAX_DEPTH ? quote(reader) ?? list(reader) : null)
      ?? paragraph(reader);
    block.start = start;
    blocks.push(block);
  }
  return blocks;
}

function skip(reader) {
  reader.offset += reader.lines[reader.at].length + 1;
  reader.at += 1;
}

const atEnd = (reader) => reader.open && reader.at >= reader.lines.length;
const inline = (text, reader) => parseInline(text, { open: atEnd(reader) });

function fence(reader) {
  const match = FENCE.exec(reader.lines[reader.at]);
  if (!match) return null;
  const indent = reader.lines[reader.at].search(/\S/);
  const [, marks, lang] = match;
  const close = new RegExp(`^ {0,3}${marks[0] === '`' ? '`' : '~'}{${marks.length},}[ \\t]*$`);
  const body = [];
  skip(reader);
  while (reader.at < reader.lines.length) {
    const line = reader.lines[reader.at];
    // The last line of a growing text may be half a closing fence; do not flash it as code.
    const half = reader.open && reader.at === reader.lines.length - 1 && line !== '' && marks.startsWith(line.trim());
    skip(reader);
    if (close.test(line) || half) return { type: 'code', lang, text: body.join('\n') };
    body.push(line.slice(Math.min(indent, line.search(/\S|$/))));
  }
  return { type: 'code', lang, text: body.join('\n') };
}

function heading(reader) {
  const match = HEADING.exec(reader.lines[reader.at]);
  if (!match) return null;
  skip(reader);
  return { type: 'h', level: match[1].length, inline: inline(match[2], reader) };
}

function rule(reader) {
  if (!RULE.test(reader.lines[reader.at])) return null;
  skip(reader);
  return { type: 'hr' };
}

function quote(reader) {
  if (!QUOTE.test(reader.lines[reader.at])) return null;
  const body = [];
  while (reader.at < reader.lines.length && QUOTE.test(reader.lines[reader.at])) {
    body.push(reader.lines[reader.at].replace(QUOTE, ''));
    skip(reader);
  }
  return { type: 'quote', children: parseBlocks(body.join('\n'), { open: atEnd(reader) }, reader.depth + 1) };
}

function list(reader) {
  const head = ITEM.exec(reader.lines[reader.at]);
  if (!head || head[5] === undefined) return null;
  const ordered = head[3] !== undefined;
  const items = [];
  while (reader.at < reader.lines.length) {
    const match = ITEM.exec(reader.lines[reader.at]);
    if (!match || (match[3] !== undefined) !== ordered || RULE.test(reader.lines[reader.at])) break;
    items.push(item(reader, match));
  }
  return { type: 'list', ordered, first: ordered ? Number(head[3]) : 1, children: items };
}

/** One item: its first line and every following line that is indented under it, or continues its paragraph. */
function item(reader, match) {
  const width = match[1].length + match[2].length + Math.min(match[4]?.length ?? 1, 4);
  const body = [match[5] ?? ''];
  skip(reader);
  while (reader.at < reader.lines.length) {
    const line = reader.lines[reader.at];
    const indent = line.search(/\S/);
    if (indent < 0) {
      // Blank: the item goes on only if what follows is indented or is the next item.
      const next = reader.lines.slice(reader.at + 1, reader.at + 4).find((l) => !BLANK.test(l));
      if (next === undefined || (next.search(/\S/) < 2 && !ITEM.test(next))) {
        skip(reader);
        break;
      }
      body.push('');
    } else if (indent >= Math.min(width, 2)) {
      body.push(line.slice(Math.min(indent, width)));
    } else if (ITEM.test(line) || body[body.length - 1] === '' || startsBlock(line)) {
      break;
    } else {
      body.push(line);
    }
    skip(reader);
  }
  return { type: 'li', children: parseBlocks(body.join('\n'), { open: atEnd(reader) }, reader.depth + 1) };
}

const startsBlock = (line) => FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line);

function paragraph(reader) {
  const body = [reader.lines[reader.at]];
  skip(reader);
  while (reader.at < reader.lines.length) {
    const line = reader.lines[reader.at];
    const match = reader.depth < MAX_DEPTH ? ITEM.exec(line) : null;
    // Only a list that begins at 1 may interrupt a paragraph, so that "in\n1984. It" stays prose (CommonMark 5.3).
    const starts = match && match[5] !== undefined && (match[3] === undefined || match[3] === '1');
    if (BLANK.test(line) || startsBlock(line) || starts) break;
    body.push(line);
    skip(reader);
  }
  return { type: 'p', inline: inline(body.map((line) => line.replace(/^[ \t]+/, '')).join('\n'), reader) };
}

/**
 * Inline Markdown as data: `{type: 'text'|'code'|'em'|'strong'|'del'|'link'|'br', text?, href?, children?}`.
 * One pass with a bounded stack, so that no text makes it slow.
 */

const MAX_OPEN = 8;
/** A paragraph beyond this is shown as plain text. */
const MAX_LENGTH = 50000;

const LINK = /!?\[([^[\]\n]{0,500})\]\(\s*<?((?:[^\s()<>]|\([^\s()<>]*\)){1,2000})>?(?:\s+"[^"\n]*")?\s*\)/y;
const BARE = /https?:\/\/[^\s<>"'`\])}]+/y;
const MARKS = /\*\*|\*|__|_|~~/y;
const ESCAPE = /\\([\\`*_{}[\]()#+\-.!~>|])/y;
const TYPES = { '**': 'strong', __: 'strong', '*': 'em', _: 'em', '~~': 'del' };

/** Only these may be followed; anything else (javascript:, data:) stays text. */
export function safeHref(address) {
  return /^(https?:\/\/|mailto:)[^\s]+$/i.test(address) ? address : null;
}

export function parseInline(text, { open = false } = {}) {
  if (text.length > MAX_LENGTH) return [{ type: 'text', text }];
  const state = { text, at: 0, stack: [{ mark: '', children: [] }], noClose: new Set(), open };
  while (state.at < text.length) step(state);
  // A mark without its partner is text; at the growing end of an answer it is taken as open, so that the words do
  // not jump when the partner comes.
  while (state.stack.length > 1) {
    const { mark, children } = state.stack.pop();
    if (open && children.length > 0) add(state, { type: TYPES[mark], children });
    else {
      addText(state, mark);
      for (const child of children) add(state, child);
    }
  }
  return state.stack[0].children;
}

function step(state) {
  const { text, at } = state;
  switch (text[at]) {
    case '\n': {
      state.at += 1;
      return add(state, { type: 'br' });
    }
    case '\\': {
      const match = sticky(ESCAPE, state);
      return match ? addText(state, match[1]) : take(state, 1);
    }
    case '`': return code(state);
    case '!': return text[at + 1] === '[' && link(state) ? undefined : take(state, 1);
    case '[': return link(state) ? undefined : take(state, 1);
    case 'h': return bare(state) ? undefined : take(state, 1);
    case '*': case '_': case '~': return mark(state);
    default: {
      // Plain text up to the next character that may mean something.
      const next = text.slice(at + 1).search(/[\n\\`!*_~[h]/);
      return take(state, next < 0 ? text.length - at : next + 1);
    }
  }
}

function sticky(pattern, state) {
  pattern.lastIndex = state.at;
  const match = pattern.exec(state.text);
  if (match) state.at += match[0].length;
  return match;
}

function take(state, length) {
  addText(state, state.text.slice(state.at, state.at + length));
  state.at += length;
}

function add(state, node) {
  const { children } = state.stack[state.stack.length - 1];
  const last = children[children.length - 1];
  if (node.type === 'text' && last?.type === 'text') last.text += node.text;
  else children.push(node);
}

const addText = (state, text) => add(state, { type: 'text', text });

function code(state) {
  const { text } = state;
  const ticks = /^`+/.exec(text.slice(state.at, state.at + 100))[0];
  const from = state.at + ticks.length;
  let to = state.noClose.has(ticks.length) ? -1 : text.indexOf(ticks, from);
  while (to >= 0 && text[to + ticks.length] === '`') {
    let end = to + ticks.length;
    while (text[end] === '`') end += 1;
    to = text.indexOf(ticks, end);
  }
  if (to < 0) {
    state.noClose.add(ticks.length);
    if (!state.open || from >= text.length) return take(state, ticks.length);
    to = text.length;
  }
  const body = text.slice(from, to).replace(/\n/g, ' ');
  add(state, { type: 'code', text: /^ .*[^ ].* $/.test(body) ? body.slice(1, -1) : body });
  state.at = Math.min(text.length, to + ticks.length);
}

function link(state) {
  const match = sticky(LINK, state);
  if (!match) return false;
  const href = safeHref(match[2]);
  // An unsafe address is shown whole, as the text it is.
  if (!href) addText(state, match[0]);
  else add(state, { type: 'link', href, children: [{ type: 'text', text: match[1] || href }] });
  return true;
}

function bare(state) {
  const before = state.text[state.at - 1];
  if (before && /\w/.test(before)) return false;
  const match = sticky(BARE, state);
  if (!match) return false;
  const address = match[0].replace(/[.,;:!?*_~]+$/, '');
  state.at -= match[0].length - address.length;
  add(state, { type: 'link', href: address, children: [{ type: 'text', text: address }] });
  return true;
}

function mark(state) {
  const { text, stack } = state;
  const from = state.at;
  const match = sticky(MARKS, state);
  if (!match) return take(state, 1);
  const sign = match[0];
  const before = text[from - 1] ?? ' ';
  const after = text[state.at] ?? ' ';
  const wordy = sign[0] === '_';
  const closes = !/\s/.test(before) && !(wordy && /\w/.test(after));
  const opens = !/\s/.test(after) && !(wordy && /\w/.test(before));
  let index = stack.length - 1;
  while (index > 0 && stack[index].mark !== sign) index -= 1;
  if (closes && index > 0 && stack[index].children.length + (stack.length - 1 - index) > 0) {
    // What was opened inside and never closed becomes text again.
    while (stack.length - 1 > index) {
      const inner = stack.pop();
      addText(state, inner.mark);
      for (const child of inner.children) add(state, child);
    }
    const { children } = stack.pop();
    return add(state, { type: TYPES[sign], children });
  }
  if (opens && stack.length <= MAX_OPEN) stack.push({ mark: sign, children: [] });
  else addText(state, sign);
}

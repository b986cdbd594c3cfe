/**
 * The widget's Markdown: paragraphs, lists, code, emphasis, links. Plain data; what is not on the list stays the text
 * it is. The chat page's reader knows more and is bigger.
 */
const FENCE = /^ {0,3}(```+|~~~+)\s*([\w+#.-]{0,30})/;
const ITEM = /^ {0,3}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const HEADING = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/;
/** Bounded classes without nesting: no text makes it slow. */
const INLINE = /`([^`\n]{1,500})`|\*\*(?=\S)([^*\n]{1,1000})\*\*|\*(?=\S)([^*\n]{1,1000})\*|\[([^[\]\n]{1,300})\]\(((?:https?:\/\/|mailto:)[^\s()<>"]{1,1000})\)|(https?:\/\/[^\s<>"'`)\]}]{1,1000})/g;

/** @returns {{type: 'p'|'strong'|'code'|'ul'|'ol', start: number, text?: string, lang?: string, first?: number, items?: string[]}[]} */
export function blocks(source) {
  const found = [];
  let fence = null;
  let block = null;
  let at = 0;
  const begin = (made) => {
    block = { ...made, start: at };
    found.push(block);
  };
  for (const line of source.split('\n')) {
    const mark = FENCE.exec(line);
    if (fence) {
      if (mark && mark[1].startsWith(fence) && !mark[2]) fence = block = null;
      else block.text += block.open ? ((block.open = false), line) : `\n${line}`;
    } else if (mark) {
      begin({ type: 'code', lang: mark[2], text: '', open: true });
      fence = mark[1];
    } else if (line.trim() === '') {
      block = null;
    } else {
      const item = ITEM.exec(line);
      const heading = HEADING.exec(line);
      const type = item && (item[1] ? 'ol' : 'ul');
      if (item && block?.type === type) block.items.push(item[2]);
      else if (item) begin({ type, first: Number(item[1] ?? 1), items: [item[2]] });
      else if (heading) {
        begin({ type: 'strong', text: heading[1] });
        block = null;
      } else if (block?.items && /^\s/.test(line)) block.items[block.items.length - 1] += `\n${line.trim()}`;
      else if (block?.type === 'p') block.text += `\n${line}`;
      else begin({ type: 'p', text: line });
    }
    at += line.length + 1;
  }
  return found;
}

/** How many of the first blocks no further text can change; what an unfinished line will be is not known yet. */
export const settled = (source) => Math.max(0, blocks(source.slice(0, source.lastIndexOf('\n') + 1)).length - 1);

/** @returns {{type: 'text'|'code'|'strong'|'em'|'a', text: string, href?: string}[]} emphasis holds its own text again. */
export function inline(text) {
  const found = [];
  let at = 0;
  const add = (type, text_, href) => found.push(href ? { type, text: text_, href } : { type, text: text_ });
  for (const match of text.matchAll(INLINE)) {
    if (match.index > at) add('text', text.slice(at, match.index));
    at = match.index + match[0].length;
    const [, code, strong, em, label, href, bare] = match;
    if (code) add('code', code);
    else if (strong) add('strong', strong);
    else if (em) add('em', em);
    else if (href) add('a', label, href);
    else {
      const address = bare.replace(/[.,;:!?*_]+$/, '');
      at -= bare.length - address.length;
      add('a', address, address);
    }
  }
  if (at < text.length) add('text', text.slice(at));
  return found;
}

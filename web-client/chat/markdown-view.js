import { copyButton, growText, h, setText } from '../shared/dom.js';
import { parseBlocks } from './markdown.js';

/**
 * Shows a growing Markdown text. Finished blocks are never touched again; the last one is patched in place, so that
 * nothing jumps, a selection survives, and the work per frame does not grow with the answer.
 */
export class MarkdownView {
  #source = '';
  #blocks = []; // {start, node}
  #open = true;

  constructor() {
    this.element = h('div.md');
  }

  get text() { return this.#source; }

  append(text) {
    this.#source += text;
  }

  /** Draws what was appended. Call it once a frame. */
  render() {
    const last = this.#blocks[this.#blocks.length - 1];
    const from = last ? last.start : 0;
    const fresh = parseBlocks(this.#source.slice(from), { open: this.#open });
    const keep = last ? this.#blocks.length - 1 : 0;
    this.#blocks.length = keep;
    patch(this.element, fresh, keep);
    for (const block of fresh) this.#blocks.push({ start: from + block.start });
    this.#markTail();
  }

  /** No more text: unfinished marks become what they are. */
  finish() {
    this.#open = false;
    this.#blocks = [];
    this.render();
  }

  /** The element that holds the last character: the caret and the mark of a cut belong there. */
  tail() {
    let at = this.element;
    while (at.lastElementChild && at.lastElementChild.matches('p,ul,ol,li,blockquote,h3,h4,h5,h6,.code,pre')) at = at.lastElementChild;
    return at.matches('pre') ? at.firstElementChild ?? at : at;
  }

  #markTail() {
    const tail = this.tail();
    if (this.tailElement === tail) return;
    this.tailElement?.classList.remove('tail');
    tail.classList.add('tail');
    this.tailElement = tail;
  }
}

const MAKE = {
  p: () => h('p'), h: (b) => h(`h${Math.min(6, b.level + 2)}`), hr: () => h('hr'), quote: () => h('blockquote'), li: () => h('li'),
  list: (b) => h(b.ordered ? 'ol' : 'ul', b.ordered && b.first !== 1 ? { start: b.first } : null),
  code: makeCode,
  em: () => h('em'), strong: () => h('strong'), del: () => h('del'), br: () => h('br'),
  link: (n) => h('a', { href: n.href, target: '_blank', rel: 'noopener noreferrer nofollow' }),
};

function makeCode(block) {
  const code = h('code');
  const language = h('span.lang', null, block.lang || 'text');
  return h('div.code', null,
    h('div.code-head', null, language, copyButton('Copy', () => code.textContent)),
    h('pre', { tabIndex: 0, aria: { label: `Code, ${block.lang || 'text'}` } }, code));
}

/** What must be equal for an element to be reused. */
const signature = (node) => `${node.type}|${node.level ?? ''}|${node.ordered ?? ''}|${node.lang ?? ''}|${node.href ?? ''}`;
const signatures = new WeakMap();

/** Makes the children of `parent` from index `from` on equal to `nodes`. */
function patch(parent, nodes, from = 0) {
  nodes.forEach((node, index) => {
    const existing = parent.childNodes[from + index];
    if (node.type === 'text') return patchText(parent, existing, node.text);
    let element = existing;
    const wanted = node.type === 'code' && node.lang === undefined ? 'span-code' : signature(node);
    if (!existing || signatures.get(existing) !== wanted) {
      element = wanted === 'span-code' ? h('code') : MAKE[node.type](node);
      signatures.set(element, wanted);
      if (existing) existing.replaceWith(element);
      else parent.append(element);
    }
    fill(element, node, wanted);
  });
  while (parent.childNodes.length > from + nodes.length) parent.lastChild.remove();
}

function fill(element, node, wanted) {
  if (wanted === 'span-code') setText(element, node.text);
  else if (node.type === 'code') growElement(element.querySelector('code'), node.text);
  else if (node.type !== 'hr' && node.type !== 'br') patch(element, node.children ?? node.inline ?? []);
}

function patchText(parent, existing, text) {
  if (existing?.nodeType === Node.TEXT_NODE) return growText(existing, text);
  const node = document.createTextNode(text);
  if (existing) existing.replaceWith(node);
  else parent.append(node);
}

function growElement(element, text) {
  if (element.firstChild) growText(element.firstChild, text);
  else element.append(document.createTextNode(text));
}

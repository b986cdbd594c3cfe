import { h } from '../shared/dom.js';

/** Shorter pieces wait for the next sentence: a screen reader that is interrupted every second says nothing. */
const MIN_LENGTH = 40;
const MAX_LENGTH = 400;

/** Cuts a growing text into sentences that are worth saying. Pure. */
export class SentenceBuffer {
  #text = '';

  /** @returns {string[]} finished sentences, without Markdown signs. */
  push(text) {
    this.#text += text;
    const out = [];
    for (;;) {
      const end = this.#end();
      if (end < 0) return out;
      const sentence = plain(this.#text.slice(0, end));
      this.#text = this.#text.slice(end);
      if (sentence) out.push(sentence);
    }
  }

  /** The rest, at the end of the answer. */
  flush() {
    const rest = plain(this.#text);
    this.#text = '';
    return rest ? [rest] : [];
  }

  #end() {
    const pattern = /[.!?…。！？][)"'’”]*\s|\n\s*\n/g;
    for (let match = pattern.exec(this.#text); match; match = pattern.exec(this.#text)) {
      const end = match.index + match[0].length;
      if (end >= MIN_LENGTH) return end;
    }
    if (this.#text.length < MAX_LENGTH) return -1;
    const space = this.#text.lastIndexOf(' ', MAX_LENGTH);
    return space > 0 ? space + 1 : MAX_LENGTH;
  }
}

const plain = (text) => text.replace(/```\w*|[*_`#>]+/g, '').replace(/\s+/g, ' ').trim();

/** The polite live region. Old lines are removed, so that it stays small and is never read twice. */
export class Announcer {
  #buffer = new SentenceBuffer();

  constructor(region) {
    this.region = region;
  }

  stream(text) {
    for (const sentence of this.#buffer.push(text)) this.say(sentence);
  }

  endStream() {
    for (const sentence of this.#buffer.flush()) this.say(sentence);
  }

  say(text) {
    this.region.append(h('p', null, text));
    while (this.region.childElementCount > 6) this.region.firstElementChild.remove();
  }
}

/** Characters of output kept on the page: the server may send far more, and nobody reads it all there. */
export const OUTPUT_MAX = 64 * 1024;
/** Longest piece; the oldest pieces are dropped whole. */
const PIECE_MAX = 4096;
/** Code may change between the streams at every character, and each change is an element on the page. */
const PIECES_MAX = 1000;

/** The last output of code, in the order in which it was written. Pure. */
export class OutputTail {
  /** @type {{stream: 'stdout'|'stderr', text: string}[]} */
  pieces = [];
  /** Characters that were dropped from the front. */
  dropped = 0;
  length = 0;
  /** Characters of each stream that ever came. */
  seen = { stdout: 0, stderr: 0 };

  push(stream, text) {
    if (!text) return;
    this.seen[stream] = (this.seen[stream] ?? 0) + text.length;
    this.length += text.length;
    let at = 0;
    const last = this.pieces[this.pieces.length - 1];
    if (last?.stream === stream) {
      at = end(text, 0, PIECE_MAX - last.text.length);
      last.text += text.slice(0, at);
    }
    while (at < text.length) {
      const next = end(text, at, PIECE_MAX);
      this.pieces.push({ stream, text: text.slice(at, next) });
      at = next;
    }
    let first = 0;
    while (this.length > OUTPUT_MAX || this.pieces.length - first > PIECES_MAX) {
      this.length -= this.pieces[first].text.length;
      this.dropped += this.pieces[first].text.length;
      first += 1;
    }
    if (first > 0) this.pieces.splice(0, first);
  }

  /**
   * What the end of the call tells. It has no order between the streams, so it is taken only where it has more than what
   * was seen live.
   */
  complete({ stdout, stderr }) {
    const has = (text) => typeof text === 'string';
    const isMore = (has(stdout) && stdout.length > this.seen.stdout) || (has(stderr) && stderr.length > this.seen.stderr);
    if (!isMore) return;
    const kept = { stdout: has(stdout) ? stdout : this.#text('stdout'), stderr: has(stderr) ? stderr : this.#text('stderr') };
    this.pieces = [];
    this.length = 0;
    this.dropped = 0;
    this.seen = { stdout: 0, stderr: 0 };
    this.push('stdout', kept.stdout);
    this.push('stderr', kept.stderr);
  }

  #text(stream) { return this.pieces.filter((piece) => piece.stream === stream).map((piece) => piece.text).join(''); }
}

/** Not between the two halves of a character. */
function end(text, from, room) {
  if (room <= 0) return from;
  const at = Math.min(text.length, from + room);
  return at < text.length && at > from + 1 && /[\udc00-\udfff]/.test(text[at]) ? at - 1 : at;
}

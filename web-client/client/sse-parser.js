/**
 * An incremental reader of `text/event-stream` (WHATWG HTML, "server-sent events").
 *
 * `EventSource` cannot send an Authorization header or a POST body, therefore the SDK reads the stream with `fetch`
 * and this parser. Feed it decoded text under any split; it returns the finished events.
 */

/** One event may not grow without end; the server's own limit for a message is 1 MB. */
const MAX_EVENT = 4 * 1024 * 1024;

export class SSEParser {
  #rest = '';
  #event = '';
  #data = [];
  #size = 0;
  #afterCR = false;
  /** Last event id seen, kept across events as the standard asks. */
  lastId = '';

  /** @param {string} text @returns {{event: string, id: string, data: string}[]} */
  push(text) {
    const out = [];
    // A CR at the end of one chunk and an LF at the start of the next are one line end.
    if (this.#afterCR && text.startsWith('\n')) text = text.slice(1);
    if (text !== '') this.#afterCR = text.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    if (this.#rest.length > MAX_EVENT) throw new Error('The event stream sent a line that is too long.');
    for (const line of lines) this.#line(line, out);
    return out;
  }

  #line(line, out) {
    if (line === '') return this.#dispatch(out);
    if (line.startsWith(':')) return; // comment: the server's keep-alive
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const raw = colon < 0 ? '' : line.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (field === 'data') {
      this.#size += value.length;
      if (this.#size > MAX_EVENT) throw new Error('The event stream sent an event that is too long.');
      this.#data.push(value);
    } else if (field === 'event') {
      this.#event = value;
    } else if (field === 'id' && !value.includes('\0')) {
      this.lastId = value;
    }
  }

  #dispatch(out) {
    if (this.#data.length > 0) {
      out.push({ event: this.#event || 'message', id: this.lastId, data: this.#data.join('\n') });
    }
    this.#event = '';
    this.#data = [];
    this.#size = 0;
  }
}

import { KDCubeError, errorFrom } from '../client/errors.js';
import { SSEParser } from '../client/sse-parser.js';

/** Three keep-alives that did not come: the connection is dead. */
const SILENCE_MS = 45000;
const TRIES = 12;
const ENDS = ['chat.complete', 'chat.cut', 'chat.error'];

/** One run at a time over server-sent events; the SDK without what a widget does not need. */
export class Feed {
  #run = '';
  #wake = () => {};

  constructor(url, token) {
    this.url = url.replace(/\/+$/, '');
    this.token = token;
  }

  /**
   * The run's events, in order and each once, across lost connections. `{type: 'lost', wait}` tells of one, `{type:
   * 'gap'}` of events that nobody holds any more. @throws {KDCubeError}
   */
  async *ask(message) {
    this.#run = '';
    let last = 0;
    let fruitless = 0;
    let stream = await this.#open('POST', '/v1/runs', message);
    for (;;) {
      try {
        for await (const { event, data } of this.#read(stream)) {
          const body = JSON.parse(data);
          if (!body.run_id) continue;
          this.#run ||= body.run_id;
          if (body.seq <= last) continue;
          // A hole, or a merged text that begins inside what is shown: read again from the last event.
          if (event !== 'gap' && (body.first_seq ?? body.seq) !== last + 1) break;
          last = body.seq;
          fruitless = 0;
          yield event === 'gap' ? { type: 'gap' } : body;
          if (ENDS.includes(body.type)) return;
        }
      } catch {
        // The connection broke: go on behind the last event.
      }
      if (!this.#run) throw new KDCubeError('The server ended before it began.', { code: 'no_answer' });
      for (stream = null; !stream;) {
        fruitless += 1;
        if (fruitless > TRIES) throw new KDCubeError('The server cannot be reached.', { code: 'offline', runId: this.#run });
        const wait = Math.min(15000, 400 * 2 ** fruitless) * (0.5 + Math.random() / 2);
        yield { type: 'lost', wait };
        await this.#pause(wait);
        try {
          stream = await this.#open('GET', `/v1/runs/${this.#run}/events`, undefined, `${this.#run}:${last}`);
        } catch (error) {
          if (error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
        }
      }
      yield { type: 'back' };
    }
  }

  /** Asks the server to stop the run that is asked for now. */
  cancel() { return this.#run && this.#open('POST', `/v1/runs/${this.#run}/cancel`, {}); }

  /** The network is back: try at once. */
  retry() { this.#wake(); }

  #pause(ms) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
  }

  async #open(method, path, body, lastId = '') {
    const headers = { authorization: `Bearer ${this.token}` };
    if (!path.endsWith('/cancel')) headers.accept = 'text/event-stream';
    if (body) headers['content-type'] = 'application/json';
    if (lastId) headers['last-event-id'] = lastId;
    let response;
    try {
      response = await fetch(this.url + path, {
        method, headers, body: body && JSON.stringify(body), credentials: 'omit', cache: 'no-store',
      });
    } catch {
      throw new KDCubeError('The server cannot be reached.', { code: 'offline' });
    }
    if (response.ok) return response.body;
    const { status } = response;
    throw errorFrom(await response.json().catch(() => ({ message: `The server answered ${status}.` })), {
      status, requestId: response.headers.get('x-request-id') ?? '',
    });
  }

  async *#read(stream) {
    const reader = stream.getReader();
    const decoder = new TextDecoder();
    const parser = new SSEParser();
    try {
      for (;;) {
        const silence = setTimeout(() => reader.cancel(), SILENCE_MS);
        const { done, value } = await reader.read().finally(() => clearTimeout(silence));
        if (done) return;
        yield* parser.push(decoder.decode(value, { stream: true }));
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }
}

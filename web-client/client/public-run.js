import { Emitter } from './emitter.js';
import { errorFrom } from './errors.js';

/** Events kept for iterators that begin late or read slowly; older ones become a gap for them. */
const MAX_KEPT = 65536;

/**
 * One generation, as programs use it. Iterate it for its events, `texts()` for the answer's text; or wait for `done`.
 * Events are in order and each comes once, across lost connections.
 *
 * Emits `event` (an envelope of docs/protocol.md), `gap` ({first_seq, seq}: what no server holds any more), `resumed`
 * ({after}) and `end` (the outcome).
 */
export class Run extends Emitter {
  #stream;
  #again;
  #kept = [];
  #forgotten = 0; // how many events were taken out of `#kept`
  #forgottenSeq = 0;
  #waiting = null; // {promise, resolve} of iterators that wait for more
  #done;
  #text = '';
  #end = null;
  #error = null;
  #state = 'running';
  #outcome = null;
  #missing = false;

  /**
   * For the client; programs get runs from `KDCube.send` and `KDCube.resume`.
   * @param {import('./run.js').Run} stream @param {{again: (stream: object) => void}} options
   */
  constructor(stream, { again }) {
    super();
    this.#stream = stream;
    this.#again = again;
    this.#done = deferred();
    stream.on('gap', (gap) => {
      this.#missing = true;
      this.#keep({ ...gap, type: 'gap', run_id: this.id });
      this.emit('gap', gap);
    });
    stream.on('resumed', (how) => this.emit('resumed', how));
    stream.on('event', (event) => this.#take(event));
  }

  /** Whoever listens late is told what came before: each `event` that is kept, and the `end`. */
  on(name, listener) {
    if (name === 'event') for (const event of this.#kept) if (event.type !== 'gap') listener(event);
    if (name === 'end' && this.#outcome) listener(this.#outcome);
    return super.on(name, listener);
  }

  get id() { return this.#stream.id; }
  get conversationId() { return this.#stream.conversationId; }
  get turnId() { return this.#stream.turnId; }

  /** The last event that was received: with the id, what `KDCube.resume` needs to go on after a reload. */
  get lastSeq() { return this.#stream.lastSeq; }

  /** `running`, `complete`, `cut`, `error`, or `lost`: the server cannot continue this run for us. */
  get state() { return this.#state; }

  /** Settles when the run has ended, however it did; it never rejects. */
  get done() { return this.#done.promise; }

  /** The whole answer. What came before a cut is returned. @throws {KDCubeError} when the run failed or was lost. */
  async text() {
    const outcome = await this.done;
    if (outcome.error) throw outcome.error;
    return outcome.text;
  }

  /** The answer's text as it comes. Ends at a cut. @throws {KDCubeError} when the run failed or was lost. */
  async *texts() {
    for await (const event of this) {
      if (event.type === 'chat.delta' && isAnswer(event.delta)) yield event.delta.text;
    }
    if (this.#error) throw this.#error;
  }

  /** Every event from the first that this client received; ends after the last. @throws {KDCubeError} when it was lost. */
  async *[Symbol.asyncIterator]() {
    let at = 0;
    let seq = 0;
    for (;;) {
      if (at < this.#forgotten) {
        yield { type: 'gap', run_id: this.id, first_seq: seq + 1, seq: this.#forgottenSeq };
        at = this.#forgotten;
      }
      const event = this.#kept[at - this.#forgotten];
      if (event) {
        at += 1;
        seq = event.seq;
        yield event;
      } else if (this.#state === 'lost') {
        throw this.#error;
      } else if (this.#state !== 'running') {
        return;
      } else {
        this.#waiting ??= deferred();
        await this.#waiting.promise;
      }
    }
  }

  /** Asks the server to stop. The run ends with `chat.complete`, finish reason `cancelled`. @throws {KDCubeError} */
  cancel() { return this.#stream.cancel(); }

  /** Follows a run again that was `lost`; otherwise nothing is to do, a lost connection is resumed by itself. */
  resume() {
    if (this.#state !== 'lost') return;
    this.#state = 'running';
    this.#outcome = this.#error = null;
    this.#done = deferred();
    this.#again(this.#stream);
  }

  /** Stops listening; the run goes on at the server, or ends as its `on_disconnect` says. */
  detach() {
    this.#stream.detach();
    this.lose(errorFrom({ code: 'detached', message: 'Nobody follows this run here any more.' }, { runId: this.id }));
  }

  /** For the client: this run cannot be followed any further. */
  lose(error) {
    if (this.#state !== 'running') return;
    this.#error = error;
    this.#settle('lost');
  }

  #take(event) {
    this.#keep(event);
    if (event.type === 'chat.delta' && isAnswer(event.delta)) this.#text += event.delta.text;
    this.emit('event', event);
    if (event.type === 'chat.complete') this.#finish(event, 'complete');
    else if (event.type === 'chat.cut') this.#finish(event, 'cut');
    else if (event.type === 'chat.error') this.#finish(event, 'error');
    this.#wake();
  }

  #finish(event, state) {
    this.#end = event;
    if (state === 'error') this.#error = errorFrom(event.error, { runId: this.id });
    // After a gap the final answer is the only whole text; without one, what was streamed is exactly it.
    if (this.#missing && event.data?.final_answer) this.#text = event.data.final_answer;
    this.#settle(state);
  }

  #settle(state) {
    this.#state = state;
    const { data, usage, cost_usd: costUSD, cut } = this.#end ?? {};
    this.#outcome = {
      state, runId: this.id, conversationId: this.conversationId, text: this.#text, finishReason: data?.finish_reason ?? '',
      usage: usage ?? null, costUSD: costUSD ?? '', cut: cut ?? null, error: this.#error,
    };
    this.#done.resolve(this.#outcome);
    this.emit('end', this.#outcome);
    this.#wake();
  }

  #keep(event) {
    this.#kept.push(event);
    if (this.#kept.length >= 2 * MAX_KEPT) {
      // In one piece, because taking them one by one would move all the others each time.
      const old = this.#kept.splice(0, MAX_KEPT);
      this.#forgotten += old.length;
      this.#forgottenSeq = old[old.length - 1].seq;
    }
    this.#wake();
  }

  #wake() {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve();
  }
}

const isAnswer = (delta) => Boolean(delta?.text) && (delta.marker ?? 'answer') === 'answer';

function deferred() {
  let resolve;
  const promise = new Promise((settle) => { resolve = settle; });
  return { promise, resolve };
}

import { Emitter } from './emitter.js';
import { SequenceTracker } from './sequence.js';

/** Resume requests in a row that brought nothing new before the hole is given up and named a gap. */
const MAX_FRUITLESS_RESUMES = 3;

/**
 * One generation, seen by this client. Emits `event` (envelopes, in order, each once), `gap` ({first_seq, seq}),
 * `resumed` ({after, events}) and `end` (the terminal envelope).
 */
export class Run extends Emitter {
  #transport;
  #tracker;
  #fruitless = 0;
  #asked = false;
  #resumeFrom = -1;
  #inbox = []; // what came before anybody listened; null once somebody does

  constructor(transport, { runId, conversationId = '', turnId = '', after = 0 }) {
    super();
    this.#transport = transport;
    this.id = runId;
    this.conversationId = conversationId;
    this.turnId = turnId;
    this.#tracker = new SequenceTracker(after);
  }

  /** Events wait for the first `event` listener, so that none is lost between the start and the caller's `await`. */
  on(name, listener) {
    const off = super.on(name, listener);
    if (name === 'event' && this.#inbox) queueMicrotask(() => this.#open());
    return off;
  }

  get lastSeq() { return this.#tracker.last; }
  get ended() { return this.#tracker.terminal; }

  cancel() { return this.#transport.cancel(this); }

  /** Stops listening; the run itself goes on at the server. */
  detach() { this.#transport.drop(this); }

  /** For the client: another transport takes over, from the last event that was shown. */
  moveTo(transport) {
    this.#transport = transport;
    transport.adopt(this);
  }

  /** For transports: one envelope as it arrived. */
  receive(event) {
    if (this.#inbox) this.#inbox.push({ event });
    else this.#apply(this.#tracker.accept(event));
  }

  /** For transports: the server no longer holds the events up to `to`. */
  receiveGap(to) {
    if (this.#inbox) this.#inbox.push({ gap: to });
    else this.#apply(this.#tracker.gap(to));
  }

  /** For transports: the connection was lost, and the events after `lastSeq` have been asked for again. */
  markResume() {
    this.#resumeFrom = this.lastSeq;
  }

  #open() {
    const waiting = this.#inbox ?? [];
    this.#inbox = null;
    for (const { event, gap } of waiting) {
      if (event) this.receive(event);
      else this.receiveGap(gap);
    }
  }

  #apply({ deliver, resume }) {
    if (deliver.length > 0) {
      this.#fruitless = 0;
      this.#asked = false;
    }
    const after = this.#resumeFrom;
    if (deliver.length > 0) this.#resumeFrom = -1;
    for (const event of deliver) {
      if (event.type === 'gap') this.emit('gap', event);
      else this.emit('event', event);
    }
    // Told after the events, so that a listener already knows whether a gap was among them.
    if (deliver.length > 0 && after >= 0) this.emit('resumed', { after });
    if (this.ended) {
      if (deliver.length === 0) return; // after the end nothing counts
      this.#transport.drop(this);
      this.emit('end', deliver[deliver.length - 1]);
    } else if (resume && !this.#asked) {
      this.#askAgain();
    }
  }

  async #askAgain() {
    this.#asked = true;
    this.#fruitless += 1;
    if (this.#fruitless > MAX_FRUITLESS_RESUMES) {
      this.#fruitless = 0;
      const next = Math.min(...[...this.#tracker.pending.values()].map((e) => e.first_seq ?? e.seq));
      this.#asked = false;
      if (Number.isFinite(next)) this.receiveGap(next - 1);
      return;
    }
    await this.#transport.resume(this);
    // Answered, but with nothing that closes the hole: allow the next event to ask once more.
    setTimeout(() => { this.#asked = false; }, 500);
  }
}

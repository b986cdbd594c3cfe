/**
 * Puts the events of one run in order: no hole, no repeat.
 *
 * Events carry a contiguous `seq` from 1; a merged delta covers `first_seq…seq`. After a reconnect the server may
 * send again what we have, group it in another way, or tell us that a range is gone. `accept` returns what to do;
 * this class does no input or output, so each rule has a unit test.
 */

/** Events kept while a hole is open; beyond it the newest are dropped, because the resume sends them again. */
const MAX_PENDING = 1024;
/** Piece lengths remembered to trim a merged delta that overlaps what was already shown. */
const MAX_PIECES = 8192;

const TERMINAL = new Set(['chat.complete', 'chat.cut', 'chat.error']);

export class SequenceTracker {
  /** @param {number} after the last sequence number that is already shown; 0 for a new run. */
  constructor(after = 0) {
    this.last = after;
    this.terminal = false;
    this.pending = new Map(); // first seq → event, waiting behind a hole
    this.pieces = new Map(); // last seq of a delivered delta → {first, length}
  }

  /**
   * @param {object} event an envelope of the contract.
   * @returns {{deliver: object[], resume: boolean}} events to show now, in order, and whether to ask for the missing.
   */
  accept(event) {
    const last = event.seq;
    const first = event.first_seq ?? last;
    if (!Number.isSafeInteger(last) || !Number.isSafeInteger(first) || first > last || first < 1) {
      return { deliver: [], resume: false };
    }
    if (last <= this.last || this.terminal) return { deliver: [], resume: false };
    if (first > this.last + 1) {
      const known = this.pending.get(first);
      if (known ? known.seq < last : this.pending.size < MAX_PENDING) this.pending.set(first, event);
      return { deliver: [], resume: true };
    }
    const fresh = first <= this.last ? this.#trim(event, first) : event;
    if (!fresh) return { deliver: [], resume: true };
    return { deliver: [this.#take(fresh), ...this.#drain()], resume: this.pending.size > 0 && !this.terminal };
  }

  /**
   * The server says that everything up to `to` is gone. Moves on, and names the range so that the page can say so.
   * @returns {{deliver: object[], resume: boolean}}
   */
  gap(to) {
    if (!Number.isSafeInteger(to) || to <= this.last || this.terminal) return { deliver: [], resume: false };
    const hole = { type: 'gap', first_seq: this.last + 1, seq: to };
    this.last = to;
    // What waited behind the hole and now lies inside it was received after all, but its place in the text is
    // not known any more; the gap marker covers it.
    for (const [first, event] of this.pending) {
      if (event.seq <= to) this.pending.delete(first);
    }
    return { deliver: [hole, ...this.#drain()], resume: false };
  }

  #take(event) {
    const first = event.first_seq ?? event.seq;
    if (event.type === 'chat.delta') {
      this.pieces.set(event.seq, { first, length: event.delta?.text?.length ?? 0 });
      if (this.pieces.size > MAX_PIECES) this.pieces.delete(this.pieces.keys().next().value);
    }
    this.last = event.seq;
    if (TERMINAL.has(event.type)) {
      this.terminal = true;
      this.pending.clear();
    }
    return event;
  }

  /** Delivers what waited behind a hole that is now closed. */
  #drain() {
    const out = [];
    for (;;) {
      const next = this.#nextPending();
      if (!next) return out;
      out.push(this.#take(next));
    }
  }

  #nextPending() {
    for (const [first, event] of this.pending) {
      if (event.seq <= this.last) {
        this.pending.delete(first);
      } else if (first <= this.last + 1) {
        this.pending.delete(first);
        const fresh = first <= this.last ? this.#trim(event, first) : event;
        if (fresh) return fresh;
      }
    }
    return null;
  }

  /**
   * A merged delta that begins inside what we have: cut off the part already shown. Its length is the sum of the
   * pieces that were delivered for `first…last`. Returns null when the pieces do not line up; then the caller
   * resumes from `last`, and the server sends a delta that does.
   */
  #trim(event, first) {
    if (event.type !== 'chat.delta') return null;
    let skip = 0;
    let at = this.last;
    while (at >= first) {
      const piece = this.pieces.get(at);
      if (!piece) return null;
      skip += piece.length;
      at = piece.first - 1;
    }
    if (at !== first - 1) return null;
    return { ...event, first_seq: this.last + 1, delta: { ...event.delta, text: event.delta.text.slice(skip) } };
  }
}

import { Emitter } from '../client/emitter.js';

/** Pages that are read of one list: more than all of this a person does not look through, and the server pushes what changes. */
const PAGES_MAX = 20;

/**
 * Rows by key that the server pushes: a snapshot, then what has changed and what is gone. Read over HTTP where nothing has been pushed.
 * Emits `change` with the keys that changed, or null for all. Touches no DOM.
 */
export class LiveRows extends Emitter {
  #rows = new Map();
  #ticket = 0;
  #meanwhile = null; // what was pushed while they are read: the answer may be older
  state = 'idle'; // loading, ready, failed
  error = null;

  /** @param {{key: (row: object) => string, read: (cursor?: string) => Promise<{data: object[], cursor: string|null}>}} deps */
  constructor({ key, read }) {
    super();
    Object.assign(this, { key, read });
  }

  get size() { return this.#rows.size; }
  get all() { return [...this.#rows.values()]; }
  get(key) { return this.#rows.get(key); }

  /** @param {{data: object[], snapshot?: boolean, gone?: string[]}} news */
  take({ data = [], snapshot = false, gone = [] }) {
    if (this.#meanwhile) this.#meanwhile.push({ data, gone });
    const before = snapshot ? this.#rows : null;
    if (snapshot) this.#rows = new Map();
    for (const row of data) this.#put(row, before);
    for (const key of gone) this.#rows.delete(key);
    if (snapshot) {
      this.state = 'ready';
      this.error = null;
    }
    this.emit('change', snapshot ? null : [...data.map(this.key), ...gone]);
  }

  /** Reads them unless they are there. */
  ensure() { if (this.state === 'idle' || this.state === 'failed') this.load(); }

  /** @returns {Promise<void>} when they are read, or `error` says why not. */
  async load() {
    const ticket = ++this.#ticket;
    if (this.state !== 'ready') this.state = 'loading';
    this.#meanwhile = [];
    try {
      const read = [];
      let cursor = null;
      for (let page = 0; page < PAGES_MAX && (page === 0 || cursor !== null); page += 1) {
        const answer = await this.read(cursor ?? undefined);
        if (ticket !== this.#ticket) return;
        read.push(...(answer?.data ?? []));
        cursor = answer?.cursor ?? null;
      }
      const meanwhile = this.#meanwhile;
      this.#meanwhile = null;
      this.take({ snapshot: true, isWhole: true, data: read });
      for (const news of meanwhile) this.take(news);
    } catch (error) {
      if (ticket !== this.#ticket) return;
      this.#meanwhile = null;
      this.error = error;
      if (this.state !== 'ready') this.state = 'failed';
      this.emit('change', null);
    }
  }

  /** Another organisation: nothing of the one before stays. */
  clear() {
    this.#ticket += 1;
    this.#meanwhile = null;
    this.#rows = new Map();
    this.state = 'idle';
    this.error = null;
    this.emit('change', null);
  }

  #put(row, before) {
    const key = this.key(row);
    const known = this.#rows.get(key) ?? before?.get(key);
    this.#rows.set(key, this.merged(known, row));
  }

  /** What a row becomes; a subclass keeps more. */
  merged(_known, row) { return row; }
}

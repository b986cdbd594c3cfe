import { Emitter } from '../client/emitter.js';
import { LiveRows } from './live-rows.js';

/** Rates that are kept of a stream, one a second: the line in its row. */
const HISTORY = 40;
const SAMPLE_MS = 1000;
const PAGE = 1000;

/** The runs that live, by run id; each keeps the line of its rate as `line`. */
export class StreamsStore extends LiveRows {
  constructor({ api, org = () => '', clock = Date.now }) {
    super({ key: (row) => row.run_id, read: (cursor) => api.get('/api/admin/streams', { org: org(), limit: PAGE, cursor }) });
    this.clock = clock;
  }

  merged(known, row) {
    const now = this.clock();
    const line = known?.line ?? [];
    const rate = Number(row.cost_per_minute_usd ?? 0) || 0;
    const last = line.at(-1);
    // News come up to four times a second; one value a second is a line.
    const next = last && now - last.at < SAMPLE_MS ? [...line.slice(0, -1), { at: last.at, rate }] : [...line, { at: now, rate }].slice(-HISTORY);
    return { ...row, line: next };
  }
}

/** @returns {string} what names a window: one scope may have several of a unit. */
export const windowKey = (row) => [row.scope, row.unit, row.window, row.model ?? '', row.tool ?? '', row.zone ?? ''].join('|');

/** For how long a server may push a budget that is no more: it reads their list every five seconds. */
const BELIEVED_MS = 6000;

/**
 * The windows that are limited, of the organisation. The server pushes the widest of them; all are read over HTTP, and read again when
 * a snapshot says that something may have been missed.
 */
export class WindowsStore extends LiveRows {
  #removed = new Map(); // by key: until when what is pushed of it may be older than its removal

  constructor({ api, org = () => '', clock = Date.now }) {
    super({ key: windowKey, read: (cursor) => api.get('/api/admin/budgets', { org: org(), limit: PAGE, cursor }) });
    this.clock = clock;
  }

  take({ snapshot = false, isWhole = false, data = [], ...news }) {
    super.take({ ...news, data: isWhole ? data : data.filter((row) => !this.#isOld(row)), snapshot: isWhole });
    if (snapshot && !isWhole && this.state === 'ready') this.load();
  }

  /** What the answer to a budget that was set here says. */
  put(row) {
    this.#removed.delete(this.key(row));
    this.take({ data: [row] });
  }

  /** The budget was removed here. */
  remove(key) {
    this.#removed.set(key, this.clock() + BELIEVED_MS);
    this.take({ gone: [key] });
  }

  #isOld(row) {
    const until = this.#removed.get(this.key(row));
    if (until === undefined || this.clock() < until) return until !== undefined;
    this.#removed.delete(this.key(row));
    return false;
  }

  /** News may leave out what does not change. */
  merged(known, row) { return { ...known, ...row }; }
}

/** What happens now, as one object. Emits `change`. */
export class NowStore extends Emitter {
  value = null;
  error = null;
  state = 'idle';
  #ticket = 0;

  constructor({ api, org = () => '' }) {
    super();
    Object.assign(this, { api, org });
  }

  take(value) {
    this.value = value;
    this.error = null;
    this.state = 'ready';
    this.emit('change', null);
  }

  ensure() { if (this.state === 'idle' || this.state === 'failed') this.load(); }

  async load() {
    const ticket = ++this.#ticket;
    if (this.state !== 'ready') this.state = 'loading';
    try {
      const value = await this.api.get('/api/admin/now', { org: this.org() });
      if (ticket === this.#ticket) this.take(value);
    } catch (error) {
      if (ticket !== this.#ticket) return;
      this.error = error;
      if (this.state !== 'ready') this.state = 'failed';
      this.emit('change', null);
    }
  }

  clear() {
    this.#ticket += 1;
    this.value = null;
    this.error = null;
    this.state = 'idle';
    this.emit('change', null);
  }
}

import { Backoff } from '../client/backoff.js';
import { Emitter } from '../client/emitter.js';
import { isPassing } from '../client/errors.js';

/** How often somebody who has no push is told. */
const POLL_MS = 3000;
/** Without push the decisions are asked for as well, more seldom: nobody waits for them. */
const DECISIONS_EVERY = 5;
const TIMERS = { set: (done, ms) => setTimeout(done, ms), clear: (timer) => clearTimeout(timer) };
const TOPICS = ['approvals', 'decisions', 'streams', 'windows'];
/** Handshakes that fail before any has succeeded: then something in the way does not let them through, and the page asks instead. */
const TRIES_BEFORE_ASKING = 3;

/** What a topic says; only streams tell which are gone. */
const newsOf = (news) => ({ snapshot: news?.snapshot === true, data: news?.data ?? [], ...(news?.gone ? { gone: news.gone } : {}) });

/**
 * News of all that changes by itself: pushed over the namespace `/console`, or asked for every three seconds where there is no push (an
 * approver who is no admin, no Socket.IO client, something in the way). Emits `approvals`, `decisions`, `streams` (these with `gone`) and
 * `windows` with `{data, snapshot}`, `now` with its object, `asked` each time that it asks, and `connection` with `{state, since, retryAt}`.
 */
export class Live extends Emitter {
  #socket = null;
  #timer = 0;
  #closed = false;
  #backoff = new Backoff();
  #everUp = false;
  #state = '';
  #since = 0;
  #asking = false;
  #polls = 0;

  /**
   * @param {{io?: Function, token: string, org?: string, isAdmin: boolean, ask: () => Promise<object[]>, clock?: () => number,
   *   timers?: {set: Function, clear: Function}}} options `ask` reads the approvals for those who have no push.
   */
  constructor({ io, token, org = '', isAdmin, ask, clock = Date.now, timers = TIMERS }) {
    super();
    Object.assign(this, { io, token, org, isAdmin, ask, clock, timers });
  }

  start() {
    if (this.isAdmin && this.io) this.#connect();
    else this.#poll();
  }

  stop() {
    this.#closed = true;
    this.#stopTimer();
    this.#socket?.disconnect();
  }

  /** Does nothing unless something waits for its time: not while it is connected, nor while it asks. */
  retryNow() {
    if (this.#closed || !this.#timer) return;
    this.#stopTimer();
    if (this.#socket && !this.#asking) this.#open();
    else this.#poll();
  }

  #connect() {
    this.#socket = this.io('/console', {
      autoConnect: false, reconnection: false, timeout: 8000, forceNew: true, auth: (give) => give({ token: this.token, ...(this.org ? { org: this.org } : {}) }),
    });
    this.#socket.on('connect', () => {
      this.#everUp = true;
      this.#stopTimer();
      this.#backoff.reset();
      this.#report('live');
    });
    this.#socket.on('connect_error', (error) => this.#failed(error));
    this.#socket.on('disconnect', (reason) => {
      if (!this.#closed && reason !== 'io client disconnect') this.#retry();
    });
    for (const topic of TOPICS) this.#socket.on(topic, (news) => this.emit(topic, newsOf(news)));
    this.#socket.on('now', (row) => row && this.emit('now', row));
    this.#open();
  }

  #open() {
    this.#report('connecting');
    this.#socket.connect();
  }

  #failed(error) {
    const code = error?.data?.code ?? error?.data?.error?.code ?? error?.data?.data?.code;
    const isRefused = code && !isPassing(code);
    if (isRefused || (!this.#everUp && this.#backoff.attempt + 1 >= TRIES_BEFORE_ASKING)) {
      this.#asking = true;
      this.#socket.disconnect();
      this.#poll();
    } else this.#retry();
  }

  #retry() {
    const delay = this.#backoff.next();
    this.#report('waiting', { retryAt: this.clock() + delay });
    this.#stopTimer();
    this.#timer = this.timers.set(() => this.retryNow(), delay);
  }

  async #poll() {
    this.#asking = true;
    this.#stopTimer();
    if (this.#state === '') this.#report('connecting');
    let delay = POLL_MS;
    try {
      const data = await this.ask();
      if (this.#closed) return;
      this.#backoff.reset();
      this.#report('poll');
      this.emit('approvals', { snapshot: true, data });
      if (this.isAdmin && this.#polls % DECISIONS_EVERY === 0) this.emit('decisions', { snapshot: true, data: [] });
      this.emit('asked', {});
      this.#polls += 1;
    } catch (error) {
      if (this.#closed) return;
      if (error.status === 401) return this.#report('refused', { error });
      if (error.status === 403) return this.#report('idle'); // not to be seen by this key: asking again changes nothing
      delay = Math.max(POLL_MS, this.#backoff.next(), (error.retryAfter ?? 0) * 1000);
      this.#report('waiting', { retryAt: this.clock() + delay });
    }
    this.#timer = this.timers.set(() => this.#poll(), delay);
  }

  #stopTimer() {
    this.timers.clear(this.#timer);
    this.#timer = 0;
  }

  #report(state, facts = {}) {
    // While it is down, `since` is when that began, however often it tries.
    const down = (name) => name === 'waiting' || name === 'connecting';
    if (!(down(state) && down(this.#state))) this.#since = this.clock();
    this.#state = state;
    this.emit('connection', { state, since: this.#since, ...facts });
  }
}

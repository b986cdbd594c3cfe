/** How long nobody types before the text is checked. */
const PAUSE_MS = 700;
const TIMERS = { set: (done, ms) => setTimeout(done, ms), clear: (timer) => clearTimeout(timer) };

/**
 * Asks the server about a text while it is typed: after a pause, never twice at once, and only the last answer counts. Pure but for the timer,
 * which can be given.
 */
export class CheckLoop {
  #timer = 0;
  #ticket = 0;
  #isAsking = false;
  #isLate = false; // changed while it was asking

  /** @param {{check: () => Promise<object>, onresult: (result: object) => void, onerror: (error: Error) => void, onstate?: (text: string) => void, timers?: object}} deps */
  constructor({ check, onresult, onerror, onstate = () => {}, timers = TIMERS }) {
    Object.assign(this, { check, onresult, onerror, onstate, timers });
  }

  /** It was changed: what was said of it is old. */
  soon() {
    this.timers.clear(this.#timer);
    this.onstate('Changed since it was checked.');
    this.#timer = this.timers.set(() => this.now(), PAUSE_MS);
  }

  async now() {
    this.timers.clear(this.#timer);
    if (this.#isAsking) {
      this.#isLate = true;
      return;
    }
    const ticket = ++this.#ticket;
    this.#isAsking = true;
    this.#isLate = false;
    this.onstate('Checking…');
    try {
      const result = await this.check();
      if (ticket !== this.#ticket) return;
      if (!this.#isLate) this.onstate('');
      this.onresult(result);
    } catch (error) {
      if (ticket !== this.#ticket) return;
      this.onstate('');
      this.onerror(error);
    } finally {
      this.#isAsking = false;
      if (ticket === this.#ticket && this.#isLate) this.now();
    }
  }

  stop() {
    this.timers.clear(this.#timer);
    this.#ticket += 1;
    this.#isLate = false;
    this.onstate('');
  }
}

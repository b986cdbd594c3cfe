/**
 * When to try again. Full jitter keeps a restarted server from meeting all its clients in the same second; the
 * first try comes soon, because most losses are short.
 */
export class Backoff {
  #attempt = 0;

  /** @param {{first?: number, cap?: number, random?: () => number}} options milliseconds. */
  constructor({ first = 500, cap = 15000, random = Math.random } = {}) {
    this.first = first;
    this.cap = cap;
    this.random = random;
  }

  get attempt() {
    return this.#attempt;
  }

  /** @returns {number} milliseconds until the next try: between half and all of the step. */
  next() {
    const step = Math.min(this.cap, this.first * 2 ** Math.min(this.#attempt, 16));
    this.#attempt += 1;
    return Math.round(step / 2 + (step / 2) * this.random());
  }

  reset() {
    this.#attempt = 0;
  }
}

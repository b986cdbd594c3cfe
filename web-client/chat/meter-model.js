import { parseWindow } from './windows.js';

/** How far back the spending rate looks: short enough to follow a run, long enough not to jump with each lease. */
const RATE_SPAN_MS = 15000;
/** A rate from less than this is a guess. */
const MIN_SPAN_MS = 1500;
const MAX_SAMPLES = 120;

/** What the meter knows: the windows on the caller's path, how fast each is spent, and which stops the run first. */
export class MeterModel {
  #windows = new Map();
  #samples = new Map();
  /** When the figures were last confirmed by the server; 0 = never. */
  updatedAt = 0;

  /** `GET /v1/quota`: the full list; a window that is not in it any more is gone. */
  setQuota(raws, now) {
    const windows = (raws ?? []).map(parseWindow).filter(Boolean);
    const keys = new Set(windows.map((w) => w.key));
    for (const key of [...this.#windows.keys()]) {
      if (!keys.has(key)) this.#forget(key);
    }
    for (const window of windows) this.#put(window, now);
    this.updatedAt = now;
  }

  /** `chat.usage`: the windows on the run's path, without their reset. */
  applyUsage(raws, now) {
    for (const raw of raws ?? []) {
      const window = parseWindow(raw);
      if (!window) continue;
      window.resetsAt ??= this.#windows.get(window.key)?.resetsAt ?? null;
      this.#put(window, now);
    }
    this.updatedAt = now;
  }

  get(key) {
    return this.#windows.get(key);
  }

  get isEmpty() {
    return this.#windows.size === 0;
  }

  /**
   * The windows with their rate, the one that stops first on top; without a rate, by how full they are.
   * @returns {{window: import('./windows.js').Window, timeLeft: number|null, stopsFirst: boolean}[]}
   */
  rows(now) {
    const rows = [...this.#windows.values()].map((window) => ({ window, timeLeft: this.timeLeft(window, now), stopsFirst: false }));
    rows.sort((a, b) => (a.timeLeft ?? Infinity) - (b.timeLeft ?? Infinity)
      || fullness(b.window) - fullness(a.window)
      || a.window.key.localeCompare(b.window.key));
    if (rows.length > 0 && rows[0].timeLeft !== null) rows[0].stopsFirst = true;
    return rows;
  }

  /** Milliseconds until the window is spent at the present rate; null: not moving, or it resets before that. */
  timeLeft(window, now) {
    const samples = (this.#samples.get(window.key) ?? []).filter((s) => now - s.at <= RATE_SPAN_MS);
    if (samples.length < 2) return null;
    const span = samples[samples.length - 1].at - samples[0].at;
    const spent = samples[samples.length - 1].used - samples[0].used;
    if (span < MIN_SPAN_MS || spent <= 0n) return null;
    const free = window.limit - window.used;
    if (free <= 0n) return 0;
    // Plain division: this is a forecast in milliseconds, not an amount.
    const left = (Number(free) / Number(spent)) * span;
    if (window.resetsAt !== null && now + left >= window.resetsAt) return null;
    return left;
  }

  /** The run ended: its rate says nothing about what comes. */
  clearRates() {
    this.#samples.clear();
  }

  #put(window, now) {
    const samples = this.#samples.get(window.key) ?? [];
    const last = samples[samples.length - 1];
    // A used amount that falls means that the window rolled over (or was reset): begin anew.
    if (last && window.used < last.used) samples.length = 0;
    samples.push({ at: now, used: window.used });
    while (samples.length > MAX_SAMPLES || now - samples[0].at > RATE_SPAN_MS * 2) samples.shift();
    this.#samples.set(window.key, samples);
    this.#windows.set(window.key, window);
  }

  #forget(key) {
    this.#windows.delete(key);
    this.#samples.delete(key);
  }
}

/**
 * Whether a window is as good as spent. The remainder of a cap is smaller than the next token and never used up, so a cap
 * that stopped a run has a little left; two per cent is well above any such rest.
 * @param {{limit: bigint, used: bigint}} window
 */
export const isShut = ({ limit, used }) => (limit - used) * 50n <= limit;

const fullness = ({ used, held, limit }) => (limit > 0n ? Number(((used + held) * 10000n) / limit) : 10000);

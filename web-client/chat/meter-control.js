import { MeterModel, isShut } from './meter-model.js';
import { MeterView } from './meter-view.js';

/** How often the quota is asked for while nothing streams: other people spend from the same windows. */
const IDLE_MS = 20000;
/** The list of windows is drawn at most this often; figures that change faster cannot be read. */
const DRAW_MS = 250;

/** Feeds the meter from the quota and from the run's own events. */
export class MeterControl {
  #rest = null;
  #timer = 0;
  #draw = 0;
  #stale = true;
  #rates = [];
  #closed = true;

  constructor(panel, button, { onclose }) {
    this.model = new MeterModel();
    this.view = new MeterView(panel, button, this.model);
    this.view.close.addEventListener('click', onclose);
    // Countdowns of resets move without any event.
    setInterval(() => this.#now(), 1000);
  }

  start(rest, { onpath, onerror }) {
    this.#rest = rest;
    this.#closed = false;
    this.onpath = onpath;
    this.onerror = onerror;
    this.refresh();
  }

  stop() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async refresh() {
    clearTimeout(this.#timer);
    const rest = this.#rest;
    // An answer to a key that was taken back is not about the one that came after it.
    const isLate = () => this.#closed || rest !== this.#rest;
    try {
      const quota = await rest.quota();
      if (isLate()) return;
      this.model.setQuota(quota?.windows, Date.now());
      this.onpath(pathOf(quota));
      this.#now();
    } catch (error) {
      if (isLate() || this.onerror(error)) return;
      // The list keeps what it had and says since when.
    }
    this.#timer = setTimeout(() => this.refresh(), IDLE_MS);
  }

  setStale(stale) {
    if (stale && !this.#stale) this.model.clearRates();
    const back = this.#stale && !stale;
    this.#stale = stale;
    if (back && this.#rest) this.refresh();
    this.#now();
  }

  hasRoom(key) {
    const window = this.model.get(key);
    return window !== undefined && !isShut(window);
  }

  full() {
    return this.model.rows(Date.now()).map((row) => row.window).filter(isShut);
  }

  idle() {
    this.view.setRun({ cost: 0n, usage: null, tone: 'muted', word: 'No run yet', fresh: true });
  }

  begin() {
    this.#rates = [];
    this.model.clearRates();
    this.view.setRun({ cost: null, usage: null, tone: 'waiting', word: 'Waiting', fresh: true });
  }

  refused() {
    this.view.setRun({ cost: 0n, usage: null, tone: 'cut', word: 'Not started' });
  }

  /** Takes the windows out of an event, the one that a cut names too: before the answer says whether it has room. */
  learn(event) {
    const windows = event.windows ?? (event.cut ? [event.cut] : null);
    if (windows) this.model.applyUsage(windows, Date.now());
  }

  /** @param {import('./answer.js').Answer} answer already has the event. */
  apply(event, answer) {
    const now = Date.now();
    if (event.type === 'chat.usage') this.#rates.push({ at: now, tokens: event.usage?.output_tokens ?? 0 });
    while (this.#rates.length > 2 && now - this.#rates[0].at > 5000) this.#rates.shift();
    if (!answer.running) this.model.clearRates();
    const [tone, word] = {
      waiting: ['waiting', 'Waiting'], streaming: ['running', 'Writing'], complete: ['done', 'Done'], cut: ['cut', 'Stopped at the cap'],
      error: ['cut', 'Failed'],
    }[answer.status] ?? ['muted', ''];
    this.view.setRun({ cost: answer.cost, usage: answer.usage, rate: answer.running ? this.#rate() : 0, tone, word });
    if (!this.#draw) {
      this.#draw = setTimeout(() => {
        this.#draw = 0;
        this.#now();
      }, DRAW_MS);
    }
  }

  #rate() {
    const first = this.#rates[0];
    const last = this.#rates[this.#rates.length - 1];
    return first && last.at - first.at > 800 ? ((last.tokens - first.tokens) / (last.at - first.at)) * 1000 : 0;
  }

  #now() {
    this.view.drawWindows(Date.now(), this.#stale);
  }
}

/** Who we are, read from the windows' scopes, for servers that send no session_info (SSE). */
function pathOf(quota) {
  const scopes = (quota?.windows ?? []).map((window) => String(window.scope ?? ''));
  const longest = scopes.filter((scope) => !scope.startsWith('key:')).map((scope) => scope.slice(scope.indexOf(':') + 1).split('/'))
    .sort((a, b) => b.length - a.length)[0] ?? [];
  return { org: quota?.org ?? longest[0], project: quota?.project ?? longest[1], user: quota?.user ?? longest[2] };
}

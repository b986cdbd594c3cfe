import { Backoff } from './backoff.js';
import { errorFrom, isPassing } from './errors.js';
import { Run } from './run.js';

const RUN_EVENTS = [
  'chat_start', 'chat_step', 'chat_delta', 'chat_usage', 'chat_approval', 'chat_service', 'chat_cut', 'chat_complete',
  'chat_error',
];
/** How long an acknowledgement may take. */
const ACK_MS = 10000;
/** Before asking again for a run that is not settled. */
const UNSETTLED_MS = 1_000;
/** Events that come before the acknowledgement names their run are kept up to this number. */
const MAX_EARLY = 2048;

/**
 * Runs over the official Socket.IO client. It reconnects by its own clock (the client's built-in one does not say
 * when it will try), and after each reconnect asks for what every unfinished run has missed.
 */
export class SocketTransport {
  name = 'socket';
  #socket;
  #runs = new Map();
  #early = [];
  #starting = 0;
  #backoff = new Backoff();
  #timer = 0;
  #closed = false;
  #everConnected = false;

  /** @param {{io: Function, baseUrl: string, token: () => string, hints?: object, report: (change: object) => void}} options */
  constructor({ io, baseUrl, token, hints = {}, report }) {
    this.report = report;
    this.#socket = io(baseUrl || undefined, {
      autoConnect: false, reconnection: false, timeout: 8000, auth: (give) => give({ ...hints, token: token() }), forceNew: true,
    });
    this.#socket.on('connect', () => this.#connected());
    this.#socket.on('connect_error', (error) => this.#failed(error));
    this.#socket.on('disconnect', (reason) => this.#lost(reason));
    this.#socket.on('session_info', (info) => this.report({ session: info }));
    this.#socket.on('gap', (gap) => this.#runs.get(gap?.run_id)?.receiveGap(gapEnd(gap)));
    for (const name of RUN_EVENTS) this.#socket.on(name, (event) => this.#event(event));
  }

  connect() {
    this.#closed = false;
    this.report({ state: 'connecting' });
    this.#socket.connect();
  }

  /** Try at once: the person asked, or the browser says that the network is back. */
  retryNow() {
    if (this.#closed || this.#socket.connected) return;
    clearTimeout(this.#timer);
    this.report({ state: 'connecting' });
    this.#socket.connect();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#runs.clear();
    this.#socket.disconnect();
  }

  async start(message) {
    this.#starting += 1;
    try {
      const answer = await this.#ask('chat_message', message);
      if (!answer?.ok) throw errorFrom(answer);
      const run = new Run(this, { runId: answer.run_id, conversationId: answer.conversation_id, turnId: answer.turn_id });
      this.#runs.set(run.id, run);
      for (const event of this.#early) if (event.run_id === run.id) run.receive(event);
      return run;
    } finally {
      this.#starting -= 1;
      if (this.#starting === 0) this.#early = [];
    }
  }

  attach({ runId, after = 0, conversationId, turnId }) {
    return this.adopt(new Run(this, { runId, after, conversationId, turnId }));
  }

  adopt(run) {
    this.#runs.set(run.id, run);
    if (this.#socket.connected) queueMicrotask(() => this.resume(run));
    return run;
  }

  unfinished() { return [...this.#runs.values()]; }

  async resume(run) {
    if (!this.#socket.connected) return; // the next connect resumes every unfinished run
    const after = run.lastSeq;
    try {
      const answer = await this.#ask('chat_resume', { run_id: run.id, after_seq: after });
      if (answer?.error?.code === 'run_unavailable') return this.#askLater(run);
      if (!answer?.ok) return this.report({ resumeRefused: { run, error: errorFrom(answer, { runId: run.id }) } });
      if (answer.from_seq > after + 1) run.receiveGap(answer.from_seq - 1);
    } catch {
      // The acknowledgement was lost with its connection; the next connect asks again.
    }
  }

  /** Its server was lost and is being settled: its end is known within seconds. */
  #askLater(run) {
    setTimeout(() => { if (this.#runs.get(run.id) === run) this.resume(run); }, UNSETTLED_MS);
  }

  async cancel(run) {
    const answer = await this.#ask('chat_cancel', { run_id: run.id });
    if (!answer?.ok) throw errorFrom(answer, { runId: run.id });
  }

  async decideApproval(id, decision, reason) {
    const answer = await this.#ask('approval_decide', { approval_id: id, decision, reason });
    if (!answer?.ok) throw errorFrom(answer);
    return answer;
  }

  async refreshAuth(token) {
    const answer = await this.#ask('auth_refresh', { token });
    if (!answer?.ok) throw errorFrom(answer);
    return answer;
  }

  drop(run) {
    if (this.#runs.get(run.id) === run) this.#runs.delete(run.id);
  }

  #ask(name, argument) {
    return new Promise((resolve, reject) => {
      if (!this.#socket.connected) return reject(errorFrom({ code: 'offline', message: 'There is no connection.' }));
      this.#socket.timeout(ACK_MS).emit(name, argument, (failure, answer) => {
        if (failure) reject(errorFrom({ code: 'no_answer', message: 'The server did not answer in time.' }));
        else resolve(answer);
      });
    });
  }

  #event(event) {
    const run = this.#runs.get(event?.run_id);
    if (run) run.receive(event);
    else if (this.#starting > 0 && this.#early.length < MAX_EARLY) this.#early.push(event);
  }

  #connected() {
    this.#everConnected = true;
    this.#backoff.reset();
    this.report({ state: 'live' });
    for (const run of [...this.#runs.values()]) {
      run.markResume();
      this.resume(run);
    }
  }

  #failed(error) {
    const code = error?.data?.code ?? error?.data?.error?.code;
    if (code && !isPassing(code)) {
      return this.report({ state: 'refused', error: errorFrom({ code, message: error.message }) });
    }
    // Never connected and the server did not say why: perhaps a proxy in the way; the client decides on SSE.
    this.#retry({ neverConnected: !this.#everConnected, attempt: this.#backoff.attempt + 1 });
  }

  #lost(reason) {
    if (this.#closed || reason === 'io client disconnect') return;
    this.#retry({});
  }

  #retry(facts) {
    if (this.#closed) return;
    const delay = this.#backoff.next();
    clearTimeout(this.#timer);
    this.report({ state: 'waiting', retryAt: Date.now() + delay, ...facts });
    this.#timer = setTimeout(() => this.retryNow(), delay);
  }
}

/** The end of the range that is gone; the names differ between the envelope and the SSE form. */
export const gapEnd = (gap) => gap?.to ?? gap?.seq ?? gap?.last_seq ?? gap?.gap?.to ?? gap?.data?.to;

/**
 * The public SDK of KDCube, for browsers and node 18 or newer. docs/sdk.md is its guide, kdcube.d.ts its types.
 *
 *     import { KDCube } from 'https://kdcube.example/kdcube.js';
 *     const kdcube = new KDCube({ url: 'https://kdcube.example', token: 'kd-…' });
 *     const run = await kdcube.send('Hello');
 *     for await (const text of run.texts()) show(text);
 */
import { Emitter } from './client/emitter.js';
import { KDCubeError } from './client/errors.js';
import { KDCubeClient } from './client/kdcube-client.js';
import { Run } from './client/public-run.js';

export { KDCubeError, Run };

/** Option of `send` → field of `chat_message` (docs/protocol.md). */
const FIELDS = {
  conversationId: 'conversation_id', turnId: 'turn_id', model: 'model', maxTokens: 'max_tokens', temperature: 'temperature',
  system: 'system', tools: 'tools', serverTools: 'server_tools', onDeny: 'on_deny', knowledge: 'knowledge',
  onDisconnect: 'on_disconnect', lowerMaxTokens: 'lower_max_tokens',
};

/**
 * A connection to a KDCube server: Socket.IO where the official client is there and gets through, else server-sent events.
 * After a lost connection every unfinished run goes on behind its last event: no hole, no repeat.
 *
 * Emits `state` ({state: connecting·live·waiting·refused·closed, transport: socket·sse, since, retryAt?, error?}),
 * `approval` ({approval, run}: a call of a followed run waits for people, or what came of it) and `session` (the
 * server's `session_info`, over Socket.IO).
 */
export class KDCube extends Emitter {
  #client;
  #runs = new Map(); // id → Run, unfinished
  #state = { state: 'closed', transport: '', since: Date.now(), retryAt: 0, error: undefined };
  #online = () => this.retryNow();
  #opening = null; // {promise, resolve, reject} from `connect` until `close`

  /**
   * @param {object} options
   * @param {string} [options.url] of the server; in a browser, without it, the page's own origin.
   * @param {string} options.token a `kd-…` key or a JWT.
   * @param {string} [options.tenant] @param {string} [options.project] repeat what the token says; others are refused.
   * @param {'auto'|'socket'|'sse'} [options.transport] `auto` is Socket.IO with SSE to fall back on.
   * @param {Function} [options.io] the official Socket.IO client; without it `globalThis.io`, and without that SSE.
   * @param {typeof fetch} [options.fetch]
   * @throws {KDCubeError} `no_token`, `no_url`, or `no_socket_client` when `socket` is wanted and there is none.
   */
  constructor({ url = '', token, tenant, project, transport = 'auto', io = globalThis.io, fetch } = {}) {
    super();
    if (!token) throw new KDCubeError('A token is needed: a kd-… key or a JWT.', { code: 'no_token' });
    if (!url && !globalThis.location) throw new KDCubeError('Outside a page the address of the server is needed.', { code: 'no_url' });
    if (transport === 'socket' && typeof io !== 'function') {
      throw new KDCubeError('Load /socket.io/socket.io.js first, or give the client as `io`.', { code: 'no_socket_client' });
    }
    const hints = { tenant, project };
    for (const name of Object.keys(hints)) if (hints[name] === undefined) delete hints[name];
    const client = new KDCubeClient({ baseUrl: url.replace(/\/+$/, ''), token, io, transport, fetch, hints });
    this.#client = client;
    client.on('connection', (connection) => this.#connection(connection));
    client.on('session', (session) => this.emit('session', session));
    client.on('resume-refused', ({ run, error }) => this.#runs.get(run.id)?.lose(error));
    const { rest } = client;

    /** Calls that wait for people. `list` is what waits for this key's answer or was asked for by it. */
    this.approvals = Object.freeze({
      list: (filter) => rest.approvals(filter),
      decide: (id, decision, reason = '') => rest.decideApproval(id, decision, reason),
    });
    /** The history of the token's own user. */
    this.conversations = Object.freeze({
      list: (page) => rest.conversations(page),
      get: (id) => rest.conversation(id),
      delete: (id) => rest.deleteConversation(id),
    });
    const runs = this.#runs;
    /** Runs by their id: what this client follows, and what the server says of any of the user's. */
    this.runs = Object.freeze({
      get active() { return [...runs.values()]; },
      get: (id) => rest.run(id),
      why: (id) => rest.why(id),
      cancel: (id) => rest.cancel(id),
    });
  }

  /** The latest `state`. */
  get state() { return this.#state; }

  /**
   * Connects, and stays so until `close`. Without it the first `send` or `resume` does it.
   * @param {{timeout?: number}} [options] milliseconds until the promise rejects; the client goes on trying.
   * @returns {Promise<void>} when there is a connection and the server takes the token.
   * @throws {KDCubeError} when the server refuses the token, or with code `offline` when the time is over.
   */
  async connect({ timeout = 30000 } = {}) {
    if (!this.#opening) {
      this.#opening = deferred();
      globalThis.addEventListener?.('online', this.#online);
      this.#client.connect();
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new KDCubeError('The server cannot be reached.', { code: 'offline' })), timeout);
    });
    try {
      await Promise.race([this.#opening.promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the connection. Runs that are not finished are detached. */
  close() {
    for (const run of this.#runs.values()) run.detach();
    globalThis.removeEventListener?.('online', this.#online);
    this.#client.close();
    this.#opening?.reject(new KDCubeError('The client was closed.', { code: 'closed' }));
    this.#opening = null;
    this.#set({ state: 'closed', transport: '', since: Date.now(), retryAt: 0, error: undefined });
  }

  /** Skips the wait for the next try to connect. */
  retryNow() { this.#client.retryNow(); }

  /**
   * Starts a run.
   * @param {string} text
   * @param {object} [options] `model`, `conversationId`, `maxTokens`, …: see kdcube.d.ts; `signal` cancels the run.
   * @returns {Promise<Run>}
   * @throws {KDCubeError} when the run is refused before its first token: `code` says why, nothing was charged. With
   *   code `no_answer` the connection was lost before the answer, and the run may have begun.
   */
  async send(text, options = {}) {
    const { signal, ...fields } = options;
    const message = { text };
    for (const [name, value] of Object.entries(fields)) {
      // A cap with a mistyped name must not be missing in silence.
      if (!(name in FIELDS)) throw new TypeError(`send has no option "${name}"`);
      if (value !== undefined) message[FIELDS[name]] = value;
    }
    signal?.throwIfAborted();
    await this.connect();
    const run = this.#follow(await this.#client.start(message));
    if (signal) {
      const cancel = () => run.cancel().catch(() => {}); // ended meanwhile
      if (signal.aborted) cancel();
      else signal.addEventListener('abort', cancel, { once: true });
      run.done.then(() => signal.removeEventListener('abort', cancel));
    }
    return run;
  }

  /**
   * Follows a run that was started elsewhere, or before a reload.
   * @param {string} runId @param {number} [afterSeq] the last event that is known already (`run.lastSeq`); 0 for none.
   *   Of a run that has ended there, the last event comes in any case.
   * @returns {Promise<Run>} A run that the server does not know becomes `lost`.
   */
  async resume(runId, afterSeq = 0) {
    await this.connect();
    const known = await this.runs.get(runId).catch(() => null); // what is wrong with it, following will say
    const after = known && known.state !== 'running' ? Math.min(afterSeq, known.last_seq - 1) : afterSeq;
    return this.#runs.get(runId) ?? this.#follow(this.#client.attach({
      runId, after, conversationId: known?.conversation_id, turnId: known?.turn_id,
    }));
  }

  /** What the token's own path has left, per window. @throws {KDCubeError} */
  quota() { return this.#client.rest.quota(); }

  /** The models, with prices. @throws {KDCubeError} */
  models() { return this.#client.rest.models(); }

  /**
   * Goes on with a new token, before the old one expires (`auth_refresh`). It must be of the same tenant and user.
   * @returns {Promise<{expiresAt: string|number|null}>}
   * @throws {KDCubeError} when the server does not take it; then the old one stays in use.
   */
  async refreshAuth(token) {
    await this.connect();
    const answer = await this.#client.refreshAuth(token);
    return { expiresAt: answer.expires_at ?? null };
  }

  #follow(stream) {
    const run = new Run(stream, {
      again: (lost) => {
        this.#runs.set(lost.id, run);
        this.#client.again(lost);
      },
    });
    this.#runs.set(run.id, run);
    run.on('event', (event) => {
      if (event.type === 'chat.approval') this.emit('approval', { approval: event.approval, run });
    });
    run.on('end', () => this.#runs.delete(run.id));
    return run;
  }

  async #connection({ state, since, retryAt, error, transport }) {
    if (state === 'idle') return; // whoever closed the client tells it
    const opening = this.#opening;
    if (state === 'sse' && opening && !opening.settled) {
      // A server that answers is not yet one that takes the token; a socket's handshake has asked, SSE has not.
      try {
        await this.quota();
      } catch (refusal) {
        if (refusal.status === 401 || refusal.status === 403) {
          this.#client.close();
          this.#refuse({ state: 'refused', transport, since, retryAt: 0, error: refusal });
        }
        if (refusal.status === 401 || refusal.status === 403 || refusal.code === 'offline') return; // the next look tries again
      }
      if (this.#opening !== opening) return;
    }
    const next = { state: state === 'sse' ? 'live' : state, transport: transport || this.#state.transport, since, retryAt, error };
    if (next.state === 'refused') return this.#refuse(next);
    if (next.state === 'live') opening?.resolve();
    this.#set(next);
  }

  #refuse(next) {
    this.#opening?.reject(next.error);
    this.#opening = null;
    for (const run of [...this.#runs.values()]) run.lose(next.error);
    this.#set(next);
  }

  #set(next) {
    const same = next.state === this.#state.state && next.transport === this.#state.transport && next.retryAt === this.#state.retryAt;
    this.#state = next;
    if (!same) this.emit('state', next);
  }
}

function deferred() {
  const made = { settled: false };
  made.promise = new Promise((resolve, reject) => {
    made.resolve = () => { made.settled = true; resolve(); };
    made.reject = (error) => { made.settled = true; reject(error); };
  });
  made.promise.catch(() => {}); // whoever did not wait is told by `state`
  return made;
}

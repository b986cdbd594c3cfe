import { Emitter } from './emitter.js';
import { KDCubeError } from './errors.js';
import { RestClient } from './rest.js';
import { SocketTransport } from './socket-transport.js';
import { SSETransport } from './sse-transport.js';

export { KDCubeError };

/** Failed first connects, with a server that answers HTTP, before Socket.IO is given up for SSE. */
const TRIES_BEFORE_SSE = 2;

/**
 * The client of a KDCube server: one interface over Socket.IO (preferred) and SSE.
 *
 *     const client = new KDCubeClient({ token, io: globalThis.io });
 *     client.on('connection', ({ state }) => …);   // connecting · live · sse · waiting · refused
 *     client.connect();
 *     const run = await client.start({ text: 'Hello' });
 *     run.on('event', (envelope) => …);            // in order, each exactly once, across lost connections
 *
 * Emits `connection` ({state, since, retryAt?, error?, transport}), `session` (the server's session_info) and
 * `resume-refused` ({run, error}: the server cannot continue this run for us).
 */
export class KDCubeClient extends Emitter {
  #transport = null;
  #token;
  #io;
  #mode;

  #hints;

  /**
   * @param {{baseUrl?: string, token: string, io?: Function, transport?: 'auto'|'socket'|'sse', fetch?: typeof fetch,
   *   hints?: {tenant?: string, project?: string}}} options `hints` repeat what the token says; others are refused.
   */
  constructor({ baseUrl = '', token, io = globalThis.io, transport = 'auto', fetch, hints = {} } = {}) {
    super();
    this.baseUrl = baseUrl;
    this.#token = token;
    this.#io = io;
    this.#mode = transport;
    this.#hints = hints;
    this.rest = new RestClient({ baseUrl, token: () => this.#token, fetch, hints });
    this.connection = { state: 'idle', since: Date.now(), transport: '' };
  }

  connect() {
    const sse = this.#mode === 'sse' || (this.#mode === 'auto' && typeof this.#io !== 'function');
    this.#use(sse ? this.#sse() : this.#socket());
  }

  close() {
    this.#transport?.close();
    this.#transport = null;
    this.#set({ state: 'idle' });
  }

  /** Skips the wait for the next try. */
  retryNow() {
    this.#transport?.retryNow();
  }

  /**
   * @param {{text: string, conversation_id?: string, model?: string, max_tokens?: number}} message
   * @returns {Promise<import('./run.js').Run>}
   * @throws {KDCubeError} when the run is refused before its first token, or there is no connection.
   */
  start(message) {
    return this.#needTransport().start(message);
  }

  /** Follows a run that was started elsewhere or before a reload, from `after` (0: from its beginning). */
  attach(run) {
    return this.#needTransport().attach(run);
  }

  /**
   * Decides about a call that waits for a person; what comes of it arrives as `chat.approval`, as for everybody else.
   * @param {string} id of the approval @param {'approve'|'deny'} decision @param {string} reason
   * @throws {KDCubeError} when the server does not accept it from this key.
   */
  decideApproval(id, decision, reason = '') {
    return this.#needTransport().decideApproval(id, decision, reason);
  }

  /** Follows a run again that `resume-refused` gave up. */
  again(run) {
    run.moveTo(this.#needTransport());
  }

  /**
   * A new token for what was signed in with the old one; it must be of the same tenant and user.
   * @throws {KDCubeError} when the server does not take it; then the old one stays in use.
   */
  async refreshAuth(token) {
    const answer = await this.#needTransport().refreshAuth(token);
    this.#token = token;
    return answer;
  }

  #needTransport() {
    if (!this.#transport) throw new KDCubeError('The client is not connected.', { code: 'offline' });
    return this.#transport;
  }

  #use(transport) {
    const orphans = this.#transport?.unfinished() ?? [];
    this.#transport?.close();
    this.#transport = transport;
    transport.connect();
    for (const run of orphans) run.moveTo(transport);
  }

  #socket() {
    const transport = new SocketTransport({
      io: this.#io,
      baseUrl: this.baseUrl,
      token: () => this.#token,
      hints: this.#hints,
      report: (change) => this.#report(transport, change),
    });
    return transport;
  }

  #sse() {
    const transport = new SSETransport({ rest: this.rest, report: (change) => this.#report(transport, change) });
    return transport;
  }

  async #report(transport, change) {
    if (this.#transport && this.#transport !== transport) return;
    if (change.session) this.emit('session', change.session);
    if (change.resumeRefused) this.emit('resume-refused', change.resumeRefused);
    if (change.state) this.#set({ ...change, transport: transport.name });
    if (change.neverConnected && change.attempt >= TRIES_BEFORE_SSE && this.#mode === 'auto') {
      // Only a server that answers HTTP while sockets fail means "blocked"; one that is down will come back.
      if (await this.rest.alive() && this.#transport === transport && this.connection.state !== 'live') this.#use(this.#sse());
    }
  }

  #set(next) {
    const up = (state) => state === 'live' || state === 'sse';
    const previous = this.connection;
    // `since` counts from the moment the connection was lost or gained, not from each single try.
    const since = up(previous.state) === up(next.state) && previous.state !== 'idle' ? previous.since : Date.now();
    this.connection = { state: next.state, since, retryAt: next.retryAt ?? 0, error: next.error, transport: next.transport ?? '' };
    this.emit('connection', this.connection);
  }
}

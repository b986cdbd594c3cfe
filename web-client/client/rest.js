import { KDCubeError, errorFrom } from './errors.js';

/** Longest wait for an answer that is not a stream. */
const TIMEOUT_MS = 15000;

/** The HTTP side of the server: reads, cancel, and the streams of the SSE transport. */
export class RestClient {
  /** @param {{baseUrl: string, token: () => string, fetch?: typeof fetch, hints?: {tenant?: string, project?: string}}} options */
  constructor({ baseUrl, token, fetch = globalThis.fetch.bind(globalThis), hints = {} }) {
    this.baseUrl = baseUrl;
    this.token = token;
    this.fetch = fetch;
    this.hints = hints;
  }

  /** The same client with another token. */
  with(token) {
    return new RestClient({ baseUrl: this.baseUrl, token: () => token, fetch: this.fetch, hints: this.hints });
  }

  models() { return this.json('GET', '/v1/models'); }
  quota() { return this.json('GET', '/v1/quota'); }
  conversations(page) { return this.json('GET', `/v1/conversations${query(page)}`); }
  conversation(id) { return this.json('GET', `/v1/conversations/${encodeURIComponent(id)}`); }
  deleteConversation(id) { return this.json('DELETE', `/v1/conversations/${encodeURIComponent(id)}`); }
  run(id) { return this.json('GET', `/v1/runs/${encodeURIComponent(id)}`); }
  why(id) { return this.json('GET', `/v1/runs/${encodeURIComponent(id)}/why`); }
  cancel(id) { return this.json('POST', `/v1/runs/${encodeURIComponent(id)}/cancel`, {}); }
  approvals(filter) { return this.json('GET', `/api/approvals${query(filter)}`); }
  decideApproval(id, decision, reason) { return this.json('POST', `/api/approvals/${encodeURIComponent(id)}`, { decision, reason }); }

  /** @returns {Promise<boolean>} whether the server answers at all; never throws. */
  async alive() {
    try {
      return (await this.#send('GET', '/healthz', { signal: timeout(4000) })).ok;
    } catch {
      return false;
    }
  }

  /** @throws {KDCubeError} with code `offline` when the server cannot be reached. */
  async json(method, path, body, headers = {}) {
    const response = await this.open(method, path, { body, headers, signal: timeout(TIMEOUT_MS) });
    if (response.status === 204) return null;
    const text = await response.text();
    return text === '' ? null : JSON.parse(text);
  }

  /** Sends and checks the status; the body is left to the caller. */
  async open(method, path, { body, headers = {}, signal } = {}) {
    let response;
    try {
      response = await this.#send(method, path, { body, headers, signal });
    } catch (cause) {
      if (cause?.name === 'AbortError') throw cause;
      throw new KDCubeError('The server cannot be reached.', { code: 'offline' });
    }
    if (response.ok) return response;
    throw await refusal(response);
  }

  #hinted(path) {
    const hints = query(this.hints).slice(1);
    return hints && path !== '/healthz' ? `${path}${path.includes('?') ? '&' : '?'}${hints}` : path;
  }

  #send(method, path, { body, headers = {}, signal } = {}) {
    const all = { ...headers };
    const token = this.token();
    if (token) all.authorization = `Bearer ${token}`;
    if (body !== undefined) all['content-type'] = 'application/json';
    return this.fetch(this.baseUrl + this.#hinted(path), {
      method, headers: all, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store',
      credentials: 'omit', // the key is the only credential; cookies would open the door to cross-site requests
    });
  }
}

/** `?a=1&b=2` of what is given; '' for nothing. */
function query(values = {}) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
}

async function refusal(response) {
  let body = null;
  try {
    body = JSON.parse(await response.text());
  } catch {
    // A proxy's page, not our server's answer: the status line is all we can quote.
  }
  return errorFrom(body ?? { message: `The server answered ${response.status}.` }, {
    code: body?.error?.code ?? `http_${response.status}`,
    status: response.status,
    requestId: response.headers.get('x-request-id') ?? '',
    retryAfter: Number(response.headers.get('retry-after')) || 0,
    body,
  });
}

/** `AbortSignal.timeout` names its error differently; this keeps a timeout an ordinary "cannot be reached". */
function timeout(ms) {
  const controller = new AbortController();
  // In node a timer that nobody waits for must not keep the program running.
  setTimeout(() => controller.abort(new Error('timeout')), ms).unref?.();
  return controller.signal;
}

import { RestClient } from '../client/rest.js';

/** What the console asks of the server. Errors are `KDCubeError`s with what a person needs to quote. */
export class ConsoleApi {
  /** @param {{token: string, baseUrl?: string, fetch?: typeof fetch}} options */
  constructor({ token, baseUrl = '', fetch }) {
    this.rest = new RestClient({ baseUrl, token: () => token, ...(fetch ? { fetch } : {}) });
  }

  /** Who this key is: `{org, project, user}`. */
  whoAmI() { return this.rest.quota(); }

  /** @param {boolean} asAdmin whether to see everybody's. */
  approvals(asAdmin, filters = {}) {
    return this.get(asAdmin ? '/api/admin/approvals' : '/api/approvals', filters);
  }

  decide(id, decision, reason) { return this.rest.decideApproval(id, decision, reason); }
  decisions(filters) { return this.get('/api/admin/decisions', filters); }
  decision(id, { org } = {}) { return this.get(`/api/admin/decisions/${encodeURIComponent(id)}`, { org }); }
  tools() { return this.get('/api/admin/tools'); }
  switchTool(name, disabled, reason) {
    return this.rest.json('POST', `/api/admin/tools/${encodeURIComponent(name)}`, { disabled, reason });
  }

  /** @param {{text: string}|{edits: {name: string, tool: object|null}[]}} draft */
  checkTools(draft) { return this.send('POST', '/api/admin/tools/check', draft); }
  publishTools(edits, base, reason) { return this.send('PUT', '/api/admin/tools', { edits, base, reason }); }
  toolsVersion(version) { return this.get(`/api/admin/tools/${encodeURIComponent(version)}`); }
  rollBackTools(version, base, reason) { return this.send('POST', '/api/admin/tools/rollback', { version, base, reason }); }

  kill(run, reason) { return this.send('POST', `/api/admin/streams/${encodeURIComponent(run)}/kill`, { reason }); }
  run(id) { return this.get(`/api/admin/runs/${encodeURIComponent(id)}`); }
  isolation() { return this.get('/api/admin/isolation'); }

  /** Any address of the server; what is empty in the query is left out. */
  get(path, query = {}) { return this.rest.json('GET', withQuery(path, query)); }

  /**
   * @param {'POST'|'PUT'|'PATCH'|'DELETE'} method
   * @param {{query?: object, once?: string}} options `once` is an idempotency key: the same request again is made once.
   */
  send(method, path, body, { query = {}, once } = {}) {
    return this.rest.json(method, withQuery(path, query), body, once ? { 'idempotency-key': once } : {});
  }
}

function withQuery(path, query) {
  const known = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = new URLSearchParams(known.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

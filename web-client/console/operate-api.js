/** What the pages Policies, Spend, Audit and System ask of the server, over the REST client of the console. */

const path = (name, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return `/api/admin/${name}${given.length > 0 ? `?${new URLSearchParams(given)}` : ''}`;
};

export class OperateApi {
  /** @param {import('../client/rest.js').RestClient} rest */
  constructor(rest) {
    this.rest = rest;
  }

  policies() { return this.#get('policies'); }
  policyVersion(version) { return this.#get(`policies/${encodeURIComponent(version)}`); }
  checkPolicies(files) { return this.#send('POST', 'policies/check', { files }); }
  tryPolicies(files, since) { return this.#send('POST', 'policies/dry-run', { files, ...(since ? { since } : {}) }); }
  publishPolicies(files, base, reason) { return this.#send('PUT', 'policies', { files, base, reason }); }
  rollBackPolicies(version, base, reason) { return this.#send('POST', 'policies/rollback', { version, base, reason }); }

  usage(query) { return this.#get('usage', query); }
  usageFile(query) { return this.#download('usage', { ...query, format: 'csv' }); }

  audit(org) { return this.#get('audit', { org }); }
  verifyAudit(org) { return this.#send('POST', 'audit/verify', org ? { org } : {}); }
  auditFile(query) { return this.#download('audit/export', query); }

  health() { return this.#get('health'); }
  prices() { return this.#get('prices', { configured: true, limit: 1000 }); }
  reloadPrices() { return this.#send('POST', 'prices/reload', {}); }
  config() { return this.#get('config'); }
  drain(node) { return this.#send('POST', 'drain', node ? { node } : {}); }
  logLevel() { return this.#get('log-level'); }
  setLogLevel(level) { return this.#send('PUT', 'log-level', { level }); }

  #get(name, query) { return this.rest.json('GET', path(name, query)); }
  #send(method, name, body) { return this.rest.json(method, path(name), body); }

  /** A file of the server: the browser's own download would come without the key. */
  async #download(name, query) {
    const response = await this.rest.open('GET', path(name, query));
    return response.blob();
  }
}

/** Hands a blob to the person as a file. */
export function saveFile(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken it over by then; freeing it at once would end a download that has only begun.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

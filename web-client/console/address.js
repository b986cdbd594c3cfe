/** Where one is, as the query of the address: the page, its filters, the opened record. Pure. */

/** In the order of the rail; `run` is reached from others. */
export const PAGES = ['now', 'streams', 'budgets', 'spend', 'decisions', 'approvals', 'policies', 'tools', 'keys', 'sandboxes', 'audit', 'system', 'run'];
/** What one sees first; who is no admin has the approvals alone. */
const FIRST = 'now';
/** They narrow every page, and stay when one goes to another. */
export const SCOPE = ['org', 'project', 'user'];
/** Filters of each page besides the scope; of anything else in the address nothing is known. */
const FILTERS = {
  now: [],
  streams: ['sort', 'find'],
  budgets: ['find', 'at', 'unit'],
  spend: ['by', 'range', 'from', 'to', 'step'],
  decisions: ['decision', 'kind', 'tool', 'rule', 'run', 'range', 'since', 'until', 'id'],
  approvals: [],
  policies: ['file', 'rule', 'version'],
  tools: [],
  keys: ['state', 'find', 'id', 'tab'],
  sandboxes: [],
  audit: ['from', 'to'],
  system: ['part'],
  run: ['id'],
};
const LENGTH_MAX = 200;

/** @returns {{page: string, filters: Record<string, string>}} */
export function readAddress(search) {
  const query = new URLSearchParams(search);
  const asked = query.get('page') ?? '';
  const page = PAGES.includes(asked) ? asked : FIRST;
  const filters = {};
  for (const name of [...SCOPE, ...FILTERS[page]]) {
    const value = (query.get(name) ?? '').trim();
    if (value !== '' && value.length <= LENGTH_MAX) filters[name] = value;
  }
  return { page, filters };
}

/** @returns {string} "?page=…", always in the same order, without what is empty. */
export function writeAddress({ page, filters = {} }) {
  const query = new URLSearchParams({ page });
  for (const name of [...SCOPE, ...(FILTERS[page] ?? [])]) if (filters[name]) query.set(name, filters[name]);
  return `?${query}`;
}

/** The address of another page in the same scope. */
export function goTo(address, page, filters = {}) {
  const scope = Object.fromEntries(SCOPE.filter((name) => address.filters[name]).map((name) => [name, address.filters[name]]));
  return { page, filters: { ...scope, ...filters } };
}

/** The same page with some filters changed; '' takes one away. */
export const withFilters = (address, changes) => readAddress(writeAddress({ page: address.page, filters: { ...address.filters, ...changes } }));

/** As an operator names all organisations. */
export const ALL_ORGS = '*';

/** Whether a row lies in the scope: what is pushed is not filtered by the server. */
export const inScope = (row, filters) => SCOPE.every((name) => !filters[name] || row[name] === filters[name] || (name === 'org' && filters.org === ALL_ORGS));

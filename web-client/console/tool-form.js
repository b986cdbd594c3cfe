/** A tool between the fields of a form and its entry in tools.yaml. Pure. */
import { wordsOf } from './key-model.js';

export const EFFECTS = { read: 'It only reads', write: 'It changes something' };
export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** In this order a person writes them. */
const ORDER = ['name', 'description', 'effect', 'correlate', 'roles', 'cost', 'timeout', 'output', 'parameters', 'builtin', 'http', 'mcp'];
/** Built-in tools and what they take: a form begins with what fits. */
const TAKES = {
  run_code: [['code', { type: 'string', minLength: 1, maxLength: 65536 }]],
  'knowledge.search': [['query', { type: 'string', minLength: 1, maxLength: 1000 }]],
  'memory.get': [['key', { type: 'string', minLength: 1, maxLength: 128 }]],
  'memory.set': [['key', { type: 'string', minLength: 1, maxLength: 128 }], ['value', { type: 'string', maxLength: 16384 }]],
  'crm.lookup': [['customer', { type: 'string', minLength: 1, maxLength: 64 }]],
  'payments.refund': [['order_id', { type: 'string', minLength: 1, maxLength: 64 }], ['amount', { type: 'string', format: 'decimal', minimum: '0.01', maximum: '1000.00' }]],
  'mail.draft': [['to', { type: 'string', minLength: 3, maxLength: 254 }], ['subject', { type: 'string', maxLength: 200 }], ['body', { type: 'string', maxLength: 10000 }]],
  'mail.send': [['draft_id', { type: 'string', minLength: 1, maxLength: 64 }]],
};

const closed = (properties) => ({ type: 'object', additionalProperties: false, required: properties.map(([name]) => name), properties: Object.fromEntries(properties) });

/** The schema that a tool begins with, as text. */
export const parametersFor = (builtin) => schemaText(closed(TAKES[builtin] ?? [['id', { type: 'string', minLength: 1, maxLength: 64 }]]));

/** JSON as one reads it: one property a line. */
export function schemaText(schema) {
  const { properties, ...rest } = schema ?? {};
  if (!properties || typeof properties !== 'object' || Object.keys(properties).length === 0) return JSON.stringify(schema ?? {}, null, 2);
  const head = Object.entries(rest).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`);
  const body = Object.entries(properties).map(([key, value]) => `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{\n${head.length > 0 ? `${head.join('\n')}\n` : ''}  "properties": {\n${body.join(',\n')}\n  }\n}`;
}

/** @param {object|null} source the entry of a tool that is there; null for a new one. */
export function formOf(source) {
  const http = source?.http ?? {};
  return {
    name: source?.name ?? '', description: source?.description ?? '', effect: source?.effect ?? 'read', correlate: source?.correlate ?? '', roles: (source?.roles ?? []).join(' '),
    cost: source?.cost ?? '', timeout: source?.timeout ?? '', kind: source?.mcp ? 'mcp' : source?.builtin ? 'builtin' : 'http', builtin: source?.builtin ?? '',
    method: http.method ?? 'GET', url: http.url ?? '', hosts: (http.allow_hosts ?? []).join(' '), sendsBody: http.body === 'json',
    headers: Object.entries(http.headers ?? {}).map(([name, value]) => `${name}: ${value}`).join('\n'), parameters: source ? schemaText(source.parameters) : parametersFor(''),
  };
}

/** The host of an address, without its port; '' where there is none yet. */
export const hostOf = (url) => /^https?:\/\/([^/:?{}]+)/i.exec(url.trim())?.[1].toLowerCase() ?? '';

/** The names of the parameters that may say which thing a call is about: what has to be there, and is one value. */
export function correlates(text) {
  const { value } = parsed(text);
  const required = Array.isArray(value?.required) ? value.required : [];
  return required.filter((name) => !['object', 'array'].includes([value.properties?.[name]?.type].flat()[0]));
}

/** @returns {{value?: object, problem?: string}} */
export function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? { value } : { problem: 'The parameters are a JSON object.' };
  } catch (error) {
    return { problem: `The parameters are no JSON yet: ${error.message}` };
  }
}

/**
 * The entry that the fields say.
 * @param {object|null} source what the form began with: what it does not show stays.
 * @returns {{tool?: object, problem?: string, field?: string}}
 */
export function entryOf(form, source = null) {
  const name = form.name.trim();
  if (!/^[a-z][a-z0-9_.]{0,63}$/.test(name)) return { problem: 'A name begins with a small letter and has small letters, digits, dots and underscores, at most 64.', field: 'name' };
  if (form.description.trim() === '') return { problem: 'Say what it does: the model reads it.', field: 'description' };
  const { value: parameters, problem } = parsed(form.parameters);
  if (problem) return { problem, field: 'parameters' };
  const made = adapterOf(form, source);
  if (made.problem) return made;
  const rest = { ...source };
  for (const key of ['correlate', 'roles', 'cost', 'timeout', 'builtin', 'http', 'mcp']) delete rest[key];
  const tool = { ...rest, name, description: form.description.trim(), effect: form.effect, parameters, ...made.adapter };
  for (const key of ['correlate', 'cost', 'timeout']) if (form[key].trim()) tool[key] = form[key].trim();
  const roles = wordsOf(form.roles);
  if (roles.length > 0) tool.roles = roles;
  return { tool: Object.fromEntries([...ORDER, ...Object.keys(tool).filter((key) => !ORDER.includes(key))].filter((key) => key in tool).map((key) => [key, tool[key]])) };
}

function adapterOf(form, source) {
  if (form.kind === 'builtin') return form.builtin ? { adapter: { builtin: form.builtin } } : { problem: 'Choose a built-in tool.', field: 'builtin' };
  if (form.kind === 'mcp') return { adapter: { mcp: source?.mcp } };
  const url = form.url.trim();
  if (hostOf(url) === '') return { problem: 'An address begins with https:// and a host.', field: 'url' };
  const http = { ...source?.http, method: form.method, url };
  for (const key of ['headers', 'body']) delete http[key];
  const headers = headersOf(form.headers);
  if (headers.problem) return { problem: headers.problem, field: 'headers' };
  if (Object.keys(headers.value).length > 0) http.headers = headers.value;
  if (form.sendsBody && form.method !== 'GET') http.body = 'json';
  const hosts = wordsOf(form.hosts);
  http.allow_hosts = hosts.length > 0 ? hosts : [hostOf(url)];
  return { adapter: { http } };
}

/** "name: value", one a line. */
function headersOf(text) {
  const value = {};
  for (const line of text.split('\n').map((one) => one.trim()).filter(Boolean)) {
    const at = line.indexOf(':');
    if (at < 1) return { problem: `“${line}” is no header: write name: value.` };
    value[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return { value };
}

/** Why somebody cannot make tools here; '' where they can. */
export function toolsAreClosed({ isOperator }, { version, publish }) {
  if (!version) return 'This server has no catalog of tools (tools.file of the configuration names one).';
  if (!isOperator) return 'Tools are the server’s: making and changing them needs a key with the role operator.';
  return publish === 'off' ? 'This server does not take tools from here (tools.publish is off): change its file.' : '';
}

/** Why one tool cannot be changed here, although others can; '' where it can. */
export function toolIsLocked({ source }) {
  const values = [source?.http?.headers, source?.mcp?.headers, source?.mcp?.env].flatMap((one) => Object.values(one ?? {}));
  return values.includes('***') ? 'A secret of it stands in the file in clear: change it there.' : '';
}

/** "1 tool is new: crm.find." */
export function changeWords({ made = [], changed = [], removed = [] } = {}) {
  const part = (names, word) => (names.length === 0 ? '' : `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} ${word}.`);
  return [part(made, 'new'), part(changed, 'changed'), part(removed, 'taken away')].filter(Boolean).join(' ');
}

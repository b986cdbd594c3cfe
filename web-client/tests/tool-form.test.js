import assert from 'node:assert/strict';
import test from 'node:test';
import { changeWords, correlates, entryOf, formOf, hostOf, parametersFor, parsed, schemaText, toolIsLocked, toolsAreClosed } from '../console/tool-form.js';

const SOURCE = {
  name: 'orders.get', description: 'Reads an order.', effect: 'read', correlate: 'id', roles: ['support', 'finance'], cost: '0.01', timeout: '10s', output: '64KiB',
  parameters: { type: 'object', additionalProperties: false, required: ['id'], properties: { id: { type: 'string' } } },
  http: { method: 'POST', url: 'https://api.example:8443/orders/{id}', body: 'json', allow_hosts: ['api.example', 'cdn.example'], private_hosts: [], headers: { authorization: 'Bearer ${TOKEN}' } },
};

test('what a form does not touch is what it was', () => {
  assert.deepEqual(entryOf(formOf(SOURCE), SOURCE).tool, SOURCE);
  const mcp = { name: 'a', description: 'b', effect: 'write', parameters: SOURCE.parameters, mcp: { command: ['/bin/x'], tool: 't', env: { A: '${A}' } } };
  assert.deepEqual(entryOf({ ...formOf(mcp), description: 'c' }, mcp).tool, { ...mcp, description: 'c' });
});

test('a new tool has what was written, in the order of the file', () => {
  const form = { ...formOf(null), name: ' crm.find ', description: 'Finds. ', url: 'HTTPS://CRM.example/x?id={id}', headers: 'x-a: 1:2\n\naccept:text/plain', correlate: 'id' };
  const { tool } = entryOf(form);
  assert.deepEqual(Object.keys(tool), ['name', 'description', 'effect', 'correlate', 'parameters', 'http']);
  assert.deepEqual(tool.http, { method: 'GET', url: 'HTTPS://CRM.example/x?id={id}', headers: { 'x-a': '1:2', accept: 'text/plain' }, allow_hosts: ['crm.example'] });
  assert.equal(tool.name, 'crm.find');
  assert.equal(entryOf({ ...form, method: 'GET', sendsBody: true }).tool.http.body, undefined, 'a GET has no body');
  assert.deepEqual(entryOf({ ...form, kind: 'builtin', builtin: 'mail.send' }).tool.builtin, 'mail.send');
  assert.equal('http' in entryOf({ ...formOf(SOURCE), kind: 'builtin', builtin: 'crm.lookup' }, SOURCE).tool, false);
});

test('what is missing is told at its field', () => {
  const form = { ...formOf(null), name: 'a', description: 'b', url: 'https://a.example' };
  for (const [change, field] of [[{ name: 'A' }, 'name'], [{ name: '' }, 'name'], [{ description: ' ' }, 'description'], [{ parameters: '{' }, 'parameters'], [{ parameters: '[]' }, 'parameters'],
    [{ url: 'ftp://a' }, 'url'], [{ url: '' }, 'url'], [{ headers: 'nothing' }, 'headers'], [{ kind: 'builtin' }, 'builtin']]) {
    assert.equal(entryOf({ ...form, ...change }).field, field, JSON.stringify(change));
  }
  assert.equal(entryOf(form).problem, undefined);
});

test('a schema is written one property a line and read back', () => {
  for (const schema of [SOURCE.parameters, {}, { type: 'object' }, { type: 'object', properties: {} }, { properties: { a: { type: 'string', description: '"}' } } }]) {
    assert.deepEqual(JSON.parse(schemaText(schema)), schema);
  }
  assert.ok(schemaText(SOURCE.parameters).includes('\n    "id": {"type":"string"}\n'));
  assert.deepEqual(Object.keys(JSON.parse(parametersFor('memory.set')).properties), ['key', 'value']);
  assert.deepEqual(JSON.parse(parametersFor('nobody')).required, ['id']);
  assert.ok(parsed('{"a":').problem && parsed('null').problem && parsed('{}').value);
});

test('what names the thing is a value that has to be there', () => {
  const schema = { required: ['id', 'list', 'map', 'gone'], properties: { id: { type: ['string'] }, list: { type: 'array' }, map: { type: 'object' }, more: { type: 'string' } } };
  assert.deepEqual(correlates(JSON.stringify(schema)), ['id', 'gone']);
  assert.deepEqual(correlates('{'), []);
});

test('hosts, closed pages, locked tools and changes in words', () => {
  assert.equal(hostOf('https://Api.Example:8443/x'), 'api.example');
  assert.equal(hostOf('https://{host}/x'), '');
  assert.equal(toolsAreClosed({ isOperator: true }, { version: 'a', publish: 'file' }), '');
  assert.match(toolsAreClosed({ isOperator: true }, { version: 'a', publish: 'off' }), /tools\.publish/);
  assert.match(toolsAreClosed({ isOperator: false }, { version: 'a', publish: 'file' }), /operator/);
  assert.match(toolsAreClosed({ isOperator: true }, { version: null }), /tools\.file/);
  assert.equal(toolIsLocked({ source: SOURCE }), '');
  assert.notEqual(toolIsLocked({ source: { mcp: { env: { A: '***' } } } }), '');
  assert.equal(changeWords({ made: ['a'], changed: ['b', 'c'], removed: [] }), 'a is new. b, c are changed.');
  assert.equal(changeWords(), '');
});

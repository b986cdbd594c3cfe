/** kdcube.d.ts declares exactly what kdcube.js exports: each name, each method and each field, and nothing else. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import * as sdk from '../kdcube.js';

const source = readFileSync(new URL('../kdcube.d.ts', import.meta.url), 'utf8').replace(/\/\*\*[\s\S]*?\*\//g, '');
const optionsOf = (text) => [...text.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name).sort();

/** The names of the members of a class or an interface. */
function declared(kind, name) {
  const body = new RegExp(`export ${kind} ${name}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(source);
  assert.ok(body, `${kind} ${name} is declared`);
  const members = [...body[1].matchAll(/^ {2}(?:private |readonly )*(\[Symbol\.\w+\]|\w+)[?(:<]/gm)].map(([, member]) => member);
  return [...new Set(members)].filter((member) => member !== 'constructor').sort();
}

/** What an object has, its classes included. `Emitter` is no export; what it gives is. */
function present(object, prototype = Object.getPrototypeOf(object)) {
  const names = new Set(Object.keys(object ?? {}));
  for (let at = prototype; at && at !== Object.prototype && at !== Error.prototype; at = Object.getPrototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) names.add(typeof key === 'symbol' ? `[${key.description}]` : key);
  }
  names.delete('constructor');
  return [...names].sort();
}

const kdcube = new sdk.KDCube({ url: 'http://127.0.0.1:1', token: 'kd-x' });

test('each export is declared, and each declared class is exported', () => {
  assert.deepEqual(Object.keys(sdk).sort(), [...source.matchAll(/^export class (\w+)/gm)].map(([, name]) => name).sort());
});

test('classes have the members that are declared', () => {
  assert.deepEqual(declared('class', 'KDCube'), present(kdcube));
  assert.deepEqual(declared('class', 'Run'), present({}, sdk.Run.prototype));
  assert.deepEqual(declared('class', 'KDCubeError'), present(new sdk.KDCubeError('m')).filter((name) => name !== 'name'));
});

test('the parts of the client have the members that are declared', () => {
  assert.deepEqual(declared('interface', 'Approvals'), present(kdcube.approvals));
  assert.deepEqual(declared('interface', 'Conversations'), present(kdcube.conversations));
  assert.deepEqual(declared('interface', 'Runs'), present(kdcube.runs));
});

test('the options of send are those that are declared', () => {
  const module = readFileSync(new URL('../kdcube.js', import.meta.url), 'utf8');
  const fields = /const FIELDS = \{([\s\S]*?)\};/.exec(module)[1];
  const known = [...fields.matchAll(/(\w+): '/g)].map(([, name]) => name);
  assert.deepEqual(optionsOf(/interface SendOptions \{([\s\S]*?)\n\}/.exec(source)[1]), [...known, 'signal'].sort());
});

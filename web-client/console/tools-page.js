import { h, icon, setText } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { agoWords } from './approval-view.js';
import { adapterWords, callsWords, parameterRows, priceWords, timeoutWords } from './catalog-words.js';
import { empty, loading, problem, sample, stateMark } from './panels.js';
import { placeOf, shortVersion } from './policies-model.js';
import { findingRow } from './policy-file.js';
import { askForTool, askToRemoveTool, askToRollBack } from './tool-dialog.js';
import { toolIsLocked, toolsAreClosed } from './tool-form.js';

const TOOL = `tools:
  - name: crm.lookup
    description: Looks a customer up by id.
    builtin: crm.lookup
    effect: read
    correlate: customer
    parameters:
      type: object
      additionalProperties: false
      required: [customer]
      properties:
        customer: { type: string, minLength: 1, maxLength: 64 }`;

/**
 * The catalog; each tool can be switched off and on again, with a reason that everybody sees. An operator makes tools, changes them and takes them
 * away, and puts a version of the catalog back.
 */
export class ToolsPage {
  title = 'Tools';
  isScoped = false;
  #rows = new Map();
  #ticket = 0;
  #catalog = null;

  constructor(deps) {
    this.deps = { ...deps, change: (tool) => this.#change(tool), remove: (tool) => this.#remove(tool), closed: () => this.#closed };
    this.add = h('button.button.primary', { type: 'button', hidden: true, onclick: () => this.#change(null) }, icon('plus'), 'New tool');
    this.closed = h('p.hint.tl-closed', { hidden: true });
    this.versions = h('div');
    this.message = h('div', null, loading());
    this.search = h('input.filter-field.tl-search', { type: 'search', placeholder: 'Search the tools', aria: { label: 'Search the tools' }, spellcheck: false, oninput: () => this.#filter() });
    this.list = h('div.tl-list', { role: 'list', aria: { label: 'Tools' } });
    this.element = h('div.narrow', null, h('div.tl-head', null, this.search, this.add), this.closed, this.message, this.list, this.versions);
  }

  show() { this.#load(); }

  key(name) {
    if (name === '/') return this.search.focus();
    const rows = [...this.list.querySelectorAll('.tl:not([hidden]) > summary')];
    if ((name !== 'j' && name !== 'k') || rows.length === 0) return undefined;
    const at = rows.indexOf(document.activeElement);
    return rows[Math.max(0, Math.min(rows.length - 1, at + (name === 'j' ? 1 : -1)))].focus();
  }

  async #load() {
    const ticket = ++this.#ticket;
    try {
      const catalog = await this.deps.api.tools();
      if (ticket !== this.#ticket) return;
      const { data = [] } = catalog;
      this.#catalog = { ...catalog, data };
      this.#open();
      this.message.replaceChildren(...[failure(catalog), data.length === 0 && this.#teach()].filter(Boolean));
      this.search.hidden = data.length < 8;
      for (const name of this.#rows.keys()) if (!data.some((tool) => tool.name === name)) this.#rows.delete(name);
      for (const tool of data) {
        const known = this.#rows.get(tool.name);
        if (known) known.update(tool);
        else this.#rows.set(tool.name, new ToolRow(tool, this.deps));
      }
      // What is switched off is what one looks for.
      const sorted = [...data].sort((a, b) => Number(Boolean(b.disabled)) - Number(Boolean(a.disabled)));
      this.list.replaceChildren(...sorted.map((tool) => this.#rows.get(tool.name).element));
      this.#filter();
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.message.replaceChildren(problem('The catalog could not be read.', error, () => this.#load()));
    }
  }

  #filter() {
    const wanted = this.search.value.trim().toLowerCase();
    for (const [name, row] of this.#rows) row.element.hidden = !`${name} ${row.tool.description}`.toLowerCase().includes(wanted);
  }

  /** Whether tools can be made here, and why not. */
  #open() {
    const why = this.#closed;
    this.add.hidden = false;
    this.add.disabled = why !== '';
    this.closed.hidden = why === '';
    this.closed.replaceChildren(why && icon('key'), ` ${why}`);
    this.versions.replaceChildren(...(why === '' ? [versionsOf(this.#catalog, (version) => this.#rollBack(version))] : []));
  }

  get #closed() { return this.#catalog ? toolsAreClosed(this.deps.me, this.#catalog) : ''; }

  #change(tool) { askForTool({ catalog: this.#catalog, tool }, this.deps, () => this.#load()); }
  #remove(tool) { askToRemoveTool(this.#catalog, tool, this.deps, () => this.#load()); }

  async #rollBack(version) {
    try {
      const { text } = await this.deps.api.toolsVersion(version);
      askToRollBack(this.#catalog, version, text, this.deps, () => this.#load());
    } catch (error) {
      if (!this.deps.refused(error)) this.message.replaceChildren(problem('This version could not be read.', error, () => this.#rollBack(version)));
    }
  }

  #teach() {
    if (this.#catalog?.version && this.#closed === '') return empty('This server has no tools', 'Make the first one: New tool.');
    return empty('This server has no tools', 'The file that tools.file of the configuration names lists what a model may call, for instance:', sample(TOOL));
  }
}

/** Why the newest content of the file is not in force. */
function failure({ failure: failed }) {
  if (!failed) return null;
  return h('section.panel.is-problem', { role: 'alert' }, icon('alert'), h('div', null,
    h('p', null, h('strong', null, 'A newer catalog was refused'), ` ${agoWords(failed.at, Date.now())}. The tools below stay in force until the file is right.`),
    h('ul.findings', null, ...(failed.findings ?? []).map((finding) => findingRow(finding, placeOf(finding) || 'the catalog')))));
}

/** The catalogs that were in force, the newest first. */
function versionsOf({ versions = [], version: current }, onchoose) {
  if (versions.length < 2) return null;
  return h('details.bg-more.tl-versions', null, h('summary', null, h('span', null, 'Versions'), icon('chevron')), h('ul.versions', null, ...versions.map((one) => h('li', null,
    h('code', { title: one.version }, shortVersion(one.version)), one.version === current ? stateMark('In force', 'check', 'done')
      : h('button.quiet', { type: 'button', onclick: () => onchoose(one.version) }, icon('rotate'), 'Roll back…'),
    h('time.num.hint', { title: formatInstant(one.loaded_at) }, agoWords(one.loaded_at, Date.now()))))));
}

class ToolRow {
  constructor(tool, deps) {
    this.deps = deps;
    this.name = h('span.tl-name', null, tool.name);
    this.effect = h('span.tag');
    this.state = h('span.tl-state');
    this.description = h('span.tl-description');
    this.body = h('div.tl-body');
    this.calls = h('p.tl-calls.hint', { role: 'status' });
    this.problem = h('p.ap-problem', { role: 'alert' });
    this.reason = h('input.field.ap-reason', { type: 'text', maxLength: 500, autocomplete: 'off', aria: { label: 'Reason' }, onkeydown: (event) => {
      if (event.key === 'Enter' && !event.isComposing) this.#switch();
    } });
    this.button = h('button.button', { type: 'button', onclick: () => this.#switch() });
    this.changes = h('div.tl-changes');
    this.element = h('details.tl', { role: 'listitem', data: { tool: tool.name }, ontoggle: () => this.element.open && this.#count() },
      h('summary', null, this.name, this.effect, this.description, this.state, icon('chevron')),
      h('div.tl-inside', null, this.body, this.calls, h('div.ap-actions', null, this.reason, this.button), this.problem, this.changes));
    this.update(tool);
  }

  update(tool) {
    this.tool = tool;
    const { disabled } = tool;
    this.element.classList.toggle('is-off', Boolean(disabled));
    setText(this.effect, tool.effect === 'write' ? 'changes things' : 'reads');
    setText(this.description, tool.description ?? '');
    this.state.replaceChildren(disabled ? stateMark('Switched off', 'stop', 'cut') : stateMark('On', 'check', 'done'));
    this.reason.placeholder = disabled ? 'Why it may be called again' : 'Why nobody may call it';
    this.button.replaceChildren(icon(disabled ? 'check' : 'stop'), disabled ? 'Switch on' : 'Switch off');
    this.body.replaceChildren(...this.#facts(tool));
    this.#draw();
  }

  /** Changing it and taking it away, where that is this person's. */
  #draw() {
    const { change, remove, closed } = this.deps;
    const locked = toolIsLocked(this.tool);
    this.changes.replaceChildren(...(closed() === '' && this.tool.source ? [
      h('button.button', { type: 'button', disabled: locked !== '', title: locked, onclick: () => change(this.tool) }, icon('edit'), 'Change'),
      h('button.button', { type: 'button', onclick: () => remove(this.tool) }, icon('trash'), 'Take away'), locked && h('span.hint', null, locked),
    ].filter(Boolean) : []));
  }

  #facts(tool) {
    const { disabled } = tool;
    const facts = [
      ['Made', adapterWords(tool)], ['May be called by', tool.roles?.length > 0 ? `roles ${tool.roles.join(', ')}` : 'every key that the policies let'], ['Time', timeoutWords(tool)],
      ['Price', priceWords(tool) || 'free'], ['Names the thing by', tool.correlate],
    ].filter(([, value]) => value);
    const rows = parameterRows(tool.parameters);
    return [
      disabled && h('p.tl-off', null, icon('stop'), h('span', { title: disabled.at ? formatInstant(disabled.at) : '' },
        `Switched off by ${disabled.by ?? 'somebody'}${disabled.at ? ` ${agoWords(disabled.at, Date.now())}` : ''}${disabled.reason ? `: “${disabled.reason}”` : '.'}`)),
      tool.fault && h('p.tl-off', null, icon('alert'), h('span', null, `It cannot be called as it is defined: ${tool.fault}`)),
      h('p.tl-long', null, tool.description),
      h('dl.facts', null, ...facts.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, value)])),
      rows.length > 0 && h('div', null, h('p.label', null, 'Parameters'), h('table.parameters', null, h('tbody', null, ...rows.map((row) => h('tr', null,
        h('th', { scope: 'row' }, h('code', null, row.name), row.isRequired && h('span.hint', null, ' required')), h('td', null, row.type, row.text && h('p.hint', null, row.text))))))),
      h('p.links', null, h('a', { href: this.deps.href('decisions', { tool: tool.name }) }, 'Decisions about it')),
    ].filter(Boolean);
  }

  /** What came of the last calls, asked for when somebody looks. */
  async #count() {
    try {
      const { data = [] } = await this.deps.api.decisions({ tool: this.tool.name, kind: 'call', limit: 100 });
      setText(this.calls, callsWords(data));
    } catch (error) {
      if (!this.deps.refused(error)) setText(this.calls, `Its calls could not be read: ${error.message}`);
    }
  }

  async #switch() {
    const disabled = !this.tool.disabled;
    const reason = this.reason.value.trim();
    if (disabled && reason === '') {
      setText(this.problem, 'Say why: whoever calls it is told.');
      this.reason.focus();
      return;
    }
    this.button.disabled = true;
    setText(this.problem, '');
    try {
      const answer = await this.deps.api.switchTool(this.tool.name, disabled, reason);
      this.reason.value = '';
      this.update({ ...this.tool, disabled: answer?.disabled ?? (disabled ? { by: 'you', reason, at: Date.now() } : undefined) });
      this.deps.say(`${this.tool.name} is switched ${disabled ? 'off' : 'on'}.`);
    } catch (error) {
      if (!this.deps.refused(error)) setText(this.problem, `Not switched: ${error.message}${error.requestId ? ` (request ${error.requestId})` : ''}`);
    } finally {
      this.button.disabled = false;
    }
  }
}

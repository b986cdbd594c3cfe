import { h, icon, setText } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { agoWords } from './approval-view.js';
import { adapterWords, callsWords, parameterRows, priceWords, timeoutWords } from './catalog-words.js';
import { empty, loading, problem, sample, stateMark } from './panels.js';

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

/** The catalog; each tool can be switched off and on again, with a reason that everybody sees. */
export class ToolsPage {
  title = 'Tools';
  isScoped = false;
  #rows = new Map();
  #ticket = 0;

  constructor(deps) {
    this.deps = deps;
    this.message = h('div', null, loading());
    this.search = h('input.filter-field.tl-search', { type: 'search', placeholder: 'Search the tools', aria: { label: 'Search the tools' }, spellcheck: false, oninput: () => this.#filter() });
    this.list = h('div.tl-list', { role: 'list', aria: { label: 'Tools' } });
    this.element = h('div.narrow', null, this.search, this.message, this.list);
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
      const { data = [] } = await this.deps.api.tools();
      if (ticket !== this.#ticket) return;
      this.message.replaceChildren(...(data.length === 0 ? [this.#teach()] : []));
      this.search.hidden = data.length < 8;
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

  #teach() {
    return empty('This server has no tools', 'The file that tools.file of the configuration names lists what a model may call, for instance:', sample(TOOL));
  }
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
    this.element = h('details.tl', { role: 'listitem', data: { tool: tool.name }, ontoggle: () => this.element.open && this.#count() },
      h('summary', null, this.name, this.effect, this.description, this.state, icon('chevron')),
      h('div.tl-inside', null, this.body, this.calls, h('div.ap-actions', null, this.reason, this.button), this.problem));
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

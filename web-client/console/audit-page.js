import { copyButton, h, icon, setText } from '../shared/dom.js';
import { formatCount } from '../shared/money.js';
import { formatClock, formatInstant, parseInstant } from '../shared/time.js';
import { readAddress, withFilters } from './address.js';
import { agoWords } from './approval-view.js';
import { barOf, countsOf, exportName, exportQuery, fingerprint, rangeWords, STATES, verdictOf } from './audit-model.js';
import { OperateApi, saveFile } from './operate-api.js';
import { empty, loading, problem, sample, stateMark } from './panels.js';

const AGAIN_MS = 15_000;

/** The chain of the decision log: how far it is signed and anchored, whether it is whole, and the records as a file. */
export class AuditPage {
  title = 'Audit';
  isScoped = true;
  #address = readAddress('?page=audit');
  #ticket = 0;
  #timer = 0;
  #verifying = 0;

  constructor(deps) {
    this.deps = deps;
    this.api = new OperateApi(deps.api.rest);
    this.chain = h('div', null, loading());
    this.verdict = h('div.au-verdict', { aria: { live: 'polite' } });
    this.verify = h('button.button.primary', { type: 'button', onclick: () => this.#verify() }, 'Verify now');
    const date = (label, name) => h('input.filter-field', { type: 'date', aria: { label }, onchange: (event) => this.deps.go(withFilters(this.#address, { [name]: event.target.value })) });
    [this.from, this.to] = [date('First day', 'from'), date('Last day', 'to')];
    this.save = h('button.button', { type: 'button', onclick: () => this.#export() }, icon('down'), h('span', null, 'Export JSON lines'));
    this.exported = h('div.au-problem');
    this.rest = h('div', { hidden: true },
      h('section.au-part', null, h('h2.section-title', null, 'Is it whole?'), h('p.hint', null, 'Every record is hashed again and compared with the one after it, with the signed checkpoints, and with those outside of the database.'),
        h('div.panel-actions', null, this.verify), this.verdict),
      h('section.au-part', null, h('h2.section-title', null, 'Take it with you'), h('p.hint', null, 'One record a line as canonical JSON with its hash and that of the one before: whoever has the file can check it without this server.'),
        h('div.panel-actions', null, h('span.sp-dates', null, this.from, h('span', { aria: { hidden: 'true' } }, '–'), this.to), this.save), this.exported));
    this.element = h('div.narrow', null, this.chain, this.rest);
  }

  show(address) {
    if (this.#address.filters.org !== address.filters.org) {
      this.#verifying += 1;
      this.verdict.replaceChildren();
    }
    this.#address = address;
    for (const [name, field] of [['from', this.from], ['to', this.to]]) if (document.activeElement !== field) field.value = address.filters[name] ?? '';
    this.#load();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#ticket += 1;
  }

  get #org() { return this.#address.filters.org; }

  async #load() {
    clearTimeout(this.#timer);
    const ticket = ++this.#ticket;
    try {
      const chain = await this.api.audit(this.#org);
      if (ticket !== this.#ticket) return;
      this.#draw(chain);
      this.#timer = setTimeout(() => this.#load(), AGAIN_MS);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.chain.replaceChildren(problem('The chain could not be read.', error, () => this.#load()));
      this.rest.hidden = true;
    }
  }

  #draw(chain) {
    this.rest.hidden = chain.records === 0;
    if (chain.records === 0) {
      this.chain.replaceChildren(empty('Nothing is recorded yet', 'Every decision about a call, an approval, a run or a change is chained here as it is made. Let a model call a tool, or change a budget:',
        sample(`kdcube budget set --scope org:${chain.org ?? 'acme'} --unit usd \\\n  --window day --limit 5`)));
      return;
    }
    const counts = countsOf(chain.ranges);
    const at = parseInstant(chain.last_checkpoint_at);
    this.chain.replaceChildren(
      h('p.sp-total', null, h('strong.num', null, formatCount(chain.records)), h('span', null, ` records of ${chain.org}`)),
      h('p.hint', null, at ? h('span', { title: formatInstant(at) }, `Last checkpoint ${agoWords(at, Date.now())}`) : 'No checkpoint yet', ` · last record ${formatCount(chain.last_seq ?? 0)}`),
      bar(chain.ranges),
      h('ul.au-states', null, ...Object.entries(STATES).map(([state, [word, sign, tone, text]]) => h('li', { data: { state } }, stateMark(word, sign, tone), h('strong.num', null, formatCount(counts[state] ?? 0)), h('p.hint', null, text)))),
      keys(chain.keys));
  }

  async #verify() {
    const ticket = ++this.#verifying;
    this.verify.disabled = true;
    setText(this.verify, 'Verifying…');
    try {
      const result = await this.api.verifyAudit(this.#org);
      if (ticket !== this.#verifying) return;
      const { tone, icon: sign, title, lines } = verdictOf(result);
      this.verdict.replaceChildren(h(`section.panel.au-result`, { data: { tone, ok: String(result.ok === true) } }, icon(sign), h('div', null, h('p', null, h('strong', null, title), h('span.hint', null, ` at ${formatClock(Date.now(), true)}`)),
        ...lines.map((line) => h('p', null, line)))));
    } catch (error) {
      if (ticket !== this.#verifying || this.deps.refused(error)) return;
      this.verdict.replaceChildren(problem('It could not be verified.', error, () => this.#verify()));
    } finally {
      this.verify.disabled = false;
      setText(this.verify, 'Verify now');
    }
  }

  async #export() {
    const { from, to } = this.#address.filters;
    this.save.disabled = true;
    setText(this.save.lastElementChild, 'Exporting…');
    this.exported.replaceChildren();
    try {
      const org = this.#org ?? this.deps.me.org;
      saveFile(await this.api.auditFile({ org: this.#org, ...exportQuery({ from, to }) }), exportName(org, { from, to }, Date.now()));
      this.deps.say('Exported.');
    } catch (error) {
      if (!this.deps.refused(error)) this.exported.replaceChildren(problem('It could not be exported.', error, () => this.#export()));
    } finally {
      this.save.disabled = false;
      setText(this.save.lastElementChild, 'Export JSON lines');
    }
  }
}

function bar(ranges) {
  return h('div.au-bar', { role: 'img', aria: { label: barOf(ranges).map((one) => `${STATES[one.state]?.[0] ?? one.state}: ${rangeWords(one)}`).join('; ') } }, ...barOf(ranges).map((one) => {
    const part = h('i', { data: { state: one.state, tone: STATES[one.state]?.[2] ?? 'muted' }, title: `${STATES[one.state]?.[0] ?? one.state}: ${rangeWords(one)}` });
    part.style.setProperty('--part', String(one.part));
    return part;
  }));
}

function keys(rows = []) {
  if (rows.length === 0) return h('p.hint', null, 'No key has signed yet.');
  return h('section.au-part', null, h('h2.section-title', null, rows.length === 1 ? 'The key that signs' : 'Keys that have signed'), h('ul.au-keys', null, ...rows.map((key) => {
    const since = parseInstant(key.since);
    return h('li', null, icon('key'), h('div', null, h('p.au-key', null, h('code', null, fingerprint(key.id))),
      h('p.hint', null, since && h('span', { title: formatInstant(since) }, `since ${new Date(since).toLocaleDateString(undefined, { dateStyle: 'medium' })} · `), 'public key ', h('code', null, key.public_key))), copyButton('Copy', () => key.public_key));
  })));
}

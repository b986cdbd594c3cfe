import { copyButton, h, icon } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { readAddress, withFilters } from './address.js';
import { agoWords } from './approval-view.js';
import { DryRun } from './dry-run.js';
import { empty, loading, problem, sample, stateMark } from './panels.js';
import { findingRow, policyFile } from './policy-file.js';
import { fileOfRule, looseFindings, placeOf, shortVersion, summaryWords } from './policies-model.js';

const MODES = { enforce: ['Enforced', 'policy', 'done'], shadow: ['Only tried: nothing is denied by them', 'help', 'warning'] };
const RULE = `@id("refund-small")
@limit("sum(args.amount) <= 200.00 per customer per day")
permit (principal, action == Action::"payments.refund", resource)
when { context.args.amount.lessThanOrEqual(decimal("100.00")) };`;

/** The policies in force: files with what was found in them, tests, versions; a copy can be changed and tried. */
export class PoliciesPage {
  title = 'Policies';
  isScoped = false;
  #address = readAddress('?page=policies');
  #set = null;
  #ticket = 0;

  constructor(deps) {
    this.deps = deps;
    this.element = h('div.broad');
    this.dryRun = new DryRun(deps);
  }

  show(address) {
    const isAnother = this.#address.filters.file !== address.filters.file || this.#address.filters.rule !== address.filters.rule;
    this.#address = address;
    if (this.#set && isAnother) this.#draw();
    else if (!this.dryRun.isEditing) this.#load();
  }

  escape() {
    if (!this.dryRun.isEditing || this.dryRun.isChanged) return false; // a change is not thrown away by a key
    this.#edit(false);
    return true;
  }

  async #load() {
    const ticket = ++this.#ticket;
    if (!this.#set) this.element.replaceChildren(loading());
    try {
      const set = await this.deps.api.policies();
      if (ticket !== this.#ticket) return;
      this.#set = set;
      this.#draw();
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.element.replaceChildren(problem('The policies could not be read.', error, () => this.#load()));
    }
  }

  get #file() {
    const { file, rule } = this.#address.filters;
    const files = this.#set.files;
    return files.find((one) => one.name === (file ?? fileOfRule(files, rule))) ?? files[0];
  }

  #draw() {
    const set = this.#set;
    if ((set.files ?? []).length === 0) {
      this.element.replaceChildren(...[failure(set), this.#teach()].filter(Boolean));
      return;
    }
    const file = this.#file;
    const isEditing = this.dryRun.isEditing;
    const edit = h('button.button', { type: 'button', onclick: () => this.#edit(!this.dryRun.isEditing) }, icon(isEditing ? 'close' : 'code'), isEditing ? 'Discard the copy' : 'Change a copy');
    const body = isEditing ? this.dryRun.editor(file) : policyFile(file, set.findings, { chosen: this.#address.filters.rule, href: this.deps.href });
    this.element.replaceChildren(...[
      this.#summary(), failure(set), loose(set),
      h('div.po', null,
        h('section.po-main', null, h('div.po-bar', null, this.#tabs(file), edit), body, isEditing && this.dryRun.element),
        h('aside.po-side', null, tests(set.tests), this.#place(), versions(set.versions, set.version))),
    ].filter(Boolean));
    this.element.querySelector('.is-chosen-rule')?.scrollIntoView({ block: 'center' });
  }

  #edit(isEditing) {
    if (isEditing) this.dryRun.begin(this.#set.files, () => this.#markChanged());
    else this.dryRun.end();
    this.#draw();
    if (isEditing) this.dryRun.focus();
  }

  #summary() {
    const { mode, version, loaded_at: loadedAt, candidate } = this.#set;
    return h('div.po-summary', null, stateMark(...(MODES[mode] ?? [String(mode), 'help', 'muted'])),
      h('span', null, summaryWords(this.#set)),
      version && h('span.hint', { title: version }, 'version ', h('code', null, shortVersion(version))),
      loadedAt && h('span.hint', { title: formatInstant(loadedAt) }, `loaded ${agoWords(loadedAt, Date.now())}`),
      candidate && h('span.tag', { title: candidate }, `candidate ${shortVersion(candidate)} is tried beside them`));
  }

  #tabs(file) {
    this.tabs = this.#set.files.map((one) => {
      const count = (this.#set.findings ?? []).filter((finding) => finding.file === one.name && finding.severity !== 'note').length;
      const link = h('a.po-tab', { href: this.deps.href('policies', { file: one.name }), data: { file: one.name } }, h('span', null, one.name),
        count > 0 && h('span.po-count', { title: `${count} to look at` }, icon('alert'), String(count)), h('span.po-changed', { hidden: true }, 'changed'));
      if (one === file) link.setAttribute('aria-current', 'true');
      return link;
    });
    queueMicrotask(() => this.#markChanged());
    return h('nav.po-tabs', { aria: { label: 'Files' } }, ...this.tabs);
  }

  #markChanged() {
    for (const tab of this.tabs) tab.querySelector('.po-changed').hidden = !this.dryRun.changed.includes(tab.dataset.file);
  }

  #place() {
    const directory = this.#set.directory ?? 'policies';
    return h('section.side-section', null, h('h3', null, 'Where they live'),
      h('p.hint', null, 'The files are the operator’s: in the directory ', h('code', null, directory), ' of the server, kept in version control with their tests. The server checks and loads a change by itself; this page never writes them.'),
      sample(`kdcube policy check \\\n  ${directory}\nkdcube policy test \\\n  ${directory}`));
  }

  #teach() {
    const directory = this.#set.directory ?? 'policies';
    return empty('No policies are loaded', `Without policies only the built-in rules and the roles in the catalog of tools decide. Put a file like this into the directory ${directory}, as refunds.cedar; it is loaded at once.`, sample(RULE, 'Copy the rule'));
  }
}

function failure({ failure: failed }) {
  if (!failed) return null;
  return h('section.panel.is-problem', { role: 'alert' }, icon('alert'), h('div', null,
    h('p', null, h('strong', null, 'A newer set was refused'), ` ${agoWords(failed.at, Date.now())}. The version below stays in force until the files are right.`),
    h('ul.findings', null, ...(failed.findings ?? []).map((finding) => findingRow(finding, placeOf(finding))))));
}

function loose({ files, findings }) {
  const rows = looseFindings(files, findings);
  return rows.length === 0 ? null : h('section.panel', null, icon(rows.every((row) => row.severity === 'note') ? 'help' : 'alert'), h('ul.findings', null, ...rows.map((finding) => findingRow(finding, placeOf(finding)))));
}

export function tests(rows = []) {
  const failed = rows.filter((test) => !test.passed);
  const passed = rows.filter((test) => test.passed);
  const row = (test) => h('li.test', null, stateMark(test.passed ? 'Pass' : 'Fail', test.passed ? 'check' : 'deny', test.passed ? 'done' : 'cut'),
    h('div', null, h('p', null, test.name), h('p.hint', null, test.file), !test.passed && test.message && h('p.test-message', null, test.message)));
  return h('section.side-section', null, h('h3', null, 'Tests'),
    rows.length === 0 ? h('p.hint', null, 'None. A file like refunds.test.yaml beside the policies says what they must decide; a set whose tests fail does not load.')
      : h('ul.tests', null, ...[...failed, ...passed].map(row)));
}

function versions(rows = [], current) {
  const button = (version) => copyButton('Copy', () => version);
  return h('section.side-section', null, h('h3', null, 'Versions'),
    rows.length === 0 ? h('p.hint', null, 'None was loaded.') : h('ul.versions', null, ...rows.map((one) => h('li', null, h('code', { title: one.version }, shortVersion(one.version)),
      one.version === current ? stateMark('In force', 'check', 'done') : h('span'), h('time.num.hint', { title: formatInstant(one.loaded_at) }, agoWords(one.loaded_at, Date.now())), button(one.version)))));
}

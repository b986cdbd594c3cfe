import { h, icon } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { readAddress } from './address.js';
import { agoWords } from './approval-view.js';
import { OperateApi } from './operate-api.js';
import { empty, loading, problem, sample, stateMark } from './panels.js';
import { fileOfRule, looseFindings, placeOf, shortVersion, summaryWords } from './policies-model.js';
import { findingRow, policyFile } from './policy-file.js';
import { versionList, VersionView } from './policy-versions.js';
import { PolicyWorkbench } from './policy-workbench.js';

const MODES = { enforce: ['Enforced', 'policy', 'done'], shadow: ['Only tried: nothing is denied by them', 'help', 'warning'] };
const RULE = `@id("refund-small")
@limit("sum(args.amount) <= 200.00 per customer per day")
permit (principal, action == Action::"payments.refund", resource)
when { context.args.amount.lessThanOrEqual(decimal("100.00")) };`;

/** The policies in force: files with what was found in them, tests, versions. A draft of them can be edited, tried and published. */
export class PoliciesPage {
  title = 'Policies';
  isScoped = false;
  #address = readAddress('?page=policies');
  #set = null;
  #ticket = 0;

  constructor(deps) {
    this.deps = { ...deps, api: new OperateApi(deps.api.rest) };
    this.element = h('div.broad');
    this.bench = new PolicyWorkbench({ ...this.deps, onleave: () => this.#draw(), onreload: () => this.#load(), onpublished: () => this.#load() });
    this.older = new VersionView({ ...this.deps, onrolledback: () => this.deps.go({ page: 'policies', filters: {} }) });
  }

  show(address) {
    const was = this.#address.filters;
    this.#address = address;
    if (this.#set && ['file', 'rule', 'version'].some((name) => was[name] !== address.filters[name])) {
      if (address.filters.file && this.bench.isOpen) this.bench.choose(address.filters.file);
      this.#draw();
      if (was.version && !address.filters.version) this.#load();
    } else this.#load();
  }

  escape() {
    if (this.#address.filters.version) return this.deps.go({ page: 'policies', filters: {} }), true;
    if (!this.bench.isOpen || this.bench.changes.length > 0) return false; // a change is not thrown away by a key
    this.bench.end();
    this.#draw();
    return true;
  }

  async #load() {
    const ticket = ++this.#ticket;
    if (!this.#set) this.element.replaceChildren(loading());
    try {
      const set = await this.deps.api.policies();
      if (ticket !== this.#ticket) return;
      this.#set = { ...set, files: set.files ?? [] };
      this.bench.resume(this.#whole(), this.#file?.name ?? '');
      this.#draw();
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.element.replaceChildren(problem('The policies could not be read.', error, () => this.#load()));
    }
  }

  /** The set with the texts of its tests, where the server tells them: these are edited as well. */
  #whole() { return { ...this.#set, files: [...this.#set.files, ...(this.#set.test_files ?? [])] }; }

  get #file() {
    const { file, rule } = this.#address.filters;
    const files = this.#whole().files;
    return files.find((one) => one.name === (file ?? fileOfRule(files, rule))) ?? files[0];
  }

  #draw() {
    const set = this.#set;
    const { version } = this.#address.filters;
    if (version) {
      this.older.show(version, set);
      this.element.replaceChildren(this.older.element);
      return;
    }
    const isEmpty = set.files.length === 0;
    if (isEmpty && !this.bench.isOpen) {
      this.element.replaceChildren(...[failure(set), this.#teach(), set.mode !== 'none' && h('p.panel-actions', null, this.#edit())].filter(Boolean));
      return;
    }
    this.element.replaceChildren(...[
      this.#summary(), failure(set), loose(set),
      h('div.po', null, h('section.po-main', null, ...(this.bench.isOpen ? [this.bench.element] : this.#shown())),
        h('aside.po-side', null, tests(set.tests), versionList(set.versions, set.version, this.deps), this.#place())),
    ].filter(Boolean));
    this.element.querySelector('.is-chosen-rule')?.scrollIntoView({ block: 'center' });
  }

  #shown() {
    const file = this.#file;
    return [h('div.po-bar', null, this.#tabs(file), this.#edit()), policyFile(file, this.#set.findings, { chosen: this.#address.filters.rule, href: this.deps.href })];
  }

  #edit() {
    return h('button.button', { type: 'button', onclick: () => {
      this.bench.begin(this.#whole(), this.#file?.name ?? '');
      this.#draw();
      this.bench.focus();
    } }, icon('edit'), 'Edit');
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
    return h('nav.po-tabs', { aria: { label: 'Files' } }, ...this.#whole().files.map((one) => {
      const count = (this.#set.findings ?? []).filter((finding) => finding.file === one.name && finding.severity !== 'note').length;
      const link = h('a.po-tab', { href: this.deps.href('policies', { file: one.name }), data: { file: one.name } }, h('span', null, one.name),
        count > 0 && h('span.po-count', { title: `${count} to look at` }, icon('alert'), String(count)));
      if (one === file) link.setAttribute('aria-current', 'true');
      return link;
    }));
  }

  #place() {
    const directory = this.#set.directory ?? 'policies';
    return h('section.side-section', null, h('h3', null, 'Where they live'),
      h('p.hint', null, 'In the directory ', h('code', null, directory), ' of the server, best kept in version control with their tests. The server checks and loads a change by itself, and Publish writes the same files.'),
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

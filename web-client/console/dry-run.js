import { h, icon, setText } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { agoWords } from './approval-view.js';
import { RANGES } from './decision-words.js';
import { problem, stateMark } from './panels.js';
import { changedNames, edited, groupDiffers, lineRange, placeOf, plural, rulingWords } from './policies-model.js';
import { findingRow } from './policy-file.js';

const DIFFERS_SHOWN = 50;

/** A copy of the policies that can be changed, checked and tried on what was decided. Nothing of it is ever in force. */
export class DryRun {
  #files = null;
  #edits = new Map();
  #texts = new Map(); // name → textarea
  #ticket = 0;

  constructor(deps) {
    this.deps = deps;
    this.since = h('select.filter-select', { aria: { label: 'Decisions of' } }, ...Object.entries(RANGES).map(([value, [word]]) => h('option', { value }, word.toLowerCase())));
    this.since.value = 'day';
    this.button = h('button.button.primary', { type: 'button', onclick: () => this.#run() }, 'Check and try');
    this.results = h('div.dry-results', { aria: { live: 'polite' } });
    this.element = h('section.dry', null,
      h('div.dry-bar', null, this.button, h('span', null, 'on the decisions of the'), this.since),
      h('p.hint', null, 'This copy is yours alone: nothing is published, and it is gone with this tab. What proves itself goes into the files.'), this.results);
  }

  get isEditing() { return this.#files !== null; }
  get changed() { return this.#files ? changedNames(this.#files, this.#edits) : []; }
  get isChanged() { return this.changed.length > 0; }

  begin(files, onchange) {
    this.#files = files;
    this.onchange = onchange;
    this.#edits.clear();
    this.#texts.clear();
    this.results.replaceChildren();
  }

  end() {
    this.#ticket += 1;
    this.#files = null;
    this.#edits.clear();
  }

  /** @returns {Element} the text of this file, with what was changed in it. */
  editor(file) {
    let area = this.#texts.get(file.name);
    if (!area) {
      area = h('textarea.editor', { value: this.#edits.get(file.name) ?? file.text, spellcheck: false, rows: Math.max(14, file.text.split('\n').length + 2), aria: { label: `Copy of ${file.name}` }, oninput: () => this.#typed(file.name, area.value) });
      area.setAttribute('autocapitalize', 'off');
      area.setAttribute('wrap', 'off');
      this.#texts.set(file.name, area);
    }
    this.shown = area;
    return area;
  }

  focus() { this.shown?.focus(); }

  #typed(name, text) {
    this.#edits.set(name, text);
    this.onchange();
  }

  async #run() {
    const ticket = ++this.#ticket;
    this.button.disabled = true;
    setText(this.button, 'Trying…');
    try {
      const range = RANGES[this.since.value][1];
      const result = await this.deps.api.dryRun(edited(this.#files, this.#edits), Date.now() - range);
      if (ticket === this.#ticket) this.#draw(result);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.results.replaceChildren(problem('It could not be tried.', error, () => this.#run()));
    } finally {
      this.button.disabled = false;
      setText(this.button, 'Check and try');
    }
  }

  #draw({ findings = [], tests = [], compared = 0, differs = [], different = differs.length, unanswerable = 0 }) {
    const errors = findings.filter((finding) => finding.severity === 'error');
    const failed = tests.filter((test) => !test.passed);
    const verdict = errors.length > 0 ? ['It does not load', 'deny', 'cut', `${plural(errors.length, 'error')}.`]
      : failed.length > 0 ? ['It would be refused', 'deny', 'cut', `${plural(failed.length, 'test')} of ${tests.length} ${failed.length === 1 ? 'fails' : 'fail'}.`]
        : ['It would load', 'check', 'done', tests.length > 0 ? `All ${plural(tests.length, 'test')} pass.` : 'There are no tests.'];
    this.results.replaceChildren(...[
      h('p.dry-verdict', null, stateMark(...verdict.slice(0, 3)), h('span', null, verdict[3])),
      findings.length > 0 && h('ul.findings', null, ...findings.map((finding) => this.#finding(finding))),
      failed.length > 0 && h('ul.tests', null, ...failed.map((test) => h('li.test', null, stateMark('Fail', 'deny', 'cut'),
        h('div', null, h('p', null, test.name), h('p.hint', null, test.file), h('p.test-message', null, test.message))))),
      errors.length === 0 && this.#differs(differs, { compared, different, unanswerable }),
    ].filter(Boolean));
  }

  #finding(finding) {
    const row = findingRow(finding, placeOf(finding));
    const area = this.#texts.get(finding.file);
    if (area && finding.line) {
      row.append(h('button.quiet', { type: 'button', onclick: () => {
        if (!area.isConnected) this.deps.go({ page: 'policies', filters: { file: finding.file } });
        area.focus();
        area.setSelectionRange(...lineRange(area.value, finding.line));
      } }, 'Show'));
    }
    return row;
  }

  #differs(differs, { compared, different, unanswerable }) {
    if (compared === 0) return h('p', null, 'There were no decisions of that time to try it on.');
    if (differs.length === 0) return h('p.dry-verdict', null, stateMark('No difference', 'check', 'done'), h('span', null, `All ${plural(compared, 'decision')} would have been the same.`));
    return h('div', null, h('p.dry-verdict', null, stateMark(`${plural(different, 'decision')} would differ`, 'alert', 'warning'), h('span', null, `of ${compared}.${different > differs.length ? ` The first ${differs.length} are listed.` : ''}${unanswerable > 0 ? ` ${unanswerable} more could not be asked again.` : ''}`)),
      ...groupDiffers(differs).map(({ was, now, rows }, index) => h('details.differs', { open: index === 0 },
        h('summary', null, h('strong.num', null, String(rows.length)), h('span', null, `${was} → ${now}`), icon('chevron')),
        h('ul', null, ...rows.slice(0, DIFFERS_SHOWN).map((row) => h('li', null, h('a.differ', { href: this.deps.href('decisions', { id: row.decision_id }) },
          h('code', null, row.tool), h('span', null, row.user ?? '–'), h('time.num.hint', { title: formatInstant(row.at) }, agoWords(row.at, Date.now())),
          h('span.differ-was', null, `was ${rulingWords(row.was)}`), h('span.differ-now', null, `now ${rulingWords(row.now)}`))))),
        rows.length > DIFFERS_SHOWN && h('p.hint', null, `and ${rows.length - DIFFERS_SHOWN} more`))));
  }
}

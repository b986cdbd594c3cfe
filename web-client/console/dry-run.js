import { h, icon, setText } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { agoWords } from './approval-view.js';
import { RANGES } from './decision-words.js';
import { problem, stateMark } from './panels.js';
import { groupDiffers, plural, rulingWords } from './policies-model.js';

const DIFFERS_SHOWN = 50;

/** Tries a draft on what was decided, and lists what would have been decided otherwise. */
export class DryRun {
  #ticket = 0;

  /** @param {{api: object, files: () => object[], refused: Function, href: Function}} deps `files` are policies alone: tests decide nothing. */
  constructor(deps) {
    this.deps = deps;
    this.since = h('select.filter-select', { aria: { label: 'Decisions of' } }, ...Object.entries(RANGES).map(([value, [word]]) => h('option', { value }, word.toLowerCase())));
    this.since.value = 'day';
    this.button = h('button.button', { type: 'button', onclick: () => this.#run() }, 'Dry run');
    this.results = h('div.dry-results', { aria: { live: 'polite' } });
    this.element = h('section.wb-part', null, h('h3', null, 'What would it have decided?'),
      h('div.dry-bar', null, this.button, h('span', null, 'on the decisions of the'), this.since), this.results);
  }

  /** What was found is about another text now. */
  clear() {
    this.#ticket += 1;
    this.results.replaceChildren();
    this.#ready();
  }

  /** It was changed since: the differences stay to be read, and say that they are old. */
  age() {
    if (this.results.childElementCount > 0) this.results.classList.add('is-old');
  }

  #ready() {
    this.button.disabled = false;
    setText(this.button, 'Dry run');
  }

  async #run() {
    const ticket = ++this.#ticket;
    this.button.disabled = true;
    setText(this.button, 'Trying…');
    try {
      const result = await this.deps.api.tryPolicies(this.deps.files(), Date.now() - RANGES[this.since.value][1]);
      if (ticket !== this.#ticket) return;
      this.results.classList.remove('is-old');
      const errors = (result.findings ?? []).filter((finding) => finding.severity === 'error');
      this.results.replaceChildren(...(errors.length > 0 ? [h('p.hint', null, 'A set that does not load decides nothing.')] : this.#differs(result)));
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.results.replaceChildren(problem('It could not be tried.', error, () => this.#run()));
    } finally {
      if (ticket === this.#ticket) this.#ready();
    }
  }

  #differs({ differs = [], compared = 0, different = differs.length, unanswerable = 0 }) {
    if (compared === 0) return [h('p', null, 'There were no decisions of that time to try it on.')];
    if (differs.length === 0) return [h('p.dry-verdict', null, stateMark('No difference', 'check', 'done'), h('span', null, `All ${plural(compared, 'decision')} would have been the same.`))];
    return [
      h('p.dry-verdict', null, stateMark(`${plural(different, 'decision')} would differ`, 'alert', 'warning'), h('span', null, `of ${compared}.${different > differs.length ? ` The first ${differs.length} are listed.` : ''}${unanswerable > 0 ? ` ${unanswerable} more could not be asked again.` : ''}`)),
      ...groupDiffers(differs).map(({ was, now, rows }, index) => h('details.differs', { open: index === 0 },
        h('summary', null, h('strong.num', null, String(rows.length)), h('span', null, `${was} → ${now}`), icon('chevron')),
        h('ul', null, ...rows.slice(0, DIFFERS_SHOWN).map((row) => h('li', null, h('a.differ', { href: this.deps.href('decisions', { id: row.decision_id }) },
          h('code', null, row.tool), h('span', null, row.user ?? '–'), h('time.num.hint', { title: formatInstant(row.at) }, agoWords(row.at, Date.now())),
          h('span.differ-was', null, `was ${rulingWords(row.was)}`), h('span.differ-now', null, `now ${rulingWords(row.now)}`))))),
        rows.length > DIFFERS_SHOWN && h('p.hint', null, `and ${rows.length - DIFFERS_SHOWN} more`))),
    ];
  }
}

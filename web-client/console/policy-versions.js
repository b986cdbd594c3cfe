import { copyButton, h, icon } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { agoWords } from './approval-view.js';
import { diffView } from './diff-view.js';
import { loading, problem, stateMark } from './panels.js';
import { filesOfVersion, shortVersion } from './policies-model.js';
import { beginDraft, changesOf } from './policy-draft.js';
import { policyFile } from './policy-file.js';
import { PublishPanel } from './publish-panel.js';

/** The versions that were in force, the newest first; each can be looked at beside the one that is. */
export function versionList(rows = [], current, { href, me }) {
  return h('section.side-section', null, h('h3', null, 'Versions'),
    rows.length === 0 ? h('p.hint', null, 'None was loaded.') : h('ul.versions', null, ...rows.map((one) => h('li', null,
      one.version === current ? h('code', { title: one.version }, shortVersion(one.version))
        : h('a', { href: href('policies', { version: one.version }), title: 'What is different, and the way back' }, h('code', null, shortVersion(one.version))),
      one.version === current ? stateMark('In force', 'check', 'done') : h('span'),
      h('time.num.hint', { title: formatInstant(one.loaded_at) }, agoWords(one.loaded_at, Date.now())), copyButton('Copy', () => one.version)))),
    // Changes of the server itself are in no tenant's log.
    me.isOperator && rows.length > 0 && h('p.links', null, h('a', { href: href('decisions', { org: '-', kind: 'change' }) }, 'Who changed them, and why')));
}

/** One version from before: what a roll back to it would change, its files, and the roll back itself. */
export class VersionView {
  #ticket = 0;
  #part = 'changes';

  /** @param {{api: object, me: object, refused: Function, href: Function, say: Function, onrolledback: () => void}} deps */
  constructor(deps) {
    this.deps = deps;
    this.element = h('section.wb', null, loading());
  }

  async show(version, set) {
    const ticket = ++this.#ticket;
    this.element.replaceChildren(this.#head(version, set), loading());
    try {
      const { files, test_files: tests } = await this.deps.api.policyVersion(version);
      if (ticket === this.#ticket) this.#draw(version, set, filesOfVersion(files), filesOfVersion(tests));
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.element.replaceChildren(this.#head(version, set), problem('This version could not be read.', error, () => this.show(version, set)));
    }
  }

  #head(version, set) {
    const row = (set.versions ?? []).find((one) => one.version === version);
    return h('div.wb-head', null, h('p.wb-state', null, h('strong', null, 'Version ', h('code', { title: version }, shortVersion(version))),
      version === set.version ? stateMark('In force', 'check', 'done') : row && h('span.hint', { title: formatInstant(row.loaded_at) }, `loaded ${agoWords(row.loaded_at, Date.now())}`)),
    h('a.button', { href: this.deps.href('policies') }, icon('close'), 'Back to the policies'));
  }

  #draw(version, set, policies, tests) {
    // Where a version was kept without its tests, those in force stay.
    const now = beginDraft({ version: set.version, files: [...set.files, ...(tests.length > 0 ? set.test_files ?? [] : [])] });
    const files = [...policies, ...tests];
    const changes = changesOf({ ...now, files: files.map((file) => ({ ...file, from: now.before.some((one) => one.name === file.name) ? file.name : null })) });
    const panel = new PublishPanel({ word: 'Roll back', busy: 'Rolling back…', placeholder: 'Why it goes back', act: async (reason) => {
      await this.deps.api.rollBackPolicies(version, set.version, reason);
      this.deps.say('Rolled back.');
      this.deps.onrolledback();
    }, failed: (error) => this.deps.refused(error) });
    panel.forbid(this.deps.me.isOperator ? '' : 'Rolling back is the operator’s.');
    const body = h('div.wb-body');
    const parts = [['changes', 'What a roll back changes'], ['files', 'Its files']].map(([part, word]) => h('button', { type: 'button', data: { part }, onclick: () => show(part) }, word));
    const show = (part) => {
      this.#part = part;
      for (const button of parts) button.setAttribute('aria-pressed', String(button.dataset.part === part));
      body.replaceChildren(part === 'changes' ? (changes.length === 0 ? h('p.wb-nothing', null, 'Its files are those in force.') : diffView(changes))
        : h('div.df-files', null, ...files.map((file) => h('section.df', null, h('header.df-head', null, h('h3.df-name', null, file.name)), policyFile(file, [], { href: this.deps.href })))));
    };
    show(this.#part);
    this.element.replaceChildren(...[this.#head(version, set), h('div.wb-parts', null, h('div.choice', { role: 'group', aria: { label: 'Shown' } }, ...parts)), body,
      version !== set.version && h('section.wb-part', null, h('h3', null, 'Roll back'), h('p.hint', null, `These files become the ones in force, as a change that the log keeps. ${tests.length > 0 ? 'Its tests come back with them.' : 'The tests stay as they are; a set whose tests fail is refused.'}`), panel.element)].filter(Boolean));
  }
}

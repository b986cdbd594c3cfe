import { h, icon } from '../shared/dom.js';
import { changesOf, isTest, nameProblem, namesOf } from './policy-draft.js';

const STATES = { changed: 'changed', new: 'new', renamed: 'renamed', removed: 'removed' };

/** The files of a draft, and what can be done with each: make, rename, take away, put back. */
export class FileTabs {
  #draft = null;
  #name = '';
  #tabs = new Map();

  /** @param {{onchoose: Function, onadd: Function, onrename: Function, onremove: Function, onrevert: Function}} deps */
  constructor(deps) {
    this.deps = deps;
    this.list = h('div.po-tabs', { role: 'group', aria: { label: 'Files' } });
    this.asked = h('div.wb-asked');
    this.element = h('div.wb-files', null, this.list, this.asked);
    this.rename = h('button.quiet', { type: 'button', onclick: () => this.#ask(this.#name) }, icon('edit'), 'Rename');
    this.remove = h('button.quiet', { type: 'button', onclick: () => this.deps.onremove(this.#name) }, icon('trash'), 'Remove');
    this.revert = h('button.quiet', { type: 'button', onclick: () => this.deps.onrevert(this.#name) }, icon('retry'), h('span', null, 'Undo changes'));
    this.actions = h('div.wb-actions', null, this.revert, this.rename, this.remove);
  }

  /** @param {object[]} findings of the whole set. */
  draw(draft, name, findings) {
    // A name that is being typed stays when a check comes in.
    if (name !== this.#name) this.asked.replaceChildren();
    this.#draft = draft;
    this.#name = name;
    const removed = changesOf(draft).filter((change) => change.kind === 'removed').map((change) => change.name);
    const own = [...namesOf(draft), ...removed];
    this.#tabs = new Map(own.map((file) => {
      const count = findings.filter((finding) => finding.file === file && finding.severity !== 'note').length;
      return [file, h('button.po-tab', { type: 'button', data: { file }, aria: { pressed: String(file === name) }, onclick: () => this.deps.onchoose(file) },
        h('span', null, file), count > 0 && h('span.po-count', { title: `${count} to look at` }, icon('alert'), String(count)), h('span.po-changed'))];
    }));
    this.list.replaceChildren(...this.#tabs.values(), h('button.po-tab.is-add', { type: 'button', onclick: () => this.#ask('') }, icon('plus'), h('span', null, 'New file')));
    const isHere = namesOf(draft).includes(name);
    // The server keeps tests that it is not sent: one that it has can be emptied, not taken away.
    const isKept = isTest(name) && draft.before.some((file) => file.name === name);
    this.rename.hidden = !isHere || isKept;
    this.remove.hidden = !isHere || isKept;
    this.mark(draft);
  }

  /** Only which of them are different. */
  mark(draft) {
    const changes = changesOf(draft);
    for (const [file, tab] of this.#tabs) {
      const kind = changes.find((change) => change.name === file)?.kind;
      tab.lastElementChild.textContent = STATES[kind] ?? '';
      tab.classList.toggle('is-removed', kind === 'removed');
    }
    const own = changes.find((change) => change.name === this.#name)?.kind;
    this.revert.hidden = !own || own === 'new';
    this.revert.lastElementChild.textContent = own === 'removed' ? 'Put it back' : 'Undo changes';
  }

  /** Asks for a name: of a new file ('') or for a known one. */
  #ask(name) {
    const field = h('input.field', { type: 'text', value: name, placeholder: 'refunds.cedar', spellcheck: false, maxLength: 255, autocomplete: 'off', aria: { label: name ? `New name of ${name}` : 'Name of the new file' } });
    const said = h('p.ap-problem', { role: 'alert' });
    const done = () => this.asked.replaceChildren();
    const form = h('form.wb-name', { onsubmit: (event) => {
      event.preventDefault();
      const wanted = field.value.trim();
      said.textContent = nameProblem(this.#draft, wanted, name);
      if (said.textContent) return field.focus();
      done();
      if (!name) this.deps.onadd(wanted);
      else if (wanted !== name) this.deps.onrename(name, wanted);
      return undefined;
    }, onkeydown: (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      done();
    } }, field, h('button.button', { type: 'submit' }, name ? 'Rename' : 'Add'), h('button.quiet', { type: 'button', onclick: done }, 'Cancel'), said);
    this.asked.replaceChildren(form);
    field.focus();
    field.setSelectionRange(0, name.indexOf('.') > 0 ? name.indexOf('.') : name.length);
  }
}

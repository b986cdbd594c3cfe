import { h, icon, setText } from '../shared/dom.js';
import { session } from '../shared/storage.js';
import { CheckLoop } from './check-loop.js';
import { checkView } from './check-view.js';
import { CodeEditor } from './code-editor.js';
import { diffView } from './diff-view.js';
import { DryRun } from './dry-run.js';
import { FileTabs } from './file-tabs.js';
import { meanwhilePanel } from './meanwhile.js';
import { problem, stateMark } from './panels.js';
import { plural, refusedFindings } from './policies-model.js';
import { addFile, beginDraft, changedMeanwhile, changesOf, editFile, fileOf, filesOf, namesOf, policiesOf, readDraft, rebaseDraft, removeFile, renameFile, revertFile, storeDraft } from './policy-draft.js';
import { PublishPanel } from './publish-panel.js';

const STORED = 'kdcube.policies.draft';
const KEEP_MS = 300;
const NEW_FILE = (name) => (name.endsWith('.cedar') ? '// What this file is about.\n' : 'tests: []\n');

/** A draft of the policies: edited, checked as one types, tried on the past, compared, and published. It is kept in the tab. */
export class PolicyWorkbench {
  #draft = null;
  #set = null;
  #name = '';
  #editor = null;
  #findings = [];
  #part = 'text';
  #storing = 0;

  /** @param {{api: object, me: object, refused: Function, href: Function, say: Function, go: Function, onleave: () => void, onpublished: (version: string) => void, onreload: () => Promise<void>}} deps */
  constructor(deps) {
    this.deps = deps;
    this.state = h('span.wb-state', { role: 'status' });
    this.discard = h('button.quiet', { type: 'button', onclick: () => this.#discard() }, icon('trash'), h('span', null, 'Discard'));
    this.notice = h('div.wb-notice');
    this.tabs = new FileTabs({ onchoose: (name) => this.choose(name), onadd: (name) => this.#change(addFile(this.#draft, name, NEW_FILE(name)), name),
      onrename: (name, to) => this.#change(renameFile(this.#draft, name, to), to), onremove: (name) => this.#change(removeFile(this.#draft, name), name), onrevert: (name) => this.#revert(name) });
    this.parts = ['text', 'changes'].map((part) => h('button', { type: 'button', data: { part }, onclick: () => this.#show(part) }));
    this.body = h('div.wb-body');
    this.checked = h('div.dry-results', { aria: { live: 'polite' } });
    this.checking = h('span.hint', { role: 'status' });
    this.check = h('button.button', { type: 'button', onclick: () => this.#loop.now() }, 'Check');
    this.#loop = new CheckLoop({ check: () => this.deps.api.checkPolicies(filesOf(this.#draft)), onresult: (result) => this.#took(result), onstate: (text) => setText(this.checking, text),
      onerror: (error) => this.deps.refused(error) || this.checked.replaceChildren(problem('It could not be checked.', error, () => this.#loop.now())) });
    this.dry = new DryRun({ ...deps, files: () => policiesOf(this.#draft) });
    this.publish = new PublishPanel({ word: 'Publish', busy: 'Publishing…', placeholder: 'Why it changes', act: (reason) => this.#publish(reason), failed: (error) => this.#failed(error) });
    addEventListener('pagehide', () => this.#keep());
    this.element = h('section.wb', { aria: { label: 'Draft' } },
      h('div.wb-head', null, this.state, this.discard), this.notice, this.tabs.element,
      h('div.wb-parts', null, h('div.choice', { role: 'group', aria: { label: 'Shown' } }, ...this.parts), this.tabs.actions), this.body,
      h('div.wb-check', null, this.check, this.checking), this.checked, this.dry.element,
      h('section.wb-part', null, h('h3', null, 'Publish'), h('p.hint', null, 'All files are written together and are in force at once. The log keeps who did it and why; what was before can be put back.'), this.publish.element));
  }

  #loop;

  get isOpen() { return this.#draft !== null; }
  get name() { return this.#name; }
  get changes() { return this.#draft ? changesOf(this.#draft) : []; }

  /** Goes on with what the tab has kept, if it has anything. @param {string} name of the file that is looked at. */
  resume(set, name) {
    if (this.#draft) return this.#take(set);
    const kept = readDraft(session.get(STORED));
    return kept ? this.#open(kept, set, name) : undefined;
  }

  begin(set, name) {
    this.#open(beginDraft(set), set, name);
    this.#store();
  }

  end() {
    this.#draft = null;
    this.#editor = null;
    clearTimeout(this.#storing);
    this.#loop.stop();
    this.dry.clear();
    session.remove(STORED);
  }

  /** @param {string} name of a file; of one that is not there the first is meant. */
  choose(name) {
    const names = namesOf(this.#draft);
    const removed = changesOf(this.#draft).some((change) => change.kind === 'removed' && change.name === name);
    this.#name = names.includes(name) || removed ? name : names[0] ?? '';
    this.#editor = null;
    this.#draw();
  }

  focus() { this.#editor?.focus(); }

  #open(draft, set, name) {
    this.#draft = draft;
    this.#findings = [];
    this.#part = 'text';
    this.checked.replaceChildren();
    this.dry.clear();
    this.publish.clear();
    this.choose(name);
    this.#take(set);
    this.#loop.soon();
  }

  /** The set in force: that of the draft, or one that was published meanwhile. */
  #take(set) {
    this.#set = set;
    const isOld = this.#draft.base !== (set.version ?? null);
    const meanwhile = isOld ? changedMeanwhile(this.#draft, set) : [];
    this.notice.replaceChildren(...(isOld ? [meanwhilePanel(this.#draft, set, meanwhile, () => this.#rebase())] : []));
    const why = !this.deps.me.isOperator ? 'The files are the operator’s: publishing needs a key with the role operator. Copy the text, or send them the changes.'
      : set.publish === 'off' ? 'This server does not take policies from here (policies.publish is off).' : '';
    this.publish.forbid(why);
  }

  #rebase() {
    const { draft, conflicts } = rebaseDraft(this.#draft, this.#set);
    this.#change(draft, this.#name);
    this.#take(this.#set);
    if (conflicts.length > 0) {
      this.notice.replaceChildren(h('section.panel.is-warning', { role: 'alert' }, icon('alert'), h('p', null, h('strong', null, `Changed on both sides: ${conflicts.join(', ')}.`), ' Your text was kept; what differs from the version in force is under Changes.')));
      this.#show('changes');
    }
  }

  #change(draft, name) {
    this.#draft = draft;
    this.#store();
    this.choose(name);
    this.#loop.soon();
    this.dry.age();
  }

  #revert(name) {
    const file = fileOf(this.#draft, name);
    this.#change(revertFile(this.#draft, name), file?.from ?? name);
  }

  #typed(text) {
    this.#draft = editFile(this.#draft, this.#name, text);
    this.#store();
    this.#said();
    this.#loop.soon();
    this.dry.age();
  }

  /** Soon: a large set is not written with each key, and at once when the page goes. */
  #store() {
    clearTimeout(this.#storing);
    this.#storing = setTimeout(() => this.#keep(), KEEP_MS);
  }

  #keep() {
    clearTimeout(this.#storing);
    if (this.#draft) session.set(STORED, storeDraft(this.#draft));
  }

  #show(part) {
    this.#part = part;
    this.#draw();
  }

  #draw() {
    this.#said();
    const file = fileOf(this.#draft, this.#name);
    this.tabs.draw(this.#draft, this.#name, this.#findings);
    if (this.#part === 'changes') {
      const changes = this.changes;
      this.body.replaceChildren(changes.length === 0 ? h('p.wb-nothing', null, 'Nothing is different from the version in force.')
        : diffView(changes, { action: ({ name, kind }) => h('button.quiet', { type: 'button', onclick: () => { this.#revert(name); this.#show('changes'); } }, icon('retry'), kind === 'new' ? 'Remove' : 'Undo') }));
      return;
    }
    if (!file) {
      this.body.replaceChildren(h('p.wb-nothing', null, this.#name === '' ? 'The set is empty: nothing is allowed by it. Add a file.' : `${this.#name} is taken away when this is published.`));
      return;
    }
    this.#editor ??= new CodeEditor({ label: `Text of ${file.name}`, text: file.text, oninput: (text) => this.#typed(text) });
    this.#editor.setFindings(this.#findings.filter((finding) => finding.file === file.name));
    this.body.replaceChildren(this.#editor.element);
  }

  /** What is unsaved, in words and in the tabs; not the text, whose cursor would jump. */
  #said() {
    const { length } = this.changes;
    this.state.replaceChildren(length === 0 ? stateMark('Nothing changed yet', 'edit', 'muted') : stateMark(`${plural(length, 'file')} changed, not published`, 'edit', 'warning'),
      h('span.hint', null, length === 0 ? '' : 'Kept in this tab until it is published or discarded.'));
    this.#calm();
    for (const button of this.parts) {
      button.setAttribute('aria-pressed', String(button.dataset.part === this.#part));
      setText(button, button.dataset.part === 'text' ? 'Text' : `Changes (${length})`);
    }
    this.tabs.mark(this.#draft);
    this.publish.block(length === 0 ? 'Nothing is different from the version in force.' : '');
  }

  #took(result) {
    this.#findings = result.findings ?? [];
    this.checked.replaceChildren(...checkView(result, (finding) => this.#goTo(finding)));
    this.tabs.draw(this.#draft, this.#name, this.#findings);
    this.#editor?.setFindings(this.#findings.filter((finding) => finding.file === this.#name));
  }

  #goTo({ file, line }) {
    this.#part = 'text';
    this.choose(file);
    this.#editor?.goTo(line);
  }

  async #publish(reason) {
    const answer = await this.deps.api.publishPolicies(filesOf(this.#draft), this.#draft.base, reason);
    this.end();
    this.deps.say('Published.');
    this.deps.onpublished(answer?.version);
  }

  #failed(error) {
    if (this.deps.refused(error)) return true;
    if (error.status === 422) {
      const refused = refusedFindings(error);
      if (refused.findings.length + refused.tests.length === 0) return false;
      this.#took(refused);
      this.publish.said.textContent = `The server refused it: ${error.message}`;
      return true;
    }
    if (error.code !== 'version_conflict') return false;
    this.deps.onreload().then(() => {
      const isOther = this.notice.childElementCount > 0;
      setText(this.publish.said, isOther ? 'Somebody published meanwhile. What changed is told above.' : error.message);
      if (isOther) this.notice.scrollIntoView({ block: 'center' });
    });
    return true;
  }

  /** Throws a changed draft away only when asked twice. */
  #discard() {
    if (this.changes.length > 0 && !this.discard.dataset.armed) {
      this.discard.dataset.armed = 'yes';
      setText(this.discard.lastElementChild, `Discard ${plural(this.changes.length, 'change')}? Press again`);
      return;
    }
    this.#calm();
    this.end();
    this.deps.onleave();
  }

  #calm() {
    delete this.discard.dataset.armed;
    setText(this.discard.lastElementChild, 'Discard');
  }
}

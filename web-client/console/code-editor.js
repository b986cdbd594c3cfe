import { h } from '../shared/dom.js';
import { lineRange, severityMark, sortFindings } from './policies-model.js';
import { pieces } from './policy-file.js';

/** Lines of a long text. */
const LONG = 1500;

/**
 * A text that can be edited, with its lines numbered, its words told apart, and what was found behind the line it is about.
 *
 * The text stands twice, letter upon letter: painted, and as a text area whose own letters are transparent. So typing, selecting, undoing and
 * reading aloud are the browser's own.
 */
export class CodeEditor {
  #lines = []; // {text, findings, element}
  #findings = [];

  /** @param {{label: string, text: string, oninput: (text: string) => void}} options */
  constructor({ label, text, oninput }) {
    this.paint = h('div.ce-paint', { aria: { hidden: 'true' } });
    this.area = h('textarea.ce-area', { value: text, spellcheck: false, aria: { label }, autocapitalize: 'off', oninput: () => {
      this.#draw();
      oninput(this.area.value);
    } });
    this.area.setAttribute('wrap', 'off');
    this.area.setAttribute('autocorrect', 'off');
    this.element = h('div.ce', null, h('div.ce-inside', null, this.paint, this.area));
    this.#draw();
  }

  get text() { return this.area.value; }

  /** Takes another text, when it is one. */
  setText(text) {
    if (this.area.value === text) return;
    this.area.value = text;
    this.#draw();
  }

  /** @param {{line?: number, severity: string, message: string}[]} findings of this file. */
  setFindings(findings) {
    this.#findings = findings;
    this.#draw();
  }

  focus() { this.area.focus(); }

  /** Selects a line and brings it into sight. */
  goTo(line) {
    this.area.focus({ preventScroll: true });
    this.area.setSelectionRange(...lineRange(this.area.value, line));
    this.#lines[Math.max(0, Math.min(this.#lines.length - 1, (line ?? 1) - 1))]?.element.scrollIntoView({ block: 'center', inline: 'nearest' });
  }

  /** Only lines that are different are painted anew: those between what begins and what ends the same. They number themselves (by style). */
  #draw() {
    const texts = this.area.value.split('\n');
    const at = groupBy(this.#findings, (one) => lineAt(one, texts));
    const said = texts.map((_, index) => (at.get(index) ?? []).map((one) => `${one.severity}:${one.message}`).join('\n'));
    const before = this.#lines;
    const isSame = (old, index) => old.text === texts[index] && old.said === said[index];
    const least = Math.min(before.length, texts.length);
    let start = 0;
    while (start < least && isSame(before[start], start)) start += 1;
    let end = 0;
    while (end < least - start && isSame(before[before.length - 1 - end], texts.length - 1 - end)) end += 1;
    const made = texts.slice(start, texts.length - end).map((text, offset) => ({ text, said: said[start + offset], element: paintLine(text, at.get(start + offset) ?? []) }));
    const gone = before.slice(start, before.length - end);
    const next = before[before.length - end]?.element ?? null;
    for (const line of gone) line.element.remove();
    const fresh = document.createDocumentFragment();
    fresh.append(...made.map((line) => line.element));
    this.paint.insertBefore(fresh, next);
    this.#lines = [...before.slice(0, start), ...made, ...before.slice(before.length - end)];
    // So many lines are only painted where they are seen; then their width is not known to the browser.
    this.element.classList.toggle('is-long', texts.length > LONG);
    const style = this.element.style;
    if (texts.length > LONG) style.setProperty('--columns', String(texts.reduce((most, text, index) => Math.max(most, text.length + Math.min(64, said[index].length)), 0)));
    style.setProperty('--digits', String(String(texts.length).length));
  }
}

const lineAt = ({ line }, texts) => Math.max(0, Math.min(texts.length - 1, (line ?? 1) - 1));

function groupBy(list, keyOf) {
  const groups = new Map();
  for (const one of list) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

function paintLine(text, findings) {
  const [worst, ...more] = sortFindings(findings);
  return h('div.ce-line', worst ? { data: { tone: severityMark(worst.severity)[2] } } : null,
    h('span.ce-number.num'), h('span.ce-text', null, ...pieces(text)),
    worst && h('span.ce-says', { title: findings.map((one) => one.message).join('\n') }, `${severityMark(worst.severity)[0]}: ${worst.message}${more.length > 0 ? ` (and ${more.length} more)` : ''}`));
}

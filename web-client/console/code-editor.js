import { h } from '../shared/dom.js';
import { lineRange, severityMark, sortFindings } from './policies-model.js';
import { pieces } from './policy-file.js';

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

  /** Only lines that are different are painted anew. */
  #draw() {
    const texts = this.area.value.split('\n');
    const at = groupBy(this.#findings, (one) => lineAt(one, texts));
    const lines = texts.map((text, index) => {
      const findings = at.get(index) ?? [];
      const said = findings.map((one) => `${one.severity}:${one.message}`).join('\n');
      const known = this.#lines[index];
      if (known && known.text === text && known.said === said) return known;
      const element = paintLine(index + 1, text, findings);
      if (known) known.element.replaceWith(element);
      else this.paint.append(element);
      return { text, said, element };
    });
    for (const gone of this.#lines.slice(lines.length)) gone.element.remove();
    this.#lines = lines;
    const style = this.element.style;
    style.setProperty('--rows', String(texts.length));
    style.setProperty('--columns', String(texts.reduce((most, text) => Math.max(most, text.length), 0)));
    style.setProperty('--digits', String(String(texts.length).length));
  }
}

const lineAt = ({ line }, texts) => Math.max(0, Math.min(texts.length - 1, (line ?? 1) - 1));

function groupBy(list, keyOf) {
  const groups = new Map();
  for (const one of list) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

function paintLine(number, text, findings) {
  const [worst, ...more] = sortFindings(findings);
  return h('div.ce-line', worst ? { data: { tone: severityMark(worst.severity)[2] } } : null,
    h('span.ce-number.num', null, String(number)), h('span.ce-text', null, ...pieces(text)),
    worst && h('span.ce-says', { title: findings.map((one) => one.message).join('\n') }, `${severityMark(worst.severity)[0]}: ${worst.message}${more.length > 0 ? ` (and ${more.length} more)` : ''}`));
}

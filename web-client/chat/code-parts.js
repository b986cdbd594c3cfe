import { copyButton, following, growText, h, icon, setIcon, setText } from '../shared/dom.js';
import { exitWords, resourceWords } from './tool-words.js';

/** The parts of a code card: the Python as it is written, its output as it comes, and how it ended. */
export class CodeParts {
  #spans = []; // {piece, node, element}, as they stand in the output

  constructor(call) {
    this.call = call;
    this.text = document.createTextNode('');
    this.source = h('pre', { tabIndex: 0, aria: { label: 'Code, python' } }, h('code', null, this.text));
    this.code = h('div.code.fact', { data: { fact: 'arguments' } },
      h('div.code-head', null, h('span.lang', null, 'python'), copyButton('Copy', () => call.code)), this.source);
    this.live = h('pre.output', { tabIndex: 0, aria: { label: 'Output' } });
    this.dropped = h('p.tool-note', { hidden: true });
    this.output = h('div.fact', { data: { fact: 'output' }, hidden: true }, h('span.tool-label', null, 'Output'), this.dropped, this.live);
    this.sign = icon('check');
    this.word = h('span');
    this.raw = h('code');
    this.used = h('span.used.num');
    this.end = h('p.exit', { hidden: true }, this.sign, this.word, this.raw, this.used);
  }

  draw() {
    following(this.source, () => growText(this.text, this.call.code));
    following(this.live, () => this.#drawOutput());
    const { exit } = this.call;
    this.end.hidden = !exit;
    if (!exit) return;
    this.end.dataset.exit = exit;
    this.end.dataset.tone = exit === 'ok' ? 'done' : 'cut';
    setIcon(this.sign, exit === 'ok' ? 'check' : exit === 'killed' ? 'stop' : 'alert');
    setText(this.word, exitWords(exit));
    setText(this.raw, exit);
    setText(this.used, resourceWords(this.call.resources));
  }

  #drawOutput() {
    const { pieces, dropped } = this.call.output;
    while (this.#spans.length > 0 && this.#spans[0].piece !== pieces[0]) this.#spans.shift().element.remove();
    pieces.forEach((piece, index) => {
      let span = this.#spans[index];
      if (!span) {
        const node = document.createTextNode('');
        span = { piece, node, element: h(`span.${piece.stream === 'stderr' ? 'stderr' : 'stdout'}`, null, node) };
        this.#spans.push(span);
        this.live.append(span.element);
      }
      growText(span.node, piece.text);
    });
    this.output.hidden = pieces.length === 0;
    this.dropped.hidden = dropped === 0;
    if (dropped > 0) setText(this.dropped, `The first ${dropped.toLocaleString('en')} characters are not shown.`);
  }
}

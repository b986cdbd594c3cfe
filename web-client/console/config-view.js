import { copyButton, h } from '../shared/dom.js';
import { empty, loading, problem } from './panels.js';
import { yamlText } from './yaml-text.js';

/** The configuration in force as text; secrets are masked by the server. */
export class ConfigView {
  #ticket = 0;

  /** @param {{api: object, me: object, refused: Function}} deps */
  constructor(deps) {
    this.deps = deps;
    this.element = h('div.sy-config', null, loading());
  }

  async load() {
    const ticket = ++this.#ticket;
    try {
      const { yaml: said = '', settings } = await this.deps.api.config();
      if (ticket !== this.#ticket) return;
      const yaml = yamlText(settings) || said;
      this.element.replaceChildren(...(yaml.trim() === '' ? [empty('Nothing is configured', 'The server runs with its defaults.')] : this.#shown(yaml)));
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.element.replaceChildren(problem('The configuration could not be read.', error, () => this.load()));
    }
  }

  #shown(yaml) {
    return [
      h('div.sy-config-head', null, h('p.hint', null, this.deps.me.isOperator ? 'As this server runs with it: file, environment and options together. Secrets are masked.' : 'As this server runs with it, as far as it concerns your organisation. Secrets are masked.'), copyButton('Copy', () => yaml)),
      h('div.code-lines', { tabIndex: 0, role: 'region', aria: { label: 'Configuration' } }, ...yaml.replace(/\n$/, '').split('\n').map((text, index) => h('div.line', null, h('span.line-number.num', { aria: { hidden: 'true' } }, String(index + 1)), h('code', null, ...words(text))))),
    ];
  }
}

/** A key and a comment look different; by text nodes alone. */
function words(text) {
  const [, space, key, rest] = /^(\s*(?:- )?)([\w.-]+:)?(.*)$/.exec(text) ?? [];
  if (/^\s*#/.test(text)) return [h('span.c-comment', null, text)];
  return [space, key && h('span.c-word', null, key), rest || (space || key ? '' : '\u00a0')].filter(Boolean);
}

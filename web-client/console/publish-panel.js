import { h, icon, setText } from '../shared/dom.js';
import { problem } from './panels.js';

/** A change that somebody has to give a reason for, and the button that makes it. Says whose it is where it is not this person's. */
export class PublishPanel {
  /**
   * @param {{word: string, busy: string, placeholder: string, act: (reason: string) => Promise<void>, failed: (error: Error) => boolean}} options
   *   `failed` tells whether it has shown the error itself.
   */
  constructor({ word, busy, placeholder, act, failed = () => false }) {
    Object.assign(this, { word, busy, act, failed });
    this.reason = h('input.field.ap-reason', { type: 'text', maxLength: 500, placeholder, autocomplete: 'off', aria: { label: 'Reason' }, onkeydown: (event) => {
      if (event.key === 'Enter' && !event.isComposing) this.#act();
    } });
    this.button = h('button.button.primary', { type: 'button', onclick: () => this.#act() }, word);
    this.said = h('p.ap-problem', { role: 'alert' });
    this.problem = h('div.pb-problem');
    this.form = h('div.pb-form', null, this.reason, this.button);
    this.notYours = h('p.hint', { hidden: true });
    this.element = h('div.pb', null, this.form, this.said, this.problem, this.notYours);
  }

  /** @param {string} why why this person cannot do it; '' where they can. */
  forbid(why) {
    this.form.hidden = why !== '';
    this.notYours.hidden = why === '';
    this.notYours.replaceChildren(why && icon('key'), ` ${why}`);
  }

  /** @param {string} why why there is nothing to do now; '' where there is. */
  block(why) {
    this.blocked = why;
    this.button.title = why;
  }

  clear() {
    this.reason.value = '';
    this.said.textContent = '';
    this.problem.replaceChildren();
  }

  async #act() {
    if (this.button.disabled) return;
    const reason = this.reason.value.trim();
    setText(this.said, this.blocked || (reason ? '' : 'Say why: the reason stands in the log.'));
    this.problem.replaceChildren();
    if (this.said.textContent) return this.blocked ? undefined : this.reason.focus();
    this.button.disabled = true;
    setText(this.button, this.busy);
    try {
      await this.act(reason);
      this.clear();
    } catch (error) {
      if (!this.failed(error)) this.problem.replaceChildren(problem('It was not done.', error));
    } finally {
      this.button.disabled = false;
      setText(this.button, this.word);
    }
  }
}

import { h, setText } from '../shared/dom.js';

/** Makes a server take no more runs; asks once more first, because there is no way back but a restart. */
export class DrainButton {
  isArmed = false;

  /** @param {string} node @param {{api: object, refused: Function, say: Function, done: () => void}} deps */
  constructor(node, deps) {
    Object.assign(this, { node, deps });
    this.button = h('button.button', { type: 'button', onclick: () => this.#press(), onblur: () => this.#arm(false) }, 'Drain');
    this.said = h('span.ap-problem', { role: 'alert' });
    this.element = h('span.sy-drain', null, this.said, this.button);
  }

  set({ draining }) {
    if (draining) this.#arm(false);
    this.button.hidden = draining;
  }

  #arm(isArmed) {
    this.isArmed = isArmed;
    this.button.classList.toggle('primary', isArmed);
    setText(this.button, isArmed ? 'Drain now?' : 'Drain');
    this.button.title = isArmed ? `${this.node} takes no more runs; those that live may end. It takes some again only after a restart.` : `Let ${this.node} take no more runs`;
  }

  async #press() {
    if (!this.isArmed) return this.#arm(true);
    this.button.disabled = true;
    this.said.textContent = '';
    try {
      await this.deps.api.drain(this.node);
      this.deps.say(`${this.node} drains.`);
    } catch (error) {
      if (!this.deps.refused(error)) this.said.textContent = error.message;
    } finally {
      this.button.disabled = false;
      this.#arm(false);
      this.deps.done();
    }
    return undefined;
  }
}

import { byId } from '../shared/dom.js';

/**
 * The drawer (conversations, under 800 px) and the sheet (meter, under 1100 px). Where they are columns of the page
 * nothing here has an effect; where they are over it, they take the focus, close by Esc or a touch beside them, and
 * what lies under them is inert.
 */
export class Panels {
  #open = null;
  #back = null;

  constructor() {
    this.all = {
      side: { panel: byId('side'), button: byId('side-open'), over: matchMedia('(max-width: 799.98px)') },
      meter: { panel: byId('meter'), button: byId('meter-open'), over: matchMedia('(max-width: 1099.98px)') },
    };
    for (const [name, { button, over }] of Object.entries(this.all)) {
      button.addEventListener('click', () => this.toggle(name));
      over.addEventListener('change', () => this.close());
    }
    byId('scrim').addEventListener('click', () => this.close());
    this.#apply();
  }

  toggle(name) {
    if (!this.all[name].over.matches) return this.all[name].panel.focus?.();
    return this.#open === name ? this.close() : this.open(name);
  }

  open(name) {
    if (!this.all[name].over.matches) return;
    this.#back = document.activeElement;
    this.#open = name;
    this.#apply();
    this.all[name].panel.querySelector('button:not([hidden]), input')?.focus();
  }

  /** @returns {boolean} whether something was open. */
  close() {
    const was = this.#open !== null;
    this.#open = null;
    this.#apply();
    if (was) this.#back?.focus?.();
    return was;
  }

  #apply() {
    for (const [name, { panel, button, over }] of Object.entries(this.all)) {
      const open = this.#open === name;
      panel.classList.toggle('is-open', open);
      panel.inert = over.matches && !open;
      button.setAttribute('aria-expanded', String(open));
    }
    byId('main').inert = this.#open !== null;
    byId('scrim').classList.toggle('is-open', this.#open !== null);
  }
}

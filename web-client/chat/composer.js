import { h, icon, setIcon, setText } from '../shared/dom.js';
import { estimatePrompt } from './estimate.js';
import { formatCount, formatMoney, formatPrice } from '../shared/money.js';
import { COST_DECIMALS } from './meter-view.js';
import { store } from '../shared/storage.js';

const STORED_MODEL = 'kdcube.model';
/** Tallest the field grows before it scrolls, as a share of the window. */
const MAX_HEIGHT = 0.38;

/** The message field, the model picker and the estimate; Enter sends, Shift+Enter breaks the line. */
export class Composer {
  #models = [];
  #history = [];
  #running = false;
  #online = false;

  /** @param {{onsend: (text: string) => void, onstop: () => void}} deps */
  constructor(form, deps) {
    this.deps = deps;
    this.text = h('textarea', {
      id: 'message', rows: 1, placeholder: 'Ask something', aria: { label: 'Message' }, enterKeyHint: 'send',
      oninput: () => this.#changed(), onkeydown: (event) => this.#key(event),
    });
    this.model = h('select', { id: 'model', aria: { label: 'Model' }, onchange: () => this.#picked() });
    this.price = h('span.price.num');
    this.estimate = h('span.estimate.num');
    this.sign = icon('send');
    this.word = h('span.hidden', null, 'Send');
    this.button = h('button.send', { type: 'submit', disabled: true }, this.sign, this.word);
    form.append(
      h('div.box', null, this.text,
        h('div.tools', null, h('label.model', null, this.model, icon('chevron')), this.price, h('span.grow'), this.button)),
      h('div.under', null, this.estimate, h('span.hint', { aria: { hidden: 'true' } }, 'Enter sends · Shift+Enter new line')));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#running) this.deps.onstop();
      else this.#send();
    });
    this.form = form;
    this.#changed();
  }

  get modelId() { return this.model.value || undefined; }
  get price_() { return this.#models.find((m) => m.id === this.model.value)?.x_price; }
  get isEmpty() { return this.text.value.trim() === ''; }

  setModels(models) {
    this.#models = models;
    const wanted = store.get(STORED_MODEL);
    this.model.replaceChildren(...models.map((m) => h('option', { value: m.id }, m.id)));
    if (models.some((m) => m.id === wanted)) this.model.value = wanted;
    this.model.disabled = models.length === 0;
    this.#showPrice();
  }

  /** The texts that are sent again with the next prompt; only for the estimate. */
  setHistory(texts) {
    this.#history = texts;
    this.#showEstimate();
  }

  setRunning(running) {
    this.#running = running;
    setIcon(this.sign, running ? 'stop' : 'send');
    setText(this.word, running ? 'Stop' : 'Send');
    this.button.title = running ? 'Stop this answer' : 'Send (Enter)';
    this.button.classList.toggle('is-stop', running);
    this.#enable();
  }

  setOnline(online) {
    this.#online = online;
    this.#enable();
  }

  setEnabled(enabled) {
    this.form.inert = !enabled;
    this.form.classList.toggle('is-off', !enabled);
  }

  put(text) {
    this.text.value = text;
    this.#changed();
    this.focus();
  }

  focus() { this.text.focus({ preventScroll: true }); }

  #send() {
    const text = this.text.value.trim();
    if (text === '' || this.#running || !this.#online) return;
    this.text.value = '';
    this.#changed();
    this.deps.onsend(text);
  }

  #key(event) {
    // While an input method composes a word, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #picked() {
    store.set(STORED_MODEL, this.model.value);
    this.#showPrice();
  }

  #changed() {
    this.text.style.height = 'auto';
    this.text.style.height = `${Math.min(this.text.scrollHeight, innerHeight * MAX_HEIGHT)}px`;
    this.#enable();
    this.#showEstimate();
  }

  #enable() {
    this.button.disabled = this.#running ? false : this.isEmpty || !this.#online;
  }

  #showPrice() {
    const price = this.price_;
    const input = formatPrice(price?.input_per_million);
    const output = formatPrice(price?.output_per_million);
    this.price.replaceChildren(...(input && output
      ? [`${input} in · ${output} out `, h('span.long', null, 'per million tokens'), h('span.short', { title: 'per million tokens' }, 'per 1M')]
      : [this.modelId ? 'no price known' : '']));
    this.#showEstimate();
  }

  #showEstimate() {
    if (this.isEmpty) return setText(this.estimate, this.#online || this.#models.length ? 'The answer is metered token by token' : '');
    const { tokens, nano } = estimatePrompt(this.text.value, this.#history, this.price_);
    const cost = nano === null ? '' : `, about ${formatMoney(nano, COST_DECIMALS)}`;
    return setText(this.estimate, `This prompt: about ${formatCount(tokens)} tokens${cost}`);
  }
}

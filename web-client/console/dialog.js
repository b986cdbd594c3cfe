import { copyButton, h, icon } from '../shared/dom.js';

/**
 * A question over the page. Esc and a click beside it close it; the focus goes back to where it was.
 *
 * @param {{title: string, body: (Node|string|false|null)[], action: string, tone?: 'cut', cancel?: string, onsubmit: (dialog) => Promise<unknown>,
 *   wide?: boolean, onclose?: () => void}} options `onsubmit` throws to say what went wrong; when it returns `true` the dialog stays.
 */
export function ask({ title, body, action, tone = '', cancel = 'Cancel', onsubmit, wide = false, onclose = () => {} }) {
  const before = document.activeElement;
  const problem = h('div.dg-problem', { role: 'alert' });
  const submit = h(`button.button.primary${tone === 'cut' ? '.is-cut' : ''}`, { type: 'submit' }, action);
  const close = () => dialog.close();
  const actions = h('div.dg-actions', null, h('button.button', { type: 'button', onclick: close }, cancel), submit);
  const form = h('form.dg', { autocomplete: 'off', onsubmit: async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    problem.replaceChildren();
    try {
      if (await onsubmit(handle) !== true) dialog.close();
    } catch (error) {
      tell(problem, error);
      form.querySelector(`[name="${error.field ?? ''}"]`)?.focus();
    } finally {
      submit.disabled = false;
    }
  } }, h('div.dg-body', null, ...body.filter(Boolean)), problem, actions);
  const heading = h('h2', { id: 'dialog-title' }, title);
  const dialog = h(`dialog.sheet.ask${wide ? '.is-wide' : ''}`, { aria: { labelledby: 'dialog-title' } },
    h('div.sheet-head', null, heading, h('button.quiet', { type: 'button', aria: { label: 'Close' }, onclick: close }, icon('close'))), form);
  let pressed = null;
  // One that is firm (a secret that is shown once) goes by its button alone.
  dialog.addEventListener('cancel', (event) => dialog.dataset.firm && event.preventDefault());
  dialog.addEventListener('pointerdown', (event) => { pressed = event.target; });
  dialog.addEventListener('click', (event) => event.target === dialog && pressed === dialog && !dialog.dataset.firm && close());
  dialog.addEventListener('keydown', (event) => event.stopPropagation()); // the page's single keys are not for here
  dialog.addEventListener('close', () => {
    dialog.remove();
    onclose();
    if (before?.isConnected) before.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
  const handle = { element: dialog, close, form, submit, problem, retitle: (text) => { heading.textContent = text; }, replace: (...nodes) => form.replaceChildren(...nodes) };
  queueMicrotask(() => (form.querySelector('[autofocus], .dg-body input:not([type=checkbox]), .dg-body select, .dg-body textarea') ?? submit).focus());
  return handle;
}

function tell(box, error) {
  box.replaceChildren(h('p', null, icon('alert'), h('span', null, error.message ?? String(error))),
    error.requestId ? h('p.hint.num', null, `Request ${error.requestId}`, copyButton('Copy', () => error.requestId)) : '');
}

/** A problem of what was typed, told in the dialog at its field. */
export function wrong(message, field) { return Object.assign(new Error(message), { field }); }

/** A field with its name above it and a hint below. */
export function labelled(label, input, hint = '') {
  const id = `f-${label.toLowerCase().replace(/[^a-z]+/g, '-')}`;
  input.id ||= id;
  const note = hint ? h('span.hint', { id: `${input.id}-hint` }, hint) : null;
  if (note) input.setAttribute('aria-describedby', note.id);
  return h('div.dg-field', null, h('label', { htmlFor: input.id }, label), input, note);
}

/** A field of one line; `offers` are proposed. */
export function textField(name, { value = '', placeholder = '', offers = [], ...more } = {}) {
  const field = h('input.field', { type: 'text', name, value, placeholder, spellcheck: false, autocomplete: 'off', maxLength: 200, ...more });
  if (offers.length === 0) return field;
  const list = h('datalist', { id: `offers-${name}` }, ...offers.map((one) => h('option', { value: one })));
  field.setAttribute('list', list.id);
  field.addEventListener('focus', () => list.isConnected || field.after(list), { once: true });
  return field;
}

/** A choice of few. @param {[string, string][]} options value and word */
export function choiceField(name, options, value, more = {}) {
  const field = h('select.field', { name, ...more }, ...options.map(([one, word]) => h('option', { value: one }, word)));
  field.value = value ?? options[0]?.[0] ?? '';
  return field;
}

/** A key for requests that may be sent again: also where the page is not on https, which `randomUUID` wants. */
export function onceKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

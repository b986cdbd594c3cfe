import { h, icon } from './dom.js';

/**
 * Single keys work when no field has the focus; Esc leaves a field.
 * @param {HTMLDialogElement} dialog shows the keys
 * @param {[string, string][]} keys what it says of each
 * @param {Record<string, () => unknown>} actions by key; that of `Escape` says whether it closed something.
 */
export function setUpKeyboard(dialog, keys, actions) {
  dialog.append(h('div.sheet-head', null, h('h2', { id: 'keys-title' }, 'Keys'),
    h('button.quiet', { type: 'button', aria: { label: 'Close' }, onclick: () => dialog.close() }, icon('close'))),
  h('dl.keys', null, ...keys.flatMap(([key, what]) => [
    h('dt', null, ...key.split(/\s+/).map((part) => h('kbd', null, part))), h('dd', null, what)])));
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  const help = () => (dialog.open ? dialog.close() : dialog.showModal());
  const table = { ...actions, '?': help };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest?.('input, textarea, select, [contenteditable]');
    if (event.key === 'Escape') {
      if (dialog.open) return; // the dialog closes itself
      if (!actions.Escape() && typing) event.target.blur();
      return;
    }
    if (typing || (dialog.open && event.key !== '?')) return;
    const action = table[event.key];
    if (!action || event.key === 'Escape') return;
    event.preventDefault();
    action();
  });
  return help;
}

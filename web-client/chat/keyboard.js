import { h, icon } from './dom.js';

const KEYS = [
  ['Enter', 'Send the message'], ['Shift Enter', 'New line'], ['/', 'Search the conversations'], ['j  k', 'Next, previous conversation'],
  ['c', 'Write a message'], ['n', 'New conversation'], ['m', 'Open the meter'], ['s', 'Stop the answer'], ['Esc', 'Close; leave a field'], ['?', 'These keys'],
];

/** Single keys work when no field has the focus; Esc leaves a field. */
export function setUpKeyboard(dialog, actions) {
  dialog.append(h('div.sheet-head', null, h('h2', { id: 'keys-title' }, 'Keys'),
    h('button.quiet', { type: 'button', aria: { label: 'Close' }, onclick: () => dialog.close() }, icon('close'))),
  h('dl.keys', null, ...KEYS.flatMap(([key, what]) => [
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

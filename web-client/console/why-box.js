import { h, icon } from '../shared/dom.js';

/** "Why was I cut?": the id of a run leads to its story. */
export function whyBox({ href, go, readAddress }) {
  const field = h('input.why-field', { type: 'search', name: 'why', placeholder: 'Run id', spellcheck: false, autocomplete: 'off', maxLength: 128, aria: { label: 'Why was I cut? Run id' } });
  return h('form.why', { role: 'search', onsubmit: (event) => {
    event.preventDefault();
    const id = field.value.trim();
    if (id === '') return field.focus();
    field.value = '';
    return go(readAddress(href('run', { id })));
  } }, h('span.why-word', null, 'Why was I cut?'), field, h('button.quiet', { type: 'submit', aria: { label: 'Find the run' }, title: 'Find the run' }, icon('search')));
}

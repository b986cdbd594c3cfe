import { h } from '../shared/dom.js';

export class PoliciesPage {
  title = 'Policies';
  isScoped = false;
  element = h('div.narrow');
  show() {}
  news() {}
}

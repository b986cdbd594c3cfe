import { h } from '../shared/dom.js';

export class DecisionsPage {
  title = 'Decisions';
  isScoped = false;
  element = h('div.narrow');
  show() {}
  news() {}
}

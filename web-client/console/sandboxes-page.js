import { h } from '../shared/dom.js';

export class SandboxesPage {
  title = 'Sandboxes';
  isScoped = false;
  element = h('div.narrow');
  show() {}
  news() {}
}

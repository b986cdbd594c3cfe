import { h } from '../shared/dom.js';

export class ToolsPage {
  title = 'Tools';
  isScoped = false;
  element = h('div.narrow');
  show() {}
  news() {}
}

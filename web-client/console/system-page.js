import { h } from '../shared/dom.js';
import { loading } from './panels.js';

/** Not drawn yet. */
export class SystemPage {
  title = 'System';
  isScoped = true;
  element = h('div.broad', null, loading());

  show() {}
}

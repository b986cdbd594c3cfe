import { h } from '../shared/dom.js';
import { loading } from './panels.js';

/** Not drawn yet. */
export class SpendPage {
  title = 'Spend';
  isScoped = true;
  element = h('div.broad', null, loading());

  show() {}
}

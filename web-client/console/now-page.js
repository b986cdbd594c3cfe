import { h } from '../shared/dom.js';
import { loading } from './panels.js';

/** Not drawn yet. */
export class NowPage {
  title = 'Now';
  isScoped = true;
  element = h('div.broad', null, loading());

  show() {}
}

import { h } from '../shared/dom.js';
import { loading } from './panels.js';

/** Not drawn yet. */
export class StreamsPage {
  title = 'Streams';
  isScoped = true;
  element = h('div.broad', null, loading());

  show() {}
}

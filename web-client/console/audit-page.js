import { h } from '../shared/dom.js';
import { loading } from './panels.js';

/** Not drawn yet. */
export class AuditPage {
  title = 'Audit';
  isScoped = true;
  element = h('div.broad', null, loading());

  show() {}
}

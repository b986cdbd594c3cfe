import { h, icon } from '../shared/dom.js';
import { diffView } from './diff-view.js';
import { plural, shortVersion } from './policies-model.js';

/** Another version is in force than the one that a draft began with: what changed, and the way onto it. */
export function meanwhilePanel(draft, set, changes, onrebase) {
  const same = changes.length === 0;
  return h('section.panel.is-warning', { role: 'alert' }, icon('alert'), h('div', null,
    h('p', null, h('strong', null, 'Another version is in force than the one this draft began with.'), ' ',
      h('code', { title: draft.base ?? '' }, shortVersion(draft.base) || 'none'), ' → ', h('code', { title: set.version ?? '' }, shortVersion(set.version) || 'none'),
      same ? '. No text that you see here is different.' : `. ${plural(changes.length, 'file')} changed.`),
    !same && h('details.mw', null, h('summary', null, h('span', null, 'What changed meanwhile'), icon('chevron')), diffView(changes)),
    h('div.panel-actions', null, h('button.button', { type: 'button', onclick: onrebase }, 'Put my changes on top of it'))));
}

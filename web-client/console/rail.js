import { h, icon, setText } from '../shared/dom.js';

const PAGES = {
  now: ['Now', 'pulse'], streams: ['Streams', 'streams'], budgets: ['Budgets', 'budget'], spend: ['Spend', 'spend'], decisions: ['Decisions', 'decisions'],
  approvals: ['Approvals', 'person'], policies: ['Policies', 'policy'], tools: ['Tools', 'tool'], keys: ['Keys', 'key'], sandboxes: ['Sandboxes', 'box'],
  audit: ['Audit', 'chain'], system: ['System', 'system'],
};
/** A page without an entry of its own stands under another's. */
const UNDER = { run: 'streams' };

/** The list of pages at the left (below, on a phone), with the number of approvals that wait. */
export class Rail {
  #links = new Map();

  constructor(box) {
    this.box = box;
    this.badge = h('span.badge.num', { hidden: true });
    this.badgeWords = h('span.hidden');
  }

  set(names) {
    this.#links.clear();
    for (const [name, [word, sign]] of Object.entries(PAGES)) {
      if (!names.includes(name)) continue;
      this.#links.set(name, h('a.rail-page', { data: { page: name } }, icon(sign), h('span', null, word),
        name === 'approvals' && this.badge, name === 'approvals' && this.badgeWords));
    }
    this.box.replaceChildren(...this.#links.values());
  }

  /** @param {(name: string) => string} href of each page, in the scope that is chosen. */
  select(page, href) {
    for (const [name, link] of this.#links) {
      link.setAttribute('href', href(name));
      if (name === (UNDER[page] ?? page)) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    // On a phone the list is wider than the screen.
    this.#links.get(UNDER[page] ?? page)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  count({ waiting, mine }) {
    this.badge.hidden = waiting === 0;
    this.badge.setAttribute('aria-hidden', 'true');
    setText(this.badge, String(waiting));
    this.badge.classList.toggle('is-mine', mine > 0);
    setText(this.badgeWords, waiting === 0 ? '' : `, ${waiting} waiting, ${mine} for you`);
  }
}

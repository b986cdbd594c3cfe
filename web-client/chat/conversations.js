import { h, icon, setText } from '../shared/dom.js';
import { dayLabel, formatInstant, parseInstant } from '../shared/time.js';

/** The list at the left: newest first, grouped by day, searched by title, moved in by j and k. */
export class ConversationList {
  #items = [];
  #current = '';
  #running = '';
  #query = '';
  #loaded = false;

  /** @param {{onopen: (id: string) => void, ondelete: (id: string) => Promise<void>}} deps */
  constructor(nav, search, deps) {
    this.nav = nav;
    this.deps = deps;
    search.addEventListener('input', () => {
      this.#query = search.value.trim().toLowerCase();
      this.#draw();
    });
    search.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === 'ArrowDown') {
        event.preventDefault();
        this.nav.querySelector('.open')?.focus();
      }
    });
    // A list that comes at once needs no skeleton; one that does not must not be a blank.
    this.#skeleton = setTimeout(() => this.#loaded || this.nav.replaceChildren(...[70, 88, 56].map((w) => {
      const bone = h('div.bone');
      bone.style.setProperty('--w', `${w}%`);
      return bone;
    })), 200);
  }

  #skeleton;

  set(items) {
    clearTimeout(this.#skeleton);
    this.#loaded = true;
    this.#items = items.map((item) => ({ ...item, at: parseInstant(item.updated_at) ?? 0 })).sort((a, b) => b.at - a.at);
    this.#draw();
  }

  title(id) { return this.#items.find((item) => item.id === id)?.title ?? ''; }

  /** A conversation that the server does not list yet. */
  touch(id, title) {
    const known = this.#items.find((item) => item.id === id);
    if (known) known.at = Date.now();
    else this.#items.unshift({ id, title, at: Date.now() });
    this.#items.sort((a, b) => b.at - a.at);
    this.#loaded = true;
    this.#draw();
  }

  select(id, running = this.#running) {
    if (this.#current === id && this.#running === running) return;
    this.#current = id;
    this.#running = running;
    this.#draw();
  }

  /** Moves the focus among the rows. */
  move(step) {
    const rows = [...this.nav.querySelectorAll('.open')];
    const at = rows.indexOf(document.activeElement);
    const from = at >= 0 ? at : rows.findIndex((row) => row.getAttribute('aria-current') === 'page') - (step > 0 ? 0 : 0);
    rows[Math.max(0, Math.min(rows.length - 1, from + step))]?.focus();
  }

  #draw() {
    const focused = document.activeElement?.closest?.('.conversation')?.dataset.id;
    const shown = this.#items.filter((item) => (item.title ?? '').toLowerCase().includes(this.#query));
    const groups = new Map();
    for (const item of shown) {
      const label = dayLabel(item.at, Date.now());
      if (!groups.has(label)) groups.set(label, []);
      groups.get(label).push(this.#row(item));
    }
    const empty = this.#query ? `No title contains “${this.#query}”.` : 'What you ask is kept here. Send a first message to begin.';
    this.nav.replaceChildren(...(groups.size === 0
      ? [h('p.side-empty', null, empty)]
      : [...groups].map(([label, rows]) => h('section', null, h('h2', null, label), h('ul', null, ...rows)))));
    if (focused) this.nav.querySelector(`[data-id="${CSS.escape(focused)}"] .open`)?.focus();
  }

  #row(item) {
    const running = item.id === this.#running;
    const open = h('button.open', {
      type: 'button', title: item.at ? formatInstant(item.at) : '', onclick: () => this.deps.onopen(item.id),
      aria: item.id === this.#current ? { current: 'page' } : {},
    }, running && h('span.dot', { role: 'img', aria: { label: 'writing' } }), h('span', null, item.title || 'Untitled'));
    return h('li.conversation', { data: { id: item.id } }, open, this.#deleteButton(item));
  }

  /** Asks in place: the first press arms, the second deletes; leaving disarms. */
  #deleteButton(item) {
    const word = h('span');
    const label = `Delete “${item.title || 'Untitled'}”`;
    const button = h('button.quiet.delete', {
      type: 'button', aria: { label }, title: 'Delete',
      async onclick() {
        if (!button.classList.contains('is-armed')) {
          button.classList.add('is-armed');
          setText(word, 'Delete?');
          button.setAttribute('aria-label', `Press again: ${label}`);
          return;
        }
        button.disabled = true;
        await remove();
      },
      onblur() {
        button.classList.remove('is-armed');
        setText(word, '');
        button.setAttribute('aria-label', label);
      },
    }, icon('trash'), word);
    const remove = async () => {
      try {
        await this.deps.ondelete(item.id);
        this.#items = this.#items.filter((other) => other.id !== item.id);
        this.#draw();
      } catch (error) {
        button.disabled = false;
        button.classList.remove('is-armed');
        setText(word, 'Not deleted');
        button.title = error.message;
      }
    };
    return button;
  }
}

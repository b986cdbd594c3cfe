import { h, icon, setIcon, setText } from '../shared/dom.js';
import { formatClock, formatInstant } from '../shared/time.js';
import { about, decisionMark, doneBy, isGood, outcomeWords } from './decision-words.js';

/** A decision as a line of the feed. It changes in place: what became of a call is known after it was decided. */
export class DecisionRow {
  #key = '';

  constructor(id) {
    this.time = h('time.num');
    this.sign = icon('help');
    this.word = h('span');
    this.mark = h('span.mark', null, this.sign, this.word);
    this.tool = h('span.dc-tool');
    this.what = h('span.dc-what');
    this.shadow = h('span.tag', { hidden: true, title: 'Policies that are only being tried say something else' }, 'tried');
    this.user = h('span.dc-user');
    this.rule = h('span.dc-rule');
    this.outcome = h('span.dc-outcome');
    this.element = h('a.dc-row', { role: 'listitem', data: { decision: id } },
      this.time, this.mark, this.tool, h('span.dc-about', null, this.what, this.shadow), this.user, this.rule, this.outcome);
  }

  update(row, href) {
    const address = href(row.id);
    const key = `${row.decision}|${row.outcome?.status}|${row.outcome?.elapsed_ms}|${row.rule}|${address}`;
    if (key === this.#key) return;
    this.#key = key;
    this.element.setAttribute('href', address);
    const [word, sign, tone] = decisionMark(row);
    setText(this.time, timeWords(row.at, Date.now()));
    this.time.title = formatInstant(row.at);
    setText(this.word, word);
    setIcon(this.sign, sign);
    this.mark.dataset.tone = tone;
    setText(this.tool, row.tool || row.kind);
    setText(this.what, about(row));
    this.shadow.hidden = !row.details?.shadow;
    setText(this.user, doneBy(row) || '–');
    setText(this.rule, row.rule || '–');
    setText(this.outcome, outcomeWords(row));
    this.outcome.dataset.tone = row.outcome && !isGood(row.outcome) ? 'cut' : 'muted';
  }
}

/** The time of day, with the date where it is not today's. */
function timeWords(at, now) {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return isToday ? formatClock(at, true) : new Date(at).toLocaleString(undefined, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hour12: false });
}

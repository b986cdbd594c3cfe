import { h, icon, setIcon, setText } from '../shared/dom.js';
import { formatDuration, formatInstant } from '../shared/time.js';
import { Spark } from './spark.js';
import { costText, rateText, stopWords, streamMark, tokensText } from './stream-model.js';

/** A run as a row. Everything in it changes in place. */
export class StreamRow {
  constructor(row, { href, onkill }) {
    this.sign = icon('live');
    this.word = h('span');
    this.mark = h('span.mark', null, this.sign, this.word);
    this.user = h('strong');
    this.project = h('span');
    this.open = h('a.st-open', { href: href(row.run_id), aria: { label: `Run ${row.run_id}` } });
    this.model = h('span.st-model');
    this.age = h('span.num.st-age');
    this.tokens = h('span.num.st-tokens');
    this.cost = h('span.num.st-cost');
    this.rate = h('span.num.st-rate');
    this.line = new Spark({ slots: 40 });
    this.what = h('span.st-what');
    this.when = h('span.num.st-when');
    this.bar = h('div.st-bar', { aria: { hidden: 'true' } }, h('i'));
    this.stops = h('div.st-stops', null, h('span.st-stop-words', null, this.what, this.when), this.bar);
    this.kill = h('button.quiet.st-kill', { type: 'button', title: 'End this run (x)', aria: { label: `End run ${row.run_id}` }, onclick: () => onkill(this.row) }, icon('stop'), h('span', null, 'End'));
    this.element = h('div.st-row', { role: 'listitem', data: { run: row.run_id } }, this.open, this.mark,
      h('span.st-who', null, this.user, this.project), this.model, this.age, this.tokens, this.cost, h('span.st-burn', null, this.line.element, this.rate), this.stops, this.kill);
  }

  update(row) {
    this.row = row;
    const [word, sign, tone] = streamMark(row);
    setText(this.word, word);
    setIcon(this.sign, sign);
    this.mark.dataset.tone = tone;
    this.mark.title = word;
    setText(this.user, row.user ?? 'no user');
    setText(this.project, `${row.org}/${row.project}`);
    setText(this.model, row.model);
    setText(this.age, formatDuration(Math.max(1000, Date.now() - row.started_at)));
    this.age.title = `Began ${formatInstant(row.started_at)}`;
    setText(this.tokens, tokensText(row));
    this.tokens.title = `${row.input_tokens ?? 0} in, ${row.output_tokens ?? 0} out${row.tokens_per_second ? `, ${Math.round(row.tokens_per_second)} a second` : ''}`;
    setText(this.cost, costText(row.cost_usd));
    setText(this.rate, rateText(row));
    this.line.set((row.line ?? []).map((sample) => sample.rate));
    this.#drawStops(row);
  }

  #drawStops(row) {
    const stop = stopWords(row);
    setText(this.what, stop?.what ?? 'No cap on its path');
    setText(this.when, stop?.when ?? '');
    this.bar.hidden = !stop;
    this.stops.title = stop?.title ?? '';
    if (!stop) return void delete this.stops.dataset.tone;
    this.stops.dataset.tone = stop.tone;
    this.bar.style.setProperty('--share', `${stop.share * 100}%`);
  }
}

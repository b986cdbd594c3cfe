import { copyButton, h, icon } from '../shared/dom.js';
import { formatClock, formatDuration, formatInstant, formatReset } from '../shared/time.js';
import { readAddress } from './address.js';
import { Bar } from './bar.js';
import { resetWords, scopeText, subject } from './budget-model.js';
import { askToKill } from './kill.js';
import { empty, loading, problem, sample, stateMark } from './panels.js';
import { asText, chargeRows, cuttingWindow, decisionIds, eventMark, eventWords, groupCharges, pathWindows, reasonWords, runMark, sentences, storyParts, totalWords } from './run-model.js';
import { formatCount, formatMoney } from '../shared/money.js';
import { whyBox } from './why-box.js';

/** A run that lives is read again this often. */
const AGAIN_MS = 2000;

/** "Why was I cut?": the story of a run in sentences, then what proves it. */
export class RunPage {
  title = 'Run';
  isScoped = false;
  #id = '';
  #ticket = 0;
  #timer = 0;
  #drawn = '';

  constructor(deps) {
    this.deps = deps;
    this.body = h('div.run-body');
    this.search = whyBox({ ...deps, readAddress });
    this.element = h('div.narrow.run-page', null, this.search, this.body);
  }

  show({ filters }) {
    this.#id = filters.id ?? '';
    this.#drawn = '';
    this.search.hidden = this.#id !== '';
    if (this.#id !== '') return this.#load(true);
    this.body.replaceChildren(empty('Why was I cut?', 'Each answer names its run: in the header x-run-id, in the events of its stream, and in the chat under “Why?”. Enter it above, or ask on the command line:', sample('kdcube why RUN_ID')));
    return this.search.querySelector('input').focus();
  }

  leave() {
    this.#ticket += 1;
    clearTimeout(this.#timer);
  }

  key(name) { if (name === '/') { this.search.hidden = false; this.search.querySelector('input').focus(); } }

  async #load(isFirst) {
    const ticket = ++this.#ticket;
    clearTimeout(this.#timer);
    if (isFirst) this.body.replaceChildren(loading());
    try {
      const run = await this.deps.api.run(this.#id);
      if (ticket !== this.#ticket) return;
      this.deps.seen([run]);
      this.#draw(run);
      if (run.state === 'running') this.#timer = setTimeout(() => this.#load(false), AGAIN_MS);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      this.search.hidden = false;
      const title = error.status === 404 ? `There is no run ${this.#id} that you may see.` : 'The run could not be read.';
      this.body.replaceChildren(problem(title, error.status === 404 ? Object.assign(error, { message: 'Its id may be cut short, or it is of another organisation.' }) : error, error.status === 404 ? null : () => this.#load(true)));
    }
  }

  #draw(run) {
    const key = JSON.stringify(run);
    // What somebody marks to copy it is not taken away under their hands.
    const marked = getSelection();
    if (key === this.#drawn || (this.#drawn !== '' && !marked.isCollapsed && this.body.contains(marked.anchorNode))) return;
    const kept = keep(this.body);
    this.#drawn = key;
    const { href } = this.deps;
    const lives = run.state === 'running';
    this.body.replaceChildren(...[
      h('header.run-top', null, h('div.run-id', null, stateMark(...runMark(run)), h('code', null, run.run_id), copyButton('Copy the id', () => run.run_id)),
        lives && h('button.button', { type: 'button', onclick: () => askToKill({ ...run, cost_usd: run.totals?.cost_usd, ...run.totals }, this.deps, () => this.#load(false)) }, icon('stop'), 'End it')),
      h('div.run-story', null, ...sentences(run).map((text) => h('p', null, ...storyParts(text, Date.now()).map((part) => this.#part(part))))),
      h('p.links', null, h('a', { href: href('decisions', { run: run.run_id }) }, 'Its decisions'),
        run.user && h('a', { href: href('streams', { project: run.project, user: run.user }) }, `What ${run.user} runs now`),
        h('a', { href: href('budgets', { find: `${run.org}/${run.project}` }) }, 'The budgets of its project'), copyButton('Copy as text', () => asText(run, Date.now()))),
      this.#window(run), this.#timeline(run), this.#charges(run), this.#proof(run),
    ].filter(Boolean));
    kept();
  }

  #part({ kind, text, at }) {
    if (kind === 'decision') return h('a', { href: this.deps.href('decisions', { id: text }) }, h('code', null, text));
    return kind === 'instant' ? h('time.num', { title: formatInstant(at), dateTime: new Date(at).toISOString() }, text) : text;
  }

  #window(run) {
    const cutting = cuttingWindow(run);
    const windows = pathWindows(run);
    if (windows.length === 0 && !cutting) return section('The windows on its path', h('p.hint', null, 'No cap is set on its path, so no budget could have stopped it.'));
    const card = (window, title, note) => {
      const bar = new Bar();
      bar.update(window);
      return h(`div.run-window${window.isCutting ? '.is-cutting' : ''}`, null, h('div.run-window-head', null, h('strong', null, title), h('span', null, subject(window))), bar.element, h('p.hint', null, note));
    };
    return section('The windows on its path',
      cutting && run.cut.reason !== 'killed' && card({ ...cutting, isCutting: true }, scopeText(cutting.scope), `As it stood when it ended the run${run.ended_at ? `, ${formatInstant(run.ended_at)}` : ''}.`),
      ...windows.filter((window) => !window.isCutting || window.used !== cutting.used || window.limit !== cutting.limit || run.cut.reason === 'killed').map((window) => card({ ...window, isCutting: false }, scopeText(window.scope), `Now; ${resetWords(window, Date.now())}${window.resetsAt && window.period !== 'total' ? ` (${formatReset(window.resetsAt, Date.now())})` : ''}.`)));
  }

  #timeline(run) {
    const events = run.timeline ?? [];
    if (events.length === 0) return null;
    const began = events[0].at;
    return section('What happened', h('ol.run-events', null, ...groupCharges(events).map((one) => this.#event(one, one.at - began))));
  }

  #event(one, after) {
    const [sign, tone, word] = eventMark(one);
    const took = one.until > one.at ? ` within ${formatDuration(one.until - one.at)}` : '';
    const words = h('p', null, h('span.hidden', null, `${word}: `), ...storyParts(eventWords(one), Date.now()).map((part) => this.#part(part)), took);
    const facts = h('p.hint.num', null, after >= 1000 ? `after ${formatDuration(after)}` : '', one.decision_id && h('a', { href: this.deps.href('decisions', { id: one.decision_id }) }, 'The decision'));
    const each = one.events?.length > 0 && h('details.run-each', null, h('summary', null, h('span', null, 'Each of them'), icon('chevron')), h('ul', null, ...one.events.map((event) => h('li.num', null, `${formatClock(event.at, true)}  ${eventWords(event)}`))));
    return h('li.run-event', { data: { kind: one.kind } }, h('time.num', { title: formatInstant(one.at) }, formatClock(one.at, true)), h('span.run-sign', { data: { tone }, title: word }, icon(sign)), h('div', null, words, facts, each));
  }

  #charges(run) {
    const rows = chargeRows(run);
    if (rows.length === 0) return section('What it was charged', h('p.hint', null, 'Nothing.'));
    const cell = (name, text) => h(`td.${name}`, null, text);
    return section('What it was charged', h('p', null, `${totalWords(run)}.`), h('div.run-scroll', { tabIndex: 0, role: 'group', aria: { label: 'Rows of the ledger' } }, h('table.run-charges.num', null,
      h('thead', null, h('tr', null, ...['Time', 'Row', 'For', 'Tokens in', 'Tokens out', 'Cost'].map((word) => h('th', { scope: 'col' }, word)))),
      h('tbody', null, ...rows.map((row) => h('tr', null, cell('at', row.at ? formatClock(row.at, true) : '–'), cell('kind', `${row.kind}${row.isEstimated ? ', estimated' : ''}`), cell('for', row.model),
        cell('n', formatCount(row.input)), cell('n', formatCount(row.output)), cell('n', formatMoney(row.cost, 6))))))));
  }

  #proof(run) {
    const facts = [['Run', run.run_id], ['Model', run.model], ['Organisation', run.org], ['Project', run.project], ['User', run.user], ['Key', run.key], ['Ended', run.ended_at ? formatInstant(run.ended_at) : null],
      ['Ended because', run.cut ? reasonWords(run.cut.reason) : run.error ? run.error.message ?? run.error.code : null], ['Code', run.error?.code ?? run.cut?.reason]].filter(([, value]) => value);
    const decisions = decisionIds(run);
    return section('Proof', h('dl.facts', null, ...facts.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, String(value))]),
      ...(decisions.length > 0 ? [h('dt', null, 'Decisions'), h('dd', null, ...decisions.flatMap((id, at) => [at > 0 ? ', ' : '', h('a', { href: this.deps.href('decisions', { id }) }, h('code', null, id))]))] : [])));
  }
}

/** Notes what is open and what has the focus. @returns {() => void} opens and focuses the same in what stands there then. */
function keep(box) {
  const places = 'a, button, summary, [tabindex]';
  const at = [...box.querySelectorAll(places)].indexOf(document.activeElement);
  const open = [...box.querySelectorAll('details')].map((one) => one.open);
  return () => {
    [...box.querySelectorAll('details')].forEach((one, index) => { one.open = open[index] ?? false; });
    if (at >= 0) box.querySelectorAll(places)[at]?.focus({ preventScroll: true });
  };
}

const section = (title, ...content) => h('section.run-section', null, h('h3', null, title), ...content.filter(Boolean));

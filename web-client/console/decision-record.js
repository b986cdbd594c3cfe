import { copyButton, h, icon } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { show } from '../shared/values.js';
import { argumentsOf } from './approvals-model.js';
import { argumentsTable } from './arguments.js';
import { decisionMark, limitShares, limitWords, story } from './decision-words.js';
import { rulesConsidered } from './decision-rules.js';
import { loading, problem, stateMark } from './panels.js';

/** The opened decision: the story first, then the proof. */
export class DecisionRecord {
  #id = '';
  #row = null;
  #ticket = 0;

  constructor(deps) {
    this.deps = deps;
    this.body = h('div.rc-body');
    this.element = h('aside.rc', { aria: { label: 'Decision' }, hidden: true },
      h('div.rc-top', null, h('button.quiet', { type: 'button', aria: { label: 'Close the decision' }, onclick: () => deps.onclose() }, icon('close'), h('span.only-narrow', null, 'Back'))),
      this.body);
  }

  /** @param {object} [row] what the feed knows of it: shown while the rest comes. */
  open(id, row, org) {
    if (id === this.#id) return;
    this.#id = id;
    this.#row = row ?? null;
    this.element.hidden = false;
    this.element.scrollTop = 0;
    this.#load(org ?? row?.org);
  }

  close() {
    this.#ticket += 1;
    this.#id = '';
    this.#row = null;
    this.element.hidden = true;
    this.body.replaceChildren();
  }

  /** News of it: what became of the call. */
  changed(row) {
    if (row.id !== this.#id || !this.#row) return;
    this.#row = { ...this.#row, ...row };
    this.#draw(false);
  }

  async #load(org) {
    const ticket = ++this.#ticket;
    if (this.#row) this.#draw(true);
    else this.body.replaceChildren(loading());
    try {
      const row = await this.deps.api.decision(this.#id, { org });
      if (ticket !== this.#ticket) return;
      this.#row = { ...this.#row, ...row };
      this.#draw(false);
    } catch (error) {
      if (ticket !== this.#ticket || this.deps.refused(error)) return;
      const told = problem(error.status === 404 ? 'This decision is not there.' : 'The decision could not be read.', error, error.status === 404 ? null : () => this.#load(org));
      this.body.replaceChildren(told);
    }
  }

  #draw(isPartial) {
    const row = this.#row;
    const details = row.details ?? {};
    const isCall = row.kind === undefined || row.kind === 'call';
    const deciding = details.ruling?.rules ?? (row.rule ? [row.rule] : []);
    this.body.replaceChildren(...[
      h('header.rc-head', null, stateMark(...decisionMark(row)), h('h2', null, row.tool || row.kind), details.shadow && h('span.tag', null, 'tried: ', `${details.shadow.decision} by ${details.shadow.rule}`)),
      h('div.rc-story', null, ...story(row).map((sentence) => h('p', null, sentence))),
      h('p.links', null, row.run && h('a', { href: this.deps.href('run', { id: row.run }) }, 'The story of this run'), row.run && h('a', { href: this.deps.href('decisions', { run: row.run }) }, 'All of this run'),
        isCall && row.user && h('a', { href: this.deps.href('decisions', { tool: row.tool, user: row.user }) }, `${row.tool} of ${row.user}`),
        (row.approval || details.approval) && h('a', { href: this.deps.href('approvals') }, 'The approvals'),
        row.rule && h('a', { href: this.deps.href('decisions', { rule: row.rule }) }, 'All by this rule')),
      (isCall || row.arguments) && section('Arguments', argumentsTable(argumentsOf(row))),
      !isCall ? null : row.explanation === undefined && isPartial ? section('Rules considered', loading())
        : section('Rules considered', rulesConsidered(row.explanation?.rules, deciding, details, this.deps.href)),
      !isCall && Object.keys(details).length > 0 && section('What was recorded', argumentsTable(withoutVotes(details), { label: 'What was recorded' })),
      details.limits?.length > 0 && section('Limits', h('ul.limits', null, ...details.limits.map((limit) => limitRow(limit, row.code === 'limit_exceeded')))),
      details.inputs && section('What the rules saw', inputsTable(details.inputs)),
      details.truncated && h('p.hint', null, 'Some of what the rules saw was too long to be kept.'),
      section('Proof', proof(row, details), row.explanation?.text && asText(row.explanation.text)),
    ].filter(Boolean));
  }
}

/** Votes stand in the story. */
const withoutVotes = (details) => Object.fromEntries(Object.entries(details).filter(([name]) => name !== 'votes'));

/** The whole of it as the command tells it, to be quoted. */
const asText = (text) => h('details.rules-far', null, h('summary', null, h('span', null, 'As kdcube policy explain says it'), icon('chevron')), h('pre.clause', { tabIndex: 0 }, h('code', null, text)));

const section = (title, ...content) => h('section.rc-section', null, h('h3', null, title), ...content);

function limitRow(limit, isDenied) {
  const { used, amount, isOver } = limitShares(limit, isDenied);
  const bar = h('span.limit-bar', { aria: { hidden: 'true' } }, h('i.used'), h('i.amount'));
  bar.style.setProperty('--used', String(used));
  bar.style.setProperty('--amount', String(amount));
  return h(`li.limit${isOver ? '.is-over' : ''}`, null, h('code', null, limit.limit), bar,
    h('span.num', null, limitWords(limit, isDenied)));
}

/** Empty sets are worth seeing: that nothing came before is often the reason. */
function inputsTable(inputs) {
  const words = (value) => {
    if (Array.isArray(value)) return value.length === 0 ? 'nothing' : value.map((one) => (one?.tool ? `${one.tool}${one.key ? ` ${one.key}` : ''}` : show(one)));
    if (value && typeof value === 'object') return Object.entries(value).map(([name, one]) => `${name} ${show(one)}`);
    return value;
  };
  const known = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, name === 'now' ? nowWords(value) : words(value)]));
  return argumentsTable(known, { label: 'What the rules saw' });
}

const nowWords = (value) => (Number.isFinite(value) ? new Date(value).toISOString() : value);

function proof(row, details) {
  const facts = [
    ['Decision', row.id], ['Number in the chain', row.seq], ['At', formatInstant(row.at)], ['Run', row.run], ['Call', row.call_id], ['Conversation', row.conversation],
    ['Key', row.key], ['Roles', row.roles?.join(', ')], ['Approval', row.approval ?? details.approval], ['Policies', details.policy], ['Rules that decided', details.ruling?.rules?.join(', ')],
    ['Rules with errors', details.ruling?.errors?.join(', ')], ['Arguments, SHA-256', row.arguments_digest], ['Shadow policies', details.shadow?.version],
  ].filter(([, value]) => value !== undefined && value !== null && value !== '');
  return h('div', null, h('dl.facts', null, ...facts.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, String(value))])),
    copyButton('Copy', () => facts.map(([name, value]) => `${name}: ${value}`).join('\n')));
}

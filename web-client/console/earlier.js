import { h } from '../shared/dom.js';
import { formatInstant } from '../shared/time.js';
import { show } from '../shared/values.js';
import { argumentsOf } from './approvals-model.js';
import { decisionMark } from './decision-words.js';
import { stateMark } from './panels.js';

const SHOWN_MAX = 6;
/** How long the decisions of a tool are kept: several cards of one tool ask at once. */
const KEPT_MS = 30_000;

/** Decisions of the same tool, for the cards of approvals: asked for once for all cards of a tool. */
export class EarlierDecisions {
  #cache = new Map();

  constructor(api, clock = Date.now) {
    this.api = api;
    this.clock = clock;
  }

  /** @returns {Promise<object[]>} */
  of({ tool, org }) {
    const key = `${org}|${tool}`;
    const known = this.#cache.get(key);
    if (known && this.clock() - known.at < KEPT_MS) return known.answer;
    const answer = this.api.decisions({ org, tool, kind: 'call', limit: 100 }).then((page) => page?.data ?? []);
    this.#cache.set(key, { at: this.clock(), answer });
    answer.catch(() => this.#cache.delete(key));
    return answer;
  }
}

export function earlierList(found, href) {
  return h('ul.earlier', null, ...found.slice(0, SHOWN_MAX).map((one) => h('li', null,
    h('a', { href: href('decisions', { id: one.id }) }, stateMark(...decisionMark(one)), h('span.earlier-args', null, summary(one)),
      h('time.num', { title: formatInstant(one.at) }, new Date(one.at).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' }))))));
}

const summary = (one) => Object.entries(argumentsOf(one) ?? {}).map(([name, value]) => `${name} ${show(value)}`).join(' · ').slice(0, 120);

import { h } from '../shared/dom.js';
import { stateMark } from './panels.js';
import { linesOf, severityMark } from './policies-model.js';

/** A file of policies with its lines numbered, and under a line what was found there. */
export function policyFile(file, findings, { chosen, href }) {
  const lines = linesOf(file, findings);
  const from = lines.findIndex((line) => line.rules.some((rule) => rule.id === chosen));
  // A rule ends where the next one begins.
  const next = from < 0 ? -1 : lines.findIndex((line, index) => index > from && line.rules.length > 0);
  const isChosen = (index) => from >= 0 && index >= from && (next < 0 || index < next);
  return h('ol.code-lines', { aria: { label: file.name } }, ...lines.flatMap((line, index) => {
    const classes = `${isChosen(index) ? '.is-lit' : ''}${index === from ? '.is-chosen-rule' : ''}${line.findings.length > 0 ? '.has-finding' : ''}`;
    const [rule] = line.rules;
    return [
      h(`li.line${classes}`, null, h('span.line-number.num', { aria: { hidden: 'true' } }, String(line.number)), h('code', null, ...pieces(line.text)),
        rule && h('a.line-rule', { href: href('decisions', { rule: rule.id }), title: `Decisions by ${rule.id}` }, 'decisions')),
      ...line.findings.map((finding) => h('li.line-finding', { data: { tone: severityMark(finding.severity)[2] } }, findingRow(finding))),
    ];
  }));
}

export function findingRow(finding, place = '') {
  return h(place ? 'li.finding' : 'div.finding', null, stateMark(...severityMark(finding.severity)),
    h('span', null, place && h('code', null, place, ' '), finding.message));
}

/** Comments, strings and words of the language look different; by text nodes alone. */
const PIECE = /(\/\/.*$)|("(?:[^"\\]|\\.)*")|(@\w+)|\b(permit|forbid|when|unless|principal|action|resource|context|in|is|has|like|if|then|else|true|false)\b/g;

/** The pieces of one line as text nodes and spans. */
export function pieces(text) {
  const out = [];
  let at = 0;
  for (const match of text.matchAll(PIECE)) {
    if (match.index > at) out.push(text.slice(at, match.index));
    const kind = match[1] ? 'comment' : match[2] ? 'string' : match[3] ? 'note' : 'word';
    out.push(h(`span.c-${kind}`, null, match[0]));
    at = match.index + match[0].length;
  }
  out.push(text.slice(at) || (out.length === 0 ? '\u00a0' : ''));
  return out;
}

import { h, icon } from '../shared/dom.js';
import { show } from '../shared/values.js';
import { clauseText, ruleMark, sortRules } from './decision-words.js';
import { stateMark } from './panels.js';

/** The rules that were looked at, and for each that did not apply the first clause that failed with the values it saw. */
export function rulesConsidered(rules, deciding, details, href) {
  if (!rules || rules.length === 0) return withoutRules(deciding, details);
  const sorted = sortRules(rules, deciding);
  const near = sorted.filter((rule) => rule.outcome !== 'out_of_scope');
  const far = sorted.filter((rule) => rule.outcome === 'out_of_scope');
  return h('div', null,
    h('ol.rules', null, ...near.map((rule) => ruleRow(rule, deciding, href))),
    far.length > 0 && h('details.rules-far', null,
      h('summary', null, h('span', null, `${far.length} ${far.length === 1 ? 'rule is' : 'rules are'} about other calls`), icon('chevron')),
      h('ul.far', null, ...far.map((rule) => h('li.id', null, rule.id, rule.clause && rule.clause !== 'action' ? ` (another ${rule.clause})` : '')))));
}

function ruleRow(rule, deciding, href) {
  const clause = clauseText(rule.clause);
  const values = Object.entries(rule.values ?? {});
  return h(`li.rule${deciding.includes(rule.id) ? '.is-deciding' : ''}`, null,
    h('p.rule-head', null, stateMark(...ruleMark(rule)), h('a', { href: href('policies', { rule: rule.id }) }, h('code', null, rule.id)),
      deciding.includes(rule.id) && h('span.tag', null, 'decided'), rule.shadow && h('span.tag', null, 'only tried')),
    clause && h('p.label', null, rule.outcome === 'not_satisfied' ? 'The first clause that fails' : rule.outcome === 'error' ? 'The clause that had the error' : 'Because of'),
    clause && h('pre.clause', { tabIndex: 0 }, h('code', null, clause)),
    values.length > 0 && h('ul.values', null, ...values.map(([name, value]) => h('li', null, h('code', null, name), ' is ', h('code.is-value', null, Array.isArray(value) && value.length === 0 ? 'empty' : show(value))))),
    rule.error && h('p.rule-error', null, rule.error),
    rule.outcome === 'satisfied' && rule.obligations?.length > 0 && h('ul.values', null, ...rule.obligations.map((one) => h('li', null, h('code', null, one)))));
}

/** Without an explanation (an older decision, other policies, no policies) the record itself tells which rules decided. */
function withoutRules(deciding, details) {
  const errors = details.ruling?.errors ?? [];
  return h('div', null,
    deciding.length > 0 ? h('p', null, 'Decided by ', ...deciding.flatMap((id, index) => [index > 0 ? ', ' : '', h('code', null, id)]), '.') : h('p', null, 'No rule is recorded.'),
    errors.length > 0 && h('p', null, `With an error: ${errors.join(', ')}.`),
    h('p.hint', null, 'Why the others did not apply is not known: the policies of that time are no longer loaded, or no policy decided.'));
}

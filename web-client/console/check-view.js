import { h } from '../shared/dom.js';
import { stateMark } from './panels.js';
import { checkVerdict, placeOf, sortFindings } from './policies-model.js';
import { findingRow } from './policy-file.js';

/**
 * What the server says of a set: whether it would load, what was found, which tests fail.
 * @param {{findings?: object[], tests?: object[]}} result
 * @param {(finding: object) => void} onshow goes to the line.
 */
export function checkView({ findings = [], tests = [] }, onshow) {
  const [word, sign, tone, text] = checkVerdict({ findings, tests });
  const failed = tests.filter((test) => !test.passed);
  return [
    h('p.dry-verdict', { data: { verdict: tone } }, stateMark(word, sign, tone), h('span', null, text)),
    findings.length > 0 && h('ul.findings', null, ...sortFindings(findings).map((finding) => {
      const row = findingRow(finding, placeOf(finding) || 'the set');
      if (finding.file && finding.line) row.append(h('button.quiet', { type: 'button', onclick: () => onshow(finding) }, 'Show'));
      return row;
    })),
    failed.length > 0 && h('ul.tests', null, ...failed.map((test) => h('li.test', null, stateMark('Fail', 'deny', 'cut'),
      h('div', null, h('p', null, test.name), h('p.hint', null, test.file), h('p.test-message', null, test.message))))),
  ].filter(Boolean);
}

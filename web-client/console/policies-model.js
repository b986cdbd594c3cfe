/** What the page of policies knows, without drawing it. Pure. */

/** Severity → word, icon, tone. */
export const SEVERITIES = { error: ['Error', 'deny', 'cut'], warning: ['Warning', 'alert', 'warning'], note: ['Note', 'help', 'muted'] };
export const severityMark = (severity) => SEVERITIES[severity] ?? SEVERITIES.note;

/**
 * The lines of a file with what is said of each.
 * @returns {{number: number, text: string, rules: object[], findings: object[]}[]}
 */
export function linesOf(file, findings = []) {
  const texts = String(file.text ?? '').replace(/\n$/, '').split('\n');
  const lines = texts.map((text, index) => ({ number: index + 1, text, rules: [], findings: [] }));
  const at = (line) => lines[Math.max(0, Math.min(lines.length - 1, (line ?? 1) - 1))];
  for (const rule of file.rules ?? []) at(rule.line).rules.push(rule);
  for (const finding of findings) if (finding.file === file.name) at(finding.line).findings.push(finding);
  return lines;
}

/** Findings that stand at no line of a file that is shown. */
export const looseFindings = (files, findings = []) => findings.filter((finding) => !files.some((file) => file.name === finding.file));

/** "refunds.cedar:8:10" */
export function placeOf({ file, line, column }) {
  return [file, line, line && column].filter(Boolean).join(':');
}

export const fileOfRule = (files, rule) => files.find((file) => (file.rules ?? []).some((one) => one.id === rule))?.name;

/** "2 files, 6 rules, 3 of 3 tests pass" */
export function summaryWords({ files = [], tests = [] }) {
  const rules = files.reduce((count, file) => count + (file.rules?.length ?? 0), 0);
  const passed = tests.filter((test) => test.passed).length;
  return [plural(files.length, 'file'), plural(rules, 'rule'), tests.length > 0 ? `${passed} of ${plural(tests.length, 'test')} pass` : 'no tests'].join(', ');
}

export const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

/** What keeps a set from loading first. */
export function sortFindings(findings) {
  const rank = ({ severity }) => ({ error: 0, warning: 1 })[severity] ?? 2;
  return [...findings].sort((a, b) => rank(a) - rank(b));
}

/** @returns {[string, string, string, string]} word, icon, tone, and a sentence on whether a set would load. */
export function checkVerdict({ findings = [], tests = [] }) {
  const errors = findings.filter((finding) => finding.severity === 'error');
  const failed = tests.filter((test) => !test.passed);
  if (errors.length > 0) return ['It does not load', 'deny', 'cut', `${plural(errors.length, 'error')}.`];
  if (failed.length > 0) return ['It would be refused', 'deny', 'cut', `${plural(failed.length, 'test')} of ${tests.length} ${failed.length === 1 ? 'fails' : 'fail'}.`];
  return ['It would load', 'check', 'done', tests.length > 0 ? `All ${plural(tests.length, 'test')} pass.` : 'There are no tests.'];
}

/** What the server says of files that it refuses to publish: it stands beside the error. */
export const refusedFindings = ({ body }) => ({ findings: body?.findings ?? [], tests: body?.tests ?? [] });

/** The files of a version as a list: the server keeps them as an object of texts by name. */
export const filesOfVersion = (files) => (Array.isArray(files) ? files : Object.entries(files ?? {}).map(([name, text]) => ({ name, text })));

const WORDS = { allow: 'allowed', deny: 'denied', approval: 'held for approval' };

/** "allowed by refund-small" */
export const rulingWords = ({ decision, rule }) => `${WORDS[decision] ?? decision}${rule ? ` by ${rule}` : ''}`;

/**
 * The differences by what changes into what, the most frequent first.
 * @returns {{was: string, now: string, rows: object[]}[]}
 */
export function groupDiffers(differs) {
  const groups = new Map();
  for (const row of differs) {
    const key = `${row.was.decision}|${row.now.decision}`;
    if (!groups.has(key)) groups.set(key, { was: WORDS[row.was.decision] ?? row.was.decision, now: WORDS[row.now.decision] ?? row.now.decision, rows: [] });
    groups.get(key).rows.push(row);
  }
  return [...groups.values()].sort((a, b) => b.rows.length - a.rows.length);
}

/** Where a line of a text begins and ends, to select it. @returns {[number, number]} */
export function lineRange(text, line) {
  const lines = text.split('\n');
  const index = Math.max(0, Math.min(lines.length - 1, (line ?? 1) - 1));
  const start = lines.slice(0, index).reduce((length, one) => length + one.length + 1, 0);
  return [start, start + lines[index].length];
}

/** A version is a SHA-256; its beginning is enough to tell it from another. */
export const shortVersion = (version) => String(version ?? '').slice(0, 12);

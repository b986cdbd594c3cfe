/** What is said of a decision. Pure. */

/** @returns {[string, string, string]} word, icon, tone. */
export function decisionMark({ decision }) {
  if (decision === 'allow') return ['Allowed', 'check', 'done'];
  if (decision === 'deny') return ['Denied', 'deny', 'cut'];
  return decision === 'approval' ? ['Needs approval', 'person', 'waiting'] : [String(decision ?? 'Decided'), 'help', 'muted'];
}

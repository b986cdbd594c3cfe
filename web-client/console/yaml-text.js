/** Settings as YAML in blocks, as a person would write them. Pure; it writes what JSON can hold and reads nothing. */

/** A word that YAML takes as text without quotes, and as nothing else: no number, no truth, no sign that means something. */
const PLAIN = /^[A-Za-z_./][A-Za-z0-9_./@-]*$/;
const MEANT = /^(true|false|null|yes|no|on|off|y|n|~)$/i;

const scalar = (value) => (typeof value !== 'string' ? String(value) : PLAIN.test(value) && !MEANT.test(value) ? value : JSON.stringify(value));
const isEmpty = (value) => value === null || typeof value !== 'object' || Object.keys(value).length === 0;
const short = (value) => (Array.isArray(value) ? '[]' : value !== null && typeof value === 'object' ? '{}' : scalar(value));

/** @returns {string} with a line break at its end; '' for nothing. */
export function yamlText(value) {
  if (isEmpty(value)) return value === null || value === undefined || typeof value === 'object' ? '' : `${scalar(value)}\n`;
  return `${block(value).join('\n')}\n`;
}

function block(value) {
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      if (isEmpty(item)) return [`- ${short(item)}`];
      const [first, ...rest] = block(item);
      return [`- ${first}`, ...rest.map((line) => `  ${line}`)];
    });
  }
  return Object.entries(value).flatMap(([key, member]) => (isEmpty(member) ? [`${scalar(key)}: ${short(member)}`]
    // Numbers and words of a list without structure stand on one line.
    : Array.isArray(member) && member.every((item) => item === null || typeof item !== 'object') ? [`${scalar(key)}: [${member.map(scalar).join(', ')}]`]
      : [`${scalar(key)}:`, ...block(member).map((line) => `  ${line}`)]));
}

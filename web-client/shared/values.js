import { formatDuration } from './time.js';

/** "120 ms", "1.2 s", "12 s", "3 min 4 s". */
export function elapsed(ms) {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1000) return `${whole} ms`;
  if (whole < 10000) return `${(Math.floor(whole / 100) / 10).toFixed(1)} s`;
  return formatDuration(Math.floor(whole / 1000) * 1000);
}

const IDENTIFIER = /(^|_)(id|key|doc|email|to|name|query|q)$/i;

/** The argument that identifies the thing: one that is named like it, else the first short value; its first line. */
export function identify(args) {
  const plain = (value) => ['string', 'number', 'boolean'].includes(typeof value) && value !== '';
  let value = plain(args) ? args : undefined;
  if (args && typeof args === 'object') {
    const members = Object.entries(args).filter(([, member]) => plain(member));
    value = (members.find(([name]) => IDENTIFIER.test(name)) ?? members[0])?.[1];
  }
  const text = String(value ?? '').trimStart().split('\n')[0];
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** A value as text that can be read: of text itself, else its JSON. */
export const show = (value) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));

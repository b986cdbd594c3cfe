/** Durations as "3 h 12 min", instants with their zone. Pure: the caller gives the clock. */

/** @param {number} ms @returns {string} the two largest units; never "0 s" for something still ahead. */
export function formatDuration(ms) {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return pair(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, 'h', minutes % 60, 'min');
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

const pair = (a, unitA, b, unitB) => (b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`);

/** "about 40 s": rounded so that it does not flicker; a second more or less is not known anyway. */
export function formatAbout(ms) {
  const seconds = ms / 1000;
  if (seconds < 10) return formatDuration(Math.max(1, Math.round(seconds)) * 1000);
  if (seconds < 120) return formatDuration(Math.round(seconds / 5) * 5000);
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** Accepts what the server may send for an instant: ISO text, seconds or milliseconds. @returns {number|null} ms */
export function parseInstant(value) {
  if (value === null || value === undefined || value === '' || value === 0) return null;
  if (typeof value === 'number' || /^\d+(\.\d+)?$/.test(value)) {
    const n = Number(value);
    return n < 1e11 ? n * 1000 : n;
  }
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? null : ms;
}

const two = (n) => String(n).padStart(2, '0');

/** "00:00 UTC", with the date when it is not today: windows roll in UTC, so their reset is told in UTC. */
export function formatReset(ms, now) {
  const at = new Date(ms);
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())} UTC`;
  if (ms - now < 24 * 3600 * 1000) return time;
  return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} ${time}`;
}

/** Local wall time, as on the person's own clock. */
export function formatClock(ms, withSeconds = false) {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}${withSeconds ? `:${two(at.getSeconds())}` : ''}`;
}

/** For a title: the full instant with its zone. */
export const formatInstant = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'long' });

/** "today", "yesterday", else the date: headings of the conversation list. */
export function dayLabel(ms, now) {
  const day = (t) => new Date(new Date(t).getFullYear(), new Date(t).getMonth(), new Date(t).getDate()).getTime();
  const days = Math.round((day(now) - day(ms)) / 86400000);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return 'This week';
  return new Date(ms).toLocaleDateString(undefined, { year: 'numeric', month: 'long' });
}

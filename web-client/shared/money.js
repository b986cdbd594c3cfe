/**
 * Money as the server means it: decimal strings, kept as integer nano-dollars (BigInt). A binary fraction never
 * holds an amount, so what the page adds up is what the ledger says.
 */
export const NANO_DIGITS = 9;
const NANO = 10n ** BigInt(NANO_DIGITS);

/**
 * @param {string|number|bigint|null|undefined} decimal such as "5.00"; digits beyond nano are cut off.
 * @returns {bigint|null} nano-dollars, or null when it is not a decimal.
 */
export function parseMoney(decimal) {
  if (typeof decimal === 'bigint') return decimal;
  const match = /^\s*(-?)(\d+)(?:\.(\d*))?\s*$/.exec(String(decimal ?? ''));
  if (!match) return null;
  const fraction = (match[3] ?? '').slice(0, NANO_DIGITS).padEnd(NANO_DIGITS, '0');
  const nano = BigInt(match[2]) * NANO + BigInt(fraction);
  return match[1] ? -nano : nano;
}

/**
 * @param {bigint} nano
 * @param {number} decimals shown; what is cut off rounds up, because a cost is never shown smaller than it is.
 */
export function formatMoney(nano, decimals = 2) {
  const negative = nano < 0n;
  const step = 10n ** BigInt(NANO_DIGITS - decimals);
  const rounded = ((negative ? -nano : nano) + step - 1n) / step;
  const unit = 10n ** BigInt(decimals);
  const whole = group(String(rounded / unit));
  const fraction = decimals > 0 ? `.${String(rounded % unit).padStart(decimals, '0')}` : '';
  return `${negative ? '−' : ''}$${whole}${fraction}`;
}

/** How many decimals a column needs so that its smallest limit still shows movement: the same for every row. */
export function columnDecimals(limits) {
  const known = limits.filter((limit) => limit !== null && limit > 0n);
  if (known.length === 0) return 6;
  const least = known.reduce((a, b) => (a < b ? a : b));
  if (least >= 1000n * NANO) return 2;
  if (least >= NANO / 2n) return 4;
  return 6;
}

/** A limit in a sentence: cents, or more decimals only when cents would change the amount. */
export function formatLimit(nano) {
  for (const decimals of [2, 4, 6]) {
    if (nano % 10n ** BigInt(NANO_DIGITS - decimals) === 0n) return formatMoney(nano, decimals);
  }
  return formatMoney(nano, NANO_DIGITS);
}

/** A price per million tokens, at least two decimals, without a tail of zeros. */
export function formatPrice(decimal) {
  const nano = parseMoney(decimal);
  if (nano === null) return null;
  const [whole, fraction] = formatMoney(nano, NANO_DIGITS).split('.');
  return `${whole}.${fraction.replace(/0+$/, '').padEnd(2, '0')}`;
}

/** Thousands separators; the same in every locale, so that a screenshot can be quoted. */
export const group = (digits) => digits.replace(/\B(?=(\d{3})+(?!\d))/g, ',');

export const formatCount = (n) => group(String(n));

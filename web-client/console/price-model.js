/** What is said of prices. Pure. */
import { formatCount, formatMoney, parseMoney } from '../shared/money.js';

const CLASSES = ['input_per_million', 'cache_read_per_million', 'cache_write_per_million', 'output_per_million', 'reasoning_per_million'];

/** Money of a column has as many decimals as the finest price of all rows, at least two. */
function decimals(rows) {
  const nano = rows.flatMap((row) => CLASSES.map((name) => parseMoney(row[name]))).filter((amount) => amount !== null);
  for (let places = 2; places < 9; places += 1) if (nano.every((amount) => amount % 10n ** BigInt(9 - places) === 0n)) return places;
  return 9;
}

/**
 * A row a model and one for each of its tiers.
 * @param {{model: string, price: object|null}[]} data
 * @returns {{model: string, above: number|null, words: string, prices: string[]|null}[]}
 */
export function priceRows(data) {
  const priced = data.flatMap(({ price }) => (price ? [price, ...(price.tiers ?? [])] : []));
  const places = decimals(priced);
  const texts = (row) => CLASSES.map((name) => { const nano = parseMoney(row[name]); return nano === null ? '–' : formatMoney(nano, places); });
  return data.flatMap(({ model, price }) => [
    { model, above: null, words: model, prices: price ? texts(price) : null },
    ...(price?.tiers ?? []).map((tier) => ({
      model, above: tier.prompt_tokens_above, words: `prompts above ${formatCount(tier.prompt_tokens_above)} tokens`, prices: texts(tier),
    })),
  ]);
}

/** What reading the file again came to. */
export const reloadedWords = ({ changed, version, models }) => (changed ? `New prices are in force: version ${version}, ${formatCount(models)} models.` : 'The file has not changed.');

/**
 * What a crossing of two books leaves, reckoned anew from decimal text: the asks of one against the bids of the other, level
 * by level, in big integers of one fixed scale. Slow and plain; it shares nothing with the detector that it is held against.
 * Bad case: a number with more digits than the scale; the reckoning throws rather than rounds.
 */

/** A level as the stream's client gives it. */
export type TextLevel = readonly [price: string, quantity: string];

/** What is left after both fees. Units of 10^-QUANTITY_DIGITS and 10^-PROFIT_DIGITS. */
export type Walked = { readonly quantity: bigint; readonly profit: bigint };

/** Digits of prices and of quantities. */
export const QUANTITY_DIGITS = 18;
/** Basis points have four digits themselves. */
const FEE_DIGITS = 8;
/** Digits of what is paid and got. */
export const PROFIT_DIGITS = 2 * QUANTITY_DIGITS + FEE_DIGITS;

const BPS_DIGITS = 4;
const WHOLE = 10n ** BigInt(FEE_DIGITS);

/** Decimal text as an integer. @throws RangeError when it is none, or has more digits */
export function units(text: string, digits: number): bigint {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? "";
  if (match === null || fraction.length > digits) {
    throw new RangeError(`Cannot reckon: it must be a decimal of at most ${digits} digits, was ${text}`);
  }
  return BigInt((match[1] ?? "") + fraction.padEnd(digits, "0"));
}

/**
 * Buys from one side and sells to the other as long as that leaves something.
 * @param asks of the book that is bought from, best first @param bids of the one that is sold to
 * @param feesBps of both, basis points, decimal text
 */
export function walkCrossing(
  { asks, bids }: { asks: readonly TextLevel[]; bids: readonly TextLevel[] },
  feesBps: { readonly buy: string; readonly sell: string },
): Walked {
  const paidShare = WHOLE + units(feesBps.buy, BPS_DIGITS);
  const gotShare = WHOLE - units(feesBps.sell, BPS_DIGITS);
  const asked = asks.map(([price, quantity]) => ({ price: units(price, 18), left: units(quantity, QUANTITY_DIGITS) }));
  const bidden = bids.map(([price, quantity]) => ({ price: units(price, 18), left: units(quantity, QUANTITY_DIGITS) }));
  let quantity = 0n;
  let profit = 0n;
  for (let [ask, bid] = [asked.shift(), bidden.shift()]; ask !== undefined && bid !== undefined; ) {
    const gain = bid.price * gotShare - ask.price * paidShare;
    if (gain <= 0n) {
      break;
    }
    const size = ask.left < bid.left ? ask.left : bid.left;
    quantity += size;
    profit += size * gain;
    ask.left -= size;
    bid.left -= size;
    ask = ask.left === 0n ? asked.shift() : ask;
    bid = bid.left === 0n ? bidden.shift() : bid;
  }
  return { quantity, profit };
}

/**
 * Arithmetic on the exact decimal strings of the stream: spread, midpoint, basis points, comparison, padding.
 * Digits become a bigint and a count of decimals, never a double, so what the page shows is what the exchange sent.
 * Bad case: `pixelValue` is a double; it places things on the screen and must never be printed as a price.
 */

/** An exact decimal: `units × 10^-decimals`. */
export type Decimal = { units: bigint; decimals: number };

/** A number as shown: what carries value, then the zeros that only fill up the column (dimmed on the page). */
export type PaddedText = { significant: string; filling: string };

const PLAIN_DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/**
 * Reads a plain decimal string.
 * @param text e.g. `63498.1`
 * @throws RangeError when it is no plain decimal
 */
export function parseDecimal(text: string): Decimal {
  const match = PLAIN_DECIMAL.exec(text);
  if (match === null) {
    throw new RangeError(`Cannot read a decimal: digits with at most one point expected, was ${text}`);
  }
  const [, sign, whole, fraction = ""] = match;
  return { units: BigInt(`${sign}${whole}${fraction}`), decimals: fraction.length };
}

/** Writes a decimal with all its decimals, e.g. units 10, decimals 2 → `0.10`. */
export function formatDecimal(value: Decimal): string {
  const sign = value.units < 0n ? "-" : "";
  const digits = (value.units < 0n ? -value.units : value.units).toString().padStart(value.decimals + 1, "0");
  if (value.decimals === 0) {
    return `${sign}${digits}`;
  }
  const point = digits.length - value.decimals;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** `left − right`, exact, with the more decimals of the two. */
export function subtractDecimals(left: string, right: string): Decimal {
  const [a, b, decimals] = align(left, right);
  return { units: a - b, decimals };
}

/** `left + right`, exact, with the more decimals of the two. */
export function addDecimals(left: string, right: string): Decimal {
  const [a, b, decimals] = align(left, right);
  return { units: a + b, decimals };
}

/** Halfway between two prices, exact: one decimal more than they have, when the sum is odd. */
export function midpoint(left: string, right: string): Decimal {
  const { units, decimals } = addDecimals(left, right);
  return units % 2n === 0n ? { units: units / 2n, decimals } : { units: units * 5n, decimals: decimals + 1 };
}

/** Negative, 0 or positive as `left` is below, equal to or above `right`. */
export function compareDecimals(left: string, right: string): number {
  const [a, b] = align(left, right);
  return a < b ? -1 : Number(a > b);
}

/**
 * The distance between two prices in basis points of their midpoint, rounded half away from zero.
 * @param bid a price above 0
 * @param ask a price above 0; below `bid` gives a negative answer
 * @param decimals how many to keep
 * @returns e.g. `0.02`; undefined when the midpoint is not above 0
 */
export function spreadBasisPoints(bid: string, ask: string, decimals: number): string | undefined {
  const [a, b] = align(ask, bid);
  const sum = a + b;
  if (sum <= 0n) {
    return undefined;
  }
  const scaled = (a - b) * 20_000n * 10n ** BigInt(decimals);
  const half = scaled < 0n ? -sum / 2n : sum / 2n;
  return formatDecimal({ units: (scaled + half) / sum, decimals });
}

/**
 * A number with its decimals filled up, so that the points of a column stand below each other.
 * @param decimals how many to show; more stay when the text has more
 */
export function padDecimals(text: string, decimals: number): PaddedText {
  const point = text.indexOf(".");
  const fraction = point < 0 ? "" : text.slice(point + 1);
  const kept = fraction.replace(/0+$/, "");
  const whole = point < 0 ? text : text.slice(0, point);
  const width = Math.max(decimals, fraction.length);
  const zeros = "0".repeat(width - kept.length);
  if (kept.length > 0) {
    return { significant: `${whole}.${kept}`, filling: zeros };
  }
  return { significant: whole, filling: width === 0 ? "" : `.${zeros}` };
}

/** A double near the number: for positions and lengths on the screen only. */
export function pixelValue(text: string): number {
  return Number(text);
}

function align(left: string, right: string): [bigint, bigint, number] {
  const a = parseDecimal(left);
  const b = parseDecimal(right);
  const decimals = Math.max(a.decimals, b.decimals);
  return [a.units * 10n ** BigInt(decimals - a.decimals), b.units * 10n ** BigInt(decimals - b.decimals), decimals];
}

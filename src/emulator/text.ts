/**
 * Integers and instants as the texts that exchanges send. Everything works on the digits, never through a division,
 * so that a price of 129034888.00 or a size of one lot comes out exactly. Bad case: an integer above 2^53; the market
 * never makes one, and these functions would print it in exponent form, hence the check where levels are drawn.
 */

const ZEROS = "000000000000000000";
const ZERO_CODE = 48;
const POINT_CODE = 46;

/** The last whole second printed: instants come in bursts. */
let lastSecond = Number.NaN;
let lastSecondText = "";

/**
 * An integer as a decimal with trailing zeros, e.g. 6350100 with 2 decimals padded to 8 is `63501.00000000`.
 * @param units ≥ 0, a safe integer, in units of 10^-decimals
 * @param decimals 0 … 18, digits after the point that `units` counts
 * @param padding digits after the point in the text, ≥ decimals
 */
export function paddedDecimal(units: number, decimals: number, padding: number): string {
  const plain = String(units);
  const digits = plain.length > decimals ? plain : plain.padStart(decimals + 1, "0");
  if (padding === 0) {
    return digits;
  }
  const cut = digits.length - decimals;
  const zeros = padding === decimals ? "" : ZEROS.slice(0, padding - decimals);
  return `${digits.slice(0, cut)}.${digits.slice(cut)}${zeros}`;
}

/**
 * An integer as a plain decimal without trailing zeros, e.g. 6350100 with 2 decimals is `63501`.
 * @param units ≥ 0, a safe integer, in units of 10^-decimals
 * @param decimals 0 … 18
 */
export function plainDecimal(units: number, decimals: number): string {
  const text = paddedDecimal(units, decimals, decimals);
  if (decimals === 0) {
    return text;
  }
  let end = text.length;
  while (text.charCodeAt(end - 1) === ZERO_CODE) {
    end -= 1;
  }
  return text.slice(0, text.charCodeAt(end - 1) === POINT_CODE ? end - 1 : end);
}

/** The smallest step of a number of decimals, e.g. 2 is `0.01` and 0 is `1`. @param padding digits after the point in the text */
export function stepText(decimals: number, padding = decimals): string {
  return paddedDecimal(1, decimals, padding);
}

/**
 * An instant as RFC 3339 with microseconds, e.g. `2026-07-07T22:58:17.050195Z`.
 * @param atUs Unix microseconds
 */
export function microTime(atUs: number): string {
  const second = Math.floor(atUs / 1_000_000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastSecondText = new Date(second * 1000).toISOString().slice(0, 20);
  }
  return `${lastSecondText}${String(1_000_000 + (atUs - second * 1_000_000)).slice(1, 7)}Z`;
}

/** An instant as RFC 3339 with nanoseconds. @param atUs Unix microseconds @param nanos 0 … 999, the last three digits */
export function nanoTime(atUs: number, nanos: number): string {
  return `${microTime(atUs).slice(0, -1)}${String(nanos).padStart(3, "0")}Z`;
}

/** JSON text of a client's request id that is echoed; anything but a number, a text or null is left out. */
export function echoedId(id: unknown): string | undefined {
  const isEchoed = id === null || typeof id === "string" || (typeof id === "number" && Number.isSafeInteger(id));
  return isEchoed ? JSON.stringify(id) : undefined;
}

/**
 * The JSON object in a client's message.
 * @param text as received
 * @returns undefined when it is not JSON, or JSON but not an object
 */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      return undefined;
    }
    throw cause;
  }
}

/** Whether a parsed JSON value is an object: neither an array nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The texts of a JSON array. @returns undefined when it is no array or holds anything but texts */
export function textArray(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}

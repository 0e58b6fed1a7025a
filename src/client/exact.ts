/**
 * Exact integers of 64 bits for plain JavaScript: a double as long as it holds the value, a BigInt beyond. Almost every
 * price and quantity is a double, hence the fast path costs what numbers cost, and nothing is ever rounded.
 * Bad case: comparing two of them by `===` where one came from a BigInt array; `normal` brings them to one form first.
 */

import { BITS, TWO_32 } from "./constants.ts";

/** An integer: a number when it is at most 2^53 − 1 either way, a BigInt otherwise. */
export type Exact = number | bigint;

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** The form that a value has here. */
export function normal(value: bigint): Exact {
  return value <= SAFE_MAX && value >= -SAFE_MAX ? Number(value) : value;
}

/** one + other as i64, wrapping as the kernel does. */
export function add(one: Exact, other: Exact): Exact {
  if (typeof one === "number" && typeof other === "number") {
    const sum = one + other;
    if (sum <= Number.MAX_SAFE_INTEGER && sum >= -Number.MAX_SAFE_INTEGER) {
      return sum;
    }
  }
  return normal(BigInt.asIntN(BITS, BigInt(one) + BigInt(other)));
}

/** Low 32 bits, signed. */
export function lowWord(value: Exact): number {
  return typeof value === "number" ? value | 0 : Number(BigInt.asIntN(32, value));
}

/** High 32 bits of the i64, signed. */
export function highWord(value: Exact): number {
  return typeof value === "number" ? Math.floor(value / TWO_32) | 0 : Number(BigInt.asIntN(32, value >> 32n));
}

/**
 * Plain decimal text of units of 10^-exponent, without exponent and trailing zeros.
 * @param exponent digits after the point, 0 … 18
 */
export function decimal(units: Exact, exponent: number): string {
  const text = String(units);
  if (exponent === 0) {
    return text;
  }
  const isNegative = text[0] === "-";
  const digits = (isNegative ? text.slice(1) : text).padStart(exponent + 1, "0");
  let end = digits.length;
  const point = end - exponent;
  while (end > point && digits[end - 1] === "0") {
    end--;
  }
  const whole = (isNegative ? "-" : "") + digits.slice(0, point);
  return end === point ? whole : `${whole}.${digits.slice(point, end)}`;
}

/**
 * The double that is nearest to units of 10^-exponent.
 * @param exponent digits after the point, 0 … 18
 */
export function nearest(units: Exact, exponent: number): number {
  // One division of two exact doubles is correctly rounded; text is, too, when the units are none.
  return typeof units === "number" ? units / 10 ** exponent : Number(decimal(units, exponent));
}

/**
 * Units of 10^-exponent that plain decimal text stands for.
 * @returns undefined when it is no plain decimal, no i64, or has more digits than the exponent, zeros at the end apart
 */
export function parseUnits(text: string, exponent: number): Exact | undefined {
  const match = /^(-?)(\d+)(?:\.(\d*?)0*)?$/.exec(text);
  const fraction = match?.[3] ?? "";
  if (match === null || fraction.length > exponent || text.endsWith(".")) {
    return undefined;
  }
  const digits = `${match[1]}${match[2]}${fraction.padEnd(exponent, "0")}`;
  const units = Number(digits);
  if (Number.isSafeInteger(units)) {
    return units + 0;
  }
  // Nineteen digits and a sign: what is longer is no i64, whatever it says.
  const exact = digits.length <= 20 ? BigInt(digits) : 1n << 64n;
  return BigInt.asIntN(BITS, exact) === exact ? normal(exact) : undefined;
}

/**
 * Exact numbers at the edges: 64-bit integers in memory become decimal text here and nowhere else on the way out.
 * BigInt is used, because these functions run where text is wanted anyway (JSON clients, pages, operators), never per
 * record of the binary path. Bad case: an exponent outside 0 … 18, which no instrument has; it throws RangeError.
 */
import { EXPONENT_MAX } from "../../assembly/layout.ts";

const POWERS = Array.from({ length: EXPONENT_MAX + 1 }, (_, power) => 10n ** BigInt(power));
const TWO_32 = 4_294_967_296;

/**
 * Writes an integer count of units of 10^-exponent as plain decimal text, without exponent and trailing zeros.
 * @param units ticks or lots
 * @param exponent digits after the point, 0 … 18
 * @returns e.g. `1774.14`; `0` for zero
 * @throws RangeError when the exponent is outside 0 … 18
 */
export function decimalText(units: bigint, exponent: number): string {
  if (exponent === 0) {
    return units.toString();
  }
  const power = powerOfTen(exponent);
  const negative = units < 0n;
  const size = negative ? -units : units;
  const fraction = size % power;
  const whole = `${negative ? "-" : ""}${size / power}`;
  return fraction === 0n ? whole : `${whole}.${trimZeros(fraction.toString().padStart(exponent, "0"))}`;
}

/**
 * Reads plain decimal text into units of 10^-exponent.
 * @param text as decimalText writes it; more digits than the exponent holds are refused unless they are zeros
 * @param exponent digits after the point, 0 … 18
 * @returns undefined when the text is not a plain decimal or has too many digits
 * @throws RangeError when the exponent is outside 0 … 18
 */
export function decimalUnits(text: string, exponent: number): bigint | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) {
    return undefined;
  }
  const [, sign, whole = "", written = ""] = match;
  const fraction = trimZeros(written);
  if (fraction.length > exponent) {
    return undefined;
  }
  const size = BigInt(whole) * powerOfTen(exponent) + BigInt(fraction.padEnd(exponent, "0") || "0");
  return sign === "-" ? -size : size;
}

/**
 * 10^power as a BigInt.
 * @param power 0 … 18
 * @throws RangeError outside that range
 */
export function powerOfTen(power: number): bigint {
  const value = POWERS[power];
  if (value === undefined) {
    throw new RangeError(`Cannot scale by a power of ten: the exponent must be 0 … ${EXPONENT_MAX}, was ${power}`);
  }
  return value;
}

/**
 * Reads a u64 as a number: for ring positions and counters, which stay below 2^53 for centuries.
 * @param memory over the linear memory
 * @param address 8-aligned byte address
 * @returns exact up to 2^53
 */
export function readCount(memory: DataView, address: number): number {
  return memory.getUint32(address + 4, true) * TWO_32 + memory.getUint32(address, true);
}

/**
 * Writes a number below 2^53 as a u64.
 * @param memory over the linear memory
 * @param address 8-aligned byte address
 */
export function writeCount(memory: DataView, address: number, count: number): void {
  memory.setUint32(address, count >>> 0, true);
  memory.setUint32(address + 4, Math.floor(count / TWO_32), true);
}

/** The u64 at an address as decimal text. */
export function u64Text(memory: DataView, address: number): string {
  return memory.getBigUint64(address, true).toString();
}

/** The i64 at an address as exact decimal text. @param exponent digits after the point, 0 … 18 */
export function fixedText(memory: DataView, address: number, exponent: number): string {
  return decimalText(memory.getBigInt64(address, true), exponent);
}

function trimZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 48) {
    end--;
  }
  return digits.slice(0, end);
}

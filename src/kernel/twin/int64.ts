/**
 * Exact 64-bit integer arithmetic on word pairs (low, high), because BigInt allocates and doubles end at 2^53. A result
 * stands in `RESULT` until the next call; values that a double holds exactly take one double operation.
 * Bad case: reading RESULT after another call in between: copy both words out at once.
 */

/** Low and high word of the last result. */
export const RESULT = new Int32Array(2);

/** Powers of ten that a double holds exactly; 64-bit powers are reached by two of them. */
export const POWERS = Float64Array.from({ length: 19 }, (_, power) => Number(`1e${power}`));

const TWO_32 = 4294967296;
const SAFE_HIGH = 0x200000;
const STEP_POWER = 6;
const STEP = 1000000;
const MIN_HIGH = -0x80000000;

/** The low word of the last result. */
export function resultLow(): number {
  return RESULT[0] as number;
}

/** The high word of the last result. */
export function resultHigh(): number {
  return RESULT[1] as number;
}

/** 10^power as a double. @param power 0 … 18 */
export function powerOfTen(power: number): number {
  return POWERS[power] as number;
}

/** Whether a double holds the value exactly (magnitude at most 2^53). */
export function isSafe(high: number): boolean {
  return high >= -SAFE_HIGH && high < SAFE_HIGH;
}

/** The value as a double; exact when `isSafe(high)`. */
export function toNumber(low: number, high: number): number {
  return high * TWO_32 + (low >>> 0);
}

/** RESULT = an integer of magnitude below 2^53. */
export function fromNumber(value: number): void {
  RESULT[0] = value;
  RESULT[1] = Math.floor(value / TWO_32);
}

/** Signed order. @returns below, at or above 0 */
export function compare(lowA: number, highA: number, lowB: number, highB: number): number {
  return highA === highB ? (lowA >>> 0) - (lowB >>> 0) : highA - highB;
}

/** Unsigned order. @returns below, at or above 0 */
export function compareUnsigned(lowA: number, highA: number, lowB: number, highB: number): number {
  return highA === highB ? (lowA >>> 0) - (lowB >>> 0) : (highA >>> 0) - (highB >>> 0);
}

/** RESULT = a + b, wrapping. */
export function add(lowA: number, highA: number, lowB: number, highB: number): void {
  const low = (lowA >>> 0) + (lowB >>> 0);
  RESULT[0] = low;
  RESULT[1] = highA + highB + (low >= TWO_32 ? 1 : 0);
}

/** RESULT = a − b, wrapping. */
export function subtract(lowA: number, highA: number, lowB: number, highB: number): void {
  const low = (lowA >>> 0) - (lowB >>> 0);
  RESULT[0] = low;
  RESULT[1] = highA - highB - (low < 0 ? 1 : 0);
}

/** RESULT = −a, wrapping. */
export function negate(low: number, high: number): void {
  subtract(0, 0, low, high);
}

/**
 * RESULT = value × 10^power.
 * @param power 0 … 18
 * @returns false when i64 would overflow; RESULT is undefined then
 */
export function multiplyByPower(low: number, high: number, power: number): boolean {
  if (isSafe(high)) {
    const product = toNumber(low, high) * powerOfTen(power);
    if (Math.abs(product) <= Number.MAX_SAFE_INTEGER) {
      fromNumber(product);
      return true;
    }
  }
  const isNegative = high < 0;
  magnitude(low, high);
  for (let rest = power; rest > 0; rest -= STEP_POWER) {
    if (!multiplyUnsigned(powerOfTen(Math.min(rest, STEP_POWER)))) {
      return false;
    }
  }
  return applySign(isNegative);
}

/**
 * RESULT = value ÷ 10^power, truncated towards zero.
 * @param power 0 … 18
 * @returns whether it divides without rest
 */
export function divideByPower(low: number, high: number, power: number): boolean {
  if (isSafe(high)) {
    const value = toNumber(low, high);
    const quotient = Math.trunc(value / powerOfTen(power));
    fromNumber(quotient);
    return quotient * powerOfTen(power) === value;
  }
  const isNegative = high < 0;
  magnitude(low, high);
  let isExact = true;
  for (let rest = power; rest > 0; rest -= STEP_POWER) {
    isExact = divideUnsigned(powerOfTen(Math.min(rest, STEP_POWER))) === 0 && isExact;
  }
  if (isNegative) {
    negate(resultLow(), resultHigh());
  }
  return isExact;
}

/** RESULT = |value| as unsigned 64 bits. */
export function magnitude(low: number, high: number): void {
  if (high < 0) {
    negate(low, high);
  } else {
    RESULT[0] = low;
    RESULT[1] = high;
  }
}

/** RESULT = RESULT × factor, unsigned. @param factor at most 10^6 @returns false when 64 bits overflow */
export function multiplyUnsigned(factor: number): boolean {
  const low = (resultLow() >>> 0) * factor;
  const high = (resultHigh() >>> 0) * factor + Math.floor(low / TWO_32);
  RESULT[0] = low % TWO_32;
  RESULT[1] = high % TWO_32;
  return high < TWO_32;
}

/** RESULT = RESULT ÷ divisor, unsigned. @param divisor at most 10^6 @returns the rest */
export function divideUnsigned(divisor: number): number {
  const high = resultHigh() >>> 0;
  const quotient = Math.floor(high / divisor);
  const low = (high - quotient * divisor) * TWO_32 + (resultLow() >>> 0);
  const lowQuotient = Math.floor(low / divisor);
  RESULT[0] = lowQuotient;
  RESULT[1] = quotient;
  return low - lowQuotient * divisor;
}

/** RESULT = RESULT as a signed number with that sign. @returns false when it does not fit i64 */
export function applySign(isNegative: boolean): boolean {
  const low = resultLow();
  const high = resultHigh();
  if (high < 0) {
    return isNegative && high === MIN_HIGH && low === 0;
  }
  if (isNegative) {
    negate(low, high);
  }
  return true;
}

/** RESULT = whole × 10^power + rest. @param whole below 10^9 @param power at most 9 @param rest below 10^9 */
export function joinDigits(whole: number, power: number, rest: number): void {
  const factor = powerOfTen(power);
  const low = (whole & 0x7fff) * factor + rest;
  const high = (whole >>> 15) * factor + Math.floor(low / 0x8000);
  RESULT[0] = (high % 0x20000) * 0x8000 + (low % 0x8000);
  RESULT[1] = high / 0x20000;
}

/** 10^6, the largest factor and divisor of the unsigned steps. */
export const UNSIGNED_STEP = STEP;

/** Exact decimals at the edges: text and integers must stand for the same number, both ways. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decimalText,
  decimalUnits,
  fixedText,
  powerOfTen,
  readCount,
  u64Text,
  writeCount,
} from "../../src/wire/numbers.ts";

const units = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const exponent = fc.integer({ min: 0, max: 18 });

describe("decimalText", () => {
  it.each([
    [0n, 8, "0"],
    [177_414n, 2, "1774.14"],
    [5n, 8, "0.00000005"],
    [12_903_488_800n, 2, "129034888"],
    [-25n, 1, "-2.5"],
    [-5n, 3, "-0.005"],
    [9_223_372_036_854_775_807n, 18, "9.223372036854775807"],
    [-9_223_372_036_854_775_808n, 0, "-9223372036854775808"],
  ])("writes %s units of 10^-%s as %s", (value, digits, text) => {
    expect(decimalText(value, digits)).toBe(text);
  });

  it("is read back as the same units when the exponent is the same", () => {
    fc.assert(
      fc.property(units, exponent, (value, digits) => {
        const text = decimalText(value, digits);
        expect(decimalUnits(text, digits)).toBe(value);
        expect(text).not.toMatch(/\.\d*0$|^-?0\d|e|\.$/);
      }),
    );
  });

  it("throws when the exponent is outside 0 … 18", () => {
    expect(() => decimalText(1n, 19)).toThrow(RangeError);
    expect(() => powerOfTen(-1)).toThrow("was -1");
  });
});

describe("decimalUnits", () => {
  it.each(["", "1e5", "+1", "1.", ".5", "0x10", " 1", "1,5", "NaN", "--1"])("refuses %j", (text) => {
    expect(decimalUnits(text, 8)).toBeUndefined();
  });

  it("refuses more digits than the exponent holds but not zeros behind them", () => {
    expect(decimalUnits("1.125", 2)).toBeUndefined();
    expect(decimalUnits("1.12000", 2)).toBe(112n);
    expect(decimalUnits("7", 0)).toBe(7n);
  });
});

describe("Counts in memory", () => {
  it("are written and read exactly when they are below 2^53", () => {
    const memory = new DataView(new ArrayBuffer(16));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (count) => {
        writeCount(memory, 8, count);
        expect(readCount(memory, 8)).toBe(count);
        expect(u64Text(memory, 8)).toBe(String(count));
      }),
    );
  });

  it("are text beyond 2^53 and fixed point with a sign", () => {
    const memory = new DataView(new ArrayBuffer(16));
    memory.setBigUint64(0, 2n ** 64n - 1n, true);
    memory.setBigInt64(8, -1050n, true);
    expect(u64Text(memory, 0)).toBe("18446744073709551615");
    expect(fixedText(memory, 8, 2)).toBe("-10.5");
  });
});

/**
 * The page's arithmetic on exact decimal strings, against decimal.js, and the texts it makes for people.
 */
import { Decimal } from "decimal.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addDecimals,
  compareDecimals,
  formatDecimal,
  midpoint,
  padDecimals,
  parseDecimal,
  spreadBasisPoints,
  subtractDecimals,
} from "../../src/dashboard/decimal_text.ts";
import {
  ageText,
  byteRate,
  clockText,
  countText,
  delayText,
  exchangeName,
  wholeText,
} from "../../src/dashboard/display_text.ts";

const Exact = Decimal.clone({ precision: 80, rounding: Decimal.ROUND_HALF_UP });

const decimalText = fc
  .tuple(fc.bigInt(1n, 2n ** 63n - 1n), fc.integer({ min: 0, max: 18 }))
  .map(([units, decimals]) => formatDecimal({ units, decimals }));

describe("decimal text", () => {
  test("formatDecimal writes what parseDecimal reads when any decimal goes both ways", () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 70n), 2n ** 70n), fc.integer({ min: 0, max: 18 }), (units, decimals) => {
        expect(parseDecimal(formatDecimal({ units, decimals }))).toEqual({ units, decimals });
      }),
    );
  });

  test("sum, difference, midpoint and order equal decimal.js when the operands have any decimals", () => {
    fc.assert(
      fc.property(decimalText, decimalText, (left, right) => {
        const [a, b] = [new Exact(left), new Exact(right)];
        expect(new Exact(formatDecimal(addDecimals(left, right))).eq(a.plus(b))).toBe(true);
        expect(new Exact(formatDecimal(subtractDecimals(left, right))).eq(a.minus(b))).toBe(true);
        expect(new Exact(formatDecimal(midpoint(left, right))).eq(a.plus(b).div(2))).toBe(true);
        expect(Math.sign(compareDecimals(left, right))).toBe(a.cmp(b));
      }),
    );
  });

  test("spreadBasisPoints equals decimal.js rounded half away from zero when prices are crossed or not", () => {
    fc.assert(
      fc.property(decimalText, decimalText, fc.integer({ min: 0, max: 6 }), (bid, ask, decimals) => {
        const [low, high] = [new Exact(bid), new Exact(ask)];
        const expected = high.minus(low).times(20_000).div(high.plus(low)).toDecimalPlaces(decimals);
        expect(new Exact(spreadBasisPoints(bid, ask, decimals) ?? "NaN").eq(expected)).toBe(true);
      }),
    );
  });

  test("padDecimals keeps every digit when it splits off the filling zeros", () => {
    expect(padDecimals("63498.1", 2)).toEqual({ significant: "63498.1", filling: "0" });
    expect(padDecimals("63498", 2)).toEqual({ significant: "63498", filling: ".00" });
    expect(padDecimals("100", 0)).toEqual({ significant: "100", filling: "" });
    expect(padDecimals("0.00123", 2)).toEqual({ significant: "0.00123", filling: "" });
    fc.assert(
      fc.property(decimalText, fc.integer({ min: -1, max: 18 }), (text, decimals) => {
        const { significant, filling } = padDecimals(text, decimals);
        expect(new Exact(significant + filling).eq(new Exact(text))).toBe(true);
        expect(significant.includes(".") && significant.endsWith("0")).toBe(false);
      }),
    );
  });

  test("parseDecimal throws when the text is no plain decimal", () => {
    for (const text of ["", "1e5", ".5", "1.", "+1", "1,000", "NaN", " 1"]) {
      expect(() => parseDecimal(text)).toThrow(RangeError);
    }
  });

  test("spreadBasisPoints is undefined when both prices are zero", () => {
    expect(spreadBasisPoints("0", "0.00", 2)).toBeUndefined();
  });
});

describe("display text", () => {
  test("rates, counts and delays are shortened when they are large", () => {
    expect([byteRate(0), byteRate(999), byteRate(1_234), byteRate(123_456), byteRate(999_600)]).toEqual([
      "0 B/s",
      "999 B/s",
      "1.23 kB/s",
      "123 kB/s",
      "1.00 MB/s",
    ]);
    expect([countText(9_999), countText(12_345), countText(4_560_000)]).toEqual(["9,999", "12.3k", "4.56M"]);
    expect([delayText(0.44), delayText(-3), delayText(38.4), delayText(1_240)]).toEqual([
      "0.4 ms",
      "-3.0 ms",
      "38 ms",
      "1.2 s",
    ]);
    expect([ageText(-4), ageText(59.9), ageText(125), ageText(11_520)]).toEqual([
      "0 s",
      "59 s",
      "2 min 5 s",
      "3 h 12 min",
    ]);
    expect(wholeText(1_234_567)).toBe("1,234,567");
  });

  test("an exchange id becomes a name when it has several words or a short one", () => {
    expect(["kraken", "coinbase_exchange", "binance_us"].map(exchangeName)).toEqual([
      "Kraken",
      "Coinbase Exchange",
      "Binance US",
    ]);
  });

  test("clockText shows a dash when the time is unknown", () => {
    expect(clockText(0)).toBe("–");
    expect(clockText(new Date(2026, 0, 2, 3, 4, 5, 6).getTime())).toBe("03:04:05.006");
  });
});

/**
 * The twin's decimal text against exact BigInt arithmetic: mantissa, digits as written and needed, the limits of i64,
 * exponents, and text again. Bad case: a value that loses its last digit in a double; every property draws 19-digit ones.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DECIMAL_DECIMALS,
  DECIMAL_MANTISSA,
  DECIMAL_NEEDED,
  DECIMAL_OK,
  DECIMAL_OVERFLOW,
  DECIMAL_SYNTAX,
  EXPONENT_MAX,
} from "../../assembly/layout.ts";
import { resultHigh, resultLow } from "../../src/kernel/twin/int64.ts";
import { createTwin } from "../../src/kernel/twin/mod.ts";
import { scaleMantissa } from "../../src/kernel/twin/quantize.ts";

const OUT = 0;
const TEXT = 64;
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);
const kernel = createTwin(new ArrayBuffer(4096));
const bytes = new Uint8Array(kernel.buffer);
const view = new DataView(kernel.buffer);

type Parsed = { code: number; mantissa: bigint; decimals: number; needed: number };

function parse(text: string): Parsed {
  bytes.set(new TextEncoder().encode(text), TEXT);
  const code = kernel.parseDecimal(TEXT, text.length, OUT);
  return {
    code,
    mantissa: view.getBigInt64(OUT + DECIMAL_MANTISSA, true),
    decimals: view.getInt32(OUT + DECIMAL_DECIMALS, true),
    needed: view.getInt32(OUT + DECIMAL_NEEDED, true),
  };
}

function format(value: bigint, exponent: number): string {
  view.setBigInt64(OUT, value, true);
  const length = kernel.formatDecimal(OUT, exponent, TEXT);
  return new TextDecoder().decode(bytes.slice(TEXT, TEXT + length));
}

/** Plain text of value × 10^−exponent, by BigInt. */
function plain(value: bigint, exponent: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = digits.slice(digits.length - exponent).replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

const int64 = fc.oneof(
  fc.bigInt({ min: MIN, max: MAX }),
  fc.bigInt({ min: -1000n, max: 1000n }),
  fc.constantFrom(MIN, MAX, 0n, 2n ** 53n, -(2n ** 53n) - 1n, 10n ** 18n),
);

describe("parseDecimal", () => {
  it("reads the exact value when the text is plain", () => {
    const digits = fc.array(fc.nat(9), { minLength: 1, maxLength: 12 }).map((list) => list.join(""));
    fc.assert(
      fc.property(fc.boolean(), digits, fc.option(digits), (isNegative, whole, fraction) => {
        const text = `${isNegative ? "-" : ""}${whole}${fraction === null ? "" : `.${fraction}`}`;
        const written = fraction?.length ?? 0;
        const parsed = parse(text);
        const value = BigInt(`${whole}${fraction ?? ""}`) * (isNegative ? -1n : 1n);
        const needed = (fraction ?? "").replace(/0+$/, "").length;
        if (value < MIN || value > MAX) {
          return;
        }
        expect(parsed.code).toBe(DECIMAL_OK);
        expect(parsed.needed).toBe(value === 0n ? 0 : needed);
        expect(parsed.mantissa * 10n ** BigInt(written - parsed.decimals)).toBe(value);
        expect(parsed.decimals).toBe(written);
      }),
    );
  });

  it("reads the exact value when the text has an exponent", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 12n }), fc.integer({ min: -6, max: 12 }), (mantissa, shift) => {
        const parsed = parse(`${mantissa}e${-shift}`);
        expect(parsed.code).toBe(DECIMAL_OK);
        expect(parsed.decimals).toBe(Math.max(0, shift));
        expect(parsed.mantissa).toBe(shift < 0 ? mantissa * 10n ** BigInt(-shift) : mantissa);
      }),
    );
  });

  it.each([
    ["4.9e-7", 49n, 8, 8],
    ["4.90E-7", 490n, 9, 8],
    ["1e3", 1000n, 0, 0],
    ["1000.00", 100000n, 2, 0],
    ["007", 7n, 0, 0],
    ["-0.50", -50n, 2, 1],
    ["9223372036854775807", MAX, 0, 0],
    ["-9223372036854775808", MIN, 0, 0],
    ["0.000000000000000001", 1n, 18, 18],
    ["0.10000000000000000000000", 1n, 1, 1],
    ["0.0000000000000000000000", 0n, 18, 0],
    ["0e999999", 0n, 0, 0],
    ["000000000000000000000000000012.5", 125n, 1, 1],
  ])("gives mantissa and digits when the text is %s", (text, mantissa, decimals, needed) => {
    expect(parse(text)).toEqual({ code: DECIMAL_OK, mantissa, decimals, needed });
  });

  it.each(["", "-", ".5", "5.", "+5", "1e", "1e+", " 1", "1 ", "1..2", "1.2.3", "0x1", "NaN", "--1", "1e1.5"])(
    "refuses the text when it is %j",
    (text) => expect(parse(text).code).toBe(DECIMAL_SYNTAX),
  );

  it.each([
    "9223372036854775808",
    "-9223372036854775809",
    "1e19",
    "1e-19",
    "0.0000000000000000001",
    "99999999999999999999",
  ])("reports an overflow when no i64 holds %s", (text) => expect(parse(text).code).toBe(DECIMAL_OVERFLOW));
});

describe("formatDecimal", () => {
  it("writes the shortest plain text when any i64 is given", () => {
    fc.assert(
      fc.property(int64, fc.integer({ min: 0, max: EXPONENT_MAX }), (value, exponent) => {
        expect(format(value, exponent)).toBe(plain(value, exponent));
      }),
    );
  });

  it("gives the value back when its text is parsed", () => {
    fc.assert(
      fc.property(int64, fc.integer({ min: 0, max: EXPONENT_MAX }), (value, exponent) => {
        const parsed = parse(format(value, exponent));
        expect(parsed.code).toBe(DECIMAL_OK);
        expect(parsed.mantissa * 10n ** BigInt(exponent - parsed.decimals)).toBe(value);
      }),
    );
  });
});

describe("scaleMantissa", () => {
  it("multiplies and divides exactly, or says that i64 overflows, when exponents differ", () => {
    const digits = fc.integer({ min: 0, max: EXPONENT_MAX });
    fc.assert(
      fc.property(int64, digits, digits, (value, from, to) => {
        const exact = from > to ? value * 10n ** BigInt(from - to) : value;
        const scaled = from > to ? value : value * 10n ** BigInt(to - from);
        fc.pre(exact >= MIN && exact <= MAX);
        view.setBigInt64(OUT, exact, true);
        const fits = scaleMantissa(view.getInt32(OUT, true), view.getInt32(OUT + 4, true), from, to);
        expect(fits).toBe(scaled >= MIN && scaled <= MAX);
        if (fits) {
          view.setInt32(OUT, resultLow(), true);
          view.setInt32(OUT + 4, resultHigh(), true);
          expect(view.getBigInt64(OUT, true)).toBe(scaled);
        }
      }),
    );
  });
});

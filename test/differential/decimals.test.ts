/**
 * 200,000 random decimals and the numbers of the captures' first frames through both kernels and back. Ten million, and
 * every number of every capture, are a long run (test/long/decimals.ts).
 * Bad case: a number that comes back changed; the message holds kernel and text, the seed stands here.
 */
import { describe, expect, it } from "vitest";
import { captureFiles, capturesPresent, readCapture } from "../support/captures.ts";
import { DecimalJudge, expectedOf, numbersIn, randomDecimal } from "../support/decimals.ts";
import { SeededRandom } from "../support/seeded_random.ts";

const DECIMALS = 200_000;
const LINES_PER_CAPTURE = 40;
const SEED = 20_261_122;

describe("decimal text", () => {
  it("comes back as the shortest text of the same number when it is random, on both kernels", () => {
    const judge = new DecimalJudge();
    const random = new SeededRandom(SEED);
    for (let index = 0; index < DECIMALS; index++) {
      judge.judge(randomDecimal(random));
    }
    const { numbers, overflows, syntaxErrors } = judge.counts;
    expect(numbers + overflows + syntaxErrors).toBe(DECIMALS);
    expect(numbers).toBeGreaterThan(DECIMALS / 2);
    expect(overflows).toBeGreaterThan(DECIMALS / 20);
    expect(syntaxErrors).toBeGreaterThan(DECIMALS / 100);
  });

  it.skipIf(!capturesPresent())("comes back when an exchange wrote it", () => {
    const judge = new DecimalJudge();
    const lines = captureFiles().flatMap((file) => readCapture(file).slice(0, LINES_PER_CAPTURE));
    const numbers = lines.flatMap(({ data = "" }) => numbersIn(data));
    for (const number of numbers) {
      judge.judge(number);
    }
    expect(judge.counts.numbers).toBeGreaterThan(10_000);
    expect(judge.counts.syntaxErrors).toBe(0);
    // Kraken numbers its connections with all of 64 bits; no price and no quantity is that large.
    const tooLarge = numbers.filter((number) => expectedOf(number).kind === "overflow");
    expect(tooLarge.filter((number) => !/^\d{20}$/.test(number))).toEqual([]);
  });
});

describe("the arithmetic that judges it", () => {
  it.each([
    ["4.9e-7", { units: 49n, decimals: 8, needed: 8, text: "0.00000049" }],
    ["1774.140000", { units: 1_774_140_000n, decimals: 6, needed: 2, text: "1774.14" }],
    ["-0.00", { units: 0n, decimals: 2, needed: 0, text: "0" }],
    ["12e2", { units: 1200n, decimals: 0, needed: 0, text: "1200" }],
    ["9223372036854775807", { units: 9_223_372_036_854_775_807n, decimals: 0, needed: 0, text: "9223372036854775807" }],
    [
      "9223372036854775807.0",
      { units: 9_223_372_036_854_775_807n, decimals: 0, needed: 0, text: "9223372036854775807" },
    ],
    ["0.000000000000000001", { units: 1n, decimals: 18, needed: 18, text: "0.000000000000000001" }],
  ])("knows what %s is when it is a number", (text, expected) => {
    expect(expectedOf(text)).toEqual({ kind: "number", ...expected });
  });

  it.each(["9223372036854775808", "-9223372036854775809", "1e-19", "1e19", "0.0000000000000000001", "1e999999999"])(
    "knows that %s is beyond i64 or 18 decimals when it is read",
    (text) => {
      expect(expectedOf(text)).toEqual({ kind: "overflow" });
    },
  );

  it.each(["", "+1", ".5", "5.", "1e", "0x1", "1,0", "-"])("knows that %j is no decimal when it is read", (text) => {
    expect(expectedOf(text)).toEqual({ kind: "syntax" });
  });
});

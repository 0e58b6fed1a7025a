/**
 * The parts of the load tests: bounds of flags, the histogram, the reckoning of crossings, and the judges, each of which is
 * shown what it must find. Bad case: a judge that finds nothing wrong with anything.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Agreement } from "../../src/load/agreement.ts";
import { compareWithTruth } from "../../src/load/arbitrage_judge.ts";
import { CrossingWatch, LOAD_PAIRS, loadInstruments, Planter } from "../../src/load/arbitrage_plants.ts";
import { PROFIT_DIGITS, QUANTITY_DIGITS, type TextLevel, units, walkCrossing } from "../../src/load/arbitrage_walk.ts";
import { boundedNumber } from "../../src/load/bounds.ts";
import { LATENCY_MS_MAX, Latencies } from "../../src/load/histogram.ts";
import { judgeReader } from "../../src/load/memory_load.ts";
import { MARK_CEILING, MARK_PRICES, markLots, markPrice } from "../../src/load/memory_marks.ts";
import type { MemoryEnd } from "../../src/load/memory_producer.ts";
import type { MemoryFindings } from "../../src/load/memory_reader.ts";
import { atLeast, atMost, loadReport } from "../../src/load/report.ts";
import { checkTarget } from "../../src/load/stream_load.ts";
import { isLoopback } from "../../src/model/addresses.ts";

describe("A number of the command line", () => {
  it("is taken within its bounds and refused with them otherwise", () => {
    expect(boundedNumber("--rate", "20", { min: 1, max: 20 })).toBe(20);
    expect(boundedNumber("--seconds", "0.5", { min: 0.1, max: 2, isWhole: false })).toBe(0.5);
    for (const text of ["21", "0", "1.5", "x", "", "Infinity"]) {
      expect(() => boundedNumber("--rate", text, { min: 1, max: 20 })).toThrow(
        `Cannot use --rate: it must be a whole number from 1 to 20, was ${text}`,
      );
    }
  });
});

describe("The target of a load", () => {
  it("is this machine unless another is meant", () => {
    expect(["localhost", "127.0.0.1", "127.8.9.10", "[::1]"].map(isLoopback)).toEqual([true, true, true, true]);
    const others = ["127.0.0.1.example.com", "127.0.0.256", "127.0.0.01", "10.0.0.1", "example.com", ""];
    expect(others.filter(isLoopback)).toEqual([]);
    checkTarget("ws://127.0.0.1:8765/ws", false);
    checkTarget("wss://example.com/ws", true);
    expect(() => checkTarget("ws://example.com/ws", false)).toThrow("add --remote if that is meant");
    expect(() => checkTarget("http://127.0.0.1/", false)).toThrow("--url must be ws:// or wss://");
  });
});

describe("The histogram", () => {
  it("tells quantiles within a sixty-fourth of those of the sorted samples when merged from two", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000_000 }), { minLength: 1, maxLength: 300 }), (samplesUs) => {
        const [one, other] = [new Latencies(), new Latencies()];
        for (const [index, us] of samplesUs.entries()) {
          (index % 2 === 0 ? one : other).record(us / 1000);
        }
        one.merge(other.counts());
        const sorted = [...samplesUs].sort((first, second) => first - second);
        for (const part of [0.5, 0.99, 1]) {
          const exact = (sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0) / 1000;
          expect(one.quantile(part)).toBeGreaterThanOrEqual(exact * (1 - 1 / 64) - 0.001);
          expect(one.quantile(part)).toBeLessThanOrEqual(exact * (1 + 1 / 64) + 0.001);
        }
        const max = (sorted.at(-1) ?? 0) / 1000;
        expect(one.report()).toMatchObject({ count: samplesUs.length, negative: 0, max });
      }),
    );
  });

  it("counts a span below zero apart when clocks differ", () => {
    const latencies = new Latencies();
    latencies.record(-1);
    expect(latencies.report()).toMatchObject({ count: 1, negative: 1, max: 0 });
  });

  it("counts a span as the longest when it is longer", () => {
    const latencies = new Latencies();
    latencies.record(LATENCY_MS_MAX + 1e6);
    expect(latencies.report().max).toBeCloseTo(LATENCY_MS_MAX, -1);
  });
});

describe("The marks of shared memory", () => {
  it("differ between neighbouring versions and between books", () => {
    for (let version = 1; version < 500; version++) {
      expect(markPrice(version, 0)).toBeGreaterThan(MARK_CEILING - MARK_PRICES);
      expect(markPrice(version, 0)).toBeLessThanOrEqual(MARK_CEILING);
      expect(markLots(version, 0)).not.toBe(markLots(version + 1, 0));
      expect(markLots(version, 0)).not.toBe(markLots(version, 1));
    }
  });
});

const END: MemoryEnd = {
  deltas: 10,
  trades: 2,
  marked: 8,
  seconds: 1,
  lateMsMax: 0,
  versions: { "BTC-USD": 9 },
};
const FINDINGS: MemoryFindings = {
  deltas: { received: 7, lost: 3 },
  trades: { received: 2, lost: 0 },
  laps: 1,
  verified: 7,
  books: { "BTC-USD": { version: "9", hash: 5, isSynced: true } },
  lastHashes: { "BTC-USD": 5 },
  problems: [],
  latency: { counts: [], maxNs: 0, negative: 0 },
};

describe("The judge of a reader", () => {
  it("finds nothing when all is received or lost and the book is the producer's", () => {
    expect(judgeReader(FINDINGS, END)).toEqual([]);
  });

  it("names what is missing, another version, another hash, and what the reader found", () => {
    const wrong = (change: Partial<MemoryFindings>) => judgeReader({ ...FINDINGS, ...change }, END);
    expect(wrong({ deltas: { received: 7, lost: 2 } })).toEqual(["7 received + 2 lost deltas is not 10 published"]);
    expect(wrong({ trades: { received: 3, lost: 0 } })).toEqual(["3 received + 0 lost trades is not 2 published"]);
    expect(wrong({ books: {} })).toHaveLength(1);
    expect(wrong({ books: { "BTC-USD": { version: "8", hash: 5, isSynced: true } } })).toHaveLength(1);
    expect(wrong({ lastHashes: { "BTC-USD": 6 } })).toHaveLength(1);
    expect(wrong({ books: { "BTC-USD": { version: "9", hash: 5, isSynced: false } } })).toEqual([
      "BTC-USD: the book ended at version 9 and is not synced",
    ]);
    expect(wrong({ problems: ["torn"] })).toEqual(["torn"]);
  });
});

describe("The reckoning of a crossing", () => {
  const fees = { buy: "10", sell: "10" };

  it("takes levels of both sides as long as they leave something", () => {
    const asks: TextLevel[] = [
      ["100", "1"],
      ["101", "1"],
      ["105", "9"],
    ];
    const bids: TextLevel[] = [
      ["104", "1.5"],
      ["100", "9"],
    ];
    const { quantity, profit } = walkCrossing({ asks, bids }, fees);
    expect(quantity).toBe(units("1.5", QUANTITY_DIGITS));
    // 1 × (104 × 0.999 − 100 × 1.001) + 0.5 × (104 × 0.999 − 101 × 1.001)
    expect(profit).toBe(units("5.1935", PROFIT_DIGITS));
  });

  it("is nothing when fees eat it, and refuses more digits than it can hold", () => {
    expect(walkCrossing({ asks: [["100", "1"]], bids: [["100.2", "1"]] }, fees).quantity).toBe(0n);
    expect(() => units("0.1234567890123456789", 18)).toThrow("at most 18 digits");
    expect(() => units("-1", 18)).toThrow(RangeError);
  });
});

describe("What was told of arbitrage, held against the truth,", () => {
  const limits = { holdMs: 1000, slackMs: 100 };
  const crossing = (lane: string, fromMs: number, untilMs: number) => ({ lane, fromMs, untilMs });
  /** Everything arrives 5 ms after the gateway's stamp. */
  const told = (lane: string, fromMs: number, untilMs: number) => ({ lane, fromMs, heardMs: fromMs + 5, untilMs });

  it("is good when every lasting crossing was told and nothing else", () => {
    const truth = { sure: [crossing("a", 0, 2000), crossing("b", 0, 10)], possible: [crossing("a", 0, 2500)] };
    const verdict = compareWithTruth([told("a", 40, 2100)], truth, limits);
    expect(verdict).toMatchObject({ due: 1, seen: 1, problems: [] });
    expect(verdict.delays.report()).toMatchObject({ count: 1, max: 45, negative: 0 });
  });

  it("is bad when a crossing was not told, or told on another lane or at another time", () => {
    const truth = { sure: [crossing("a", 0, 2000)], possible: [crossing("a", 0, 2500)] };
    expect(compareWithTruth([], truth, limits).problems).toEqual(["a crossed for 2000 ms and was not told"]);
    expect(compareWithTruth([told("c", 0, 2000)], truth, limits).problems).toHaveLength(2);
    expect(compareWithTruth([told("a", 9000, 9500)], truth, limits).problems).toHaveLength(2);
  });

  it("is bad when all that was told of a lasting crossing ended before it began", () => {
    const truth = { sure: [crossing("a", 2000, 4000)], possible: [crossing("a", 100, 4000)] };
    const verdict = compareWithTruth([told("a", 0, 500)], truth, { holdMs: 1000, slackMs: 3000 });
    expect(verdict).toMatchObject({ due: 1, seen: 0, problems: ["a crossed for 2000 ms and was not told"] });
  });

  it("is good and told apart when a crossing was told before it was sure", () => {
    const truth = { sure: [crossing("a", 1000, 3000)], possible: [crossing("a", 0, 3000)] };
    const verdict = compareWithTruth([told("a", 500, 3000)], truth, limits);
    expect(verdict).toMatchObject({ seen: 1, problems: [] });
    expect(verdict.delays.report()).toMatchObject({ count: 1, negative: 1 });
  });
});

describe("The truth of the arbitrage market", () => {
  it("has a crossing from the event that made it to the one that ended it", () => {
    const watch = new CrossingWatch();
    const [coinbase, kraken] = ["coinbase_exchange:BTC-USD", "kraken:BTC-USD"];
    watch.update(coinbase, { bid: 999, ask: 1001, atMs: 0 });
    watch.update(kraken, { bid: 999, ask: 1001, atMs: 100 });
    watch.update(kraken, { bid: 1020, ask: 1022, atMs: 200 });
    watch.update(kraken, { bid: 999, ask: 1001, atMs: 700 });
    watch.finish(1000);
    const lane = `${coinbase} > ${kraken}`;
    expect(watch.sure).toEqual([{ lane, fromMs: 200, untilMs: 700 }]);
    expect(watch.possible).toEqual([{ lane, fromMs: 200, untilMs: 700 }]);
  });

  it("is not sure of a crossing when one of its books is old", () => {
    const watch = new CrossingWatch();
    watch.update("binance:BTC-USD", { bid: 999, ask: 1001, atMs: 0 });
    watch.update("kraken:BTC-USD", { bid: 1020, ask: 1022, atMs: 200 });
    watch.expire(1500);
    watch.finish(5000);
    expect(watch.sure.map(({ untilMs }) => untilMs)).toEqual([1500]);
    expect(watch.possible.map(({ untilMs }) => untilMs)).toEqual([5000]);
  });

  it("plants alike for equal seeds, at one exchange of a pair at a time, and takes it back", () => {
    const plantsOf = (seed: number) => {
      const instruments = loadInstruments(LOAD_PAIRS.slice(0, 3));
      const planter = new Planter(instruments, seed);
      for (let nowMs = 0; nowMs < 4; nowMs++) {
        planter.plant(nowMs);
      }
      const shifted = instruments.filter(({ basisMillionths }) => basisMillionths !== 0);
      expect(new Set(shifted.map(({ base, quote }) => `${base}-${quote}`)).size).toBe(shifted.length);
      planter.expire(1e9);
      expect(instruments.every(({ basisMillionths }) => basisMillionths === 0)).toBe(true);
      return planter.plants;
    };
    expect(plantsOf(1)).toHaveLength(3);
    expect(plantsOf(1)).toEqual(plantsOf(1));
    expect(plantsOf(2)).not.toEqual(plantsOf(1));
  });
});

describe("What several clients hold", () => {
  it("is compared with another client's at the same version only", () => {
    const agreement = new Agreement();
    agreement.take("a", { version: "1", hash: 5 }, 0);
    agreement.take("a", { version: "1", hash: 5 }, 0);
    agreement.take("a", { version: "2", hash: 6 }, 1);
    agreement.take("b", { version: "1", hash: 7 }, 1);
    expect(agreement).toMatchObject({ compared: 0, problems: [] });
    agreement.take("a", { version: "1", hash: 5 }, 1);
    agreement.take("a", { version: "2", hash: 9 }, 0);
    expect(agreement).toMatchObject({ compared: 2, problems: ["a at version 2: hashes 6 and 9"] });
  });

  it("is forgotten when it is old or its book is no longer synced", () => {
    const agreement = new Agreement();
    for (let version = 1; version <= 2000; version++) {
      agreement.take("a", { version: String(version), hash: 5 }, 0);
    }
    agreement.take("a", { version: "1", hash: 6 }, 1);
    agreement.forget("a");
    agreement.take("a", { version: "2000", hash: 6 }, 1);
    expect(agreement).toMatchObject({ compared: 0, problems: [] });
  });
});

describe("A report", () => {
  const about = { what: "x", command: "alphapulse load x" };
  const outcome = { isComplete: true, seconds: 1, problems: [], figures: { count: 3 } };

  it("is good when every threshold is met and nothing is wrong", () => {
    expect(loadReport(about, { ...outcome, thresholds: [atMost("a", 1, 1), atLeast("b", 1, 1)] })).toMatchObject({
      ...about,
      isGood: true,
      count: 3,
    });
  });

  it("is not good when a threshold is missed, has no figure, or something is wrong", () => {
    const isGood = (change: object) => loadReport(about, { ...outcome, thresholds: [], ...change }).isGood;
    expect(isGood({ thresholds: [atMost("a", 2, 1)] })).toBe(false);
    expect(isGood({ thresholds: [atLeast("a", Number.NaN, 1)] })).toBe(false);
    expect(isGood({ problems: ["torn"] })).toBe(false);
  });
});

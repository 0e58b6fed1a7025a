/**
 * The audit, end to end: real collectors and kernels on the emulator in memory, virtual time. What is wrong is found within
 * the exported period and repaired by one resync of that book; what is only in motion, late or stale is left alone.
 * Bad case: a test that asks right after planting; the audit has its period.
 */
import { describe, expect, it } from "vitest";
import { AUDIT_FAILED, AUDIT_MATCH, SIDE_ASK, STATE_SYNCED } from "../../assembly/layout.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import { TruthWatch } from "../support/audit_truth.ts";
import { AuditWorld, type AuditWorldOptions } from "../support/audit_world.ts";

const SMALL = { books: 2, levels: 200, rate: 2, seed: 11, kernelName: "twin" } as const;
const PERIOD_MS = 60_000;
/** Binance.US speaks Binance's protocol. */
const EXCHANGES_HERE = ["coinbase_exchange", "kraken", "binance"] as const;

function start(exchange: ExchangeId, options: Partial<AuditWorldOptions> = {}): Promise<AuditWorld> {
  return AuditWorld.start({ ...SMALL, exchange, ...(exchange === "kraken" ? { depth: 100 } : {}), ...options });
}

describe.each(EXCHANGES_HERE)("the audit of %s", (exchange) => {
  it("finds nothing on a moving market and shows period, time and outcome when it runs", async () => {
    const world = await start(exchange);
    await world.run(75_000);
    const { audits, mismatches, inconclusive, failures, resyncs } = world.counts();
    expect([mismatches, inconclusive, failures, resyncs, world.falseAlarms]).toEqual([0, 0, 0, 0, []]);
    expect(audits).toBeGreaterThanOrEqual(SMALL.books);
    for (const entry of world.entries()) {
      const { auditPeriodMs, auditOutcome, auditedAtNs } = entry;
      expect([auditPeriodMs, auditOutcome, auditedAtNs > 0n]).toEqual([PERIOD_MS, AUDIT_MATCH, true]);
    }
    await world.stop();
  });

  it("finds one wrong level within the period and resyncs that book alone, once, when one is planted", async () => {
    const world = await start(exchange, { rate: 0.1 });
    await world.run(20_000);
    const [victim, ...others] = world.entries();
    const planted = world.plantIn(victim?.native ?? "", { side: SIDE_ASK, rank: 75, kind: "quantity" });
    await world.run(PERIOD_MS + 2000);
    expect([planted?.end, world.counts().mismatches, world.counts().resyncs]).toEqual(["audit", 1, 1]);
    expect(planted?.afterMs).toBeLessThanOrEqual(PERIOD_MS);
    await world.run(PERIOD_MS / 2);
    expect([world.counts().mismatches, world.counts().resyncs, world.falseAlarms]).toEqual([1, 1, []]);
    expect(world.entries().map(({ state }) => state)).toEqual([STATE_SYNCED, STATE_SYNCED]);
    const since = new Map(world.entries().map(({ native, sinceNs }) => [native, sinceNs]));
    expect(others.map(({ native }) => since.get(native))).toEqual(others.map(({ sinceNs }) => sinceNs));
    await world.stop();
  });

  it("raises no false alarm and counts every outcome when REST is stale, slow, cut, refusing or silent", async () => {
    const faults = [
      { kind: "rest_stale", probability: 0.5, age_ms: 5000 },
      { kind: "rest_slow", probability: 0.3, ms: 4000 },
      { kind: "rest_truncated", probability: 0.1 },
      { kind: "rest_error", probability: 0.1 },
      { kind: "rest_timeout", probability: 0.05 },
      { kind: "rest_429", probability: 0.03, retry_after_s: 5 },
    ].map((fault) => ({ ...fault, exchange, at_ms: 5000 }));
    const world = await start(exchange, { faults, books: 4, rate: 1, kernelName: "wasm" });
    await world.run(240_000);
    const { audits, mismatches, failures } = world.counts();
    expect([mismatches, world.falseAlarms]).toEqual([0, []]);
    expect([audits, failures].every((count) => count > 0)).toBe(true);
    await world.stop();
  });

  it("misses none of many wrong levels when they are planted in several books", async () => {
    const world = await start(exchange, { books: 4, rate: 0.3, kernelName: "wasm" });
    for (let round = 0; round < 10; round++) {
      await world.run(6000);
      world.plant();
    }
    await world.run(PERIOD_MS + 2000);
    const { missed, open, audit } = world.ends();
    expect([missed, open, world.falseAlarms]).toEqual([0, 0, []]);
    expect(audit).toBeGreaterThan(0);
    await world.stop();
  });
});

describe("the audit", () => {
  it("counts failures and leaves the book alone when REST never answers well", async () => {
    const faults = [{ kind: "rest_error", exchange: "coinbase_exchange", probability: 1 }];
    const world = await start("coinbase_exchange", { faults });
    await world.run(120_000);
    const { audits, failures, resyncs } = world.counts();
    expect([audits, resyncs]).toEqual([0, 0]);
    expect(failures).toBeGreaterThanOrEqual(SMALL.books);
    expect(world.entries().map(({ auditOutcome }) => auditOutcome)).toEqual([AUDIT_FAILED, AUDIT_FAILED]);
    await world.stop();
  });

  it.each(["coinbase_exchange", "kraken", "binance"] as const)(
    "finds within the period what a level missing in a valid frame of %s left behind",
    async (exchange) => {
      const faults = [
        { kind: "level_missing", exchange, instrument: "*", where: "deep", per_second: 0.5, at_ms: 3000 },
      ];
      const world = await start(exchange, { faults, rate: 2, kernelName: "wasm" });
      const truth = new TruthWatch(world);
      for (let passed = 0; passed < 250_000; passed += 1000) {
        await world.run(1000);
        truth.sample();
      }
      expect(world.counts().mismatches).toBeGreaterThan(0);
      expect(truth.longestMs).toBeGreaterThan(5000);
      expect(truth.longestMs).toBeLessThanOrEqual(PERIOD_MS);
      await world.stop();
    },
  );

  it("finds a lost delete on Coinbase when its whole frame is dropped, and nothing while a book is crossed in an auction", async () => {
    const exchange = "coinbase_exchange";
    const faults = [{ kind: "auction", exchange, at_ms: 2000, for_ms: 200_000 }];
    const calm = await start(exchange, { faults, rate: 2 });
    await calm.run(180_000);
    expect([calm.counts().mismatches, calm.falseAlarms]).toEqual([0, []]);
    expect(calm.counts().audits).toBeGreaterThan(0);
    await calm.stop();
    const dropping = [{ kind: "drop", exchange, instrument: "*", frames: ["book"], per_second: 0.3, at_ms: 3000 }];
    const world = await start(exchange, { faults: dropping, rate: 2 });
    const truth = new TruthWatch(world);
    for (let passed = 0; passed < 250_000; passed += 1000) {
      await world.run(1000);
      truth.sample();
    }
    expect(world.counts().mismatches).toBeGreaterThan(0);
    expect(truth.longestMs).toBeLessThanOrEqual(PERIOD_MS);
    await world.stop();
  });

  it("is off when its period is configured as 0", async () => {
    const world = await start("binance", { periodMs: 0 });
    await world.run(100_000);
    expect(world.counts()).toMatchObject({ audits: 0, failures: 0, inconclusive: 0 });
    expect(world.entries().map(({ auditPeriodMs }) => auditPeriodMs)).toEqual([0, 0]);
    await world.stop();
  });
});

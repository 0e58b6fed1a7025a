/**
 * Faults of one instrument, one after the other, on every exchange at once: each published book that calls itself synced is
 * the true one, everything ends synced and exact, and the instrument beside the victim notices nothing at all.
 * Bad case: faults that the exchange's own rules cannot show; they are in the test of unseen faults.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { existsOn, FAULT_KIND_NAMES } from "../../src/emulator/mod.ts";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { allStruck, allWell, expectUndisturbed, rulesFor, unexplained } from "./faults_plan.ts";
import { PAIRS, type Storm, startStorm } from "./faults_rig.ts";
import { AUDIT_ROWS, CONNECTION_ROWS, INSTRUMENT_ROWS, UNSEEN_ROWS } from "./faults_rows.ts";

const SEED = 904;
const PACE = { firstMs: 3_500, everyMs: 900 };

const rules = EXCHANGE_IDS.flatMap((exchange) => [
  ...rulesFor(exchange, INSTRUMENT_ROWS[exchange], PACE),
  ...(exchange.startsWith("binance") ? [] : rulesFor(exchange, AUDIT_ROWS, PACE)),
]);
let storm: Storm;

beforeAll(async () => {
  storm = await startStorm({
    exchanges: EXCHANGE_IDS,
    faults: rules,
    seed: SEED,
    settings: {
      "exchanges.kraken.audit_before_ms": 2_000,
      "collector.audit_period_ms": 1_000,
      "collector.audit_confirm_ms": 300,
    },
  });
  await allStruck(storm, rules);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  storm.emulator.pause();
}, 200_000);

afterAll(() => storm?.close());

describe("the storms", () => {
  it.each(EXCHANGE_IDS)("hold every kind of fault that exists on %s when they are taken together", (exchange) => {
    const audits = exchange.startsWith("binance") ? [] : AUDIT_ROWS;
    const rows = [...INSTRUMENT_ROWS[exchange], ...audits, ...CONNECTION_ROWS[exchange], ...UNSEEN_ROWS[exchange]];
    const planned = new Set(rows.flat().map(({ kind }) => kind));
    expect(FAULT_KIND_NAMES.filter((kind) => existsOn(kind, exchange) && !planned.has(kind))).toEqual([]);
  });
});

describe("faults of one instrument", () => {
  it("end with every book synced and exact when the market pauses", async () => {
    await allWell(storm);
  });

  it("never publish a wrong book that calls itself synced when the exchange's rules show them", async () => {
    const { wrong, asked } = await storm.judge();
    expect(unexplained(storm, wrong)).toEqual([]);
    expect(asked).toBeGreaterThan(400);
  });

  it.each(EXCHANGE_IDS)("leave the other instrument of %s alone when they strike", (exchange) => {
    const { victim } = PAIRS[exchange];
    expectUndisturbed(storm, exchange);
    expect(storm.witness.of(exchange, victim).losses).toBeGreaterThan(0);
    const faults = storm.entries(exchange).filter(({ instrument }) => instrument === victim).length;
    const subscriptions = storm.emulator.counts()[exchange]?.bookSubscriptions[victim] ?? 0;
    expect(subscriptions).toBeLessThanOrEqual(1 + faults);
  });
});

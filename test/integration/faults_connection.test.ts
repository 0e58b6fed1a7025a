/**
 * Faults of whole connections, one after the other, on every exchange at once: closes, cuts, silence, refusals, limits,
 * frames that nobody can read. Each published book that calls itself synced is the true one, and everything comes back.
 * Bad case: a fault that strikes while the last one is not over; the script leaves time, and nothing depends on it.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { allStruck, allWell, rulesFor, unexplained } from "./faults_plan.ts";
import { type Storm, startStorm } from "./faults_rig.ts";
import { CONNECTION_ROWS } from "./faults_rows.ts";

const SEED = 535;
const PACE = { firstMs: 3_500, everyMs: 1_200 };

const rules = EXCHANGE_IDS.flatMap((exchange) => rulesFor(exchange, CONNECTION_ROWS[exchange], PACE));
let storm: Storm;

beforeAll(async () => {
  const brief = EXCHANGE_IDS.flatMap((id) => [
    [`exchanges.${id}.idle_ms`, 1_500],
    [`exchanges.${id}.ack_ms`, 700],
  ]);
  storm = await startStorm({
    exchanges: EXCHANGE_IDS,
    faults: rules,
    seed: SEED,
    settings: { ...Object.fromEntries(brief), "collector.connect_timeout_ms": 1_000 },
  });
  await allStruck(storm, rules);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  storm.emulator.pause();
}, 200_000);

afterAll(() => storm?.close());

describe("faults of connections", () => {
  it("end with every book synced and exact when the market pauses", async () => {
    await allWell(storm);
  });

  it("never publish a wrong book that calls itself synced when the exchange's rules show them", async () => {
    const { wrong, asked } = await storm.judge();
    expect(unexplained(storm, wrong)).toEqual([]);
    expect(asked).toBeGreaterThan(400);
  });

  it.each(EXCHANGE_IDS)("are over with few attempts to connect to %s when they end", (exchange) => {
    const ends = storm.entries(exchange).filter(({ kind }) => ENDINGS.includes(kind)).length;
    const { connections = 0, slowClientsCut } = storm.emulator.counts()[exchange] ?? {};
    expect(slowClientsCut).toBe(0);
    expect(connections).toBeGreaterThan(5);
    expect(connections).toBeLessThanOrEqual(1 + 2 * ends);
  });
});

/** Faults after which a client must connect again. */
const ENDINGS: readonly string[] = [
  ...["truncate", "corrupt_bit", "corrupt_byte", "close", "cut", "half_open", "age_close", "maintenance"],
  ...["server_shutdown", "subscribe_dropped", "silence", "drop"],
];

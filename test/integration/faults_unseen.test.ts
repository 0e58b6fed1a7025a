/**
 * Faults that no rule of the exchange shows at once: lost updates without a sequence, levels missing below a checksum,
 * digits that changed. The books concerned may be wrong, but say how little is known of them, and the audit heals them.
 * Bad case: a wrong book that stays: after each fault the time until the last wrong book is limited.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXCHANGE_IDS } from "../../src/model/exchange_id.ts";
import { allStruck, allWell, expectUndisturbed, rulesFor, unexplained } from "./faults_plan.ts";
import { PAIRS, type Storm, startStorm } from "./faults_rig.ts";
import { UNSEEN_ROWS } from "./faults_rows.ts";

const SEED = 670;
const PACE = { firstMs: 4_000, everyMs: 2_200 };
/** Between two audits of a book. */
const PERIOD_MS = 1_000;
/** A wrong book must be found within this: audit, confirmation, and much patience with a slow machine. */
const FOUND_WITHIN_MS = 8_000;

const rules = EXCHANGE_IDS.flatMap((exchange) => rulesFor(exchange, UNSEEN_ROWS[exchange], PACE));
let storm: Storm;

beforeAll(async () => {
  const brief = EXCHANGE_IDS.flatMap((id) => [
    [`exchanges.${id}.audit_before_ms`, 500],
    [`exchanges.${id}.audit_after_ms`, 500],
    [`exchanges.${id}.audit_levels`, 500],
  ]);
  storm = await startStorm({
    exchanges: EXCHANGE_IDS,
    faults: rules,
    seed: SEED,
    settings: {
      ...Object.fromEntries(brief),
      "exchanges.kraken.depth": 25,
      "collector.audit_period_ms": PERIOD_MS,
      "collector.audit_confirm_ms": 200,
    },
  });
  await allStruck(storm, rules);
  // The last of them must be found while books still change: a book that stands still is compared all the same.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
}, 200_000);

afterAll(() => storm?.close());

describe("faults that no rule shows", () => {
  it("are healed by the audit: every book ends synced and exact", async () => {
    storm.emulator.pause();
    await allWell(storm);
  });

  it("make no book wrong but those they struck, and these say that their levels are inferred", async () => {
    const { wrong, asked } = await storm.judge();
    expect(unexplained(storm, wrong)).toEqual([]);
    const inferred = wrong.filter(({ exchange }) => exchange === "coinbase_exchange" || exchange === "kraken");
    expect([...new Set(inferred.map(({ assurance }) => assurance))]).toEqual(["inferred"]);
    expect(asked).toBeGreaterThan(400);
  });

  it("leave no book wrong for long when the audit runs", async () => {
    const { wrong } = await storm.judge();
    const spans = new Map<string, { fromMs: number; toMs: number }>();
    for (const { exchange, native, period, eventAtNs } of wrong) {
      const key = `${exchange} ${native} ${period}`;
      const toMs = Number(eventAtNs / 1_000_000n);
      spans.set(key, { fromMs: spans.get(key)?.fromMs ?? toMs, toMs });
    }
    const lasting = [...spans].filter(([, { fromMs, toMs }]) => toMs - fromMs > FOUND_WITHIN_MS);
    expect(lasting).toEqual([]);
  });

  it.each(EXCHANGE_IDS)("leave the other instrument of %s alone when they strike", (exchange) => {
    expectUndisturbed(storm, exchange);
    expect(storm.witness.of(exchange, PAIRS[exchange].victim).events).toBeGreaterThan(20);
  });
});

/**
 * The judges of the load tests are shown what is wrong and must find it: a reader of shared memory gets real records that
 * are not what their versions say; a client of the gateway is told opportunities that its books do not hold.
 * Bad case: a judge that is content with everything.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { REASON_GAP, STATE_RESYNCING } from "../../assembly/layout.ts";
import type { Opportunity } from "../../src/client/mod.ts";
import { ArbitrageJudge } from "../../src/load/arbitrage_judge.ts";
import { judgeReader } from "../../src/load/memory_load.ts";
import { MemoryReader } from "../../src/load/memory_reader.ts";
import { freshFolder, MappedProducer, removeFolders } from "./mapped_rig.ts";

afterEach(removeFolders);

describe("The reader of the shared-memory load", () => {
  it("names a record when it is not what its version says, and still accounts for all", async () => {
    const directory = freshFolder();
    const producer = await MappedProducer.start(directory);
    producer.snapshot(3);
    producer.update(1);
    producer.trade(1, "9.9");
    const reader = await MemoryReader.start({ directory, name: "test", napMs: 0, napEveryMs: Number.MAX_SAFE_INTEGER });
    const { tail: deltas, tradeTail: trades } = producer;
    reader.conclude({ deltas, trades, marked: 0, seconds: 1, lateMsMax: 0, versions: {} });
    const findings = await reader.run(() => undefined);
    producer.close();
    expect(findings).toMatchObject({ deltas: { received: deltas, lost: 0 }, trades: { received: 1, lost: 0 } });
    expect(findings.problems).toHaveLength(2);
    expect(findings.problems[0]).toMatch(/^BTC-USD: version 2 holds 1 changes: bid /);
    expect(findings.problems[1]).toMatch(/^trade 1 holds id 1/);
    expect(findings.verified).toBe(1);
  });

  it("names a record and its book when they are not synced", async () => {
    const directory = freshFolder();
    const producer = await MappedProducer.start(directory);
    producer.snapshot(3);
    const { kernel, map } = producer;
    const name = kernel.arenaAllocate(64);
    new Uint8Array(map.memory.buffer).set(new TextEncoder().encode("BTC-USD"), name);
    const now = producer.now();
    kernel.instrumentUnsync(kernel.instrumentFind(name, 7), STATE_RESYNCING, REASON_GAP, now);
    kernel.publish(now);
    const reader = await MemoryReader.start({ directory, name: "test", napMs: 0, napEveryMs: Number.MAX_SAFE_INTEGER });
    const end = { deltas: producer.tail, trades: 0, marked: 0, seconds: 1, lateMsMax: 0, versions: { "BTC-USD": 2 } };
    reader.conclude(end);
    const findings = await reader.run(() => undefined);
    producer.close();
    expect(findings.problems[0]).toBe("BTC-USD: version 2 is of a book that is not synced");
    expect(judgeReader(findings, end).at(-1)).toBe("BTC-USD: the book ended at version 2 and is not synced");
  });

  it("wakes when it is told how reading ends, however long it was to stand still", async () => {
    const directory = freshFolder();
    const producer = await MappedProducer.start(directory);
    producer.snapshot(3);
    const reader = await MemoryReader.start({ directory, name: "test", napMs: 1e9, napEveryMs: -1 });
    const findings = reader.run(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { tail: deltas, tradeTail: trades } = producer;
    reader.conclude({ deltas, trades, marked: 0, seconds: 1, lateMsMax: 0, versions: {} });
    expect((await findings).deltas).toEqual({ received: deltas, lost: 0 });
    producer.close();
  });
});

const [NORTH, SOUTH] = ["kraken:BTC-USD", "binance:BTC-USD"];

/** 1 × (110 × 0.999 − 100 × 1.001) */
const RIGHT = { quantity: "1", profit: "9.79" };

function opportunity(change: Partial<Opportunity> = {}, version = "5"): Opportunity {
  const leg = { receivedAtMs: 0, feeBps: "10", quantity: "1", amount: "0", averagePrice: "0", worstPrice: "0" };
  return {
    ...{ id: 1, kind: "cross", base: "BTC", currency: "USD", profitBps: "0", profitBpsMax: "0", cut: false },
    ...{ openedAtMs: 100, changedAtMs: 100, ...RIGHT },
    legs: [
      { ...leg, action: "buy", instrument: NORTH, version, hash: 7 },
      { ...leg, action: "sell", instrument: SOUTH, version: "9", hash: 8 },
    ],
    ...change,
  };
}

describe("The judge of a gateway's arbitrage", () => {
  let judge: ArbitrageJudge;

  beforeEach(() => {
    judge = new ArbitrageJudge();
    const book = { isSynced: true, bids: [], asks: [] };
    judge.book({ ...book, instrument: NORTH, version: "5", hash: 7, asks: [["100", "1"]] });
    judge.book({ ...book, instrument: SOUTH, version: "9", hash: 8, bids: [["110", "3"]] });
  });

  const tell = (told: Opportunity, event: "opened" | "changed" | "closed" = "opened") => {
    const reason = event === "closed" ? "prices" : "none";
    judge.opportunity({ type: "opportunity", event, reason, atMs: 200, opportunity: told }, 230);
  };

  it("verifies an opportunity when the books that it names hold it", () => {
    tell(opportunity());
    expect(judge.counts).toMatchObject({ opened: 1, verified: 1, unseen: 0 });
    expect(judge.problems).toEqual([]);
  });

  it("names an opportunity when its profit, its quantity or the hash of a book is another", () => {
    tell(opportunity({ profit: "9.78" }));
    tell(opportunity({ quantity: "2" }));
    expect(judge.problems).toHaveLength(2);
    const [buy, sell] = opportunity().legs;
    tell(opportunity({ legs: [{ ...buy, hash: 1 } as typeof sell, sell].filter((leg) => leg !== undefined) }));
    expect(judge.problems.at(-1)).toBe("kraken:BTC-USD at 5: told hash 1, held 7");
  });

  it("waits when a book has not come so far, and counts it apart when that version never comes", () => {
    tell(opportunity({}, "6"));
    tell(opportunity({}, "7"));
    expect(judge.counts).toMatchObject({ verified: 0, unseen: 0 });
    const book = { instrument: NORTH, isSynced: true, bids: [], asks: [["100", "1"]] as [string, string][] };
    judge.book({ ...book, version: "6", hash: 7 });
    judge.book({ ...book, version: "8", hash: 3 });
    expect(judge.counts).toMatchObject({ verified: 1, unseen: 1 });
    expect(judge.problems).toEqual([]);
  });

  it("has what was told from its opening to its closing, or to the end", () => {
    tell(opportunity());
    tell(opportunity(), "closed");
    tell(opportunity());
    judge.finish(900);
    const lane = `${NORTH} > ${SOUTH}`;
    expect(judge.told).toEqual([
      { lane, fromMs: 200, heardMs: 230, untilMs: 200 },
      { lane, fromMs: 200, heardMs: 230, untilMs: 900 },
    ]);
    expect(judge.closedBy).toEqual({ prices: 1 });
  });
});

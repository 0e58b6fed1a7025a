/**
 * A hundred books that fail together: few messages, within the exchange's limits, each book asked for once, one socket
 * for one fault. Bad case: a repair for each book on its own; the exchange answers with a ban, and that is the outage.
 */
import { describe, expect, it, vi } from "vitest";
import { COUNTER_RECONNECTS, COUNTER_RESYNCS } from "../../assembly/layout.ts";
import { EXCHANGES, type Rate } from "../../src/exchanges/mod.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { type Said, SyncRig } from "./sync_rig.ts";

vi.setConfig({ testTimeout: 60_000 });

const BOOKS = 100;
/** When all books stand: where REST has a budget, it takes its time. */
const STANDING_MS: Readonly<Record<ExchangeId, number>> = {
  coinbase_exchange: 20_000,
  kraken: 20_000,
  binance: 530_000,
  binance_us: 115_000,
};

/** The most that fell into any window of a rate. */
function mostIn({ perMs }: Rate, said: readonly Said[], weigh: (one: Said) => number = () => 1): number {
  const loads = said.map(({ atMs }) =>
    said
      .filter((other) => other.atMs >= atMs && other.atMs < atMs + perMs)
      .reduce((sum, other) => sum + weigh(other), 0),
  );
  return Math.max(0, ...loads);
}

/** How often each book was asked for, most first. */
function askedFor(rig: SyncRig, said: readonly Said[]): number[] {
  const wanted = said.filter(({ text }) => !/unsubscribe/i.test(text)).map(({ text }) => text.toUpperCase());
  return rig.natives
    .map((native) => wanted.filter((text) => text.includes(native) && !text.includes('"TRADE"')).length)
    .sort((one, other) => other - one);
}

/** A hundred books that all stand, a second before the fault. */
async function standing(
  exchange: ExchangeId,
  fault: Record<string, unknown>,
  options: { depth?: number } = {},
): Promise<SyncRig> {
  const at_ms = STANDING_MS[exchange] + 1000;
  const rate = exchange === "binance" ? 0.1 : 1;
  const rig = await SyncRig.start({ exchange, count: BOOKS, rate, faults: [{ at_ms, ...fault }], ...options });
  await rig.pass(STANDING_MS[exchange] - rig.nowMs);
  expect(rig.states()).toEqual({ "synced none": BOOKS });
  return rig;
}

describe("a frame that names nobody, among a hundred books", () => {
  it("asks Coinbase for the books of that connection in a few messages, and leaves the other connection alone", async () => {
    const { limits } = EXCHANGES.coinbase_exchange.header;
    const rig = await standing("coinbase_exchange", { kind: "truncate", connection: 1 });
    const before = rig.sent.length;
    await rig.pass(12_000);
    const said = rig.sent.slice(before);
    expect(rig.count(COUNTER_RESYNCS)).toBe(limits.instrumentsPerConnection);
    expect(said.length).toBe((2 * limits.instrumentsPerConnection) / limits.instrumentsPerMessage);
    expect(askedFor(rig, said).slice(0, 51)).toEqual([...Array.from({ length: 50 }, () => 1), 0]);
    expect([rig.states(), rig.connects.length, rig.count(COUNTER_RECONNECTS)]).toEqual([
      { "synced none": BOOKS },
      2,
      0,
    ]);
    rig.close();
  });

  it("asks Kraken for deep books in a few messages", async () => {
    const rig = await standing("kraken", { kind: "truncate" }, { depth: 25 });
    const before = rig.sent.length;
    await rig.pass(12_000);
    const said = rig.sent.slice(before);
    expect([rig.count(COUNTER_RESYNCS), said.length]).toEqual([BOOKS, 10]);
    expect(askedFor(rig, said)[0]).toBe(1);
    expect([rig.states(), rig.connects.length]).toEqual([{ "synced none": BOOKS }, 1]);
    rig.close();
  });

  it.each(["kraken", "binance_us"] as const)(
    "asks %s for the one that lost it, where the next event proves each",
    async (exchange) => {
      const rig = await standing(exchange, { kind: "truncate", frames: "book" });
      await rig.pass(30_000);
      expect(rig.emulator.faults().total).toBe(1);
      expect([rig.states(), rig.count(COUNTER_RESYNCS)]).toEqual([{ "synced none": BOOKS }, 1]);
      rig.close();
    },
  );
});

describe.each(EXCHANGE_IDS)("a reconnect of a hundred books on %s", (exchange) => {
  it("asks for each book once, within the limits", async () => {
    const { limits, snapshot } = EXCHANGES[exchange].header;
    const rig = await standing(exchange, { kind: "cut" });
    const connections = Math.ceil(BOOKS / limits.instrumentsPerConnection);
    const isRest = snapshot === "rest";
    await rig.pass(STANDING_MS[exchange]);
    expect(rig.states()).toEqual({ "synced none": BOOKS });
    expect([rig.connects.length, rig.count(COUNTER_RECONNECTS)]).toEqual([2 * connections, connections]);
    expect(mostIn(limits.messages, rig.sent)).toBeLessThanOrEqual(connections * limits.messages.count);
    expect(askedFor(rig, rig.sent).every((times) => times === 2)).toBe(true);
    expect(rig.count(COUNTER_RESYNCS)).toBe(0);
    if (isRest) {
      const depth = rig.requests.filter(({ text }) =>
        text.includes(`limit=${EXCHANGES[exchange].header.snapshotLevels}`),
      );
      const weight = EXCHANGES[exchange].snapshotRequest("X", EXCHANGES[exchange].header.snapshotLevels)?.weight ?? 0;
      expect(mostIn(limits.rest, depth, () => weight)).toBeLessThanOrEqual(limits.rest.count);
    }
    rig.close();
  });
});

describe("requests that wait for their turn", () => {
  it("are not sent again because nobody answered them yet", async () => {
    const rig = await SyncRig.start({
      exchange: "kraken",
      count: BOOKS,
      rate: 0.5,
      adapt: (exchange) => {
        const limits = { ...exchange.header.limits, messages: { count: 1, perMs: 6000 } };
        return { ...exchange, header: { ...exchange.header, limits } };
      },
    });
    await rig.pass(75_000);
    expect(rig.states()).toEqual({ "synced none": BOOKS });
    expect([rig.sent.length, askedFor(rig, rig.sent).every((times) => times === 1)]).toEqual([10, true]);
    expect([rig.connects.length, rig.count(COUNTER_RESYNCS)]).toEqual([1, 0]);
    rig.close();
  });
});

describe("an exchange that cannot be reached", () => {
  it.each(EXCHANGE_IDS)("is tried again within its limits when it is %s", async (exchange) => {
    const { limits } = EXCHANGES[exchange].header;
    const faults = [
      { kind: "cut", at_ms: 10_000 },
      { kind: "connect_refused", at_ms: 10_000, until_ms: 600_000, times: 100_000 },
    ];
    const rig = await SyncRig.start({ exchange, count: 2, rate: 1, faults });
    await rig.pass(600_000);
    const connects = rig.connects.map((atMs) => ({ atMs, text: "" }));
    expect(mostIn(limits.connects, connects)).toBeLessThanOrEqual(limits.connects.count);
    expect(connects.length).toBeGreaterThan(10);
    expect(connects.length).toBeLessThan(80);
    await rig.pass(40_000);
    expect(rig.states()).toEqual({ "synced none": 2 });
    rig.close();
  });
});

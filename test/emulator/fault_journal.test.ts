/**
 * The journal: every fault with the events of the true book that it hid, altered or held back; what a long script costs;
 * and that neither journal nor refused connections grow without limit.
 * Bad case: a journal that names the event before or after the one that was hidden; compared with the undisturbed run.
 */
import { describe, expect, test } from "vitest";
import { FAULT_ENTRIES_KEPT, FaultJournal } from "../../src/emulator/fault_journal.ts";
import type { FaultEntry, TrueMoment } from "../../src/emulator/mod.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { parsed, subjectOf } from "./frame_subjects.ts";
import { ask, depthPath, openClient, pass, type Run, run, SYMBOLS, startRig, subscribe } from "./memory_rig.ts";

const EACH = EXCHANGE_IDS.map((exchange) => [exchange] as const);

/** Sequence or time by which a book frame names its event. */
function momentIn(exchange: ExchangeId, text: string): Partial<TrueMoment> {
  if (exchange.startsWith("binance")) {
    const { u, E } = parsed(text).data as { u: number; E: number };
    return { sequence: u, time: new Date(E).toISOString().replace("Z", "000Z") };
  }
  return { time: /"time(?:stamp)?":"([^"]+)"/.exec(text)?.[1] ?? "" };
}

/** Updates of a symbol in the undisturbed run, from a frame on. */
function updatesFrom({ clients }: Run, exchange: ExchangeId, from: { symbol: string; frame: number }): string[] {
  return clients[0].texts.slice(from.frame).filter((text) => {
    const { kind, symbol } = subjectOf(exchange, text);
    return kind === "book" && symbol === from.symbol;
  });
}

async function strike(exchange: ExchangeId, rule: Record<string, unknown>): Promise<{ calm: Run; entry: FaultEntry }> {
  const faults = [{ exchange, instrument: SYMBOLS[exchange][1], connection: 1, ...rule }];
  const [calm, stormy] = await Promise.all([run(exchange), run(exchange, { faults })]);
  const [entry] = stormy.report.entries;
  if (entry === undefined) {
    throw new Error(`Cannot go on: nothing was injected, was ${String(rule.kind)}`);
  }
  return { calm, entry };
}

describe.each(EACH)("the journal of %s", (exchange) => {
  const [other, symbol] = SYMBOLS[exchange];

  test.each(["drop", "duplicate", "reorder", "truncate", "corrupt_digit", "drift_unknown"])(
    "names the event that %s struck",
    async (kind) => {
      const { calm, entry } = await strike(exchange, { kind, after: 4 });
      const moment = momentIn(exchange, calm.clients[0].texts[entry.frame] ?? "");
      expect(entry.events).toMatchObject({ [symbol]: { frames: 1, first: moment, last: moment } });
      expect(Object.keys(entry.events ?? {})).toEqual([symbol]);
    },
  );

  test("names the first and the last event, and counts the frames, when a fault lasts", async () => {
    for (const rule of [
      { kind: "silence", frames: "book", after: 3, for_frames: 5 },
      { kind: "drift_extra", frames: "book", after: 3, for_frames: 5 },
    ]) {
      const { calm, entry } = await strike(exchange, rule);
      const hidden = updatesFrom(calm, exchange, { symbol, frame: entry.frame }).slice(0, 5);
      const [first = "", last = ""] = [hidden[0], hidden[4]];
      expect(entry.events).toMatchObject({
        [symbol]: { frames: 5, first: momentIn(exchange, first), last: momentIn(exchange, last) },
      });
    }
  });

  test("counts the frames that a stream held back, and those that a deaf connection never sent", async () => {
    const { calm, entry } = await strike(exchange, { kind: "delay", after: 3, ms: 1_500 });
    const held = entry.events?.[symbol]?.frames ?? 0;
    const late = updatesFrom(calm, exchange, { symbol, frame: entry.frame })[held - 1] ?? "";
    expect(held).toBeGreaterThan(1);
    expect(entry.events?.[symbol]?.last).toMatchObject(momentIn(exchange, late));
    const frozen = await strike(exchange, { kind: "half_open", at_ms: 6_000 });
    expect(frozen.entry.events?.[symbol]?.frames).toBeGreaterThan(1);
    expect(frozen.entry.events?.[other]?.frames).toBeGreaterThan(1);
  });

  test("names what a market did and what REST told, with the event at which it happened", async () => {
    const target = { exchange, instrument: symbol };
    const faults = [
      { ...target, kind: "sequence_reset", at_ms: 9_000 },
      { ...target, kind: "rest_stale", age_ms: 3_000 },
    ];
    const rig = await startRig([exchange], { faults, truth: true, rate: 40 });
    await pass(rig.clock, 8_000);
    const thenUs = (rig.clock.now() - 3_000) * 1000;
    const past = rig.emulator.truth(exchange, symbol, { moment: { timeUs: thenUs, nowUs: thenUs } });
    await ask(rig, rig.emulator.endpoints[exchange].rest + depthPath(exchange, symbol));
    const before = rig.emulator.truth(exchange, symbol);
    await pass(rig.clock, 3_000);
    const [stale, reset] = rig.emulator.faults().entries;
    expect(stale).toMatchObject({ kind: "rest_stale", events: { [symbol]: { first: { time: past.time } } } });
    expect(reset?.kind).toBe("sequence_reset");
    expect((reset?.events?.[symbol]?.first.time ?? "") >= before.time).toBe(true);
    rig.emulator.close();
  });

  test("has one instrument, whichever it is, when a fault of the market aims at *", async () => {
    const faults = [{ exchange, kind: "auction", instrument: "*", at_ms: 3_000, for_ms: 1_000 }];
    const rig = await startRig([exchange], { faults });
    await pass(rig.clock, 6_000);
    expect(rig.emulator.faults().counts).toEqual({ auction: 1 });
    rig.emulator.close();
  });

  test("has every fault of a long script once, at its time", async () => {
    const kinds = ["drop", "duplicate", "drift_unknown", "corrupt_digit"];
    const faults = Array.from({ length: 500 }, (_, index) => ({
      ...{ exchange, connection: 1, kind: kinds[index % kinds.length] ?? "drop" },
      ...{ instrument: SYMBOLS[exchange][index % 2], at_ms: 2_000 + index * 20 },
    }));
    const { report } = await run(exchange, { faults, ms: 20_000, rate: 60 });
    expect(report.total).toBe(500);
    expect(new Set(report.entries.map(({ rule }) => rule)).size).toBe(500);
    expect(report.entries.every(({ rule, atMs }) => atMs >= 1_780_000_000_000 + 2_000 + rule * 20)).toBe(true);
  });
});

describe("A journal", () => {
  test("keeps the newest entries and counts all when there are very many", () => {
    const journal = new FaultJournal();
    const entry = {
      kind: "drop",
      exchange: "kraken",
      instrument: "",
      connection: 1,
      atMs: 0,
      rule: 0,
      detail: "",
    } as const;
    for (let frame = 0; frame < 3 * FAULT_ENTRIES_KEPT; frame += 1) {
      journal.add({ ...entry, frame });
    }
    const { total, counts, entries } = journal.report();
    expect([total, counts.drop, entries.length]).toEqual([3 * FAULT_ENTRIES_KEPT, total, FAULT_ENTRIES_KEPT]);
    expect(entries.at(-1)?.frame).toBe(total - 1);
  });
});

describe("An emulator in memory", () => {
  test("counts the subscriptions of each book, and forgets connections that were refused or left", async () => {
    const faults = [
      { kind: "connect_refused", exchange: "kraken", after: 1, times: 2 },
      { kind: "connect_silent", exchange: "kraken", after: 1, times: 2 },
    ];
    const rig = await startRig(["kraken"], { faults });
    const [first, ...others] = Array.from({ length: 5 }, () => openClient(rig, "kraken"));
    for (const client of others) {
      client.drop();
    }
    await pass(rig.clock, 1_000);
    if (first !== undefined) {
      subscribe(first, "kraken");
      await pass(rig.clock, 500);
      first.send({ method: "unsubscribe", params: { channel: "book", symbol: ["BTC/USD"], depth: 10 } });
      first.send({ method: "subscribe", params: { channel: "book", symbol: ["BTC/USD"], depth: 10 } });
    }
    await pass(rig.clock, 500);
    expect(rig.emulator.counts().kraken).toMatchObject({
      connections: 1,
      openConnections: 1,
      bookSubscriptions: { "BTC/USD": 2, "ETH/USD": 1 },
    });
    rig.emulator.close();
  });
});

describe("Binance", () => {
  test("bans whoever goes on after 429, longer each time", async () => {
    const rig = await startRig(["binance_us"]);
    const url = `${rig.emulator.endpoints.binance_us.rest}${depthPath("binance_us", "BTCUSD")}`;
    const statuses = async (count: number): Promise<string[]> => {
      const seen: string[] = [];
      for (let request = 0; request < count; request += 1) {
        const answer = await ask(rig, url);
        const retry = typeof answer === "object" && "headers" in answer ? answer.headers.get("retry-after") : null;
        seen.push(typeof answer === "object" && "status" in answer ? `${answer.status} ${retry ?? ""}`.trim() : "none");
      }
      return seen;
    };
    const first = await statuses(36);
    expect(first.slice(0, 24).every((status) => status === "200")).toBe(true);
    expect(first.slice(24, 34).every((status) => status.startsWith("429 "))).toBe(true);
    expect(first.slice(34)).toEqual(["418 120", "418 120"]);
    await pass(rig.clock, 121_000);
    const second = await statuses(35);
    expect([second[0], second[34]]).toEqual(["200", "418 240"]);
    rig.emulator.close();
  });
});

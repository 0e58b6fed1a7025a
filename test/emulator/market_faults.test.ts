/**
 * Faults that the exchange itself commits, for all its clients: auctions, numbers that begin anew, finer ticks. The market
 * does them really: a client that follows the rules still comes to hold the true book.
 * Bad case: the other instruments; their frames must be those of an undisturbed run.
 */
import { describe, expect, test } from "vitest";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { levelsIn, parsed, subjectOf } from "./frame_subjects.ts";
import { ask, depthPath, openClient, pass, run, SYMBOLS, startRig, subscribe } from "./memory_rig.ts";

const EACH = EXCHANGE_IDS.map((exchange) => [exchange] as const);

type Sides = Record<"bid" | "ask", Map<string, string>>;

/** Applies book frames of one symbol; a snapshot replaces. */
function follow(
  exchange: ExchangeId,
  texts: readonly string[],
  { symbol, depth }: { symbol: string; depth?: number },
): Sides {
  const sides: Sides = { bid: new Map(), ask: new Map() };
  for (const text of texts) {
    const subject = subjectOf(exchange, text);
    if (subject.symbol !== symbol || (subject.kind !== "book" && subject.kind !== "snapshot")) {
      continue;
    }
    if (subject.kind === "snapshot") {
      sides.bid.clear();
      sides.ask.clear();
    }
    for (const [side, price, quantity] of levelsIn(exchange, text)) {
      if (quantity === "0") {
        sides[side].delete(price);
      } else {
        sides[side].set(price, quantity);
      }
    }
    for (const side of depth === undefined ? [] : (["bid", "ask"] as const)) {
      for (const [price] of ranked(sides, side).slice(depth)) {
        sides[side].delete(price);
      }
    }
  }
  return sides;
}

function ranked(sides: Sides, side: "bid" | "ask"): [string, string][] {
  const sign = side === "bid" ? -1 : 1;
  return [...sides[side]].sort(([a], [b]) => sign * (Number(a) - Number(b)));
}

describe.each(EACH)("the exchange %s itself", (exchange) => {
  const [other, symbol] = SYMBOLS[exchange];

  test("crosses the book in an auction, says so in REST, and uncrosses it at the end", async () => {
    const faults = [{ kind: "auction", exchange, instrument: symbol, at_ms: 5_000, for_ms: 4_000 }];
    const rig = await startRig([exchange], { faults, truth: true });
    const client = openClient(rig, exchange);
    subscribe(client, exchange);
    await pass(rig.clock, 8_000);
    const isCrossed = (): boolean => {
      const { bids, asks } = rig.emulator.trueBook(exchange, symbol);
      return Number(bids[0]?.[0]) > Number(asks[0]?.[0]);
    };
    expect(isCrossed()).toBe(true);
    expect(rig.emulator.faults().entries).toMatchObject([
      { kind: "auction", exchange, instrument: symbol, connection: 0 },
    ]);
    const metadata = {
      coinbase_exchange: "/products",
      kraken: "/0/public/AssetPairs",
      binance: "/api/v3/exchangeInfo",
    };
    const path = metadata[exchange === "binance_us" ? "binance" : exchange];
    const states = {
      coinbase_exchange: '"auction_mode":true',
      kraken: '"status":"limit_only"',
      binance: '"status":"HALT"',
    };
    const state = states[exchange === "binance_us" ? "binance" : exchange];
    const body = async (from: string): Promise<string> => {
      const answer = await ask(rig, rig.emulator.endpoints[exchange].rest + from);
      return typeof answer === "object" && "body" in answer ? answer.body : "";
    };
    expect((await body(path)).split(state)).toHaveLength(2);
    if (exchange === "coinbase_exchange") {
      const book = parsed(await body(depthPath(exchange, symbol)));
      expect(book).toMatchObject({
        auction_mode: true,
        auction: { auction_state: "collection", time: expect.any(String) },
      });
      expect(parsed(await body(depthPath(exchange, other)))).toMatchObject({ auction_mode: false, auction: null });
    }
    await pass(rig.clock, 4_000);
    expect(isCrossed()).toBe(false);
    expect(await body(path)).not.toContain(state);
    rig.emulator.close();
  });

  test("leaves its other instruments as they are when one of them is disturbed", async () => {
    const target = { exchange, instrument: symbol, at_ms: 5_000 };
    const faults = ["auction", "sequence_reset", "drift_decimals"].map((kind) => ({ ...target, kind }));
    const [calm, stormy] = await Promise.all([run(exchange), run(exchange, { faults })]);
    const ofOther = (text: string): boolean => subjectOf(exchange, text).symbol === other;
    expect(stormy.clients[0].texts.filter(ofOther)).toEqual(calm.clients[0].texts.filter(ofOther));
    expect(stormy.clients[0].texts).not.toEqual(calm.clients[0].texts);
    expect(stormy.report.counts).toEqual({ auction: 1, sequence_reset: 1, drift_decimals: 1 });
  });

  test("gets finer ticks, and a client that subscribes again holds the true book, after drift_decimals", async () => {
    const faults = [{ kind: "drift_decimals", exchange, instrument: symbol, at_ms: 5_000 }];
    const rig = await startRig([exchange], { faults, rate: 40, truth: true });
    const early = openClient(rig, exchange);
    subscribe(early, exchange);
    await pass(rig.clock, 15_000);
    const late = openClient(rig, exchange);
    subscribe(late, exchange);
    const digits = (texts: readonly string[]): number =>
      Math.max(
        ...texts.flatMap((text) => levelsIn(exchange, text).map(([, price]) => price.split(".")[1]?.length ?? 0)),
      );
    const mine = early.came.filter(({ text }) => subjectOf(exchange, text).symbol === symbol);
    const changedMs = rig.emulator.faults().entries[0]?.atMs ?? 0;
    const between = (fromMs: number, untilMs: number): string[] =>
      mine.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).map(({ text }) => text);
    expect(digits(between(changedMs + 200, Number.POSITIVE_INFINITY))).toBe(digits(between(0, changedMs)) + 1);
    await pass(rig.clock, 10_000);
    rig.emulator.pause();
    await pass(rig.clock, 100);
    const truth = rig.emulator.trueBook(exchange, symbol);
    if (exchange === "coinbase_exchange" || exchange === "kraken") {
      const depth = exchange === "kraken" ? 10 : undefined;
      const held = follow(exchange, late.texts, { symbol, ...(depth === undefined ? {} : { depth }) });
      expect(ranked(held, "bid")).toEqual(truth.bids.slice(0, depth));
      expect(ranked(held, "ask")).toEqual(truth.asks.slice(0, depth));
    } else {
      const answer = await ask(rig, rig.emulator.endpoints[exchange].rest + depthPath(exchange, symbol));
      const body = typeof answer === "object" && "body" in answer ? answer.body : "";
      expect(levelsIn(exchange, body).map(([, price, quantity]) => [price, quantity])).toEqual([
        ...truth.bids,
        ...truth.asks,
      ]);
    }
    rig.emulator.close();
  });

  test("numbers an instrument anew from low numbers, for everybody, after sequence_reset", async () => {
    const faults = [{ kind: "sequence_reset", exchange, instrument: symbol, at_ms: 5_000 }];
    const rig = await startRig([exchange], { faults, rate: 40, truth: true });
    const client = openClient(rig, exchange);
    subscribe(client, exchange);
    await pass(rig.clock, 15_000);
    const idOf: Readonly<Record<ExchangeId, RegExp>> = {
      coinbase_exchange: /"trade_id":(\d+)/,
      kraken: /"trade_id":(\d+)/,
      binance: /"u":(\d+)/,
      binance_us: /"u":(\d+)/,
    };
    const ids = client.texts
      .filter((text) => subjectOf(exchange, text).symbol === symbol)
      .flatMap((text) => idOf[exchange].exec(text)?.[1] ?? [])
      .map(Number);
    const drops = ids.flatMap((id, index) => (id < (ids[index - 1] ?? 0) ? [index] : []));
    expect(drops).toHaveLength(1);
    expect(ids[drops[0] ?? 0]).toBeLessThan(1_100);
    if (exchange.startsWith("binance")) {
      const answer = await ask(rig, rig.emulator.endpoints[exchange].rest + depthPath(exchange, symbol));
      const { lastUpdateId, bids } = parsed(typeof answer === "object" && "body" in answer ? answer.body : "");
      expect(Number(lastUpdateId)).toBeGreaterThanOrEqual(ids.at(-1) ?? 0);
      expect(Number(lastUpdateId)).toBeLessThan(1_000_000);
      const now = rig.emulator.truth(exchange, symbol, { moment: { sequence: Number(lastUpdateId) } });
      expect(now.bids.map(([price]) => Number(price))).toEqual((bids as [string][]).map(([price]) => Number(price)));
      const past = rig.emulator.truth(exchange, symbol, { moment: { sequence: ids[0] ?? 0 } });
      expect(past.sequence).toBe(ids[0]);
      expect(past.digest).not.toBe(now.digest);
    }
    rig.emulator.close();
  });
});

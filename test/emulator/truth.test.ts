/**
 * The truth: at every event of the market, what an undisturbed naive client holds is what the truth says for that sequence
 * or time. The client here is written apart from the emulator, on maps of decimal texts.
 * Bad case: a truth that is right at the newest event only; every event is asked for after all of them have happened.
 */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BookHistory, EVENTS_KEPT } from "../../src/emulator/book_history.ts";
import type { Ladder } from "../../src/emulator/ladder.ts";
import { Market } from "../../src/emulator/market.ts";
import type { MarketBook } from "../../src/emulator/market_book.ts";
import { DEFAULT_INSTRUMENTS, type TrueState } from "../../src/emulator/mod.ts";
import { microTime } from "../../src/emulator/text.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { levelsIn, parsed, subjectOf } from "./frame_subjects.ts";
import { ask, depthPath, openClient, pass, type Rig, SYMBOLS, startRig, subscribe } from "./memory_rig.ts";

type Sides = Record<"bid" | "ask", Map<string, string>>;

function apply(sides: Sides, levels: ReturnType<typeof levelsIn>, depth?: number): void {
  for (const [side, price, quantity] of levels) {
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

function ranked(sides: Sides, side: "bid" | "ask"): [string, string][] {
  const sign = side === "bid" ? -1 : 1;
  return [...sides[side]].sort(([a], [b]) => sign * (Number(a) - Number(b)));
}

function digest(sides: Sides): string {
  const hash = createHash("sha256");
  for (const side of ["bid", "ask"] as const) {
    for (const [price, quantity] of ranked(sides, side)) {
      hash.update(`${side[0]} ${price} ${quantity}\n`);
    }
  }
  return hash.digest("hex");
}

async function truth(rig: Rig, exchange: ExchangeId, path: string): Promise<{ status: number; state: TrueState }> {
  const answer = await ask(rig, rig.emulator.endpoints[exchange].truth + path, { waitMs: 0 });
  if (answer === "nothing" || answer instanceof Error) {
    throw new Error(`Cannot go on: no answer, was ${String(answer)}`);
  }
  return { status: answer.status, state: JSON.parse(answer.body) as TrueState };
}

/** What a client held, and by which question the truth tells it. */
type Held = { question: string; digest: string; levels: number };

/** Follows the frames of one symbol by time, as Coinbase and Kraken need it. */
function heldByTime(
  exchange: ExchangeId,
  texts: readonly string[],
  { symbol, depth }: { symbol: string; depth?: number },
): Held[] {
  const sides: Sides = { bid: new Map(), ask: new Map() };
  const held: Held[] = [];
  for (const text of texts) {
    const { kind, symbol: about } = subjectOf(exchange, text);
    if (about === symbol && (kind === "book" || kind === "snapshot")) {
      apply(sides, levelsIn(exchange, text), depth);
      const time = /"time(?:stamp)?":"([^"]+)"/.exec(text)?.[1] ?? "";
      const limit = depth === undefined ? "" : `&depth=${depth}`;
      held.push({ question: `time=${time}${limit}`, digest: digest(sides), levels: sides.bid.size + sides.ask.size });
    }
  }
  return held;
}

describe("The truth", () => {
  test.each([
    ["coinbase_exchange", undefined],
    ["kraken", 10],
    ["kraken", 25],
  ] as const)("equals what a client of %s at depth %s holds at each time", async (exchange, depth) => {
    const rig = await startRig([exchange], { truth: true, rate: 20, levels: 120 });
    const client = openClient(rig, exchange);
    subscribe(client, exchange, depth === undefined ? {} : { depth });
    await pass(rig.clock, 8_000);
    for (const symbol of SYMBOLS[exchange]) {
      const held = heldByTime(exchange, client.texts, { symbol, ...(depth === undefined ? {} : { depth }) });
      expect(held.length).toBeGreaterThan(30);
      expect(new Set(held.map(({ question }) => question)).size).toBe(held.length);
      for (const [index, one] of held.entries()) {
        const spelled = index % 2 === 0 ? encodeURIComponent(symbol) : symbol;
        const { status, state } = await truth(rig, exchange, `/${spelled}?${one.question}`);
        expect([status, state.digest]).toEqual([200, one.digest]);
        expect(state.bids.length + state.asks.length).toBe(one.levels);
      }
    }
    rig.emulator.close();
  });

  test.each(["binance", "binance_us"] as const)(
    "equals what a client of %s holds at each update id and time",
    async (exchange) => {
      const rig = await startRig([exchange], { truth: true, rate: 20, levels: 120 });
      const client = openClient(rig, exchange);
      const symbol = SYMBOLS[exchange][0];
      await pass(rig.clock, 1_037);
      const first = await ask(rig, rig.emulator.endpoints[exchange].rest + depthPath(exchange, symbol), { waitMs: 0 });
      const body = typeof first === "object" && "body" in first ? first.body : "";
      const sides: Sides = { bid: new Map(), ask: new Map() };
      apply(sides, levelsIn(exchange, body));
      let last = Number(parsed(body).lastUpdateId);
      const middle = await truth(rig, exchange, `/${symbol}?sequence=${last}`);
      expect([middle.state.sequence, middle.state.digest]).toEqual([last, digest(sides)]);
      await pass(rig.clock, 8_000);
      const later = await truth(rig, exchange, `/${symbol}?sequence=${last}`);
      expect([later.state.sequence, later.state.digest]).toEqual([last, digest(sides)]);
      let asked = 0;
      const times = new Set<number>();
      for (const text of client.texts.filter((one) => subjectOf(exchange, one).kind === "book")) {
        const { s, U, u, E } = parsed(text).data as { s: string; U: number; u: number; E: number };
        if (s === symbol && u > last) {
          expect(U).toBeLessThanOrEqual(last + 1);
          apply(sides, levelsIn(exchange, text));
          last = u;
          times.add(E);
          asked += 1;
          const bySequence = await truth(rig, exchange, `/${symbol}?sequence=${u}`);
          const byTime = await truth(rig, exchange, `/${symbol}?time=${new Date(E).toISOString()}`);
          expect(bySequence.state).toEqual(byTime.state);
          expect(bySequence.state).toMatchObject({ sequence: u, time: microTime(E * 1000), digest: digest(sides) });
        }
      }
      expect(asked).toBeGreaterThan(15);
      expect(times.size).toBe(asked);
      rig.emulator.close();
    },
  );

  test("is cut to what a client knows when it is asked for a part", async () => {
    const rig = await startRig(["binance"], { truth: true });
    await pass(rig.clock, 2_000);
    const whole = (await truth(rig, "binance", "/BTCUSDT")).state;
    const part = (await truth(rig, "binance", "/BTCUSDT?levels=7")).state;
    expect(part.bids).toEqual(whole.bids.slice(0, 7));
    expect(part.asks).toEqual(whole.asks.slice(0, 7));
    const [lowest, highest] = [whole.bids[20]?.[0], whole.asks[30]?.[0]];
    const range = (await truth(rig, "binance", `/BTCUSDT?lowest=${lowest}&highest=${highest}`)).state;
    expect([range.bids.length, range.asks.length]).toEqual([21, 31]);
    const kraken = await startRig(["kraken"], { truth: true });
    expect((await truth(kraken, "kraken", "/BTC/USD")).state.bids).toHaveLength(10);
    expect((await truth(kraken, "kraken", "/BTC%2FUSD?depth=25")).state.asks).toHaveLength(25);
    rig.emulator.close();
    kraken.emulator.close();
  });

  test("refuses with a reason when the question cannot be answered", async () => {
    const rig = await startRig(["kraken"], { truth: true });
    await pass(rig.clock, 1_000);
    const questions: [string, number, RegExp][] = [
      ["/NOPE", 404, /unknown symbol/],
      ["/BTC/USD?sequence=99999", 404, /not come yet/],
      ["/BTC/USD?time=2099-01-01T00:00:00Z", 404, /not come yet/],
      ["/BTC/USD?time=2001-01-01T00:00:00Z", 404, /not open/],
      ["/BTC/USD?time=yesterday", 400, /RFC 3339/],
      ["/BTC/USD?sequence=1.5", 400, /integer/],
      ["/BTC/USD?sequence=1&time=2099-01-01T00:00:00Z", 400, /both/],
      ["/BTC/USD?depth=0", 400, /depth/],
      ["/BTC/USD?lowest=x", 400, /prices/],
      ["/BTC/USD?sequense=1", 400, /unknown parameter sequense/],
    ];
    for (const [path, status, reason] of questions) {
      const answer = await truth(rig, "kraken", path);
      expect([path, answer.status]).toEqual([path, status]);
      expect((answer.state as unknown as { reason: string }).reason).toMatch(reason);
    }
    expect((await truth(rig, "kraken", "")).state).toHaveProperty("BTC/USD");
    rig.emulator.close();
    const blind = await startRig(["kraken"]);
    expect(blind.emulator.endpoints.kraken).not.toHaveProperty("truth");
    expect(() => blind.emulator.truth("kraken", "BTC/USD")).toThrow(RangeError);
    blind.emulator.close();
  });
});

describe("The truth's page", () => {
  test("tells of Binance what the largest depth answer knew, and everything to whoever names a limit", async () => {
    const rig = await startRig(["binance"], { truth: true, rate: 20, levels: 120 });
    const { rest } = rig.emulator.endpoints.binance;
    const state = async (query: string): Promise<TrueState> => (await truth(rig, "binance", `/BTCUSDT${query}`)).state;
    await pass(rig.clock, 2_000);
    const whole = await state("");
    expect(whole.bids.length).toBeGreaterThan(40);
    const answer = await ask(rig, `${rest}/api/v3/depth?symbol=BTCUSDT&limit=20`, { waitMs: 0 });
    const depth = parsed(typeof answer === "object" && "body" in answer ? answer.body : "");
    const sequence = Number(depth.lastUpdateId);
    const same = await state(`?sequence=${sequence}`);
    const plain = (levels: unknown): string[] => (levels as [string][]).map(([price]) => String(Number(price)));
    expect(same.bids.map(([price]) => String(Number(price)))).toEqual(plain(depth.bids));
    expect(same.asks.map(([price]) => String(Number(price)))).toEqual(plain(depth.asks));
    await ask(rig, `${rest}/api/v3/depth?symbol=BTCUSDT&limit=5`, { waitMs: 0 });
    expect(await state(`?sequence=${sequence}`)).toEqual(same);
    await pass(rig.clock, 2_000);
    const [lowest = "", highest = ""] = [same.bids.at(-1)?.[0], same.asks.at(-1)?.[0]];
    const later = await state("");
    expect(later.bids.every(([price]) => Number(price) >= Number(lowest))).toBe(true);
    expect(later.asks.every(([price]) => Number(price) <= Number(highest))).toBe(true);
    expect((await state("?depth=1000")).bids.length).toBeGreaterThan(40);
    await ask(rig, `${rest}/api/v3/depth?symbol=BTCUSDT&limit=5000`, { waitMs: 0 });
    expect((await state("")).bids.length).toBeGreaterThan(40);
    rig.emulator.close();
  });

  test("tells of Kraken as many levels as were subscribed last", async () => {
    const rig = await startRig(["kraken"], { truth: true, levels: 120 });
    const levels = async (): Promise<number> => (await truth(rig, "kraken", "/BTC/USD")).state.bids.length;
    expect(await levels()).toBe(10);
    subscribe(openClient(rig, "kraken"), "kraken", { depth: 25 });
    await pass(rig.clock, 100);
    expect(await levels()).toBe(25);
    rig.emulator.close();
  });
});

type Step = "pass" | "reset" | "refine" | "auction";
type Copy = { sequence: number; timeUs: number; text: string };

/** A book with a short history, and copies of it made at every event. */
class Witness {
  readonly history: BookHistory;
  readonly copies: Copy[] = [];
  /** Copies before the numbers began anew. */
  restartedAt = 0;
  atUs = 0;
  readonly #market: Market;
  readonly #book: MarketBook;
  readonly #isNumbered: boolean;
  #scale = { price: 1, quantity: 1 };

  constructor(exchange: ExchangeId, { seed, eventsKept }: { seed: number; eventsKept: number }) {
    const instruments = DEFAULT_INSTRUMENTS.filter((one) => one.exchange === exchange).slice(0, 1);
    this.#market = new Market({ instruments: instruments.map((one) => ({ ...one, levels: 60 })), seed, rate: 20 });
    this.#market.open((atUs) => atUs, { eventsKept: 0 });
    const [book] = this.#market.books(exchange).values();
    if (book === undefined) {
      throw new Error(`Cannot go on: no book, was ${exchange}`);
    }
    this.#book = book;
    this.#isNumbered = exchange.startsWith("binance");
    this.history = new BookHistory(book, { isNumbered: this.#isNumbered, eventsKept });
    this.#market.listen(exchange, () => {
      if (book.changes.length > 0) {
        this.history.record();
        this.copies.push(this.now);
      }
    });
  }

  get now(): Copy {
    const { updateId, eventCount, eventUs: timeUs } = this.#book;
    return { sequence: this.#isNumbered ? updateId : eventCount, timeUs, text: this.textOf(this.#book) };
  }

  take(step: Step): void {
    const finer = { price: 1, quantity: 1 };
    if (step === "reset") {
      this.#market.restartNumbers(this.#book);
      this.history.restarted();
      this.restartedAt = this.copies.length;
    } else if (step === "refine" && this.#book.canRefine(finer)) {
      this.history.rescaled(this.#book.refine(finer));
      this.#scale = { price: this.#scale.price * 10, quantity: this.#scale.quantity * 10 };
    } else if (step === "auction") {
      this.#market.setAuction(this.#book, !(this.#book.instrument.isInAuction ?? false));
    }
    this.atUs += 700_000;
    this.#market.advance(this.atUs);
  }

  /** Levels in the units of the first listing, so that copies made before a change of units compare with those after it. */
  textOf(book: { bids: Ladder; asks: Ladder } | { reason: string }): string {
    const { price, quantity } = this.#scale;
    const side = (ladder: Ladder): string =>
      Array.from(
        { length: ladder.count },
        (_, rank) => `${ladder.price(rank) / price}:${ladder.quantity(rank) / quantity}`,
      ).join();
    return "reason" in book ? book.reason : `${side(book.bids)} ${side(book.asks)}`;
  }
}

describe("A book's history", () => {
  test("equals copies of the book at each of its last events, and forgets older ones, whatever happens to it", () => {
    const step = fc.constantFrom<Step[]>("pass", "pass", "pass", "reset", "refine", "auction");
    const steps = fc.array(step, { minLength: 5, maxLength: 25 });
    const check = (list: Step[], seed: number, exchange: ExchangeId): void => {
      const witness = new Witness(exchange, { seed, eventsKept: 40 });
      for (const one of list) {
        witness.take(one);
      }
      const { copies, history, atUs: nowUs } = witness;
      for (const { timeUs, text, sequence } of copies.slice(-40)) {
        const past = history.at({ timeUs, nowUs });
        expect(witness.textOf(past)).toBe(text);
        expect(past).toMatchObject({ sequence, timeUs });
        if (copies.findIndex((copy) => copy.timeUs === timeUs) >= witness.restartedAt) {
          expect(history.at({ sequence })).toEqual(past);
        }
      }
      const latest = history.at("latest");
      expect([witness.textOf(latest), latest]).toMatchObject([witness.now.text, { sequence: witness.now.sequence }]);
      const old = copies.at(-45);
      if (old !== undefined) {
        expect(history.at({ timeUs: old.timeUs, nowUs })).toHaveProperty("reason");
      }
    };
    const refines = Array.from({ length: 6 }, (): Step => "refine");
    const finest: Step[] = [...refines, "pass", "pass", "pass", "auction", "refine"];
    fc.assert(fc.property(steps, fc.integer({ min: 0, max: 1_000 }), fc.constantFrom(...EXCHANGE_IDS), check), {
      numRuns: 30,
      // Quantities as fine as they may become, and then the largest order that can come.
      examples: [[finest, 51, "coinbase_exchange"]],
    });
  });

  test("keeps 10,000 events of the liveliest book in a few megabytes", () => {
    const market = new Market({ instruments: DEFAULT_INSTRUMENTS.slice(0, 1), seed: 5, rate: 1 });
    market.open((atUs) => atUs, { eventsKept: EVENTS_KEPT });
    const [book] = market.books("coinbase_exchange").values();
    const history = book === undefined ? undefined : market.history(book);
    for (let atUs = 0; (book?.eventCount ?? 0) < EVENTS_KEPT + 500; atUs += 1_000_000) {
      market.advance(atUs);
    }
    const events = book?.eventCount ?? 0;
    expect(history?.at({ sequence: events - EVENTS_KEPT })).toMatchObject({ sequence: events - EVENTS_KEPT });
    expect(history?.at({ sequence: events - EVENTS_KEPT - 1 })).toEqual({ reason: "unknown or too long ago" });
    expect(history?.bytes).toBeLessThan(5 * 1024 * 1024);
  });
});

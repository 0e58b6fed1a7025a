/**
 * A seeded market of three exchanges in one memory, with real producers and a gateway's core on virtual time: books far
 * enough apart that fees eat every crossing, and crossings that are planted; and the same records read beside the gateway,
 * by plain maps, for the brute-force detector. Bad case: a crossing that nobody planted; the market says what it planted.
 */
import {
  DELTA_BASE_PRICE,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
} from "../../assembly/layout.ts";
import type { ArbitrageRules } from "../../src/arbitrage/mod.ts";
import { Random } from "../../src/emulator/random.ts";
import { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import { GatewayCore } from "../../src/gateway/core.ts";
import { completeLimits } from "../../src/gateway/limits.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { decimalUnits } from "../../src/wire/numbers.ts";
import type { OpportunityMessage } from "../../src/wire/opportunity.ts";
import { type Level, Market, type Producer } from "../integration/gateway_market.ts";
import { SceneClient } from "../unit/gateway_scene.ts";
import type { PlainBook } from "./arbitrage_oracle.ts";

const START_MS = 1_700_000_000_000;
const MIB = 1 << 20;
/** Names of the exchanges. */
export const EXCHANGES = ["north", "south", "west"] as const;
const LEVELS = 4;
const LOT = 0.01;
const EXPONENT = 2;
/** Levels that stay, so that a book keeps its decimals. */
const DEEPEST: Level = ["0.01", "0.01"];
const HIGHEST: Level = ["99999.99", "0.01"];

/** A crossing that was planted: from and until which event of which exchange. */
export type Planted = { readonly exchange: string; readonly shiftBps: number; fromMs: number; untilMs: number };

/** A book made from the records of a ring. */
type TapBook = PlainBook & {
  bids: Map<bigint, bigint>;
  asks: Map<bigint, bigint>;
  isUsable: boolean;
  updatedAtMs: number;
};

/** Market, gateway and a listening client. */
export class PlantedMarket {
  readonly clock = new VirtualClock(START_MS);
  readonly core: GatewayCore;
  readonly client: SceneClient;
  readonly planted: Planted[] = [];
  readonly books: readonly TapBook[];
  readonly #market = new Market(512);
  readonly #clients: SceneClient[] = [];
  readonly #producers: readonly Producer[];
  readonly #random: Random;
  #cursors: number[] = [];
  readonly #middles = EXCHANGES.map(() => 100_000);
  readonly #held: (readonly ["buy" | "sell", string])[][] = EXCHANGES.map(() => []);

  constructor(seed: number, rules: ArbitrageRules) {
    this.#random = new Random(seed, "planted market");
    this.#producers = EXCHANGES.map((label, index) => {
      const clock = () => (this.clock.now() - START_MS + 1) * 1_000_000;
      return this.#market.produce({ label, natives: ["BTC-USD"], firstInstrumentId: index * 100 + 1, clock });
    });
    this.books = EXCHANGES.map((exchange) => tapBook(exchange));
    for (const [index] of EXCHANGES.entries()) {
      this.#requote(index, { snapshot: true });
    }
    this.core = this.#makeCore(rules);
    this.client = this.connect();
    this.say(this.client, { op: "subscribe", channels: ["arbitrage"] });
    this.clock.advance(300);
    this.#cursors = this.#producers.map((producer) => this.#view(producer).deltaTail);
  }

  /** One more client. */
  connect(): SceneClient {
    const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
    const kernel = loadKernel({ name: "twin", memory });
    const id = this.#clients.length + 1;
    const client = new SceneClient({ id, protocol: "alphapulse.v1.json", kernel, scratch: 0 });
    this.#clients.push(client);
    this.core.sessions.open(client);
    return client;
  }

  /** A client says something. */
  say(client: SceneClient, message: object): void {
    this.core.sessions.message(client, new TextEncoder().encode(JSON.stringify({ id: 1, ...message })), true);
  }

  /** What the gateway told since the last call. */
  takeTold(): OpportunityMessage[] {
    const told = this.client.messages.filter(({ type }) => type === "opportunity");
    this.client.messages.length = 0;
    return told as unknown as OpportunityMessage[];
  }

  /** A few events of a few exchanges; now and then one begins or ends to cross. @param plants share of the turns that plant */
  move(plants: number): void {
    const random = this.#random;
    for (const one of this.planted.filter(({ untilMs }) => untilMs === Number.POSITIVE_INFINITY)) {
      if (random.chance(0.3)) {
        const index = EXCHANGES.indexOf(one.exchange as (typeof EXCHANGES)[number]);
        one.untilMs = this.clock.now();
        this.#middles[index] = 100_000;
        this.#requote(index);
      }
    }
    const isCrossed = this.planted.some(({ untilMs }) => untilMs === Number.POSITIVE_INFINITY);
    if (!isCrossed && random.chance(plants)) {
      const index = random.below(EXCHANGES.length);
      const shiftBps = (random.chance(0.5) ? 1 : -1) * (200 + random.below(300));
      this.#middles[index] = 100_000 + shiftBps * 10;
      const [exchange, fromMs] = [EXCHANGES[index] ?? "", this.clock.now()];
      this.planted.push({ exchange, shiftBps, fromMs, untilMs: Number.POSITIVE_INFINITY });
      // All books are fresh when it begins: what crosses an old one is none.
      for (const place of EXCHANGES.keys()) {
        this.#requote(place);
      }
    }
    for (let events = 1 + random.below(4); events > 0; events--) {
      this.#requote(random.below(EXCHANGES.length));
    }
    for (const producer of this.#producers) {
      producer.publish();
    }
  }

  /** Reads what was published since the last call, exchange by exchange as the gateway does. @param ended an event of a book ended */
  readRecords(ended: (book: TapBook) => void): void {
    for (const [index, producer] of this.#producers.entries()) {
      const { address, header, deltaTail: tail } = this.#view(producer);
      for (let position = this.#cursors[index] ?? 0; position < tail; position++) {
        const at = address + header.deltaRingOffset + (position % header.deltaCapacity) * DELTA_BYTES;
        const book = this.books[index] as TapBook;
        if (this.#apply(book, at)) {
          ended(book);
        }
      }
      this.#cursors[index] = tail;
    }
  }

  close(): void {
    this.core.stop();
  }

  /** Applies one record. @returns an event ended */
  #apply(book: TapBook, at: number): boolean {
    const memory = new DataView(this.#market.map.memory.buffer);
    const flags = memory.getUint16(at + DELTA_FLAGS, true);
    if (memory.getUint32(at + DELTA_INSTRUMENT_ID, true) % 100 !== 1 || (flags & FLAG_RESET) !== 0) {
      throw new Error(`Cannot follow a market: it has one instrument a ring and is never reset, was flags ${flags}`);
    }
    const sides = memory.getUint16(at + DELTA_SIDE_MASK, true);
    for (let index = 0; index < memory.getUint8(at + DELTA_CHANGE_COUNT); index++) {
      const offset = BigInt(memory.getInt32(at + DELTA_PRICE_OFFSETS + index * 4, true));
      const price = memory.getBigInt64(at + DELTA_BASE_PRICE, true) + offset;
      const quantity = memory.getBigInt64(at + DELTA_QUANTITIES + index * 8, true);
      const side = ((sides >> index) & 1) === 0 ? book.bids : book.asks;
      if (quantity === 0n) {
        side.delete(price);
      } else {
        side.set(price, quantity);
      }
    }
    book.updatedAtMs = Number(memory.getBigUint64(at + DELTA_RECEIVED_AT, true)) / 1e6;
    book.isUsable = (flags & FLAG_NOT_SYNCED) === 0;
    return (flags & FLAG_LAST) !== 0;
  }

  /** One event that replaces most of a book: levels around its middle, two bps of it apart, and a few lots each. */
  #requote(index: number, { snapshot = false } = {}): void {
    const random = this.#random;
    const middle = (this.#middles[index] ?? 0) + random.below(41) - 20;
    const quote = (side: "buy" | "sell"): [string, string][] =>
      Array.from({ length: LEVELS }, (_, level) => {
        const price = middle + (side === "buy" ? -1 : 1) * (10 + level * 20 + random.below(10));
        return [(price / 100).toFixed(2), ((1 + random.below(6)) * LOT).toFixed(2)];
      });
    const [bids, asks] = [quote("buy"), quote("sell")];
    const producer = this.#producers[index] as Producer;
    const held = this.#held[index] ?? [];
    const quoted = [
      ...bids.map(([price]) => ["buy", price] as const),
      ...asks.map(([price]) => ["sell", price] as const),
    ];
    if (snapshot) {
      const book = { bids: [...bids, DEEPEST], asks: [...asks, HIGHEST] };
      producer.snapshot("BTC-USD", book);
      this.#note(index, book);
    } else {
      const removed = held.filter(([side, price]) => !quoted.some((one) => one[0] === side && one[1] === price));
      producer.apply({
        type: "l2update",
        product_id: "BTC-USD",
        time: new Date(this.clock.now()).toISOString(),
        changes: [
          ...removed.map(([side, price]) => [side, price, "0"]),
          ...bids.map(([price, size]) => ["buy", price, size]),
          ...asks.map(([price, size]) => ["sell", price, size]),
        ],
      });
    }
    this.#held[index] = quoted;
  }

  /** What the first book is; records follow from here. */
  #note(index: number, { bids, asks }: Record<"bids" | "asks", Level[]>): void {
    const units = (text: string) => decimalUnits(text, EXPONENT) ?? 0n;
    const book = this.books[index] as TapBook;
    for (const [side, levels] of [
      [book.bids, bids],
      [book.asks, asks],
    ] as const) {
      for (const [price, quantity] of levels) {
        side.set(units(price), units(quantity));
      }
    }
    // Joined from an image, which has no time: it counts as old until its next event.
    book.isUsable = true;
  }

  #view({ segment }: Producer): SegmentView {
    return new SegmentView(this.#market.map.memory.buffer, segment.address);
  }

  #makeCore(rules: ArbitrageRules): GatewayCore {
    const { map } = this.#market;
    const arena = map.reserve("gateway", { bytes: 96 * MIB });
    const kernel = loadKernel({ name: "twin", memory: map.memory });
    kernel.arenaInit(arena.address, arena.bytes);
    const core = new GatewayCore({
      kernel,
      segments: () => this.#producers.map(({ segment }) => segment),
      limits: completeLimits({ heartbeatStaleMs: 1e15 }),
      now: this.clock.now,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      server: "test",
      transport: "ws",
      waitAsync: undefined,
      scheduler: {
        soon: (task) => void this.clock.setTimer(task, 0),
        after: (delayMs, task) => this.clock.setTimer(task, delayMs),
      },
      arbitrage: rules,
    });
    core.start({
      port: 1,
      publish: (topic, payload) => {
        for (const client of this.#clients.filter(({ topics }) => topics.has(topic))) {
          client.send(payload);
        }
      },
      close: () => Promise.resolve(),
    });
    return core;
  }
}

function tapBook(exchange: string): TapBook {
  return {
    instrument: `${exchange}:BTC-USD`,
    exchange,
    base: "BTC",
    quote: "USD",
    bids: new Map(),
    asks: new Map(),
    priceExponent: EXPONENT,
    quantityExponent: EXPONENT,
    isUsable: false,
    updatedAtMs: Number.NEGATIVE_INFINITY,
  };
}

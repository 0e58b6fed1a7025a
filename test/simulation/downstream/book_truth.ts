/**
 * The true books of a producer by version, kept by plain maps beside it: what whoever holds a version must hold.
 * Bad case: a version that the producer never ended an event at; there is no text for it, so no book equals it.
 */
import {
  DELTA_BYTES,
  DELTA_EVENT_AT,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  INSTRUMENT_VERSION,
} from "../../../assembly/layout.ts";
import type { Level, Producer } from "../../integration/gateway_market.ts";

/** A side, a price and the quantity from now on. */
export type Change = readonly [side: "buy" | "sell", price: string, size: string];
/** Price and size of levels, best first. */
export type Pairs = readonly (readonly [string, string])[];

type Sides = Record<"buy" | "sell", Map<string, string>>;

/** Drives a producer and remembers what its books were. */
export class BookTruth {
  readonly #producer: Producer;
  readonly #memory: DataView;
  readonly #texts = new Map<string, string>();
  /** By instrument and time of the event: every event of a producer has another. */
  readonly #levels = new Map<string, { bids: Pairs; asks: Pairs }>();
  readonly #books = new Map<string, Sides>();

  constructor(producer: Producer, memory: DataView) {
    this.#producer = producer;
    this.#memory = memory;
  }

  /** The producer receives and publishes a whole book. */
  snapshot(native: string, book: { bids: readonly Level[]; asks: readonly Level[] }): void {
    this.#books.set(native, { buy: new Map(book.bids), sell: new Map(book.asks) });
    this.#producer.snapshot(native, book);
    this.#note(native);
  }

  /** The producer receives and publishes changes. */
  update(native: string, changes: readonly Change[]): void {
    for (const [side, price, size] of changes) {
      this.#books.get(native)?.[side].set(price, size);
    }
    this.#producer.update(native, changes);
    this.#note(native);
  }

  /** The producer's version now. */
  version(native: string): string {
    const address = this.#producer.sync.instrument(native)?.block.address ?? 0;
    return String(this.#memory.getBigUint64(address + INSTRUMENT_VERSION, true));
  }

  /** The book at a version, as `bookText` writes it. @returns undefined when no event ended there */
  text(native: string, version: string): string | undefined {
    return this.#texts.get(`${native} ${version}`);
  }

  /** The best levels after the event of a time, as `bookText` writes them. @param depth 0 = all */
  topText(native: string, eventAtNs: string, depth: number): string | undefined {
    const levels = this.#levels.get(`${native} ${eventAtNs}`);
    const best = (side: Pairs) => side.slice(0, depth === 0 ? undefined : depth);
    return levels === undefined ? undefined : bookText({ bids: best(levels.bids), asks: best(levels.asks) });
  }

  #note(native: string): void {
    const { buy = new Map<string, string>(), sell = new Map<string, string>() } = this.#books.get(native) ?? {};
    const levels = { bids: rising(buy).reverse(), asks: rising(sell) };
    this.#texts.set(`${native} ${this.version(native)}`, bookText(levels));
    const eventNs = String(this.#memory.getBigUint64(this.#lastRecord() + DELTA_EVENT_AT, true));
    this.#levels.set(`${native} ${eventNs}`, levels);
  }

  #lastRecord(): number {
    const { address } = this.#producer.segment;
    const tail = Number(this.#memory.getBigUint64(address + HEADER_DELTA_TAIL, true));
    const capacity = this.#memory.getUint32(address + HEADER_DELTA_CAPACITY, true);
    const ring = address + Number(this.#memory.getBigUint64(address + HEADER_DELTA_RING_OFFSET, true));
    return ring + ((tail - 1) % capacity) * DELTA_BYTES;
  }
}

/** A book as text: equal books have equal texts, however their decimals are written. */
export function bookText({ bids, asks }: { bids: Pairs; asks: Pairs }): string {
  const plain = (levels: Pairs) => levels.map(([price, size]) => [Number(price), Number(size)]);
  return JSON.stringify([plain(bids), plain(asks)]);
}

function rising(side: Map<string, string>): [string, string][] {
  return [...side].filter(([, size]) => size !== "0").sort(([one], [other]) => Number(one) - Number(other));
}

/**
 * An exchange in memory and collectors of it, for tests of what several collectors make of one exchange: each collector
 * writes a real segment and publishes it with the real publisher's reader; only the wire is absent.
 * Bad case: a collector that sees less than another; `depth` cuts its snapshots, as some exchanges do.
 */
import {
  DELTA_INSTRUMENT_ID,
  DELTA_VERSION,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_BOOK,
  SIDE_ASK,
  SIDE_BID,
  TRADE_BYTES,
  TRADE_EVENT_AT,
  TRADE_ID,
  TRADE_ID_LENGTH,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { CaughtUp } from "../../src/nats/caught_up.ts";
import type { LevelDifference } from "../../src/nats/difference.ts";
import type { InstrumentFacts } from "../../src/nats/facts.ts";
import type { LocalBook } from "../../src/nats/local_book.ts";
import { LocalSegment } from "../../src/nats/local_segment.ts";
import { type Outgoing, PublishedSegment, type RingPosition } from "../../src/nats/published_segment.ts";
import { differenceRecords, notSynced, stampRecord } from "../../src/nats/record_writer.ts";
import { Workspace } from "../../src/nats/workspace.ts";
import type { MemoryMap } from "../../src/segment/memory_map.ts";
import { SegmentView } from "../../src/segment/view.ts";

const KERNEL = new WebAssembly.Module(readAsset("kernel.wasm"));
const FLAG_SYNCED = 0;
const BIDS = [90, 99] as const;
const ASKS = [101, 110] as const;
const STEP_NS = 1_000_000n;

/** The instrument that all of it is about. */
export const FACTS: InstrumentFacts = {
  canonical: "BTC-USD",
  native: "BTC/USD",
  priceExponent: 1,
  quantityExponent: 3,
  depth: 0,
  assurance: 1,
  state: 2,
  reason: 0,
  tradingStatus: 0,
};

/** Levels of a book: `side price` to quantity. */
export type Levels = ReadonlyMap<string, bigint>;

/** How an exchange speaks. */
export type Manner = {
  /** Its events have numbers. */
  readonly isNumbered: boolean;
  /** So many events have one time. */
  readonly perTick: number;
  /** Levels of a side in a snapshot; undefined = all. */
  readonly depth: number | undefined;
  /** Snapshots carry the time at which they were sent, not that of the last event. */
  readonly isDated?: boolean;
};

/** What an exchange said. */
export type Happening =
  | { readonly kind: "event"; readonly side: number; readonly price: bigint; readonly quantity: bigint }
  | { readonly kind: "trade" };

/** A kernel of its own. */
export function makeWorkspace(map: MemoryMap, name: string, arenaBytes: number): Workspace {
  return new Workspace(map, { kernel: "wasm", kernelModule: KERNEL, arenaBytes, name });
}

/** An exchange. */
export class Exchange {
  readonly manner: Manner;
  readonly happenings: Happening[] = [];
  /** The book after so many happenings. */
  readonly books: Levels[] = [new Map()];
  #random: number;

  constructor(manner: Manner, seed: number) {
    this.manner = manner;
    this.#random = seed >>> 0 || 1;
    for (let level = 0; level < 12; level++) {
      this.happen();
    }
  }

  /** How much happened. */
  get size(): number {
    return this.happenings.length;
  }

  /** The next event or trade. */
  happen(): void {
    const book = new Map(this.books.at(-1));
    if (this.size > 12 && this.#next(5) === 0) {
      this.happenings.push({ kind: "trade" });
    } else {
      const side = this.#next(2) === 0 ? SIDE_BID : SIDE_ASK;
      const [low, high] = side === SIDE_BID ? BIDS : ASKS;
      const price = BigInt(low + this.#next(high - low + 1));
      const before = book.get(`${side} ${price}`) ?? 0n;
      const others = [0n, 1n, 2n, 3n].filter((quantity) => quantity !== before);
      const quantity = others[this.#next(others.length)] ?? 0n;
      this.happenings.push({ kind: "event", side, price, quantity });
      book.set(`${side} ${price}`, quantity);
      if (quantity === 0n) {
        book.delete(`${side} ${price}`);
      }
    }
    this.books.push(book);
  }

  /** Time and number of the happening that led to a place. */
  stampAt(place: number) {
    const tick = BigInt(Math.floor(place / this.manner.perTick)) + 1n;
    return {
      eventAtNs: 1_700_000_000_000_000_000n + tick * STEP_NS,
      receivedAtNs: 1_700_000_000_000_000_000n + tick * STEP_NS + 1000n,
      sourceSequence: this.manner.isNumbered ? BigInt(place) + 1000n : 0n,
      flags: FLAG_SYNCED,
    };
  }

  /** The last place at or before this one that an event led to. */
  eventPlace(place: number): number {
    let at = place;
    while (at > 0 && this.happenings[at - 1]?.kind !== "event") {
      at -= 1;
    }
    return at;
  }

  /** What a snapshot at a place shows. */
  snapshotAt(place: number): Levels {
    const { depth } = this.manner;
    const levels = [...(this.books[place] ?? new Map<string, bigint>())];
    return depth === undefined
      ? new Map(levels)
      : new Map([SIDE_BID, SIDE_ASK].flatMap((side) => best(levels, side, depth)));
  }

  #next(below: number): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#random / 2 ** 32) * below);
  }
}

/** The hash of a book, from its levels alone. */
export function hashOf({ kernel, memory, levels: at }: Workspace, levels: Levels): number {
  let hash = 0;
  for (const [name, quantity] of levels) {
    const [side = "", price = ""] = name.split(" ");
    memory.setBigInt64(at + LEVEL_PRICE, BigInt(price), true);
    memory.setBigInt64(at + LEVEL_QUANTITY, quantity, true);
    hash = (hash + kernel.levelHash(Number(side), at)) >>> 0;
  }
  return hash;
}

/** A collector, from its start to its death. */
export class ModelCollector {
  readonly source: bigint;
  /** How much of the exchange it has seen. */
  seen: number;
  isCut = false;
  /** The broker hears it and stores nothing of it. */
  isRefused = false;
  /** Position in the stream behind which nothing of it is stored yet. */
  bound: number;
  /** Version of its last snapshot: who has not heard of it cannot rely on this collector. */
  loadedVersion = 0n;
  readonly #exchange: Exchange;
  readonly #map: MemoryMap;
  readonly #workspace: Workspace;
  readonly #local: LocalSegment;
  readonly #book: LocalBook;
  readonly #published: PublishedSegment;
  readonly #caughtUp: CaughtUp;
  #levels = new Map<string, bigint>();
  #confirmed: RingPosition;

  constructor(
    exchange: Exchange,
    options: {
      map: MemoryMap;
      workspace: Workspace;
      source: bigint;
      deltaCapacity: number;
      bound: number;
      nowMs: number;
    },
  ) {
    const { map, workspace, source, deltaCapacity } = options;
    this.source = source;
    this.bound = options.bound;
    this.#caughtUp = new CaughtUp(options.nowMs);
    this.#exchange = exchange;
    this.#map = map;
    this.#workspace = workspace;
    const sizes = { instrumentCapacity: 2, deltaCapacity, tradeCapacity: 256, imageAreaBytes: 131_072 };
    this.#local = new LocalSegment({ map, workspace, exchange: "kraken", generation: Number(source) + 1000, sizes });
    const opened = this.#local.open(FACTS, { levels: 64, previous: undefined });
    if (opened === undefined) {
      throw new RangeError("Cannot model a collector: its segment has no room, was 131072 bytes");
    }
    this.#book = opened;
    this.seen = exchange.size;
    this.#load();
    const view = new SegmentView(map.memory.buffer, this.#local.range.address);
    this.#published = new PublishedSegment(workspace, { view, source });
    this.#confirmed = this.#published.position;
  }

  /** Takes what the exchange said. @param limit at most so much of it */
  collect(limit: number): void {
    for (const end = Math.min(this.#exchange.size, this.seen + limit); this.seen < end; ) {
      const happening = this.#exchange.happenings[this.seen];
      this.seen += 1;
      if (happening?.kind === "trade") {
        this.#book.trade(tradeRecord(this.#exchange, this.seen));
      } else if (happening !== undefined) {
        this.#change(happening);
      }
    }
    this.#book.patrol();
  }

  /** It lost its way on the exchange's side, says so, and takes a snapshot. */
  resync(): void {
    const stamp = { ...this.#book.mark, receivedAtNs: this.#book.receivedAtNs, flags: FLAG_SYNCED };
    this.#append(notSynced(differenceRecords(this.#workspace, [], { hash: this.#book.hash, stamp })));
    this.seen = this.#exchange.size;
    this.#load();
  }

  /** What would be sent now. @param isStored whether the broker stores it; else it is read from the ring again */
  publish(): Outgoing[] {
    return this.#published.poll();
  }

  /** The broker has everything. @param bound position in the stream */
  confirm(bound: number): void {
    this.#confirmed = this.#published.position;
    this.bound = bound;
  }

  /** How far storing is behind its rings, in ms. */
  behindMs(nowMs: number): number {
    const { deltaTail: deltas, tradeTail: trades } = this.#published.view;
    return this.#caughtUp.look({ tail: { deltas, trades }, stored: this.#confirmed, nowMs });
  }

  /** The broker may not have everything. */
  rewind(): void {
    this.#published.rewind(this.#confirmed);
    this.#published.want();
  }

  /** Somebody needs a whole book. */
  want(): void {
    this.#published.want();
  }

  snapshots(nowMs: number, bound: number): Outgoing[] {
    return this.#published.snapshots({
      bound: BigInt(bound),
      bytesMax: 1_000_000,
      payloadMax: 1_000_000,
      periodMs: 1000,
      nowMs,
    });
  }

  /** Gives its memory back. */
  close(): void {
    this.#published.close();
    this.#book.close();
    this.#map.release(this.#local.range);
  }

  /** @returns its epoch */
  get epoch(): bigint {
    return this.#published.view.header.epoch;
  }

  #change({ side, price, quantity: after }: { side: number; price: bigint; quantity: bigint }): void {
    const name = `${side} ${price}`;
    const before = this.#levels.get(name) ?? 0n;
    if (before === after) {
      return;
    }
    const stamp = this.#exchange.stampAt(this.seen);
    const changes = [{ side, price, before, after }];
    this.#append(differenceRecords(this.#workspace, changes, { hash: this.#book.hash, stamp }));
    this.#levels.set(name, after);
    if (after === 0n) {
      this.#levels.delete(name);
    }
  }

  #append(records: readonly Uint8Array[]): void {
    if (!this.#book.append(records)) {
      throw new RangeError(`Cannot model a collector: its event does not lead on, was place ${this.seen}`);
    }
  }

  /** A snapshot of the exchange becomes its book. */
  #load(): void {
    const { kernel } = this.#workspace;
    const { isDated = false } = this.#exchange.manner;
    const { eventAtNs, ...rest } = this.#exchange.stampAt(this.#exchange.eventPlace(this.seen));
    const stamp = { ...rest, eventAtNs: isDated ? this.#exchange.stampAt(this.seen).eventAtNs + 1000n : eventAtNs };
    this.#levels = new Map(this.#exchange.snapshotAt(this.seen));
    const replica = this.#workspace.replica(this.#book.instrument.id);
    kernel.replicaBegin(replica);
    const changes: LevelDifference[] = [...this.#levels].map(([name, after]) => {
      const [side = "", price = ""] = name.split(" ");
      return { side: Number(side), price: BigInt(price), before: 0n, after };
    });
    let version = 0n;
    for (const record of differenceRecords(this.#workspace, changes, { hash: 0, stamp })) {
      version += 1n;
      new DataView(record.buffer).setBigUint64(DELTA_VERSION, version, true);
      new DataView(record.buffer).setUint32(DELTA_INSTRUMENT_ID, this.#book.instrument.id, true);
      kernel.replicaApply(replica, this.#workspace.placeRecord(record));
    }
    const book = this.#workspace.memory.getUint32(replica + REPLICA_BOOK, true);
    const record = stampRecord(this.#workspace, { hash: hashOf(this.#workspace, this.#levels), stamp });
    if (!this.#book.reset(book, record) || this.#book.hash !== hashOf(this.#workspace, this.#levels)) {
      throw new RangeError(`Cannot model a collector: its book is another, was ${this.#levels.size} levels`);
    }
    this.loadedVersion = this.#book.version;
    kernel.replicaRelease(replica);
  }
}

function best(levels: readonly (readonly [string, bigint])[], side: number, depth: number) {
  const ofSide = levels.filter(([name]) => name.startsWith(`${side} `));
  const sign = side === SIDE_BID ? -1 : 1;
  return ofSide.sort(([one], [other]) => sign * (Number(one.slice(2)) - Number(other.slice(2)))).slice(0, depth);
}

function tradeRecord(exchange: Exchange, place: number): Uint8Array {
  const record = new Uint8Array(TRADE_BYTES);
  const name = new TextEncoder().encode(`trade-${place}`);
  record.set(name, TRADE_ID);
  record[TRADE_ID_LENGTH] = name.length;
  new DataView(record.buffer).setBigUint64(TRADE_EVENT_AT, exchange.stampAt(place).eventAtNs, true);
  return record;
}

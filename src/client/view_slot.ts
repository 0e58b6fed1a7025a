/**
 * One book that a client follows: a view of an instrument (levels a side, least time between updates) with versions and
 * a hash of its own. Both forms of the stream end in the same book and are proved by the same hash: binary frames by
 * their decoder, JSON messages by turning their decimals into ticks and lots.
 * Bad case: a check that fails empties the book at once; the caller asks for it again.
 */
import {
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
  FRAME_CONFLATED,
  FRAME_FLAG_CHECK,
  FRAME_FLAG_FIRST,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  REPLICA_CHAIN_BROKEN,
  REPLICA_HASH_MISMATCH,
  REPLICA_OK,
  REPLICA_STATE_FOLLOWING,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import type { JsonLevel, OrderBookDeltaMessage, OrderBookMessage, ResumePoint } from "../wire/protocol.ts";
import type { ClientBook, ResyncReason } from "./events.ts";
import { decimal, type Exact, normal, parseUnits } from "./exact.ts";
import type { InstrumentSlot } from "./instrument_slot.ts";
import type { BookSide } from "./level_book.ts";
import { StreamBook } from "./stream_book.ts";
import { Word64 } from "./word64.ts";

/** What applying a frame or message found. `partial`: a snapshot is not complete yet; `ignored`: the book was given up and is asked for. */
export type SlotOutcome =
  | { readonly kind: "applied"; readonly records: number; readonly isSnapshot: boolean }
  | { readonly kind: "partial" }
  | { readonly kind: "ignored" }
  | { readonly kind: "failed"; readonly reason: ResyncReason };

/** What may come next: anything that follows, the update that was promised from the version held, or a whole book. */
export type Expected = "changes" | "update" | "snapshot";

const PARTIAL: SlotOutcome = { kind: "partial" };
const IGNORED: SlotOutcome = { kind: "ignored" };

/** One view of a client. */
export class ViewSlot {
  readonly instrument: InstrumentSlot;
  /** Levels a side; 0 = all. */
  readonly depth: number;
  /** Least milliseconds between updates; 0 = every change. */
  readonly rateMs: number;
  readonly book: StreamBook;
  /** The version at which the server's hash last held here. */
  readonly provedVersion = new Word64();
  /** The server acknowledged this view on this connection. */
  isWanted = false;
  /** Failed checks in a row, for pacing. */
  failures = 0;
  failedAtMs = 0;
  /** What may come next on this connection. */
  expected: Expected = "changes";
  /** Called after every change and whenever what `state` says may be another. */
  readonly watchers = new Set<SlotWatcher>();
  /** What is held was reached by changes that all followed. */
  #isResumable = false;

  constructor(instrument: InstrumentSlot, options: { depth: number; rateMs: number; isVerified: boolean }) {
    this.instrument = instrument;
    this.depth = options.depth;
    this.rateMs = options.rateMs;
    this.book = new StreamBook(options);
  }

  /** There is a whole book. */
  get hasBook(): boolean {
    return this.book.state === REPLICA_STATE_FOLLOWING;
  }

  /** The server says synced, the last event says so too, and every check held. */
  get isSynced(): boolean {
    const isSaid = (this.book.flags & FLAG_NOT_SYNCED) === 0 && this.instrument.status.state === "synced";
    return isSaid && this.hasBook && this.expected === "changes";
  }

  /** Where to go on after a reconnect; undefined without a book that leads on. */
  get resumePoint(): ResumePoint | undefined {
    return this.hasBook && this.#isResumable ? { epoch: this.book.epoch, version: this.book.version.text } : undefined;
  }

  /** Forgets the book; what still comes is left alone until a snapshot. */
  clear(): void {
    this.book.clear();
    this.expected = "changes";
    this.#isResumable = false;
  }

  /** Forgets the book; a snapshot must come next. */
  begin(): void {
    this.clear();
    this.expected = "snapshot";
  }

  /** The server goes on from the version held: an update must come next. */
  resume(): void {
    if (this.hasBook) {
      this.expected = "update";
    } else {
      this.begin();
    }
  }

  /** What is held leads nowhere: it stays to be looked at, not synced, and a snapshot must come next. */
  interrupt(): void {
    this.expected = "snapshot";
    this.#isResumable = false;
  }

  /** The connection is down: the book stays to be looked at, not synced, and to be resumed. */
  suspend(): void {
    this.isWanted = false;
    this.expected = "snapshot";
  }

  /** Applies a deltas, snapshot or conflated frame. */
  applyFrame(frame: Uint8Array): SlotOutcome {
    const head = frame[0] ?? 0;
    const kind = head & FRAME_KIND_MASK;
    const { book } = this;
    if (kind === FRAME_SNAPSHOT && (head & FRAME_FLAG_FIRST) !== 0) {
      this.expected = "changes";
    } else if (this.expected === "update" ? kind !== FRAME_CONFLATED : this.expected === "snapshot") {
      return this.#fail("chain");
    }
    const before = book.version.low;
    const code = book.apply(frame);
    if (code !== REPLICA_OK) {
      return code < REPLICA_OK ? this.#fail(failureReason(code)) : IGNORED;
    }
    if (book.state !== REPLICA_STATE_FOLLOWING) {
      return PARTIAL;
    }
    this.expected = "changes";
    this.#isResumable = true;
    const isSnapshot = kind === FRAME_SNAPSHOT;
    if (isSnapshot && !this.#exponentsHold()) {
      return this.#fail("exponents");
    }
    if (isSnapshot || kind === FRAME_CONFLATED || (head & FRAME_FLAG_CHECK) !== 0) {
      this.provedVersion.copy(book.version);
    }
    return { kind: "applied", records: isSnapshot ? 0 : (book.version.low - before) >>> 0, isSnapshot };
  }

  /** Replaces the book by a JSON snapshot. */
  applySnapshot(message: OrderBookMessage): SlotOutcome {
    this.clear();
    const { book } = this;
    book.epoch = message.epoch;
    book.priceExponent = message.priceExponent;
    book.quantityExponent = message.quantityExponent;
    if (!this.#exponentsHold()) {
      return this.#fail("exponents");
    }
    if (!this.#load(SIDE_BID, message.bids) || !this.#load(SIDE_ASK, message.asks)) {
      return this.#fail("malformed");
    }
    return this.#prove(message) ? { kind: "applied", records: 0, isSnapshot: true } : this.#fail("hash");
  }

  /** Applies a JSON delta. */
  applyDelta(message: OrderBookDeltaMessage): SlotOutcome {
    if (this.expected === "snapshot") {
      return this.#fail("chain");
    }
    if (!this.hasBook) {
      return IGNORED;
    }
    const { book } = this;
    if (!book.version.equals(wide(message.previousVersion))) {
      return this.#fail("chain");
    }
    const isReadable = message.changes.every(([side, price, quantity]) => {
      const [ticks, lots] = this.#units(price, quantity);
      const isGood = ticks !== undefined && lots !== undefined && (side === "bid" || side === "ask");
      if (isGood) {
        book.levels.set(side === "ask" ? SIDE_ASK : SIDE_BID, ticks, lots);
      }
      return isGood;
    });
    if (!isReadable) {
      return this.#fail("malformed");
    }
    const before = book.version.low;
    if (!this.#prove(message)) {
      return this.#fail("hash");
    }
    return { kind: "applied", records: (book.version.low - before) >>> 0, isSnapshot: false };
  }

  /** The book as it is now, so many levels a side at most; undefined before there is one. */
  copy(levels = Number.MAX_SAFE_INTEGER): ClientBook | undefined {
    if (!this.hasBook) {
      return undefined;
    }
    const { book, instrument } = this;
    const { bids, asks } = book.levels;
    return {
      ...instrument.status,
      instrument: instrument.name,
      isSynced: this.isSynced,
      isCrossed: (book.flags & FLAG_CROSSED) !== 0,
      version: book.version.text,
      provedVersion: this.provedVersion.text,
      hash: book.levels.hash >>> 0,
      bidLevels: bids.count,
      askLevels: asks.count,
      bids: pairs(bids, levels, book),
      asks: pairs(asks, levels, book),
      eventAtNs: book.eventAt.text,
      receivedAtNs: book.receivedAt.text,
    };
  }

  /** Tells every watcher. @param change undefined: only what `state` says may be another */
  tell(change: SlotChange | undefined): void {
    for (const watcher of this.watchers) {
      watcher(change);
    }
  }

  /** Levels come best first. @returns false when they do not or one cannot be read */
  #load(side: number, levels: readonly JsonLevel[]): boolean {
    let last: Exact | undefined;
    for (const [price, quantity] of levels) {
      const [ticks, lots] = this.#units(price, quantity);
      const isNext = ticks !== undefined && (last === undefined || (side === SIDE_BID ? ticks < last : ticks > last));
      if (!isNext || lots === undefined || lots === 0) {
        return false;
      }
      this.book.levels.append(side, ticks, lots);
      last = ticks;
    }
    return true;
  }

  #units(price: string, quantity: string): [ticks: Exact | undefined, lots: Exact | undefined] {
    const lots = parseUnits(quantity, this.book.quantityExponent);
    return [parseUnits(price, this.book.priceExponent), lots !== undefined && lots >= 0 ? lots : undefined];
  }

  #prove(message: OrderBookMessage | OrderBookDeltaMessage): boolean {
    const { book } = this;
    book.version.assign(wide(message.version));
    book.eventAt.assign(wide(message.eventAtNs));
    book.receivedAt.assign(wide(message.receivedAtNs));
    book.sequence.assign(wide(message.sequence));
    book.flags = (message.synced ? 0 : FLAG_NOT_SYNCED) | (message.crossed ? FLAG_CROSSED : 0);
    book.state = REPLICA_STATE_FOLLOWING;
    this.expected = "changes";
    this.#isResumable = true;
    this.provedVersion.copy(book.version);
    return !book.isVerified || book.levels.hash >>> 0 === message.hash;
  }

  #fail(reason: ResyncReason): SlotOutcome {
    this.clear();
    return { kind: "failed", reason };
  }

  /** The exponents are not covered by the hash: the acknowledgement and the snapshot must name the same. */
  #exponentsHold(): boolean {
    const { priceExponent, quantityExponent } = this.instrument.status;
    return priceExponent === this.book.priceExponent && quantityExponent === this.book.quantityExponent;
  }
}

/** What a watcher is told: records applied, or the whole book at once. */
export type SlotChange = { readonly records: number; readonly isSnapshot: boolean };
/** Hears of a slot. */
export type SlotWatcher = (change: SlotChange | undefined) => void;

/** The best levels of a side as decimal pairs. */
export function pairs(
  side: BookSide,
  limit: number,
  exponents: { readonly priceExponent: number; readonly quantityExponent: number },
): JsonLevel[] {
  const { priceExponent, quantityExponent } = exponents;
  return Array.from({ length: Math.min(limit, side.count) }, (_, rank) => [
    decimal(side.price(rank), priceExponent),
    decimal(side.quantity(rank), quantityExponent),
  ]);
}

/** A u64 from decimal text; 0 when it is none. */
function wide(text: string): Exact {
  return /^\d{1,20}$/.test(text) ? normal(BigInt(text)) : 0;
}

function failureReason(code: number): ResyncReason {
  if (code === REPLICA_HASH_MISMATCH) {
    return "hash";
  }
  return code === REPLICA_CHAIN_BROKEN ? "chain" : "inconsistent";
}

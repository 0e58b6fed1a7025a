/**
 * One instrument in a client: its alias, status and book. Both forms of the stream end in the same kernel book: binary
 * frames are applied and proved by the kernel; JSON messages are turned into ticks and lots here and proved by the same
 * hash. Bad case: a check that fails empties the book at once; the caller asks for it again.
 */
import {
  FLAG_CROSSED,
  FLAG_NOT_SYNCED,
  FRAME_FLAG_CHECK,
  FRAME_FLAG_FIRST,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_BOOK,
  REPLICA_CHAIN_BROKEN,
  REPLICA_EVENT_AT,
  REPLICA_FLAGS,
  REPLICA_HASH_MISMATCH,
  REPLICA_OK,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_RECEIVED_AT,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { type Exponents, levelPairs } from "../wire/json_form.ts";
import { decimalUnits, u64Text } from "../wire/numbers.ts";
import type { JsonLevel, OrderBookDeltaMessage, OrderBookMessage, SyncStatus } from "../wire/protocol.ts";
import { type BookStore, LEVELS_CHUNK } from "./book_store.ts";
import type { ClientBook, ResyncReason } from "./events.ts";

/** What applying a frame or message found. `partial`: a snapshot is not complete yet; `ignored`: the book was given up and is asked for. */
export type SlotOutcome =
  | { readonly kind: "applied"; readonly records: number; readonly isSnapshot: boolean }
  | { readonly kind: "partial" }
  | { readonly kind: "ignored" }
  | { readonly kind: "failed"; readonly reason: ResyncReason };

/** Where a book stands: of the kernel's replica in the binary form, of the last message in the JSON form. */
type Head = {
  version: string;
  hash: number;
  synced: boolean;
  crossed: boolean;
  eventAtNs: string;
  receivedAtNs: string;
  provedVersion: string;
};

/** One instrument of a client. */
export class BookSlot {
  readonly instrument: string;
  alias: number;
  status: SyncStatus;
  /** The version that the next trade should have; undefined before the first. */
  nextTrade: bigint | undefined;
  /** The book is subscribed. */
  wantsBook = false;
  /** Failed checks in a row, for pacing. */
  failures = 0;
  failedAtMs = 0;
  readonly #store: BookStore;
  readonly #replica: number;
  #head: Head | undefined;
  /** Only a snapshot may come next: the server acknowledged or said so. */
  #mustBegin = false;
  #exponents: Exponents = { priceExponent: 0, quantityExponent: 0 };

  /** @throws RangeError when the store has no room */
  constructor(store: BookStore, options: { instrument: string; alias: number; status: SyncStatus }) {
    this.#store = store;
    this.instrument = options.instrument;
    this.alias = options.alias;
    this.status = options.status;
    this.#replica = store.createReplica();
  }

  /** There is a book. */
  get hasBook(): boolean {
    return this.#head !== undefined;
  }

  /** Forgets the book; what still comes is left alone until a snapshot. */
  clear(): void {
    this.#store.kernel.replicaClear(this.#replica);
    this.#head = undefined;
    this.#mustBegin = false;
  }

  /** Forgets the book; a snapshot must come next. */
  begin(): void {
    this.clear();
    this.#mustBegin = true;
  }

  /** The server says that the book leads nowhere: it stays to be looked at, not synced, and a snapshot must come next. */
  interrupt(): void {
    this.#mustBegin = true;
  }

  /** Applies a deltas or snapshot frame. @param frame address @param length bytes */
  applyFrame(frame: number, length: number): SlotOutcome {
    const { kernel, memory } = this.#store;
    const kind = memory.getUint8(frame);
    if ((kind & FRAME_KIND_MASK) === FRAME_SNAPSHOT && (kind & FRAME_FLAG_FIRST) !== 0) {
      this.#head = undefined;
      this.#mustBegin = false;
    } else if (this.#mustBegin) {
      return this.#fail("chain");
    }
    const before = this.#head;
    const code = kernel.frameApply(this.#replica, frame, length);
    if (code < REPLICA_OK) {
      this.clear();
      return { kind: "failed", reason: failureReason(code) };
    }
    if (code !== REPLICA_OK) {
      return { kind: "ignored" };
    }
    if (memory.getUint32(this.#replica + REPLICA_STATE, true) !== REPLICA_STATE_FOLLOWING) {
      this.#head = undefined;
      return { kind: "partial" };
    }
    const head = this.#readHead();
    if (before !== undefined) {
      const provedVersion = (kind & FRAME_FLAG_CHECK) === 0 ? before.provedVersion : head.version;
      this.#head = { ...head, provedVersion };
      return { kind: "applied", records: Number(BigInt(head.version) - BigInt(before.version)), isSnapshot: false };
    }
    this.#head = { ...head, provedVersion: head.version };
    this.#exponents = {
      priceExponent: memory.getInt32(this.#replica + REPLICA_PRICE_EXPONENT, true),
      quantityExponent: memory.getInt32(this.#replica + REPLICA_QUANTITY_EXPONENT, true),
    };
    return this.#exponentsHold() ? { kind: "applied", records: 0, isSnapshot: true } : this.#fail("exponents");
  }

  /** Replaces the book by a JSON snapshot. */
  applySnapshot(message: OrderBookMessage): SlotOutcome {
    this.clear();
    this.#exponents = { priceExponent: message.priceExponent, quantityExponent: message.quantityExponent };
    if (!this.#exponentsHold()) {
      return this.#fail("exponents");
    }
    const isReadable =
      message.bids.every(([price, quantity]) => this.#set(SIDE_BID, price, quantity)) &&
      message.asks.every(([price, quantity]) => this.#set(SIDE_ASK, price, quantity));
    if (!isReadable) {
      return this.#fail("malformed");
    }
    return this.#prove(message) ? { kind: "applied", records: 0, isSnapshot: true } : this.#fail("hash");
  }

  /** Applies a JSON delta. */
  applyDelta(message: OrderBookDeltaMessage): SlotOutcome {
    if (this.#mustBegin) {
      return this.#fail("chain");
    }
    if (this.#head === undefined) {
      return { kind: "ignored" };
    }
    if (message.previousVersion !== this.#head.version) {
      return this.#fail("chain");
    }
    const isReadable = message.changes.every(([side, price, quantity]) =>
      this.#set(side === "ask" ? SIDE_ASK : SIDE_BID, price, quantity),
    );
    if (!isReadable) {
      return this.#fail("malformed");
    }
    if (!this.#prove(message)) {
      return this.#fail("hash");
    }
    const records = Number(BigInt(message.version) - BigInt(message.previousVersion));
    return { kind: "applied", records, isSnapshot: false };
  }

  /** The version of the book; "0" before there is one. */
  get version(): string {
    return this.#head?.version ?? "0";
  }

  /** The book, `depth` levels a side at most; undefined before there is one. */
  book(depth = Number.MAX_SAFE_INTEGER): ClientBook | undefined {
    if (this.#head === undefined) {
      return undefined;
    }
    const { version, hash, synced, crossed, eventAtNs, receivedAtNs, provedVersion } = this.#head;
    const { kernel } = this.#store;
    return {
      ...this.status,
      instrument: this.instrument,
      isSynced: synced && this.status.state === "synced" && !this.#mustBegin,
      isCrossed: crossed,
      version,
      provedVersion,
      hash,
      bidLevels: kernel.bookCount(this.#book, SIDE_BID),
      askLevels: kernel.bookCount(this.#book, SIDE_ASK),
      bids: this.#levels(SIDE_BID, depth),
      asks: this.#levels(SIDE_ASK, depth),
      eventAtNs,
      receivedAtNs,
    };
  }

  get #book(): number {
    return this.#store.memory.getUint32(this.#replica + REPLICA_BOOK, true);
  }

  #readHead(): Omit<Head, "provedVersion"> {
    const { kernel, memory } = this.#store;
    const flags = memory.getUint32(this.#replica + REPLICA_FLAGS, true);
    return {
      version: u64Text(memory, this.#replica + REPLICA_VERSION),
      hash: kernel.bookHash(this.#book),
      synced: (flags & FLAG_NOT_SYNCED) === 0,
      crossed: (flags & FLAG_CROSSED) !== 0,
      eventAtNs: u64Text(memory, this.#replica + REPLICA_EVENT_AT),
      receivedAtNs: u64Text(memory, this.#replica + REPLICA_RECEIVED_AT),
    };
  }

  #prove(message: OrderBookMessage | OrderBookDeltaMessage): boolean {
    const { version, hash, synced, crossed, eventAtNs, receivedAtNs } = message;
    this.#head = { version, hash, synced, crossed, eventAtNs, receivedAtNs, provedVersion: version };
    return this.#store.kernel.bookHash(this.#book) === hash;
  }

  #fail(reason: ResyncReason): SlotOutcome {
    this.clear();
    return { kind: "failed", reason };
  }

  /** The exponents are not covered by the hash: the acknowledgement and the snapshot must name the same. */
  #exponentsHold(): boolean {
    const { priceExponent, quantityExponent } = this.status;
    return priceExponent === this.#exponents.priceExponent && quantityExponent === this.#exponents.quantityExponent;
  }

  #set(side: number, price: string, quantity: string): boolean {
    const ticks = decimalUnits(price, this.#exponents.priceExponent);
    const lots = decimalUnits(quantity, this.#exponents.quantityExponent);
    if (ticks === undefined || lots === undefined) {
      return false;
    }
    const { kernel, memory, levels } = this.#store;
    memory.setBigInt64(levels + LEVEL_PRICE, ticks, true);
    memory.setBigInt64(levels + LEVEL_QUANTITY, lots, true);
    return kernel.bookApply(this.#book, side, levels) >= 0;
  }

  #levels(side: number, depth: number): JsonLevel[] {
    const { kernel, memory, levels } = this.#store;
    const pairs: JsonLevel[] = [];
    for (;;) {
      const wanted = Math.min(LEVELS_CHUNK, depth - pairs.length);
      const count = wanted > 0 ? kernel.bookWalk(this.#book, side, pairs.length, wanted, levels) : 0;
      if (count === 0) {
        return pairs;
      }
      for (const pair of levelPairs(memory, levels, { ...this.#exponents, count })) {
        pairs.push(pair);
      }
    }
  }
}

function failureReason(code: number): ResyncReason {
  if (code === REPLICA_HASH_MISMATCH) {
    return "hash";
  }
  return code === REPLICA_CHAIN_BROKEN ? "chain" : "inconsistent";
}

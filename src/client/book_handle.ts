/**
 * A book as its user holds it: best prices, levels, sums, state, events. Everything is read from the book that the client
 * follows when it is asked for; integers inside, exact decimal text or the nearest doubles at the edge.
 * Bad case: a handle that was closed; it says so by `state`, and what it shows is not followed any more.
 */
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { Broadcast } from "./broadcast.ts";
import type { ClientBook, JsonLevel, SyncStatus } from "./events.ts";
import { decimal, type Exact, nearest, parseUnits } from "./exact.ts";
import type { BookSide } from "./level_book.ts";
import { pairs, type SlotChange, type ViewSlot } from "./view_slot.ts";

/**
 * `connecting` no connection · `loading` no book yet, or it is asked for again · `synced` right, as far as anybody can
 * know · `unsynced` there, but the server says not to trust it (`status` says why) · `closed` by us.
 */
export type BookState = "connecting" | "loading" | "synced" | "unsynced" | "closed";

/** What changed: so many records were applied, or the book was replaced by a snapshot. */
export type BookChange = SlotChange;

/** What it takes to trade a quantity against one side, best price first. */
export type Depth = {
  /** Exact decimals: what there is down to `price`, at most the quantity asked for. */
  readonly quantity: string;
  /** The worst price touched; undefined when the side is empty. */
  readonly price: string | undefined;
  /** Exact decimals: Σ price × quantity. */
  readonly cost: string;
  /** cost ÷ quantity as the nearest double or its neighbour; NaN when the side is empty. */
  readonly average: number;
  readonly levels: number;
  /** There is as much as was asked for. */
  readonly isFilled: boolean;
};

/** One side of a book, best level first. Read it at once: it is the living book. */
export interface BookLevels extends Iterable<JsonLevel> {
  readonly length: number;
  /** A level as exact decimal text; undefined when there is none. @param rank 0 = best */
  at(rank: number): JsonLevel | undefined;
  /** A level as the nearest doubles, for charts; undefined when there is none. @param rank 0 = best */
  numbers(rank: number): [price: number, quantity: number] | undefined;
  /** The best levels, at most so many. */
  top(limit: number): JsonLevel[];
  /** The quantity at a price as exact decimal text; "0" when no level stands there. */
  quantityAt(price: string): string;
}

/** A book that is followed until `close`. */
export interface BookHandle extends AsyncIterable<BookHandle> {
  readonly instrument: string;
  /** Levels a side; 0 = all. */
  readonly depth: number;
  /** Least milliseconds between updates; 0 = every change. */
  readonly rateMs: number;
  readonly state: BookState;
  readonly status: SyncStatus;
  /** Of the view, decimal; "0" before there is a book. */
  readonly version: string;
  /** The version at which the server's hash last held here, at most 64 frames or a second ago. */
  readonly provedVersion: string;
  /** Book hash, u32. */
  readonly hash: number;
  readonly bids: BookLevels;
  readonly asks: BookLevels;
  /** Best levels; null = that side is empty. */
  readonly bbo: { readonly bid: JsonLevel | null; readonly ask: JsonLevel | null };
  /** Exact decimal text; undefined when a side is empty. */
  readonly mid: string | undefined;
  /** Best ask − best bid as exact decimal text, negative when crossed; undefined when a side is empty. */
  readonly spread: string | undefined;
  /**
   * What selling (`bids`) or buying (`asks`) a quantity takes.
   * @param quantity decimal text, or a number; more digits than the instrument has are rounded up
   * @throws RangeError when it is no positive decimal
   */
  depthTo(quantity: string | number): { readonly bids: Depth; readonly asks: Depth };
  /** A copy, so many levels a side at most; undefined before there is a book. */
  copy(levels?: number): ClientBook | undefined;
  /** Calls after every change. @returns ends it */
  on(type: "change", listener: (change: BookChange) => void): () => void;
  /** Calls when `state` is another. @returns ends it */
  on(type: "state", listener: (state: BookState) => void): () => void;
  /** This handle after changes, until it is closed; a slow loop gets the last of several. */
  [Symbol.asyncIterator](): AsyncIterableIterator<BookHandle>;
  /** Gives it back; the last handle of a view ends its subscription. */
  close(): void;
}

/** What a handle needs of its client. */
export type HandleGround = {
  readonly isOpen: boolean;
  readonly isClosed: boolean;
  /** Gives the subscription back. */
  release(): void;
};

/** Makes a handle of a view. */
export function createBookHandle(slot: ViewSlot, ground: HandleGround): BookHandle & { end(): void } {
  return new Handle(slot, ground);
}

class Handle implements BookHandle {
  readonly bids: BookLevels;
  readonly asks: BookLevels;
  readonly #slot: ViewSlot;
  readonly #ground: HandleGround;
  readonly #changes = new Broadcast<BookChange>();
  readonly #states = new Broadcast<BookState>();
  readonly #books = new Broadcast<BookHandle>();
  readonly #watch = (change: SlotChange | undefined) => this.#heard(change);
  #told: BookState;
  #isClosed = false;

  constructor(slot: ViewSlot, ground: HandleGround) {
    this.#slot = slot;
    this.#ground = ground;
    this.bids = new Levels(slot, SIDE_BID);
    this.asks = new Levels(slot, SIDE_ASK);
    this.#told = this.state;
    slot.watchers.add(this.#watch);
  }

  get instrument(): string {
    return this.#slot.instrument.name;
  }

  get depth(): number {
    return this.#slot.depth;
  }

  get rateMs(): number {
    return this.#slot.rateMs;
  }

  get state(): BookState {
    if (this.#isClosed || this.#ground.isClosed) {
      return "closed";
    }
    if (!this.#ground.isOpen) {
      return "connecting";
    }
    if (this.#slot.isSynced) {
      return "synced";
    }
    return this.#slot.hasBook ? "unsynced" : "loading";
  }

  get status(): SyncStatus {
    return this.#slot.instrument.status;
  }

  get version(): string {
    return this.#slot.hasBook ? this.#slot.book.version.text : "0";
  }

  get provedVersion(): string {
    return this.#slot.hasBook ? this.#slot.provedVersion.text : "0";
  }

  get hash(): number {
    return this.#slot.book.levels.hash >>> 0;
  }

  get bbo(): { bid: JsonLevel | null; ask: JsonLevel | null } {
    return { bid: this.bids.at(0) ?? null, ask: this.asks.at(0) ?? null };
  }

  get mid(): string | undefined {
    const best = this.#best();
    const sum = best === undefined ? 0n : BigInt(best[0]) + BigInt(best[1]);
    return best && decimal(sum * 5n, this.#slot.book.priceExponent + 1);
  }

  get spread(): string | undefined {
    const best = this.#best();
    return best && decimal(BigInt(best[1]) - BigInt(best[0]), this.#slot.book.priceExponent);
  }

  depthTo(quantity: string | number): { bids: Depth; asks: Depth } {
    const { bids, asks } = this.#slot.book.levels;
    return { bids: depthOf(bids, quantity, this.#slot), asks: depthOf(asks, quantity, this.#slot) };
  }

  copy(levels?: number): ClientBook | undefined {
    return this.#slot.copy(levels);
  }

  on(type: "change", listener: (change: BookChange) => void): () => void;
  on(type: "state", listener: (state: BookState) => void): () => void;
  on(type: "change" | "state", listener: ((change: BookChange) => void) & ((state: BookState) => void)): () => void {
    return type === "change" ? this.#changes.on(listener) : this.#states.on(listener);
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<BookHandle> {
    const queue = this.#books.loop(1);
    let seen = "";
    if (this.#slot.hasBook) {
      queue.push(this);
    }
    if (this.state === "closed") {
      queue.end();
    }
    for await (const book of queue) {
      // Several changes in one task: the first of them showed the last already.
      if (book.version !== seen) {
        seen = book.version;
        yield book;
      }
    }
  }

  close(): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#slot.watchers.delete(this.#watch);
      this.#ground.release();
      this.end();
    }
  }

  /** Nothing more comes. */
  end(): void {
    this.#tellState();
    this.#books.end();
  }

  #best(): readonly [bid: Exact, ask: Exact] | undefined {
    const { bids, asks } = this.#slot.book.levels;
    return this.#slot.hasBook && bids.count > 0 && asks.count > 0 ? [bids.price(0), asks.price(0)] : undefined;
  }

  #heard(change: SlotChange | undefined): void {
    this.#tellState();
    // A check that came alone, or a resume that missed nothing, leaves the book as it was.
    if (change?.isSnapshot || change?.records) {
      this.#books.send(this);
      this.#changes.send(change);
    }
  }

  #tellState(): void {
    const { state } = this;
    if (state !== this.#told) {
      this.#told = state;
      this.#states.send(state);
    }
  }
}

class Levels implements BookLevels {
  readonly #slot: ViewSlot;
  readonly #side: number;

  constructor(slot: ViewSlot, side: number) {
    this.#slot = slot;
    this.#side = side;
  }

  get length(): number {
    return this.#slot.hasBook ? this.#levels.count : 0;
  }

  at(rank: number): JsonLevel | undefined {
    return this.#read(rank, decimal);
  }

  numbers(rank: number): [price: number, quantity: number] | undefined {
    return this.#read(rank, nearest);
  }

  top(limit: number): JsonLevel[] {
    return pairs(this.#levels, Math.min(limit, this.length), this.#slot.book);
  }

  quantityAt(price: string): string {
    const { book } = this.#slot;
    const ticks = parseUnits(price, book.priceExponent);
    return ticks === undefined || this.length === 0
      ? "0"
      : decimal(this.#levels.quantityAt(ticks), book.quantityExponent);
  }

  *[Symbol.iterator](): IterableIterator<JsonLevel> {
    for (let rank = 0; rank < this.length; rank++) {
      yield this.at(rank) as JsonLevel;
    }
  }

  get #levels(): BookSide {
    return this.#slot.book.levels.side(this.#side);
  }

  #read<Value>(rank: number, form: (units: Exact, exponent: number) => Value): [Value, Value] | undefined {
    if (!(rank >= 0 && rank < this.length)) {
      return undefined;
    }
    const { priceExponent, quantityExponent } = this.#slot.book;
    const levels = this.#levels;
    return [form(levels.price(rank), priceExponent), form(levels.quantity(rank), quantityExponent)];
  }
}

function depthOf(side: BookSide, quantityWanted: string | number, { hasBook, book }: ViewSlot): Depth {
  const { priceExponent, quantityExponent } = book;
  const wanted = lotsOf(quantityWanted, quantityExponent);
  const count = hasBook ? side.count : 0;
  let lots = 0n;
  let cost = 0n;
  let levels = 0;
  let price: Exact | undefined;
  for (; levels < count && lots < wanted; levels++) {
    price = side.price(levels);
    const held = BigInt(side.quantity(levels));
    const taken = held < wanted - lots ? held : wanted - lots;
    lots += taken;
    cost += taken * BigInt(price);
  }
  const exact = decimal(cost, priceExponent + quantityExponent);
  const quantity = decimal(lots, quantityExponent);
  return {
    quantity,
    price: price === undefined ? undefined : decimal(price, priceExponent),
    cost: exact,
    average: Number(exact) / Number(quantity),
    levels,
    isFilled: lots >= wanted,
  };
}

/** Lots that a quantity takes, rounded up. */
function lotsOf(quantity: string | number, exponent: number): bigint {
  const text = typeof quantity === "number" && /e/.test(String(quantity)) ? quantity.toFixed(18) : String(quantity);
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? "";
  const lots = BigInt((match?.[1] ?? "0") + fraction.slice(0, exponent).padEnd(exponent, "0"));
  const rounded = /[1-9]/.test(fraction.slice(exponent)) ? lots + 1n : lots;
  if (match === null || rounded === 0n) {
    throw new RangeError(`Cannot sum: the quantity must be a positive decimal, was ${quantity}`);
  }
  return rounded;
}

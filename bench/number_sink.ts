/**
 * What stands in the place of the levels of a client's book when the reading of frames is measured alone: it keeps the
 * numbers of every change, one behind the other, and no book. The best prices that changes are coded against and whether
 * the book is crossed are told to it before each event, for that is what a book would know.
 * Bad case: a change that a real book would refuse, as one that alters nothing; no levels are there to compare it with.
 */
import { BOOK_CHANGED, BOOK_REMOVED } from "../assembly/layout.ts";
import type { Exact } from "../src/client/exact.ts";
import type { LevelBook } from "../src/client/level_book.ts";
import { StreamBook } from "../src/client/stream_book.ts";

/** What a book of the stream asks of its levels while it follows. */
type Levels = Pick<LevelBook, "set" | "clear" | "isCrossed" | "hash"> & Record<"bids" | "asks", Touch>;
type Touch = Pick<LevelBook["bids"], "count" | "price">;

/** The best price of a side, as it is told. */
class Best implements Touch {
  /** 0 = the reference of an empty side, which it is coded as. */
  at = 0;
  readonly count = 1;

  price(): number {
    return this.at;
  }
}

/** Numbers of changes, in the order of their coming. */
export class NumberSink implements Levels {
  readonly bids = new Best();
  readonly asks = new Best();
  readonly hash = 0;
  isCrossed = false;
  readonly sides: Uint8Array;
  readonly prices: Float64Array;
  readonly quantities: Float64Array;
  /** Changes taken. */
  count = 0;

  /** @param room changes at most */
  constructor(room: number) {
    this.sides = new Uint8Array(room);
    this.prices = new Float64Array(room);
    this.quantities = new Float64Array(room);
  }

  /** Takes a change. @returns BOOK_*, by its quantity alone */
  set(side: number, price: Exact, quantity: Exact): number {
    const at = this.count++;
    this.sides[at] = side;
    this.prices[at] = price as number;
    this.quantities[at] = quantity as number;
    return quantity === 0 ? BOOK_REMOVED : BOOK_CHANGED;
  }

  /** A book that drops its levels drops what came. */
  clear(): void {
    this.count = 0;
  }
}

/** A book of the client that follows from a snapshot on, with a sink in the place of its levels, and without proofs. */
export function sinkingBook(parts: readonly Uint8Array[], sink: NumberSink): StreamBook {
  const book = new StreamBook({ isVerified: false });
  for (const part of parts) {
    const code = book.apply(part);
    if (code !== 0) {
      throw new Error(`Cannot follow a snapshot: the client must take its parts, was ${code}`);
    }
  }
  const levels: Levels = sink;
  Object.assign(book, { levels });
  return book;
}

/**
 * A served book as the arbitrage detector reads it: straight from the replica in the kernel's memory. Best prices are kept
 * as doubles since the last event, so that comparing costs no call; levels become integers only when somebody walks them.
 * Bad case: the producer's table says that the book is lost before the record that says so was read; the word that is
 * worse counts, and a book whose last event has no time counts as old.
 */
import {
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_BOOK,
  REPLICA_RECEIVED_AT,
  SIDE_ASK,
  SIDE_BID,
  STATE_SYNCED,
  TABLE_STATE,
} from "../../assembly/layout.ts";
import type { ArbitrageBook, ArbitrageLevel } from "../arbitrage/mod.ts";
import { readCount } from "../wire/numbers.ts";
import type { ServedInstrument } from "./instrument.ts";
import type { Workspace } from "./workspace.ts";

const NS_PER_MS = 1_000_000;
const TWO_32 = 4_294_967_296;

/** One instrument's book for the detector. */
export class ServedArbitrageBook implements ArbitrageBook {
  readonly instrument: string;
  readonly exchange: string;
  readonly base: string;
  readonly quote: string;
  updatedAtMs = Number.NEGATIVE_INFINITY;
  readonly #served: ServedInstrument;
  readonly #workspace: Workspace;
  #bid = Number.NaN;
  #ask = Number.NaN;

  constructor(served: ServedInstrument, workspace: Workspace) {
    const { instrument, exchange, symbol } = served.name;
    const dash = symbol.lastIndexOf("-");
    this.instrument = instrument;
    this.exchange = exchange;
    this.base = symbol.slice(0, Math.max(dash, 0));
    this.quote = symbol.slice(dash + 1);
    this.#served = served;
    this.#workspace = workspace;
  }

  get isUsable(): boolean {
    const { binding, book } = this.#served;
    return (
      binding?.isAlive === true &&
      this.#workspace.u32(binding.entry + TABLE_STATE) === STATE_SYNCED &&
      book.isConfirmed &&
      book.replica.isFollowing &&
      book.replica.flags === 0 &&
      book.replica.version > 0
    );
  }

  get isWhole(): boolean {
    return this.#served.book.replica.isWhole;
  }

  get version(): number {
    return this.#served.book.replica.version;
  }

  get hash(): number {
    return this.#served.book.replica.hash;
  }

  get priceExponent(): number {
    return this.#served.book.replica.exponents.priceExponent;
  }

  get quantityExponent(): number {
    return this.#served.book.replica.exponents.quantityExponent;
  }

  bestPrice(side: number): number {
    return side === SIDE_BID ? this.#bid : this.#ask;
  }

  level(side: number, index: number): ArbitrageLevel | undefined {
    const { kernel, memory, levels } = this.#workspace;
    if (kernel.bookWalk(this.#handle, side, index, 1, levels) === 0) {
      return undefined;
    }
    return {
      price: memory.getBigInt64(levels + LEVEL_PRICE, true),
      quantity: memory.getBigInt64(levels + LEVEL_QUANTITY, true),
    };
  }

  readLevels(side: number, out: Float64Array): number {
    const { kernel, memory, levels } = this.#workspace;
    const count = kernel.bookWalk(this.#handle, side, 0, out.length / 2, levels);
    for (let index = 0; index < count; index++) {
      const level = levels + index * LEVEL_BYTES;
      out[2 * index] = integerAt(memory, level + LEVEL_PRICE);
      out[2 * index + 1] = integerAt(memory, level + LEVEL_QUANTITY);
    }
    return count;
  }

  /** An event ended: takes the best prices and its time over. @param nowMs no event is later. Cost: two calls of the kernel */
  read(nowMs: number): void {
    const { memory } = this.#workspace;
    const { replica } = this.#served.book;
    const unit = 10 ** replica.exponents.priceExponent;
    this.#bid = this.#bestTicks(SIDE_BID) / unit;
    this.#ask = this.#bestTicks(SIDE_ASK) / unit;
    const receivedAt = readCount(memory, replica.address + REPLICA_RECEIVED_AT);
    this.updatedAtMs = receivedAt === 0 ? Number.NEGATIVE_INFINITY : Math.min(receivedAt / NS_PER_MS, nowMs);
  }

  get #handle(): number {
    return this.#workspace.u32(this.#served.book.replica.address + REPLICA_BOOK);
  }

  #bestTicks(side: number): number {
    const { kernel, memory, levels } = this.#workspace;
    return kernel.bookWalk(this.#handle, side, 0, 1, levels) === 0
      ? Number.NaN
      : integerAt(memory, levels + LEVEL_PRICE);
  }
}

/** An i64 as a double: exact up to 2^53. */
function integerAt(memory: DataView, address: number): number {
  return memory.getInt32(address + 4, true) * TWO_32 + memory.getUint32(address, true);
}

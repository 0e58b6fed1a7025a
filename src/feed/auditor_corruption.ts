/**
 * Makes a book wrong on purpose, for tests and simulations of the audit: one level is changed in the producer's book and
 * published as an ordinary delta, as if an update of the exchange had been lost; versions, chain and hash hold.
 * Bad case: a production path that reaches this; nothing but tests calls it.
 */
import { LEVEL_BYTES, LEVEL_PRICE, LEVEL_QUANTITY, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { InstrumentBlock } from "../sync/mod.ts";

/** How a level is made wrong. */
export type Corruption = {
  /** SIDE_* */
  readonly side: number;
  /** 0 = the best level. */
  readonly rank: number;
  /** Another quantity; gone as if its add was lost; or a level that is not there, as if its delete was lost. */
  readonly kind: "quantity" | "remove" | "add";
};

/** What was made wrong. Ticks and lots. */
export type CorruptedLevel = {
  readonly side: number;
  readonly price: bigint;
  readonly before: bigint;
  readonly after: bigint;
};

const KINDS: readonly Corruption["kind"][] = ["quantity", "remove", "add"];
/** Kraken's checksum covers the best ten. */
const RANK_MIN = 10;
const RANK_MAX = 400;
const WORST_LEFT = 4;

/** Corrupts levels of one kernel's books. */
export class Corruptor {
  readonly #kernel: Kernel;
  readonly #view: DataView;
  readonly #levels: number;

  /** @throws RangeError when the arena is exhausted */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#view = new DataView(kernel.buffer);
    this.#levels = kernel.arenaAllocate(2 * LEVEL_BYTES);
    if (this.#levels === 0) {
      throw new RangeError(`Cannot corrupt a level: the arena is exhausted, was ${kernel.arenaUsed()} bytes in use`);
    }
  }

  /**
   * Picks a level that no checksum covers and every REST answer asserts: below the best ten, above the worst few.
   * @param random uniform in [0, 1)
   */
  choose(block: InstrumentBlock, random: () => number): Corruption {
    const side = random() < 0.5 ? SIDE_BID : SIDE_ASK;
    const count = Math.min(this.#kernel.bookCount(block.book, side), block.depth || RANK_MAX);
    const first = count > 2 * RANK_MIN ? RANK_MIN : 0;
    const rank = first + Math.floor(random() * Math.max(1, count - first - WORST_LEFT));
    return { side, rank, kind: KINDS[Math.floor(random() * KINDS.length)] ?? "quantity" };
  }

  /**
   * Makes one level wrong.
   * @returns undefined when the book has no such level, or no free price behind it
   */
  corrupt(block: InstrumentBlock, { side, rank, kind }: Corruption, receivedAt: number): CorruptedLevel | undefined {
    const count = this.#kernel.bookWalk(block.book, side, rank, 2, this.#levels);
    const level = this.#level(0);
    const unit = 10n ** BigInt(Math.max(0, block.quantityExponent));
    if (count === 0 || (kind === "add" && count < 2)) {
      return undefined;
    }
    const step = side === SIDE_ASK ? 1n : -1n;
    const isFree = level.price + step !== this.#level(1).price && level.price + step > 0n;
    if (kind === "add" && !isFree) {
      return undefined;
    }
    const price = kind === "add" ? level.price + step : level.price;
    const before = kind === "add" ? 0n : level.quantity;
    // A whole unit more: exchanges that round must show it, too.
    const after = kind === "remove" ? 0n : level.quantity + unit;
    this.#view.setBigInt64(this.#levels + LEVEL_PRICE, price, true);
    this.#view.setBigInt64(this.#levels + LEVEL_QUANTITY, after, true);
    this.#kernel.levelForce(block.address, side, this.#levels, receivedAt);
    return { side, price, before, after };
  }

  #level(index: number): { price: bigint; quantity: bigint } {
    const at = this.#levels + index * LEVEL_BYTES;
    return {
      price: this.#view.getBigInt64(at + LEVEL_PRICE, true),
      quantity: this.#view.getBigInt64(at + LEVEL_QUANTITY, true),
    };
  }
}

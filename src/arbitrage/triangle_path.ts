/**
 * In a circle through three books of one exchange, `P-A`, `P-M` and `M-A`: what is paid and got is A, P is bought and sold
 * again, M is passed through. Either M is bought, P with it, and P sold; or P is bought, sold for M, and that sold.
 * Every lot of P is reckoned exactly, with the fee of each trade in what it is paid in; nothing is divided, so no rounding.
 * Bad case: amounts of M that are no whole lots of its book: the exchange would round them; they are told as they come out.
 */
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import type { ArbitrageBook } from "./book.ts";
import {
  type ArbitragePath,
  bpsOf,
  type Crossing,
  type CrossingLeg,
  DOUBT,
  FEE_EXPONENT,
  FEE_UNIT,
  feeFactor,
  SideWalk,
  scale,
} from "./crossing.ts";

/** The books of a circle. */
export type Triangle = {
  /** P-A */
  readonly direct: ArbitrageBook;
  /** P-M */
  readonly inner: ArbitrageBook;
  /** M-A */
  readonly outer: ArbitrageBook;
};

/** One direction through a triangle. */
export class TrianglePath implements ArbitragePath {
  readonly kind = "triangular";
  readonly books: readonly ArbitrageBook[];
  readonly base: string;
  readonly currency: string;
  readonly #triangle: Triangle;
  readonly #buysInner: boolean;
  readonly #fee: bigint;
  readonly #gain: number;

  /**
   * @param options.buysInner true: M is bought, P with it, P is sold; false: P is bought, sold for M, M is sold
   * @param options.fee taker fee of the exchange in parts of FEE_UNIT
   */
  constructor(triangle: Triangle, { buysInner, fee }: { buysInner: boolean; fee: bigint }) {
    const { direct, inner, outer } = triangle;
    this.books = buysInner ? [outer, inner, direct] : [direct, inner, outer];
    this.base = direct.base;
    this.currency = direct.quote;
    this.#triangle = triangle;
    this.#buysInner = buysInner;
    this.#fee = fee;
    const [paid, got] = [feeFactor(fee), feeFactor(-fee)];
    this.#gain = (buysInner ? got / (paid * paid) : (got * got) / paid) * (1 + DOUBT);
  }

  mayProfit(): boolean {
    const { direct, inner, outer } = this.#triangle;
    // NaN stands for an empty side and compares as false.
    return this.#buysInner
      ? direct.bestPrice(SIDE_BID) * this.#gain > inner.bestPrice(SIDE_ASK) * outer.bestPrice(SIDE_ASK)
      : inner.bestPrice(SIDE_BID) * outer.bestPrice(SIDE_BID) * this.#gain > direct.bestPrice(SIDE_ASK);
  }

  walk(levelsMax: number): Crossing | undefined {
    const walk = new TriangleWalk(this.#triangle, { buysInner: this.#buysInner, fee: this.#fee, levelsMax });
    while (walk.takeSome()) {
      // Each step takes what fits into the present levels, or one lot across several of M's.
    }
    return walk.crossing();
  }
}

/** A walk through the three books in one direction. */
class TriangleWalk {
  readonly #fee: bigint;
  readonly #buysInner: boolean;
  readonly #direct: SideWalk;
  readonly #inner: SideWalk;
  #outer: SideWalk;
  readonly #quantityExponent: number;
  readonly #moneyExponent: number;
  /** Units of M for a lot of P at one tick of P-M. */
  readonly #perTick: bigint;
  /** Money for an amount of P-A or M-A: fee and scale, positive for what is got, negative for what is paid. */
  readonly #directFactor: bigint;
  readonly #outerFactor: bigint;

  constructor(
    { direct, inner, outer }: Triangle,
    { buysInner, fee, levelsMax }: { buysInner: boolean; fee: bigint; levelsMax: number },
  ) {
    this.#fee = fee;
    this.#buysInner = buysInner;
    const quantityExponent = Math.max(direct.quantityExponent, inner.quantityExponent);
    const made = quantityExponent + inner.priceExponent + FEE_EXPONENT;
    const passed = Math.max(made, outer.quantityExponent);
    const directExponent = quantityExponent + direct.priceExponent;
    const outerExponent = passed + outer.priceExponent;
    const money = Math.max(directExponent, outerExponent);
    const [got, paid] = [FEE_UNIT - fee, -(FEE_UNIT + fee)];
    this.#quantityExponent = quantityExponent;
    this.#moneyExponent = money + FEE_EXPONENT;
    this.#perTick = (buysInner ? FEE_UNIT + fee : got) * scale(passed - made);
    this.#directFactor = (buysInner ? got : paid) * scale(money - directExponent);
    this.#outerFactor = (buysInner ? paid : got) * scale(money - outerExponent);
    const [bought, sold] = buysInner ? [SIDE_ASK, SIDE_BID] : [SIDE_BID, SIDE_ASK];
    this.#direct = new SideWalk(direct, sold, { quantityExponent, levelsMax });
    this.#inner = new SideWalk(inner, bought, { quantityExponent, levelsMax });
    this.#outer = new SideWalk(outer, bought, { quantityExponent: passed, levelsMax });
  }

  /** Takes what leaves a profit at the present prices. @returns false when nothing does */
  takeSome(): boolean {
    const [direct, inner, outer] = [this.#direct, this.#inner, this.#outer];
    if (!direct.hasLevel || !inner.hasLevel || !outer.hasLevel) {
      return false;
    }
    const perLot = inner.price * this.#perTick;
    if (direct.price * this.#directFactor + perLot * outer.price * this.#outerFactor <= 0n) {
      return false;
    }
    const whole = outer.left / perLot;
    return whole > 0n ? this.#take(smallest(direct.left, inner.left, whole), perLot) : this.#takeAcross(perLot);
  }

  /** @returns undefined when nothing was taken */
  crossing(): Crossing | undefined {
    const [direct, inner, outer] = [this.#direct, this.#inner, this.#outer];
    if (direct.quantity === 0n) {
      return undefined;
    }
    const profit = direct.amount * this.#directFactor + outer.amount * this.#outerFactor;
    const legs = this.#legs();
    const first = legs[0] as CrossingLeg;
    const paid = { units: first.amount, exponent: first.amountExponent };
    return {
      legs,
      quantity: direct.quantity,
      quantityExponent: this.#quantityExponent,
      profit,
      profitExponent: this.#moneyExponent,
      profitBps: bpsOf({ units: profit, exponent: this.#moneyExponent }, paid),
      cut: direct.isCut || inner.isCut || outer.isCut,
    };
  }

  #legs(): CrossingLeg[] {
    const [direct, inner, outer] = [this.#direct, this.#inner, this.#outer];
    const fee = this.#fee;
    return this.#buysInner
      ? [outer.leg("buy", fee), inner.leg("buy", fee), direct.leg("sell", fee)]
      : [direct.leg("buy", fee), inner.leg("sell", fee), outer.leg("sell", fee)];
  }

  #take(lots: bigint, perLot: bigint): true {
    this.#direct.take(lots);
    this.#inner.take(lots);
    this.#outer.take(lots * perLot);
    return true;
  }

  /** One lot that needs more of M than the present level has. */
  #takeAcross(perLot: bigint): boolean {
    const outer = this.#outer.fork();
    const before = outer.amount;
    const reaches = outer.takeAcross(perLot);
    const gain = this.#direct.price * this.#directFactor + (outer.amount - before) * this.#outerFactor;
    if (!reaches || gain <= 0n) {
      return false;
    }
    this.#direct.take(1n);
    this.#inner.take(1n);
    this.#outer = outer;
    return true;
  }
}

function smallest(first: bigint, second: bigint, third: bigint): bigint {
  const two = first < second ? first : second;
  return two < third ? two : third;
}

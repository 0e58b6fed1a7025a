/**
 * Bought on one exchange and sold on another: walks the asks of one book against the bids of the other as long as a unit
 * leaves something after both taker fees.
 * Bad case: books whose ticks and lots are of different size; everything is counted in the finer of both.
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
  legOf,
  SideWalk,
  scale,
} from "./crossing.ts";
import { QuickWalk } from "./quick_walk.ts";

/** One direction between two books of the same pair. */
export class CrossPath implements ArbitragePath {
  readonly kind = "cross";
  readonly books: readonly ArbitrageBook[];
  readonly base: string;
  readonly currency: string;
  readonly #buy: ArbitrageBook;
  readonly #sell: ArbitrageBook;
  readonly #buyFee: bigint;
  readonly #sellFee: bigint;
  readonly #quick = new QuickWalk();
  readonly #paid: number;
  readonly #got: number;

  /** @param fees taker fees in parts of FEE_UNIT */
  constructor(buy: ArbitrageBook, sell: ArbitrageBook, fees: { buy: bigint; sell: bigint }) {
    this.books = [buy, sell];
    this.base = buy.base;
    this.currency = buy.quote;
    this.#buy = buy;
    this.#sell = sell;
    this.#buyFee = fees.buy;
    this.#sellFee = fees.sell;
    this.#paid = feeFactor(fees.buy);
    this.#got = feeFactor(-fees.sell) * (1 + DOUBT);
  }

  mayProfit(): boolean {
    // NaN stands for an empty side and compares as false.
    return this.#sell.bestPrice(SIDE_BID) * this.#got > this.#buy.bestPrice(SIDE_ASK) * this.#paid;
  }

  walk(levelsMax: number): Crossing | undefined {
    const buy = this.#buy;
    const sell = this.#sell;
    const quantityExponent = Math.max(buy.quantityExponent, sell.quantityExponent);
    const priceExponent = Math.max(buy.priceExponent, sell.priceExponent);
    const paidPerTick = Number(FEE_UNIT + this.#buyFee) * 10 ** (priceExponent - buy.priceExponent);
    const gotPerTick = Number(FEE_UNIT - this.#sellFee) * 10 ** (priceExponent - sell.priceExponent);
    const sums = this.#quick.walk(buy, sell, { levelsMax, quantityExponent, paidPerTick, gotPerTick });
    if (sums === undefined) {
      return this.walkExactly(levelsMax);
    }
    const quantity = BigInt(sums.quantity);
    if (quantity === 0n) {
      return undefined;
    }
    const [fee, amount, worst] = [this.#buyFee, BigInt(sums.cost), BigInt(sums.worstAsk)];
    const bought = legOf(buy, { action: "buy", fee, quantity, quantityExponent, amount, worst });
    const sold = legOf(sell, {
      action: "sell",
      fee: this.#sellFee,
      quantity,
      quantityExponent,
      amount: BigInt(sums.proceeds),
      worst: BigInt(sums.worstBid),
    });
    return this.#crossing(bought, sold, sums.cut);
  }

  /** The same in big integers alone. */
  walkExactly(levelsMax: number): Crossing | undefined {
    const quantityExponent = Math.max(this.#buy.quantityExponent, this.#sell.quantityExponent);
    const asks = new SideWalk(this.#buy, SIDE_ASK, { quantityExponent, levelsMax });
    const bids = new SideWalk(this.#sell, SIDE_BID, { quantityExponent, levelsMax });
    const priceExponent = Math.max(this.#buy.priceExponent, this.#sell.priceExponent);
    const paidPerUnit = (FEE_UNIT + this.#buyFee) * scale(priceExponent - this.#buy.priceExponent);
    const gotPerUnit = (FEE_UNIT - this.#sellFee) * scale(priceExponent - this.#sell.priceExponent);
    while (asks.hasLevel && bids.hasLevel && bids.price * gotPerUnit > asks.price * paidPerUnit) {
      const size = asks.left < bids.left ? asks.left : bids.left;
      asks.take(size);
      bids.take(size);
    }
    if (asks.quantity === 0n) {
      return undefined;
    }
    const cut = asks.isCut || bids.isCut;
    return this.#crossing(asks.leg("buy", this.#buyFee), bids.leg("sell", this.#sellFee), cut);
  }

  #crossing(buy: CrossingLeg, sell: CrossingLeg, cut: boolean): Crossing {
    const { quantity, quantityExponent } = buy;
    const priceExponent = Math.max(buy.priceExponent, sell.priceExponent);
    const cost = buy.amount * scale(priceExponent - buy.priceExponent) * (FEE_UNIT + this.#buyFee);
    const proceeds = sell.amount * scale(priceExponent - sell.priceExponent) * (FEE_UNIT - this.#sellFee);
    const profit = proceeds - cost;
    const profitExponent = priceExponent + quantityExponent + FEE_EXPONENT;
    const paid = { units: buy.amount, exponent: buy.amountExponent };
    const profitBps = bpsOf({ units: profit, exponent: profitExponent }, paid);
    return { legs: [buy, sell], quantity, quantityExponent, profit, profitExponent, profitBps, cut };
  }
}

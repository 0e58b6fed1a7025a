/**
 * One synthetic order book and the flow of orders that moves it: a fair price that the book follows, trades that
 * consume its best levels, and additions, changes and removals that thin out with distance in a heavy tail.
 * The book is never crossed and its best prices stay near the fair price. Bad case: after a silence the fair price has
 * run away and one event takes many levels at once; that is how real bursts look, and `changesMax` does not cut it.
 */
import type { MarketInstrument } from "./instruments.ts";
import { ASK, BID, type BookSide, Ladder } from "./ladder.ts";
import type { FairPrices } from "./mood.ts";
import type { Random } from "./random.ts";
import { Sizes } from "./sizes.ts";

/** One level's absolute new quantity. */
export type Change = {
  side: BookSide;
  /** Ticks. */
  price: number;
  /** Lots; 0 removes. */
  quantity: number;
  /** Lots before this change; 0 when there was no level. */
  before: number;
};

/** One execution against one resting order. */
export type Fill = {
  id: number;
  /** The exchange's own count of everything that happens in the book. */
  sequence: number;
  /** Ticks. */
  price: number;
  /** Lots. */
  quantity: number;
  /** The side of the book that was consumed: ASK when the taker bought. */
  maker: BookSide;
  /** Number of the taker's order: fills of one order share it. */
  order: number;
  /** Simulated microseconds. */
  atUs: number;
};

/** The best levels after an event. */
export type Touch = { updateId: number; bid: number; bidQuantity: number; ask: number; askQuantity: number };

/** Part of the fair price between two neighbouring levels near the touch, in millionths. */
const SPACING_MILLIONTHS = 8;
/** Part of the way from the fair price to zero over which bids are spread. */
const SPAN = 0.93;
const LEVELS_MIN = 20;
const FILLS_MAX = 12;
/** Part of the orders placed that are withdrawn in the same event. */
const FLASH_SHARE = 0.15;
/** How often levels that the fair price has passed go by a trade rather than by being withdrawn. */
const PASSED_TRADE_SHARE = 0.1;
const HISTORY = 50;
const UPDATE_ID_START = 50_000_000_000;
const TRADE_ID_START = 60_000_000;
const SEQUENCE_START = 100_000_000_000;

/** A book of the synthetic market. */
export class MarketBook {
  readonly instrument: MarketInstrument;
  readonly bids: Ladder;
  readonly asks: Ladder;
  /** Changes since the last `taken`, in the order in which they happened. */
  changes: Change[] = [];
  /** Fills since the last `taken`. */
  fills: Fill[] = [];
  /** Best levels after each event that moved them, since the last `taken`. */
  touches: Touch[] = [];
  /** The last fills, oldest first. */
  readonly history: Fill[] = [];
  /** +1 per change. */
  updateId: number;
  /** Id of the last fill, +1 per fill. */
  tradeId: number;
  sequence: number;
  /** Simulated microseconds of the next event. */
  nextEventUs = 0;
  /** Randomness for whoever prints this book (order ids): apart from the flow, which must not depend on who listens. */
  readonly ink: Random;

  readonly #random: Random;
  readonly #fair: FairPrices;
  readonly #sizes: Sizes;
  readonly #ticksPerUnit: number;
  readonly #spacing: number;
  /** Mean gap at rank r is `near × (1 + growth × r)` ticks. */
  readonly #near: number;
  readonly #growth: number;
  #basis = 0;
  #orders = 0;

  /** @param random the market's generator; the book draws from forks of it */
  constructor(instrument: MarketInstrument, fair: FairPrices, random: Random) {
    this.instrument = instrument;
    const name = `${instrument.exchange}:${instrument.native}`;
    const own = random.fork(name);
    this.ink = random.fork(`${name}:ink`);
    this.#random = own;
    this.#fair = fair;
    this.#sizes = new Sizes(instrument, own);
    this.#ticksPerUnit = 10 ** instrument.priceDecimals / 1_000_000;
    this.bids = new Ladder(BID, instrument.levels);
    this.asks = new Ladder(ASK, instrument.levels);
    this.updateId = UPDATE_ID_START + own.below(1_000_000_000);
    this.tradeId = TRADE_ID_START + own.below(1_000_000_000);
    this.sequence = SEQUENCE_START + own.below(1_000_000_000);
    const mid = this.#mid(0);
    this.#spacing = Math.max(1, (mid * SPACING_MILLIONTHS) / 1_000_000);
    const levels = Math.floor(instrument.levels / 2);
    this.#near = Math.min(this.#spacing, (mid * SPAN) / levels / 2);
    this.#growth = Math.max(0, (2 * (mid * SPAN - this.#near * levels)) / (this.#near * levels * levels));
    this.#fill(this.bids, mid);
    this.#fill(this.asks, mid);
    for (let count = 0; count < HISTORY; count += 1) {
      const maker = own.chance(0.5) ? ASK : BID;
      this.#record({
        maker,
        price: maker === ASK ? mid + 1 : mid,
        quantity: this.#sizes.resting(),
        atUs: (count - HISTORY) * 700_000,
      });
    }
    this.fills = [];
  }

  /** The levels of one side. */
  ladder(side: BookSide): Ladder {
    return side === BID ? this.bids : this.asks;
  }

  /** A waiting time until the next event. @param meanUs microseconds @returns whole microseconds, ≥ 0 */
  wait(meanUs: number): number {
    return Math.ceil(this.#random.wait(meanUs));
  }

  /** Lets one event happen. @param atUs simulated microseconds, of this event */
  step(atUs: number): void {
    const touch = this.#touch();
    const mid = this.#mid(atUs);
    this.#follow(mid, atUs);
    if (this.#random.chance(this.instrument.tradeShare)) {
      this.#trade(this.#random.chance(0.5) ? ASK : BID, { atUs, mid });
    }
    const mean = this.instrument.changesPerEvent;
    const count = Math.min(this.instrument.changesMax, Math.ceil(mean * 0.35 * this.#random.unit() ** -0.65));
    for (let index = 0; index < count; index += 1) {
      this.#rearrange(this.#random.chance(0.5) ? BID : ASK, mid);
    }
    this.#tighten(BID, mid);
    this.#tighten(ASK, mid);
    this.#noteTouch(touch);
  }

  /** Forgets what happened since the last call: it was published. */
  taken(): void {
    this.changes = [];
    this.fills = [];
    this.touches = [];
  }

  #mid(atUs: number): number {
    this.#basis += (this.#random.unit() - 0.5) * 3 - this.#basis / 64;
    const millionths = 1_000_000 + this.instrument.basisMillionths + this.#basis;
    return Math.max(
      LEVELS_MIN,
      Math.floor((this.#fair.at(this.instrument.base, atUs) * this.#ticksPerUnit * millionths) / 1_000_000),
    );
  }

  // Bids stand at the mid or below, asks above it. Gaps grow with the rank so that the levels cover the whole range.
  #fill(ladder: Ladder, mid: number): void {
    const levels = Math.floor(this.instrument.levels / 2);
    const prices: number[] = [];
    let price = ladder.side === BID ? mid + 1 : mid;
    for (let rank = 0; rank < levels; rank += 1) {
      const gap = Math.max(1, 1 + Math.floor((2 * this.#near * (1 + this.#growth * rank) - 1) * this.#random.unit()));
      price += ladder.side === BID ? -gap : gap * (rank > levels * 0.97 ? 40 : 1);
      if (price > 1) {
        prices.push(price);
      }
    }
    prices.push(ladder.side === BID ? 1 : (this.instrument.absurdAsk ?? price + mid * 1000));
    for (const at of prices.reverse()) {
      ladder.set(at, this.#sizes.resting());
    }
  }

  #set(side: BookSide, price: number, quantity: number): void {
    const before = this.ladder(side).set(price, quantity);
    if (before !== quantity) {
      this.updateId += 1;
      this.sequence += 1 + this.#random.below(4);
      this.changes.push({ side, price, quantity, before });
    }
  }

  // Levels on the wrong side of the mid go: first some by trades, the rest are cancelled.
  #follow(mid: number, atUs: number): void {
    for (const side of [ASK, BID] as const) {
      const ladder = this.ladder(side);
      const isStale = (): boolean => (side === ASK ? ladder.best <= mid : ladder.best > mid);
      if (isStale() && this.#random.chance(PASSED_TRADE_SHARE)) {
        this.#trade(side, { atUs, mid, whole: true });
      }
      while (ladder.count > LEVELS_MIN && isStale()) {
        this.#set(side, ladder.best, 0);
      }
      if (isStale()) {
        this.#refill(side, mid);
      }
    }
  }

  // Only a book of few levels comes here: it is moved as a whole rather than emptied.
  #refill(side: BookSide, mid: number): void {
    const ladder = this.ladder(side);
    const reach = Math.ceil(this.#spacing);
    for (let rank = 1; rank <= LEVELS_MIN; rank += 1) {
      this.#set(side, side === ASK ? mid + rank * reach : Math.max(1, mid - rank * reach), this.#sizes.resting());
    }
    while (side === ASK ? ladder.best <= mid : ladder.best > mid) {
      this.#set(side, ladder.best, 0);
    }
  }

  #trade(maker: BookSide, { atUs, mid, whole = false }: { atUs: number; mid: number; whole?: boolean }): void {
    const ladder = this.ladder(maker);
    const levels = whole ? FILLS_MAX : this.#random.chance(0.15) ? 2 + this.#random.below(4) : 1;
    this.#orders += 1;
    for (let level = 0, fills = 0; level < levels && fills < FILLS_MAX && ladder.count > LEVELS_MIN; level += 1) {
      const price = ladder.best;
      if (whole && (maker === ASK ? price > mid : price <= mid)) {
        return;
      }
      let standing = ladder.quantity(0);
      let taken = whole || level < levels - 1 ? standing : this.#sizes.taken(standing);
      while (taken > 0) {
        const isLast = fills === FILLS_MAX - 1 || this.#random.chance(0.75);
        const quantity = isLast ? taken : 1 + this.#random.below(taken);
        taken -= quantity;
        standing -= quantity;
        fills += 1;
        this.#record({ maker, price, quantity, atUs });
        this.#set(maker, price, standing);
      }
    }
  }

  #record(fill: Omit<Fill, "id" | "sequence" | "order">): void {
    this.tradeId += 1;
    this.sequence += 1 + this.#random.below(3);
    const recorded: Fill = { ...fill, id: this.tradeId, sequence: this.sequence, order: this.#orders };
    this.fills.push(recorded);
    this.history.push(recorded);
    if (this.history.length > HISTORY) {
      this.history.shift();
    }
  }

  // One order placed, changed or withdrawn somewhere. Where the book is thinner than it opened, orders come; where it
  // is denser, they go: so its shape lasts for days.
  #rearrange(side: BookSide, mid: number): void {
    const ladder = this.ladder(side);
    const rank = this.#rank(ladder);
    const price = ladder.price(rank);
    const away = Math.abs(price - mid);
    const usual = this.#near * (rank + 1) * (1 + (this.#growth * rank) / 2);
    const removal = away > usual * 1.2 ? 0.1 : away < usual * 0.8 ? 0.45 : 0.3;
    const draw = this.#random.unit();
    if (draw < 0.4) {
      this.#set(side, price, this.#sizes.resting());
    } else if (draw < 0.4 + removal && ladder.count > LEVELS_MIN) {
      this.#set(side, price, 0);
    } else {
      this.#place(side, mid, away);
    }
  }

  #place(side: BookSide, mid: number, away: number): void {
    const distance = this.#random.below(Math.min(mid - 1, Math.max(this.#spacing * 2, away)));
    const price = side === ASK ? mid + 1 + distance : mid - distance;
    const isFlash = this.#random.chance(FLASH_SHARE) && this.ladder(side).quantityAt(price) === 0;
    this.#set(side, price, this.#sizes.resting());
    if (isFlash) {
      this.#set(side, price, 0);
    }
  }

  #rank(ladder: Ladder): number {
    const rank = this.#random.tail(6);
    return rank < ladder.count ? rank : this.#random.below(ladder.count);
  }

  // Somebody always quotes near the fair price.
  #tighten(side: BookSide, mid: number): void {
    const away = Math.abs(this.ladder(side).best - mid);
    if (away > this.#spacing * 4) {
      const offset = Math.floor(this.#spacing * 2 * this.#random.unit());
      this.#set(side, side === ASK ? mid + 1 + offset : Math.max(1, mid - offset), this.#sizes.resting());
    }
  }

  #touch(): Touch {
    const { updateId, bids, asks } = this;
    return { updateId, bid: bids.best, bidQuantity: bids.quantity(0), ask: asks.best, askQuantity: asks.quantity(0) };
  }

  #noteTouch(before: Touch): void {
    const after = this.#touch();
    const isSame = before.bid === after.bid && before.ask === after.ask;
    if (!isSame || before.bidQuantity !== after.bidQuantity || before.askQuantity !== after.askQuantity) {
      this.touches.push(after);
    }
  }
}

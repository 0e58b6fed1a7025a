/**
 * One synthetic order book and the flow of orders that moves it: a fair price that the book follows, trades that
 * consume its best levels, and additions, changes and removals that thin out with distance in a heavy tail.
 * Outside auctions the book is never crossed and its best prices stay near the fair price. Bad case: after a silence the
 * fair price has run away and one event takes many levels at once; real bursts look so, and `changesMax` does not cut it.
 */
import type { Change, Fill, Touch } from "./book_events.ts";
import type { MarketInstrument } from "./instruments.ts";
import { ASK, BID, type BookSide, Ladder, type Scale } from "./ladder.ts";
import type { FairPrices } from "./mood.ts";
import type { Random } from "./random.ts";
import { Sizes } from "./sizes.ts";

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
/** Numbers begin below this after a restart of the exchange. */
const RESTART_NUMBERS = 1_000;
/** Most digits after the point that an instrument can come to have. */
const DECIMALS_MAX = 15;
/** How many times today's best ask a price may ever be: new levels stand below twice the fair price, which wanders. */
const PRICE_HEADROOM = 100;

/** A book as an answer prints it: as it stands, or as it stood. */
export type BookView = Pick<MarketBook, "instrument" | "bids" | "asks" | "updateId" | "sequence" | "ink">;

/** A book of the synthetic market. */
export class MarketBook {
  /** Replaced by another object when the exchange lists the instrument otherwise. */
  instrument: MarketInstrument;
  readonly bids: Ladder;
  readonly asks: Ladder;
  /** Changes since the last `taken`, in the order in which they happened. */
  changes: Change[] = [];
  /** Fills since the last `taken`. */
  fills: Fill[] = [];
  /** Best levels after each event that moved them, since the last `taken`. */
  touches: Touch[] = [];
  /** The last fills, oldest first. */
  history: Fill[] = [];
  /** +1 per change. */
  updateId: number;
  /** `updateId` as it was when the book was published last. */
  publishedId: number;
  /** Published events that changed the book, +1 each. */
  eventCount = 0;
  /** When the exchange says that the last of them happened, Unix microseconds; no two of a book are equal. */
  eventUs = 0;
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
  #ticksPerUnit: number;
  #spacing: number;
  /** Mean gap at rank r is `near × (1 + growth × r)` ticks. */
  #near: number;
  readonly #growth: number;
  #basis = 0;
  #orders = 0;
  /** Lots of today per lot of the listing with which the book opened. */
  #lots = 1;
  #isReopening = false;

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
    this.publishedId = this.updateId;
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

  /** The last trades that were published: those whose batch is still pending are not told to anybody. */
  get told(): readonly Fill[] {
    return this.history.slice(0, this.history.length - this.fills.length);
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
    if (this.instrument.isInAuction) {
      this.#gather(mid);
      this.#noteTouch(touch);
      return;
    }
    this.#follow(mid, atUs);
    if (this.#random.chance(this.instrument.tradeShare)) {
      this.#trade(this.#random.chance(0.5) ? ASK : BID, { atUs, mid });
    }
    for (let count = this.#changeCount(); count > 0; count -= 1) {
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
    this.publishedId = this.updateId;
  }

  /** Begins or ends an auction: orders gather without trading until it ends, then those that cross are executed. */
  setAuction(isOn: boolean): void {
    this.#isReopening ||= this.instrument.isInAuction === true && !isOn;
    this.instrument = { ...this.instrument, isInAuction: isOn };
  }

  /** Numbers everything anew from a low number, as after a restart of the exchange. Nothing may be pending. */
  restartNumbers(): void {
    const low = (current: number): number => {
      const start = 1 + this.#random.below(RESTART_NUMBERS);
      return start === current ? start + 1 : start;
    };
    this.updateId = low(this.updateId);
    this.publishedId = this.updateId;
    this.tradeId = low(this.tradeId);
    this.sequence = low(this.sequence);
    this.history = [];
  }

  /**
   * Whether ticks and lots can be so much finer: every level that stands stays a safe integer, and so does every one
   * that can come later.
   * @param digits in addition to those of price and quantity
   */
  canRefine({ price, quantity }: Scale): boolean {
    const { priceDecimals, quantityDecimals } = this.instrument;
    const scale = { price: 10 ** price, quantity: 10 ** quantity };
    const decimals = Math.max(priceDecimals + price, quantityDecimals + quantity);
    const quantityMax = (this.#sizes.restingMax + 1) * this.#lots * scale.quantity;
    const largest = Math.max(this.asks.best * PRICE_HEADROOM * scale.price, quantityMax);
    return decimals <= DECIMALS_MAX && Number.isSafeInteger(largest) && this.bids.fits(scale) && this.asks.fits(scale);
  }

  /** Counts in finer ticks and lots from here on. Nothing may be pending. @returns the factors by which they grow */
  refine(digits: Scale): Scale {
    const { instrument } = this;
    const priceDecimals = instrument.priceDecimals + digits.price;
    const quantityDecimals = instrument.quantityDecimals + digits.quantity;
    const scale = { price: 10 ** digits.price, quantity: 10 ** digits.quantity };
    const pricePadding = Math.max(instrument.pricePadding, priceDecimals);
    const quantityPadding = Math.max(instrument.quantityPadding, quantityDecimals);
    this.instrument = { ...instrument, priceDecimals, quantityDecimals, pricePadding, quantityPadding };
    this.bids.scale(scale);
    this.asks.scale(scale);
    this.history = this.history.map((fill) => ({
      ...fill,
      price: fill.price * scale.price,
      quantity: fill.quantity * scale.quantity,
    }));
    this.#ticksPerUnit *= scale.price;
    this.#spacing *= scale.price;
    this.#near *= scale.price;
    this.#lots *= scale.quantity;
    return scale;
  }

  #changeCount(): number {
    const mean = this.instrument.changesPerEvent;
    return Math.min(this.instrument.changesMax, Math.ceil(mean * 0.35 * this.#random.unit() ** -0.65));
  }

  #resting(): number {
    const lots = this.#sizes.resting();
    return this.#lots === 1 ? lots : lots * this.#lots + this.#random.below(this.#lots);
  }

  // Auction: orders come near the fair price on both sides of it and others go; somebody always bids above the best ask.
  #gather(mid: number): void {
    const reach = Math.ceil(this.#spacing * 4);
    for (let count = this.#changeCount(); count > 0; count -= 1) {
      const side = this.#random.chance(0.5) ? BID : ASK;
      const ladder = this.ladder(side);
      if (ladder.count > this.instrument.levels / 2 || this.#random.chance(0.5)) {
        const isGoing = ladder.count > LEVELS_MIN && this.#random.chance(0.5);
        this.#set(side, ladder.price(this.#rank(ladder)), isGoing ? 0 : this.#resting());
      } else {
        this.#set(side, Math.max(1, mid + this.#random.below(2 * reach) - reach), this.#resting());
      }
    }
    if (!(this.bids.best > this.asks.best)) {
      this.#set(BID, this.asks.best + 1 + this.#random.below(reach), this.#resting());
    }
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
      ladder.set(at, this.#resting());
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
      if (isStale() && (this.#random.chance(PASSED_TRADE_SHARE) || this.#isReopening)) {
        this.#trade(side, { atUs, mid, whole: true });
      }
      while (ladder.count > LEVELS_MIN && isStale()) {
        this.#set(side, ladder.best, 0);
      }
      if (isStale()) {
        this.#refill(side, mid);
      }
    }
    this.#isReopening = false;
  }

  // Only a book of few levels comes here: it is moved as a whole rather than emptied.
  #refill(side: BookSide, mid: number): void {
    const ladder = this.ladder(side);
    const reach = Math.ceil(this.#spacing);
    for (let rank = 1; rank <= LEVELS_MIN; rank += 1) {
      this.#set(side, side === ASK ? mid + rank * reach : Math.max(1, mid - rank * reach), this.#resting());
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
      this.#set(side, price, this.#resting());
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
    this.#set(side, price, this.#resting());
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
      this.#set(side, side === ASK ? mid + 1 + offset : Math.max(1, mid - offset), this.#resting());
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

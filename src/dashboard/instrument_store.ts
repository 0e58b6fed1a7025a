/**
 * All that the page holds of one instrument: status, best prices, recent trades, the price series, and the depth history
 * while it is recorded. Messages mark it; its painters run once per frame. The book stays in the feed and is pulled.
 * Bad case: a fast market with a hidden tab: trades and series are bounded, and marking is one set entry. A book that
 * changes without a mark would be shown as it was: the feed must tell each change.
 */
import type { InstrumentStats } from "../wire/protocol.ts";
import { Cell } from "./cell.ts";
import { DEPTH_LEVELS, DepthHistory } from "./depth_history.ts";
import type { FrameLoop, Painter } from "./frame_loop.ts";
import type { BestPrices, BookTop, InstrumentStatus, MarketFeed, Trade } from "./market_feed.ts";
import { PriceSeries } from "./price_series.ts";

/** Trades kept per instrument. */
export const TRADES_MAX = 500;
/** Trades that a chart draws: what is older is history. */
export const TRADES_DRAWN = 250;
/** Trades kept beyond TRADES_MAX before the oldest are cut, so that cutting is rare. */
const TRADES_SLACK = 100;

/** One instrument on the page. */
export class InstrumentStore {
  /** `exchange:BASE-QUOTE`. */
  readonly instrument: string;
  /** Exchange id, e.g. `kraken`. */
  readonly exchange: string;
  /** Canonical pair, e.g. `BTC-USD`. */
  readonly pair: string;
  /** Levels per side that the exchange sends; 0 = all. */
  readonly levelsMax: number;
  readonly status: Cell<InstrumentStatus>;
  /** The copy of the book here failed a check, or the gateway's did, and is fetched again. */
  readonly isDoubted = new Cell(false);
  /** Book events in the last second. */
  readonly updatesPerSecond = new Cell(0);
  /** Recent best prices. */
  readonly series = new PriceSeries();
  /** Recent books, while this instrument is recorded. */
  readonly depth = new DepthHistory();
  readonly #feed: MarketFeed;
  readonly #frames: FrameLoop;
  readonly #painters = new Set<Painter>();
  readonly #paint: Painter;
  readonly #tops = new Map<number, BookTop>();
  #best: BestPrices | undefined;
  #statistics: InstrumentStats | undefined;
  readonly #trades: Trade[] = [];
  #tradeCount = 0;
  #events = 0;

  constructor(status: InstrumentStatus, options: { feed: MarketFeed; frames: FrameLoop; levelsMax: number }) {
    this.levelsMax = options.levelsMax;
    this.instrument = status.instrument;
    const colon = status.instrument.indexOf(":");
    this.exchange = status.instrument.slice(0, Math.max(colon, 0));
    this.pair = status.instrument.slice(colon + 1);
    this.status = new Cell(status);
    this.#feed = options.feed;
    this.#frames = options.frames;
    this.#paint = (atMs) => {
      for (const painter of this.#painters) {
        painter(atMs);
      }
    };
  }

  /** The last trades, newest first. @param count at most, up to TRADES_MAX */
  trades(count: number): Trade[] {
    return this.#trades.slice(-Math.min(count, TRADES_MAX)).reverse();
  }

  /** Trades seen since the page was opened: grows with each. */
  get tradeCount(): number {
    return this.#tradeCount;
  }

  /** What the gateway measured of it in the last second; undefined until it told. */
  get statistics(): InstrumentStats | undefined {
    return this.#statistics;
  }

  /** The best levels now; undefined when there is no book. Read once per depth until something changes. */
  top(depth: number): BookTop | undefined {
    const held = this.#tops.get(depth);
    if (held !== undefined) {
      return held;
    }
    const top = this.#feed.top(this.instrument, depth);
    if (top !== undefined) {
      this.#tops.set(depth, top);
    }
    return top;
  }

  /** The best prices: of the book when it is followed, else as told by themselves; undefined before either came. */
  best(): BestPrices | undefined {
    const top = this.top(1);
    return top === undefined ? this.#best : bestOfTop(top);
  }

  /** The exchange's rule, the gateway's proof and this page's proof all say that what is shown is right. */
  get isLive(): boolean {
    return this.status.get().state === "synced" && !this.isDoubted.get() && this.best()?.isSynced === true;
  }

  /**
   * Runs `painter` in the next frame and in each later frame before which this instrument changed.
   * @returns a function that ends it
   */
  onFrame(painter: Painter): () => void {
    this.#painters.add(painter);
    this.mark();
    return () => {
      this.#painters.delete(painter);
    };
  }

  /** Forgets what was read of the book and asks for a repaint in the next frame. */
  mark(): void {
    this.#tops.clear();
    this.#frames.request(this.#paint);
  }

  /** Takes best prices that were told by themselves and asks for a repaint. */
  takeBest(best: BestPrices): void {
    this.#best = best;
    this.#events += this.top(1) === undefined ? 1 : 0;
    this.mark();
  }

  /** Counts book events and asks for a repaint. */
  countEvents(events: number): void {
    this.#events += events;
    this.mark();
  }

  /** Says whether the copy of the book here can be trusted, and asks for a repaint. */
  doubt(isDoubted: boolean): void {
    this.isDoubted.set(isDoubted);
    this.mark();
  }

  /** Adds a trade and asks for a repaint. */
  addTrade(trade: Trade): void {
    this.#trades.push(trade);
    if (this.#trades.length > TRADES_MAX + TRADES_SLACK) {
      this.#trades.splice(0, TRADES_SLACK);
    }
    this.#tradeCount += 1;
    this.mark();
  }

  /** Takes what the gateway measured and asks for a repaint. */
  takeStatistics(statistics: InstrumentStats): void {
    this.#statistics = statistics;
    this.mark();
  }

  /** Adds the best prices of now to the series. @param atMs wall clock, milliseconds */
  sample(atMs: number): void {
    const best = this.best();
    const bid = best?.bid?.[0];
    const ask = best?.ask?.[0];
    const isKnown = this.isLive && bid !== undefined && ask !== undefined;
    if (this.series.sample(atMs, isKnown ? { bid, ask } : undefined)) {
      this.mark();
    }
  }

  /** Adds the book of now to the depth history; a book that is not known to be right adds a hole. @param atMs wall clock, milliseconds */
  record(atMs: number): void {
    const top = this.isLive ? this.top(DEPTH_LEVELS) : undefined;
    const { priceExponent: price, quantityExponent: quantity } = this.status.get();
    if (this.depth.record(atMs, top, { price, quantity, levelsMax: this.levelsMax })) {
      this.mark();
    }
  }

  /** Turns the events counted since the last call into a rate. @param seconds since then, above 0 */
  measure(seconds: number): void {
    this.updatesPerSecond.set(Math.round(this.#events / seconds));
    this.#events = 0;
  }
}

function bestOfTop({ bids, asks, version, isSynced, isCrossed }: BookTop): BestPrices {
  return { bid: bids[0], ask: asks[0], version, isSynced, isCrossed };
}

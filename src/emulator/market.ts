/**
 * The synthetic market: every book of every exchange, moved in simulated time by one seed. Equal seed, instruments and
 * rate give equal books, whatever the timing of the calls. Each exchange publishes in its own rhythm: Coinbase batches
 * of 50 ms, Binance of 100 ms, Kraken event by event; books move only when they publish, so that what stands here is
 * what a client must have. Bad case: a REST request in mid-batch moves a Binance book ahead of its stream, as it does
 * on the real exchange; the next batch closes the difference.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import { BookHistory } from "./book_history.ts";
import type { MarketInstrument } from "./instruments.ts";
import type { Scale } from "./ladder.ts";
import { MarketBook } from "./market_book.ts";
import { FairPrices, Mood } from "./mood.ts";
import type { TrueEvent } from "./protocol.ts";
import { Random } from "./random.ts";

/** Microseconds between two publications of a book; 0 publishes every event at once. */
export const BATCH_US: Readonly<Record<ExchangeId, number>> = {
  coinbase_exchange: 50_000,
  kraken: 0,
  binance: 100_000,
  binance_us: 100_000,
};

/** Microseconds between two times that an exchange can tell apart. */
const TIME_UNIT_US: Readonly<Record<ExchangeId, number>> = {
  coinbase_exchange: 1,
  kraken: 1,
  binance: 1_000,
  binance_us: 1_000,
};

/** Exchanges whose update ids, +1 per change, are on the wire: there they are what a state is asked by. */
const NUMBERED: readonly ExchangeId[] = ["binance", "binance_us"];

const SECOND_US = 1_000_000;
/** Moods older than this are forgotten. */
const MEMORY_US = 10 * SECOND_US;

/** The last event that a book published. */
export function publishedEvent(book: MarketBook): TrueEvent {
  const isNumbered = NUMBERED.includes(book.instrument.exchange);
  return { sequence: isNumbered ? book.publishedId : book.eventCount, timeUs: book.eventUs };
}

/** Called when a book publishes; its changes, fills and touches are those since the last call and may be empty. */
export type BatchListener = (book: MarketBook, atUs: number) => void;

/** Called when an exchange lists an instrument otherwise. @param scale by which ticks and lots have grown */
export type ListingListener = (book: MarketBook, scale: Scale) => void;

type Entry = {
  readonly book: MarketBook;
  readonly batchUs: number;
  dueUs: number;
  /** What waits until nothing is pending. */
  waiting: (() => void)[];
};

const SAME_SCALE: Scale = { price: 1, quantity: 1 };

/** What a market is made of. */
export type MarketOptions = {
  instruments: readonly MarketInstrument[];
  /** Any integer. */
  seed: number;
  /** Factor on all event rates, > 0. */
  rate: number;
};

/** All synthetic books and their common time. Times are microseconds since the market opened. */
export class Market {
  readonly #mood: Mood;
  readonly #entries: Entry[] = [];
  readonly #listeners = new Map<ExchangeId, BatchListener>();
  readonly #listingListeners = new Map<ExchangeId, ListingListener>();
  readonly #histories = new Map<MarketBook, BookHistory>();
  readonly #rate: number;
  #nowUs = 0;
  #stamp = (atUs: number): number => atUs;
  #onEvent: ((book: MarketBook) => void) | undefined;

  constructor({ instruments, seed, rate }: MarketOptions) {
    const random = new Random(seed);
    this.#rate = rate;
    this.#mood = new Mood(random.fork("mood"));
    const fair = new FairPrices(random.fork("prices"), this.#mood);
    for (const instrument of instruments) {
      const book = new MarketBook(instrument, fair, random);
      const batchUs = BATCH_US[instrument.exchange];
      book.nextEventUs = this.#eventAfter(book, 0);
      const phase = random.fork(`${instrument.exchange}:${instrument.native}:phase`);
      const dueUs = batchUs === 0 ? book.nextEventUs : batchUs + phase.below(batchUs);
      this.#entries.push({ book, batchUs, dueUs, waiting: [] });
    }
  }

  /**
   * Sets what the exchanges' clocks show. To be called once, before anything happens.
   * @param stamp simulated to Unix microseconds, never backwards @param options.eventsKept of how many events past states can be told
   * @param options.onEvent called at every event, before it is published
   */
  open(
    stamp: (atUs: number) => number,
    { eventsKept, onEvent }: { eventsKept: number; onEvent?: ((book: MarketBook) => void) | undefined },
  ): void {
    this.#stamp = stamp;
    this.#onEvent = onEvent;
    for (const { book } of this.#entries) {
      book.eventUs = this.#eventUs(book, 0);
      if (eventsKept > 0) {
        const isNumbered = NUMBERED.includes(book.instrument.exchange);
        this.#histories.set(book, new BookHistory(book, { isNumbered, eventsKept }));
      }
    }
  }

  /** Simulated microseconds up to which everything has happened. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Simulated microseconds at which something happens next. */
  get dueUs(): number {
    return this.#entries.reduce((least, entry) => Math.min(least, entry.dueUs), Number.POSITIVE_INFINITY);
  }

  /** The books of an exchange by native symbol. */
  books(exchange: ExchangeId): Map<string, MarketBook> {
    const own = this.#entries.map((entry) => entry.book).filter((book) => book.instrument.exchange === exchange);
    return new Map(own.map((book) => [book.instrument.native, book]));
  }

  /** The past states of a book; undefined when none are kept. */
  history(book: MarketBook): BookHistory | undefined {
    return this.#histories.get(book);
  }

  /** Sets who publishes for an exchange. @param listener called at every batch, in order of time */
  listen(exchange: ExchangeId, listener: BatchListener, onListing: ListingListener = () => undefined): void {
    this.#listeners.set(exchange, listener);
    this.#listingListeners.set(exchange, onListing);
  }

  /** Lets everything happen up to an instant. @param atUs simulated microseconds, not before `nowUs` */
  advance(atUs: number): void {
    for (let entry = this.#earliest(); entry !== undefined && entry.dueUs <= atUs; entry = this.#earliest()) {
      this.#publish(entry, entry.dueUs);
      entry.dueUs = entry.batchUs === 0 ? entry.book.nextEventUs : entry.dueUs + entry.batchUs;
    }
    this.#nowUs = Math.max(this.#nowUs, atUs);
    this.#mood.forget(this.#nowUs - MEMORY_US);
  }

  /** Lets one book's events happen without publishing them yet, as when a REST answer is taken in mid-batch. */
  peek(book: MarketBook, atUs: number): void {
    while (book.nextEventUs <= atUs) {
      book.step(book.nextEventUs);
      book.nextEventUs = this.#eventAfter(book, book.nextEventUs);
    }
  }

  /** Publishes what books have pending, so that every client's book can equal `books`. */
  settle(): void {
    for (const entry of this.#entries) {
      this.#publish(entry, this.#nowUs);
    }
  }

  /** The exchange restarts: it numbers everything of a book anew, from low numbers, for everybody. */
  restartNumbers(book: MarketBook): void {
    this.#whenSettled(book, () => {
      book.restartNumbers();
      this.#histories.get(book)?.restarted();
    });
  }

  /**
   * The exchange counts in finer ticks and lots from here on, for everybody.
   * @param digits how many digits price and quantity get in addition
   * @returns false when so many digits do not fit; nothing happens then
   */
  refine(book: MarketBook, digits: Scale): boolean {
    if (!book.canRefine(digits)) {
      return false;
    }
    this.#whenSettled(book, () => {
      const scale = book.refine(digits);
      this.#histories.get(book)?.rescaled(scale);
      this.#listed(book, scale);
    });
    return true;
  }

  /** Begins or ends an auction, for everybody: while it lasts, orders gather without trading and the book is crossed. */
  setAuction(book: MarketBook, isOn: boolean): void {
    this.#whenSettled(book, () => {
      book.setAuction(isOn);
      this.#hasten(book);
      this.#listed(book, SAME_SCALE);
    });
  }

  #earliest(): Entry | undefined {
    let earliest: Entry | undefined;
    for (const entry of this.#entries) {
      if (earliest === undefined || entry.dueUs < earliest.dueUs) {
        earliest = entry;
      }
    }
    return earliest;
  }

  #publish(entry: Entry, atUs: number): void {
    const { book } = entry;
    this.peek(book, atUs);
    if (book.changes.length > 0) {
      book.eventCount += 1;
      book.eventUs = this.#eventUs(book, atUs);
      this.#histories.get(book)?.record();
      this.#onEvent?.(book);
    }
    this.#listeners.get(book.instrument.exchange)?.(book, atUs);
    book.taken();
    for (const change of entry.waiting.splice(0)) {
      change();
    }
  }

  // Unique, because a state is asked by its time.
  #eventUs(book: MarketBook, atUs: number): number {
    const unitUs = TIME_UNIT_US[book.instrument.exchange];
    return Math.max(book.eventUs + unitUs, Math.floor(this.#stamp(atUs) / unitUs) * unitUs);
  }

  // Runs now when nothing is pending, else after the next publication.
  #whenSettled(book: MarketBook, change: () => void): void {
    const entry = this.#entries.find((one) => one.book === book);
    if (book.changes.length + book.fills.length === 0) {
      change();
    } else {
      entry?.waiting.push(change);
    }
  }

  #listed(book: MarketBook, scale: Scale): void {
    this.#listingListeners.get(book.instrument.exchange)?.(book, scale);
  }

  // The next event happens at once, whatever the mood.
  #hasten(book: MarketBook): void {
    const entry = this.#entries.find((one) => one.book === book);
    if (entry !== undefined) {
      book.nextEventUs = Math.min(book.nextEventUs, this.#nowUs + 1);
      entry.dueUs = entry.batchUs === 0 ? book.nextEventUs : entry.dueUs;
    }
  }

  // Waiting times are memoryless: at the end of a stretch of mood the draw starts afresh with the next one's rate.
  #eventAfter(book: MarketBook, fromUs: number): number {
    for (let atUs = fromUs; ; ) {
      const { activity, endUs } = this.#mood.at(atUs);
      const perSecond = book.instrument.eventsPerSecond * this.#rate * activity;
      const next = perSecond > 0 ? atUs + Math.max(1, book.wait(SECOND_US / perSecond)) : Number.POSITIVE_INFINITY;
      if (next <= endUs) {
        return next;
      }
      atUs = endUs;
    }
  }
}

/**
 * The synthetic market: every book of every exchange, moved in simulated time by one seed. Equal seed, instruments and
 * rate give equal books, whatever the timing of the calls. Each exchange publishes in its own rhythm: Coinbase batches
 * of 50 ms, Binance of 100 ms, Kraken event by event; books move only when they publish, so that what stands here is
 * what a client must have. Bad case: a REST request in mid-batch moves a Binance book ahead of its stream, as it does
 * on the real exchange; the next batch closes the difference.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import type { MarketInstrument } from "./instruments.ts";
import { MarketBook } from "./market_book.ts";
import { FairPrices, Mood } from "./mood.ts";
import { Random } from "./random.ts";

/** Microseconds between two publications of a book; 0 publishes every event at once. */
export const BATCH_US: Readonly<Record<ExchangeId, number>> = {
  coinbase_exchange: 50_000,
  kraken: 0,
  binance: 100_000,
  binance_us: 100_000,
};

const SECOND_US = 1_000_000;
/** Moods older than this are forgotten. */
const MEMORY_US = 10 * SECOND_US;

/** Called when a book publishes; its changes, fills and touches are those since the last call and may be empty. */
export type BatchListener = (book: MarketBook, atUs: number) => void;

type Entry = { book: MarketBook; batchUs: number; dueUs: number };

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
  readonly #rate: number;
  #nowUs = 0;

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
      this.#entries.push({ book, batchUs, dueUs: batchUs === 0 ? book.nextEventUs : batchUs + phase.below(batchUs) });
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

  /** Sets who publishes for an exchange. @param listener called at every batch, in order of time */
  listen(exchange: ExchangeId, listener: BatchListener): void {
    this.#listeners.set(exchange, listener);
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
    this.peek(entry.book, atUs);
    this.#listeners.get(entry.book.instrument.exchange)?.(entry.book, atUs);
    entry.book.taken();
  }

  // Waiting times are memoryless: at the end of a stretch of mood the draw starts afresh with the next one's rate.
  #eventAfter(book: MarketBook, fromUs: number): number {
    for (let atUs = fromUs; ; ) {
      const { activity, endUs } = this.#mood.at(atUs);
      const perSecond = book.instrument.eventsPerSecond * this.#rate * activity;
      const next = perSecond > 0 ? atUs + book.wait(SECOND_US / perSecond) : Number.POSITIVE_INFINITY;
      if (next <= endUs) {
        return next;
      }
      atUs = endUs;
    }
  }
}

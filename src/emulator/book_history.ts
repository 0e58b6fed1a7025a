/**
 * What a synthetic book was, at each of its last events: of every change only the quantity before it is kept, and a past
 * state is the present one with the changes since taken back. That is 16 bytes a change and no copies of books: measured
 * 33 MB for all twelve default books at rate 1 (BTC-USD 4.5 MB, where a copy per thousand events would take 8), 96 MB at
 * rate 10. Bad case: the oldest of 10,000 states costs as many steps as there were changes since, 33 ms at rate 1 and more
 * at higher ones; the newest costs a copy, 0.1 ms. Memory grows with the rate, because events get larger.
 */
import { ASK, BID, type BookSide, type Ladder, type Scale } from "./ladder.ts";
import type { MarketBook } from "./market_book.ts";
import type { TrueEvent } from "./protocol.ts";

/** Events that can be asked for. */
export const EVENTS_KEPT = 10_000;

const CHANGES_RESERVED = 4_096;

/** A past state. Ticks and lots are those of the instrument as it is listed now. */
export type PastBook = {
  /** The exchange's update id where it has one, else the number of the event. */
  sequence: number;
  /** When the event happened that led to it, or that holds it, Unix microseconds. */
  timeUs: number;
  /** The exchange's count of everything in the book. */
  bookSequence: number;
  bids: Ladder;
  asks: Ladder;
};

/** Why a state cannot be told. */
export type Unknown = { reason: string };

/** A stretch of events between two restarts of numbering, and the state before the first of them. */
type Segment = {
  readonly firstEvent: number;
  readonly sequence: number;
  readonly bookSequence: number;
  readonly timeUs: number;
  readonly changeEnd: number;
};

/** Which state. */
export type Moment =
  | { readonly sequence: number }
  /** Unix microseconds; the book as it stood at that time. @param nowUs what has happened by now */
  | { readonly timeUs: number; readonly nowUs: number }
  | "latest";

/** The last events of one book. */
export class BookHistory {
  readonly #book: MarketBook;
  /** Whether sequences are update ids, +1 per change; otherwise they count events. */
  readonly #isNumbered: boolean;
  readonly #capacity: number;
  // Rings by event; `first` and `end` count events since the beginning.
  readonly #sequences: Float64Array;
  readonly #bookSequences: Float64Array;
  readonly #timesUs: Float64Array;
  /** How many changes there had been after the event. */
  readonly #changeEnds: Float64Array;
  #firstEvent = 0;
  #endEvent = 0;
  /** In order; the last one holds the newest events. */
  #segments: Segment[] = [];
  // Ring by change: the price with the sign of its side (bids above zero), and the lots before.
  #prices = new Float64Array(CHANGES_RESERVED);
  #befores = new Float64Array(CHANGES_RESERVED);
  #endChange = 0;
  /** The list of changes that was recorded last: what the book holds of it is not pending. */
  #recorded: MarketBook["changes"] | undefined;

  /** @param isNumbered whether update ids are sequences @param eventsKept how many, besides the oldest state */
  constructor(
    book: MarketBook,
    { isNumbered, eventsKept = EVENTS_KEPT }: { isNumbered: boolean; eventsKept?: number },
  ) {
    this.#book = book;
    this.#isNumbered = isNumbered;
    this.#capacity = eventsKept + 1;
    this.#sequences = new Float64Array(this.#capacity);
    this.#bookSequences = new Float64Array(this.#capacity);
    this.#timesUs = new Float64Array(this.#capacity);
    this.#changeEnds = new Float64Array(this.#capacity);
    this.#beginSegment(book.eventUs);
    this.#push(book.eventUs);
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#capacity * 4 * 8 + this.#prices.length * 2 * 8;
  }

  /** Sequences that can be asked for: from the oldest to the newest, unless numbering began anew between them. */
  get range(): { oldest: number; newest: number } {
    return { oldest: this.#sequenceOf(this.#firstEvent), newest: this.#newest };
  }

  /** The book is about to publish an event: its changes are those of the event, its time is set. */
  record(): void {
    const { changes } = this.#book;
    for (const { side, price, before } of changes) {
      this.#reserve();
      const slot = this.#endChange & (this.#prices.length - 1);
      this.#prices[slot] = side === BID ? price : -price;
      this.#befores[slot] = before;
      this.#endChange += 1;
    }
    this.#recorded = changes;
    this.#push(this.#book.eventUs);
  }

  /** The book numbers its changes anew; its levels stay. */
  restarted(): void {
    if (this.#isNumbered) {
      this.#beginSegment(this.#timeOf(this.#endEvent - 1));
    }
  }

  /** The book counts in finer units. */
  rescaled({ price, quantity }: Scale): void {
    this.#prices = this.#prices.map((ticks) => ticks * price);
    this.#befores = this.#befores.map((lots) => lots * quantity);
  }

  /** The book as it was. Cost: a copy, and about 50 ns per change since then. */
  at(moment: Moment): PastBook | Unknown {
    if (moment === "latest") {
      return this.#bySequence(this.#newest);
    }
    return "sequence" in moment ? this.#bySequence(moment.sequence) : this.#byTime(moment);
  }

  /** Whether the state of a time is still known. @param timeUs Unix microseconds */
  reaches(timeUs: number): boolean {
    return this.#timeOf(this.#firstEvent) <= timeUs;
  }

  /** The last event at a time, or the oldest kept; costs no copy of the book. @param timeUs Unix microseconds */
  eventAt(timeUs: number): TrueEvent {
    const event = this.#lastWhere((index) => this.#timeOf(index) <= timeUs, this.#firstEvent);
    const known = Math.max(event, this.#firstEvent);
    return { sequence: this.#sequenceOf(known), timeUs: this.#timeOf(known) };
  }

  /** The oldest state kept. */
  oldest(): PastBook {
    return this.#rebuild(this.#firstEvent);
  }

  #byTime({ timeUs, nowUs }: { timeUs: number; nowUs: number }): PastBook | Unknown {
    if (timeUs > nowUs) {
      return { reason: "that time has not come yet" };
    }
    const event = this.#lastWhere((index) => this.#timeOf(index) <= timeUs, this.#firstEvent);
    if (event < this.#firstEvent) {
      return { reason: this.#firstEvent === 0 ? "the market was not open at that time" : "too long ago" };
    }
    return this.#rebuild(event);
  }

  // Of the last numbering; where nothing happened since it began, its first number.
  get #newest(): number {
    const segment = this.#segments.at(-1);
    const isEmpty = segment === undefined || segment.firstEvent >= this.#endEvent;
    return isEmpty ? (segment?.sequence ?? 0) : this.#sequenceOf(this.#endEvent - 1);
  }

  #bySequence(sequence: number): PastBook | Unknown {
    let endEvent = this.#endEvent;
    for (const segment of this.#segments.toReversed()) {
      const { firstEvent } = segment;
      if (sequence === segment.sequence && firstEvent > this.#firstEvent) {
        return this.#takeBack(segment.changeEnd, segment);
      }
      const startEvent = Math.max(this.#firstEvent, firstEvent);
      const lowest = firstEvent <= this.#firstEvent ? this.#sequenceOf(startEvent) : segment.sequence;
      if (endEvent > startEvent && sequence >= lowest && sequence <= this.#sequenceOf(endEvent - 1)) {
        const before = this.#lastWhere((event) => this.#sequenceOf(event) < sequence, startEvent, endEvent);
        return this.#rebuild(before + 1, this.#sequenceOf(before + 1) - sequence);
      }
      endEvent = startEvent;
    }
    if (sequence > this.#newest && this.#isNumbered && sequence <= this.#book.updateId) {
      return this.#rebuildPending(this.#book.updateId - sequence);
    }
    return { reason: sequence > this.#newest ? "that sequence has not come yet" : "unknown or too long ago" };
  }

  // Binary search: the last event of a range for which a condition holds that holds for the first ones only.
  #lastWhere(holds: (event: number) => boolean, startEvent: number, endEvent = this.#endEvent): number {
    let low = startEvent - 1;
    let high = endEvent - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (holds(middle)) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  // @param back how many changes before the end of the event
  #rebuild(event: number, back = 0): PastBook {
    const slot = event % this.#capacity;
    return this.#takeBack((this.#changeEnds[slot] ?? 0) - back, {
      sequence: this.#sequenceOf(event) - back,
      timeUs: this.#timeOf(event),
      bookSequence: this.#bookSequences[slot] ?? 0,
    });
  }

  #rebuildPending(back: number): PastBook {
    const event = this.#endEvent - 1;
    const [bids, asks] = this.#present(back);
    const bookSequence = this.#bookSequences[event % this.#capacity] ?? 0;
    return { sequence: this.#book.updateId - back, timeUs: this.#timeOf(event), bookSequence, bids, asks };
  }

  #takeBack(changeEnd: number, { sequence, timeUs, bookSequence }: Omit<PastBook, "bids" | "asks">): PastBook {
    const sides = this.#present(this.#pending().length);
    for (let change = this.#endChange - 1; change >= changeEnd; change -= 1) {
      const slot = change & (this.#prices.length - 1);
      const price = this.#prices[slot] ?? 0;
      sides[price > 0 ? BID : ASK].set(Math.abs(price), this.#befores[slot] ?? 0);
    }
    return { sequence, timeUs, bookSequence, bids: sides[BID], asks: sides[ASK] };
  }

  // Copies of both sides with the last pending changes taken back.
  #present(back: number): [bids: Ladder, asks: Ladder] {
    const sides: Record<BookSide, Ladder> & [Ladder, Ladder] = [this.#book.bids.clone(), this.#book.asks.clone()];
    const { changes } = this.#book;
    for (let index = changes.length - 1; index >= changes.length - back; index -= 1) {
      const change = changes[index];
      if (change !== undefined) {
        sides[change.side].set(change.price, change.before);
      }
    }
    return sides;
  }

  // Changes that happened and are not part of an event yet: a REST answer in mid-batch has them.
  #pending(): MarketBook["changes"] {
    return this.#book.changes === this.#recorded ? [] : this.#book.changes;
  }

  #beginSegment(timeUs: number): void {
    const { sequence: bookSequence } = this.#book;
    const changeEnd = this.#endChange;
    this.#segments.push({ firstEvent: this.#endEvent, sequence: this.#sequenceNow, bookSequence, timeUs, changeEnd });
  }

  get #sequenceNow(): number {
    return this.#isNumbered ? this.#book.updateId : this.#book.eventCount;
  }

  #push(timeUs: number): void {
    const slot = this.#endEvent % this.#capacity;
    this.#sequences[slot] = this.#sequenceNow;
    this.#bookSequences[slot] = this.#book.sequence;
    this.#timesUs[slot] = timeUs;
    this.#changeEnds[slot] = this.#endChange;
    this.#endEvent += 1;
    if (this.#endEvent - this.#firstEvent > this.#capacity) {
      this.#firstEvent += 1;
      while ((this.#segments[1]?.firstEvent ?? Number.POSITIVE_INFINITY) <= this.#firstEvent) {
        this.#segments.shift();
      }
    }
  }

  #reserve(): void {
    const start = this.#changeEnds[this.#firstEvent % this.#capacity] ?? 0;
    if (this.#endChange - start < this.#prices.length) {
      return;
    }
    const [prices, befores] = [this.#prices, this.#befores];
    this.#prices = new Float64Array(prices.length * 2);
    this.#befores = new Float64Array(prices.length * 2);
    for (let change = start; change < this.#endChange; change += 1) {
      const [from, to] = [change & (prices.length - 1), change & (this.#prices.length - 1)];
      this.#prices[to] = prices[from] ?? 0;
      this.#befores[to] = befores[from] ?? 0;
    }
  }

  #sequenceOf(event: number): number {
    return this.#sequences[event % this.#capacity] ?? 0;
  }

  #timeOf(event: number): number {
    return this.#timesUs[event % this.#capacity] ?? 0;
  }
}

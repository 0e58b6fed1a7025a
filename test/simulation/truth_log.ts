/**
 * The truth as the checker keeps it: every event of every synthetic book, as decimal texts, with what stood there before,
 * so that a cursor can walk to any event in both directions at the cost of the changes in between.
 * Bad case: an exchange that restarts its numbers; a sequence then means its last use.
 */
import type { MarketInstrument } from "../../src/emulator/mod.ts";
import { plainDecimal } from "../../src/emulator/text.ts";
import type { ExchangeId } from "../../src/model/exchange_id.ts";

/** 0 bid, 1 ask. */
export type Side = 0 | 1;

/** One level of an event: absolute quantities as plain decimals; "0" is none. */
type TrueChange = { readonly side: Side; readonly price: string; readonly quantity: string; readonly before: string };

/** An event of the market. */
export type TrueEvent = {
  /** Binance: the update id after it. */
  readonly sequence: number;
  /** The exchange's clock, Unix µs. */
  readonly timeUs: number;
  readonly changes: readonly TrueChange[];
  /** Where only the best levels are published: those, bids then asks. */
  readonly top: readonly [readonly Level[], readonly Level[]] | undefined;
};

type Level = readonly [price: string, quantity: string];
type Ladder = { readonly count: number; price(rank: number): number; quantity(rank: number): number };

/** What the market shows of a book at an event. */
export type MarketBook = {
  readonly instrument: MarketInstrument;
  readonly bids: Ladder;
  readonly asks: Ladder;
  readonly updateId: number;
  readonly eventUs: number;
  readonly changes: readonly { side: number; price: number; quantity: number; before: number }[];
};

/** A place in the truth: after so many changes of the event behind `event` whole ones. */
export type TruthPlace = { readonly events: number; readonly changes: number };

const LOOK_BACK = 4000;

/** The truth of one book. */
export class TruthLog {
  readonly exchange: ExchangeId;
  readonly native: string;
  readonly events: TrueEvent[] = [];
  readonly initial: readonly [ReadonlyMap<string, string>, ReadonlyMap<string, string>];
  readonly #depth: number;
  readonly #initialTop: NonNullable<TrueEvent["top"]>;
  readonly #bySequence = new Map<number, number>();
  readonly #initialSequence: number;
  /** Of the last event: for each side how many numbers, and the numbers. */
  #topNumbers: readonly number[] = [];

  /** @param depth levels per side that are published; 0 = all */
  constructor(
    id: { exchange: ExchangeId; native: string },
    options: { depth: number; bids: readonly Level[]; asks: readonly Level[]; sequence: number },
  ) {
    this.exchange = id.exchange;
    this.native = id.native;
    this.#depth = options.depth;
    this.initial = [new Map(options.bids), new Map(options.asks)];
    this.#initialTop = [options.bids.slice(0, options.depth), options.asks.slice(0, options.depth)];
    this.#initialSequence = options.sequence;
  }

  /** Whether only the best levels are told. */
  get isCut(): boolean {
    return this.#depth > 0;
  }

  /** Adds the event that a book is about to publish. */
  add(book: MarketBook): void {
    const { priceDecimals, quantityDecimals } = book.instrument;
    const changes = book.changes.map(({ side, price, quantity, before }): TrueChange => {
      return {
        side: side === 0 ? 0 : 1,
        price: plainDecimal(price, priceDecimals),
        quantity: plainDecimal(quantity, quantityDecimals),
        before: plainDecimal(before, quantityDecimals),
      };
    });
    const top = this.isCut ? this.#topOf(book) : undefined;
    this.events.push({ sequence: book.updateId, timeUs: book.eventUs, changes, top });
    this.#bySequence.set(book.updateId, this.events.length);
  }

  /** The best levels at a place of whole events. */
  topAt(place: TruthPlace): NonNullable<TrueEvent["top"]> {
    return (place.events === 0 ? this.#initialTop : this.events[place.events - 1]?.top) ?? this.#initialTop;
  }

  /** When the first event behind a place happened that is told to clients, Unix µs; undefined when there is none. */
  nextToldUs(place: TruthPlace): number | undefined {
    if (!this.isCut) {
      return this.events[place.events]?.timeUs;
    }
    const top = this.topAt(place);
    for (let index = place.events; index < this.events.length; index++) {
      if (this.events[index]?.top !== top) {
        return this.events[index]?.timeUs;
      }
    }
    return undefined;
  }

  /** The state after the last event at or before a time. */
  byTime(timeUs: number): TruthPlace {
    const { events } = this;
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((events[middle - 1]?.timeUs ?? 0) <= timeUs) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return { events: low, changes: 0 };
  }

  /** The state at an update id, also in the midst of an event. @returns undefined when it is not known (yet) */
  bySequence(sequence: number): TruthPlace | undefined {
    const whole = this.#bySequence.get(sequence);
    if (whole !== undefined) {
      return { events: whole, changes: 0 };
    }
    if (sequence === this.#initialSequence) {
      return { events: 0, changes: 0 };
    }
    const least = Math.max(0, this.events.length - LOOK_BACK);
    for (let index = this.events.length - 1; index >= least; index--) {
      const event = this.events[index];
      const first = (event?.sequence ?? 0) - (event?.changes.length ?? 0);
      if (event !== undefined && sequence >= first && sequence < event.sequence) {
        return { events: index, changes: sequence - first };
      }
    }
    return undefined;
  }

  /** The same object as long as nothing in it changes. */
  #topOf(book: MarketBook): NonNullable<TrueEvent["top"]> {
    const numbers = [...this.#numbers(book.bids), ...this.#numbers(book.asks)];
    const before = this.#topNumbers;
    if (numbers.length === before.length && numbers.every((number, index) => number === before[index])) {
      return this.topAt({ events: this.events.length, changes: 0 });
    }
    this.#topNumbers = numbers;
    const top = [this.#top(book, book.bids), this.#top(book, book.asks)] as const;
    const last = this.topAt({ events: this.events.length, changes: 0 });
    return isSame(top[0], last[0]) && isSame(top[1], last[1]) ? last : top;
  }

  /** Prices and quantities of the best levels, which tell two tops apart at less cost than texts. */
  #numbers(ladder: Ladder): number[] {
    const numbers: number[] = [];
    for (let rank = 0; rank < Math.min(this.#depth, ladder.count); rank++) {
      numbers.push(ladder.price(rank), ladder.quantity(rank));
    }
    return [numbers.length, ...numbers];
  }

  #top({ instrument }: MarketBook, ladder: Ladder): Level[] {
    const count = Math.min(this.#depth, ladder.count);
    return Array.from({ length: count }, (_, rank): Level => {
      const price = plainDecimal(ladder.price(rank), instrument.priceDecimals);
      return [price, plainDecimal(ladder.quantity(rank), instrument.quantityDecimals)];
    });
  }
}

/** The true book at a place that moves. */
export class TruthCursor {
  readonly sides: readonly [Map<string, string>, Map<string, string>];
  readonly #log: TruthLog;
  #place: TruthPlace = { events: 0, changes: 0 };

  constructor(log: TruthLog) {
    this.#log = log;
    this.sides = [new Map(log.initial[0]), new Map(log.initial[1])];
  }

  /** Where it stands. */
  get place(): TruthPlace {
    return this.#place;
  }

  /** Goes to a place. @param touched called with every level that may have become another */
  move(to: TruthPlace, touched: (side: Side, price: string) => void): void {
    while (isBefore(this.#place, to)) {
      this.#forward(touched);
    }
    while (isBefore(to, this.#place)) {
      this.#backward(touched);
    }
  }

  #forward(touched: (side: Side, price: string) => void): void {
    const { events, changes } = this.#place;
    const list = this.#log.events[events]?.changes ?? [];
    const change = list[changes];
    if (change !== undefined) {
      this.#set(change.side, change.price, change.quantity);
      touched(change.side, change.price);
    }
    const isWhole = changes + 1 >= list.length;
    this.#place = isWhole ? { events: events + 1, changes: 0 } : { events, changes: changes + 1 };
  }

  #backward(touched: (side: Side, price: string) => void): void {
    const { events, changes } = this.#place;
    const from = changes === 0 ? events - 1 : events;
    const list = this.#log.events[from]?.changes ?? [];
    const index = changes === 0 ? Math.max(0, list.length - 1) : changes - 1;
    const change = list[index];
    if (change !== undefined) {
      this.#set(change.side, change.price, change.before);
      touched(change.side, change.price);
    }
    this.#place = { events: from, changes: index };
  }

  #set(side: Side, price: string, quantity: string): void {
    if (quantity === "0") {
      this.sides[side].delete(price);
    } else {
      this.sides[side].set(price, quantity);
    }
  }
}

function isBefore(one: TruthPlace, other: TruthPlace): boolean {
  return one.events < other.events || (one.events === other.events && one.changes < other.changes);
}

function isSame(one: readonly Level[], other: readonly Level[]): boolean {
  return (
    one.length === other.length &&
    one.every(([price, quantity], index) => price === other[index]?.[0] && quantity === other[index]?.[1])
  );
}

/**
 * A decoded book event meets the book: levels are applied and recorded, the depth is cut, checksum and crossing are
 * judged, the state follows. The same for every exchange; what differs is passed in.
 * Bad case: a book that is crossed straight from a snapshot; it is published as Crossed and not resynced for it.
 */
import {
  APPLY_BOOK,
  APPLY_CHECKSUM_BAD,
  APPLY_CROSSED,
  APPLY_LIMIT,
  APPLY_SNAPSHOT,
  COUNTER_BOOK_UPDATES,
  COUNTER_CHECKSUM_BAD,
  COUNTER_CHECKSUM_OK,
  COUNTER_CROSSED,
  COUNTER_LEVEL_ENTRIES,
  COUNTER_SNAPSHOTS,
  FLAG_CROSSED,
  FLAG_SNAPSHOT,
  INLINE_SNAPSHOT_LEVELS,
  INSTRUMENT_DEPTH,
  INSTRUMENT_FLAG_ALLOW_CROSSED,
  INSTRUMENT_IMAGE_ADDRESS,
  INSTRUMENT_METRICS_SNAPSHOTS,
  INSTRUMENT_METRICS_UPDATES,
  INSTRUMENT_METRICS_WHOLE_BOOK,
  LEVEL_BYTES,
  LIMIT_IMAGE,
  OUTCOME_CHECKSUM_COMPUTED,
  OUTCOME_CHECKSUM_EXPECTED,
  OUTCOME_ENTRIES,
  OUTCOME_EVENTS,
  REASON_CHECKSUM,
  REASON_CROSSED,
  REASON_NONE,
  SIDE_ASK,
  SIDE_BID,
  STATE_RESYNCING,
  STATE_SYNCED,
} from "../../../assembly/layout.ts";
import { Book } from "./book.ts";
import { Checksums } from "./checksum.ts";
import { CutEvents } from "./cut.ts";
import { type EventWriter, wantImage } from "./delta.ts";
import { clearFlags, hasFlag, type SyncState, setFlags, setState } from "./instrument.ts";
import { ENTRY_QUANTITY, ENTRY_SIDE, ENTRY_WORDS, type Levels } from "./levels.ts";
import { fieldOf, wordAt } from "./memory.ts";
import { noteDelay, noteInstrument } from "./metrics.ts";
import type { Producer } from "./producer.ts";
import { SIDE_DROPPED, Superseded } from "./superseded.ts";

const SYNCED: SyncState = { state: STATE_SYNCED, reason: REASON_NONE };
const CHECKSUM_BAD: SyncState = { state: STATE_RESYNCING, reason: REASON_CHECKSUM };
const CROSSED: SyncState = { state: STATE_RESYNCING, reason: REASON_CROSSED };

/** The event carries no checksum. */
export const NO_CHECKSUM = -1;

/** One book event: the scaled levels [first, last), and what the frame says about it. */
export type BookEvent = {
  readonly instrument: number;
  readonly first: number;
  readonly last: number;
  /** Exchange time, Unix ns; 0 = unknown. */
  readonly eventLow: number;
  readonly eventHigh: number;
  readonly sequenceLow: number;
  readonly sequenceHigh: number;
  /** u32, or NO_CHECKSUM. */
  readonly checksum: number;
};

/** Applies book events of one producer. */
export class BookEvents {
  readonly #producer: Producer;
  readonly #writer: EventWriter;
  readonly #levels: Levels;
  readonly #superseded: Superseded;
  readonly #cut: CutEvents;
  readonly #checksums = new Checksums();
  readonly #spare = new Book();

  constructor(producer: Producer, writer: EventWriter, levels: Levels) {
    this.#producer = producer;
    this.#writer = writer;
    this.#levels = levels;
    this.#superseded = new Superseded(levels);
    this.#cut = new CutEvents(writer, levels, this.#superseded);
  }

  /** Applies the levels as changes. @returns APPLY_* (the outcome is filled) */
  applyDelta(event: BookEvent): number {
    const { watches } = this.#producer;
    const isWatched = watches.of(event.instrument) !== 0;
    this.#begin(event, 0);
    if (isWatched) {
      watches.note(event.instrument, this.#levels, event);
    }
    this.#applyLevels(event);
    if (isWatched) {
      watches.narrow(event.instrument);
    }
    this.#noteEvent(event);
    this.#noteUpdate(event.instrument);
    noteDelay(this.#producer, event.eventLow, event.eventHigh);
    return this.#settle(event, APPLY_BOOK);
  }

  /**
   * Replaces the book by the levels.
   * @param isInBand whether it came over the socket and counts as a book update
   * @returns APPLY_* (the outcome is filled)
   */
  applyFull(event: BookEvent, isInBand: boolean): number {
    const { words } = this.#producer.memory;
    const { instrument } = event;
    const entries = event.last - event.first;
    const held = this.#producer.instruments.book(instrument).count;
    this.#producer.watches.break(instrument);
    this.#producer.count(COUNTER_SNAPSHOTS, 1);
    if (isInBand) {
      this.#noteEvent(event);
    } else {
      this.#noteEntries(event);
    }
    const hasImage = fieldOf(words, instrument, INSTRUMENT_IMAGE_ADDRESS) !== 0;
    noteInstrument(this.#producer.memory, instrument, INSTRUMENT_METRICS_SNAPSHOTS, 1);
    return !hasImage || held + entries <= INLINE_SNAPSHOT_LEVELS
      ? this.#applyDifference(event, hasImage)
      : this.#applyReplacement(event);
  }

  #begin(event: BookEvent, flags: number): void {
    this.#writer.begin({
      instrument: event.instrument,
      eventLow: event.eventLow,
      eventHigh: event.eventHigh,
      sequenceLow: event.sequenceLow,
      sequenceHigh: event.sequenceHigh,
      flags,
      entries: event.last - event.first,
    });
  }

  /** Applies each level of the event once, and cuts the depth. */
  #applyLevels(event: BookEvent): void {
    const depth = fieldOf(this.#producer.memory.words, event.instrument, INSTRUMENT_DEPTH) >>> 0;
    this.#superseded.drop(event.first, event.last);
    if (depth > 0) {
      this.#cut.apply(this.#producer.instruments.book(event.instrument), event, depth);
      return;
    }
    const { entries } = this.#levels;
    const writer = this.#writer;
    for (let at = event.first * ENTRY_WORDS; at < event.last * ENTRY_WORDS; at += ENTRY_WORDS) {
      const side = wordAt(entries, at + ENTRY_SIDE);
      if (side === SIDE_DROPPED) {
        writer.noteUnchanged();
      } else {
        writer.set(
          side,
          wordAt(entries, at),
          wordAt(entries, at + 1),
          wordAt(entries, at + ENTRY_QUANTITY),
          wordAt(entries, at + ENTRY_QUANTITY + 1),
        );
      }
    }
  }

  /** Counts an in-band book message. */
  #noteEvent(event: BookEvent): void {
    this.#producer.count(COUNTER_BOOK_UPDATES, 1);
    this.#producer.addOutcome(OUTCOME_EVENTS, 1);
    this.#noteEntries(event);
  }

  /** Counts a book message of the socket, and what the whole book would have cost in its place. */
  #noteUpdate(instrument: number): void {
    const { memory, instruments } = this.#producer;
    noteInstrument(memory, instrument, INSTRUMENT_METRICS_UPDATES, 1);
    noteInstrument(memory, instrument, INSTRUMENT_METRICS_WHOLE_BOOK, instruments.book(instrument).count * LEVEL_BYTES);
  }

  #noteEntries(event: BookEvent): void {
    const entries = event.last - event.first;
    this.#producer.count(COUNTER_LEVEL_ENTRIES, entries);
    this.#producer.addOutcome(OUTCOME_ENTRIES, entries);
  }

  /** Judges checksum and crossing, sets the state and closes the event. */
  #settle(event: BookEvent, good: number): number {
    const book = this.#producer.instruments.book(event.instrument);
    const code = this.#judge(event, book, good);
    this.#writer.end(crossedFlag(code, book));
    return this.#producer.finish(code, event.instrument, reasonOf(code));
  }

  /** @returns the code that the event ends in; the state is set */
  #judge(event: BookEvent, book: Book, good: number): number {
    const { words } = this.#producer.memory;
    const { instrument } = event;
    if (event.checksum !== NO_CHECKSUM && !this.#checksumHolds(event, book)) {
      this.#setState(instrument, CHECKSUM_BAD);
      return APPLY_CHECKSUM_BAD;
    }
    if (!book.isCrossed()) {
      clearFlags(words, instrument, INSTRUMENT_FLAG_ALLOW_CROSSED);
      this.#setState(instrument, SYNCED);
      return good;
    }
    this.#producer.count(COUNTER_CROSSED, 1);
    if (good === APPLY_SNAPSHOT) {
      setFlags(words, instrument, INSTRUMENT_FLAG_ALLOW_CROSSED);
    }
    if (hasFlag(words, instrument, INSTRUMENT_FLAG_ALLOW_CROSSED)) {
      this.#setState(instrument, SYNCED);
      return good;
    }
    this.#setState(instrument, CROSSED);
    return APPLY_CROSSED;
  }

  #setState(instrument: number, sync: SyncState): void {
    const { memory, receivedLow, receivedHigh } = this.#producer;
    setState(memory, instrument, sync, receivedLow, receivedHigh);
  }

  #checksumHolds(event: BookEvent, book: Book): boolean {
    const producer = this.#producer;
    const computed = this.#checksums.compute(producer.memory.words, event.instrument, book);
    producer.setOutcome(OUTCOME_CHECKSUM_EXPECTED, event.checksum);
    producer.setOutcome(OUTCOME_CHECKSUM_COMPUTED, computed);
    const holds = computed === event.checksum;
    producer.count(holds ? COUNTER_CHECKSUM_OK : COUNTER_CHECKSUM_BAD, 1);
    return holds;
  }

  /** Publishes a snapshot as its true difference from the held book. */
  #applyDifference(event: BookEvent, hasImage: boolean): number {
    const book = this.#producer.instruments.book(event.instrument);
    this.#spare.clear();
    this.#fill(this.#spare, event);
    this.#begin(event, FLAG_SNAPSHOT);
    this.#removeAbsent(book, SIDE_BID);
    this.#removeAbsent(book, SIDE_ASK);
    this.#applyLevels(event);
    const code = this.#settle(event, APPLY_SNAPSHOT);
    if (hasImage) {
      wantImage(this.#producer, event.instrument);
    }
    return code;
  }

  /** Removes the held levels of a side that the spare book lacks, best first. */
  #removeAbsent(book: Book, side: number): void {
    const levels = book.side(side);
    for (let rank = 0; rank < levels.count; ) {
      const place = levels.end - 1 - rank;
      const low = levels.priceLow(place);
      const high = levels.priceHigh(place);
      if (this.#spare.place(side, low, high) >= 0) {
        rank++;
      } else {
        this.#writer.set(side, low, high, 0, 0);
      }
    }
  }

  #fill(book: Book, event: BookEvent): void {
    const { entries } = this.#levels;
    for (let at = event.first * ENTRY_WORDS; at < event.last * ENTRY_WORDS; at += ENTRY_WORDS) {
      book.set(
        wordAt(entries, at + ENTRY_SIDE),
        wordAt(entries, at),
        wordAt(entries, at + 1),
        wordAt(entries, at + ENTRY_QUANTITY),
        wordAt(entries, at + ENTRY_QUANTITY + 1),
      );
    }
  }

  /** Publishes a snapshot as an image and a Reset record. */
  #applyReplacement(event: BookEvent): number {
    const { instrument } = event;
    const book = this.#producer.instruments.book(instrument);
    book.clear();
    this.#fill(book, event);
    const depth = fieldOf(this.#producer.memory.words, instrument, INSTRUMENT_DEPTH) >>> 0;
    if (depth > 0) {
      book.truncate(SIDE_BID, depth);
      book.truncate(SIDE_ASK, depth);
    }
    const code = this.#judge(event, book, APPLY_SNAPSHOT);
    const at = { low: event.eventLow, high: event.eventHigh };
    if (!this.#writer.writeReset(instrument, at, crossedFlag(code, book))) {
      return this.#producer.finish(APPLY_LIMIT, instrument, LIMIT_IMAGE);
    }
    return this.#producer.finish(code, instrument, reasonOf(code));
  }
}

function crossedFlag(code: number, book: Book): number {
  return code !== APPLY_CHECKSUM_BAD && book.isCrossed() ? FLAG_CROSSED : 0;
}

function reasonOf(code: number): number {
  if (code === APPLY_CHECKSUM_BAD) {
    return REASON_CHECKSUM;
  }
  return code === APPLY_CROSSED ? REASON_CROSSED : REASON_NONE;
}

/**
 * The record writer: an event of any number of changes becomes one or more 256-byte delta records behind the tail.
 * `begin`, then `set` for each level in the exchange's order, then `end`. Only changes that alter the book are recorded;
 * an event that alters nothing still writes one record, so that sequence and freshness advance.
 * Bad case: an event with changes more than 2^31 ticks apart: every such jump opens a record of its own.
 */
import {
  BOOK_ADDED,
  BOOK_UNCHANGED,
  COUNTER_CHANGES,
  COUNTER_NO_CHANGES,
  DELTA_BASE_PRICE,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_CHANGES_MAX,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
  INSTRUMENT_EVENT_AT,
  INSTRUMENT_FLAG_OPENED,
  INSTRUMENT_ID,
  INSTRUMENT_IMAGE_ADDRESS,
  INSTRUMENT_IMAGE_EVERY,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_METRICS_CHANGES,
  INSTRUMENT_METRICS_RECORDS,
  INSTRUMENT_RECEIVED_AT,
  INSTRUMENT_RECORDS_SINCE_IMAGE,
  INSTRUMENT_STATE,
  INSTRUMENT_VERSION,
  OUTCOME_CHANGES,
  OUTCOME_EVENT_AT,
  OUTCOME_FLAGS,
  OUTCOME_RECORDS,
  REASON_LIMIT,
  STATE_OUT_OF_SERVICE,
  STATE_SYNCED,
} from "../../../assembly/layout.ts";
import type { Book } from "./book.ts";
import { writeCell } from "./cell.ts";
import { writeImage } from "./image.ts";
import { setFlags, setState } from "./instrument.ts";
import { fieldOf, readU64, writeU64, writeWords } from "./memory.ts";
import { noteInstrument } from "./metrics.ts";
import type { Producer } from "./producer.ts";
import { publish } from "./ring.ts";

const RECORD_WORDS = DELTA_BYTES >>> 2;
const QUANTITIES = DELTA_QUANTITIES >>> 2;
const OFFSETS = DELTA_PRICE_OFFSETS >>> 2;
const COUNT_SHIFT = (DELTA_CHANGE_COUNT - DELTA_FLAGS) * 8;
const NONE = -1;
const OUT_OF_SERVICE = { state: STATE_OUT_OF_SERVICE, reason: REASON_LIMIT };

/** A 64-bit number as it lies in the block or frame: two words. */
export type Words = { low: number; high: number };

/** What an event starts from. */
export type EventHead = {
  readonly instrument: number;
  /** Exchange time, Unix ns; 0 = unknown, then the instrument's last one stands. */
  readonly eventLow: number;
  readonly eventHigh: number;
  readonly sequenceLow: number;
  readonly sequenceHigh: number;
  /** Record flags of every record of the event. */
  readonly flags: number;
  /** Upper bound of the changes to come, for the claim. */
  readonly entries: number;
};

/** Writes the events of one producer. */
export class EventWriter {
  readonly #producer: Producer;
  readonly #words: Int32Array;
  #book: Book;
  #instrument = 0;
  #id = 0;
  #eventLow = 0;
  #eventHigh = 0;
  #sequenceLow = 0;
  #sequenceHigh = 0;
  #flags = 0;
  #version = 0;
  /** Word index of the open record, NONE before the first. */
  #record = NONE;
  #changes = 0;
  #sideMask = 0;
  #addMask = 0;
  #baseLow = 0;
  #baseHigh = 0;
  #records = 0;
  #totalChanges = 0;
  #unchanged = 0;

  constructor(producer: Producer, nothing: Book) {
    this.#producer = producer;
    this.#words = producer.memory.words;
    this.#book = nothing;
  }

  /** Opens an event. */
  begin(head: EventHead): void {
    const words = this.#words;
    const { instrument } = head;
    this.#instrument = instrument;
    this.#book = this.#producer.instruments.book(instrument);
    this.#id = fieldOf(words, instrument, INSTRUMENT_ID);
    const isTimed = (head.eventLow | head.eventHigh) !== 0;
    this.#eventLow = isTimed ? head.eventLow : fieldOf(words, instrument, INSTRUMENT_EVENT_AT);
    this.#eventHigh = isTimed ? head.eventHigh : fieldOf(words, instrument, INSTRUMENT_EVENT_AT + 4);
    this.#sequenceLow = head.sequenceLow;
    this.#sequenceHigh = head.sequenceHigh;
    this.#flags = head.flags;
    this.#version = readU64(words, instrument + INSTRUMENT_VERSION);
    this.#record = NONE;
    this.#changes = 0;
    this.#records = 0;
    this.#totalChanges = 0;
    this.#unchanged = 0;
    if (head.entries > DELTA_CHANGES_MAX) {
      const { deltas } = this.#producer;
      deltas.claim(Math.min(Math.ceil(head.entries / DELTA_CHANGES_MAX), Math.floor(deltas.capacity / 4)));
    }
  }

  /** Sets one level and records the change, if it is one. */
  set(side: number, priceLow: number, priceHigh: number, lotsLow: number, lotsHigh: number): void {
    const hashBefore = this.#book.hash;
    const result = this.#book.set(side, priceLow, priceHigh, lotsLow, lotsHigh);
    if (result === BOOK_UNCHANGED) {
      this.#unchanged++;
    } else {
      this.append(side, priceLow, priceHigh, lotsLow, lotsHigh, result === BOOK_ADDED, hashBefore);
    }
  }

  /** Counts an entry that altered nothing. */
  noteUnchanged(): void {
    this.#unchanged++;
  }

  /**
   * Records a change that the book already has.
   * @param isAdded whether no level stood at that price before
   * @param hashBefore book hash without this change and those recorded after it
   */
  append(
    side: number,
    priceLow: number,
    priceHigh: number,
    lotsLow: number,
    lotsHigh: number,
    isAdded: boolean,
    hashBefore: number,
  ): void {
    let offset = (priceLow - this.#baseLow) | 0;
    const borrow = priceLow >>> 0 < this.#baseLow >>> 0 ? 1 : 0;
    const isFar = ((priceHigh - this.#baseHigh - borrow) | 0) !== offset >> 31;
    if (this.#record === NONE || this.#changes === DELTA_CHANGES_MAX || isFar) {
      if (this.#record !== NONE) {
        this.#closeRecord(hashBefore, this.#flags);
      }
      this.#openRecord(priceLow, priceHigh);
      offset = 0;
    }
    const words = this.#words;
    const changes = this.#changes;
    const quantity = this.#record + QUANTITIES + changes * 2;
    words[quantity] = lotsLow;
    words[quantity + 1] = lotsHigh;
    words[this.#record + OFFSETS + changes] = offset;
    this.#sideMask |= side << changes;
    this.#addMask |= (isAdded ? 1 : 0) << changes;
    this.#changes = changes + 1;
  }

  #openRecord(priceLow: number, priceHigh: number): void {
    const words = this.#words;
    const address = this.#producer.nextDelta();
    const record = address >>> 2;
    words.fill(0, record, record + RECORD_WORDS);
    this.#version++;
    words[record + (DELTA_EVENT_AT >>> 2)] = this.#eventLow;
    words[record + (DELTA_EVENT_AT >>> 2) + 1] = this.#eventHigh;
    words[record + (DELTA_RECEIVED_AT >>> 2)] = this.#producer.receivedLow;
    words[record + (DELTA_RECEIVED_AT >>> 2) + 1] = this.#producer.receivedHigh;
    writeU64(words, address + DELTA_VERSION, this.#version);
    words[record + (DELTA_SOURCE_SEQUENCE >>> 2)] = this.#sequenceLow;
    words[record + (DELTA_SOURCE_SEQUENCE >>> 2) + 1] = this.#sequenceHigh;
    words[record + (DELTA_BASE_PRICE >>> 2)] = priceLow;
    words[record + (DELTA_BASE_PRICE >>> 2) + 1] = priceHigh;
    words[record + (DELTA_INSTRUMENT_ID >>> 2)] = this.#id;
    this.#record = record;
    this.#baseLow = priceLow;
    this.#baseHigh = priceHigh;
    this.#changes = 0;
    this.#sideMask = 0;
    this.#addMask = 0;
    this.#records++;
  }

  #closeRecord(hash: number, flags: number): void {
    const at = this.#record + (DELTA_FLAGS >>> 2);
    this.#words[at] = flags | (this.#changes << COUNT_SHIFT);
    this.#words[at + ((DELTA_SIDE_MASK - DELTA_FLAGS) >>> 2)] = this.#sideMask | (this.#addMask << 16);
    this.#words[at + 2] = hash;
    this.#totalChanges += this.#changes;
  }

  /** Closes the event; `flags` join the last record. The state must be set before. */
  end(flags: number): void {
    const words = this.#words;
    const instrument = this.#instrument;
    const producer = this.#producer;
    if (this.#record === NONE) {
      this.#openRecord(0, 0);
    }
    const isSynced = fieldOf(words, instrument, INSTRUMENT_STATE) === STATE_SYNCED;
    const last = this.#flags | flags | FLAG_LAST | (isSynced ? 0 : FLAG_NOT_SYNCED);
    this.#closeRecord(this.#book.hash, last);
    writeU64(words, instrument + INSTRUMENT_VERSION, this.#version);
    writeWords(words, instrument + INSTRUMENT_EVENT_AT, this.#eventLow, this.#eventHigh);
    writeWords(words, instrument + INSTRUMENT_RECEIVED_AT, producer.receivedLow, producer.receivedHigh);
    setFlags(words, instrument, INSTRUMENT_FLAG_OPENED);
    producer.count(COUNTER_CHANGES, this.#totalChanges);
    producer.count(COUNTER_NO_CHANGES, this.#unchanged);
    noteInstrument(producer.memory, instrument, INSTRUMENT_METRICS_CHANGES, this.#totalChanges);
    noteInstrument(producer.memory, instrument, INSTRUMENT_METRICS_RECORDS, this.#records);
    producer.addOutcome(OUTCOME_RECORDS, this.#records);
    producer.addOutcome(OUTCOME_CHANGES, this.#totalChanges);
    producer.setOutcome(OUTCOME_FLAGS, last);
    producer.setOutcomeWords(OUTCOME_EVENT_AT, this.#eventLow, this.#eventHigh);
    writeCell(words, instrument, this.#book, last);
    const since = fieldOf(words, instrument, INSTRUMENT_RECORDS_SINCE_IMAGE) + this.#records;
    words[(instrument + INSTRUMENT_RECORDS_SINCE_IMAGE) >>> 2] = since;
    const hasImage = fieldOf(words, instrument, INSTRUMENT_IMAGE_ADDRESS) !== 0;
    if (hasImage && since >>> 0 >= fieldOf(words, instrument, INSTRUMENT_IMAGE_EVERY) >>> 0) {
      wantImage(producer, instrument);
    }
    if (producer.deltas.position - producer.deltas.tail > Math.floor(producer.deltas.capacity / 4)) {
      publish(producer, producer.receivedAt);
    }
  }

  /** One record without changes: says the instrument's state. */
  writeEmpty(instrument: number): void {
    this.begin(this.#headOf(instrument, 0));
    this.end(0);
  }

  /**
   * Publishes the whole book as an image and one Reset record.
   * @returns false when the image does not hold it; the instrument is out of service then
   */
  writeReset(instrument: number, at?: Words, flags = 0): boolean {
    const words = this.#words;
    const producer = this.#producer;
    this.begin({ ...this.#headOf(instrument, FLAG_SNAPSHOT), eventLow: at?.low ?? 0, eventHigh: at?.high ?? 0 });
    writeWords(words, instrument + INSTRUMENT_EVENT_AT, this.#eventLow, this.#eventHigh);
    if (writeImage(producer, instrument, this.#version + 1, producer.deltas.position + 1)) {
      this.end(FLAG_RESET | flags);
      return true;
    }
    setState(producer.memory, instrument, OUT_OF_SERVICE, producer.receivedLow, producer.receivedHigh);
    this.#flags = 0;
    this.end(0);
    return false;
  }

  #headOf(instrument: number, flags: number): EventHead {
    return {
      instrument,
      eventLow: 0,
      eventHigh: 0,
      sequenceLow: fieldOf(this.#words, instrument, INSTRUMENT_LAST_SEQUENCE),
      sequenceHigh: fieldOf(this.#words, instrument, INSTRUMENT_LAST_SEQUENCE + 4),
      flags,
      entries: 0,
    };
  }
}

/** Remembers that an instrument wants an image at the next publish; the first one to ask is served. */
export function wantImage(producer: Producer, instrument: number): void {
  if (producer.imageDue === 0) {
    producer.imageDue = instrument;
  }
}

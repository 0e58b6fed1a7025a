/**
 * The producer's view of its segment: ring positions, clock, counters and the outcome of the call under way. One
 * producer writes one segment; positions are kept here and only published through the header.
 * Bad case: two instances attached to one segment; nothing here detects it, the host must not do it.
 */
import {
  COUNTER_RECORDS,
  DELTA_SHIFT,
  HEADER_COUNTERS,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  HEADER_DELTA_TAIL_INTENT,
  HEADER_TRADE_CAPACITY,
  HEADER_TRADE_RING_OFFSET,
  HEADER_TRADE_TAIL,
  HEADER_TRADE_TAIL_INTENT,
  OUTCOME_BYTES,
  OUTCOME_CODE,
  OUTCOME_DETAIL,
  OUTCOME_INSTRUMENT,
  TRADE_SHIFT,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import type { Books } from "./book.ts";
import { Instruments } from "./instrument.ts";
import { add, fromNumber, resultHigh, resultLow } from "./int64.ts";
import { addU64, loadPosition, type Memory, readU64, storePosition, wordAt } from "./memory.ts";
import { Watches } from "./watch.ts";

/**
 * A claim is announced this part of the ring further than it must be: the announcement costs a trip to the cores of the
 * readers, who give up that part of their margin for it. Small rings announce what they write.
 */
export const AHEAD_SHIFT = 10;

/** One ring of a segment, as its producer sees it. Positions count records since the epoch began. */
export class ProducerRing {
  readonly #memory: Memory;
  readonly #intentAddress: number;
  readonly #tailAddress: number;
  readonly #ring: number;
  readonly #recordBytes: number;
  /** Records that the ring holds, a power of two. */
  readonly capacity: number;
  /** Position behind the last record written. */
  position: number;
  /** Position behind the last record published. */
  tail: number;
  #intent: number;

  constructor(memory: Memory, fields: { intent: number; tail: number; ring: number; shift: number; capacity: number }) {
    this.#memory = memory;
    this.#intentAddress = fields.intent;
    this.#tailAddress = fields.tail;
    this.#ring = fields.ring;
    this.#recordBytes = 1 << fields.shift;
    this.capacity = fields.capacity;
    this.tail = loadPosition(memory.words, fields.tail);
    this.position = this.tail;
    this.#intent = loadPosition(memory.words, fields.intent);
  }

  /** Address of the record at a position. */
  slot(position: number): number {
    return this.#ring + ((position >>> 0) & (this.capacity - 1)) * this.#recordBytes;
  }

  /** Announces `count` more records before they are written, and some ahead; readers discard what they overwrite. */
  claim(count: number): void {
    const want = this.position + count;
    if (want > this.#intent) {
      this.#intent = want + (this.capacity >>> AHEAD_SHIFT);
      storePosition(this.#memory, this.#intentAddress, this.#intent);
    }
  }

  /** Takes the next slot. @returns its address */
  take(): number {
    this.claim(1);
    const slot = this.slot(this.position);
    this.position++;
    return slot;
  }

  /** Stamps the records written since the last publish (at most a ring full) with the time in two words at an offset. */
  stamp(low: number, high: number, offset: number): void {
    const words = this.#memory.words;
    for (let back = Math.min(this.position - this.tail, this.capacity); back > 0; back--) {
      const index = (this.slot(this.position - back) + offset) >>> 2;
      words[index] = low;
      words[index + 1] = high;
    }
  }

  /** Makes everything written so far visible. */
  publish(): void {
    if (this.tail !== this.position) {
      this.tail = this.position;
      storePosition(this.#memory, this.#tailAddress, this.tail);
    }
  }
}

/** Everything that one producing kernel instance holds. */
export class Producer {
  readonly memory: Memory;
  readonly arena: Arena;
  readonly books: Books;
  readonly instruments: Instruments;
  readonly watches: Watches;
  /** Address of the segment's header. */
  segment = 0;
  deltas: ProducerRing;
  trades: ProducerRing;
  /** Instrument that wants an image at the next publish, 0 = none. */
  imageDue = 0;
  /** Next instrument, in the order of creation, that the image patrol looks at. */
  patrol = 0;
  /** Receive time of the call under way: Unix ns as two words, and as it was given. */
  receivedLow = 0;
  receivedHigh = 0;
  receivedAt = -1;
  #anchorLow = 0;
  #anchorHigh = 0;
  #outcome = 0;
  #counters = 0;

  constructor(memory: Memory, arena: Arena, books: Books) {
    this.memory = memory;
    this.arena = arena;
    this.books = books;
    this.instruments = new Instruments(memory, arena, books);
    this.watches = new Watches(memory, arena, this);
    const none = { intent: 0, tail: 0, ring: 0, shift: 0, capacity: 0 };
    this.deltas = new ProducerRing(memory, none);
    this.trades = new ProducerRing(memory, none);
  }

  /** Binds this instance to the segment it produces. */
  attach(segment: number): void {
    const { memory } = this;
    this.segment = segment;
    this.#counters = segment + HEADER_COUNTERS;
    this.outcome();
    this.deltas = new ProducerRing(memory, {
      intent: segment + HEADER_DELTA_TAIL_INTENT,
      tail: segment + HEADER_DELTA_TAIL,
      ring: segment + readU64(memory.words, segment + HEADER_DELTA_RING_OFFSET),
      shift: DELTA_SHIFT,
      capacity: wordAt(memory.words, (segment + HEADER_DELTA_CAPACITY) >>> 2),
    });
    this.trades = new ProducerRing(memory, {
      intent: segment + HEADER_TRADE_TAIL_INTENT,
      tail: segment + HEADER_TRADE_TAIL,
      ring: segment + readU64(memory.words, segment + HEADER_TRADE_RING_OFFSET),
      shift: TRADE_SHIFT,
      capacity: wordAt(memory.words, (segment + HEADER_TRADE_CAPACITY) >>> 2),
    });
  }

  /** Sets the wall anchor (Unix ns). */
  setAnchor(low: number, high: number): void {
    this.#anchorLow = low | 0;
    this.#anchorHigh = high | 0;
  }

  /** RESULT = Unix ns of a time relative to the anchor; 0 when it is negative (unknown). */
  unixTime(relative: number): void {
    if (relative >= 0) {
      fromNumber(Math.trunc(relative));
      add(this.#anchorLow, this.#anchorHigh, resultLow(), resultHigh());
    } else {
      fromNumber(0);
    }
  }

  /** Begins a call that came at a time. @param receivedAt nanoseconds since the anchor, negative = unknown */
  setReceived(receivedAt: number): void {
    this.unixTime(receivedAt);
    this.receivedLow = resultLow();
    this.receivedHigh = resultHigh();
    this.receivedAt = receivedAt;
  }

  /** Takes the next delta slot and counts it. */
  nextDelta(): number {
    this.count(COUNTER_RECORDS, 1);
    return this.deltas.take();
  }

  /** Adds to a counter of the segment. */
  count(counter: number, amount: number): void {
    addU64(this.memory.words, this.#counters + counter * 8, amount);
  }

  /** Address of the outcome. @throws RangeError when the arena cannot hold it */
  outcome(): number {
    if (this.#outcome === 0) {
      this.#outcome = this.arena.allocate(OUTCOME_BYTES);
      if (this.#outcome === 0) {
        throw new RangeError(`Cannot attach the producer: the arena is exhausted, was ${this.arena.used()} bytes`);
      }
    }
    return this.#outcome;
  }

  /** Clears the outcome before a call. */
  beginOutcome(): void {
    const index = this.outcome() >>> 2;
    this.memory.words.fill(0, index, index + (OUTCOME_BYTES >>> 2));
  }

  /** Completes the outcome. @returns the code */
  finish(code: number, instrument: number, detail: number): number {
    this.setOutcome(OUTCOME_CODE, code);
    this.setOutcome(OUTCOME_INSTRUMENT, instrument);
    this.setOutcome(OUTCOME_DETAIL, detail);
    return code;
  }

  /** Reads one word of the outcome. */
  outcomeField(field: number): number {
    return wordAt(this.memory.words, (this.#outcome + field) >>> 2);
  }

  /** Writes one word of the outcome. */
  setOutcome(field: number, value: number): void {
    this.memory.words[(this.#outcome + field) >>> 2] = value;
  }

  /** Adds to one word of the outcome. */
  addOutcome(field: number, value: number): void {
    const index = (this.#outcome + field) >>> 2;
    this.memory.words[index] = wordAt(this.memory.words, index) + value;
  }

  /** Writes 64 bits of the outcome. */
  setOutcomeWords(field: number, low: number, high: number): void {
    const index = (this.#outcome + field) >>> 2;
    this.memory.words[index] = low;
    this.memory.words[index + 1] = high;
  }
}

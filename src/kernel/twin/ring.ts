/**
 * The ring: publish on the producer's side, poll on the reader's. The reader copies first and then looks at tailIntent:
 * a record at position p is intact when p + capacity >= tailIntent, because whatever may overwrite it was announced
 * before. Bad case: a reader slower than the producer: it is told exactly how many records it lost and stands at
 * tail − capacity/4.
 */
import {
  DELTA_PUBLISHED_AT,
  DELTA_SHIFT,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  HEADER_DELTA_TAIL_INTENT,
  HEADER_TRADE_CAPACITY,
  HEADER_TRADE_RING_OFFSET,
  HEADER_TRADE_TAIL,
  HEADER_TRADE_TAIL_INTENT,
  HEADER_WAITING,
  POLL_LAPPED,
  READER_BYTES,
  READER_CURSOR,
  READER_LAPS,
  READER_LOST,
  READER_RING,
  READER_SEGMENT,
  RING_TRADES,
  TRADE_PUBLISHED_AT,
  TRADE_SHIFT,
} from "../../../assembly/layout.ts";
import type { Arena } from "./arena.ts";
import { patrolImages } from "./image.ts";
import { resultHigh, resultLow } from "./int64.ts";
import { loadPosition, type Memory, readU64, wordAt, writeU64 } from "./memory.ts";
import { noteBatch } from "./metrics.ts";
import type { Producer } from "./producer.ts";

/**
 * Stamps the batch, moves both tails, wakes waiting readers, takes a due image.
 * @param now nanoseconds since the anchor, negative = unknown
 * @returns records published
 */
export function publish(producer: Producer, now: number): number {
  const { deltas, trades } = producer;
  const freshDeltas = deltas.position - deltas.tail;
  const freshTrades = trades.position - trades.tail;
  if (freshDeltas + freshTrades > 0) {
    producer.unixTime(now);
    const low = resultLow();
    const high = resultHigh();
    noteBatch(producer, low, high);
    deltas.stamp(low, high, DELTA_PUBLISHED_AT);
    trades.stamp(low, high, TRADE_PUBLISHED_AT);
    deltas.publish();
    trades.publish();
    wake(producer.memory.words, producer.segment, freshTrades > 0);
  }
  patrolImages(producer);
  return freshDeltas + freshTrades;
}

/** Wakes the readers that said they would sleep. */
function wake(words: Int32Array, segment: number, hasTrades: boolean): void {
  const waiting = (segment + HEADER_WAITING) >>> 2;
  if (Atomics.load(words, waiting) === 0) {
    return;
  }
  Atomics.store(words, waiting, 0);
  Atomics.notify(words, (segment + HEADER_DELTA_TAIL) >>> 2);
  if (hasTrades) {
    Atomics.notify(words, (segment + HEADER_TRADE_TAIL) >>> 2);
  }
}

/** Where a ring's fields lie in the header. */
type RingFields = {
  readonly tail: number;
  readonly intent: number;
  readonly capacity: number;
  readonly offset: number;
  readonly shift: number;
};

const DELTA_FIELDS: RingFields = {
  tail: HEADER_DELTA_TAIL,
  intent: HEADER_DELTA_TAIL_INTENT,
  capacity: HEADER_DELTA_CAPACITY,
  offset: HEADER_DELTA_RING_OFFSET,
  shift: DELTA_SHIFT,
};

const TRADE_FIELDS: RingFields = {
  tail: HEADER_TRADE_TAIL,
  intent: HEADER_TRADE_TAIL_INTENT,
  capacity: HEADER_TRADE_CAPACITY,
  offset: HEADER_TRADE_RING_OFFSET,
  shift: TRADE_SHIFT,
};

function ringFields(ring: number): RingFields {
  return ring === RING_TRADES ? TRADE_FIELDS : DELTA_FIELDS;
}

/** KernelReader.readerCreate. @returns READER_BYTES block, its cursor at the tail; 0 when the arena is exhausted */
export function createReader(memory: Memory, arena: Arena, segment: number, ring: number): number {
  const reader = arena.allocate(READER_BYTES);
  if (reader !== 0) {
    const { words } = memory;
    words[(reader + READER_SEGMENT) >>> 2] = segment;
    words[(reader + READER_RING) >>> 2] = ring;
    writeU64(words, reader + READER_CURSOR, loadPosition(words, segment + ringFields(ring).tail));
  }
  return reader;
}

/** KernelReader.readerPoll: copies up to `limit` records to `out`. @returns how many, or POLL_LAPPED */
export function pollReader(memory: Memory, reader: number, out: number, limit: number): number {
  const { words } = memory;
  const segment = wordAt(words, (reader + READER_SEGMENT) >>> 2) >>> 0;
  const fields = ringFields(wordAt(words, (reader + READER_RING) >>> 2));
  const tail = loadPosition(words, segment + fields.tail);
  const cursor = readU64(words, reader + READER_CURSOR);
  if (cursor >= tail) {
    return 0;
  }
  const capacity = wordAt(words, (segment + fields.capacity) >>> 2) >>> 0;
  const take = Math.min(tail - cursor, limit);
  if (tail - cursor <= capacity) {
    copyRecords(memory.bytes, {
      ring: segment + readU64(words, segment + fields.offset),
      shift: fields.shift,
      first: (cursor >>> 0) & (capacity - 1),
      take,
      capacity,
      out,
    });
  }
  if (cursor + capacity < loadPosition(words, segment + fields.intent)) {
    return lapped(words, reader, loadPosition(words, segment + fields.tail), capacity);
  }
  writeU64(words, reader + READER_CURSOR, cursor + take);
  return take;
}

type CopyRange = { ring: number; shift: number; first: number; take: number; capacity: number; out: number };

function copyRecords(bytes: Uint8Array, range: CopyRange): void {
  const { ring, first, take, capacity, out } = range;
  const recordBytes = 1 << range.shift;
  const untilWrap = Math.min(take, capacity - first);
  const from = ring + first * recordBytes;
  bytes.copyWithin(out, from, from + untilWrap * recordBytes);
  bytes.copyWithin(out + untilWrap * recordBytes, ring, ring + (take - untilWrap) * recordBytes);
}

function lapped(words: Int32Array, reader: number, tail: number, capacity: number): number {
  const cursor = readU64(words, reader + READER_CURSOR);
  const fresh = Math.max(tail - Math.min(tail, Math.floor(capacity / 4)), cursor);
  writeU64(words, reader + READER_LOST, readU64(words, reader + READER_LOST) + fresh - cursor);
  writeU64(words, reader + READER_CURSOR, fresh);
  const laps = (reader + READER_LAPS) >>> 2;
  words[laps] = wordAt(words, laps) + 1;
  return POLL_LAPPED;
}

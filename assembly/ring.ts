/**
 * The ring: publish on the producer's side, poll on the reader's. The reader copies first and then looks at tailIntent: a
 * record at position p is intact when p + capacity >= tailIntent, because whatever may overwrite it was announced before.
 * Bad case: a reader slower than the producer: it is told exactly how many records it lost and stands at tail − capacity/4.
 */
import { arenaAllocate } from "./arena";
import { imagePatrol } from "./image";
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
} from "./layout";
import { noteBatch } from "./metrics";
import {
  deltaPublished,
  deltaRecords,
  deltaRoom,
  deltaSlot,
  producerSegment,
  tailsPublish,
  tradePublished,
  tradeRecords,
  tradeRoom,
  tradeSlot,
  unixTime,
} from "./producer";

export function publish(now: f64): i32 {
  const at = unixTime(now);
  noteBatch(at);
  const published = publishRecords(at);
  imagePatrol();
  return published;
}

/** Stamps what was written since the last publish, moves both tails, wakes. @param at Unix ns @returns records published */
export function publishRecords(at: i64): i32 {
  const deltas = deltaRecords() - deltaPublished();
  const trades = tradeRecords() - tradePublished();
  if (deltas + trades > 0) {
    for (let i = min(deltas, deltaRoom()); i > 0; i--)
      store<i64>(deltaSlot(deltaRecords() - i), at, DELTA_PUBLISHED_AT);
    for (let i = min(trades, tradeRoom()); i > 0; i--)
      store<i64>(tradeSlot(tradeRecords() - i), at, TRADE_PUBLISHED_AT);
    tailsPublish();
    wake(producerSegment(), trades > 0);
  }
  return <i32>(deltas + trades);
}

/** Wakes the readers that said they would sleep. */
function wake(segment: usize, trades: bool): void {
  if (atomic.load<i32>(segment, HEADER_WAITING) == 0) return;
  atomic.store<i32>(segment, 0, HEADER_WAITING);
  atomic.notify(segment + HEADER_DELTA_TAIL, -1);
  if (trades) atomic.notify(segment + HEADER_TRADE_TAIL, -1);
}

export function readerCreate(segment: usize, ring: u32): usize {
  const reader = arenaAllocate(READER_BYTES);
  if (reader == 0) return 0;
  store<u32>(reader, <u32>segment, READER_SEGMENT);
  store<u32>(reader, ring, READER_RING);
  store<u64>(
    reader,
    ring == RING_TRADES ? atomic.load<u64>(segment, HEADER_TRADE_TAIL) : atomic.load<u64>(segment, HEADER_DELTA_TAIL),
    READER_CURSOR,
  );
  return reader;
}

export function readerPoll(reader: usize, out: usize, limit: u32): i32 {
  const segment = <usize>load<u32>(reader, READER_SEGMENT);
  const trades = load<u32>(reader, READER_RING) == RING_TRADES;
  const tail = trades ? atomic.load<u64>(segment, HEADER_TRADE_TAIL) : atomic.load<u64>(segment, HEADER_DELTA_TAIL);
  const cursor = load<u64>(reader, READER_CURSOR);
  if (cursor >= tail) return 0;
  const capacity = <u64>(
    (trades ? load<u32>(segment, HEADER_TRADE_CAPACITY) : load<u32>(segment, HEADER_DELTA_CAPACITY))
  );
  const take = <u32>min<u64>(tail - cursor, <u64>limit);
  if (tail - cursor <= capacity) {
    const ring =
      segment +
      <usize>(trades ? load<u64>(segment, HEADER_TRADE_RING_OFFSET) : load<u64>(segment, HEADER_DELTA_RING_OFFSET));
    const shift: usize = trades ? TRADE_SHIFT : DELTA_SHIFT;
    copyRecords(ring, shift, capacity - 1, cursor, take, out);
  }
  const intent = trades
    ? atomic.load<u64>(segment, HEADER_TRADE_TAIL_INTENT)
    : atomic.load<u64>(segment, HEADER_DELTA_TAIL_INTENT);
  if (cursor + capacity < intent) return lapped(reader, segment, trades, capacity);
  store<u64>(reader, cursor + take, READER_CURSOR);
  return <i32>take;
}

function copyRecords(ring: usize, shift: usize, mask: u64, cursor: u64, take: u32, out: usize): void {
  const bytes = (<usize>1) << shift;
  for (let i: u32 = 0; i < take; i++) {
    const from = ring + ((<usize>((cursor + i) & mask)) << shift);
    for (let at: usize = 0; at < bytes; at += 64) {
      v128.store(out + at, v128.load(from + at));
      v128.store(out + at, v128.load(from + at, 16), 16);
      v128.store(out + at, v128.load(from + at, 32), 32);
      v128.store(out + at, v128.load(from + at, 48), 48);
    }
    out += bytes;
  }
}

function lapped(reader: usize, segment: usize, trades: bool, capacity: u64): i32 {
  const tail = trades ? atomic.load<u64>(segment, HEADER_TRADE_TAIL) : atomic.load<u64>(segment, HEADER_DELTA_TAIL);
  const cursor = load<u64>(reader, READER_CURSOR);
  const fresh = max<u64>(tail - min<u64>(tail, capacity >> 2), cursor);
  store<u64>(reader, load<u64>(reader, READER_LOST) + (fresh - cursor), READER_LOST);
  store<u64>(reader, fresh, READER_CURSOR);
  store<u32>(reader, load<u32>(reader, READER_LAPS) + 1, READER_LAPS);
  return POLL_LAPPED;
}

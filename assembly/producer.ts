/**
 * The producer's view of its segment: ring positions, clock, counters and the outcome of the call under way. One
 * producer writes one segment; positions are kept here and only published through the header.
 * Bad case: two instances attached to one segment; nothing here detects it, the host must not do it.
 */
import { arenaAllocate } from "./arena";
import {
  COUNTER_RECORDS,
  DELTA_SHIFT,
  HEADER_COUNTERS,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  HEADER_DELTA_TAIL_INTENT,
  HEADER_EPOCH,
  HEADER_METRICS_OFFSET,
  HEADER_TRADE_CAPACITY,
  HEADER_TRADE_RING_OFFSET,
  HEADER_TRADE_TAIL,
  HEADER_TRADE_TAIL_INTENT,
  OUTCOME_BYTES,
  OUTCOME_CODE,
  OUTCOME_DETAIL,
  OUTCOME_INSTRUMENT,
  TRADE_SHIFT,
} from "./layout";

/**
 * A claim is announced this part of the ring further than it must be: the announcement costs a trip to the cores of the
 * readers, who give up that part of their margin for it. Small rings announce what they write.
 */
const AHEAD_SHIFT: u64 = 10;

let segment: usize = 0;
let metrics: usize = 0;
let outcome: usize = 0;
let anchor: i64 = 0;

let deltaRing: usize = 0;
let deltaCapacity: u64 = 0;
let deltaPosition: u64 = 0;
let deltaTail: u64 = 0;
let deltaIntent: u64 = 0;
let tradeRing: usize = 0;
let tradeCapacity: u64 = 0;
let tradePosition: u64 = 0;
let tradeTail: u64 = 0;
let tradeIntent: u64 = 0;

export function outcomeAddress(): usize {
  if (outcome == 0) outcome = arenaAllocate(OUTCOME_BYTES);
  if (outcome == 0) unreachable();
  return outcome;
}

export function clockAnchor(low: u32, high: u32): void {
  anchor = ((<i64>high) << 32) | <i64>low;
}

/** Unix ns of a time relative to the anchor; 0 when it is negative (unknown). */
export function unixTime(relative: f64): i64 {
  return relative >= 0 ? anchor + <i64>relative : 0;
}

export function producerAttach(at: usize): void {
  segment = at;
  outcomeAddress();
  const offset = <usize>load<u64>(at, HEADER_METRICS_OFFSET);
  metrics = offset != 0 ? at + offset : 0;
  deltaRing = at + <usize>load<u64>(at, HEADER_DELTA_RING_OFFSET);
  deltaCapacity = load<u32>(at, HEADER_DELTA_CAPACITY);
  deltaTail = atomic.load<u64>(at, HEADER_DELTA_TAIL);
  deltaPosition = deltaTail;
  deltaIntent = atomic.load<u64>(at, HEADER_DELTA_TAIL_INTENT);
  tradeRing = at + <usize>load<u64>(at, HEADER_TRADE_RING_OFFSET);
  tradeCapacity = load<u32>(at, HEADER_TRADE_CAPACITY);
  tradeTail = atomic.load<u64>(at, HEADER_TRADE_TAIL);
  tradePosition = tradeTail;
  tradeIntent = atomic.load<u64>(at, HEADER_TRADE_TAIL_INTENT);
}

export function producerSegment(): usize {
  return segment;
}
/** The metrics part of the segment; 0 when it has none. */
export function producerMetrics(): usize {
  return metrics;
}
export function producerEpoch(): u64 {
  return load<u64>(segment, HEADER_EPOCH);
}
export function deltaRecords(): u64 {
  return deltaPosition;
}
export function deltaPublished(): u64 {
  return deltaTail;
}
export function deltaRoom(): u64 {
  return deltaCapacity;
}
export function tradeRecords(): u64 {
  return tradePosition;
}
export function tradePublished(): u64 {
  return tradeTail;
}
export function tradeRoom(): u64 {
  return tradeCapacity;
}
/** Address of the delta record at a position. */
export function deltaSlot(position: u64): usize {
  return deltaRing + ((<usize>(position & (deltaCapacity - 1))) << DELTA_SHIFT);
}
/** Address of the trade record at a position. */
export function tradeSlot(position: u64): usize {
  return tradeRing + ((<usize>(position & (tradeCapacity - 1))) << TRADE_SHIFT);
}

/** Announces `count` more records before they are written, and some ahead; readers discard what they overwrite. */
export function deltaClaim(count: u64): void {
  const want = deltaPosition + count;
  if (want <= deltaIntent) return;
  deltaIntent = want + (deltaCapacity >> AHEAD_SHIFT);
  atomic.store<u64>(segment, deltaIntent, HEADER_DELTA_TAIL_INTENT);
}

/** Takes the next delta slot. */
export function deltaNext(): usize {
  deltaClaim(1);
  const slot = deltaSlot(deltaPosition);
  deltaPosition++;
  count(COUNTER_RECORDS, 1);
  return slot;
}

/** Takes the next trade slot. */
export function tradeNext(): usize {
  const want = tradePosition + 1;
  if (want > tradeIntent) {
    tradeIntent = want + (tradeCapacity >> AHEAD_SHIFT);
    atomic.store<u64>(segment, tradeIntent, HEADER_TRADE_TAIL_INTENT);
  }
  const slot = tradeSlot(tradePosition);
  tradePosition = want;
  return slot;
}

/** Makes everything written so far visible. */
export function tailsPublish(): void {
  deltaTail = deltaPosition;
  atomic.store<u64>(segment, deltaTail, HEADER_DELTA_TAIL);
  if (tradeTail != tradePosition) {
    tradeTail = tradePosition;
    atomic.store<u64>(segment, tradeTail, HEADER_TRADE_TAIL);
  }
}

/** Adds to a counter of the segment. */
export function count(counter: u32, by: u64): void {
  const at = segment + HEADER_COUNTERS + ((<usize>counter) << 3);
  store<u64>(at, load<u64>(at) + by);
}

/** Clears the outcome before a call. */
export function outcomeBegin(): void {
  for (let at = outcome; at < outcome + OUTCOME_BYTES; at += 16) v128.store(at, i64x2.splat(0));
}

/** Completes the outcome. @returns the code */
export function finish(code: i32, instrument: usize, detail: i32): i32 {
  store<i32>(outcome, code, OUTCOME_CODE);
  store<u32>(outcome, <u32>instrument, OUTCOME_INSTRUMENT);
  store<i32>(outcome, detail, OUTCOME_DETAIL);
  return code;
}

/** Detail of the outcome under way. */
export function outcomeDetail(): i32 {
  return load<i32>(outcome, OUTCOME_DETAIL);
}

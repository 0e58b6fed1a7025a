/**
 * What a producer notes beside its records: counters of each table entry, delays of events, the time from receipt to
 * publication. All of it lies in the metrics part of the segment, which others read while it is written.
 * Bad case: an exchange time that is no time (0, or years away); it is counted as unknown and moves no figure.
 */
import { bump, spanRecord, spanUnknown } from "./histogram";
import {
  DELTA_CHANGE_COUNT,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_RECEIVED_AT,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
  HEADER_INSTRUMENT_CAPACITY,
  HEADER_TABLE_OFFSET,
  INSTRUMENT_METRICS_ADDRESS,
  INSTRUMENT_METRICS_BYTES,
  INSTRUMENT_METRICS_CHANGES,
  INSTRUMENT_METRICS_FRAME_BYTES,
  INSTRUMENT_METRICS_FRAMES,
  INSTRUMENT_METRICS_LATENCY,
  INSTRUMENT_METRICS_NOT_SYNCED,
  INSTRUMENT_METRICS_RECORDS,
  INSTRUMENT_METRICS_UPDATES,
  INSTRUMENT_METRICS_WHOLE_BOOK,
  LEVEL_BYTES,
  METRICS_CLOCK_OFFSET,
  METRICS_DELAY_MAX,
  METRICS_EXCHANGE,
  METRICS_INSTRUMENTS,
  METRICS_LEAST_DELAY,
  METRICS_PUBLISH,
  STATE_RETIRED,
  STATE_SYNCED,
  TABLE_ID,
  TABLE_SINCE,
  TABLE_STATE,
} from "./layout";
import { deltaPublished, deltaRecords, deltaRoom, deltaSlot, producerMetrics, producerSegment } from "./producer";

/** Events whose record tells nothing of a delay: their time may be that of an earlier one. */
const UNTIMED: u32 = FLAG_SNAPSHOT | FLAG_RESET | FLAG_NOT_SYNCED;

/** Adds to a counter of an instrument. @param counter INSTRUMENT_METRICS_* */
export function noteInstrument(instrument: usize, counter: usize, by: u64): void {
  const at = <usize>load<u32>(instrument, INSTRUMENT_METRICS_ADDRESS);
  if (at != 0) bump(at + counter, by);
}

/** An event was written. */
export function noteRecords(instrument: usize, changes: u32, records: u32): void {
  const at = <usize>load<u32>(instrument, INSTRUMENT_METRICS_ADDRESS);
  if (at == 0) return;
  bump(at + INSTRUMENT_METRICS_CHANGES, changes);
  bump(at + INSTRUMENT_METRICS_RECORDS, records);
}

/** A book message of the socket, and what the whole book would have cost in its place. */
export function noteUpdate(instrument: usize, levels: u32): void {
  const at = <usize>load<u32>(instrument, INSTRUMENT_METRICS_ADDRESS);
  if (at == 0) return;
  bump(at + INSTRUMENT_METRICS_UPDATES, 1);
  bump(at + INSTRUMENT_METRICS_WHOLE_BOOK, <u64>levels * LEVEL_BYTES);
}

/** A frame that named an instrument. */
export function noteFrame(instrument: usize, length: usize): void {
  const at = <usize>load<u32>(instrument, INSTRUMENT_METRICS_ADDRESS);
  if (at == 0) return;
  bump(at + INSTRUMENT_METRICS_FRAMES, 1);
  bump(at + INSTRUMENT_METRICS_FRAME_BYTES, length);
}

/** The delay of an event of the exchange. @param at its own time, 0 = it has none */
export function noteDelay(at: i64, received: i64): void {
  const metrics = producerMetrics();
  if (metrics == 0) return;
  const delay = received - at;
  if (at == 0 || received == 0 || delay >= METRICS_DELAY_MAX || delay <= -METRICS_DELAY_MAX) {
    spanUnknown(metrics + METRICS_EXCHANGE);
    return;
  }
  if (delay < load<i64>(metrics, METRICS_LEAST_DELAY)) store<i64>(metrics, delay, METRICS_LEAST_DELAY);
  spanRecord(metrics + METRICS_EXCHANGE, delay - load<i64>(metrics, METRICS_CLOCK_OFFSET));
}

/** An instrument leaves a state that its table entry still shows. @param at Unix ns, 0 = unknown */
export function noteState(instrument: usize, entry: usize, at: i64): void {
  const metrics = <usize>load<u32>(instrument, INSTRUMENT_METRICS_ADDRESS);
  const state = load<u32>(entry, TABLE_STATE);
  const since = load<i64>(entry, TABLE_SINCE);
  if (metrics == 0 || state == STATE_SYNCED || state == STATE_RETIRED || since == 0 || at <= since) return;
  if (at - since < METRICS_DELAY_MAX) bump(metrics + INSTRUMENT_METRICS_NOT_SYNCED, at - since);
}

/** Notes of every whole event of the batch how long it took to here. @param at Unix ns of the publication, 0 = unknown */
export function noteBatch(at: i64): void {
  const segment = producerSegment();
  const metrics = producerMetrics();
  if (metrics == 0 || at == 0) return;
  const offset = load<i64>(metrics, METRICS_CLOCK_OFFSET);
  const first = load<u32>(segment + <usize>load<u64>(segment, HEADER_TABLE_OFFSET), TABLE_ID);
  const capacity = load<u32>(segment, HEADER_INSTRUMENT_CAPACITY);
  for (let i = min(deltaRecords() - deltaPublished(), deltaRoom()); i > 0; i--) {
    const record = deltaSlot(deltaRecords() - i);
    const flags = <u32>load<u16>(record, DELTA_FLAGS);
    if ((flags & FLAG_LAST) == 0) continue;
    const received = load<i64>(record, DELTA_RECEIVED_AT);
    if (received == 0) spanUnknown(metrics + METRICS_PUBLISH);
    else spanRecord(metrics + METRICS_PUBLISH, at - received);
    if ((flags & UNTIMED) != 0 || load<u8>(record, DELTA_CHANGE_COUNT) == 0) continue;
    const delay = at - load<i64>(record, DELTA_EVENT_AT);
    const row = load<u32>(record, DELTA_INSTRUMENT_ID) - first;
    if (row < capacity && delay < METRICS_DELAY_MAX && delay > -METRICS_DELAY_MAX) {
      const counters = metrics + METRICS_INSTRUMENTS + <usize>row * INSTRUMENT_METRICS_BYTES;
      store<i64>(counters, delay - offset, INSTRUMENT_METRICS_LATENCY);
    }
  }
}

/**
 * What a producer notes beside its records: counters of each table entry, delays of events, the time from receipt to
 * publication. All of it lies in the metrics part of the segment, which others read while it is written.
 * Bad case: an exchange time that is no time (0, or years away); it is counted as unknown and moves no figure.
 */
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
  HEADER_METRICS_OFFSET,
  HEADER_TABLE_OFFSET,
  INSTRUMENT_METRICS_ADDRESS,
  INSTRUMENT_METRICS_BYTES,
  INSTRUMENT_METRICS_FRAME_BYTES,
  INSTRUMENT_METRICS_FRAMES,
  INSTRUMENT_METRICS_LATENCY,
  INSTRUMENT_METRICS_NOT_SYNCED,
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
} from "../../../assembly/layout.ts";
import { bump, recordSpan, recordUnknown, spanBetween } from "./histogram.ts";
import { compare, fromNumber, resultHigh, resultLow, subtract } from "./int64.ts";
import { byteAt, fieldOf, type Memory, readU64, writeWords } from "./memory.ts";
import type { Producer } from "./producer.ts";

/** Events whose record tells nothing of a delay: their time may be that of an earlier one. */
const UNTIMED = FLAG_SNAPSHOT | FLAG_RESET | FLAG_NOT_SYNCED;

/** The metrics part of the producer's segment; 0 when it has none. */
function metricsOf({ memory, segment }: Producer): number {
  const offset = segment === 0 ? 0 : readU64(memory.words, segment + HEADER_METRICS_OFFSET);
  return offset === 0 ? 0 : segment + offset;
}

/** Adds to a counter of an instrument. @param counter INSTRUMENT_METRICS_* */
export function noteInstrument(memory: Memory, instrument: number, counter: number, amount: number): void {
  const address = fieldOf(memory.words, instrument, INSTRUMENT_METRICS_ADDRESS) >>> 0;
  if (address !== 0) {
    bump(memory, address + counter, amount);
  }
}

/** A frame that named an instrument. */
export function noteFrame(memory: Memory, instrument: number, length: number): void {
  noteInstrument(memory, instrument, INSTRUMENT_METRICS_FRAMES, 1);
  noteInstrument(memory, instrument, INSTRUMENT_METRICS_FRAME_BYTES, length);
}

/** The delay of an event of the exchange, at the time of the call under way. @param low of its own time, Unix ns; 0 = none */
export function noteDelay(producer: Producer, low: number, high: number): void {
  const { memory, receivedLow, receivedHigh } = producer;
  const metrics = metricsOf(producer);
  if (metrics === 0) {
    return;
  }
  const isKnown = (low | high) !== 0 && (receivedLow | receivedHigh) !== 0;
  const delay = spanBetween(low, high, receivedLow, receivedHigh);
  if (!isKnown || Math.abs(delay) >= METRICS_DELAY_MAX) {
    recordUnknown(memory, metrics + METRICS_EXCHANGE);
    return;
  }
  const { words } = memory;
  fromNumber(delay);
  const delayLow = resultLow();
  const delayHigh = resultHigh();
  const least = metrics + METRICS_LEAST_DELAY;
  if (compare(delayLow, delayHigh, fieldOf(words, least, 0), fieldOf(words, least, 4)) < 0) {
    writeWords(words, least, delayLow, delayHigh);
  }
  const offset = metrics + METRICS_CLOCK_OFFSET;
  const span = spanBetween(fieldOf(words, offset, 0), fieldOf(words, offset, 4), delayLow, delayHigh);
  recordSpan(memory, metrics + METRICS_EXCHANGE, span);
}

/** An instrument leaves a state that its table entry still shows. @param low of the time, Unix ns; 0 = unknown */
export function noteState(
  memory: Memory,
  { instrument, entry }: { instrument: number; entry: number },
  low: number,
  high: number,
): void {
  const { words } = memory;
  const state = fieldOf(words, entry, TABLE_STATE);
  const sinceLow = fieldOf(words, entry, TABLE_SINCE);
  const sinceHigh = fieldOf(words, entry, TABLE_SINCE + 4);
  if (state === STATE_SYNCED || state === STATE_RETIRED || (sinceLow | sinceHigh) === 0) {
    return;
  }
  const span = spanBetween(sinceLow, sinceHigh, low, high);
  if (span > 0 && span < METRICS_DELAY_MAX) {
    noteInstrument(memory, instrument, INSTRUMENT_METRICS_NOT_SYNCED, span);
  }
}

/** Notes of every whole event of the batch how long it took to here. @param low of the publication, Unix ns; 0 = unknown */
export function noteBatch(producer: Producer, low: number, high: number): void {
  const metrics = metricsOf(producer);
  if (metrics === 0 || (low | high) === 0) {
    return;
  }
  const { memory, segment, deltas } = producer;
  const { words } = memory;
  const table = segment + readU64(words, segment + HEADER_TABLE_OFFSET);
  const first = fieldOf(words, table, TABLE_ID);
  const capacity = fieldOf(words, segment, HEADER_INSTRUMENT_CAPACITY) >>> 0;
  for (let back = Math.min(deltas.position - deltas.tail, deltas.capacity); back > 0; back--) {
    const record = deltas.slot(deltas.position - back);
    const flags = fieldOf(words, record, DELTA_FLAGS);
    if ((flags & FLAG_LAST) === 0) {
      continue;
    }
    noteSpan(memory, { histogram: metrics + METRICS_PUBLISH, since: record + DELTA_RECEIVED_AT }, low, high);
    const row = (fieldOf(words, record, DELTA_INSTRUMENT_ID) - first) >>> 0;
    if ((flags & UNTIMED) === 0 && byteAt(memory.bytes, record + DELTA_CHANGE_COUNT) > 0 && row < capacity) {
      const counters = metrics + METRICS_INSTRUMENTS + row * INSTRUMENT_METRICS_BYTES;
      noteLatency(words, { record, counters, offset: metrics + METRICS_CLOCK_OFFSET }, low, high);
    }
  }
}

/** @param low of the end @param high of it */
function noteSpan(
  memory: Memory,
  { histogram, since }: { histogram: number; since: number },
  low: number,
  high: number,
): void {
  const sinceLow = fieldOf(memory.words, since, 0);
  const sinceHigh = fieldOf(memory.words, since, 4);
  if ((sinceLow | sinceHigh) === 0) {
    recordUnknown(memory, histogram);
  } else {
    recordSpan(memory, histogram, spanBetween(sinceLow, sinceHigh, low, high));
  }
}

function noteLatency(
  words: Int32Array,
  { record, counters, offset }: { record: number; counters: number; offset: number },
  low: number,
  high: number,
): void {
  const eventLow = fieldOf(words, record, DELTA_EVENT_AT);
  const eventHigh = fieldOf(words, record, DELTA_EVENT_AT + 4);
  const delay = spanBetween(eventLow, eventHigh, low, high);
  if (Math.abs(delay) < METRICS_DELAY_MAX) {
    fromNumber(delay);
    subtract(resultLow(), resultHigh(), fieldOf(words, offset, 0), fieldOf(words, offset, 4));
    writeWords(words, counters + INSTRUMENT_METRICS_LATENCY, resultLow(), resultHigh());
  }
}

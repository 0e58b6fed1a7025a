/**
 * The encoder of delta frames without the book around it, in the module that only benchmarks load: an event's records and
 * the best prices before it → a frame, by the functions that the gateway's replica calls while it applies them.
 * Bad case: references that are not those of the book; the frame differs from the gateway's, and the benchmark compares.
 */
import { encodeChange, encodeEventBegin, encodeEventEnd, frameTake, referencesTake } from "../frame_encode";
import {
  DELTA_BASE_PRICE,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_RECORDS,
  REPLICA_RECEIVED_AT,
  REPLICA_REF_ASK,
  REPLICA_REF_BID,
  REPLICA_SOURCE_SEQUENCE,
} from "../layout";
import { STATUS_MASK } from "../replica";

/** Writes the best bid and the best ask of a replica's book, 0 where there is none. @param out two i64 */
export function codecReferences(replica: usize, out: usize): void {
  referencesTake(replica);
  store<i64>(out, load<i64>(replica, REPLICA_REF_BID));
  store<i64>(out, load<i64>(replica, REPLICA_REF_ASK), 8);
}

/**
 * Encodes one event as a frame.
 * @param records of the event, one behind the other @param references best bid and ask before it
 * @returns bytes of the frame
 */
export function codecEncode(replica: usize, records: usize, count: u32, references: usize): u32 {
  encodeEventBegin(replica);
  store<i64>(replica, load<i64>(references), REPLICA_REF_BID);
  store<i64>(replica, load<i64>(references, 8), REPLICA_REF_ASK);
  let record = records;
  for (let i: u32 = 0; i < count; i++) {
    encodeRecord(replica, record);
    record += <usize>DELTA_BYTES;
  }
  store<u32>(replica, count, REPLICA_EVENT_RECORDS);
  return close(replica, record - <usize>DELTA_BYTES);
}

function encodeRecord(replica: usize, record: usize): void {
  const changes = <u32>load<u8>(record, DELTA_CHANGE_COUNT);
  const sides = <u32>load<u16>(record, DELTA_SIDE_MASK);
  const base = load<i64>(record, DELTA_BASE_PRICE);
  for (let i: u32 = 0; i < changes; i++) {
    const price = base + <i64>load<i32>(record + ((<usize>i) << 2), DELTA_PRICE_OFFSETS);
    encodeChange(replica, (sides >> i) & 1, price, load<i64>(record + ((<usize>i) << 3), DELTA_QUANTITIES));
  }
}

function close(replica: usize, last: usize): u32 {
  const eventAt = load<i64>(last, DELTA_EVENT_AT);
  const receivedAt = load<i64>(last, DELTA_RECEIVED_AT);
  const sequence = load<u64>(last, DELTA_SOURCE_SEQUENCE);
  encodeEventEnd(replica, <u32>load<u16>(last, DELTA_FLAGS) & STATUS_MASK, eventAt, receivedAt, sequence);
  store<i64>(replica, eventAt, REPLICA_EVENT_AT);
  store<i64>(replica, receivedAt, REPLICA_RECEIVED_AT);
  store<u64>(replica, sequence, REPLICA_SOURCE_SEQUENCE);
  return frameTake(replica, 0);
}

/**
 * Encoder of delta frames: a replica with a buffer codes each event while it is applied. Changes are written behind a gap;
 * when the event ends its head is written into the gap and the changes close up.
 * Buffer: 16 bytes for kind and alias, whole events, the open event; `bufferUsed` is the end of what is coded.
 * Bad case: an event larger than the buffer; the gateway then sends a snapshot instead.
 */
import { blockRelease, blockTake } from "./arena";
import { bestPrice, bookCount } from "./book";
import { writeChange, writeQuantity, writeTime, writeVarint, zigzag } from "./codec";
import {
  DELTA_CHANGES_MAX,
  FRAME_DELTAS,
  FRAME_FLAG_CHECK,
  REPLICA_ALIAS,
  REPLICA_BOOK,
  REPLICA_BUFFER_ADDRESS,
  REPLICA_BUFFER_BYTES,
  REPLICA_BUFFER_USED,
  REPLICA_CHAIN,
  REPLICA_EVENT_AT,
  REPLICA_EVENT_CHANGES,
  REPLICA_EVENT_OPEN,
  REPLICA_EVENT_RECORDS,
  REPLICA_EVENT_START,
  REPLICA_EVENTS,
  REPLICA_FRAME_ADDRESS,
  REPLICA_FRAMES_SINCE_CHECK,
  REPLICA_HASH,
  REPLICA_RECEIVED_AT,
  REPLICA_REF_ASK,
  REPLICA_REF_BID,
  REPLICA_SOURCE_SEQUENCE,
  REPLICA_TIME_UNIT,
  SIDE_ASK,
  SIDE_BID,
} from "./layout";

/** Kind and alias are written backwards from here. */
const HEAD: u32 = 16;
/** Room for the head of an event. */
const GAP: u32 = 48;
/** Most bytes of one change. */
const CHANGE_ROOM: u32 = 20;
/** Room that is kept behind what is coded: hash and chain. */
const TAIL_ROOM: u32 = 24;
/** Room that one more record may need: 16 changes, a head, the check. */
const RECORD_ROOM: u32 = DELTA_CHANGES_MAX * CHANGE_ROOM + GAP + TAIL_ROOM;
const BUFFER_MAX: u32 = 1 << 30;
/** Unit of the receive delay, ns. */
export const DELAY_UNIT: i64 = 1000;

export function frameBufferCreate(replica: usize, bytes: u32): i32 {
  const held = load<u32>(replica, REPLICA_BUFFER_ADDRESS);
  const used = held == 0 ? HEAD : load<u32>(replica, REPLICA_BUFFER_USED);
  if (bytes > BUFFER_MAX || bytes < RECORD_ROOM + used) return 1;
  const buffer = blockTake(bytes);
  if (buffer == 0) return 1;
  if (held != 0) memory.copy(buffer, held, used);
  frameBufferRelease(replica);
  store<u32>(replica, <u32>buffer, REPLICA_BUFFER_ADDRESS);
  store<u32>(replica, bytes, REPLICA_BUFFER_BYTES);
  store<u32>(replica, used, REPLICA_BUFFER_USED);
  return 0;
}

/** Gives the buffer of a replica back. */
export function frameBufferRelease(replica: usize): void {
  blockRelease(load<u32>(replica, REPLICA_BUFFER_ADDRESS), load<u32>(replica, REPLICA_BUFFER_BYTES));
  store<u32>(replica, 0, REPLICA_BUFFER_ADDRESS);
}

/** True when the buffer takes one more record. */
export function encodeRoom(replica: usize): bool {
  return load<u32>(replica, REPLICA_BUFFER_USED) + RECORD_ROOM <= load<u32>(replica, REPLICA_BUFFER_BYTES);
}

/** True when the open event takes one more change. */
export function encodeChangeRoom(replica: usize): bool {
  const end = load<u32>(replica, REPLICA_BUFFER_USED) + CHANGE_ROOM + TAIL_ROOM;
  return end <= load<u32>(replica, REPLICA_BUFFER_BYTES);
}

/** Address of the first change of the open event. */
export function encodedChanges(replica: usize): usize {
  return <usize>load<u32>(replica, REPLICA_BUFFER_ADDRESS) + load<u32>(replica, REPLICA_EVENT_START) + GAP;
}

/** Takes the open event back: as if it had not begun. */
export function encodeEventCancel(replica: usize): void {
  store<u32>(replica, load<u32>(replica, REPLICA_EVENT_START), REPLICA_BUFFER_USED);
  store<u32>(replica, 0, REPLICA_EVENT_OPEN);
}

/** Remembers the best prices before an event: the references of its first changes. */
export function referencesTake(replica: usize): void {
  const book = <usize>load<u32>(replica, REPLICA_BOOK);
  store<i64>(replica, bookCount(book, SIDE_BID) > 0 ? bestPrice(book, SIDE_BID) : 0, REPLICA_REF_BID);
  store<i64>(replica, bookCount(book, SIDE_ASK) > 0 ? bestPrice(book, SIDE_ASK) : 0, REPLICA_REF_ASK);
}

export function encodeEventBegin(replica: usize): void {
  referencesTake(replica);
  const used = load<u32>(replica, REPLICA_BUFFER_USED);
  store<u32>(replica, used, REPLICA_EVENT_START);
  store<u32>(replica, used + GAP, REPLICA_BUFFER_USED);
  store<u32>(replica, 1, REPLICA_EVENT_OPEN);
  store<u32>(replica, 0, REPLICA_EVENT_RECORDS);
  store<u32>(replica, 0, REPLICA_EVENT_CHANGES);
}

/** Throws an open event and everything not yet sent away: a snapshot follows. */
export function encodeEventDrop(replica: usize): void {
  store<u32>(replica, 0, REPLICA_EVENT_OPEN);
  store<u32>(replica, 0, REPLICA_EVENTS);
  if (load<u32>(replica, REPLICA_BUFFER_ADDRESS) != 0) store<u32>(replica, HEAD, REPLICA_BUFFER_USED);
}

export function encodeChange(replica: usize, side: u32, price: i64, quantity: i64): void {
  const buffer = <usize>load<u32>(replica, REPLICA_BUFFER_ADDRESS);
  const slot = replica + (side == SIDE_ASK ? REPLICA_REF_ASK : REPLICA_REF_BID);
  let at = buffer + load<u32>(replica, REPLICA_BUFFER_USED);
  at = writeChange(at, side, quantity == 0 ? 1 : 0, price - load<i64>(slot));
  if (quantity != 0) at = writeQuantity(at, quantity);
  store<i64>(slot, price);
  store<u32>(replica, <u32>(at - buffer), REPLICA_BUFFER_USED);
  store<u32>(replica, load<u32>(replica, REPLICA_EVENT_CHANGES) + 1, REPLICA_EVENT_CHANGES);
}

export function encodeEventEnd(replica: usize, status: u32, eventAt: i64, receivedAt: i64, sequence: u64): void {
  const buffer = <usize>load<u32>(replica, REPLICA_BUFFER_ADDRESS);
  const start = load<u32>(replica, REPLICA_EVENT_START);
  const used = load<u32>(replica, REPLICA_BUFFER_USED);
  const records = load<u32>(replica, REPLICA_EVENT_RECORDS);
  const before = load<u64>(replica, REPLICA_SOURCE_SEQUENCE);
  const lastEventAt = load<i64>(replica, REPLICA_EVENT_AT);
  const bits: u32 = (status != 0 ? 1 : 0) | (records > 1 ? 2 : 0) | (sequence != before ? 4 : 0);
  let at = buffer + start;
  at = writeVarint(at, ((<u64>load<u32>(replica, REPLICA_EVENT_CHANGES)) << 3) | bits);
  if (status != 0) {
    store<u8>(at, <u8>status);
    at++;
  }
  if (records > 1) at = writeVarint(at, records - 1);
  if (sequence != before) at = writeVarint(at, zigzag(<i64>(sequence - before)));
  at = writeTime(at, eventAt - lastEventAt, load<u32>(replica, REPLICA_TIME_UNIT));
  const delay = receivedAt - eventAt - (load<i64>(replica, REPLICA_RECEIVED_AT) - lastEventAt);
  at = writeTime(at, delay, DELAY_UNIT);
  const changes = buffer + start + GAP;
  const bytes = buffer + used - changes;
  memory.copy(at, changes, bytes);
  store<u32>(replica, <u32>(at + bytes - buffer), REPLICA_BUFFER_USED);
  store<u32>(replica, 0, REPLICA_EVENT_OPEN);
  store<u32>(replica, load<u32>(replica, REPLICA_EVENTS) + 1, REPLICA_EVENTS);
}

export function frameTake(replica: usize, check: u32): u32 {
  const buffer = <usize>load<u32>(replica, REPLICA_BUFFER_ADDRESS);
  if (buffer == 0 || load<u32>(replica, REPLICA_EVENT_OPEN) != 0) return 0;
  if (load<u32>(replica, REPLICA_EVENTS) == 0 && check == 0) return 0;
  let end = buffer + load<u32>(replica, REPLICA_BUFFER_USED);
  if (check != 0) {
    store<u32>(end, load<u32>(replica, REPLICA_HASH));
    store<u32>(end, load<u32>(replica, REPLICA_CHAIN), 4);
    end += 8;
  }
  const alias = load<u32>(replica, REPLICA_ALIAS);
  const start = buffer + HEAD - 1 - varintBytes(alias);
  store<u8>(start, <u8>(FRAME_DELTAS | (check != 0 ? FRAME_FLAG_CHECK : 0)));
  writeVarint(start + 1, alias);
  store<u32>(replica, <u32>start, REPLICA_FRAME_ADDRESS);
  store<u32>(replica, HEAD, REPLICA_BUFFER_USED);
  store<u32>(replica, 0, REPLICA_EVENTS);
  store<u32>(replica, check != 0 ? 0 : load<u32>(replica, REPLICA_FRAMES_SINCE_CHECK) + 1, REPLICA_FRAMES_SINCE_CHECK);
  return <u32>(end - start);
}

function varintBytes(v: u32): usize {
  let bytes: usize = 1;
  while (v > 127) {
    v >>= 7;
    bytes++;
  }
  return bytes;
}

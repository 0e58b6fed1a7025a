/**
 * What others than its producer do to a segment: look whether the producer lives, and say in its place, once it has
 * ended, that its books are not right any more or that one of them was removed.
 * Bad case: a producer that has not ended; both would write the same words.
 */
import {
  CELL_BYTES,
  CELL_STATE,
  HEADER_CELLS_OFFSET,
  HEADER_DELTA_TAIL,
  HEADER_HEARTBEAT,
  HEADER_INSTRUMENT_COUNT,
  HEADER_STATE,
  HEADER_TABLE_OFFSET,
  HEADER_TRADE_TAIL,
  REASON_DISCONNECTED,
  REASON_REMOVED,
  SEGMENT_STATE_SUPERSEDED,
  STATE_CONNECTING,
  STATE_RETIRED,
  TABLE_BYTES,
  TABLE_CANONICAL,
  TABLE_REASON,
  TABLE_STATE,
} from "../../assembly/layout.ts";

/** Where a segment lies: all that a reader in the same process needs. */
export type SegmentHandle = {
  readonly exchange: string;
  /** Address of the header. */
  readonly address: number;
  readonly bytes: number;
};

/**
 * Shows that a producer is gone: its books are not synced any more. Thread: any, but only when the producer has ended.
 * @param handle of its segment
 */
export function abandonSegment(buffer: ArrayBufferLike, handle: SegmentHandle): void {
  const view = new DataView(buffer, handle.address, handle.bytes);
  for (const { entry, cell } of entriesInUse(view)) {
    view.setUint32(entry + TABLE_REASON, REASON_DISCONNECTED, true);
    view.setUint32(entry + TABLE_STATE, STATE_CONNECTING, true);
    view.setUint32(cell + CELL_STATE, STATE_CONNECTING, true);
  }
  const words = new Int32Array(buffer);
  Atomics.store(words, (handle.address + HEADER_STATE) >>> 2, SEGMENT_STATE_SUPERSEDED);
  Atomics.notify(words, (handle.address + HEADER_DELTA_TAIL) >>> 2);
  Atomics.notify(words, (handle.address + HEADER_TRADE_TAIL) >>> 2);
}

/**
 * Shows that an instrument of a segment without a producer was removed. Thread: as `abandonSegment`.
 * @param canonical `BASE-QUOTE`; nothing happens when it is not there
 */
export function retireAbandoned(buffer: ArrayBufferLike, handle: SegmentHandle, canonical: string): void {
  const view = new DataView(buffer, handle.address, handle.bytes);
  for (const { entry, cell } of entriesInUse(view)) {
    const name = new Uint8Array(view.getUint8(entry + TABLE_CANONICAL));
    name.set(new Uint8Array(buffer, handle.address + entry + TABLE_CANONICAL + 1, name.length));
    if (new TextDecoder().decode(name) === canonical) {
      view.setUint32(entry + TABLE_REASON, REASON_REMOVED, true);
      view.setUint32(entry + TABLE_STATE, STATE_RETIRED, true);
      view.setUint32(cell + CELL_STATE, STATE_RETIRED, true);
    }
  }
}

/** The last heartbeat of a segment. @returns Unix ns by its producer's clock */
export function readHeartbeat(buffer: ArrayBufferLike, handle: SegmentHandle): bigint {
  return Atomics.load(new BigUint64Array(buffer, handle.address + HEADER_HEARTBEAT, 1), 0);
}

function entriesInUse(view: DataView): { entry: number; cell: number }[] {
  const table = Number(view.getBigUint64(HEADER_TABLE_OFFSET, true));
  const cells = Number(view.getBigUint64(HEADER_CELLS_OFFSET, true));
  const all = Array.from({ length: view.getUint32(HEADER_INSTRUMENT_COUNT, true) }, (_, index) => ({
    entry: table + index * TABLE_BYTES,
    cell: cells + index * CELL_BYTES,
  }));
  return all.filter(({ entry }) => view.getUint32(entry + TABLE_STATE, true) !== STATE_RETIRED);
}

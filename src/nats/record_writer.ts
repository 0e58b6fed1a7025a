/**
 * Delta records of our own: a difference of two books, or a word about a book's state, as the collector's kernel would have
 * written it. Bad case: changes more than 2^31 ticks apart; each such jump opens a record of its own.
 */
import {
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_CHANGES_MAX,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_SNAPSHOT,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
} from "../../assembly/layout.ts";
import type { LevelDifference } from "./difference.ts";
import type { Workspace } from "./workspace.ts";

/** What all records of an event say. */
export type EventStamp = {
  readonly eventAtNs: bigint;
  readonly receivedAtNs: bigint;
  readonly sourceSequence: bigint;
  /** Of the last record, beside FLAG_LAST. */
  readonly flags: number;
};

/** Only the last record of an event says Reset, NotSynced or Crossed. */
const NEITHER_STATE = FLAG_SNAPSHOT;
const OFFSET_MAX = 2n ** 31n - 1n;
const OFFSET_MIN = -(2n ** 31n);

/**
 * An event that leads from one book to another.
 * @param changes none = one record without changes @param hash of the book before
 * @returns records without version and id
 */
export function differenceRecords(
  workspace: Workspace,
  changes: readonly LevelDifference[],
  { hash, stamp }: { hash: number; stamp: EventStamp },
): Uint8Array[] {
  const records: Uint8Array[] = [];
  let current = hash;
  let record: Draft | undefined;
  for (const change of changes) {
    if (record === undefined || !record.fits(change.price)) {
      record?.close(current, stamp.flags & NEITHER_STATE);
      record = new Draft(change.price, stamp);
      records.push(record.bytes);
    }
    record.add(change);
    current =
      (current - levelHash(workspace, change, change.before) + levelHash(workspace, change, change.after)) >>> 0;
  }
  if (record === undefined) {
    record = new Draft(0n, stamp);
    records.push(record.bytes);
  }
  record.close(current, stamp.flags | FLAG_LAST);
  return records;
}

function levelHash(workspace: Workspace, { side, price }: LevelDifference, quantity: bigint): number {
  if (quantity === 0n) {
    return 0;
  }
  workspace.memory.setBigInt64(workspace.levels + LEVEL_PRICE, price, true);
  workspace.memory.setBigInt64(workspace.levels + LEVEL_QUANTITY, quantity, true);
  return workspace.kernel.levelHash(side, workspace.levels);
}

/** A record being filled. */
class Draft {
  readonly bytes = new Uint8Array(DELTA_BYTES);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #base: bigint;
  #count = 0;
  #sides = 0;
  #adds = 0;

  constructor(base: bigint, { eventAtNs, receivedAtNs, sourceSequence }: EventStamp) {
    this.#base = base;
    this.#view.setBigUint64(DELTA_EVENT_AT, eventAtNs, true);
    this.#view.setBigUint64(DELTA_RECEIVED_AT, receivedAtNs, true);
    this.#view.setBigUint64(DELTA_SOURCE_SEQUENCE, sourceSequence, true);
    this.#view.setBigInt64(DELTA_BASE_PRICE, base, true);
  }

  fits(price: bigint): boolean {
    const offset = price - this.#base;
    return this.#count < DELTA_CHANGES_MAX && offset <= OFFSET_MAX && offset >= OFFSET_MIN;
  }

  add({ side, price, before, after }: LevelDifference): void {
    this.#view.setBigInt64(DELTA_QUANTITIES + this.#count * 8, after, true);
    this.#view.setInt32(DELTA_PRICE_OFFSETS + this.#count * 4, Number(price - this.#base), true);
    this.#sides |= side << this.#count;
    this.#adds |= (before === 0n ? 1 : 0) << this.#count;
    this.#count += 1;
  }

  close(hash: number, flags: number): void {
    this.#view.setUint16(DELTA_FLAGS, flags, true);
    this.#view.setUint8(DELTA_CHANGE_COUNT, this.#count);
    this.#view.setUint16(DELTA_SIDE_MASK, this.#sides, true);
    this.#view.setUint16(DELTA_ADD_MASK, this.#adds, true);
    this.#view.setUint32(DELTA_BOOK_HASH, hash, true);
  }
}

/** The same records of an event, but their book is not known to be up to date. */
export function notSynced(records: readonly Uint8Array[]): Uint8Array[] {
  return records.map((record, index) => {
    const copy = record.slice();
    const view = new DataView(copy.buffer);
    if (index === records.length - 1) {
      view.setUint16(DELTA_FLAGS, view.getUint16(DELTA_FLAGS, true) | FLAG_NOT_SYNCED, true);
    }
    return copy;
  });
}

/** A record without changes. @param hash of the book */
export function stampRecord(workspace: Workspace, { hash, stamp }: { hash: number; stamp: EventStamp }): Uint8Array {
  const [record] = differenceRecords(workspace, [], { hash, stamp });
  return record ?? new Uint8Array(DELTA_BYTES);
}

/**
 * A producer's end and a client's end of one stream view in one memory, for tests of records and frames, on a kernel of
 * choice. The producer's records are composed here, from changes to a book of its own.
 * Bad case: changes of one record more than 2^31 ticks apart; the writer does not split them.
 */
import {
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  REPLICA_BOOK,
  REPLICA_FRAME_ADDRESS,
  REPLICA_INSTRUMENT_ID,
  REPLICA_NEXT_LEVEL,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";

const ROOM = 4 * 1048576;
/** Where records are written. */
export const RECORD = 1024;
/** Where frames are written and read. */
export const OUT = 8192;
/** Where decoded records and levels are written. */
export const DECODED = 65536;
const ID = 5;
const BUFFER = 65536;

/** One level set to an absolute quantity. */
export type Change = { side: number; price: bigint; quantity: bigint };

/** What a record says beside its changes. */
export type RecordOptions = { isLast: boolean; sequence: bigint; step: bigint; isUnsynced?: boolean };

let module: WebAssembly.Module | undefined;

function openKernel(name: KernelName): Kernel {
  const pages = ROOM / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  if (name === "twin") {
    return loadKernel({ name, memory });
  }
  module ??= new WebAssembly.Module(readAsset("kernel.wasm"));
  return loadKernel({ name, memory, wasmBytes: module });
}

/** A producer's book and replica beside a client's, in one memory. */
export class Link {
  readonly kernel: Kernel;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly replica: number;
  readonly client: number;
  readonly #book: number;
  #version = 0n;
  #at = 1_700_000_000_000_000_000n;

  constructor(name: KernelName = "twin") {
    const kernel = openKernel(name);
    this.kernel = kernel;
    this.view = new DataView(kernel.buffer);
    this.bytes = new Uint8Array(kernel.buffer);
    kernel.arenaInit(1048576, ROOM - 1048576);
    this.#book = kernel.bookCreate();
    this.replica = kernel.replicaCreate();
    this.client = kernel.replicaCreate();
    this.view.setUint32(this.replica + REPLICA_INSTRUMENT_ID, ID, true);
    kernel.frameBufferCreate(this.replica, BUFFER);
    kernel.replicaBegin(this.replica);
    kernel.replicaBegin(this.client);
  }

  get #isCrossed(): boolean {
    const [bid, ask] = [this.levels(this.#book, SIDE_BID)[0], this.levels(this.#book, SIDE_ASK)[0]];
    return bid !== undefined && ask !== undefined && bid[0] > ask[0];
  }

  /** Writes the next record: at most 16 changes near each other, those that alter nothing left out. */
  write(changes: Change[], options: RecordOptions): void {
    const { view, bytes } = this;
    bytes.fill(0, RECORD, RECORD + DELTA_BYTES);
    let count = 0;
    let sides = 0;
    let adds = 0;
    for (const { side, price, quantity } of changes) {
      view.setBigInt64(0, price, true);
      view.setBigInt64(8, quantity, true);
      const result = this.kernel.bookApply(this.#book, side, 0);
      if (result !== 0) {
        if (count === 0) {
          view.setBigInt64(RECORD + DELTA_BASE_PRICE, price, true);
        }
        const base = view.getBigInt64(RECORD + DELTA_BASE_PRICE, true);
        view.setBigInt64(RECORD + DELTA_QUANTITIES + count * 8, quantity, true);
        view.setInt32(RECORD + DELTA_PRICE_OFFSETS + count * 4, Number(price - base), true);
        sides |= side << count;
        adds |= (result === 2 ? 1 : 0) << count;
        count++;
      }
    }
    this.#version++;
    this.#at += options.step;
    const status = (this.#isCrossed ? FLAG_CROSSED : 0) | (options.isUnsynced === true ? FLAG_NOT_SYNCED : 0);
    const flags = options.isLast ? FLAG_LAST | status : 0;
    view.setBigInt64(RECORD + DELTA_EVENT_AT, this.#at, true);
    view.setBigInt64(RECORD + DELTA_RECEIVED_AT, this.#at + 1_000_003n, true);
    view.setBigUint64(RECORD + DELTA_VERSION, this.#version, true);
    view.setBigUint64(RECORD + DELTA_SOURCE_SEQUENCE, options.sequence, true);
    view.setUint32(RECORD + DELTA_INSTRUMENT_ID, ID, true);
    view.setUint16(RECORD + DELTA_FLAGS, flags, true);
    view.setUint8(RECORD + DELTA_CHANGE_COUNT, count);
    view.setUint16(RECORD + DELTA_SIDE_MASK, sides, true);
    view.setUint16(RECORD + DELTA_ADD_MASK, adds, true);
    view.setUint32(RECORD + DELTA_BOOK_HASH, this.kernel.bookHash(this.#book), true);
  }

  /** Takes the frame coded so far. */
  take(check: number, replica = this.replica): Uint8Array {
    const length = this.kernel.frameTake(replica, check);
    const start = this.view.getUint32(replica + REPLICA_FRAME_ADDRESS, true);
    return this.bytes.slice(start, start + length);
  }

  /** Gives a frame to a client. @returns REPLICA_* */
  give(frame: Uint8Array, client = this.client): number {
    this.bytes.set(frame, OUT);
    return this.kernel.frameApply(client, OUT, frame.length);
  }

  /** Applies the record that was written. @returns REPLICA_* */
  apply(): number {
    return this.kernel.replicaApply(this.replica, RECORD);
  }

  /** Version of a replica. */
  versionOf(replica: number): bigint {
    return this.view.getBigUint64(replica + REPLICA_VERSION, true);
  }

  /** A conflated frame; empty when there is none. */
  conflated(from: bigint, options: { replica?: number; limit?: number } = {}): Uint8Array {
    const [low, high] = [Number(from & 0xffffffffn), Number(from >> 32n)];
    const { replica = this.replica, limit = DECODED - OUT } = options;
    return this.bytes.slice(OUT, OUT + this.kernel.conflatedEncode(replica, low, high, OUT, limit));
  }

  /** The parts of a snapshot. */
  parts(limit: number, replica = this.replica): Uint8Array[] {
    const parts: Uint8Array[] = [];
    this.view.setUint32(replica + REPLICA_NEXT_LEVEL, 0, true);
    while (this.view.getInt32(replica + REPLICA_NEXT_LEVEL, true) !== -1) {
      const length = this.kernel.snapshotEncode(replica, OUT, limit);
      parts.push(this.bytes.slice(OUT, OUT + length));
    }
    return parts;
  }

  bookOf(replica: number): number {
    return this.view.getUint32(replica + REPLICA_BOOK, true);
  }

  levels(book: number, side: number): [bigint, bigint][] {
    const count = this.kernel.bookWalk(book, side, 0, 4096, DECODED);
    return Array.from({ length: count }, (_, index) => [
      this.view.getBigInt64(DECODED + index * 16, true),
      this.view.getBigInt64(DECODED + index * 16 + 8, true),
    ]);
  }

  /** Levels, hash and state of a replica. */
  contents(replica: number): unknown {
    const book = this.bookOf(replica);
    return {
      bids: this.levels(book, SIDE_BID),
      asks: this.levels(book, SIDE_ASK),
      block: this.bytes.slice(replica + 8, replica + 24),
      chain: this.view.getUint32(replica + 28, true),
      times: this.bytes.slice(replica + 32, replica + 56),
    };
  }
}

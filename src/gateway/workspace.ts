/**
 * The gateway thread's kernel and the scratch ranges in its arena that every part of the gateway shares: records being
 * read, trades being grouped, levels being walked, frames being written. One thread, never nested, so sharing is safe.
 * Bad case: an arena that is too small; creation throws RangeError naming what did not fit.
 */
import {
  BBO_BYTES,
  CHANGE_BYTES,
  DELTA_BYTES,
  FRAME_BYTES_MAX,
  LEVEL_BYTES,
  TRADE_BYTES,
} from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { HopMeters, type Stopwatch } from "./hop_meter.ts";

/** Levels walked at once. */
export const LEVELS_CHUNK = 4096;
/** Changes of a history that are read at once. */
const CHANGES_MAX = 4096;

/** Kernel, views and scratch addresses of one gateway. */
export class Workspace {
  readonly kernel: Kernel;
  /** Over the whole linear memory. */
  readonly memory: DataView;
  /** Over the whole linear memory. */
  readonly bytes: Uint8Array;
  /** Over the whole linear memory. */
  readonly words: Int32Array;
  /** `batchRecords` delta records. */
  readonly deltas: number;
  /** `batchRecords` delta records for reading the ring again during a join. */
  readonly joinDeltas: number;
  /** `batchRecords` trade records. */
  readonly trades: number;
  /** `batchRecords` trade records of one instrument. */
  readonly groupedTrades: number;
  /** LEVELS_CHUNK levels. */
  readonly levels: number;
  /** FRAME_BYTES_MAX bytes for a frame. */
  readonly frame: number;
  /** `changesBytes` bytes for changes of a history. */
  readonly changes: number;
  readonly changesBytes: number;
  readonly batchRecords: number;
  /** Undefined = hops are not measured. */
  readonly meters: HopMeters | undefined;

  /**
   * @param kernel of this thread, its arena initialised
   * @param batchRecords records read from a ring at once
   * @param options.stopwatch measures the hops of events; absent = they are not measured
   * @throws RangeError when the arena is exhausted
   */
  constructor(kernel: Kernel, batchRecords: number, { stopwatch }: { stopwatch?: Stopwatch | undefined } = {}) {
    this.kernel = kernel;
    this.batchRecords = batchRecords;
    this.meters = stopwatch && new HopMeters(kernel, stopwatch);
    this.memory = new DataView(kernel.buffer);
    this.bytes = new Uint8Array(kernel.buffer);
    this.words = new Int32Array(kernel.buffer, 0, kernel.buffer.byteLength >>> 2);
    this.deltas = this.allocate(batchRecords * DELTA_BYTES);
    this.joinDeltas = this.allocate(batchRecords * DELTA_BYTES);
    this.trades = this.allocate(batchRecords * TRADE_BYTES);
    this.groupedTrades = this.allocate(batchRecords * TRADE_BYTES);
    this.levels = this.allocate(LEVELS_CHUNK * LEVEL_BYTES);
    this.frame = this.allocate(FRAME_BYTES_MAX + BBO_BYTES);
    this.changesBytes = CHANGES_MAX * CHANGE_BYTES;
    this.changes = this.allocate(this.changesBytes);
  }

  /**
   * Takes bytes of the arena for good.
   * @throws RangeError when it is exhausted
   */
  allocate(bytes: number): number {
    const address = this.kernel.arenaAllocate(bytes);
    if (address === 0) {
      const used = this.kernel.arenaUsed();
      throw new RangeError(`Cannot allocate ${bytes} bytes for the gateway: its arena is exhausted, was ${used} used`);
    }
    return address;
  }

  /** A u32. */
  u32(address: number): number {
    return this.memory.getUint32(address, true);
  }

  /** Writes a u32. */
  setU32(address: number, value: number): void {
    this.memory.setUint32(address, value >>> 0, true);
  }

  /** Bytes of the memory, not copied. */
  view(address: number, length: number): Uint8Array {
    return this.bytes.subarray(address, address + length);
  }

  /** Bytes of the memory, copied into a buffer of their own. */
  copy(address: number, length: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(length);
    copy.set(this.view(address, length));
    return copy;
  }
}

/**
 * The reader's kernel and the scratch ranges of its arena, shared by all segments that it reads. One thread, never nested.
 * Bad case: an arena that is too small for the books; the error says how much it has.
 */
import { DELTA_BYTES, LEVEL_BYTES, TRADE_BYTES } from "../../assembly/layout.ts";
import { readAsset } from "../assets.ts";
import type { Kernel, KernelName } from "../kernel/kernel.ts";
import { loadKernel } from "../kernel/load.ts";
import type { MemoryMap } from "../segment/memory_map.ts";

/** Levels walked at once. */
export const LEVELS_CHUNK = 1024;

/** Kernel, views and scratch addresses. */
export class ReaderWorkspace {
  readonly kernel: Kernel;
  readonly memory: DataView;
  readonly batchRecords: number;
  /** `batchRecords` delta records. */
  readonly deltas: number;
  /** `batchRecords` trade records. */
  readonly trades: number;
  /** `batchRecords` delta records for joins. */
  readonly joinDeltas: number;
  /** LEVELS_CHUNK levels. */
  readonly levels: number;

  /** @throws RangeError when the memory or the arena is too small */
  constructor(map: MemoryMap, options: { kernel: KernelName; arenaBytes: number; batchRecords: number }) {
    const { batchRecords } = options;
    const arena = map.reserve("arena of the reader", { bytes: options.arenaBytes });
    const bytes = options.kernel === "wasm" ? { wasmBytes: readAsset("kernel.wasm") } : {};
    this.kernel = loadKernel({ name: options.kernel, memory: map.memory, ...bytes });
    this.kernel.arenaInit(arena.address, arena.bytes);
    this.memory = new DataView(map.memory.buffer);
    this.batchRecords = batchRecords;
    this.deltas = this.take(batchRecords * DELTA_BYTES);
    this.trades = this.take(batchRecords * TRADE_BYTES);
    this.joinDeltas = this.take(batchRecords * DELTA_BYTES);
    this.levels = this.take(LEVELS_CHUNK * LEVEL_BYTES);
  }

  /** @throws RangeError when the arena is exhausted */
  take(bytes: number): number {
    return this.checked(this.kernel.arenaAllocate(bytes));
  }

  /** @throws RangeError for the null address */
  checked(address: number): number {
    if (address === 0) {
      throw new RangeError(
        `Cannot read segments: the reader's arena is exhausted, give openSegment more arenaBytes, was ${this.kernel.arenaUsed()} bytes used`,
      );
    }
    return address;
  }
}

/**
 * A kernel with its arena and scratch ranges, for the publisher's thread or the receiver's. Never nested.
 * Bad case: an arena that is too small for the books; the error says how much it has.
 */
import {
  DELTA_BYTES,
  LEVEL_BYTES,
  REPLICA_INSTRUMENT_ID,
  REPLICA_NEXT_LEVEL,
  TRADE_BYTES,
} from "../../assembly/layout.ts";
import type { Kernel, KernelName } from "../kernel/kernel.ts";
import { loadKernel } from "../kernel/load.ts";
import type { MemoryMap } from "../segment/memory_map.ts";

/** Records that are read from a ring at once. */
export const BATCH_RECORDS = 1024;
/** Levels walked at once. */
export const LEVELS_CHUNK = 1024;
/** Bytes of one snapshot frame at most. */
export const FRAME_BYTES = 65_536;
const NO_MORE_LEVELS = 0xffffffff;

/** How a workspace is made. */
export type WorkspaceOptions = {
  readonly kernel: KernelName;
  /** Absent for the twin. */
  readonly kernelModule?: WebAssembly.Module | undefined;
  readonly arenaBytes: number;
  /** Shown when the memory cannot hold it. */
  readonly name: string;
};

/** Kernel, views and scratch addresses. */
export class Workspace {
  readonly kernel: Kernel;
  readonly memory: DataView;
  readonly bytes: Uint8Array;
  /** BATCH_RECORDS delta records. */
  readonly deltas: number;
  /** BATCH_RECORDS trade records. */
  readonly trades: number;
  /** BATCH_RECORDS delta records for joins. */
  readonly joinDeltas: number;
  /** LEVELS_CHUNK levels, twice. */
  readonly levels: number;
  readonly #frame: number;
  readonly #frameIn: number;

  /** @throws RangeError when memory or arena are too small */
  constructor(map: MemoryMap, options: WorkspaceOptions) {
    const arena = map.reserve(options.name, { bytes: options.arenaBytes });
    const wasm = options.kernelModule === undefined ? {} : { wasmBytes: options.kernelModule };
    this.kernel = loadKernel({ name: options.kernel, memory: map.memory, ...wasm });
    this.kernel.arenaInit(arena.address, arena.bytes);
    this.memory = new DataView(map.memory.buffer);
    this.bytes = new Uint8Array(map.memory.buffer);
    this.deltas = this.take(BATCH_RECORDS * DELTA_BYTES);
    this.trades = this.take(BATCH_RECORDS * TRADE_BYTES);
    this.joinDeltas = this.take(BATCH_RECORDS * DELTA_BYTES);
    this.levels = this.take(2 * LEVELS_CHUNK * LEVEL_BYTES);
    this.#frame = this.take(FRAME_BYTES);
    this.#frameIn = this.take(FRAME_BYTES);
  }

  /** @throws RangeError when the arena is exhausted */
  take(bytes: number): number {
    return this.checked(this.kernel.arenaAllocate(bytes));
  }

  /** @throws RangeError for the null address */
  checked(address: number): number {
    if (address === 0) {
      throw new RangeError(
        `Cannot hold more books: the arena is exhausted, set nats.arena_bytes, was ${this.kernel.arenaUsed()} bytes used`,
      );
    }
    return address;
  }

  /** A replica of an instrument. @throws RangeError when the arena is exhausted */
  replica(instrumentId: number): number {
    const replica = this.checked(this.kernel.replicaCreate());
    this.memory.setUint32(replica + REPLICA_INSTRUMENT_ID, instrumentId, true);
    return replica;
  }

  /** A replica's book as snapshot frames; it must follow and stand at the end of an event. */
  snapshotFrames(replica: number): Uint8Array[] {
    const frames: Uint8Array[] = [];
    this.memory.setUint32(replica + REPLICA_NEXT_LEVEL, 0, true);
    do {
      const length = this.kernel.snapshotEncode(replica, this.#frame, FRAME_BYTES);
      if (length === 0) {
        throw new RangeError(`Cannot encode a snapshot: no progress, was frame ${frames.length}`);
      }
      frames.push(this.bytes.slice(this.#frame, this.#frame + length));
    } while (this.memory.getUint32(replica + REPLICA_NEXT_LEVEL, true) !== NO_MORE_LEVELS);
    return frames;
  }

  /** Puts a frame of somebody else where the kernel can read it. @param frame of FRAME_BYTES at most @returns its address */
  placeFrame(frame: Uint8Array): number {
    this.bytes.set(frame.subarray(0, FRAME_BYTES), this.#frameIn);
    return this.#frameIn;
  }

  /** Puts a delta record where the kernel can read it. @returns its address */
  placeRecord(record: Uint8Array): number {
    this.bytes.set(record, this.deltas);
    return this.deltas;
  }
}

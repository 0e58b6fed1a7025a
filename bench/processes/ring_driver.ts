/**
 * A kernel with the loops of benchmarks compiled into it (assembly/bench), so that a record's cost is measured without a
 * call from JavaScript for each. Bad case: benchmarks that were not built; the error says how.
 */
import { readAsset } from "../../src/assets.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import type { MemoryMap } from "../../src/segment/memory_map.ts";

const ARENA_BYTES = 32 * 1024 * 1024;

/** The loops. Addresses are those of the linear memory. */
export type RingDriver = {
  /** @param at address of the sleepers' ticket */
  readonly ringWaiting: (at: number) => void;
  /**
   * Writes records and publishes them in batches; ends early when somebody sleeps.
   * @param count a multiple of `batch`
   * @returns records published
   */
  readonly ringFill: (count: number, batch: number) => number;
  /**
   * Polls `polls` times and verifies what comes, telling the page.
   * @param version of the record before the cursor @param answers 1 = with a record of our own for every poll
   * @returns version of the last record
   */
  readonly ringFollow: (
    reader: number,
    out: number,
    limit: number,
    version: number,
    page: number,
    polls: number,
    answers: number,
  ) => number;
  /**
   * Round trips of a record, spinning.
   * @param version of the record before the cursor @param idle polls in vain after which it gives up
   * @returns answers that came whole
   */
  readonly ringTrips: (reader: number, out: number, count: number, version: number, idle: number) => number;
  /**
   * Parses every decimal token of a table.
   * @param table of address and length, four bytes each @param out DECIMAL_BYTES
   * @returns tokens that are no decimals
   */
  readonly parseTokens: (table: number, count: number, out: number) => number;
};

/** The encoder without the book around it. */
export type CodecDriver = {
  /** Writes the best bid and ask of a replica's book. @param out two i64 */
  readonly codecReferences: (replica: number, out: number) => void;
  /**
   * Encodes the records of one event as a frame, which lies at REPLICA_FRAME_ADDRESS.
   * @param references best bid and ask before it @returns bytes
   */
  readonly codecEncode: (replica: number, records: number, count: number, references: number) => number;
};

let compiled: WebAssembly.Module | undefined;

/** A kernel with its loops. @param owner names its arena */
export function addDriver(map: MemoryMap, owner: string): Kernel & RingDriver & CodecDriver {
  compiled ??= new WebAssembly.Module(readAsset("kernel_bench.wasm"));
  const kernel = loadKernel({ name: "wasm", memory: map.memory, wasmBytes: compiled });
  const arena = map.reserve(owner, { bytes: ARENA_BYTES });
  kernel.arenaInit(arena.address, arena.bytes);
  // The loader hands out every function that the module exports.
  return kernel as Kernel & RingDriver & CodecDriver;
}

/** The words by which the garbage benchmark's processes are started and talk. Bad case: none, these are types and names. */

/** `exchange` feeds sockets; `memory` feeds the kernel from memory, `sockets` is a collector on the exchange's socket. */
export type GarbageRole = "exchange" | "memory" | "sockets";

/**
 * What is wanted: `count`: allocations per frame, in windows without any collection, for which the young generation is
 * made large; `live`: pauses and heap, as a collector runs, at the rate that is asked for.
 */
export type GarbageMode = "count" | "live";

/** To a process that measures. */
export type GarbageOrder = {
  readonly mode: GarbageMode;
  /** Of the exchange. */
  readonly port: number;
  readonly perSecond: number;
  /** Windows to measure; of `live` each is a second. */
  readonly windows: number;
  /** Frames of a window of `count`. */
  readonly framesPerWindow: number;
};

/** One window. */
export type GarbageWindow = {
  readonly frames: number;
  readonly seconds: number;
  /** Allocated on the heap, of `count`; grown, of `live`. */
  readonly heapBytes: number;
  /** Buffers beside the heap, as above. */
  readonly externalBytes: number;
  readonly heapUsed: number;
  /** Longest pause of the collector, ms; 0 when there was none. */
  readonly pauseMs: number;
  readonly collections: number;
  /** Time that the measuring thread was ready to run and had no processor, ms; 0 where the system does not tell. */
  readonly waitedMs: number;
  /** Share of the machine's CPU time that the hypervisor gave to others. */
  readonly stolen: number;
};

/** What was measured. */
export type GarbageReport = {
  readonly windows: GarbageWindow[];
  /** Allocations per frame of the path by the sync, from memory, when that was measured as well. */
  readonly syncBytes: number[];
  readonly levels: number;
  /** Live heap after a full collection, before and after. */
  readonly heapBefore: number;
  readonly heapAfter: number;
  /** Whether the thread ran before all others, as `live` wants it. */
  readonly isFirst: boolean;
};

/** From a process. */
export type GarbageAnswer =
  | { readonly answer: "listening"; readonly port: number }
  | { readonly answer: "measured"; readonly report: GarbageReport }
  | { readonly answer: "failed"; readonly reason: string };

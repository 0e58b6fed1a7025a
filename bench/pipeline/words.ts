/** The words by which the pipeline benchmark's processes are started and talk. Bad case: none, these are types and names. */

/** First argument of a process of this benchmark; the second is its role. */
export const PIPELINE_WORD = "pipeline-process";

/** Second argument: the exchange and the client in one thread, a side that is measured, or the bare pipe's worker. */
export const ROLES = { load: "load", bare: "bare", stack: "stack", bareWorker: "bare-worker" } as const;

/**
 * What stands between the exchange's socket and the client's: `serve` as it is run; the same transports and threads
 * without any work; and one thread of `ws`, JSON.parse, Map and JSON.stringify.
 */
export const SIDES = ["ours", "bare pipe", "JSON stack"] as const;
/** A side. */
export type SideName = (typeof SIDES)[number];

/** The instrument, as the exchange calls it. */
export const NATIVE = "BTC-USD";
/** As this project does. */
export const INSTRUMENT = `coinbase_exchange:${NATIVE}`;

/** What a burst showed. Times in µs from the intended sending of a frame until the client's socket gave the last byte of it. */
export type BurstResult = {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** How late the generator itself was. */
  readonly sendP99: number;
  /** Frames over the time from the first intended sending to the last arrival. */
  readonly perSecond: number;
  readonly messages: number;
  readonly bytes: number;
};

/** To the load. */
export type LoadOrder =
  /** Opens an exchange that a side can connect to. */
  | { readonly order: "exchange"; readonly side: SideName }
  /** Connects the client to a side that follows its exchange. */
  | { readonly order: "join"; readonly side: SideName; readonly port: number }
  | { readonly order: "burst"; readonly side: SideName; readonly frames: number; readonly perSecond: number };

/** From the load. */
export type LoadAnswer =
  | { readonly answer: "exchange"; readonly port: number; readonly source: string; readonly frameBytes: number }
  | { readonly answer: "joined" }
  | ({ readonly answer: "done" } & BurstResult)
  | { readonly answer: "failed"; readonly reason: string };

/** From a side that this benchmark itself plays. */
export type SideAnswer =
  | { readonly answer: "listening"; readonly port: number; readonly pid: number }
  | { readonly answer: "failed"; readonly reason: string };

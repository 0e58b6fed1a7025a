/** What a page and the worker that does its client's work tell each other. */
import type { ClientCounts, ClientEvent } from "./events.ts";
import type { SocketState, SocketTiming } from "./socket.ts";
import type { Asker, Request } from "./subscriptions.ts";
import type { Expected } from "./view_slot.ts";

/** Settings that can be sent to a worker. */
export type WorkerSettings = {
  readonly form: "binary" | "json";
  readonly isVerified: boolean;
  readonly timing: SocketTiming;
};

/** Page to worker. */
export type PageMessage =
  | { readonly act: "connect"; readonly url: string; readonly settings: WorkerSettings }
  | { readonly act: "add" | "remove"; readonly request: Request; readonly asker: Asker }
  | { readonly act: "list" | "close" };

/** Low and high word of a u64. */
export type Words = readonly [low: number, high: number];

/** Prices and quantities by turns; BigInts when a value needs more than 53 bits. */
export type LevelNumbers = Float64Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;

/** How one view of the worker's stands, and what changed in it since the batch before. */
export type MirrorBook = {
  readonly instrument: string;
  readonly depth: number;
  readonly rateMs: number;
  readonly hasBook: boolean;
  readonly expected: Expected;
  /** Records applied since the batch before; undefined when only the state may be another. */
  readonly records: number | undefined;
  /** The levels are the whole book, best first; otherwise those that were set, 0 = removed. */
  readonly isWhole: boolean;
  readonly bids: LevelNumbers;
  readonly asks: LevelNumbers;
  readonly version: Words;
  readonly provedVersion: Words;
  readonly eventAt: Words;
  readonly receivedAt: Words;
  readonly flags: number;
  readonly hash: number;
  readonly priceExponent: number;
  readonly quantityExponent: number;
};

/** Worker to page: everything since the batch before. */
export type Batch = {
  readonly state: SocketState;
  readonly counts: ClientCounts;
  /** All but `book` events, which follow from `books`. */
  readonly events: readonly ClientEvent[];
  readonly books: readonly MirrorBook[];
};

/**
 * What a reader of segments is asked and what it answers, as types.
 * Bad case: none of its own.
 */
import type { KernelName } from "../kernel/kernel.ts";
import type { StateWord } from "../model/states.ts";
import type { BookLevel, SegmentInstrument } from "./events.ts";

/** Where reading begins. */
export type ReadFrom = "tail" | "oldest" | "image";

/** How to read. */
export type OpenOptions = {
  /** Where segment files stand; default: the environment's, else /dev/shm/alphapulse. */
  readonly directory?: string;
  /** `tail`: what is published from now on · `oldest`: all that the rings still hold · `image`: whole books, then their changes. Default tail. */
  readonly from?: ReadFrom;
  /** Default wasm. */
  readonly kernel?: KernelName;
  /** For books and scratch. Default 256 MiB, of which only what is used is taken from the system. */
  readonly arenaBytes?: number;
  /** A producer that was silent for so long is stale. Default 400. */
  readonly staleMs?: number;
  /** Shown by `alphapulse inspect`. */
  readonly name?: string;
  /** Records read from a ring at once. Default 256. */
  readonly batchRecords?: number;
};

/** Best bid, best ask and last trade. Prices and quantities as exact decimal text. */
export type Top = {
  readonly instrument: SegmentInstrument;
  /** The book is known to be right and its producer lives. */
  readonly isSynced: boolean;
  /**
   * `stale`: its producer gives no signs of life · `busy`: it stands still in the middle of a write; prices, quantities
   * and version are those that this reader saw last, if it saw any.
   */
  readonly state: StateWord | "stale" | "busy" | "unknown";
  /** Of the book; 0 = none was seen yet. */
  readonly version: bigint;
  readonly bid: { readonly price: string; readonly quantity: string } | undefined;
  readonly ask: { readonly price: string; readonly quantity: string } | undefined;
  readonly trade: { readonly price: string; readonly quantity: string; readonly atNs: bigint } | undefined;
  readonly eventAtNs: bigint;
  readonly receivedAtNs: bigint;
};

/** A whole book, verified by its hash. */
export type SegmentBook = {
  readonly instrument: SegmentInstrument;
  /** The book is known to be right and its producer lives. */
  readonly isSynced: boolean;
  readonly version: bigint;
  readonly hash: number;
  readonly eventAtNs: bigint;
  /** Levels outside are not asserted by the exchange; undefined = all are. */
  readonly knownRange: { readonly lowTicks: bigint; readonly highTicks: bigint } | undefined;
  /** Best first. */
  readonly bids: readonly BookLevel[];
  readonly asks: readonly BookLevel[];
};

/**
 * What a peer is to the benchmark: a program of somebody else that gets the same frames, at the settings that its own
 * documentation gives for the best speed, and from which the same books are checked out at the end.
 * Bad case: a peer that has no decoder for a format; it is named with its reason instead of being left out.
 */
import type { ExchangeId } from "../../src/model/exchange_id.ts";
import type { PlainLevel } from "../ring_check.ts";

/** Both sides of a book, in the order in which they are looked at. */
export const BOOK_SIDES = ["bids", "asks"] as const;

/** One side of a book. */
export type BookSide = (typeof BOOK_SIDES)[number];

/** A frame that holds a whole book; `native` is set when it is the body of a REST answer for that symbol. */
export type PeerSnapshot = { readonly text: string; readonly native: string | undefined };

/** What a peer is set up for. */
export type PeerStream = {
  readonly exchange: ExchangeId;
  /** Native and canonical symbols, e.g. `BTCUSDT` and `BTC-USDT`. */
  readonly symbols: readonly { readonly native: string; readonly canonical: string }[];
  readonly snapshots: readonly PeerSnapshot[];
};

/** A peer on one stream. */
export interface Peer {
  /** e.g. `tardis-dev`. */
  readonly name: string;
  /** As installed, e.g. `13.35.3`. */
  readonly version: string;
  /** In words: what it is given and which of its settings are used. */
  readonly settings: string;
  /** Not timed: brings every book back to its snapshot. */
  reset(): void;
  /** Timed: every frame in order. @returns frames that it refused */
  run(texts: readonly string[]): number;
  /** One side of a book, best first. @param native symbol */
  levels(native: string, side: BookSide): PlainLevel[];
}

/** Why there is no such peer on a stream. */
export type MissingPeer = { readonly name: string; readonly missing: string };

/** Kraken's version 1 sends arrays, version 2 objects. */
export function isArrayProtocol({ snapshots }: PeerStream): boolean {
  return snapshots[0]?.text.startsWith("[") ?? false;
}

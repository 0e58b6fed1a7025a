/**
 * A book as the gateway holds it, for programs that run it. Bad case: taking levels of a book that is not synced for right;
 * `synced` says it.
 */
import { SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import type { JsonLevel } from "../wire/protocol.ts";
import type { ServedInstrument } from "./instrument.ts";

/** A book as the gateway holds it. */
export type GatewayBook = {
  /** The producer's word and this replica's: only then the levels are known to be right. */
  readonly synced: boolean;
  readonly version: string;
  readonly hash: number;
  /** Exchange clock and our clock at the socket of the last event, Unix ns, decimal; "0" = unknown. */
  readonly eventAtNs: string;
  readonly receivedAtNs: string;
  readonly bidLevels: number;
  readonly askLevels: number;
  readonly bids: JsonLevel[];
  readonly asks: JsonLevel[];
};

/** Reads the book of an instrument, `depth` levels a side; undefined when it has no book. */
export function readGatewayBook(instrument: ServedInstrument, depth: number): GatewayBook | undefined {
  if (!instrument.book.isReady) {
    return undefined;
  }
  const { replica } = instrument.book;
  return {
    synced: instrument.isSynced,
    version: String(replica.version),
    hash: replica.hash,
    ...replica.times,
    bidLevels: replica.count(SIDE_BID),
    askLevels: replica.count(SIDE_ASK),
    bids: replica.levels(SIDE_BID, depth),
    asks: replica.levels(SIDE_ASK, depth),
  };
}

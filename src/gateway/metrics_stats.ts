/**
 * What delta compression does for one instrument, with the honest baselines beside it. All figures are of one period: since
 * this gateway serves the instrument. Bad case: nothing was sent or received yet; a ratio is then 0, never infinite.
 */
import { DELTA_BYTES, TRADE_BYTES } from "../../assembly/layout.ts";
import type { ServedInstrument } from "./instrument.ts";

/** Counts, bytes and ratios of one instrument. */
export type DeltaStats = {
  /** `exchange:BASE-QUOTE` */
  readonly instrument: string;
  /** Book messages of the exchange without snapshots, and the frames of it that named this instrument (trades and heartbeats included). */
  readonly updates: number;
  readonly frames: number;
  /** Levels that changed. */
  readonly changes: number;
  readonly changesPerUpdate: number;
  /** Delta records in shared memory. */
  readonly records: number;
  /** Bytes of the frames from the exchange, snapshots left out, as on the wire. */
  readonly exchangeBytes: number;
  /** If each update had re-sent the whole book, 16 bytes a level. */
  readonly wholeBookBytes: number;
  /** Delta and trade records. */
  readonly recordBytes: number;
  /** Of the binary stream, one client, every level and the trades somebody wanted, WebSocket headers included, snapshots not. */
  readonly wireBytes: number;
  /** Bytes of a baseline ÷ bytes of ours. */
  readonly ratios: {
    readonly exchangeToWire: number;
    readonly wholeBookToWire: number;
    readonly exchangeToRecords: number;
    readonly wholeBookToRecords: number;
  };
  /** Exchange → published of the last update, clock offset taken off; undefined = unknown. */
  readonly latencyNs: number | undefined;
  readonly gaps: number;
  readonly snapshots: number;
};

/** Reads the figures of an instrument. Cost: some loads from shared memory. */
export function deltaStatsOf({ name, book, trades, tally }: ServedInstrument): DeltaStats {
  const { updates, frames, frameBytes, snapshotBytes, changes, records, wholeBookBytes, gaps, snapshots } =
    tally.read();
  const exchangeBytes = frameBytes - snapshotBytes;
  const wireBytes = book.output.encodedBytes + trades.encodedBytes;
  const recordBytes = records * DELTA_BYTES + trades.count * TRADE_BYTES;
  return {
    instrument: name.instrument,
    updates,
    frames,
    changes,
    changesPerUpdate: quotient(changes, updates),
    records,
    exchangeBytes,
    wholeBookBytes,
    recordBytes,
    wireBytes,
    ratios: {
      exchangeToWire: quotient(exchangeBytes, wireBytes),
      wholeBookToWire: quotient(wholeBookBytes, wireBytes),
      exchangeToRecords: quotient(exchangeBytes, recordBytes),
      wholeBookToRecords: quotient(wholeBookBytes, recordBytes),
    },
    latencyNs: tally.latencyNs,
    gaps,
    snapshots,
  };
}

function quotient(dividend: number, divisor: number): number {
  return divisor > 0 ? dividend / divisor : 0;
}

/**
 * What the gateway's thread hands to the thread that renders metrics: what it alone knows, as numbers; whatever stands in shared
 * memory is read there. Plain values only, they are copied.
 * Bad case: thousands of instruments; their figures travel as one array of numbers, and their names only when one was added.
 */
import type { ClientStateWord, ConnectionWord } from "../wire/protocol.ts";
import type { HopWord } from "../wire/statistics.ts";
import type { Refusal } from "./access.ts";
import type { BrokerSample } from "./metrics_broker.ts";

/** Columns of an instrument's row. */
export const INSTRUMENT_COLUMNS = [
  "isSynced",
  "bids",
  "asks",
  "wireBytes",
  "exchangeBytes",
  "wholeBookBytes",
  "recordBytes",
  "failedChain",
  "failedHash",
  "failedInconsistent",
  "failedImage",
  "failedLimits",
  "toldChain",
  "toldHash",
  "toldInconsistent",
  "toldMalformed",
  "toldExponents",
] as const;
/** A column. */
export type InstrumentColumn = (typeof INSTRUMENT_COLUMNS)[number];

/** A segment as the gateway consumes it. */
export type SegmentSample = {
  readonly address: number;
  readonly isUp: boolean;
  readonly connection: ConnectionWord;
  readonly instruments: number;
  readonly synced: number;
  /** Records published that were not read yet. */
  readonly behind: { readonly deltas: number; readonly trades: number };
  /** Records lost by laps. */
  readonly lost: { readonly deltas: number; readonly trades: number };
  readonly joins: number;
  readonly joinFailures: number;
  /** Readers in other processes; undefined = not known here. */
  readonly readers: number | undefined;
};

/** Where the histograms of an exchange's hops in this gateway stand. */
export type HopSample = { readonly exchange: string; readonly publishedRead: number; readonly readSent: number };

/** Recent quantiles of one hop, in the order of QUANTILES. */
export type RecentSample = {
  readonly exchange: string;
  readonly hop: HopWord;
  readonly quantilesNs: readonly number[];
};

/** The gateway itself. */
export type GatewaySample = {
  readonly uptimeMs: number;
  readonly kernel: string;
  readonly transport: string;
  readonly server: string;
  readonly clients: Readonly<Record<ClientStateWord, number>>;
  readonly backlogBytes: number;
  readonly backlogBytesMax: number;
  readonly totals: Readonly<
    Record<
      | "bytesIn"
      | "bytesOut"
      | "framesOut"
      | "wireFrames"
      | "slowTimes"
      | "conflatedUpdates"
      | "resumes"
      | "resets"
      | "protocolErrors",
      number
    >
  >;
  readonly drops: Readonly<Record<ClientStateWord, number>>;
  readonly refusals: Readonly<Record<Refusal, number>>;
  readonly heapUsedBytes: number;
  /** Addresses of the histograms of this thread; 0 = it is not watched. */
  readonly pauses: number;
  readonly delays: number;
};

/** Since start, and how many are open. */
export type ArbitrageSample = Readonly<Record<string, number>>;

/** All of it. */
export type MetricsSample = {
  readonly gateway: GatewaySample;
  readonly segments: readonly SegmentSample[];
  readonly hops: readonly HopSample[];
  readonly recent: readonly RecentSample[];
  /** `exchange:BASE-QUOTE` in the order of the rows; undefined = as before. */
  readonly names: readonly string[] | undefined;
  /** INSTRUMENT_COLUMNS for each name. */
  readonly rows: Float64Array<ArrayBuffer>;
  /** Undefined = it is not looked for. */
  readonly arbitrage: ArbitrageSample | undefined;
  /** Undefined = segments are read. */
  readonly broker?: BrokerSample | undefined;
};

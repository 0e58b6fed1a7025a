/**
 * What deltas cost and save, measured: for each instrument the producer's counters and the gateway's own since the moment
 * at which both were there, so that every figure is of the same events. REST and metrics tell these figures.
 * Bad case: another producer, after a restart or a rescale; its counters begin at nothing, so the time begins anew.
 */
import { DELTA_BYTES, TRADE_BYTES } from "../../../assembly/layout.ts";
import type { DeltaFigures } from "../../rest/delta_schemas.ts";
import type { AnswerOf } from "../../rest/operations.ts";
import { type InstrumentCounters, SegmentMetrics } from "../../segment/metrics.ts";
import type { Binding, ServedInstrument } from "../instrument.ts";
import { namesOf } from "./market_answers.ts";

const US_PER_MS = 1000;
const NS_PER_US = 1000;
const COUNTED = ["updates", "changes", "records", "trades", "exchange", "wholeBook", "wire"] as const;

/** Totals of one instrument, or sums of several. */
type Totals = Record<(typeof COUNTED)[number], number>;
type Beginning = { readonly binding: Binding; readonly totals: Totals; readonly atMs: number };

/** The windows of all instruments of one gateway. */
export class DeltaWindows {
  readonly #buffer: ArrayBufferLike;
  readonly #now: () => number;
  readonly #beginnings = new WeakMap<ServedInstrument, Beginning>();
  readonly #metrics = new WeakMap<object, SegmentMetrics>();

  /** @param buffer of the memory that the segments lie in @param now Unix ms */
  constructor(buffer: ArrayBufferLike, now: () => number) {
    this.#buffer = buffer;
    this.#now = now;
  }

  /** Begins the windows of instruments that are followed now. To be called often: a window begins when this sees it. */
  keep(instruments: Iterable<ServedInstrument>): void {
    for (const instrument of instruments) {
      const { binding } = instrument;
      if (binding !== undefined && this.#beginnings.get(instrument)?.binding !== binding) {
        const totals = this.#totals(instrument, binding);
        if (totals !== undefined) {
          this.#beginnings.set(instrument, { binding, totals, atMs: this.#now() });
        }
      }
    }
  }

  /** One instrument. */
  stats(instrument: ServedInstrument): AnswerOf<"getDeltaStats"> {
    const window = this.#window(instrument);
    const { binding } = instrument;
    const latency = binding && this.#metricsOf(binding)?.latencyNs(binding.index);
    return {
      ...namesOf(instrument),
      since_ns: sinceNs(window?.atMs),
      ...figuresOf(window?.totals),
      last_update_latency_us: latency === undefined ? null : latency / NS_PER_US,
    };
  }

  /** All of them together, and by exchange. */
  summary(instruments: readonly ServedInstrument[]): AnswerOf<"getDeltaSummary"> {
    const windows = instruments.flatMap((instrument) => {
      const window = this.#window(instrument);
      return window === undefined ? [] : [{ ...window, exchange: instrument.name.exchange }];
    });
    const begun = windows.map(({ atMs }) => atMs);
    const exchanges = [...new Set(windows.map(({ exchange }) => exchange))];
    return {
      instruments: windows.length,
      since_ns: sinceNs(begun.length === 0 ? undefined : Math.min(...begun)),
      ...figuresOf(sumOf(windows.map(({ totals }) => totals))),
      by_exchange: exchanges.map((exchange) => {
        const own = windows.filter((window) => window.exchange === exchange);
        return { exchange, instruments: own.length, ...figuresOf(sumOf(own.map(({ totals }) => totals))) };
      }),
    };
  }

  /** What the producer counts for an instrument since it has it; undefined when it counts nothing. */
  counters({ binding }: ServedInstrument): InstrumentCounters | undefined {
    return binding && this.#metricsOf(binding)?.counters(binding.index);
  }

  #window(instrument: ServedInstrument): { totals: Totals; atMs: number } | undefined {
    const beginning = this.#beginnings.get(instrument);
    if (beginning === undefined || beginning.binding !== instrument.binding) {
      return undefined;
    }
    const present = this.#totals(instrument, beginning.binding);
    return present && { totals: mapTotals((name) => present[name] - beginning.totals[name]), atMs: beginning.atMs };
  }

  #totals({ book, trades }: ServedInstrument, binding: Binding): Totals | undefined {
    const counters = this.#metricsOf(binding)?.counters(binding.index);
    return (
      counters && {
        updates: counters.updates,
        changes: counters.changes,
        records: counters.records,
        trades: trades.count,
        // Snapshots are on neither side: those on the wire are sent to whoever begins.
        exchange: counters.frameBytes - counters.snapshotBytes,
        wholeBook: counters.wholeBookBytes,
        wire: book.output.encodedBytes + trades.encodedBytes,
      }
    );
  }

  #metricsOf({ segment }: Binding): SegmentMetrics | undefined {
    const known = this.#metrics.get(segment) ?? SegmentMetrics.of(this.#buffer, segment);
    if (known !== undefined) {
      this.#metrics.set(segment, known);
    }
    return known;
  }
}

/** The figures of an answer. @param totals undefined = nothing is counted */
function figuresOf(totals: Totals | undefined): DeltaFigures {
  const known = (name: keyof Totals) => totals?.[name] ?? null;
  const records = totals && totals.records * DELTA_BYTES + totals.trades * TRADE_BYTES;
  const exchangeToWire = quotient(totals?.exchange, totals?.wire);
  return {
    total_deltas_processed: known("updates"),
    total_changes: known("changes"),
    total_records: known("records"),
    avg_changes_per_update: quotient(totals?.changes, totals?.updates),
    bytes: {
      exchange: known("exchange"),
      whole_book: known("wholeBook"),
      records: records ?? null,
      wire: known("wire"),
    },
    ratios: {
      exchange_to_wire: exchangeToWire,
      exchange_to_records: quotient(totals?.exchange, records),
      whole_book_to_wire: quotient(totals?.wholeBook, totals?.wire),
      whole_book_to_records: quotient(totals?.wholeBook, records),
    },
    compression_ratio: exchangeToWire,
    bandwidth_saved_bytes: totals === undefined ? null : totals.exchange - totals.wire,
  };
}

function quotient(dividend: number | undefined, divisor: number | undefined): number | null {
  return dividend === undefined || divisor === undefined || divisor === 0 ? null : dividend / divisor;
}

function sumOf(all: readonly Totals[]): Totals | undefined {
  return all.length === 0 ? undefined : mapTotals((name) => all.reduce((sum, totals) => sum + totals[name], 0));
}

function mapTotals(make: (name: keyof Totals) => number): Totals {
  return Object.fromEntries(COUNTED.map((name) => [name, make(name)])) as Totals;
}

function sinceNs(atMs: number | undefined): string {
  return atMs === undefined ? "0" : (BigInt(Math.round(atMs * US_PER_MS)) * BigInt(NS_PER_US)).toString();
}

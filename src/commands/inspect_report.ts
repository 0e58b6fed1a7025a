/**
 * What `inspect` knows about one segment, as plain values. Bad case: garbage in the advisory readers file; it is shown as
 * it stands, a reader's distance never below zero.
 */
import {
  CELL_FLAG_ASK,
  CELL_FLAG_BID,
  COUNTER_CHANGES,
  COUNTER_FRAMES,
  COUNTER_GAPS,
  COUNTER_RECONNECTS,
  COUNTER_RECORDS,
  COUNTER_RESYNCS,
  COUNTER_TRADES,
  HEADER_IMAGES_USED,
  STATE_RETIRED,
} from "../../assembly/layout.ts";
import {
  type Attachment,
  READERS_BYTES,
  type ReaderSlot,
  readSlots,
  type SegmentCondition,
  segmentAgeMs,
} from "../mapping/mod.ts";
import { ASSURANCE_WORDS, REASON_WORDS, STATE_WORDS, TRADING_WORDS, wordOf } from "../model/states.ts";
import type { MemoryMap } from "../segment/memory_map.ts";
import type { InstrumentEntry, SegmentView } from "../segment/view.ts";
import { decimalText } from "../wire/numbers.ts";

const RATES = {
  frames: COUNTER_FRAMES,
  records: COUNTER_RECORDS,
  changes: COUNTER_CHANGES,
  trades: COUNTER_TRADES,
} as const;
const TOTALS = { gaps: COUNTER_GAPS, resyncs: COUNTER_RESYNCS, reconnects: COUNTER_RECONNECTS } as const;
const KIND_WORDS: Readonly<Record<number, string>> = { 1: "node", 2: "gateway", 3: "python" };

/** Counters at a moment. */
export type Counts = { readonly atMs: number; readonly counts: Readonly<Record<keyof typeof RATES, number>> };

/** An instrument as it stands in the table. */
export type InstrumentReport = {
  readonly id: number;
  readonly instrument: string;
  readonly native: string;
  readonly state: string;
  readonly reason: string;
  readonly assurance: string;
  readonly trading: string;
  readonly sinceNs: string;
  readonly version: string;
  readonly bid: string | undefined;
  readonly ask: string | undefined;
};

/** A reader as it says of itself. */
export type ReaderReport = {
  readonly pid: number;
  readonly kind: string;
  readonly name: string;
  readonly isWaiting: boolean;
  readonly ageMs: number;
  /** Records that may be published before this reader is overtaken; undefined when it reads another epoch. */
  readonly lapMargin: number | undefined;
  readonly lost: number;
  readonly laps: number;
};

/** How a segment does; `dead`: it outlived its producer. */
export type ReportedCondition = SegmentCondition | "dead";

/** A segment. */
export type SegmentReport = {
  readonly segment: string;
  readonly exchange: string;
  readonly condition: ReportedCondition;
  readonly heartbeatAgeMs: number;
  readonly pid: number;
  readonly epoch: string;
  readonly layout: number;
  readonly bytes: number;
  readonly imageBytesUsed: number;
  readonly deltaCapacity: number;
  readonly deltaTail: number;
  readonly tradeTail: number;
  readonly perSecond: Readonly<Record<keyof typeof RATES, number>>;
  readonly totals: Readonly<Record<keyof typeof TOTALS, number>>;
  readonly instruments: readonly InstrumentReport[];
  readonly readers: readonly ReaderReport[];
};

/** The counters that rates are made of. */
export function takeCounts({ view }: Attachment): Counts {
  return { atMs: performance.now(), counts: mapValues(RATES, (counter) => view.counter(counter)) };
}

/** Everything about a segment. @param options.before counters taken a while ago */
export function describeSegment(
  { file, view, readers }: Attachment,
  { map, before, condition }: { map: MemoryMap; before: Counts; condition: ReportedCondition },
): SegmentReport {
  const { header } = view;
  const seconds = Math.max(0.001, (performance.now() - before.atMs) / 1000);
  const nowNs = process.hrtime.bigint();
  const slots = readers === 0 ? [] : readSlots(new DataView(map.memory.buffer, readers, READERS_BYTES));
  const memory = new DataView(map.memory.buffer, view.address);
  return {
    segment: file.name,
    exchange: header.exchange,
    condition,
    heartbeatAgeMs: Math.round(segmentAgeMs(view, nowNs)),
    pid: header.pid,
    epoch: header.epoch.toString(),
    layout: header.layoutVersion,
    bytes: header.segmentBytes,
    imageBytesUsed: Number(memory.getBigUint64(HEADER_IMAGES_USED, true)),
    deltaCapacity: header.deltaCapacity,
    deltaTail: view.deltaTail,
    tradeTail: view.tradeTail,
    perSecond: mapValues(RATES, (counter, name) => Math.round((view.counter(counter) - before.counts[name]) / seconds)),
    totals: mapValues(TOTALS, (counter) => view.counter(counter)),
    instruments: view.instruments().flatMap((entry) => describeInstrument(view, entry)),
    readers: slots.map((slot) => describeReader(slot, view, nowNs)),
  };
}

function describeInstrument(view: SegmentView, entry: InstrumentEntry): InstrumentReport[] {
  if (entry.state === STATE_RETIRED || entry.retiredTo !== 0) {
    return [];
  }
  const top = view.topOfBook(entry.index);
  const price = (ticks: bigint | undefined, flag: number) =>
    ticks === undefined || ((top?.flags ?? 0) & flag) === 0 || !isExponent(entry.priceExponent)
      ? undefined
      : decimalText(ticks, entry.priceExponent);
  return [
    {
      id: entry.id,
      instrument: entry.canonical,
      native: entry.native,
      state: wordOf(STATE_WORDS, entry.state),
      reason: wordOf(REASON_WORDS, entry.reason),
      assurance: wordOf(ASSURANCE_WORDS, entry.assurance),
      trading: wordOf(TRADING_WORDS, entry.tradingStatus),
      sinceNs: entry.sinceNs.toString(),
      version: (top?.version ?? 0n).toString(),
      bid: price(top?.bidPrice, CELL_FLAG_BID),
      ask: price(top?.askPrice, CELL_FLAG_ASK),
    },
  ];
}

function describeReader(slot: ReaderSlot, view: SegmentView, nowNs: bigint): ReaderReport {
  const isHere = slot.epoch === view.header.epoch;
  return {
    pid: slot.pid,
    kind: KIND_WORDS[slot.kind] ?? "unknown",
    name: slot.name,
    isWaiting: slot.isWaiting,
    ageMs: Math.round(Number(nowNs - slot.heartbeatNs) / 1e6),
    lapMargin: isHere ? Math.max(0, slot.deltaCursor + view.header.deltaCapacity - view.deltaTailIntent) : undefined,
    lost: slot.deltaLost + slot.tradeLost,
    laps: slot.laps,
  };
}

function isExponent(exponent: number): boolean {
  return exponent >= 0 && exponent <= 18;
}

function mapValues<Key extends string>(
  table: Readonly<Record<Key, number>>,
  toValue: (counter: number, name: Key) => number,
): Record<Key, number> {
  const entries = Object.entries(table) as [Key, number][];
  return Object.fromEntries(entries.map(([name, counter]) => [name, toValue(counter, name)])) as Record<Key, number>;
}

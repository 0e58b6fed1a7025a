/**
 * Why traffic should not be sent to a gateway: `/ready` and the system's health as REST tells it say the same reasons.
 * Bad case: what is well between two questions and was not in between; the counters tell of that, reasons do not.
 */
import type { ServedInstrument } from "./instrument.ts";
import { type BrokerSample, brokerReasons } from "./metrics_broker.ts";
import type { SegmentSource } from "./segment_source.ts";
import { connectionWord } from "./statistics.ts";

/** What is looked at. */
export type ReadinessGround = {
  /** Clients are being sent away. */
  readonly isDraining: boolean;
  /** Absent = segments are read. */
  readonly broker?: (() => BrokerSample) | undefined;
  readonly sources: readonly SegmentSource[];
  readonly instruments: Iterable<ServedInstrument>;
  /** Unix ms. */
  readonly nowMs: number;
};

/** What is not well, for people: of the gateway, the broker, segments and books, in this order; empty when all is. */
export function reasonsOf({ isDraining, broker, sources, instruments, nowMs }: ReadinessGround): string[] {
  const segments = sources
    .map((source) => ({ exchange: source.view.header.exchange, connection: connectionWord(source, nowMs) }))
    .filter(({ connection }) => connection !== "connected")
    .map(({ exchange, connection }) => `${exchange}: ${connection}`);
  const books = [...instruments]
    .filter((instrument) => !instrument.isSynced)
    .map((instrument) => `${instrument.name.instrument}: ${whyNotSynced(instrument)}`);
  return [
    ...(isDraining ? ["draining: this gateway stops"] : []),
    ...brokerReasons(broker),
    ...(sources.length === 0 ? ["no segment"] : []),
    ...segments,
    ...books,
  ];
}

function whyNotSynced(instrument: ServedInstrument): string {
  const { state, reason } = instrument.status();
  if (state !== "synced") {
    return reason === "none" ? state : `${state} (${reason})`;
  }
  return instrument.book.isReady ? "the last event is not synced" : "its book is being joined";
}

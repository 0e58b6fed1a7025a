/**
 * What the REST routes are made from, as narrow interfaces: they never see the gateway's core. Everything that is answered
 * is there already; no route waits for a segment, a disk or an exchange, but for changes of feeds.
 * Bad case: a book that is not synced; `book` says so with undefined, and nothing of it is ever answered.
 */
import type { AnswerOf } from "../../rest/operations.ts";
import type { Access } from "../access.ts";
import type { ArbitrageParts } from "../arbitrage.ts";
import type { ServedInstrument } from "../instrument.ts";
import type { GatewayLimits } from "../limits.ts";
import type { StaticFiles } from "../static_files.ts";
import type { FeedControl } from "./feed_control.ts";
import type { InstrumentDirectory } from "./instrument_lookup.ts";

/** Levels of one moment, to be sent one after the other: price and quantity, i64 each, best first. */
export type BookLevels = {
  readonly head: BookHead;
  readonly bids: DataView;
  readonly asks: DataView;
};

/** What is said of a book beside its levels. */
export type BookHead = Omit<AnswerOf<"getOrderBook">, "bids" | "asks">;

/** What the process of the gateway uses. Taken when asked. */
export type ProcessFigures = NonNullable<
  Extract<AnswerOf<"getHealth">["roles"][number], { role: "gateway" }>["process"]
>;
/** Quantiles of a duration, microseconds. */
export type QuantileFigures = Extract<
  AnswerOf<"getHealth">["roles"][number],
  { role: "gateway" }
>["event_loop_delay_us"];

/** What is known of the process that the gateway runs in; absent where time is not real. */
export interface ProcessProbe {
  figures(): ProcessFigures;
}

/** What the routes answer from. */
export interface RestParts {
  readonly instruments: InstrumentDirectory<ServedInstrument>;
  readonly access: Access;
  readonly limits: GatewayLimits;
  /** Files of the explorer, below `/explorer/`; undefined = it was not built. */
  readonly files: StaticFiles | undefined;
  readonly arbitrage: ArbitrageParts | undefined;
  /** Undefined = the collectors are other processes. */
  readonly feeds: FeedControl | undefined;
  /** Unix ms. */
  now(): number;
  exchanges(): AnswerOf<"listExchanges">;
  /** Undefined = it is not synced. @param depth levels a side */
  book(instrument: ServedInstrument, depth: number): AnswerOf<"getOrderBook"> | undefined;
  /** The whole book at this moment, copied; undefined = it is not synced. */
  fullBook(instrument: ServedInstrument): BookLevels | undefined;
  deltaStats(instrument: ServedInstrument): AnswerOf<"getDeltaStats">;
  deltaSummary(): AnswerOf<"getDeltaSummary">;
  health(): AnswerOf<"getHealth">;
  /** A request could not be answered by a fault of ours. */
  failed(path: string, error: unknown): void;
}

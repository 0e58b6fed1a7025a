/**
 * Answers about delta compression: what was received, what it became, and what else it could have cost.
 * All figures of one answer are of the same time: since this gateway began to follow the instrument's present producer.
 * Bad case: a ratio against re-sending whole books alone; it flatters, so the exchange's own bytes stand beside it, and
 * `compression_ratio` and `bandwidth_saved_bytes` are against those.
 */
import { z } from "zod";
import { amount, count, instrumentFields, knownCount, knownNumber, named, nanoseconds, ratio } from "./fields.ts";

const figures = {
  total_deltas_processed: knownCount.describe("Book messages of the exchange"),
  total_changes: knownCount.describe("Levels that changed"),
  total_records: knownCount.describe("Delta records"),
  avg_changes_per_update: amount.nullable().describe("total_changes ÷ total_deltas_processed"),
  bytes: named(
    "DeltaBytes",
    z
      .strictObject({
        exchange: knownCount.describe("Received from the exchange: whole JSON frames of book and trades"),
        whole_book: knownCount.describe("If every update had sent the whole book again, 16 bytes a level"),
        records: knownCount.describe("In shared memory: 256 bytes a delta record, 128 bytes a trade"),
        wire: knownCount.describe(
          "In the binary stream, WebSocket headers included, for one client of book and trades",
        ),
      })
      .describe("The same events in four forms"),
  ),
  ratios: named(
    "DeltaRatios",
    z
      .strictObject({
        exchange_to_wire: ratio,
        exchange_to_records: ratio,
        whole_book_to_wire: ratio,
        whole_book_to_records: ratio,
      })
      .describe("Quotients of the bytes; null while one of them is 0 or not known"),
  ),
  compression_ratio: ratio.describe("The same as ratios.exchange_to_wire"),
  bandwidth_saved_bytes: z.number().int().nullable().describe("bytes.exchange − bytes.wire; may be below 0"),
};

const measured = { since_ns: nanoseconds.describe("From when these figures count; 0 = nothing is counted") };

/** Answer: one instrument. */
export const deltaStatsSchema = named(
  "DeltaStats",
  z.strictObject({
    ...instrumentFields,
    ...measured,
    ...figures,
    last_update_latency_us: knownNumber.describe(
      "Exchange's clock → published, of the last update, the clock offset taken off; may be below 0 when clocks disagree",
    ),
  }),
);

/** Answer: all instruments together. */
export const deltaSummarySchema = named(
  "DeltaSummary",
  z.strictObject({
    instruments: count.describe("How many are counted here"),
    ...measured,
    ...figures,
    by_exchange: z.array(z.strictObject({ exchange: z.string(), instruments: count, ...figures })),
  }),
);

/** The figures that both have. */
export type DeltaFigures = Omit<z.output<typeof deltaSummarySchema>, "instruments" | "since_ns" | "by_exchange">;

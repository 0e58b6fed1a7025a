/**
 * Answers about the market: exchanges, instruments, order books, trades.
 * Bad case: prices as JSON numbers; here they are text with every digit that the exchange said.
 */
import { z } from "zod";
import {
  amount,
  connectionSchema,
  count,
  decimal,
  endpointSchema,
  exponentFields,
  instrumentFields,
  knownNumber,
  named,
  nanoseconds,
  quantilesSchema,
  quantity,
  statusFields,
  u32,
  u64Decimal,
} from "./fields.ts";

const shardSchema = z.strictObject({
  shard: count.describe("0 when there is one only"),
  epoch: u64Decimal.describe("Of the segment: another one after every start of the collector"),
  pid: count.describe("Process of the collector"),
  connection: connectionSchema,
  heartbeat_age_ms: z.number().describe("Since the collector's last sign of life"),
  instruments: count,
  synced: count,
  endpoints: z.array(endpointSchema).describe("In the order in which they are tried, REST last"),
});

const features = z
  .strictObject({
    sequence: z.boolean().describe("Every lost message shows by its number"),
    checksum: z.boolean().describe("Messages carry a checksum of the book, which is verified"),
    inferred: z.boolean().describe("Losses are found by trade ids, heartbeats, crossing and audits"),
    audit: z
      .enum(["sequence", "time", "content"])
      .nullable()
      .describe("Books can be compared with the exchange's REST; by what a REST book shows its age"),
    snapshot: z.enum(["in_band", "rest"]).nullable().describe("Where a book's first state comes from"),
    depths: z.array(count).describe("Levels a side that can be subscribed, 0 = all"),
  })
  .describe("What the exchange offers to show that a book is right");

const totals = named(
  "ExchangeTotals",
  z
    .strictObject({
      frames: count,
      bytes_in: count,
      records: count,
      book_updates: count,
      trades: count,
      checksum_ok: count,
      checksum_bad: count,
      gaps: count,
      resyncs: count,
      reconnects: count,
      decode_errors: count,
      lost: count.describe("Records that this gateway lost by being too slow"),
      replica_failures: count,
      client_failures: count,
    })
    .describe("Since the segments began"),
);

const exchangeSchema = named(
  "Exchange",
  z.strictObject({
    exchange: z.string(),
    title: z.string(),
    connection: connectionSchema,
    instruments: z.array(z.string()).describe("Canonical symbols"),
    synced: count,
    features,
    shards: z.array(shardSchema),
    rates: z
      .strictObject({
        frames_per_second: amount,
        bytes_in_per_second: amount,
        records_per_second: amount,
      })
      .describe("Over the last second or so"),
    totals,
    latency_us: z
      .strictObject({
        exchange_to_received: quantilesSchema.nullable().describe("By the exchange's clock, its offset taken off"),
        received_to_published: quantilesSchema.nullable(),
        decode: quantilesSchema.nullable().describe("A frame: decoded, applied, settled"),
        clock_offset: knownNumber.describe("Our clock minus the exchange's as far as it is proved, microseconds"),
      })
      .describe("Since the segments began; null = nothing was measured"),
  }),
);

/** Answer: all exchanges. */
export const exchangesSchema = named("Exchanges", z.strictObject({ exchanges: z.array(exchangeSchema) }));

/** An instrument as listed. */
export const instrumentSchema = named(
  "Instrument",
  z.strictObject({
    ...instrumentFields,
    ...statusFields,
    ...exponentFields,
    synced: z.boolean().describe("By the producer's word, and the gateway's book equals the producer's"),
    depth: u32.describe("Levels a side that the exchange sends, 0 = all"),
    version: u64Decimal.describe("Of the book"),
  }),
);

/** Answer: all instruments. */
export const instrumentsSchema = named("Instruments", z.strictObject({ instruments: z.array(instrumentSchema) }));

const levels = z
  .array(z.tuple([decimal.describe("Price"), quantity.describe("Quantity")]))
  .describe("Price and quantity, exact decimals, best first");

/** Answer: a book. */
export const orderBookSchema = named(
  "OrderBook",
  z
    .strictObject({
      ...instrumentFields,
      ...statusFields,
      ...exponentFields,
      state: z.literal("synced"),
      crossed: z.boolean().describe("Bids reach asks: an auction or a halt"),
      version: u64Decimal,
      hash: u32.describe("Of all levels, as PROTOCOL.md defines it"),
      event_at_ns: nanoseconds.describe("The last event, by the exchange's clock; 0 = unknown"),
      received_at_ns: nanoseconds.describe("The same by our clock, at the socket"),
      bid_levels: count.describe("Of the whole book"),
      ask_levels: count,
      bids: levels,
      asks: levels,
    })
    .describe("A synced book; another one is never sent"),
);

const tradeSchema = named(
  "Trade",
  z.strictObject({
    id: z.string().describe("The exchange's own"),
    price: decimal,
    quantity,
    aggressor: z.enum(["unknown", "buy", "sell"]).describe("The taker's side"),
    history: z.boolean().describe("It happened before the subscription"),
    gap_before: z.boolean().describe("Trades before it may be missing"),
    version: u64Decimal.describe("Counts the trades of the instrument"),
    book_version: u64Decimal.describe("Of the book when it was received"),
    event_at_ns: nanoseconds,
    received_at_ns: nanoseconds,
  }),
);

/** Answer: trades. */
export const tradesSchema = named(
  "Trades",
  z.strictObject({
    ...instrumentFields,
    ...statusFields,
    total: count.describe("Trades that this gateway has seen since it started"),
    trades: z.array(tradeSchema).describe("Latest first; those that are remembered"),
  }),
);

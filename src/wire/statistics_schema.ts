/**
 * The `stats` message as a strict schema; what its fields mean is written in statistics.ts.
 * Bad case: a rate that is not a number (a division by no time); JSON would make it null, which is refused here.
 */
import { z } from "zod";
import { amount, count, instrumentName } from "./fields.ts";
import { CLIENT_STATES, CONNECTION_WORDS, HOPS } from "./statistics.ts";

const gateway = z.strictObject({
  uptimeMs: amount,
  kernel: z.string(),
  transport: z.string(),
  clients: count,
  bytesInPerSecond: amount,
  bytesOutPerSecond: amount,
  framesOutPerSecond: amount.describe("Frames delivered per second, once per receiving client"),
  wireFramesPerSecond: amount.describe("Frames encoded per second, once per event batch"),
  slowClients: count.describe("Clients that are not live at this moment"),
  totals: z.strictObject({
    bytesIn: count,
    bytesOut: count,
    framesOut: count,
    slowTimes: count.describe("Times that a client was taken off its topics"),
    conflatedUpdates: count.describe("For slow clients and for resumes"),
    resumes: count.describe("Reconnects that went on where they had stopped"),
    resets: count,
    dropped: count,
    protocolErrors: count,
  }),
});

const client = z.strictObject({
  client: count.describe("Number of the connection since the gateway started, as in its log"),
  state: z.enum(CLIENT_STATES),
  sinceMs: amount.describe("Unix ms"),
  bufferedBytes: count,
  subscriptions: count,
  slowTimes: count,
  conflatedUpdates: count,
  resets: count,
  dropped: count,
  protocolErrors: count,
});

const hop = z
  .strictObject({
    hop: z.enum(HOPS),
    count: count.describe("Events, or frames for decode"),
    p50: amount,
    p95: amount,
    p99: amount,
    p999: amount,
    max: amount,
  })
  .describe("Microseconds, over the last 10 to 20 seconds");

const exchange = z.strictObject({
  exchange: z.string(),
  shard: count.describe("Shard of the exchange, 0 when there is one only"),
  connection: z.enum(CONNECTION_WORDS),
  framesPerSecond: amount,
  bytesInPerSecond: amount,
  recordsPerSecond: amount,
  instruments: count,
  synced: count,
  clockOffsetUs: z
    .number()
    .describe("Our clock minus the exchange's as far as it is proved; taken off exchange_received"),
  hops: z.array(hop).max(HOPS.length).describe("Those that something was measured of"),
  totals: z.strictObject({
    frames: count,
    bytesIn: count,
    records: count,
    bookUpdates: count,
    trades: count,
    checksumOk: count,
    checksumBad: count,
    gaps: count,
    resyncs: count,
    reconnects: count,
    decodeErrors: count,
    lost: count,
    replicaFailures: count,
    clientFailures: count,
  }),
});

const instrument = z.strictObject({
  instrument: instrumentName,
  updatesPerSecond: amount,
  tradesPerSecond: amount,
  wireBytesPerSecond: amount,
  replicaFailures: count,
  clientFailures: count,
});

/** Once a second to every subscriber of `stats`. */
export const statsSchema = z
  .strictObject({
    type: z.literal("stats"),
    atMs: amount.describe("Unix ms"),
    gateway,
    clients: z.array(client).max(10).describe("Those that fare worst, worst first"),
    exchanges: z.array(exchange),
    instruments: z.array(instrument),
  })
  .describe("Rates over the last second, payload bytes without headers");

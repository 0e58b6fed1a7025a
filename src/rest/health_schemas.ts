/**
 * The answer about the system: what runs, how it stands, what it uses.
 * Bad case: a balancer that reads it at every request; `/ready` is made for that.
 */
import { z } from "zod";
import {
  amount,
  connectionSchema,
  count,
  endpointSchema,
  instrumentFields,
  knownCount,
  named,
  quantilesSchema,
  statusFields,
  u64Decimal,
} from "./fields.ts";

const processSchema = z
  .strictObject({
    pid: count,
    cpu_user_seconds: amount,
    cpu_system_seconds: amount,
    cpu_share: amount.nullable().describe("Of one core, over the last second or so; null before that"),
    resident_bytes: count,
    heap_used_bytes: count,
    heap_total_bytes: count,
  })
  .describe("All threads of the gateway's process; collectors of the same process are part of it");

const gateway = z.strictObject({
  role: z.literal("gateway"),
  server: z.string(),
  kernel: z.string(),
  transport: z.string(),
  uptime_ms: count,
  process: processSchema.nullable().describe("null where nothing is measured"),
  event_loop_delay_us: quantilesSchema.nullable().describe("Lateness of a timer of this thread since it started"),
});

const collector = z.strictObject({
  role: z.literal("collector"),
  exchange: z.string(),
  shard: count,
  pid: count,
  connection: connectionSchema,
  heartbeat_age_ms: z.number(),
  uptime_ms: count.describe("Since its segment began"),
  endpoints: z.array(endpointSchema).describe("In the order in which they are tried, REST last; none if it tells none"),
  heap_used_bytes: knownCount,
  event_loop_delay_us: quantilesSchema.nullable(),
  gc_pause_us: quantilesSchema.nullable(),
});

const ring = named(
  "Ring",
  z
    .strictObject({ capacity: count, published: count, unread: count, lost: count })
    .describe("In records; unread, lost: by this gateway"),
);

const segment = z.strictObject({
  exchange: z.string(),
  shard: count,
  epoch: u64Decimal,
  layout: count.describe("Version of the segment's layout"),
  bytes: count,
  instruments: count,
  deltas: ring,
  trades: ring,
  unknown_ids: count,
  joins: count,
  join_failures: count,
});

const instrument = z.strictObject({
  ...instrumentFields,
  ...statusFields,
  synced: z.boolean(),
  version: u64Decimal,
  last_event_age_ms: z.number().nullable().describe("null before the first"),
  bid_levels: count,
  ask_levels: count,
  gaps: knownCount.describe("Since its producer began; null where nothing is counted"),
  not_synced_ms: amount.nullable().describe("Time not synced since its producer began, up to the last change of state"),
  replica_failures: count,
  client_failures: count,
});

const clients = z.strictObject({
  connected: count,
  slow: count.describe("Those that do not read as fast as they are sent"),
  bytes_out: count,
  frames_out: count,
  slow_times: count,
  conflated_updates: count,
  resumes: count,
  resets: count,
  dropped: count,
  protocol_errors: count,
  refusals: z.record(z.string(), count).describe("Requests and connections that were refused, by reason"),
});

/** Answer: everything. */
export const healthSchema = named(
  "Health",
  z.strictObject({
    status: z
      .enum(["ok", "degraded", "down"])
      .describe("ok: all is live and synced · degraded: something is not · down: nothing is"),
    at_ms: amount.describe("Unix ms"),
    reasons: z.array(z.string()).describe("What is not well, for people"),
    roles: z.array(z.discriminatedUnion("role", [gateway, collector])),
    segments: z.array(segment),
    instruments: z.array(instrument),
    clients,
  }),
);

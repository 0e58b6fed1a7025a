/**
 * Requests and answers about feeds: which instruments are collected, and changing that while everything runs.
 * Bad case: taking 201 for a book; the first one comes when the exchange has sent it, `instruments` tells.
 */
import { z } from "zod";
import { named } from "./fields.ts";

const SYMBOL = /^[^\s:,/-]{1,32}-[^\s:,/-]{1,32}$/u;

const symbol = z.string().regex(SYMBOL).max(65).describe("BASE-QUOTE, any case");

const feedSchema = named("Feed", z.strictObject({ exchange: z.string(), symbol: z.string().describe("BASE-QUOTE") }));

/** Answer: all feeds. */
export const feedsSchema = named("Feeds", z.strictObject({ feeds: z.array(feedSchema) }));

/** Body: the instrument to add. */
export const feedRequestSchema = named(
  "FeedRequest",
  z.strictObject({ exchange: z.string().min(1).max(32).describe("An exchange id or alias"), symbol }),
);

/** Answer: what was done. */
export const feedChangeSchema = named(
  "FeedChange",
  z.strictObject({
    exchange: z.string(),
    symbol: z.string(),
    outcome: z
      .enum(["added", "already_there", "removed", "not_there"])
      .describe("already_there, not_there: nothing was to be done"),
  }),
);

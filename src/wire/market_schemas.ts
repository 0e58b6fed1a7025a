/**
 * The market messages of the JSON form as strict schemas. Numbers that a double would round are decimal text.
 * Bad case: what no schema can see, such as a hash that does not fit the levels; golden vectors and the clients check it.
 */
import { z } from "zod";
import { viewFields } from "./control_schemas.ts";
import { decimal, exponent, instrumentName, nanoseconds, quantity, u32, u64Decimal } from "./fields.ts";

const level = z.tuple([decimal, quantity]).describe("Price and quantity");
const change = z
  .tuple([z.enum(["bid", "ask"]), decimal, quantity])
  .describe("Side, price and the level's quantity from now on; 0 removes the level");

const bookFields = {
  instrument: instrumentName,
  ...viewFields,
  version: u64Decimal.describe("The view's version after this message"),
  hash: u32.describe("Hash of the view's book after this message"),
  synced: z.boolean().describe("False: the book is not known to be right"),
  crossed: z.boolean().describe("Best bid above best ask"),
  eventAtNs: nanoseconds.describe("Exchange clock, Unix nanoseconds; 0 = unknown"),
  receivedAtNs: nanoseconds.describe("Clock of the collector at its socket, Unix nanoseconds; 0 = unknown"),
  sequence: u64Decimal.describe("What the exchange numbered; 0 = it does not number"),
};

const orderbook = z
  .strictObject({
    type: z.literal("orderbook"),
    ...bookFields,
    epoch: u32.describe("Versions of one epoch lead on from each other; named when resuming"),
    priceExponent: exponent,
    quantityExponent: exponent,
    bids: z.array(level).describe("Best first"),
    asks: z.array(level).describe("Best first"),
  })
  .describe("The whole book of a view; replaces whatever was held");

const orderbookDelta = z
  .strictObject({
    type: z.literal("orderbook_delta"),
    ...bookFields,
    previousVersion: u64Decimal.describe("Applies when this is the version held"),
    changes: z.array(change).readonly(),
  })
  .describe("What changed between two versions: one whole event, or several conflated");

const trade = z
  .strictObject({
    type: z.literal("trade"),
    instrument: instrumentName,
    id: z.string().describe("The exchange's id"),
    aggressor: z.enum(["buy", "sell", "unknown"]).describe("The taker's side"),
    price: decimal,
    quantity,
    history: z.boolean().describe("A replay of a past print"),
    gapBefore: z.boolean().describe("The exchange's trade ids jumped before it"),
    version: u64Decimal.describe("One more than that of the trade before, until a reset of the channel"),
    bookVersion: u64Decimal.describe("Version of the full book when the trade was received"),
    eventAtNs: nanoseconds,
    receivedAtNs: nanoseconds,
  })
  .describe("One trade");

const bbo = z
  .strictObject({
    type: z.literal("bbo"),
    instrument: instrumentName,
    version: u64Decimal.describe("Version of the full book"),
    synced: bookFields.synced,
    crossed: bookFields.crossed,
    bid: level.nullable().describe("null = that side is empty"),
    ask: level.nullable().describe("null = that side is empty"),
    eventAtNs: bookFields.eventAtNs,
    receivedAtNs: bookFields.receivedAtNs,
  })
  .describe("Best bid and offer after whole events");

/** Messages that the binary form sends as binary frames; by their `type`. */
export const MARKET_SCHEMAS = { orderbook, orderbook_delta: orderbookDelta, trade, bbo };

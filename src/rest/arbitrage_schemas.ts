/**
 * The answer about arbitrage: the opportunities of the stream's channel `arbitrage`, with the names of this API.
 * Bad case: fees that are not the reader's own; every leg names the fee that was reckoned with.
 */
import { z } from "zod";
import { CLOSING_REASONS, OPPORTUNITY_KINDS } from "../wire/opportunity.ts";
import { amount, count, decimal, named, quantity, u32, u64Decimal } from "./fields.ts";

const leg = z
  .strictObject({
    action: z.enum(["buy", "sell"]),
    instrument: z.string().describe("exchange:BASE-QUOTE"),
    version: u64Decimal.describe("Of the book that this was computed from"),
    hash: u32.describe("Of that book"),
    received_at_ms: amount.describe("When that book's last event was received, Unix ms"),
    fee_bps: quantity.describe("Taker fee that was reckoned with, basis points of the amount"),
    quantity: quantity.describe("Of the instrument's base, exact"),
    amount: decimal.describe("Sum of price × quantity before the fee, in the instrument's quote, exact"),
    average_price: decimal.describe("Amount ÷ quantity, cut off after four digits more than the prices have"),
    worst_price: decimal.describe("The last level that is used"),
  })
  .describe("One trade against one book");

const opportunitySchema = named(
  "Opportunity",
  z
    .strictObject({
      id: count.describe("Unique since the server started"),
      kind: z.enum(OPPORTUNITY_KINDS).describe("Between two exchanges, or in a circle through three books of one"),
      base: z.string().describe("What is bought and sold again"),
      currency: z.string().describe("What profit is counted in"),
      quantity: quantity.describe("Executable of the base, exact"),
      profit: decimal.describe("After all taker fees, in the currency, exact"),
      profit_bps: decimal.describe("Profit ÷ what is paid first without its fee, cut off after four digits"),
      profit_bps_max: decimal.describe("The largest during its life"),
      cut: z.boolean().describe("The walk ended at the levels that were looked at; more may be executable"),
      opened_at_ms: amount.describe("Unix ms"),
      changed_at_ms: amount.describe("Unix ms"),
      legs: z.array(leg).min(2).max(3).describe("In the order in which they are made"),
    })
    .describe("A crossing of books that leaves something after fees"),
);

/** Answer: opportunities. */
export const opportunitiesSchema = named(
  "Opportunities",
  z.strictObject({
    at_ms: amount.describe("Unix ms"),
    opportunities: z.array(opportunitySchema).describe("Open at this moment, best first"),
    recent: z
      .array(
        z.strictObject({
          reason: z.enum(CLOSING_REASONS),
          at_ms: amount.describe("When it closed, Unix ms"),
          opportunity: opportunitySchema,
        }),
      )
      .describe("The last ones that closed, latest first; whatever was asked for"),
    counts: z
      .record(z.string(), z.number())
      .describe("Since the server started; open: how many are open at this moment"),
  }),
);

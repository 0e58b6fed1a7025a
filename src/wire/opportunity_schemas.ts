/**
 * The messages of the channel `arbitrage` as strict schemas; REST tells the same opportunities.
 * Bad case: sums that do not fit each other, which no schema sees; the tests of the detector check them.
 */
import { z } from "zod";
import { amount, count, decimal, instrumentName, quantity, u32, u64Decimal } from "./fields.ts";
import { CLOSING_REASONS, OPPORTUNITY_EVENTS, OPPORTUNITY_KINDS } from "./opportunity.ts";

const milliseconds = amount.describe("Unix ms");

const leg = z
  .strictObject({
    action: z.enum(["buy", "sell"]),
    instrument: instrumentName,
    version: u64Decimal.describe("Version of the full book that this was computed from"),
    hash: u32.describe("Hash of that book"),
    receivedAtMs: milliseconds.describe("When that book's last event was received, Unix ms"),
    feeBps: quantity.describe("Taker fee that was reckoned with, basis points of the amount"),
    quantity: quantity.describe("Of the instrument's base, exact"),
    amount: decimal.describe("Sum of price × quantity before the fee, in the instrument's quote, exact"),
    averagePrice: decimal.describe("Amount ÷ quantity, cut off after four digits more than the prices have"),
    worstPrice: decimal.describe("The last level that is used"),
  })
  .describe("One trade against one book");

/** An opportunity as it stands or stood. */
export const opportunitySchema = z
  .strictObject({
    id: count.describe("Unique since the server started"),
    kind: z.enum(OPPORTUNITY_KINDS).describe("Between two exchanges, or in a circle through three books of one"),
    base: z.string().describe("What is bought and sold again"),
    currency: z.string().describe("What profit is counted in"),
    quantity: quantity.describe("Executable of the base, exact"),
    profit: decimal.describe("After all taker fees, in the currency, exact"),
    profitBps: decimal.describe("Profit ÷ what is paid first without its fee, basis points, cut off after four digits"),
    profitBpsMax: decimal.describe("The largest during its life"),
    cut: z.boolean().describe("The walk ended at the levels that were looked at; more may be executable"),
    openedAtMs: milliseconds,
    changedAtMs: milliseconds,
    legs: z.array(leg).min(2).max(3).describe("In the order in which they are made"),
  })
  .describe("A crossing of books that leaves something after fees");

const ending = {
  reason: z.enum(CLOSING_REASONS).describe("Why it closed; none while it is open"),
  atMs: milliseconds.describe("Unix ms; of a closed one, this less openedAtMs is its lifetime"),
  opportunity: opportunitySchema,
};

const opportunity = z
  .strictObject({ type: z.literal("opportunity"), event: z.enum(OPPORTUNITY_EVENTS), ...ending })
  .describe("An opportunity opened, changed or closed");

const opportunities = z
  .strictObject({
    type: z.literal("opportunities"),
    atMs: milliseconds,
    openCount: count.describe("How many are open; the list holds the best of them"),
    open: z.array(opportunitySchema).max(64),
    recent: z.array(z.strictObject(ending)).max(16).describe("The last ones that closed, latest first"),
  })
  .describe(
    "All that is open, at subscribing and after a time in which the client did not read; replaces what is held",
  );

/** Messages of the channel `arbitrage`, JSON text in both forms; by their `type`. */
export const OPPORTUNITY_SCHEMAS = { opportunity, opportunities };

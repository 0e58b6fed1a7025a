/**
 * What an instrument is, as its collector's table says it: travels as JSON in front of each snapshot, so that a machine
 * that never saw the exchange can fill a table of its own. Bad case: facts that no table can hold; refused by the schema.
 */
import { z } from "zod";
import { EXPONENT_MAX } from "../../assembly/layout.ts";
import type { InstrumentEntry } from "../segment/view.ts";

const code = z.int().min(0).max(255);
const ticks = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .transform((text) => BigInt(text));
const exponent = z.int().min(0).max(EXPONENT_MAX);

const FACTS = z.object({
  canonical: z.string().regex(/^[^\s:,-]{1,31}-[^\s:,-]{1,15}$/u),
  native: z.string().min(1).max(63),
  priceExponent: exponent,
  quantityExponent: exponent,
  depth: z.int().min(0).max(1_000_000),
  assurance: code,
  state: code,
  reason: code,
  tradingStatus: code,
  knownRange: z.object({ lowTicks: ticks, highTicks: ticks }).optional(),
});

/** What travels of an instrument. */
export type InstrumentFacts = z.output<typeof FACTS>;

/** Facts as bytes. */
export function encodeFacts(entry: InstrumentEntry): Uint8Array {
  const { knownRange } = entry;
  const range =
    knownRange === undefined
      ? {}
      : { knownRange: { lowTicks: String(knownRange.lowTicks), highTicks: String(knownRange.highTicks) } };
  const { canonical, native, priceExponent, quantityExponent, depth, assurance, state, reason, tradingStatus } = entry;
  const facts = {
    canonical,
    native,
    priceExponent,
    quantityExponent,
    depth,
    assurance,
    state,
    reason,
    tradingStatus,
    ...range,
  };
  return new TextEncoder().encode(JSON.stringify(facts));
}

/** Reads facts. @returns undefined when they are none */
export function decodeFacts(bytes: Uint8Array): InstrumentFacts | undefined {
  try {
    return FACTS.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}

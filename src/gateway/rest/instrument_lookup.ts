/**
 * Finds the instrument that a path names: the canonical symbol in any case, or the exchange's own spelling.
 * Bad case: a spelling that names two instruments of an exchange; it is refused, and both are named.
 */
import { resolveExchangeId } from "../../model/exchange_id.ts";
import type { ProblemCode, ProblemParts } from "../../rest/problem.ts";
import type { InstrumentName } from "../instrument.ts";

/** What is looked at of an instrument. */
export type NamedInstrument = {
  readonly name: InstrumentName;
  /** Undefined = nothing produces it. */
  readonly binding: { readonly native: string } | undefined;
};

/** The instruments by their names. */
export interface InstrumentDirectory<Instrument> {
  all(): readonly Instrument[];
  /** By `exchange:BASE-QUOTE`. */
  get(name: string): Instrument | undefined;
  /** Names spelt most like a text, nearest first. */
  nearest(text: string): string[];
}

/** Why none was found. */
export type LookupProblem = { readonly code: ProblemCode } & ProblemParts;

/**
 * Finds an instrument.
 * @param exchange an id or an alias, any case @param symbol as the path has it, decoded
 */
export function findInstrument<Instrument extends NamedInstrument>(
  instruments: InstrumentDirectory<Instrument>,
  { exchange, symbol }: { exchange: string; symbol: string },
): Instrument | LookupProblem {
  const id = resolveExchangeId(exchange) ?? exchange;
  const exact = instruments.get(`${id}:${symbol.toUpperCase()}`);
  if (exact !== undefined) {
    return exact;
  }
  const ofExchange = instruments.all().filter(({ name }) => name.exchange === id);
  if (ofExchange.length === 0) {
    const nearest = [...new Set(instruments.all().map(({ name }) => name.exchange))];
    return { code: "unknown_exchange", detail: `Cannot find the exchange, was ${exchange.slice(0, 64)}`, nearest };
  }
  const wanted = symbol.toUpperCase();
  const found = ofExchange.filter(
    ({ name, binding }) => binding?.native.toUpperCase() === wanted || name.symbol.toUpperCase() === wanted,
  );
  const [only, other] = found;
  if (only !== undefined && other === undefined) {
    return only;
  }
  const was = symbol.slice(0, 64);
  if (only !== undefined) {
    const nearest = found.map(({ name }) => name.symbol);
    return { code: "ambiguous_symbol", detail: `Cannot tell which instrument is meant, was ${was}`, nearest };
  }
  const nearest = instruments.nearest(`${id}:${symbol}`);
  return { code: "unknown_instrument", detail: `Cannot find the instrument at ${id}, was ${was}`, nearest };
}

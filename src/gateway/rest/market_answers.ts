/**
 * Instruments and their trades as REST tells them. Bad case: an instrument that nothing produces any more; it is listed,
 * and its state says so.
 */
import type { AnswerOf } from "../../rest/operations.ts";
import type { ServedInstrument } from "../instrument.ts";
import type { RestParts } from "./parts.ts";

/** Names of an instrument. */
export function namesOf({ name, binding }: ServedInstrument) {
  return {
    instrument: name.instrument,
    exchange: name.exchange,
    symbol: name.symbol,
    native_symbol: binding?.native ?? "",
  };
}

/** How well an instrument can be trusted. */
export function statusOf(instrument: ServedInstrument) {
  const { state, assurance, reason, sinceNs, trading } = instrument.status();
  return { state, assurance, reason, since_ns: sinceNs, trading };
}

/** Digits of an instrument. */
export function exponentsOf(instrument: ServedInstrument) {
  const { priceExponent, quantityExponent } = instrument.status();
  return { price_exponent: priceExponent, quantity_exponent: quantityExponent };
}

/** All instruments. */
export function listingAnswer({ instruments }: RestParts): AnswerOf<"listInstruments"> {
  return {
    instruments: instruments.all().map((instrument) => ({
      ...namesOf(instrument),
      ...statusOf(instrument),
      ...exponentsOf(instrument),
      synced: instrument.isSynced,
      depth: instrument.listing().depth,
      version: String(instrument.book.replica.version),
    })),
  };
}

/** The latest trades. */
export function tradeAnswer(instrument: ServedInstrument, limit: number): AnswerOf<"getTrades"> {
  return {
    ...namesOf(instrument),
    ...statusOf(instrument),
    total: instrument.trades.count,
    trades: instrument.trades.recent.latest(limit).map((trade) => ({
      id: trade.id,
      price: trade.price,
      quantity: trade.quantity,
      aggressor: trade.aggressor,
      history: trade.history,
      gap_before: trade.gapBefore,
      version: trade.version,
      book_version: trade.bookVersion,
      event_at_ns: trade.eventAtNs,
      received_at_ns: trade.receivedAtNs,
    })),
  };
}

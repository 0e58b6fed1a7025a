/**
 * The registry of exchanges: the one list that everything which goes over all exchanges reads.
 * Bad case: an exchange whose file is there but not listed; the compiler refuses, because every id must have one.
 */
import type { ExchangeId } from "../model/exchange_id.ts";
import { BINANCE } from "./binance.ts";
import { BINANCE_US } from "./binance_us.ts";
import { COINBASE_EXCHANGE } from "./coinbase_exchange.ts";
import type { Exchange } from "./exchange.ts";
import { KRAKEN } from "./kraken.ts";

export type {
  AuditFreshness,
  Channel,
  ClientMessage,
  ControlEvent,
  Exchange,
  ExchangeAudit,
  ExchangeHeader,
  InstrumentMetadata,
  Metadata,
  Rate,
  RestRequest,
} from "./exchange.ts";

/** Every exchange by its id. */
export const EXCHANGES: Readonly<Record<ExchangeId, Exchange>> = {
  coinbase_exchange: COINBASE_EXCHANGE,
  kraken: KRAKEN,
  binance: BINANCE,
  binance_us: BINANCE_US,
};

/**
 * The frame kinds that the emulator sends without a captured example to prove their form: they follow documentation or
 * other people's records. The README lists them; a test keeps this list true.
 * Bad case: a client that passes here and fails live on one of these; look at this list first.
 */
import type { ExchangeId } from "../model/exchange_id.ts";

const BINANCE = [
  "request done",
  "request refused",
  "subscriptions listed",
  "property",
  "bare payload",
  "depthUpdate every second",
  "REST ping",
  "REST time",
  "REST error",
] as const;

/** Names of frame kinds and REST answers per exchange. */
export const UNPROVEN_FRAME_KINDS: Readonly<Record<ExchangeId, readonly string[]>> = {
  coinbase_exchange: ["error", "REST product", "REST error"],
  kraken: [
    "book subscription removed",
    "trade subscription removed",
    "trade snapshot",
    "request refused",
    "message rate exceeded",
    "pong",
    "v1 subscription removed",
    "v1 request refused",
    "v1 pong",
    "REST SystemStatus",
    "REST error",
  ],
  binance: BINANCE,
  binance_us: [...BINANCE, "trade"],
};

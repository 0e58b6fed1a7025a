/**
 * Exchange ids: the words by which every surface (config, segments, stream, captures) names an exchange.
 * They are those of the capture folders; aliases are resolved here once and nowhere else.
 */

/** Every exchange id that this build can decode. */
export const EXCHANGE_IDS = ["coinbase_exchange", "kraken", "binance", "binance_us"] as const;

/** An exchange id, e.g. `kraken`. */
export type ExchangeId = (typeof EXCHANGE_IDS)[number];

const ALIASES: Readonly<Record<string, ExchangeId>> = { coinbase: "coinbase_exchange", binanceus: "binance_us" };

/**
 * Resolves an id or an alias.
 * @param text as the user wrote it, any case
 * @returns the id, or undefined when no exchange has that name
 */
export function resolveExchangeId(text: string): ExchangeId | undefined {
  const lower = text.toLowerCase();
  return EXCHANGE_IDS.find((id) => id === lower) ?? ALIASES[lower];
}

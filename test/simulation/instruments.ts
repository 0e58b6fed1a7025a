/**
 * The small market of a simulation: four instruments on each exchange, with books of a few dozen levels, so that a whole
 * book can be compared with the truth at every event. Bad case: books so small that nothing is ever cut at Kraken's depth;
 * every side keeps at least twice the depth.
 */
import type { MarketInstrument } from "../../src/emulator/mod.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";

/** Both sides together. */
const LEVELS = 64;

type Pair = readonly [base: "BTC" | "ETH" | "SOL", quote: string];

const PAIRS: Readonly<Record<ExchangeId, readonly Pair[]>> = {
  coinbase_exchange: [
    ["BTC", "USD"],
    ["ETH", "USD"],
    ["SOL", "USD"],
    ["ETH", "EUR"],
  ],
  kraken: [
    ["BTC", "USD"],
    ["ETH", "USD"],
    ["SOL", "USD"],
    ["ETH", "EUR"],
  ],
  binance: [
    ["BTC", "USDT"],
    ["ETH", "USDT"],
    ["SOL", "USDT"],
    ["ETH", "EUR"],
  ],
  binance_us: [
    ["BTC", "USD"],
    ["ETH", "USD"],
    ["SOL", "USD"],
    ["BTC", "USDT"],
  ],
};

/** How each exchange prints: decimals of price and quantity, and how far both are padded. */
const PRECISIONS: Readonly<Record<ExchangeId, readonly [number, number, number, number]>> = {
  coinbase_exchange: [2, 8, 2, 8],
  kraken: [2, 8, 2, 8],
  binance: [2, 5, 8, 8],
  binance_us: [2, 5, 4, 8],
};

/** Native spelling. */
export function nativeOf(exchange: ExchangeId, [base, quote]: Pair): string {
  const separator = exchange === "coinbase_exchange" ? "-" : exchange === "kraken" ? "/" : "";
  return `${base}${separator}${quote}`;
}

/** The instruments of an exchange in both spellings. */
export function namesOf(exchange: ExchangeId): { native: string; canonical: string }[] {
  return PAIRS[exchange].map((pair) => ({ native: nativeOf(exchange, pair), canonical: pair.join("-") }));
}

/** All instruments of the market. */
export function smallMarket(): MarketInstrument[] {
  return EXCHANGE_IDS.flatMap((exchange) =>
    PAIRS[exchange].map((pair, index): MarketInstrument => {
      const [priceDecimals, quantityDecimals, pricePadding, quantityPadding] = PRECISIONS[exchange];
      return {
        exchange,
        native: nativeOf(exchange, pair),
        base: pair[0],
        quote: pair[1],
        priceDecimals,
        quantityDecimals,
        pricePadding,
        quantityPadding,
        levels: LEVELS,
        eventsPerSecond: [2.4, 1.8, 1.2, 0.8][index] ?? 1,
        changesPerEvent: exchange === "kraken" ? 1.6 : 4,
        changesMax: 40,
        tradeShare: 0.16,
        basisMillionths: 0,
      };
    }),
  );
}

/**
 * What the synthetic exchanges list: names, precisions as the real exchanges have them, and how lively each book is.
 * The rates add up to the load of a live recording (about 60 book events and 24 trades a second over all of them).
 * Bad case: a rate raised here without the others shifts that profile; scale with the market's `rate` instead.
 */
import type { ExchangeId } from "../model/exchange_id.ts";

/** How an exchange names and prints an instrument: all that metadata answers need. */
export type Listing = {
  /** The exchange's own spelling on its WebSocket, e.g. `BTC-USD`, `BTC/USD`, `BTCUSDT`. */
  native: string;
  /** Base currency, canonical, e.g. `BTC`. */
  base: string;
  /** Quote currency, canonical, e.g. `USD`. */
  quote: string;
  /** The tick is 10^-priceDecimals. */
  priceDecimals: number;
  /** The lot is 10^-quantityDecimals. */
  quantityDecimals: number;
  /** Digits after the point on the wire, ≥ priceDecimals. */
  pricePadding: number;
  /** Digits after the point on the wire, ≥ quantityDecimals. */
  quantityPadding: number;
  /** Orders gather without trading: the book may be crossed. */
  isInAuction?: boolean;
};

/** An instrument of the synthetic market. */
export type MarketInstrument = Listing & {
  exchange: ExchangeId;
  /** Levels on both sides together that the book keeps about, ≥ 40. */
  levels: number;
  /** Book events per second in an ordinary mood at rate 1; a batching exchange sends at most its batches. */
  eventsPerSecond: number;
  /** Mean number of level changes per event; the distribution has a heavy tail. */
  changesPerEvent: number;
  /** Largest number of level changes per event. */
  changesMax: number;
  /** Part of the events that hold a trade, 0 … 1. */
  tradeShare: number;
  /** Constant distance of this market from the fair price, in millionths. */
  basisMillionths: number;
  /** An ask at an absurd price, in ticks: real books hold some. */
  absurdAsk?: number;
};

/** Fair prices at the start, in millionths of a US dollar; an instrument's base must be one of these. */
export const START_PRICES: Readonly<Record<string, number>> = {
  BTC: 63_512_340_000,
  ETH: 1_774_530_000,
  SOL: 152_418_000,
};

type Activity = Pick<
  MarketInstrument,
  "levels" | "eventsPerSecond" | "changesPerEvent" | "changesMax" | "tradeShare" | "basisMillionths" | "absurdAsk"
>;

/** What the emulator lists unless told otherwise: BTC, ETH and SOL on each exchange. */
export const DEFAULT_INSTRUMENTS: readonly MarketInstrument[] = [
  coinbase("BTC", { ...activity(45_000, 8), changesPerEvent: 9, absurdAsk: 12_903_488_800 }),
  coinbase("ETH", { ...activity(23_000, 6), changesPerEvent: 8 }),
  coinbase("SOL", { ...activity(6_000, 3), changesPerEvent: 5 }),
  kraken("BTC", 1, { ...activity(7_000, 12), changesPerEvent: 1.6, changesMax: 12 }),
  kraken("ETH", 2, { ...activity(6_000, 8), changesPerEvent: 1.6, changesMax: 12 }),
  kraken("SOL", 2, { ...activity(3_000, 3), changesPerEvent: 1.5, changesMax: 12 }),
  binance("BTC", 5, { ...activity(12_000, 6), changesPerEvent: 14, changesMax: 1_076, basisMillionths: 300 }),
  binance("ETH", 4, { ...activity(8_000, 5), changesPerEvent: 11, changesMax: 600, basisMillionths: 300 }),
  binance("SOL", 3, { ...activity(4_000, 2), changesPerEvent: 6, basisMillionths: 300 }),
  binanceUs("BTC", { decimals: [2, 6], ...activity(4_000, 2), changesMax: 25, basisMillionths: -40 }),
  binanceUs("ETH", { decimals: [2, 5], ...activity(3_000, 1.5), changesMax: 25, basisMillionths: -40 }),
  binanceUs("SOL", { decimals: [4, 2], ...activity(1_500, 0.5), changesMax: 25, basisMillionths: -40 }),
];

function activity(levels: number, eventsPerSecond: number): Activity {
  return { levels, eventsPerSecond, changesPerEvent: 2.5, changesMax: 190, tradeShare: 0.14, basisMillionths: 0 };
}

function coinbase(base: string, rest: Activity): MarketInstrument {
  const precision = { priceDecimals: 2, pricePadding: 2, quantityDecimals: 8, quantityPadding: 8 };
  return { exchange: "coinbase_exchange", native: `${base}-USD`, base, quote: "USD", ...precision, ...rest };
}

function kraken(base: string, decimals: number, rest: Activity): MarketInstrument {
  const precision = { priceDecimals: decimals, pricePadding: decimals, quantityDecimals: 8, quantityPadding: 8 };
  return { exchange: "kraken", native: `${base}/USD`, base, quote: "USD", ...precision, ...rest };
}

function binance(base: string, lotDecimals: number, rest: Activity): MarketInstrument {
  const precision = { priceDecimals: 2, pricePadding: 8, quantityDecimals: lotDecimals, quantityPadding: 8 };
  return { exchange: "binance", native: `${base}USDT`, base, quote: "USDT", ...precision, ...rest };
}

function binanceUs(base: string, { decimals, ...rest }: Activity & { decimals: [number, number] }): MarketInstrument {
  const [priceDecimals, quantityDecimals] = decimals;
  const precision = { priceDecimals, pricePadding: 4, quantityDecimals, quantityPadding: 8 };
  return { exchange: "binance_us", native: `${base}USD`, base, quote: "USD", ...precision, ...rest };
}

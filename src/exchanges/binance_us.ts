/**
 * Binance.US: Binance's spot protocol with other addresses, limits and pings. Its books are quiet: minutes without a
 * frame are normal and the server pings every three minutes only, so the client pings too.
 * Bad case: `BTC-USD` and `BTC-USDT` are different markets here.
 * @see github.com/binance-us/binance-us-api-docs (read 2026-11)
 */
import { BINANCE, binanceExchange } from "./binance.ts";
import type { Exchange, ExchangeHeader } from "./exchange.ts";

const HEADER: ExchangeHeader = {
  ...BINANCE.header,
  id: "binance_us",
  title: "Binance.US",
  websocketUrls: ["wss://stream.binance.us:9443/stream"],
  restUrl: "https://api.binance.us",
  defaultInstruments: ["BTC-USD", "ETH-USD"],
  // The documented splice uses limit=1000.
  snapshotLevels: 1000,
  timing: { ...BINANCE.header.timing, idleMs: 200_000, pingMs: 60_000 },
  limits: {
    ...BINANCE.header.limits,
    // Three quarters of 1,200 weight a minute.
    rest: { count: 900, perMs: 60_000 },
  },
  // Half of 1,200 weight a minute.
  // Assumed, not verified: 10 bps, as reports (read 2026-11-22) say of binance.us/fees; some pairs cost less.
  takerFeeBps: 10,
  audit: { ...BINANCE.header.audit, levels: 1000, budget: { count: 600, perMs: 60_000 } },
};

/** TUSD is no quote here, and many names end in T before USD. */
const QUOTES = ["USDT", "USDC", "BUSD", "USD", "DAI", "BTC", "ETH", "BNB"];

/** Binance.US. */
export const BINANCE_US: Exchange = binanceExchange({ header: HEADER, depthWeight, quotes: QUOTES });

function depthWeight(levels: number): number {
  return levels <= 100 ? 1 : levels <= 500 ? 5 : levels <= 1000 ? 10 : 50;
}

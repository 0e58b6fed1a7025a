/**
 * What differs between Binance and Binance.US: request weights and the rhythm of pings. Bad case: taking one's weights
 * for the other's; a 5,000-level snapshot costs 250 of 6,000 a minute there and 50 of 1,200 here.
 * @see github binance/binance-spot-api-docs (read 2026-07-21), binance-us/binance-us-api-docs (read 2024-06-17)
 */

/** What differs between the two exchanges. */
export type BinanceRules = {
  /** Between two pings of ours. */
  pingEveryMs: number;
  /** Within this a ping must be answered. */
  pongWithinMs: number;
  /** REST weight per minute. */
  weightPerMinute: number;
  /** Weight of a depth request, by its limit: the first row whose limit is not exceeded. */
  depthWeights: readonly (readonly [limit: number, weight: number])[];
  /** Weight of exchangeInfo. */
  metadataWeight: number;
};

/** The rules of each exchange. */
export const BINANCE_RULES: Readonly<Record<"binance" | "binance_us", BinanceRules>> = {
  binance: {
    pingEveryMs: 20_000,
    pongWithinMs: 60_000,
    weightPerMinute: 6_000,
    depthWeights: [
      [100, 5],
      [500, 25],
      [1_000, 50],
      [5_000, 250],
    ],
    metadataWeight: 20,
  },
  binance_us: {
    pingEveryMs: 180_000,
    pongWithinMs: 600_000,
    weightPerMinute: 1_200,
    depthWeights: [
      [100, 1],
      [500, 5],
      [1_000, 10],
      [5_000, 50],
    ],
    metadataWeight: 10,
  },
};

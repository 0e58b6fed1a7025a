/**
 * The routes of the REST API that only read, and what an answer of each must hold; pure, so that a test without k6 can hold
 * them against the document of the API.
 * Bad case: an answer that is no JSON, or lacks a field; it is wrong, and nothing is thrown.
 */

/** Levels a side that are asked for. */
export const DEPTH = 20;
/** Trades that are asked for. */
export const TRADES = 20;

/** Name of a route, its path for an instrument `exchange/symbol`, and what its answer must hold. */
export const ROUTES = [
  ["exchanges", () => "/exchanges", ({ exchanges }) => exchanges.length > 0],
  ["instruments", () => "/instruments", ({ instruments }) => instruments.length > 0],
  ["orderbook", (place) => `/orderbook/${place}?depth=${DEPTH}`, isBook],
  ["trades", (place) => `/trades/${place}?limit=${TRADES}`, ({ trades }) => trades.length <= TRADES],
  ["delta_summary", () => "/delta-stats/summary", ({ by_exchange: exchanges }) => exchanges.length > 0],
  ["delta_stats", (place) => `/delta-stats/${place}`, ({ ratios }) => "exchange_to_wire" in ratios],
  ["opportunities", () => "/arbitrage/opportunities", ({ opportunities }) => Array.isArray(opportunities)],
  ["health", () => "/system/health", ({ status }) => typeof status === "string"],
  ["feeds", () => "/feeds", ({ feeds }) => feeds.length > 0],
];

/** Whether the body of an answer is what its route promises. @param answer of k6: `json()` throws when it is none */
export function isRight(answer, fits) {
  try {
    return fits(answer.json());
  } catch {
    return false;
  }
}

/** Bids fall, asks rise, and no more than was asked for. */
function isBook({ bids, asks }) {
  const isSorted = (levels, sign) =>
    levels.every(([price], index) => index === 0 || sign * (Number(price) - Number(levels[index - 1][0])) > 0);
  return bids.length <= DEPTH && asks.length <= DEPTH && isSorted(bids, -1) && isSorted(asks, 1);
}

/**
 * Where the operations of the REST API are, generated from the OpenAPI document: do not edit.
 * Bad case: a document that changed since; the test that compares them names the command that renews this file.
 */

/** Where each operation is. */
export const API_PLACES = {
  listExchanges: { method: "GET", path: "/api/v1/exchanges", query: [] },
  listInstruments: { method: "GET", path: "/api/v1/instruments", query: [] },
  getOrderBook: { method: "GET", path: "/api/v1/orderbook/{exchange}/{symbol}", query: ["depth"] },
  getTrades: { method: "GET", path: "/api/v1/trades/{exchange}/{symbol}", query: ["limit"] },
  getDeltaSummary: { method: "GET", path: "/api/v1/delta-stats/summary", query: [] },
  getDeltaStats: { method: "GET", path: "/api/v1/delta-stats/{exchange}/{symbol}", query: [] },
  listOpportunities: {
    method: "GET",
    path: "/api/v1/arbitrage/opportunities",
    query: ["min_profit_bps", "max_age_ms"],
  },
  getHealth: { method: "GET", path: "/api/v1/system/health", query: [] },
  listFeeds: { method: "GET", path: "/api/v1/feeds", query: [] },
  addFeed: { method: "POST", path: "/api/v1/feeds", query: [] },
  removeFeed: { method: "DELETE", path: "/api/v1/feeds/{exchange}/{symbol}", query: [] },
} as const;

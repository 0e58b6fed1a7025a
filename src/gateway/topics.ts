/** The topics of an instrument, and the one of the statistics: one per channel and form. */
import type { MarketChannel } from "../wire/protocol.ts";
import type { Form } from "./outlet.ts";

/** Server and exchange statistics, JSON text for everybody. */
export const STATS_TOPIC = "stats";

/** Opportunities of arbitrage, JSON text for everybody. */
export const ARBITRAGE_TOPIC = "arbitrage";

/** Messages of one channel of one instrument in one form. @param alias of the instrument */
export function marketTopic(alias: number, channel: MarketChannel, form: Form): string {
  return `${channel}.${form}.${alias}`;
}

/** Status messages of one instrument, JSON text for everybody. @param alias of the instrument */
export function statusTopic(alias: number): string {
  return `status.${alias}`;
}

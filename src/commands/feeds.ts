/**
 * The instruments of this process, as operators see and change them: the collectors of the engine behind the interface
 * that REST asks for. Bad case: a name of an exchange that does not run; refused with the ones that do.
 */
import type { Supervisor } from "../feed/supervisor.ts";
import type { FeedControl, FeedOutcome } from "../gateway/mod.ts";
import { resolveExchangeId } from "../model/exchange_id.ts";

/** Control over the collectors of a supervisor. */
export function feedControl(supervisor: Supervisor): FeedControl {
  const change = async (type: "add" | "remove", exchange: string, symbol: string): Promise<FeedOutcome> => {
    const id = resolveExchangeId(exchange);
    if (id === undefined) {
      const nearest = supervisor.feeds().map((feed) => feed.exchange);
      const message = `Cannot ${type} an instrument: only ${nearest.join(", ")} run here, was ${exchange}`;
      return { kind: "refused", code: "unknown_exchange", message, nearest };
    }
    return await supervisor.change(type, id, symbol);
  };
  return {
    list: () =>
      supervisor.feeds().flatMap(({ exchange, instruments }) => instruments.map((symbol) => ({ exchange, symbol }))),
    add: (exchange, symbol) => change("add", exchange, symbol),
    remove: (exchange, symbol) => change("remove", exchange, symbol),
  };
}

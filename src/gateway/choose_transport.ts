/**
 * Picks the transport: uWebSockets.js, or `ws` with a warning where its addon cannot load.
 * Bad case: falling back silently; a server that carries a tenth of the clients would look like a mystery.
 */
import type { GatewayLog } from "./log.ts";
import type { Transport } from "./transport.ts";
import { createUwsTransport } from "./uws_transport.ts";
import { createWsTransport } from "./ws_transport.ts";

/**
 * The best transport that works on this machine.
 * @param load how the native one is made
 */
export async function chooseTransport(log: GatewayLog, load = createUwsTransport): Promise<Transport> {
  try {
    return await load();
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    log.warn(`Cannot load uWebSockets.js, serving with ws (slower): ${reason}`);
    return createWsTransport();
  }
}

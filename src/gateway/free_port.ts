/**
 * Port 0, "any free one", chosen before the transport listens: uWebSockets.js sets SO_REUSEADDR only for a port with a
 * number, so that behind a gateway that took port 0 and was killed the connections of its clients keep the port for a
 * minute, and the next gateway cannot have it. Bad case: somebody takes the chosen port first; another one is chosen.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { ConnectionError } from "../errors.ts";
import type { ListenOptions, Transport, TransportServer } from "./transport.ts";

const ATTEMPTS_MAX = 10;

/**
 * Listens, also on any free port.
 * @throws ConnectionError when the port is taken, or none could be had
 */
export async function listenOn(transport: Transport, options: ListenOptions): Promise<TransportServer> {
  for (let attempt = 1; options.port === 0; attempt++) {
    const port = await freePort(options.host);
    try {
      return await transport.listen({ ...options, port });
    } catch (error) {
      if (!(error instanceof ConnectionError) || attempt === ATTEMPTS_MAX) {
        throw error;
      }
    }
  }
  return await transport.listen(options);
}

/** @throws ConnectionError when the host is not ours */
async function freePort(host: string): Promise<number> {
  const server = createServer();
  try {
    server.listen(0, host);
    await once(server, "listening");
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectionError(`Cannot listen: ${reason}, was ${host}`, { cause });
  } finally {
    server.close();
  }
}

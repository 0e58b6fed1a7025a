/**
 * The bare server of the API benchmark: the same transport with an answer that is always there, in a process of its own.
 * What it takes is what this machine and this load take at that time, whoever serves.
 * Bad case: taking it for a peer; it does nothing.
 */
import { createUwsTransport } from "../../src/gateway/mod.ts";
import type { BareAnswer } from "./words.ts";

const BODY = `${"x".repeat(2999)}\n`;

/** Serves until the parent is gone. */
export async function runBareServer(): Promise<void> {
  const nothing = () => undefined;
  const transport = await createUwsTransport();
  const { port } = await transport.listen({
    host: "127.0.0.1",
    port: 0,
    webSocketPaths: ["/ws"],
    messageBytesMax: 1024,
    backpressureBytesMax: 65_536,
    idleSeconds: 60,
    handlers: {
      upgrade: () => ({ status: 404, body: "" }),
      ...{ open: nothing, message: nothing, drain: nothing, dropped: nothing, close: nothing },
      request: () => ({ status: 200, headers: { "content-type": "text/plain" }, body: BODY }),
    },
  });
  const answer: BareAnswer = { answer: "listening", port };
  process.send?.(answer);
  process.once("disconnect", () => process.exit(0));
}

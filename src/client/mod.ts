/**
 * Client of the stream, for browsers, Node, Deno and Bun: keeps exact books from the binary form (or the JSON form),
 * proves them by version chain and hash, and comes back by itself, going on where it stood. Plain JavaScript without
 * dependencies: no SharedArrayBuffer, no WebAssembly, no special headers.
 * Bad case: anything that does not hold. The book concerned is dropped at once, is asked for again, and that is counted;
 * a lost connection, or one that brought what no server sends, makes every book say so until it is proved again.
 *
 * @example
 * const client = connect("ws://127.0.0.1:8765/ws");
 * const book = client.book("kraken:BTC-USD");
 * for await (const { bbo, mid, state } of book) {
 *   console.log(state, bbo.bid, bbo.ask, mid);
 * }
 */
import { createClient, type StreamClient } from "./client.ts";
import { type ClientRuntime, type SocketTiming, SYSTEM_RUNTIME, TIMING, type WebSocketClass } from "./socket.ts";
import { SocketBackend } from "./socket_backend.ts";

export type { BookChange, BookHandle, BookLevels, BookState, Depth } from "./book_handle.ts";
export type { BookOptions, StreamClient } from "./client.ts";
export type * from "./events.ts";
export type { FeedHandle } from "./feed_handle.ts";
export type { ClientRuntime, SocketState, SocketTiming, WebSocketClass } from "./socket.ts";
export type { Request } from "./subscriptions.ts";

/** How a client connects. */
export type ConnectOptions = {
  /** Default binary: a tenth of the bytes. */
  readonly form?: "binary" | "json";
  /** Default true. False: hashes are neither computed nor looked at; damage on the way shows later or never. */
  readonly verify?: boolean;
  /** Needed where there is no global WebSocket (Node before 22): the class of `ws` fits. */
  readonly WebSocket?: WebSocketClass;
  readonly runtime?: Partial<Omit<ClientRuntime, "WebSocket">>;
  readonly timing?: Partial<SocketTiming>;
  /** Events or trades that a `for await` may lag behind; default 16384. */
  readonly eventsMax?: number;
};

/**
 * Connects to a gateway.
 * @param url `ws://HOST:PORT/ws`
 * @throws TypeError when the runtime has no WebSocket and none was given
 * @throws SyntaxError when the address is none
 */
export function connect(url: string, options: ConnectOptions = {}): StreamClient {
  const { form = "binary", verify = true, eventsMax } = options;
  const WebSocket = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
  if (WebSocket === undefined) {
    throw new TypeError("Cannot connect: no WebSocket here, pass options.WebSocket, was undefined");
  }
  const runtime = { WebSocket, ...SYSTEM_RUNTIME, ...options.runtime };
  const settings = { form, isVerified: verify, timing: { ...TIMING, ...options.timing }, runtime };
  return createClient((emit) => new SocketBackend(url, settings, emit), { eventsMax });
}

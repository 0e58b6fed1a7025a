/**
 * The memory shell: the same emulator without sockets, for simulations in one thread on virtual time. Sockets and fetch
 * have the shapes that a collector takes, so it cannot tell the difference; frames are the same bytes, in the same order.
 * Nothing is ever delivered within the call that sent it. Bad case: a REST answer settles in microtasks; whoever drives
 * virtual time must let them run between two steps, e.g. by awaiting a macrotask.
 */
import { ConnectionError } from "../errors.ts";
import type { ExchangeId } from "../model/exchange_id.ts";
import type { Clock } from "./clock.ts";
import { type CoreOptions, type EmulatorCore, openCore } from "./core.ts";
import type { ExchangeCore } from "./exchange_core.ts";
import { MemoryConnection, type MemorySocketHandlers } from "./memory_socket.ts";
import type { RestOutcome } from "./rest_faults.ts";
import { type Emulator, endpointOf, surfaceOf, unstarted } from "./surface.ts";

/** Whose message is on its way. */
export type Way = { readonly exchange: ExchangeId; readonly to: "client" | "exchange"; readonly by: "socket" | "rest" };

/** How to start an emulator in memory. */
export type InMemoryOptions = CoreOptions & {
  readonly clock: Clock;
  /** Milliseconds that one message takes; order within a direction of a connection is kept. None: 0. */
  readonly delayMs?: (way: Way) => number;
};

/** A socket in memory: the shape that a collector's sockets have. */
export type MemorySocket = {
  readonly send: (text: string) => void;
  readonly ping: () => void;
  /** Closes and forgets the handlers. */
  readonly drop: () => void;
};

/** A running emulator in memory. */
export type InMemoryEmulator = Omit<Emulator, "close"> & {
  /** Opens a WebSocket at one of the endpoints. @throws ConnectionError when no exchange of this emulator is there */
  readonly openSocket: (url: string, handlers: MemorySocketHandlers, limits: { frameBytesMax: number }) => MemorySocket;
  /** Asks REST at one of the endpoints, as `fetch` does: rejects when the signal aborts or the connection is cut. */
  readonly fetch: (url: string, options?: FetchOptions) => Promise<Response>;
  /** Stops everything; nobody is told. */
  readonly close: () => void;
};

/** What `fetch` takes of its options. */
export type FetchOptions = { readonly signal?: AbortSignal; readonly method?: string };

const REMOTE = "memory";

/**
 * Starts an emulator in memory; time passes as the clock says.
 * @throws ConfigError when a capture cannot be opened, an option does not fit, or a script aims at nothing
 * @throws DecodeError naming file and line when a capture is broken
 */
export async function startInMemory(options: InMemoryOptions): Promise<InMemoryEmulator> {
  const { clock, delayMs = () => 0, truth = false } = options;
  const core = await openCore(options, clock);
  const endpoints = unstarted();
  for (const exchange of core.exchanges.keys()) {
    const value = endpointOf(exchange, hostOf(exchange), { core, hasTruth: truth });
    Object.defineProperty(endpoints, exchange, { value, enumerable: true });
  }
  const connections = new Set<MemoryConnection>();
  core.start();
  return {
    endpoints,
    ...surfaceOf(core),
    openSocket: (url, handlers, { frameBytesMax }) => {
      const address = new URL(url);
      const exchangeCore = exchangeAt(core, address);
      const { exchange } = exchangeCore;
      const connection: MemoryConnection = new MemoryConnection(exchangeCore, {
        clock,
        handlers,
        frameBytesMax,
        remote: REMOTE,
        delayMs: (to) => delayMs({ exchange, to, by: "socket" }),
        ended: () => connections.delete(connection),
      });
      connections.add(connection);
      connection.connect(address);
      return {
        send: (text) => connection.send(text),
        ping: () => connection.ping(),
        drop: () => connection.drop(),
      };
    },
    fetch: (url, request = {}) => ask(core, new URL(url), { clock, delayMs, ...request }),
    close: () => {
      core.close();
      for (const connection of connections) {
        connection.abandon();
      }
    },
  };
}

function hostOf(exchange: ExchangeId): string {
  return `${exchange.replace("_", "-")}.memory`;
}

function exchangeAt(core: EmulatorCore, { host }: URL): ExchangeCore {
  for (const [exchange, exchangeCore] of core.exchanges) {
    if (hostOf(exchange) === host) {
      return exchangeCore;
    }
  }
  throw new ConnectionError(`Cannot connect: no exchange of this emulator is there, was ${host}`);
}

type Asking = FetchOptions & { clock: Clock; delayMs: (way: Way) => number };

async function ask(
  core: EmulatorCore,
  url: URL,
  { clock, delayMs, signal, method = "GET" }: Asking,
): Promise<Response> {
  const exchangeCore = exchangeAt(core, url);
  const { exchange } = exchangeCore;
  const { pathname: path, searchParams: query } = url;
  const travel = (to: Way["to"]): Promise<void> =>
    new Promise((resolve) => {
      clock.setTimer(resolve, delayMs({ exchange, to, by: "rest" }));
    });
  const answered = async (): Promise<Response> => {
    await travel("exchange");
    const outcome = await exchangeCore.answer({ method, path, query, remote: REMOTE });
    await travel("client");
    return outcome.is === "unanswered" ? await new Promise<never>(() => undefined) : responseOf(outcome);
  };
  return await Promise.race([answered(), ...(signal === undefined ? [] : [aborted(signal)])]);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const refuse = (): void => reject(signal.reason as Error);
    if (signal.aborted) {
      refuse();
    } else {
      signal.addEventListener("abort", refuse, { once: true });
    }
  });
}

function responseOf(outcome: Exclude<RestOutcome, { is: "unanswered" }>): Response {
  const { status, body, headers = {} } = outcome.answer;
  const bytes = Buffer.from(body);
  const all = { "Content-Type": "application/json", "Content-Length": String(bytes.length), ...headers };
  if (outcome.is === "answered") {
    return new Response(bytes, { status, headers: all });
  }
  const part = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes.subarray(0, outcome.bytes)),
    pull: (controller) => controller.error(new TypeError("terminated")),
  });
  return new Response(part, { status, headers: all });
}

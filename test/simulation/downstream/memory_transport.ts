/**
 * A transport without sockets for the gateway's core: connections in memory on virtual time, topics as plain sets. Keeps
 * the contract of src/gateway/transport.ts: what is sent or published to a connection arrives in the order of the calls,
 * and what would go beyond the limit is dropped and told.
 * Bad case: a half-open connection; the hub goes on writing to it until its idle time is over.
 */
import type { Clock } from "../../../src/emulator/clock.ts";
import type { ListenOptions, Payload, TransportServer } from "../../../src/gateway/transport.ts";
import type { HubThread } from "./hub_thread.ts";
import { type ClientEnd, MemoryConnection, type Message, type Way } from "./memory_connection.ts";

const GOING_AWAY = 1001;

/** What a transport is made from. */
export type MemoryTransportOptions = {
  readonly clock: Clock;
  /** Where the hub's side runs. */
  readonly thread: HubThread;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
};

/** The hub's listening end, and how clients reach it. */
export class MemoryTransport implements TransportServer {
  readonly port = 0;
  readonly #options: MemoryTransportOptions;
  readonly #topics = new Map<string, Set<MemoryConnection>>();
  readonly #connections = new Set<MemoryConnection>();
  #listening: ListenOptions | undefined;
  #lastId = 0;

  constructor(options: MemoryTransportOptions) {
    this.#options = options;
  }

  /** Takes connections from here on. */
  listen(options: ListenOptions): TransportServer {
    this.#listening = options;
    return this;
  }

  /** Asks for a connection; `end.opened` or `end.closed` follows, never within this call. */
  connect(url: string, options: { protocols: readonly string[]; way: Way; end: ClientEnd }): MemoryConnection {
    this.#lastId += 1;
    const connection: MemoryConnection = new MemoryConnection({
      ...this.#options,
      ...options,
      id: this.#lastId,
      listening: () => this.#listening,
      taken: () => this.#connections.add(connection),
      gone: () => this.#forget(connection),
      subscribe: (topic) => this.#topics.set(topic, (this.#topics.get(topic) ?? new Set()).add(connection)),
      unsubscribe: (topic) => this.#topics.get(topic)?.delete(connection),
    });
    const { pathname: path, host } = new URL(url);
    const silent = { query: "", origin: "", forwardedFor: "", authorization: "", apiKey: "" };
    connection.request({ ...silent, path, host, address: "127.0.0.1", protocols: options.protocols });
    return connection;
  }

  publish(topic: string, payload: Payload): void {
    const subscribers = this.#topics.get(topic);
    if (subscribers !== undefined && subscribers.size > 0) {
      const message: Message = typeof payload === "string" ? payload : payload.slice();
      for (const connection of subscribers) {
        connection.transmit(message);
      }
    }
  }

  close(): Promise<void> {
    this.#listening = undefined;
    for (const connection of [...this.#connections]) {
      connection.hub.close(GOING_AWAY, "server stops");
    }
    return Promise.resolve();
  }

  #forget(connection: MemoryConnection): void {
    this.#connections.delete(connection);
    for (const subscribers of this.#topics.values()) {
      subscribers.delete(connection);
    }
  }
}

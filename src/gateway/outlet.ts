/**
 * Where everything leaves: topics of the transport, with the count of who listens and the bytes that go out. The counts
 * decide what is built at all: nothing is formatted as JSON, and no trade is encoded, while nobody listens.
 * Bad case: a count that drifts from the transport's own; only Session subscribes, and always through this class.
 */
import type { Connection, Payload, TransportServer } from "./transport.ts";

/** How a client wants its market messages. */
export type Form = "binary" | "json";

/** Bytes and frames that left. */
export type OutletTotals = { bytesOut: number; framesOut: number; wireFrames: number };

/** The topics of one gateway. */
export class Outlet {
  /** Totals since start. */
  readonly totals: OutletTotals = { bytesOut: 0, framesOut: 0, wireFrames: 0 };
  /** Payload bytes published or sent to whomever since the last call of `takeBurst`. */
  #burst = 0;
  #server: TransportServer | undefined;
  readonly #listeners = new Map<string, number>();

  /** Attaches the server once it listens; nothing is published before. */
  attach(server: TransportServer): void {
    this.#server = server;
  }

  /** How many clients get a topic. */
  listeners(topic: string): number {
    return this.#listeners.get(topic) ?? 0;
  }

  /** Puts a client on a topic. It must not be on it already. */
  join(connection: Connection, topic: string): void {
    connection.subscribe(topic);
    this.#listeners.set(topic, this.listeners(topic) + 1);
  }

  /** Takes a client off a topic. @param isOpen false when the connection is gone already */
  leave(connection: Connection, topic: string, isOpen = true): void {
    if (isOpen) {
      connection.unsubscribe(topic);
    }
    const left = this.listeners(topic) - 1;
    if (left > 0) {
      this.#listeners.set(topic, left);
    } else {
      this.#listeners.delete(topic);
    }
  }

  /** Sends one message to every listener of a topic. */
  publish(topic: string, payload: Payload): void {
    const receivers = this.listeners(topic);
    if (receivers > 0) {
      this.#server?.publish(topic, payload);
      this.#count(payload, receivers);
      this.totals.wireFrames += 1;
    }
  }

  /** Sends one message to one client. */
  send(connection: Connection, payload: Payload): void {
    connection.send(payload);
    this.#count(payload, 1);
  }

  /** Most bytes that one client can have been given since the last call. */
  takeBurst(): number {
    const burst = this.#burst;
    this.#burst = 0;
    return burst;
  }

  #count(payload: Payload, receivers: number): void {
    // Text is ASCII but for foreign trade ids and error quotes: its length stands for its bytes.
    const bytes = payload.length;
    this.totals.bytesOut += bytes * receivers;
    this.totals.framesOut += receivers;
    this.#burst += bytes;
  }
}

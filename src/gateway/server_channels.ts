/**
 * The channels of one client that belong to the server, not to an instrument: statistics and arbitrage. Text for everybody.
 * Bad case: a client that does not read; it is off their topics until it has, and is then told anew what such a channel
 * begins with, so that what it missed is not missing.
 */
import type { ServerChannel } from "../wire/protocol.ts";
import type { Outlet } from "./outlet.ts";
import type { Connection } from "./transport.ts";

/** What a channel begins with; none for statistics, whose next message says all. */
export type Beginnings = Partial<Record<ServerChannel, () => string>>;

/** The server's channels that one client gets. */
export class ServerChannels {
  readonly #connection: Connection;
  readonly #outlet: Outlet;
  readonly #beginnings: Beginnings;
  readonly #wanted = new Set<ServerChannel>();

  constructor(connection: Connection, options: { outlet: Outlet; beginnings: Beginnings }) {
    this.#connection = connection;
    this.#outlet = options.outlet;
    this.#beginnings = options.beginnings;
  }

  /** Subscriptions. */
  get size(): number {
    return this.#wanted.size;
  }

  /** Puts the client on a channel, beginning anew when it was on it, or takes it off. @param isOn it gets messages at present */
  set(channel: ServerChannel, { wanted, isOn }: { wanted: boolean; isOn: boolean }): void {
    if (this.#wanted.delete(channel) && isOn) {
      this.#outlet.leave(this.#connection, channel);
    }
    if (wanted) {
      this.#wanted.add(channel);
      if (isOn) {
        this.#join(channel);
      }
    }
  }

  /** Off all topics. @param isOpen false when the connection is gone already */
  leave(isOpen: boolean): void {
    for (const channel of this.#wanted) {
      this.#outlet.leave(this.#connection, channel, isOpen);
    }
  }

  /** Back on the topics. */
  rejoin(): void {
    for (const channel of this.#wanted) {
      this.#join(channel);
    }
  }

  #join(channel: ServerChannel): void {
    const beginning = this.#beginnings[channel]?.();
    if (beginning !== undefined) {
      this.#outlet.send(this.#connection, beginning);
    }
    this.#outlet.join(this.#connection, channel);
  }
}

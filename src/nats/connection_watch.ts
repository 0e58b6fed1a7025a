/**
 * What happens to the connection to the broker: counted, logged, and told to who uses it. The client reconnects for ever by
 * itself. Bad case: a broker that refuses us; each attempt is counted, and the log repeats why.
 */
import type { NatsConnection } from "@nats-io/transport-node";
import { CONNECTION_COUNTS, type Figures, zeroFigures } from "../model/broker_figures.ts";
import type { NatsLog } from "./broker.ts";

/** What happened to a connection. */
export type ConnectionCounts = Figures<typeof CONNECTION_COUNTS>;

/** Who uses the connection. */
export type ConnectionUser = {
  readonly log: NatsLog;
  /** What the log says when it is gone. */
  readonly awayText: string;
  away(): void;
  back(): void;
};

/** Watches a connection until it is closed. */
export class ConnectionWatch {
  readonly counts: ConnectionCounts = zeroFigures(CONNECTION_COUNTS);
  readonly #user: ConnectionUser;
  #isConnected = true;

  constructor(connection: NatsConnection, user: ConnectionUser) {
    this.#user = user;
    void this.#follow(connection);
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect" || status.type === "staleConnection") {
        this.#lose();
      } else if (status.type === "reconnecting") {
        this.counts.attempts += 1;
      } else if (status.type === "reconnect") {
        this.#isConnected = true;
        this.counts.reconnects += 1;
        this.#user.log.info("The broker is back");
        this.#user.back();
      } else if (status.type === "error") {
        this.#user.log.error(`The broker complains: ${status.error.message}`);
      }
    }
  }

  #lose(): void {
    if (this.#isConnected) {
      this.#isConnected = false;
      this.counts.disconnects += 1;
      this.#user.log.warn(this.#user.awayText);
    }
    this.#user.away();
  }
}

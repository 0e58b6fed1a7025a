/**
 * The statuses that one client is told: of every instrument that it has a subscription of, once however many those are.
 * Bad case: a client that did not read for a while; it is told the statuses that changed meanwhile, and only those.
 */
import type { ServedInstrument } from "./instrument.ts";
import type { Outlet } from "./outlet.ts";
import { statusTopic } from "./topics.ts";
import type { Connection } from "./transport.ts";

type Watch = { count: number; toldSerial: number };

/** Whose statuses one client gets. */
export class StatusWatch {
  readonly #connection: Connection;
  readonly #outlet: Outlet;
  readonly #watches = new Map<ServedInstrument, Watch>();

  constructor(connection: Connection, outlet: Outlet) {
    this.#connection = connection;
    this.#outlet = outlet;
  }

  /** One more subscription of an instrument, whose status the client was just told. @param isOn it gets messages at present */
  add(instrument: ServedInstrument, isOn: boolean): void {
    const watch = this.#watches.get(instrument) ?? { count: 0, toldSerial: instrument.statusSerial };
    watch.count += 1;
    this.#watches.set(instrument, watch);
    if (watch.count === 1 && isOn) {
      this.#outlet.join(this.#connection, statusTopic(instrument.alias));
    }
  }

  /** One subscription less. */
  remove(instrument: ServedInstrument, isOn: boolean): void {
    const watch = this.#watches.get(instrument);
    if (watch === undefined || --watch.count > 0) {
      return;
    }
    this.#watches.delete(instrument);
    if (isOn) {
      this.#outlet.leave(this.#connection, statusTopic(instrument.alias));
    }
  }

  /** Off all of their topics. @param isOpen false when the connection is gone already */
  leave(isOpen: boolean): void {
    for (const [instrument, watch] of this.#watches) {
      watch.toldSerial = instrument.statusSerial;
      this.#outlet.leave(this.#connection, statusTopic(instrument.alias), isOpen);
    }
  }

  /** Tells what changed meanwhile, and back on the topics. */
  rejoin(): void {
    for (const [instrument, watch] of this.#watches) {
      if (watch.toldSerial !== instrument.statusSerial) {
        this.#outlet.send(this.#connection, instrument.statusText());
      }
      this.#outlet.join(this.#connection, statusTopic(instrument.alias));
    }
  }
}

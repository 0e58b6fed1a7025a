/**
 * The connections of a collector, by index: made when an instrument is to be carried, given up when none is left. All of
 * them share one limit of attempts. Bad case: an instrument added while a connection is being replaced; it is subscribed
 * when that is over, so that it cannot stand on a socket that goes.
 */
import type { Exchange } from "../exchanges/mod.ts";
import type { ExchangeSync, TrackedInstrument } from "../sync/mod.ts";
import { wallNs } from "./clock.ts";
import type { CollectorOptions } from "./collector_settings.ts";
import { type ConnectionEvents, FeedConnection } from "./connection.ts";
import type { Endpoints } from "./endpoints.ts";
import { RateWindow } from "./rate_window.ts";
import type { Landing } from "./socket.ts";

/** What connections are made from. */
export type ConnectionsOptions = {
  readonly collector: CollectorOptions;
  /** As configured. */
  readonly exchange: Exchange;
  readonly sync: ExchangeSync;
  readonly endpoints: Endpoints;
  /** Frames or events were handed to the sync. */
  readonly worked: () => void;
  readonly reconnected: () => void;
  /** A frame was decoded, applied and settled. */
  readonly decoded: (elapsedNs: number) => void;
};

/** Reads of a socket at most. */
const LANDING_BYTES = 65_536;
/** Decoders look a little beyond a frame. */
const LANDING_MARGIN = 64;
/** A connection's socket and the one that replaces it. */
const LANDINGS = 2;

/** The connections of one collector. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #attempts: RateWindow;
  readonly #byIndex = new Map<number, FeedConnection>();
  readonly #joining = new Set<TrackedInstrument>();
  /** By index, for good: a connection that comes back has those that it had. */
  readonly #landings = new Map<number, readonly Landing[]>();
  #hasStarted = false;

  /** Makes those that carry an instrument already; nothing is connected yet. */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#attempts = new RateWindow(options.exchange.header.limits.connects);
    for (const { connection } of options.sync.instruments) {
      this.#obtain(connection);
    }
  }

  /** The connection of an index; undefined when nothing is carried there. */
  get(index: number): FeedConnection | undefined {
    return this.#byIndex.get(index);
  }

  /** Begins to connect. */
  start(): void {
    this.#hasStarted = true;
    for (const connection of this.#byIndex.values()) {
      connection.start();
    }
  }

  /** Looks after all of them. */
  tick(): void {
    for (const connection of this.#byIndex.values()) {
      connection.tick();
    }
    for (const instrument of this.#joining) {
      this.#join(instrument);
    }
  }

  /** Ends all for good. */
  stop(): void {
    for (const connection of this.#byIndex.values()) {
      connection.stop();
    }
  }

  /** The first index at which the exchange carries one more instrument: of a connection that is there, or of a further one. */
  indexWithRoom(): number {
    const { exchange, sync } = this.#options;
    const carried = (index: number) => sync.instruments.filter(({ connection }) => connection === index).length;
    let index = 0;
    while (carried(index) >= exchange.header.limits.instrumentsPerConnection) {
      index += 1;
    }
    return index;
  }

  /** Carries an instrument that the sync holds already: subscribed at once where the connection is up. */
  carry(instrument: TrackedInstrument): void {
    this.#obtain(instrument.connection);
    this.#joining.add(instrument);
    this.#join(instrument);
  }

  /** An instrument is gone; its connection goes with it when it was the last one there. */
  drop(instrument: TrackedInstrument): void {
    this.#joining.delete(instrument);
    const { sync, collector } = this.#options;
    const { connection: index } = instrument;
    if (!sync.instruments.some(({ connection }) => connection === index)) {
      this.#byIndex.get(index)?.stop();
      this.#byIndex.delete(index);
      sync.connection(index).closed(collector.clock.now());
    }
  }

  #join(instrument: TrackedInstrument): void {
    const connection = this.#byIndex.get(instrument.connection);
    if (instrument.machine.isConnected) {
      this.#joining.delete(instrument);
    } else if (connection?.isSettled === true) {
      this.#options.sync.connection(instrument.connection).join(instrument, this.#options.collector.clock.now());
      this.#options.worked();
    }
  }

  #obtain(index: number): FeedConnection {
    const known = this.#byIndex.get(index);
    if (known !== undefined) {
      return known;
    }
    const { exchange, sync, endpoints } = this.#options;
    const { limits, clock, openSocket, random, frame } = this.#options.collector;
    const connection = new FeedConnection({
      exchange,
      sync: sync.connection(index),
      endpoints,
      clock,
      openSocket,
      random,
      frameBytesMax: frame.bytes,
      landings: this.#obtainLandings(index),
      connectTimeoutMs: limits.connectTimeoutMs,
      backoff: { baseMs: limits.reconnectBaseMs, capMs: limits.reconnectCapMs, healthyMs: limits.healthyMs },
      attempts: this.#attempts,
      events: this.#events(String(index)),
    });
    this.#byIndex.set(index, connection);
    if (this.#hasStarted) {
      connection.start();
    }
    return connection;
  }

  /** Places in the kernel's arena; none when it is exhausted, frames are copied then. */
  #obtainLandings(index: number): readonly Landing[] {
    const { kernel } = this.#options.collector;
    const known = this.#landings.get(index);
    if (known !== undefined) {
      return known;
    }
    const addresses = Array.from({ length: LANDINGS }, () => kernel.arenaAllocate(LANDING_BYTES + LANDING_MARGIN));
    const landings = addresses
      .filter((address) => address !== 0)
      .map((address) => ({ address, bytes: new Uint8Array(kernel.buffer, address, LANDING_BYTES) }));
    this.#landings.set(index, landings);
    return landings;
  }

  #events(connection: string): ConnectionEvents {
    const { worked, reconnected, decoded } = this.#options;
    const { clock, recorder, report } = this.#options.collector;
    const nowNs = () => wallNs(clock, clock.now());
    return {
      worked,
      connecting: (url) => {
        report({ level: "info", text: `Connecting to ${url}` });
        recorder?.connect(url, nowNs(), connection);
      },
      sent: (text) => recorder?.send(text, nowNs(), connection),
      ...(recorder === undefined
        ? {}
        : {
            received: (bytes, { isBinary, receivedAt }) =>
              recorder.receive(bytes, wallNs(clock, receivedAt), { connection, isBinary }),
          }),
      report: (level, text) => report({ level, text }),
      reconnected,
      decoded,
    };
  }
}

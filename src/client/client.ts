/**
 * The front of a client: handles, listeners and loops over whatever does the work, and the interface that users see.
 * Bad case: a handle of a client that was closed; it stays readable, says so by its state, and its loops end.
 */
import type { Channel, Policy } from "../wire/protocol.ts";
import type { Backend, BackendListener } from "./backend.ts";
import { type BookHandle, createBookHandle } from "./book_handle.ts";
import { Broadcast } from "./broadcast.ts";
import type {
  BboEvent,
  ClientBook,
  ClientCounts,
  ClientEvent,
  InstrumentListing,
  InstrumentStatus,
  TradeEvent,
} from "./events.ts";
import { createFeedHandle, type FeedHandle } from "./feed_handle.ts";
import type { InstrumentSlot } from "./instrument_slot.ts";
import type { SocketState } from "./socket.ts";
import type { Request } from "./subscriptions.ts";

const EVENTS_MAX = 16_384;

/** Which book, and how it is sent. */
export type BookOptions = {
  /** Levels a side, one of those that the server has; default 0 = all. */
  readonly depth?: number;
  /** Least milliseconds between updates, one of those that the server has; default 0 = every change. */
  readonly rateMs?: number;
  /** What becomes of it when this client reads too slowly; the first handle of a view decides. Default conflate. */
  readonly policy?: Policy;
};

/** A client that was started by `connect`. */
export interface StreamClient {
  /** How the connection stands. */
  readonly state: SocketState;
  readonly counts: Readonly<ClientCounts>;
  /** Follows a book until the handle is closed. Handles of one view share a subscription. */
  book(instrument: string, options?: BookOptions): BookHandle;
  /** Follows trades until the handle is closed. */
  trades(instrument: string): FeedHandle<TradeEvent>;
  /** Follows the best prices until the handle is closed. */
  bbo(instrument: string): FeedHandle<BboEvent>;
  /** Follows how well an instrument can be trusted until the handle is closed. */
  status(instrument: string): FeedHandle<InstrumentStatus>;
  /** The instruments of the server. @throws Error when the client is closed before they came */
  instruments(): Promise<InstrumentListing[]>;
  /** Subscribes, now and after every reconnect, whoever listens. Instruments may be patterns. */
  subscribe(request: Request): void;
  /** Ends what was subscribed, as it was named. */
  unsubscribe(request: Request): void;
  /** Asks for the list of instruments; it comes as an `instruments` event. */
  listInstruments(): void;
  /**
   * A copy of a book as it is held now, whoever subscribed it, `levels` a side at most.
   * @param view of which view; default the whole book at every change
   * @returns undefined before there is one
   */
  peek(instrument: string, levels?: number, view?: { depth?: number; rateMs?: number }): ClientBook | undefined;
  /** Status of every instrument that was subscribed. */
  statuses(): InstrumentStatus[];
  /** Calls for every event, from inside the event loop. @returns ends it */
  on(listener: (event: ClientEvent) => void): () => void;
  /** Every event from here on, until the client is closed. */
  events(): AsyncIterableIterator<ClientEvent>;
  /** Closes for good, with all handles. */
  close(): void;
}

/**
 * Makes a client over a backend and starts it.
 * @param options.eventsMax events or trades that a loop may lag behind; default 16384
 */
export function createClient(
  makeBackend: (emit: BackendListener) => Backend,
  options: { eventsMax?: number | undefined },
): StreamClient {
  return new Client(makeBackend, options.eventsMax ?? EVENTS_MAX);
}

type Ending = { end(): void };

class Client implements StreamClient {
  readonly #events = new Broadcast<ClientEvent>();
  readonly #handles = new Set<Ending>();
  readonly #eventsMax: number;
  readonly #backend: Backend;

  constructor(makeBackend: (emit: BackendListener) => Backend, eventsMax: number) {
    this.#eventsMax = eventsMax;
    this.#backend = makeBackend((event) => this.#events.send(event));
    this.#backend.start();
  }

  get state(): SocketState {
    return this.#backend.state;
  }

  get counts(): ClientCounts {
    return this.#backend.counts;
  }

  book(instrument: string, { depth = 0, rateMs = 0, policy }: BookOptions = {}): BookHandle {
    const backend = this.#backend;
    const slot = backend.store.view(instrument, { depth, rateMs });
    const request = {
      channels: ["book"] as const,
      instruments: [instrument],
      depth,
      rateMs,
      ...(policy && { policy }),
    };
    backend.add(request, "handle");
    const handle: BookHandle & Ending = createBookHandle(slot, {
      get isOpen() {
        return backend.state === "open";
      },
      get isClosed() {
        return backend.state === "closed";
      },
      release: () => this.#release(handle, request),
    });
    this.#handles.add(handle);
    return handle;
  }

  trades(instrument: string): FeedHandle<TradeEvent> {
    const slot = this.#backend.store.instrument(instrument);
    return this.#feed("trades", { slot, watchers: slot.tradeWatchers, last: () => undefined, limit: this.#eventsMax });
  }

  bbo(instrument: string): FeedHandle<BboEvent> {
    const slot = this.#backend.store.instrument(instrument);
    return this.#feed("bbo", { slot, watchers: slot.bboWatchers, last: () => slot.bbo, limit: 1 });
  }

  status(instrument: string): FeedHandle<InstrumentStatus> {
    const slot = this.#backend.store.instrument(instrument);
    const last = () => (slot.isTold ? { instrument, ...slot.status } : undefined);
    return this.#feed("status", { slot, watchers: slot.statusWatchers, last, limit: 1 });
  }

  async instruments(): Promise<InstrumentListing[]> {
    const events = this.events();
    this.listInstruments();
    for await (const event of events) {
      if (event.type === "instruments") {
        return event.instruments;
      }
      if (event.type === "connection" && event.state === "open") {
        this.listInstruments();
      }
    }
    throw new Error("Cannot list instruments: the client was closed");
  }

  subscribe(request: Request): void {
    this.#backend.add(request, "request");
  }

  unsubscribe(request: Request): void {
    this.#backend.remove(request, "request");
  }

  listInstruments(): void {
    this.#backend.listInstruments();
  }

  peek(instrument: string, levels?: number, view: { depth?: number; rateMs?: number } = {}): ClientBook | undefined {
    const { depth = 0, rateMs = 0 } = view;
    const { store } = this.#backend;
    return store.find(instrument) && store.view(instrument, { depth, rateMs }).copy(levels);
  }

  statuses(): InstrumentStatus[] {
    return this.#backend.store.statuses();
  }

  on(listener: (event: ClientEvent) => void): () => void {
    return this.#events.on(listener);
  }

  events(): AsyncIterableIterator<ClientEvent> {
    return this.#events.loop(this.#eventsMax, () => this.#dropped());
  }

  close(): void {
    this.#backend.close();
    for (const ending of [this.#events, ...this.#handles]) {
      ending.end();
    }
    this.#handles.clear();
  }

  #feed<Value>(
    channel: Channel,
    options: {
      slot: InstrumentSlot;
      watchers: Set<(value: Value) => void>;
      last: () => Value | undefined;
      limit: number;
    },
  ): FeedHandle<Value> {
    const instrument = options.slot.name;
    const request = { channels: [channel], instruments: [instrument] };
    this.#backend.add(request, "handle");
    const handle: FeedHandle<Value> & Ending = createFeedHandle({
      ...options,
      instrument,
      dropped: () => (options.limit > 1 ? this.#dropped() : undefined),
      release: () => this.#release(handle, request),
    });
    this.#handles.add(handle);
    return handle;
  }

  #release(handle: Ending, request: Request): void {
    this.#handles.delete(handle);
    this.#backend.remove(request, "handle");
  }

  #dropped(): void {
    this.#backend.counts.droppedEvents += 1;
  }
}

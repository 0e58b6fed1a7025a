/**
 * A client's work in this thread: a socket that comes back, the reader of what it brings, and the subscriptions that the
 * server is told. Requests are told at once; what handles want is gathered until the current task ends, so that fifty
 * handles are one message and one that is closed and made again is none.
 * Bad case: a connection that is lost; what was wanted is told to the next one, with the place where each book stands.
 */
import { type ResumePoint, SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON } from "../wire/protocol.ts";
import { type Backend, type BackendListener, emptyCounts } from "./backend.ts";
import type { ClientCounts, ResyncReason } from "./events.ts";
import { SlotStore } from "./instrument_slot.ts";
import { MessageReader } from "./message_reader.ts";
import { type ClientRuntime, ReconnectingSocket, type SocketState, type SocketTiming } from "./socket.ts";
import {
  type Asker,
  INSTRUMENTS_PER_MESSAGE,
  type Item,
  matches,
  type Request,
  Subscriptions,
  viewOf,
} from "./subscriptions.ts";
import type { ViewSlot } from "./view_slot.ts";

/** Least time between messages that ask for books again: a server reads a limited number a second. */
const PAUSE_MS = 100;

/** How a socket backend is made. */
export type SocketBackendOptions = {
  readonly form: "binary" | "json";
  readonly isVerified: boolean;
  readonly runtime: ClientRuntime;
  readonly timing: SocketTiming;
};

/** A client's work in this thread. */
export class SocketBackend implements Backend {
  readonly store: SlotStore;
  readonly counts: ClientCounts = emptyCounts();
  readonly #emit: BackendListener;
  readonly #runtime: ClientRuntime;
  readonly #socket: ReconnectingSocket;
  readonly #subscriptions = new Subscriptions();
  readonly #reader: MessageReader;
  #state: SocketState = "connecting";
  #lastId = 0;
  #isGathering = false;
  /** Books to ask for again, by view and reason, while it is too early for the next message. */
  readonly #asked = new Map<string, { view: ViewSlot; reason: ResyncReason; instruments: string[] }>();
  #isPausing = false;

  constructor(url: string, options: SocketBackendOptions, emit: BackendListener) {
    const { runtime, timing } = options;
    this.#emit = emit;
    this.#runtime = runtime;
    this.store = new SlotStore(options);
    this.#reader = new MessageReader({
      store: this.store,
      counts: this.counts,
      runtime,
      emit,
      request: (view, reason) => this.#again(view, reason),
      fail: (reason) => this.#socket.fail(reason),
    });
    this.#socket = new ReconnectingSocket(url, {
      protocol: options.form === "json" ? SUBPROTOCOL_JSON : SUBPROTOCOL_BINARY,
      runtime,
      timing,
      handlers: {
        stateChanged: (state, detail) => this.#stateChanged(state, detail),
        message: (content) => this.#reader.read(content),
        quiet: () => this.#transmit({ op: "ping" }),
      },
    });
  }

  get state(): SocketState {
    return this.#state;
  }

  /** Opens the socket for the first time. */
  start(): void {
    this.#socket.start();
  }

  add(request: Request, asker: Asker): void {
    this.#subscriptions.add(request, asker);
    this.#tellSoon(asker);
  }

  remove(request: Request, asker: Asker): void {
    this.#subscriptions.remove(request, asker);
    this.#tellSoon(asker);
  }

  listInstruments(): void {
    this.#transmit({ op: "instruments" });
  }

  close(): void {
    this.#socket.close();
  }

  #stateChanged(state: SocketState, detail: { attempt: number; reason: string }): void {
    this.#state = state;
    if (state === "waiting") {
      this.counts.reconnects += 1;
    }
    if (state !== "open") {
      this.#subscriptions.forget();
      this.#asked.clear();
      this.#reader.disconnected();
    }
    this.#emit({ type: "connection", state, ...detail });
    if (state === "open") {
      this.#tell((item) => this.#resumePoints(item));
    }
    for (const { views } of this.store.instruments) {
      for (const view of views) {
        view.tell(undefined);
      }
    }
  }

  #tellSoon(asker: Asker): void {
    if (asker === "request") {
      this.#tell();
    } else if (!this.#isGathering) {
      this.#isGathering = true;
      queueMicrotask(() => {
        this.#isGathering = false;
        this.#tell();
      });
    }
  }

  #tell(resume?: (item: Item) => Record<string, ResumePoint>): void {
    if (this.#state === "open") {
      for (const message of this.#subscriptions.messages(resume)) {
        this.#transmit(message);
      }
    }
  }

  /** Where the books of an item stand. */
  #resumePoints(item: Item): Record<string, ResumePoint> {
    const points: Record<string, ResumePoint> = {};
    if (item.channel === "book") {
      for (const instrument of this.store.instruments) {
        const point = matches(item.instrument, instrument.name)
          ? this.store.view(instrument.name, item).resumePoint
          : undefined;
        if (point !== undefined) {
          points[instrument.name] = point;
        }
      }
    }
    return points;
  }

  /** Asks for a book again whose check failed: at once, but together with others when many fail. */
  #again(view: ViewSlot, reason: ResyncReason): void {
    const key = `${view.depth} ${view.rateMs} ${reason}`;
    const ask = this.#asked.get(key) ?? { view, reason, instruments: [] };
    ask.instruments.push(view.instrument.name);
    this.#asked.set(key, ask);
    if (!this.#isPausing) {
      this.#askAgain();
    }
  }

  #askAgain(): void {
    this.#isPausing = false;
    for (const [key, { view, reason, instruments }] of this.#asked) {
      this.#isPausing = true;
      const named = instruments.splice(0, INSTRUMENTS_PER_MESSAGE);
      this.#transmit({ op: "subscribe", channels: ["book"], instruments: named, ...viewOf(view), reason });
      if (instruments.length === 0) {
        this.#asked.delete(key);
      }
    }
    if (this.#isPausing) {
      this.#runtime.after(PAUSE_MS, () => this.#askAgain());
    }
  }

  #transmit(message: object): void {
    const text = JSON.stringify({ ...message, id: ++this.#lastId });
    if (this.#socket.send(text)) {
      this.counts.bytesOut += text.length;
    }
  }
}

/**
 * The page's half of a client whose work is done by a Web Worker: mirrors the worker's books by what changed in them, once
 * per frame at most, and passes on what happened. No memory is shared, so that no special headers are needed.
 * Bad case: a worker that cannot be loaded; the connection then says so in its reason and stays `waiting`.
 */
import { REPLICA_STATE_EMPTY, REPLICA_STATE_FOLLOWING, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import { type Backend, type BackendListener, emptyCounts } from "./backend.ts";
import type { ClientCounts, ClientEvent } from "./events.ts";
import { type Exact, normal } from "./exact.ts";
import { SlotStore } from "./instrument_slot.ts";
import type { SocketState } from "./socket.ts";
import type { Asker, Request } from "./subscriptions.ts";
import type { Batch, LevelNumbers, MirrorBook, PageMessage, WorkerSettings } from "./worker_messages.ts";

/** What is needed of a worker: that of browsers, Deno and Bun. */
export type WorkerLike = {
  postMessage(message: unknown): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: { message?: string }) => void) | null;
};

/** A client's work, done by a worker. */
export class WorkerBackend implements Backend {
  readonly store = new SlotStore({ isVerified: false });
  readonly counts: ClientCounts = emptyCounts();
  readonly #url: string;
  readonly #worker: WorkerLike;
  readonly #settings: WorkerSettings;
  readonly #emit: BackendListener;
  #state: SocketState = "connecting";

  constructor(url: string, { worker, ...settings }: WorkerSettings & { worker: WorkerLike }, emit: BackendListener) {
    this.#url = url;
    this.#worker = worker;
    this.#settings = settings;
    this.#emit = emit;
  }

  get state(): SocketState {
    return this.#state;
  }

  start(): void {
    this.#worker.onmessage = ({ data: batch }) => this.#take(batch as Batch);
    this.#worker.onerror = ({ message = "" }) => {
      this.#state = "waiting";
      this.#emit({ type: "connection", state: "waiting", attempt: 1, reason: `the worker failed: ${message}` });
    };
    this.#post({ act: "connect", url: this.#url, settings: this.#settings });
  }

  add(request: Request, asker: Asker): void {
    this.#post({ act: "add", request, asker });
  }

  remove(request: Request, asker: Asker): void {
    this.#post({ act: "remove", request, asker });
  }

  listInstruments(): void {
    this.#post({ act: "list" });
  }

  /** The worker ends itself. */
  close(): void {
    this.#post({ act: "close" });
    this.#worker.onmessage = null;
    this.#state = "closed";
    this.#emit({ type: "connection", state: "closed", attempt: 0, reason: "closed by the client" });
  }

  #post(message: PageMessage): void {
    this.#worker.postMessage(message);
  }

  #take({ state, counts, events, books }: Batch): void {
    const { droppedEvents } = this.counts;
    Object.assign(this.counts, counts, { droppedEvents });
    const isMoved = state !== this.#state;
    this.#state = state;
    for (const book of books) {
      this.#mirror(book);
    }
    for (const event of events) {
      this.#pass(event);
    }
    for (const book of books) {
      this.#tell(book);
    }
    if (isMoved) {
      for (const { views } of this.store.instruments) {
        for (const view of views) {
          view.tell(undefined);
        }
      }
    }
  }

  #mirror(mirrored: MirrorBook): void {
    const view = this.store.view(mirrored.instrument, mirrored);
    const { book } = view;
    const { levels } = book;
    if (mirrored.isWhole) {
      levels.clear();
      eachLevel(mirrored.bids, (price, quantity) => levels.append(SIDE_BID, price, quantity));
      eachLevel(mirrored.asks, (price, quantity) => levels.append(SIDE_ASK, price, quantity));
    } else {
      eachLevel(mirrored.bids, (price, quantity) => levels.set(SIDE_BID, price, quantity));
      eachLevel(mirrored.asks, (price, quantity) => levels.set(SIDE_ASK, price, quantity));
    }
    levels.hash = mirrored.hash;
    book.version.set(...mirrored.version);
    book.eventAt.set(...mirrored.eventAt);
    book.receivedAt.set(...mirrored.receivedAt);
    book.flags = mirrored.flags;
    book.priceExponent = mirrored.priceExponent;
    book.quantityExponent = mirrored.quantityExponent;
    view.provedVersion.set(...mirrored.provedVersion);
    book.state = mirrored.hasBook ? REPLICA_STATE_FOLLOWING : REPLICA_STATE_EMPTY;
    view.expected = mirrored.expected;
  }

  #pass(event: ClientEvent): void {
    if (event.type === "status") {
      const { type: _, instrument, ...status } = event;
      this.store.instrument(instrument).setStatus(status);
    } else if (event.type === "trade") {
      tellAll(this.store.instrument(event.instrument).tradeWatchers, event);
    } else if (event.type === "bbo") {
      const slot = this.store.instrument(event.instrument);
      slot.bbo = event;
      tellAll(slot.bboWatchers, event);
    }
    this.#emit(event);
  }

  #tell({ instrument, depth, rateMs, records, isWhole, hasBook }: MirrorBook): void {
    const view = this.store.view(instrument, { depth, rateMs });
    if (records === undefined || !hasBook) {
      view.tell(undefined);
      return;
    }
    const version = view.book.version.text;
    this.#emit({ type: "book", instrument, depth, rateMs, version, records, isSnapshot: isWhole });
    view.tell({ records, isSnapshot: isWhole });
  }
}

function tellAll<Value>(watchers: Set<(value: Value) => void>, value: Value): void {
  for (const watcher of watchers) {
    watcher(value);
  }
}

function eachLevel(numbers: LevelNumbers, call: (price: Exact, quantity: Exact) => void): void {
  for (let at = 0; at < numbers.length; at += 2) {
    call(exactAt(numbers, at), exactAt(numbers, at + 1));
  }
}

function exactAt(numbers: LevelNumbers, at: number): Exact {
  const value = numbers[at] as Exact;
  return typeof value === "number" ? value : normal(value);
}

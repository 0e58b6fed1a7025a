/**
 * The worker's half of a client: socket, decoder, books and proofs run here. The page is told at most once per frame:
 * what happened, and the levels that changed since the frame before.
 * Bad case: a page that cannot keep up; batches then wait in the browser's queue, hence none is sent before its time.
 */
import type { ClientEvent } from "./events.ts";
import type { Exact } from "./exact.ts";
import type { BookSide } from "./level_book.ts";
import { SYSTEM_RUNTIME, type WebSocketClass } from "./socket.ts";
import { SocketBackend } from "./socket_backend.ts";
import type { ViewSlot } from "./view_slot.ts";
import type { Word64 } from "./word64.ts";
import type { Batch, LevelNumbers, MirrorBook, PageMessage, Words } from "./worker_messages.ts";

const FRAME_MS = 16;

type Touched = readonly [bids: Set<Exact>, asks: Set<Exact>];

/** What changed in a view since the batch before. */
type Changes = { isWhole: boolean; isDirty: boolean; records: number | undefined; readonly touched: Touched };

/** The scope of a dedicated worker, as far as it is needed. */
type WorkerScope = {
  onmessage: ((event: { data: PageMessage }) => void) | null;
  postMessage(batch: Batch, transfer: ArrayBuffer[]): void;
  close(): void;
};

serve(globalThis as unknown as WorkerScope);

function serve(scope: WorkerScope): void {
  let host: Host | undefined;
  scope.onmessage = ({ data: message }) => {
    if (message.act === "connect") {
      host = new Host(message, scope);
    } else {
      host?.act(message);
    }
  };
}

class Host {
  readonly #scope: WorkerScope;
  readonly #backend: SocketBackend;
  readonly #changes = new Map<ViewSlot, Changes>();
  #events: ClientEvent[] = [];
  #isDue = false;

  constructor({ url, settings }: Extract<PageMessage, { act: "connect" }>, scope: WorkerScope) {
    this.#scope = scope;
    const runtime = { WebSocket: globalThis.WebSocket as WebSocketClass, ...SYSTEM_RUNTIME };
    this.#backend = new SocketBackend(url, { ...settings, runtime }, (event) => this.#heard(event));
    this.#backend.start();
  }

  act(message: Exclude<PageMessage, { act: "connect" }>): void {
    if (message.act === "add" || message.act === "remove") {
      this.#backend[message.act](message.request, message.asker);
    } else if (message.act === "list") {
      this.#backend.listInstruments();
    } else {
      this.#backend.close();
      this.#flush();
      this.#scope.close();
    }
  }

  #heard(event: ClientEvent): void {
    if (event.type !== "book") {
      this.#events.push(event);
    }
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (!this.#isDue) {
      this.#isDue = true;
      setTimeout(() => this.#flush(), FRAME_MS);
    }
  }

  #flush(): void {
    this.#isDue = false;
    const { state, counts, store } = this.#backend;
    const books: MirrorBook[] = [];
    for (const { views } of store.instruments) {
      for (const view of views) {
        const changes = this.#changes.get(view) ?? this.#watch(view);
        if (changes.isDirty) {
          books.push(mirrorOf(view, changes));
          changes.isDirty = false;
          changes.isWhole = false;
          changes.records = undefined;
          changes.touched[0].clear();
          changes.touched[1].clear();
        }
      }
    }
    const events = this.#events;
    this.#events = [];
    const transfer = books.flatMap(({ bids, asks }) => [bids.buffer, asks.buffer]);
    this.#scope.postMessage({ state, counts: { ...counts }, events, books }, transfer);
  }

  /** Notes what changes in a view from now on. */
  #watch(view: ViewSlot): Changes {
    const touched: Touched = [new Set(), new Set()];
    const changes: Changes = { isWhole: true, isDirty: true, records: view.hasBook ? 0 : undefined, touched };
    view.book.levels.touched = touched;
    view.watchers.add((change) => {
      changes.isDirty = true;
      changes.isWhole ||= change?.isSnapshot === true;
      changes.records = change === undefined ? changes.records : (changes.records ?? 0) + change.records;
      this.#flushSoon();
    });
    this.#changes.set(view, changes);
    return changes;
  }
}

function mirrorOf(view: ViewSlot, { isWhole, records, touched }: Changes): MirrorBook {
  const { book, depth, rateMs, hasBook, expected } = view;
  const { flags, priceExponent, quantityExponent } = book;
  const { bids, asks, hash } = book.levels;
  return {
    instrument: view.instrument.name,
    depth,
    rateMs,
    hasBook,
    expected,
    records,
    isWhole: isWhole || !hasBook,
    bids: hasBook ? numbersOf(bids, isWhole ? undefined : touched[0]) : new Float64Array(),
    asks: hasBook ? numbersOf(asks, isWhole ? undefined : touched[1]) : new Float64Array(),
    version: wordsOf(book.version),
    provedVersion: wordsOf(view.provedVersion),
    eventAt: wordsOf(book.eventAt),
    receivedAt: wordsOf(book.receivedAt),
    flags,
    hash,
    priceExponent,
    quantityExponent,
  };
}

/** All levels of a side, best first, or those at some prices. */
function numbersOf(side: BookSide, prices: Set<Exact> | undefined): LevelNumbers {
  const values: Exact[] = [];
  if (prices === undefined) {
    for (let rank = 0; rank < side.count; rank++) {
      values.push(side.price(rank), side.quantity(rank));
    }
  } else {
    for (const price of prices) {
      values.push(price, side.quantityAt(price));
    }
  }
  return values.some((value) => typeof value === "bigint")
    ? BigInt64Array.from(values, BigInt)
    : Float64Array.from(values as number[]);
}

function wordsOf({ low, high }: Word64): Words {
  return [low, high];
}

/**
 * Client of the stream, for browsers, Node, Deno and Bun: keeps exact books from the binary form (or the JSON form),
 * proves them by version chain and hash, and comes back by itself. Runs without SharedArrayBuffer and without WebAssembly.
 * Bad case: anything that does not hold. The book concerned is dropped at once, is asked for again, and that is counted;
 * a lost connection, or one that brought what no server sends, makes every book say so until its next snapshot.
 *
 * @example
 * const client = connect("ws://127.0.0.1:8765/ws");
 * client.subscribe({ channels: ["book", "trades"], instruments: ["kraken:BTC-USD"] });
 * for await (const event of client.events()) {
 *   if (event.type === "book") console.log(client.book(event.instrument, 1));
 * }
 */
import { SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON } from "../wire/protocol.ts";
import { EventQueue } from "./event_queue.ts";
import type { ClientBook, ClientCounts, ClientEvent, InstrumentStatus, ResyncReason } from "./events.ts";
import { MessageReader } from "./message_reader.ts";
import {
  type ClientRuntime,
  ReconnectingSocket,
  type SocketState,
  type SocketTiming,
  type WebSocketClass,
} from "./socket.ts";
import { type Request, Subscriptions } from "./subscriptions.ts";

export type * from "./events.ts";
export type { ClientRuntime, SocketState, SocketTiming, WebSocketClass } from "./socket.ts";
export type { Request } from "./subscriptions.ts";

const MEMORY_BYTES = 16_777_216;
const EVENTS_MAX = 16_384;
const TIMING: SocketTiming = {
  firstDelayMs: 250,
  delayMsMax: 10_000,
  connectMs: 10_000,
  stableMs: 5000,
  pingMs: 15_000,
};

/** How a client connects. */
export type ConnectOptions = {
  /** Default binary: a tenth of the bytes. */
  readonly form?: "binary" | "json";
  /** Needed where there is no global WebSocket (Node before 22): the class of `ws` fits. */
  readonly WebSocket?: WebSocketClass;
  readonly runtime?: Partial<Omit<ClientRuntime, "WebSocket">>;
  readonly timing?: Partial<SocketTiming>;
  /** For frames and scratch; default 16 MiB. */
  readonly memoryBytes?: number;
  /** Events that a `for await` may lag behind; default 16384. */
  readonly eventsMax?: number;
};

/** A client that was started by `connect`. */
export interface StreamClient {
  /** How the connection stands. */
  readonly state: SocketState;
  readonly counts: Readonly<ClientCounts>;
  /** Subscribes, now and after every reconnect. Instruments may be patterns: `exchange:*`, `*:BASE-QUOTE`, `*:*`. */
  subscribe(request: Request): void;
  /** Ends what was subscribed, as it was named. */
  unsubscribe(request: Request): void;
  /** Asks for the list of instruments; it comes as an `instruments` event. */
  listInstruments(): void;
  /** The book of an instrument, `depth` levels a side at most. @returns undefined before there is one */
  book(instrument: string, depth?: number): ClientBook | undefined;
  /** Status of every instrument that was subscribed. */
  statuses(): InstrumentStatus[];
  /** Calls for every event, from inside the event loop. @returns ends it */
  on(listener: (event: ClientEvent) => void): () => void;
  /** Every event from here on, until the client is closed. */
  events(): AsyncIterableIterator<ClientEvent>;
  /** Closes for good. */
  close(): void;
}

/**
 * Connects to a gateway.
 * @param url `ws://HOST:PORT/ws`
 * @throws TypeError when the runtime has no WebSocket and none was given
 * @throws SyntaxError when the address is none
 */
export function connect(url: string, options: ConnectOptions = {}): StreamClient {
  const WebSocket = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
  if (WebSocket === undefined) {
    throw new TypeError("Cannot connect: this runtime has no WebSocket, pass options.WebSocket, was undefined");
  }
  const runtime: ClientRuntime = { WebSocket, ...SYSTEM, ...options.runtime };
  return new Client(url, { ...options, runtime });
}

const SYSTEM: Omit<ClientRuntime, "WebSocket"> = {
  now: () => performance.now(),
  random: () => Math.random(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};

class Client implements StreamClient {
  readonly counts: ClientCounts = {
    bytesIn: 0,
    messagesIn: 0,
    bytesOut: 0,
    framesApplied: 0,
    malformed: 0,
    resyncs: 0,
    resets: 0,
    reconnects: 0,
    tradesMissed: 0,
    droppedEvents: 0,
  };
  readonly #socket: ReconnectingSocket;
  readonly #subscriptions = new Subscriptions();
  readonly #reader: MessageReader;
  readonly #listeners = new Set<(event: ClientEvent) => void>();
  readonly #queues = new Set<EventQueue<ClientEvent>>();
  readonly #eventsMax: number;
  #state: SocketState = "connecting";
  #lastId = 0;

  constructor(url: string, options: ConnectOptions & { runtime: ClientRuntime }) {
    const { runtime } = options;
    this.#eventsMax = options.eventsMax ?? EVENTS_MAX;
    this.#reader = new MessageReader({
      memoryBytes: options.memoryBytes ?? MEMORY_BYTES,
      counts: this.counts,
      runtime,
      emit: (event) => this.#emit(event),
      request: (request, reason) => this.#send("subscribe", request, reason),
      fail: (reason) => this.#socket.fail(reason),
    });
    this.#socket = new ReconnectingSocket(url, {
      protocol: options.form === "json" ? SUBPROTOCOL_JSON : SUBPROTOCOL_BINARY,
      runtime,
      timing: { ...TIMING, ...options.timing },
      handlers: {
        stateChanged: (state, detail) => this.#stateChanged(state, detail),
        message: (content) => this.#reader.read(content),
        quiet: () => this.#transmit({ op: "ping", id: ++this.#lastId }),
      },
    });
    this.#socket.start();
  }

  get state(): SocketState {
    return this.#state;
  }

  subscribe(request: Request): void {
    this.#subscriptions.add(request);
    this.#send("subscribe", request);
  }

  unsubscribe(request: Request): void {
    this.#subscriptions.remove(request);
    this.#send("unsubscribe", request);
    // What another request still names came off with it: ask again. For what is on already this is a fresh snapshot.
    for (const rest of this.#subscriptions.requests().filter((one) => overlaps(one, request))) {
      this.#send("subscribe", rest);
    }
  }

  listInstruments(): void {
    this.#transmit({ op: "instruments", id: ++this.#lastId });
  }

  book(instrument: string, depth?: number): ClientBook | undefined {
    return this.#reader.book(instrument, depth);
  }

  statuses(): InstrumentStatus[] {
    return this.#reader.statuses();
  }

  on(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  events(): AsyncIterableIterator<ClientEvent> {
    const queue: EventQueue<ClientEvent> = new EventQueue({
      limit: this.#eventsMax,
      onDrop: () => {
        this.counts.droppedEvents += 1;
      },
      onEnd: () => void this.#queues.delete(queue),
    });
    this.#queues.add(queue);
    return queue;
  }

  close(): void {
    this.#socket.close();
    for (const queue of this.#queues) {
      queue.end();
    }
  }

  #stateChanged(state: SocketState, detail: { attempt: number; reason: string }): void {
    this.#state = state;
    if (state === "waiting") {
      this.counts.reconnects += 1;
    }
    if (state !== "open") {
      this.#reader.disconnected();
    }
    this.#emit({ type: "connection", state, ...detail });
    if (state === "open") {
      for (const request of this.#subscriptions.requests()) {
        this.#send("subscribe", request);
      }
    }
  }

  /** Sends a request in messages of at most as many instruments as a server takes. */
  #send(op: "subscribe" | "unsubscribe", { channels, instruments }: Request, reason?: ResyncReason): void {
    const market = channels.filter((channel) => channel !== "stats");
    if (market.length < channels.length) {
      this.#transmit({ op, id: ++this.#lastId, channels: ["stats"] });
    }
    for (let index = 0; market.length > 0 && index < instruments.length; index += INSTRUMENTS_PER_MESSAGE) {
      const named = instruments.slice(index, index + INSTRUMENTS_PER_MESSAGE);
      const why = reason === undefined ? {} : { reason };
      this.#transmit({ op, id: ++this.#lastId, channels: market, instruments: named, ...why });
    }
  }

  #transmit(message: object): void {
    const text = JSON.stringify(message);
    if (this.#socket.send(text)) {
      this.counts.bytesOut += text.length;
    }
  }

  #emit(event: ClientEvent): void {
    for (const queue of this.#queues) {
      queue.push(event);
    }
    for (const listener of this.#listeners) {
      listener(event);
    }
  }
}

const INSTRUMENTS_PER_MESSAGE = 256;

/** A request may name instruments that a pattern of the other names too. */
function overlaps(one: Request, other: Request): boolean {
  const named = [...one.instruments, ...other.instruments].some((instrument) => instrument.includes("*"));
  return named && one.channels.some((channel) => channel !== "stats" && other.channels.includes(channel));
}

/**
 * A gateway core on virtual time over a real market, with clients whose sockets are faked: each keeps what it got, buffers
 * as the test says, and follows its books by the written rules, JSON by plain maps and binary by a replica of the kernel.
 * Bad case: a fake that forgets the transport's contract; the integration tests hold the real transports to it.
 */
import {
  FRAME_CONFLATED,
  FRAME_DELTAS,
  FRAME_KIND_MASK,
  FRAME_SNAPSHOT,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  REPLICA_BOOK,
  REPLICA_EPOCH,
  REPLICA_HASH,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { VirtualClock } from "../../src/emulator/virtual_clock.ts";
import { GatewayCore } from "../../src/gateway/core.ts";
import { completeLimits, type GatewayLimits, type ViewSets } from "../../src/gateway/limits.ts";
import type { Connection, Payload } from "../../src/gateway/transport.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { faultOf } from "../../src/wire/server_schemas.ts";
import { Market, type Producer } from "../integration/gateway_market.ts";
import { BTC, ETH, wideBook } from "../integration/gateway_rig.ts";

const START_MS = 1_700_000_000_000;
const LEVELS_MAX = 4096;

/** A message in JSON. */
export type Message = Record<string, unknown> & { type: string };
/** A book as a client holds it, in ticks and lots for binary clients, in text for the others. */
export type HeldBook = { version: number; epoch: number; bids: [string, string][]; asks: [string, string][] };

/** A client's end of a connection: keeps what it got, and follows books. */
export class SceneClient implements Connection {
  readonly id: number;
  readonly protocol: string;
  readonly remote = "test";
  /** What it got, in order: the type of a text, the kind of a frame. */
  readonly got: string[] = [];
  readonly messages: Message[] = [];
  readonly topics = new Set<string>();
  /** Bytes of each frame and text that it got. */
  readonly sizes: number[] = [];
  buffered = 0;
  /** It reads nothing: what is sent stays in the buffer. */
  isStuck = false;
  closed: { code: number; reason: string } | undefined;
  readonly #kernel: Kernel;
  readonly #scratch: number;
  readonly #replicas = new Map<number, number>();
  readonly #aliases = new Map<string, number>();
  readonly #books = new Map<string, HeldBook>();

  constructor(options: { id: number; protocol: string; kernel: Kernel; scratch: number }) {
    this.id = options.id;
    this.protocol = options.protocol;
    this.#kernel = options.kernel;
    this.#scratch = options.scratch;
  }

  send(payload: Payload): void {
    this.buffered += this.isStuck ? payload.length : 0;
    this.sizes.push(payload.length);
    if (typeof payload === "string") {
      checkText(payload);
      this.#read(JSON.parse(payload) as Message);
    } else {
      this.#apply(payload);
    }
  }

  subscribe(topic: string): void {
    this.topics.add(topic);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }

  bufferedBytes(): number {
    return this.buffered;
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }

  /** Messages of a type, in order. */
  of(type: string): Message[] {
    return this.messages.filter((message) => message.type === type);
  }

  /** The book that it holds of a view. @throws Error when it holds none */
  book(instrument: string, { depth = 0, rateMs = 0 } = {}): HeldBook {
    const name = `${instrument} ${depth} ${rateMs}`;
    const alias = this.#aliases.get(name);
    const book = this.#books.get(name);
    const replica = this.#replicas.get(alias ?? -1);
    if (book !== undefined) {
      return book;
    }
    if (replica === undefined) {
      throw new Error(`Cannot show a book: none was received, was ${name}`);
    }
    return this.#held(replica);
  }

  /** It held this book before it came back. */
  adopt(instrument: string, { depth = 0, rateMs = 0 }: { depth?: number; rateMs?: number }, held: HeldBook): void {
    this.#books.set(`${instrument} ${depth} ${rateMs}`, held);
  }

  #read(message: Message): void {
    this.got.push(message.type === "reset" ? `reset ${message.reason}` : message.type);
    this.messages.push(message);
    const name = `${message.instrument} ${message.depth} ${message.rateMs}`;
    if (message.type === "subscribed" && message.channel === "book") {
      this.#aliases.set(name, Number(message.alias));
    } else if (message.type === "orderbook") {
      const { version, epoch, bids, asks } = message;
      const levels = { bids: bids as [string, string][], asks: asks as [string, string][] };
      this.#books.set(name, { version: Number(version), epoch: Number(epoch), ...levels });
    } else if (message.type === "orderbook_delta") {
      this.#change(name, message);
    }
  }

  #change(name: string, message: Message): void {
    const book = this.#books.get(name);
    if (book === undefined || book.version !== Number(message.previousVersion)) {
      throw new Error(`Cannot apply a delta of ${name}: it begins at ${message.previousVersion}, was ${book?.version}`);
    }
    const sides = { bid: new Map(book.bids), ask: new Map(book.asks) };
    for (const [side, price, quantity] of message.changes as ["bid" | "ask", string, string][]) {
      if (quantity === "0") {
        sides[side].delete(price);
      } else {
        sides[side].set(price, quantity);
      }
    }
    const sorted = (side: "bid" | "ask", sign: number) =>
      [...sides[side]].sort(([one], [other]) => sign * (Number(one) - Number(other)));
    this.#books.set(name, {
      ...book,
      version: Number(message.version),
      bids: sorted("bid", -1),
      asks: sorted("ask", 1),
    });
  }

  #apply(frame: Uint8Array): void {
    const kind = (frame[0] ?? 0) & FRAME_KIND_MASK;
    const names: Record<number, string> = {
      [FRAME_SNAPSHOT]: "snapshot",
      [FRAME_DELTAS]: "deltas",
      [FRAME_CONFLATED]: "conflated",
    };
    this.got.push(names[kind] ?? `frame ${kind}`);
    if (names[kind] === undefined) {
      return;
    }
    const alias = frame[1] ?? 0;
    const replica = this.#replicas.get(alias) ?? this.#kernel.replicaCreate();
    this.#replicas.set(alias, replica);
    new Uint8Array(this.#kernel.buffer).set(frame, this.#scratch);
    const code = this.#kernel.frameApply(replica, this.#scratch, frame.length);
    if (code < 0) {
      throw new Error(`Cannot apply a frame: ${names[kind]} of alias ${alias}, was code ${code}`);
    }
  }

  #held(replica: number): HeldBook {
    const memory = new DataView(this.#kernel.buffer);
    const book = memory.getUint32(replica + REPLICA_BOOK, true);
    const side = (which: number) => {
      const levels: [string, string][] = [];
      for (;;) {
        const count = this.#kernel.bookWalk(book, which, levels.length, LEVELS_MAX, this.#scratch);
        for (let index = 0; index < count; index++) {
          const level = this.#scratch + index * LEVEL_BYTES;
          const [price, quantity] = [LEVEL_PRICE, LEVEL_QUANTITY].map((at) => memory.getBigInt64(level + at, true));
          levels.push([String(price), String(quantity)]);
        }
        if (count === 0) {
          return levels;
        }
      }
    };
    if (this.#kernel.bookHash(book) !== memory.getUint32(replica + REPLICA_HASH, true)) {
      throw new Error("Cannot show a book: its hash is not that of its levels");
    }
    return {
      version: Number(memory.getBigUint64(replica + REPLICA_VERSION, true)),
      epoch: memory.getUint32(replica + REPLICA_EPOCH, true),
      bids: side(SIDE_BID),
      asks: side(SIDE_ASK),
    };
  }
}

/** Whatever is sent fits the schemas. @throws Error when it does not */
export function checkText(text: string): void {
  const fault = faultOf(text);
  if (fault !== undefined) {
    throw new Error(`Cannot accept a message of the server: ${fault}, was ${text.slice(0, 200)}`);
  }
}

/** A producer, the gateway's core and its clients, on virtual time. */
export class Scene {
  readonly market: Market;
  readonly clock = new VirtualClock(START_MS);
  readonly producer: Producer;
  readonly clients: SceneClient[] = [];
  readonly log: string[] = [];
  core: GatewayCore;
  readonly #limits: Partial<GatewayLimits>;
  readonly #views: ViewSets | undefined;
  #lastId = 0;
  #kernel: Kernel | undefined;

  constructor({ views, ...limits }: Partial<GatewayLimits> & { views?: ViewSets } = {}) {
    this.#limits = limits;
    this.#views = views;
    this.market = new Market(512);
    this.producer = this.market.produce();
    this.producer.snapshot("BTC-USD", wideBook(150));
    this.producer.snapshot("ETH-USD", wideBook(30));
    this.core = this.#start();
  }

  /** A gateway that starts anew over the same segments; clients of the one before are gone. */
  restart(): void {
    this.core.stop();
    this.clients.length = 0;
    this.core = this.#start();
  }

  connect(form: "binary" | "json" = "binary"): SceneClient {
    const kernel = loadKernel({
      name: "twin",
      memory: new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true }),
    });
    kernel.arenaInit(64, 256 * 65_536 - 64);
    const scratch = kernel.arenaAllocate(LEVELS_MAX * LEVEL_BYTES);
    this.#lastId += 1;
    const client = new SceneClient({
      id: this.#lastId,
      protocol: `alphapulse.v1.${form === "binary" ? "bin" : "json"}`,
      kernel,
      scratch,
    });
    this.clients.push(client);
    this.core.sessions.open(client);
    return client;
  }

  say(client: SceneClient, message: object): void {
    this.core.sessions.message(client, new TextEncoder().encode(JSON.stringify({ id: 1, ...message })), true);
  }

  /** Subscribes books of an instrument and lets them begin. */
  follow(client: SceneClient, options: object = {}): void {
    this.say(client, { op: "subscribe", channels: ["book"], instruments: [BTC], ...options });
    this.run(20);
  }

  /** Bytes of the gateway's arena in use. */
  arenaUsed(): number {
    return this.#kernel?.arenaUsed() ?? 0;
  }

  /** Lets time pass. */
  run(ms: number): void {
    this.clock.advance(ms);
  }

  /** A client read everything. */
  drain(client: SceneClient, left = 0): void {
    client.buffered = left;
    this.core.sessions.drain(client);
  }

  #start(): GatewayCore {
    const arena = this.market.map.reserve(`gateway ${this.market.map.ranges.length}`, { bytes: 96 << 20 });
    const kernel = loadKernel({ name: "twin", memory: this.market.map.memory });
    kernel.arenaInit(arena.address, arena.bytes);
    this.#kernel = kernel;
    const say = (message: string) => this.log.push(message);
    const core = new GatewayCore({
      kernel,
      segments: () => [this.producer.segment],
      limits: completeLimits({ heartbeatStaleMs: 1e15, ...this.#limits }),
      ...(this.#views === undefined ? {} : { views: this.#views }),
      now: this.clock.now,
      log: { info: say, warn: say, error: say },
      server: "test",
      transport: "ws",
      waitAsync: undefined,
      scheduler: {
        soon: (task) => void this.clock.setTimer(task, 0),
        after: (delayMs, task) => this.clock.setTimer(task, delayMs),
      },
    });
    core.start({
      port: 1,
      publish: (topic, payload) => {
        for (const client of this.clients.filter(({ topics }) => topics.has(topic))) {
          client.send(payload);
        }
      },
      close: () => Promise.resolve(),
    });
    this.run(500);
    if (core.book(BTC) === undefined || core.book(ETH) === undefined) {
      throw new Error("Cannot begin: the gateway has no books after 500 ms");
    }
    return core;
  }
}

/**
 * A whole collector on a bench: the real kernel, segment, sync and connections; only the socket, fetch and the clock are
 * fakes. A case drives it with hand-written frames and looks at what readers of the segment would see.
 * Bad case: a case that forgets `settle` after a REST answer; promises need a turn of the event loop.
 */
import {
  DELTA_BYTES,
  DELTA_FLAGS,
  DELTA_VERSION,
  INSTRUMENT_BOOK,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  POLL_LAPPED,
  RING_DELTAS,
  RING_TRADES,
  SIDE_ASK,
  SIDE_BID,
  STATE_RETIRED,
  TRADE_AGGRESSOR,
  TRADE_BYTES,
  TRADE_FLAG_GAP_BEFORE,
  TRADE_FLAG_HISTORY,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_LENGTH,
} from "../../assembly/layout.ts";
import { readAsset } from "../../src/assets.ts";
import { loadConfig } from "../../src/config/mod.ts";
import type { Exchange } from "../../src/exchanges/mod.ts";
import { Collector, type CollectorOptions, type Report } from "../../src/feed/collector.ts";
import type { FeedSocket, SocketHandlers } from "../../src/feed/socket.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { ASSURANCE_WORDS, REASON_WORDS, STATE_WORDS, TRADING_WORDS, wordOf } from "../../src/model/states.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { segmentBytes } from "../../src/segment/writer.ts";

const MIB = 1024 * 1024;
const TICK_MS = 100;
/** Unix ns when a rig's clock is 0. */
export const ANCHOR_NS = 1_767_225_600_000_000_000n;
const POLL_RECORDS = 256;
const SEGMENT = { instrumentCapacity: 32, deltaCapacity: 1024, tradeCapacity: 1024, imageAreaBytes: 4 * MIB };

/** A socket without a network. */
export class FakeSocket implements FeedSocket {
  readonly url: string;
  readonly sent: string[] = [];
  pings = 0;
  isDropped = false;
  readonly #handlers: SocketHandlers;

  constructor(url: string, handlers: SocketHandlers) {
    this.url = url;
    this.#handlers = handlers;
  }

  readonly send = (text: string): void => {
    this.sent.push(text);
  };

  readonly ping = (): void => {
    this.pings += 1;
  };

  readonly drop = (): void => {
    this.isDropped = true;
  };

  /** The server accepts the handshake. */
  open(): void {
    this.#handlers.opened();
  }

  /** A frame of the server; a dropped socket may still hold one. */
  deliver(frame: string | Buffer): void {
    const isBinary = typeof frame !== "string";
    this.#handlers.frame(isBinary ? frame : Buffer.from(frame, "utf8"), isBinary);
  }

  /** A ping of the server. */
  live(): void {
    this.#handlers.alive();
  }

  /** The server closes. */
  close(reason = "closed with 1000"): void {
    this.#handlers.closed(reason);
  }
}

/** A book as plain decimals, best first. */
export type BookText = { bids: string[]; asks: string[] };

/** What a delta record says, as far as the cases ask. */
export type DeltaText = { flags: number; version: number };

/** What a trade record says, as far as the cases ask. */
export type TradeText = { id: string; aggressor: number; history: boolean; gapBefore: boolean };

/** How to build a rig. */
export type RigOptions = {
  exchange: Exchange;
  kernelName: KernelName;
  /** Canonical names. */
  instruments: readonly string[];
  depth?: number;
  /** Answers to REST requests by a part of their URL; the first that fits. */
  rest: [part: string, body: string | (() => string)][];
  /** How a predecessor left the exchange's addresses. Default: there was none. */
  left?: NonNullable<CollectorOptions["left"]>;
};

/** A collector on a bench. */
export class Rig {
  readonly sockets: FakeSocket[] = [];
  readonly requests: string[] = [];
  readonly reports: Report[] = [];
  readonly rest: RigOptions["rest"];
  readonly collector: Collector;
  readonly kernel: Kernel;
  readonly view: SegmentView;
  readonly #memory: DataView;
  readonly #scratch: number;
  readonly #readers: { deltas: number; trades: number };
  #nowNs = 1_000_000_000;

  constructor(options: RigOptions) {
    const { exchange, kernelName, instruments, rest, depth, left = [] } = options;
    this.rest = rest;
    const map = new MemoryMap(64 * MIB);
    const wasm = kernelName === "wasm" ? { wasmBytes: readAsset("kernel.wasm") } : {};
    this.kernel = loadKernel({ name: kernelName, memory: map.memory, ...wasm });
    const arena = map.reserve("arena", { bytes: 48 * MIB });
    this.kernel.arenaInit(arena.address, arena.bytes);
    const config = loadConfig({});
    const settings = { ...config.exchanges[exchange.header.id], imageLevels: 1024 };
    this.collector = new Collector({
      exchange,
      settings: depth === undefined ? settings : { ...settings, depth },
      instruments,
      limits: config.collector,
      kernel: this.kernel,
      frame: map.reserve("frame", { bytes: MIB }),
      segment: { address: map.reserve("segment", { bytes: segmentBytes(SEGMENT) }).address, config: SEGMENT },
      pid: 1,
      clock: { anchorNs: ANCHOR_NS, monotonicAnchorNs: 0n, now: () => this.#nowNs },
      random: () => 0.5,
      openSocket: (url, handlers) => {
        const socket = new FakeSocket(url, handlers);
        this.sockets.push(socket);
        return socket;
      },
      fetch: (url) => this.#answer(url),
      defer: (task) => task(),
      report: (report) => this.reports.push(report),
      isSuccessor: left.length > 0,
      left,
    });
    this.view = new SegmentView(map.memory.buffer, this.collector.segment.address);
    this.#memory = new DataView(map.memory.buffer);
    this.#scratch = this.kernel.arenaAllocate(POLL_RECORDS * DELTA_BYTES);
    const { address } = this.collector.segment;
    this.#readers = {
      deltas: this.kernel.readerCreate(address, RING_DELTAS),
      trades: this.kernel.readerCreate(address, RING_TRADES),
    };
  }

  /** The youngest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) {
      throw new Error(`Cannot use a socket: none was opened, was ${this.reports.map(({ text }) => text).join("; ")}`);
    }
    return socket;
  }

  /** Monotonic ms of the fake clock. */
  get nowMs(): number {
    return this.#nowNs / 1e6;
  }

  /** Reads the instrument list and opens the first socket's handshake. */
  async start(): Promise<void> {
    await Promise.all([this.collector.start(), this.settle()]);
  }

  /** Lets promises settle. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Moves the clock, ticking every 100 ms. */
  async advance(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.#nowNs += TICK_MS * 1e6;
      this.collector.tick();
      if (passed % 1000 === 0) {
        await this.settle();
      }
    }
    await this.settle();
  }

  /** Delivers frames on the youngest socket. */
  deliver(...frames: (string | Buffer)[]): void {
    for (const frame of frames) {
      this.#nowNs += 1e6;
      this.socket.deliver(frame);
    }
  }

  /** State and reason of an instrument as words, e.g. `synced none`. */
  state(canonical: string): string {
    const entry = this.#entry(canonical);
    return `${wordOf(STATE_WORDS, entry.state)} ${wordOf(REASON_WORDS, entry.reason)}`;
  }

  /** What the table says beside the state. */
  listing(canonical: string): { assurance: string; trading: string; exponents: [number, number]; depth: number } {
    const { assurance, tradingStatus, priceExponent, quantityExponent, depth } = this.#entry(canonical);
    const words = { assurance: wordOf(ASSURANCE_WORDS, assurance), trading: wordOf(TRADING_WORDS, tradingStatus) };
    return { ...words, exponents: [priceExponent, quantityExponent], depth };
  }

  /** Ids that an instrument has had, retired ones first. */
  ids(canonical: string): number[] {
    return this.view.instruments().flatMap((entry) => (entry.canonical === canonical ? [entry.id] : []));
  }

  /** The producer's book. */
  book(canonical: string): BookText {
    const { native } = this.#entry(canonical);
    const name = new TextEncoder().encode(native);
    new Uint8Array(this.#memory.buffer, this.#scratch, name.length).set(name);
    const block = this.kernel.instrumentFind(this.#scratch, name.length);
    const handle = this.#memory.getUint32(block + INSTRUMENT_BOOK, true);
    const exponents = {
      price: this.#memory.getInt32(block + INSTRUMENT_PRICE_EXPONENT, true),
      quantity: this.#memory.getInt32(block + INSTRUMENT_QUANTITY_EXPONENT, true),
    };
    const side = (which: number) => this.#levels(handle, which, exponents);
    return { bids: side(SIDE_BID), asks: side(SIDE_ASK) };
  }

  /** Delta records published since the last call. */
  deltas(): DeltaText[] {
    return this.#poll(this.#readers.deltas, DELTA_BYTES, (address) => ({
      flags: this.#memory.getUint16(address + DELTA_FLAGS, true),
      version: Number(this.#memory.getBigUint64(address + DELTA_VERSION, true)),
    }));
  }

  /** Trade records published since the last call. */
  trades(): TradeText[] {
    return this.#poll(this.#readers.trades, TRADE_BYTES, (address) => {
      const flags = this.#memory.getUint16(address + TRADE_FLAGS, true);
      return {
        id: this.#text(address + TRADE_ID, this.#memory.getUint8(address + TRADE_ID_LENGTH)),
        aggressor: this.#memory.getUint8(address + TRADE_AGGRESSOR),
        history: (flags & TRADE_FLAG_HISTORY) !== 0,
        gapBefore: (flags & TRADE_FLAG_GAP_BEFORE) !== 0,
      };
    });
  }

  /** A counter of the segment. */
  count(counter: number): number {
    return this.view.counter(counter);
  }

  #entry(canonical: string) {
    const entry = this.view.instruments().find((it) => it.canonical === canonical && it.state !== STATE_RETIRED);
    if (entry === undefined) {
      throw new Error(`Cannot find an instrument: the table does not hold it, was ${canonical}`);
    }
    return entry;
  }

  #levels(book: number, side: number, exponents: { price: number; quantity: number }): string[] {
    const levels = this.#scratch;
    const text = levels + POLL_RECORDS * LEVEL_BYTES;
    const count = this.kernel.bookWalk(book, side, 0, POLL_RECORDS, levels);
    return Array.from({ length: count }, (_, index) => {
      const level = levels + index * LEVEL_BYTES;
      const part = (offset: number, exponent: number) =>
        this.#text(text, this.kernel.formatDecimal(level + offset, exponent, text));
      return `${part(LEVEL_PRICE, exponents.price)} ${part(LEVEL_QUANTITY, exponents.quantity)}`;
    });
  }

  #poll<Item>(reader: number, bytes: number, read: (address: number) => Item): Item[] {
    const items: Item[] = [];
    for (;;) {
      const count = this.kernel.readerPoll(reader, this.#scratch, POLL_RECORDS);
      if (count === 0 || count === POLL_LAPPED) {
        return items;
      }
      for (let index = 0; index < count; index++) {
        items.push(read(this.#scratch + index * bytes));
      }
    }
  }

  #text(address: number, length: number): string {
    return Buffer.from(new Uint8Array(this.#memory.buffer, address, length)).toString("latin1");
  }

  #answer(url: string): Promise<Response> {
    this.requests.push(url);
    const found = this.rest.find(([part]) => url.includes(part));
    if (found === undefined) {
      return Promise.reject(new TypeError("fetch failed"));
    }
    const body = typeof found[1] === "string" ? found[1] : found[1]();
    return Promise.resolve(new Response(body));
  }
}

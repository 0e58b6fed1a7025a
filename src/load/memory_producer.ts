/**
 * The producer of the shared-memory load, a process of its own: the real synchronisation and kernel over a segment file.
 * Books begin with a snapshot frame; then marked records come from the kernel at a fixed rate, each stamped with the time at
 * which it was due, and trades as frames. Open loop: what is late is still sent, and how late is told.
 * Bad case: a machine that cannot keep up; at the end of the time what is left is not sent, and the report says so.
 */
import {
  HEADER_DELTA_TAIL,
  HEADER_TRADE_TAIL,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SEGMENT_STATE_CLOSED,
  SIDE_BID,
  TRADING_UNKNOWN,
} from "../../assembly/layout.ts";
import { readAsset } from "../assets.ts";
import { EXCHANGES } from "../exchanges/mod.ts";
import { systemClock, wallNs } from "../feed/clock.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { loadKernel } from "../kernel/load.ts";
import { Bell, ExportedMap, loadLibc, ringingKernel } from "../mapping/mod.ts";
import { memoryBytes } from "../segment/memory_map.ts";
import { SegmentView } from "../segment/view.ts";
import { createSegment, type SegmentConfig, type SegmentWriter, segmentBytes } from "../segment/writer.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../sync/mod.ts";
import { readCount } from "../wire/numbers.ts";
import { MARK_CEILING, MARKED_NATIVES, markLots, markPrice, markTradeLots } from "./memory_marks.ts";

/** How much is produced. */
export type MemoryOrder = {
  readonly directory: string;
  /** Delta records a second, all books together. */
  readonly rate: number;
  readonly seconds: number;
  /** Marked delta records at most. */
  readonly records: number;
  /** Delta records that the ring holds; a power of two. */
  readonly capacity: number;
};

/** What a producer did. */
export type MemoryEnd = {
  /** Records of both rings since the segment began. */
  readonly deltas: number;
  readonly trades: number;
  /** Marked ones. */
  readonly marked: number;
  readonly seconds: number;
  /** Largest time between when a record was due and when it was published, ms. */
  readonly lateMsMax: number;
  /** Version of each book after the last record. */
  readonly versions: Readonly<Record<string, number>>;
};

const EXCHANGE = "coinbase_exchange";
const ARENA_BYTES = 24 * 1024 * 1024;
const FRAME_BYTES = 1024 * 1024;
const IMAGE_LEVELS = 1024;
const IMAGE_AREA_BYTES = 1024 * 1024;
const BATCH = 64;
/** Records in one turn: timers and messages have their chance between turns. */
const TURN = 4096;
const TRADE_EVERY = 64;
const TRADES_MIN = 64;
const TURN_MS = 1;
const SNAPSHOT_BIDS = 300;

type Book = { readonly native: string; readonly index: number; readonly block: number; version: number };

/** Produces into a directory. */
export class MemoryProducer {
  readonly #map: ExportedMap;
  readonly #kernel: Kernel;
  readonly #segment: SegmentWriter;
  readonly #sync: ExchangeSync;
  readonly #clock = systemClock();
  readonly #words: Uint32Array;
  readonly #level: number;
  readonly #books: readonly Book[];
  readonly #order: MemoryOrder;
  #marked = 0;
  #trades = 0;
  #lateMsMax = 0;
  #seconds = 0;
  #isStopped = false;

  constructor(map: ExportedMap, parts: { order: MemoryOrder; rings: (kernel: Kernel) => Kernel }) {
    const { order, rings } = parts;
    this.#map = map;
    this.#order = order;
    const config = configOf(order);
    const arena = map.reserve("arena", { bytes: ARENA_BYTES });
    const frame = map.reserve("frame", { bytes: FRAME_BYTES });
    const range = map.reserveSegment(EXCHANGE, { generation: 1, bytes: segmentBytes(config) });
    this.#kernel = rings(loadKernel({ name: "wasm", memory: map.memory, wasmBytes: readAsset("kernel.wasm") }));
    this.#kernel.arenaInit(arena.address, arena.bytes);
    const { anchorNs, monotonicAnchorNs } = this.#clock;
    const identity = {
      exchange: EXCHANGE,
      epoch: anchorNs,
      pid: process.pid,
      wallAnchorNs: anchorNs,
      monotonicAnchorNs,
    };
    this.#segment = createSegment(map.memory.buffer, { address: range.address, config, identity });
    this.#kernel.clockAnchor(Number(BigInt.asIntN(32, anchorNs)), Number(BigInt.asIntN(32, anchorNs >> 32n)));
    this.#kernel.producerAttach(this.#segment.address);
    this.#sync = new ExchangeSync({
      kernel: this.#kernel,
      exchange: EXCHANGES[EXCHANGE],
      segment: this.#segment,
      frame: { address: frame.address, bytes: FRAME_BYTES },
      imageEvery: 32,
      wallNs: (receivedAt) => wallNs(this.#clock, receivedAt),
      random: Math.random,
      settings: SYNC_SETTINGS,
    });
    this.#words = new Uint32Array(map.memory.buffer);
    this.#level = this.#kernel.arenaAllocate(LEVEL_BYTES);
    this.#books = this.#openBooks();
  }

  /** Claims the name in a directory, makes the segment and its books. */
  static async start(order: MemoryOrder): Promise<MemoryProducer> {
    const bytes = memoryBytes([ARENA_BYTES, FRAME_BYTES, segmentBytes(configOf(order)), 65_536]);
    const { directory } = order;
    const options = { directory, isExplicit: true, exchanges: [EXCHANGE], patienceMs: 0, pid: process.pid };
    const map = await ExportedMap.open(bytes, options);
    try {
      const libc = await loadLibc();
      const readers = map.readersOf(EXCHANGE)?.address ?? 0;
      const producer = new MemoryProducer(map, {
        order,
        rings: (kernel) => ringingKernel(kernel, new Bell(libc, map.memory, readers)),
      });
      producer.#beat();
      map.publishInitialised();
      return producer;
    } catch (error) {
      map.close();
      throw error;
    }
  }

  /** Sends at the rate until the time, the number or `stop` ends it. @param onTurn about once a second */
  async run(onTurn: (marked: number) => void): Promise<MemoryEnd> {
    const { rate, seconds, records } = this.#order;
    const startNs = this.#clock.now();
    const perRecordNs = 1e9 / rate;
    const wanted = Math.min(records, Math.floor(rate * seconds));
    const endNs = startNs + seconds * 1e9;
    let toldNs = startNs;
    while (this.#marked < wanted && !this.#isStopped) {
      const nowNs = this.#clock.now();
      if (nowNs >= endNs + 1e9) {
        break;
      }
      const due = Math.min(wanted, Math.floor((nowNs - startNs) / perRecordNs) + 1) - this.#marked;
      this.#send(Math.min(due, TURN), (place) => startNs + Math.floor(place * perRecordNs));
      this.#beat();
      if (nowNs - toldNs >= 1e9) {
        toldNs = nowNs;
        onTurn(this.#marked);
      }
      await (due > TURN ? turn() : pause(TURN_MS));
    }
    this.#seconds = (this.#clock.now() - startNs) / 1e9;
    return this.#end();
  }

  /** Sends nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Gives a sign of life, while readers finish. */
  idle(): void {
    this.#beat();
  }

  /** Ends the segment in an orderly way. */
  close(): void {
    this.#segment.setState(SEGMENT_STATE_CLOSED);
    this.#map.close();
  }

  /** @param dueNs when the record of a place was due */
  #send(count: number, dueNs: (place: number) => number): void {
    const [first] = this.#books;
    for (let done = 0; done < count && first !== undefined; ) {
      const batch = Math.min(BATCH, count - done);
      const oldest = this.#marked;
      for (let index = 0; index < batch; index++) {
        const place = this.#marked++;
        this.#mark(this.#books[place % this.#books.length] ?? first, dueNs(place));
        if (place % TRADE_EVERY === 0) {
          this.#trade();
        }
      }
      done += batch;
      const now = this.#clock.now();
      this.#kernel.publish(now);
      this.#lateMsMax = Math.max(this.#lateMsMax, (now - dueNs(oldest)) / 1e6);
    }
  }

  #mark(book: Book, dueNs: number): void {
    book.version += 1;
    this.#words[(this.#level + LEVEL_PRICE) >>> 2] = markPrice(book.version, book.index);
    this.#words[(this.#level + LEVEL_QUANTITY) >>> 2] = markLots(book.version, book.index);
    this.#kernel.levelForce(book.block, SIDE_BID, this.#level, dueNs);
  }

  #trade(): void {
    const lots = markTradeLots(++this.#trades);
    const size = `${Math.floor(lots / 10)}.${lots % 10}`;
    const [native] = MARKED_NATIVES;
    this.#receive({ type: "match", trade_id: this.#trades, side: "sell", size, price: "9000.01", product_id: native });
  }

  #receive(message: Record<string, unknown>): void {
    const at = this.#clock.now();
    const frame = new TextEncoder().encode(JSON.stringify({ ...message, time: new Date().toISOString() }));
    this.#sync.connection(0).receive(frame, at);
    this.#sync.takeActions();
  }

  #beat(): void {
    this.#segment.beat(wallNs(this.#clock, this.#clock.now()));
  }

  /** Every book synced, by a snapshot with an ask above all that is marked. */
  #openBooks(): Book[] {
    const exchange = EXCHANGES[EXCHANGE];
    for (const native of MARKED_NATIVES) {
      this.#sync.open({
        native,
        canonical: exchange.canonicalName(native),
        assurance: exchange.assurance(0),
        depth: 0,
        priceExponent: -1,
        quantityExponent: -1,
        tradingStatus: TRADING_UNKNOWN,
        imageLevels: IMAGE_LEVELS,
      });
    }
    this.#sync.connection(0).opened(0);
    const cents = (ticks: number) => (ticks / 100).toFixed(2);
    const bids = Array.from({ length: SNAPSHOT_BIDS }, (_, index) => [cents(MARK_CEILING - 1000 - index), "1.5"]);
    const name = this.#kernel.arenaAllocate(64);
    return MARKED_NATIVES.map((native, index) => {
      this.#receive({ type: "snapshot", product_id: native, bids, asks: [[cents(MARK_CEILING + 1), "2"]] });
      this.#sync.publish(this.#clock.now());
      new Uint8Array(this.#map.memory.buffer).set(new TextEncoder().encode(native), name);
      const block = this.#kernel.instrumentFind(name, native.length);
      const cell = new SegmentView(this.#map.memory.buffer, this.#segment.address).topOfBook(index);
      return { native, index, block, version: Number(cell?.version ?? 0n) };
    });
  }

  #end(): MemoryEnd {
    this.#sync.publish(this.#clock.now());
    const count = (offset: number) => readCount(new DataView(this.#map.memory.buffer), this.#segment.address + offset);
    return {
      deltas: count(HEADER_DELTA_TAIL),
      trades: count(HEADER_TRADE_TAIL),
      marked: this.#marked,
      seconds: this.#seconds,
      lateMsMax: this.#lateMsMax,
      versions: Object.fromEntries(this.#books.map(({ native, version }) => [native, version])),
    };
  }
}

function configOf({ capacity }: MemoryOrder): SegmentConfig {
  return {
    instrumentCapacity: 2 * MARKED_NATIVES.length,
    deltaCapacity: capacity,
    tradeCapacity: Math.max(TRADES_MIN, capacity / TRADE_EVERY),
    imageAreaBytes: IMAGE_AREA_BYTES,
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

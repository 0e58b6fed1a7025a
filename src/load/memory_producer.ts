/**
 * The producer of the shared-memory load, a process of its own: the real synchronisation and kernel over a segment file.
 * Books begin with a snapshot frame; then marked records come from the kernel at a fixed rate, each stamped with the time at
 * which it was due, and trades as frames. Open loop: what is late is still sent, and how late is told.
 * Bad case: a machine that cannot keep up; at the end of the time what is left is not sent, and the report says so.
 */
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { LEVEL_BYTES, LEVEL_PRICE, LEVEL_QUANTITY, SIDE_BID } from "../../assembly/layout.ts";
import { SegmentView } from "../segment/view.ts";
import type { SegmentConfig } from "../segment/writer.ts";
import { MARK_CEILING, MARKED_NATIVES, markLots, markPrice, markTradeLots } from "./memory_marks.ts";
import { SegmentGround } from "./segment_ground.ts";

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
  readonly #ground: SegmentGround;
  readonly #words: Uint32Array;
  readonly #level: number;
  readonly #books: readonly Book[];
  readonly #order: MemoryOrder;
  #marked = 0;
  #trades = 0;
  #lateMsMax = 0;
  #seconds = 0;
  #isStopped = false;

  constructor(ground: SegmentGround, order: MemoryOrder) {
    this.#ground = ground;
    this.#order = order;
    this.#words = new Uint32Array(ground.map.memory.buffer);
    this.#level = ground.kernel.arenaAllocate(LEVEL_BYTES);
    this.#books = this.#openBooks();
    ground.beat();
  }

  /** Claims the name in a directory, makes the segment and its books. */
  static async start(order: MemoryOrder): Promise<MemoryProducer> {
    const { directory } = order;
    const options = { config: configOf(order), natives: MARKED_NATIVES, random: Math.random };
    return new MemoryProducer(await SegmentGround.open({ directory, ...options }), order);
  }

  /** Sends at the rate until the time, the number or `stop` ends it. @param onTurn about once a second */
  async run(onTurn: (marked: number) => void): Promise<MemoryEnd> {
    const { rate, seconds, records } = this.#order;
    const startNs = this.#ground.now();
    const perRecordNs = 1e9 / rate;
    const wanted = Math.min(records, Math.floor(rate * seconds));
    const endNs = startNs + seconds * 1e9;
    let toldNs = startNs;
    while (this.#marked < wanted && !this.#isStopped) {
      const nowNs = this.#ground.now();
      if (nowNs >= endNs + 1e9) {
        break;
      }
      const due = Math.min(wanted, Math.floor((nowNs - startNs) / perRecordNs) + 1) - this.#marked;
      this.#send(Math.min(due, TURN), (place) => startNs + Math.floor(place * perRecordNs));
      this.#ground.beat();
      if (nowNs - toldNs >= 1e9) {
        toldNs = nowNs;
        onTurn(this.#marked);
      }
      await (due > TURN ? turn() : pause(TURN_MS));
    }
    this.#seconds = (this.#ground.now() - startNs) / 1e9;
    return this.#end();
  }

  /** Sends nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Gives a sign of life, while readers finish. */
  idle(): void {
    this.#ground.beat();
  }

  /** Ends the segment in an orderly way. */
  close(): void {
    this.#ground.close();
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
      const now = this.#ground.now();
      this.#ground.kernel.publish(now);
      this.#lateMsMax = Math.max(this.#lateMsMax, (now - dueNs(oldest)) / 1e6);
    }
  }

  #mark(book: Book, dueNs: number): void {
    book.version += 1;
    this.#words[(this.#level + LEVEL_PRICE) >>> 2] = markPrice(book.version, book.index);
    this.#words[(this.#level + LEVEL_QUANTITY) >>> 2] = markLots(book.version, book.index);
    this.#ground.kernel.levelForce(book.block, SIDE_BID, this.#level, dueNs);
  }

  #trade(): void {
    const lots = markTradeLots(++this.#trades);
    const size = `${Math.floor(lots / 10)}.${lots % 10}`;
    const [native] = MARKED_NATIVES;
    this.#receive({ type: "match", trade_id: this.#trades, side: "sell", size, price: "9000.01", product_id: native });
  }

  #receive(message: Record<string, unknown>): void {
    this.#ground.receive(new TextEncoder().encode(JSON.stringify({ ...message, time: new Date().toISOString() })));
  }

  /** Every book synced, by a snapshot with an ask above all that is marked. */
  #openBooks(): Book[] {
    const { kernel, map, segment, sync } = this.#ground;
    const cents = (ticks: number) => (ticks / 100).toFixed(2);
    const bids = Array.from({ length: SNAPSHOT_BIDS }, (_, index) => [cents(MARK_CEILING - 1000 - index), "1.5"]);
    const name = kernel.arenaAllocate(64);
    return MARKED_NATIVES.map((native, index) => {
      this.#receive({ type: "snapshot", product_id: native, bids, asks: [[cents(MARK_CEILING + 1), "2"]] });
      sync.publish(this.#ground.now());
      new Uint8Array(map.memory.buffer).set(new TextEncoder().encode(native), name);
      const block = kernel.instrumentFind(name, native.length);
      const cell = new SegmentView(map.memory.buffer, segment.address).topOfBook(index);
      return { native, index, block, version: Number(cell?.version ?? 0n) };
    });
  }

  #end(): MemoryEnd {
    this.#ground.sync.publish(this.#ground.now());
    return {
      deltas: this.#ground.deltas,
      trades: this.#ground.trades,
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

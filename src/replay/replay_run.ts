/**
 * One replay: captures through the real decoder, sync, book and ring, then back through a ring reader, the wire codec and
 * a client's replica. Only decode, sync, book and ring are timed.
 * Bad case: a capture of an exchange that this build does not decode; refused before anything is read further.
 */
import {
  APPLY_TICKER,
  COUNTER_BOOK_UPDATES,
  COUNTER_CHANGES,
  COUNTER_CHECKSUM_BAD,
  COUNTER_CHECKSUM_OK,
  COUNTER_CROSSED,
  COUNTER_DECODE_ERRORS,
  COUNTER_GAPS,
  COUNTER_RECORDS,
  COUNTER_RESCALES,
  COUNTER_RESYNCS,
  COUNTER_TRADES,
  DELTA_BYTES,
  FLAG_NOT_SYNCED,
  REPLICA_BOOK,
  REPLICA_HASH,
  REPLICA_PRICE_EXPONENT,
  REPLICA_QUANTITY_EXPONENT,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  TRADE_BYTES,
  TRADING_UNKNOWN,
} from "../../assembly/layout.ts";
import { type CaptureLine, captureTimeNs } from "../capture/mod.ts";
import type { Exchange } from "../exchanges/mod.ts";
import type { Kernel, KernelName } from "../kernel/kernel.ts";
import { loadKernel } from "../kernel/load.ts";
import { ASSURANCE_WORDS, STATE_WORDS, wordOf } from "../model/states.ts";
import { MemoryMap } from "../segment/memory_map.ts";
import { type InstrumentEntry, SegmentView } from "../segment/view.ts";
import { createSegment, type SegmentConfig, type SegmentWriter, segmentBytes } from "../segment/writer.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../sync/mod.ts";
import { BookTickerOracle } from "./book_ticker.ts";
import { bookDigest, bookText } from "./decimal.ts";
import type { BitFlipper } from "./flip.ts";
import { type Followed, Follower } from "./follower.ts";
import type { ReplayBook, ReplayResult } from "./report.ts";
import { TradeFollower } from "./trade_follower.ts";

const MIB = 1 << 20;
const MEMORY_BYTES = 1024 * MIB;
const PRODUCER_ARENA_BYTES = 160 * MIB;
const GATEWAY_ARENA_BYTES = 256 * MIB;
const CLIENT_ARENA_BYTES = 160 * MIB;
const FRAME_BYTES = 32 * MIB;
const SEGMENT: SegmentConfig = {
  instrumentCapacity: 1024,
  deltaCapacity: 65_536,
  tradeCapacity: 16_384,
  imageAreaBytes: 192 * MIB,
};
const TOP_LEVELS = 10;
const SCRATCH_LEVELS = 1024;

/** What a run is built from. */
export type ReplayRunOptions = {
  readonly exchange: Exchange;
  readonly kernelName: KernelName;
  readonly wasmBytes?: Uint8Array<ArrayBuffer>;
  readonly flipper: BitFlipper;
};

/** A replay under way. Feed lines in order, then ask for the result. */
export class ReplayRun {
  readonly #options: ReplayRunOptions;
  readonly #segment: SegmentWriter;
  readonly #view: SegmentView;
  readonly #client: Kernel;
  readonly #sync: ExchangeSync;
  readonly #follower: Follower;
  readonly #trades: TradeFollower;
  readonly #oracle = new BookTickerOracle();
  readonly #producer: Kernel;
  #anchorNs: bigint | undefined;
  #frames = 0;
  #frameBytes = 0;
  #busyMs = 0;

  constructor(options: ReplayRunOptions) {
    this.#options = options;
    const map = new MemoryMap(MEMORY_BYTES);
    const { memory } = map;
    const load = () =>
      loadKernel({
        name: options.kernelName,
        memory,
        ...(options.wasmBytes === undefined ? {} : { wasmBytes: options.wasmBytes }),
      });
    const arena = (kernel: Kernel, name: string, bytes: number) => {
      const range = map.reserve(name, { bytes });
      kernel.arenaInit(range.address, range.bytes);
      return kernel;
    };
    this.#producer = arena(load(), "producer", PRODUCER_ARENA_BYTES);
    const gateway = arena(load(), "gateway", GATEWAY_ARENA_BYTES);
    this.#client = arena(load(), "client", CLIENT_ARENA_BYTES);
    const range = map.reserve("segment", { bytes: segmentBytes(SEGMENT) });
    const identity = {
      exchange: options.exchange.header.id,
      epoch: 1n,
      pid: 0,
      wallAnchorNs: 0n,
      monotonicAnchorNs: 0n,
    };
    this.#segment = createSegment(memory.buffer, { address: range.address, config: SEGMENT, identity });
    this.#producer.producerAttach(range.address);
    this.#view = new SegmentView(memory.buffer, range.address);
    this.#sync = new ExchangeSync({
      kernel: this.#producer,
      exchange: options.exchange,
      segment: this.#segment,
      frame: map.reserve("frame", { bytes: FRAME_BYTES }),
      imageEvery: SEGMENT.deltaCapacity / 8,
      wallNs: (receivedAt) => (receivedAt < 0 ? 0n : (this.#anchorNs ?? 0n) + BigInt(Math.round(receivedAt))),
      random: () => 0.5,
      settings: SYNC_SETTINGS,
      opensUnknown: true,
    });
    const ground = {
      gateway,
      client: this.#client,
      segment: this.#view,
      flipper: options.flipper,
      oracle: this.#oracle,
    };
    this.#follower = new Follower(ground);
    this.#trades = new TradeFollower({ gateway, client: this.#client }, this.#view);
    this.#sync.connection(0).opened(-1);
  }

  /** Frames received so far. */
  get frames(): number {
    return this.#frames;
  }

  /** Plays one line. */
  line(line: CaptureLine): void {
    if (line.t === "recv") {
      const bytes = line.encoding === "base64" ? Buffer.from(line.data, "base64") : Buffer.from(line.data, "utf8");
      this.#frames += 1;
      this.#frameBytes += bytes.length;
      const receivedAt = this.#receivedAt(line.ts);
      const code = this.#timed(receivedAt, () => this.#sync.connection(0).receive(bytes, receivedAt));
      if (code === APPLY_TICKER) {
        this.#oracle.ticker(line.data);
      }
    } else if (line.t === "http") {
      this.#rest(line.url, Buffer.from(line.data, "utf8"), this.#receivedAt(line.ts));
    }
  }

  /** Ends the run. */
  finish(): ReplayResult {
    this.#follower.finish();
    const counter = (index: number) => this.#segment.counter(index);
    const books = this.#books();
    const bookTicker = this.#oracle.result();
    const failures = [...this.#follower.failures, ...this.#trades.failures];
    return {
      kernel: this.#options.kernelName,
      counts: {
        frames: this.#frames,
        bookUpdates: counter(COUNTER_BOOK_UPDATES),
        checksumOk: counter(COUNTER_CHECKSUM_OK),
        checksumBad: counter(COUNTER_CHECKSUM_BAD),
        gaps: counter(COUNTER_GAPS),
        resyncs: counter(COUNTER_RESYNCS),
        decodeErrors: counter(COUNTER_DECODE_ERRORS),
        rescales: counter(COUNTER_RESCALES),
        crossed: counter(COUNTER_CROSSED),
        records: counter(COUNTER_RECORDS),
        changes: counter(COUNTER_CHANGES),
        wireFrames: this.#follower.wireFrames + this.#trades.wireFrames,
      },
      ...(bookTicker === undefined ? {} : { bookTicker }),
      books,
      waiting: this.#waiting(books),
      trades: this.#trades.result(),
      bytes: {
        frames: this.#frameBytes,
        records: counter(COUNTER_RECORDS) * DELTA_BYTES + counter(COUNTER_TRADES) * TRADE_BYTES,
        wire: this.#follower.wireBytes + this.#trades.wireBytes,
      },
      nsPerFrame: this.#frames === 0 ? 0 : Math.round((this.#busyMs * 1e6) / this.#frames),
      failures,
    };
  }

  #timed(receivedAt: number, work: () => number): number {
    const start = performance.now();
    const code = work();
    this.#sync.publish(receivedAt);
    this.#busyMs += performance.now() - start;
    this.#sync.takeActions();
    this.#follower.pump();
    this.#trades.pump();
    return code;
  }

  #rest(url: string, body: Uint8Array, receivedAt: number): void {
    const native = this.#options.exchange.snapshotNative(url);
    if (native === undefined) {
      return;
    }
    if (this.#sync.instrument(native) === undefined) {
      this.#open(native);
    }
    this.#timed(receivedAt, () => {
      this.#sync.snapshotArrived(native, body, { receivedAt });
      return 0;
    });
  }

  #open(native: string): void {
    const { exchange } = this.#options;
    const { defaultDepth, imageLevels } = exchange.header;
    this.#sync.open({
      native,
      canonical: exchange.canonicalName(native),
      assurance: exchange.assurance(defaultDepth),
      depth: defaultDepth,
      priceExponent: -1,
      quantityExponent: -1,
      tradingStatus: TRADING_UNKNOWN,
      imageLevels,
    });
  }

  /** ns since the first time seen; negative when the line has none. */
  #receivedAt(ts: string | undefined): number {
    const at = captureTimeNs(ts);
    if (at === undefined) {
      return -1;
    }
    if (this.#anchorNs === undefined) {
      this.#anchorNs = at;
      this.#producer.clockAnchor(Number(at & 0xffffffffn), Number(at >> 32n));
    }
    return Math.max(0, Number(at - this.#anchorNs));
  }

  /** The books of the instruments in use, from the client's replicas. */
  #books(): Record<string, ReplayBook> {
    const scratch = this.#client.arenaAllocate(SCRATCH_LEVELS * 16);
    const current = new Map<string, Followed>();
    for (const followed of this.#follower.followed) {
      const { entry } = followed;
      const isBook =
        this.#word(followed.client, REPLICA_VERSION) + this.#word(followed.client, REPLICA_VERSION + 4) > 0;
      if (isBook && this.#entry(entry.id)?.retiredTo === 0) {
        current.set(entry.native, followed);
      }
    }
    const sorted = [...current].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted.map(([native, followed]) => [native, this.#book(followed, scratch)]));
  }

  #book(followed: Followed, scratch: number): ReplayBook {
    const { client } = followed;
    const entry = this.#entry(followed.entry.id) ?? followed.entry;
    const text = bookText(this.#client, {
      book: this.#word(client, REPLICA_BOOK),
      priceExponent: this.#word(client, REPLICA_PRICE_EXPONENT),
      quantityExponent: this.#word(client, REPLICA_QUANTITY_EXPONENT),
      scratch,
      scratchLevels: SCRATCH_LEVELS,
    });
    const isSynced =
      this.#word(client, REPLICA_STATE) === REPLICA_STATE_FOLLOWING &&
      (this.#follower.clientFlags(followed) & FLAG_NOT_SYNCED) === 0;
    const state = wordOf(STATE_WORDS, entry.state);
    return {
      state: state === "synced" && !isSynced ? "resyncing" : state,
      assurance: wordOf(ASSURANCE_WORDS, entry.assurance),
      version: String(this.#word(client, REPLICA_VERSION) + this.#word(client, REPLICA_VERSION + 4) * 2 ** 32),
      hash: this.#word(client, REPLICA_HASH),
      bidLevels: text.bids.length,
      askLevels: text.asks.length,
      bids: text.bids.slice(0, TOP_LEVELS),
      asks: text.asks.slice(0, TOP_LEVELS),
      digest: bookDigest(text),
    };
  }

  /** Instruments that never had a book. */
  #waiting(books: Record<string, ReplayBook>): string[] {
    return this.#sync.instruments
      .map(({ block }) => block.native)
      .filter((native) => !(native in books))
      .sort();
  }

  /** A table entry as it stands now. */
  #entry(id: number): InstrumentEntry | undefined {
    return this.#view.instruments().find((entry) => entry.id === id);
  }

  #word(block: number, offset: number): number {
    return new DataView(this.#client.buffer).getUint32(block + offset, true);
  }
}

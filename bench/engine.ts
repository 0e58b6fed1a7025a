/**
 * One stream on one kernel, ready to be replayed as often as wanted: a first pass through the real sync settles exponents,
 * depths and images; then every frame lies in linear memory with the outcome that it must have. `reset` brings all books
 * back to their snapshots, `run` applies and publishes frame by frame, and whatever differs from the first run throws.
 * Bad case: a stream with a second snapshot in its middle; replays would not be the same, so it is refused.
 */
import {
  APPLY_BOOK,
  APPLY_CONTROL,
  APPLY_DECODE_ERROR,
  APPLY_SNAPSHOT,
  APPLY_STALE,
  COUNTER_CHANGES,
  COUNTER_LEVEL_ENTRIES,
  COUNTER_RECORDS,
  INSTRUMENT_FLAG_TRADE_SEEN,
  INSTRUMENT_FLAGS,
  SIDE_ASK,
  SIDE_BID,
  STATE_SYNCED,
  TRADING_UNKNOWN,
} from "../assembly/layout.ts";
import type { KernelName } from "../src/kernel/kernel.ts";
import type { InstrumentBlock } from "../src/sync/instrument_block.ts";
import { ExchangeSync, SYNC_SETTINGS } from "../src/sync/mod.ts";
import { mustEqual } from "./harness.ts";
import { RingCheck } from "./ring_check.ts";
import type { Stream, StreamFrame } from "./stream.ts";
import { type LaidBytes, layBytes, openWorkbench, type Workbench } from "./workbench.ts";

/** Which frames of a stream a run takes. */
export type FrameChoice = "book" | "every";

/** Frames that a run takes, as they lie in memory. */
export type FrameList = {
  readonly frames: readonly StreamFrame[];
  readonly laid: LaidBytes;
  readonly times: Float64Array;
  /** APPLY_* that each of them must give. */
  readonly codes: Int32Array;
};

/** What a whole run does; `chain` stands for every book that it went through. */
export type RunCounts = { records: number; changes: number; entries: number; chain: number };

const FRAME_BYTES = 8 << 20;
const IMAGE_SHARE = 8;

/** A stream on a kernel. */
export class Engine {
  readonly stream: Stream;
  readonly bench: Workbench;
  readonly sync: ExchangeSync;
  /** What it reads behind the ring, and verifies. */
  readonly check: RingCheck;
  readonly #decoder: number;
  /** Where every book begins; `native` is set when the body came by REST. */
  readonly snapshots: readonly { frame: StreamFrame; native: string | undefined; address: number }[];
  readonly #lists: Readonly<Record<FrameChoice, FrameList>>;
  readonly #expected = new Map<FrameChoice, string>();

  /** @throws Error when the stream cannot be replayed */
  constructor(name: KernelName, stream: Stream) {
    this.stream = stream;
    this.#decoder = stream.exchange.header.decoder;
    const bench = openWorkbench(name);
    this.bench = bench;
    const { anchorNs } = stream;
    bench.producer.clockAnchor(Number(anchorNs & 0xffffffffn), Number(anchorNs >> 32n));
    this.sync = openSync(bench, stream);
    for (const frame of stream.frames) {
      this.#settle(frame);
    }
    const parts = this.#classify();
    const laid = layBytes(
      bench,
      "snapshots",
      parts.snapshots.map(({ frame }) => frame.bytes),
    );
    this.snapshots = parts.snapshots.map((part, index) => ({ ...part, address: laid.addresses[index] ?? 0 }));
    this.#lists = { book: layList(bench, "book", parts.book), every: layList(bench, "every", parts.every) };
    this.check = new RingCheck(bench, this.blocks);
  }

  /** Every instrument of the stream that has a book. */
  get blocks(): InstrumentBlock[] {
    return this.sync.instruments.map(({ block }) => block).filter((block) => block.levels > 0);
  }

  /** The frames of a run. */
  list(choice: FrameChoice): FrameList {
    return this.#lists[choice];
  }

  /** Brings every book back to its snapshot and lets the check follow. */
  reset(): void {
    const { producer, view } = this.bench;
    for (const { frame, native, address } of this.snapshots) {
      const code =
        native === undefined
          ? producer.apply(this.#decoder, address, frame.bytes.length, frame.receivedAt)
          : producer.applySnapshot(
              this.#decoder,
              this.#block(native).address,
              address,
              frame.bytes.length,
              frame.receivedAt,
            );
      mustEqual(`a snapshot of ${this.stream.id}`, code, APPLY_SNAPSHOT);
      producer.publish(frame.receivedAt);
    }
    for (const { address } of this.blocks) {
      const flags = view.getUint32(address + INSTRUMENT_FLAGS, true);
      view.setUint32(address + INSTRUMENT_FLAGS, flags & ~INSTRUMENT_FLAG_TRADE_SEEN, true);
    }
    this.check.pump();
    this.check.join();
    this.check.forgetCounts();
  }

  /**
   * Applies and publishes every frame of a list.
   * @returns frames whose outcome was not the expected one
   */
  run(choice: FrameChoice): number {
    const { producer } = this.bench;
    const { laid, times, codes } = this.#lists[choice];
    const { addresses, lengths } = laid;
    const decoder = this.#decoder;
    let wrong = 0;
    for (let index = 0; index < codes.length; index++) {
      const at = times[index] ?? 0;
      const code = producer.apply(decoder, addresses[index] ?? 0, lengths[index] ?? 0, at);
      wrong += code === codes[index] ? 0 : 1;
      producer.publish(at);
    }
    return wrong;
  }

  /** The same through the sync, from buffers as a socket hands them over. */
  runSync(choice: FrameChoice): number {
    const { frames, codes } = this.#lists[choice];
    const connection = this.sync.connection(0);
    let wrong = 0;
    for (let index = 0; index < frames.length; index++) {
      const frame = frames[index];
      if (frame !== undefined) {
        const code = connection.receive(frame.bytes, frame.receivedAt);
        wrong += code === codes[index] ? 0 : 1;
        this.sync.publish(frame.receivedAt);
      }
    }
    return wrong;
  }

  /**
   * Judges a run: outcomes, every record in the ring by chain and hash on a replica, the books at both ends, and that
   * every intermediate book is that of the first run.
   * @throws Error naming what is wrong
   */
  verify(choice: FrameChoice, wrong: number): void {
    const what = `${this.stream.id} on ${this.bench.name}`;
    mustEqual(`${what}: outcomes that differ`, wrong, 0);
    this.check.pump();
    const { records, changes, chain } = this.check;
    const hashes = this.blocks.map((block) => `${block.native} ${this.hash(block)} ${block.levels} ${block.state}`);
    const summary = `${records} records, ${changes} changes, chain ${chain}: ${hashes.join(", ")}`;
    const expected = this.#expected.get(choice) ?? summary;
    this.#expected.set(choice, expected);
    mustEqual(`${what}: the books`, summary, expected);
    this.check.compare();
  }

  /** Counts of one run. */
  counts(choice: FrameChoice): RunCounts {
    const { segment } = this.bench;
    const read = () => ({
      records: segment.counter(COUNTER_RECORDS),
      changes: segment.counter(COUNTER_CHANGES),
      entries: segment.counter(COUNTER_LEVEL_ENTRIES),
    });
    this.reset();
    const before = read();
    this.verify(choice, this.run(choice));
    const after = read();
    return {
      records: after.records - before.records,
      changes: after.changes - before.changes,
      entries: after.entries - before.entries,
      chain: this.check.chain,
    };
  }

  /** The book hash of an instrument. */
  hash(block: InstrumentBlock): number {
    return this.bench.producer.bookHash(block.book);
  }

  /** Levels of an instrument, both sides. */
  levels(block: InstrumentBlock): { bids: number; asks: number } {
    const { producer } = this.bench;
    return { bids: producer.bookCount(block.book, SIDE_BID), asks: producer.bookCount(block.book, SIDE_ASK) };
  }

  #block(native: string): InstrumentBlock {
    const found = this.sync.instrument(native);
    if (found === undefined) {
      throw new Error(`Cannot replay ${this.stream.id}: nobody opened the instrument, was ${native}`);
    }
    return found.block;
  }

  /** First pass: the sync meets the frames as it would live. */
  #settle({ bytes, url, receivedAt }: StreamFrame): void {
    const native = url === undefined ? undefined : this.stream.exchange.snapshotNative(url);
    if (url === undefined) {
      this.sync.connection(0).receive(bytes, receivedAt);
    } else if (native !== undefined) {
      openInstrument(this.sync, this.stream, native);
      this.sync.snapshotArrived(native, bytes, { receivedAt });
    }
    this.sync.publish(receivedAt);
    this.sync.takeActions();
  }

  /** Second and third pass: which frames are snapshots, then what each other frame gives after all snapshots. */
  #classify() {
    const range = this.bench.map.reserve("classify", { bytes: FRAME_BYTES });
    const apply = (frame: StreamFrame) => {
      this.bench.bytes.set(frame.bytes, range.address);
      return this.bench.producer.apply(this.#decoder, range.address, frame.bytes.length, frame.receivedAt);
    };
    const snapshots: { frame: StreamFrame; native: string | undefined }[] = [];
    const rest: StreamFrame[] = [];
    const seen = new Set<string>();
    for (const frame of this.stream.frames) {
      const native = frame.url === undefined ? undefined : this.stream.exchange.snapshotNative(frame.url);
      const isSnapshot = frame.url === undefined ? apply(frame) === APPLY_SNAPSHOT : this.#isFirst(native, seen);
      if (isSnapshot) {
        snapshots.push({ frame, native });
      } else if (frame.url === undefined) {
        rest.push(frame);
      }
    }
    for (const { frame, native } of snapshots) {
      this.bench.bytes.set(frame.bytes, range.address);
      const { producer } = this.bench;
      const { length } = frame.bytes;
      const code =
        native === undefined
          ? apply(frame)
          : producer.applySnapshot(this.#decoder, this.#block(native).address, range.address, length, frame.receivedAt);
      mustEqual(`a snapshot of ${this.stream.id}`, code, APPLY_SNAPSHOT);
    }
    this.#forgetTrades();
    const coded = rest.map((frame) => ({ frame, code: apply(frame) }));
    this.bench.producer.publish(0);
    this.bench.map.release(range);
    this.#mustBeWhole(coded.map(({ code }) => code));
    const every = coded.filter(({ code }) => code !== APPLY_CONTROL && code !== APPLY_STALE);
    return { snapshots, every, book: every.filter(({ code }) => code === APPLY_BOOK) };
  }

  /** The first REST body of an instrument is its snapshot; later ones are ignored, as a synced book ignores them. */
  #isFirst(native: string | undefined, seen: Set<string>): native is string {
    if (native === undefined || seen.has(native)) {
      return false;
    }
    seen.add(native);
    return true;
  }

  #forgetTrades(): void {
    for (const { address } of this.blocks) {
      const { view } = this.bench;
      const flags = view.getUint32(address + INSTRUMENT_FLAGS, true);
      view.setUint32(address + INSTRUMENT_FLAGS, flags & ~INSTRUMENT_FLAG_TRADE_SEEN, true);
    }
  }

  #mustBeWhole(codes: readonly number[]): void {
    const isBad = (code: number) => code >= APPLY_DECODE_ERROR || code === APPLY_SNAPSHOT;
    const bad = codes.find(isBad);
    const unsynced = this.blocks.find((block) => block.state !== STATE_SYNCED);
    if (bad !== undefined || unsynced !== undefined) {
      const was = bad === undefined ? `${unsynced?.native} in state ${unsynced?.state}` : `outcome ${bad}`;
      throw new Error(`Cannot replay ${this.stream.id}: every book must stay synced from its one snapshot, was ${was}`);
    }
  }
}

function openSync(bench: Workbench, stream: Stream): ExchangeSync {
  const sync = new ExchangeSync({
    kernel: bench.producer,
    exchange: stream.exchange,
    segment: bench.segment,
    frame: bench.map.reserve("frame", { bytes: FRAME_BYTES }),
    imageEvery: bench.config.deltaCapacity / IMAGE_SHARE,
    wallNs: (receivedAt) => (receivedAt < 0 ? 0n : stream.anchorNs + BigInt(Math.round(receivedAt))),
    random: () => 0.5,
    settings: SYNC_SETTINGS,
    opensUnknown: true,
  });
  sync.connection(0).opened(0);
  return sync;
}

function openInstrument(sync: ExchangeSync, { exchange }: Stream, native: string): void {
  if (sync.instrument(native) !== undefined) {
    return;
  }
  const { defaultDepth, imageLevels } = exchange.header;
  sync.open({
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

function layList(bench: Workbench, name: string, coded: readonly { frame: StreamFrame; code: number }[]): FrameList {
  const frames = coded.map(({ frame }) => frame);
  return {
    frames,
    laid: layBytes(
      bench,
      name,
      frames.map(({ bytes }) => bytes),
    ),
    times: Float64Array.from(frames, ({ receivedAt }) => receivedAt),
    codes: Int32Array.from(coded, ({ code }) => code),
  };
}

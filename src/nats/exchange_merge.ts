/**
 * One exchange as it arrives from the broker: who its collectors are and whether they are heard, its merged instruments,
 * and the local segment that they live in, which is made anew, twice as large, when it is full.
 * Bad case: messages that cannot be read or that name too many instruments; they are counted and dropped.
 */
import type { MemoryMap } from "../segment/memory_map.ts";
import type { SegmentConfig } from "../segment/writer.ts";
import type { NatsConfig, NatsLog } from "./broker.ts";
import { decodeFacts } from "./facts.ts";
import type { LaneSnapshot } from "./lane.ts";
import { LocalSegment } from "./local_segment.ts";
import { type MergeCounts, type MergeHome, zeroCounts } from "./merge_home.ts";
import { MergedInstrument } from "./merged_instrument.ts";
import { KINDS, type Message, splitPieces, unpackDeltas, unpackTrades } from "./message.ts";
import type { Workspace } from "./workspace.ts";

/** What an exchange's merge needs. */
export type ExchangeMergeOptions = {
  readonly exchange: string;
  readonly map: MemoryMap;
  readonly workspace: Workspace;
  readonly config: NatsConfig;
  readonly sizes: SegmentConfig;
  readonly log: NatsLog;
  readonly nowMs: () => number;
  want(symbol: string): void;
};

type Source = {
  /** The last beat of whose records nothing was missing. */
  freshAtMs: number;
  heardAtMs: number;
  /** Beats whose records did not all arrive yet: what they promise, and when they came. */
  promised: { readonly bound: number; readonly atMs: number } | undefined;
};

type Parts = { version: bigint; frames: (readonly Uint8Array[] | undefined)[] };

const SOURCES_MAX = 16;
const INSTRUMENTS_MAX = 60_000;
const FORGET_MS = 60_000;
const RELEASE_MS = 3000;
const PARTS_MAX = 256;

/** The merged books of one exchange. Thread: one. */
export class ExchangeMerge {
  readonly exchange: string;
  readonly counts: MergeCounts = zeroCounts();
  /** Messages that could not be used. */
  refused = 0;
  readonly #options: ExchangeMergeOptions;
  readonly #home: MergeHome;
  readonly #sources = new Map<bigint, Source>();
  readonly #instruments = new Map<string, MergedInstrument>();
  readonly #parts = new Map<string, Parts>();
  readonly #released: { segment: LocalSegment; atMs: number }[] = [];
  #segment: LocalSegment;
  #generation = 0;
  #growth: SegmentConfig | undefined;

  /** @throws RangeError when the memory has no room */
  constructor(options: ExchangeMergeOptions) {
    this.exchange = options.exchange;
    this.#options = options;
    this.#segment = this.#makeSegment(options.sizes);
    this.#home = {
      workspace: options.workspace,
      counts: this.counts,
      patienceMs: options.config.patienceMs,
      waitingMax: options.config.waitingRecordsMax,
      open: (facts, place) => {
        const opened = this.#segment.open(facts, place);
        this.#growth ??= opened === undefined ? larger(this.#segment.sizes, facts.canonical, place.levels) : undefined;
        return opened;
      },
      isFresh: (source) => this.#isFresh(source),
      want: (symbol) => options.want(symbol),
      nowMs: options.nowMs,
    };
  }

  /** Address of the segment that is in use. */
  get segmentAddress(): number {
    return this.#segment.range.address;
  }

  /** Its merged instruments. */
  get instruments(): MergedInstrument[] {
    return [...this.#instruments.values()];
  }

  /** Collectors that are heard. */
  get freshSources(): bigint[] {
    return [...this.#sources.keys()].filter((source) => this.#isFresh(source));
  }

  /** A collector says that it lives, and how far its records have been stored. @param reached how far we have read */
  beat({ source, bound }: Message, reached: number): void {
    const state = this.#source(source);
    const now = this.#options.nowMs();
    if (state === undefined) {
      return;
    }
    state.heardAtMs = now;
    if (Number(bound) <= reached) {
      state.freshAtMs = now;
      state.promised = undefined;
    } else {
      state.promised ??= { bound: Number(bound), atMs: now };
    }
  }

  /** Takes a message of an instrument. */
  take(symbol: string, message: Message): void {
    const instrument = this.#instrument(symbol);
    if (this.#source(message.source) === undefined || instrument === undefined) {
      this.refused += 1;
      return;
    }
    const isUsed =
      message.kind === KINDS.snapshot
        ? this.#takeSnapshot(instrument, message)
        : this.#takeRecords(instrument, message);
    this.refused += isUsed ? 0 : 1;
  }

  /** Everything up to a position of the stream of deltas has been read. */
  reach(position: number): void {
    for (const state of this.#sources.values()) {
      if (state.promised !== undefined && state.promised.bound <= position) {
        state.freshAtMs = Math.max(state.freshAtMs, state.promised.atMs);
        state.promised = undefined;
      }
    }
  }

  /** The stream's positions count from the beginning, or something of it is missing: nothing promised holds. */
  forgetPromises(): void {
    for (const state of this.#sources.values()) {
      state.promised = undefined;
    }
  }

  /** Makes what was put into the rings heard. */
  wake(): void {
    this.#segment.ring.wake();
  }

  /** Looks at everything; call it ten times a second. */
  look(): void {
    const now = this.#options.nowMs();
    this.#segment.beat();
    for (const [source, state] of this.#sources) {
      if (now - state.heardAtMs > FORGET_MS) {
        this.#forget(source);
      }
    }
    for (const instrument of this.#instruments.values()) {
      instrument.look(this.#options.config.staleMs);
    }
    if (this.#growth !== undefined) {
      this.#grow(this.#growth);
    }
    while ((this.#released[0]?.atMs ?? Number.POSITIVE_INFINITY) <= now) {
      const released = this.#released.shift();
      if (released !== undefined) {
        this.#options.map.release(released.segment.range);
      }
    }
    this.wake();
  }

  #takeRecords(instrument: MergedInstrument, message: Message): boolean {
    const { kind, body, count, source } = message;
    if (kind === KINDS.deltas) {
      const records = unpackDeltas(body, count);
      if (records !== undefined) {
        instrument.lane(source).takeDeltas(records, message);
      }
      return records !== undefined;
    }
    const records = kind === KINDS.trades ? unpackTrades(body, count) : undefined;
    if (records !== undefined) {
      instrument.trades(source, instrument.lane(source).freshTrades(records, message));
    }
    return records !== undefined;
  }

  #takeSnapshot(instrument: MergedInstrument, message: Message): boolean {
    const [mark, bytes, ...frames] = splitPieces(message.body) ?? [];
    const facts = bytes === undefined ? undefined : decodeFacts(bytes);
    if (mark?.length !== 16 || facts === undefined || facts.canonical !== instrument.symbol) {
      return false;
    }
    const version = new DataView(mark.buffer, mark.byteOffset, mark.length).getBigUint64(0, true);
    const whole = this.#collect(message, { version, frames });
    if (whole !== undefined) {
      const { epoch, instrumentId } = message;
      const snapshot: LaneSnapshot = { epoch, instrumentId, version, facts, frames: whole };
      instrument.lane(message.source).takeSnapshot(snapshot, this.#options.nowMs());
    }
    return true;
  }

  /** @returns all frames, when no part is missing any more */
  #collect(
    { source, instrumentId, count, parts }: Message,
    { version, frames }: { version: bigint; frames: readonly Uint8Array[] },
  ): readonly Uint8Array[] | undefined {
    if (parts === 1) {
      return frames;
    }
    const key = `${source} ${instrumentId}`;
    if (parts < 1 || parts > PARTS_MAX || count >= parts) {
      return undefined;
    }
    const known = this.#parts.get(key);
    const held = known?.version === version && known.frames.length === parts ? known : undefined;
    const collected = held ?? { version, frames: Array.from({ length: parts }, () => undefined) };
    collected.frames[count] = frames;
    this.#parts.set(key, collected);
    if (collected.frames.some((part) => part === undefined)) {
      return undefined;
    }
    this.#parts.delete(key);
    return collected.frames.flatMap((part) => part ?? []);
  }

  #isFresh(source: bigint): boolean {
    const state = this.#sources.get(source);
    return state !== undefined && this.#options.nowMs() - state.freshAtMs < this.#options.config.staleMs;
  }

  #source(source: bigint): Source | undefined {
    let state = this.#sources.get(source);
    if (state === undefined && this.#sources.size < SOURCES_MAX) {
      // Its records are believed when its first beat comes.
      state = { freshAtMs: Number.NEGATIVE_INFINITY, heardAtMs: this.#options.nowMs(), promised: undefined };
      this.#sources.set(source, state);
      this.#options.log.info(`A collector of ${this.exchange} is heard: ${source.toString(16)}`);
    }
    return state;
  }

  #forget(source: bigint): void {
    this.#sources.delete(source);
    for (const instrument of this.#instruments.values()) {
      instrument.drop(source);
    }
  }

  #instrument(symbol: string): MergedInstrument | undefined {
    let instrument = this.#instruments.get(symbol);
    if (instrument === undefined && this.#instruments.size < INSTRUMENTS_MAX) {
      instrument = new MergedInstrument(this.#home, symbol);
      this.#instruments.set(symbol, instrument);
    }
    return instrument;
  }

  #makeSegment(sizes: SegmentConfig): LocalSegment {
    const { map, workspace, exchange } = this.#options;
    this.#generation += 1;
    return new LocalSegment({ map, workspace, exchange, generation: this.#generation, sizes });
  }

  /** All books go to a larger segment; readers see another epoch. */
  #grow(sizes: SegmentConfig): void {
    this.#growth = undefined;
    const before = this.#segment;
    try {
      this.#segment = this.#makeSegment(sizes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.error(`Cannot hold more of ${this.exchange}: ${reason}`);
      return;
    }
    this.#options.log.info(`The local segment of ${this.exchange} grows to ${this.#segment.range.bytes} bytes`);
    for (const instrument of this.#instruments.values()) {
      instrument.rehome();
    }
    before.supersede();
    this.#released.push({ segment: before, atMs: this.#options.nowMs() + RELEASE_MS });
  }
}

function larger(sizes: SegmentConfig, canonical: string, levels: number): SegmentConfig {
  const least = Math.max(levels * 2, (sizes.leastImageLevels?.[canonical] ?? 0) * 2);
  return {
    ...sizes,
    instrumentCapacity: sizes.instrumentCapacity * 2,
    imageAreaBytes: sizes.imageAreaBytes * 2,
    leastImageLevels: { ...sizes.leastImageLevels, [canonical]: least },
  };
}

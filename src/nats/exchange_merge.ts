/**
 * One exchange as it arrives from the broker: who its collectors are and whether they are heard, its merged instruments,
 * and the local segment that they live in, which is made anew, twice as large, when it is full.
 * Bad case: messages that cannot be read or that name too many instruments; they are counted and dropped.
 */
import type { PublisherFigures } from "../model/broker_figures.ts";
import type { MemoryMap } from "../segment/memory_map.ts";
import type { SegmentConfig } from "../segment/writer.ts";
import type { NatsConfig, NatsLog } from "./broker.ts";
import { decodeFacts } from "./facts.ts";
import type { LaneSnapshot } from "./lane.ts";
import { LocalSegment } from "./local_segment.ts";
import { type MergeCounts, type MergeHome, zeroCounts } from "./merge_home.ts";
import { MergedInstrument } from "./merged_instrument.ts";
import { KINDS, type Message, NO_PROMISE, splitPieces, unpackDeltas, unpackTrades } from "./message.ts";
import { decodeFigures } from "./publisher_figures.ts";
import { FRAME_BYTES, type Workspace } from "./workspace.ts";

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
  beatAtMs: number;
  heardAtMs: number;
  /** What the last beat promises to be stored: a position in the stream of deltas; 0 = nothing. */
  bound: number;
  /** Beats whose records did not all arrive yet: what they promise, and when they came. */
  promised: { readonly bound: number; readonly atMs: number } | undefined;
  /** A small number that no other has meanwhile, for metrics. */
  readonly place: number;
  figures: PublisherFigures | undefined;
};

type Parts = { version: bigint; frames: (readonly Uint8Array[] | undefined)[]; bytes: number };

const SOURCES_MAX = 16;
const INSTRUMENTS_MAX = 60_000;
const FORGET_MS = 60_000;
const RELEASE_MS = 3000;
const PARTS_MAX = 256;
/** Different complaints that are logged. */
const TOLD_MAX = 16;
/** What waits for other parts of its snapshot, all together. */
const PARTS_BYTES_MAX = 256 * 1024 * 1024;

/** The merged books of one exchange. Thread: one. */
export class ExchangeMerge {
  readonly exchange: string;
  readonly counts: MergeCounts = zeroCounts();
  /** Messages that could not be used. */
  refused = 0;
  /** Records that were read, from all collectors. */
  readonly records = { deltas: 0, trades: 0 };
  readonly #options: ExchangeMergeOptions;
  readonly #home: MergeHome;
  readonly #sources = new Map<bigint, Source>();
  readonly #instruments = new Map<string, MergedInstrument>();
  readonly #parts = new Map<string, Parts>();
  readonly #told = new Set<string>();
  #partsBytes = 0;
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
      isHeard: (source) => this.#isHeard(this.#sources.get(source)),
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

  /** Collectors that are heard and whose records are not behind. */
  get freshSources(): bigint[] {
    return [...this.#sources.keys()].filter((source) => this.#isFresh(source));
  }

  /** Where the stream of deltas ends, as far as collectors that are heard say. @returns 0 when none does */
  get promised(): number {
    return Math.max(0, ...[...this.#sources.values()].map((state) => (this.#isHeard(state) ? state.bound : 0)));
  }

  /** What collectors last said of their publishing, by a small number that each keeps until it is silent for a minute. */
  get publishers(): { readonly place: number; readonly figures: PublisherFigures }[] {
    return [...this.#sources.values()].flatMap(({ place, figures }) =>
      figures === undefined ? [] : [{ place, figures }],
    );
  }

  /** A collector says that it lives, and how far its records have been stored. @param reached how far we have read */
  beat({ source, bound, body }: Message, reached: number): void {
    const state = this.#source(source);
    const now = this.#options.nowMs();
    if (state === undefined) {
      return;
    }
    state.heardAtMs = now;
    state.beatAtMs = now;
    state.figures = decodeFigures(body) ?? state.figures;
    state.bound = bound === NO_PROMISE ? 0 : Number(bound);
    if (bound === NO_PROMISE) {
      return;
    }
    if (state.bound <= reached) {
      state.freshAtMs = now;
      state.promised = undefined;
    } else {
      state.promised ??= { bound: state.bound, atMs: now };
    }
  }

  /** Takes a message of an instrument. What cannot be used is counted. */
  take(symbol: string, message: Message): void {
    try {
      const instrument = this.#instrument(symbol);
      const isKnown = this.#source(message.source) !== undefined && instrument !== undefined;
      const isUsed =
        isKnown &&
        (message.kind === KINDS.snapshot
          ? this.#takeSnapshot(instrument, message)
          : this.#takeRecords(instrument, message));
      this.refused += isUsed ? 0 : 1;
    } catch (error) {
      this.#refuse(error);
    }
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
      state.bound = 0;
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
      this.#lookAt(instrument);
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

  #lookAt(instrument: MergedInstrument): void {
    try {
      instrument.look(this.#options.config.staleMs);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** A book for which there is no memory is left out; whatever else fails is a fault of ours. */
  #refuse(error: unknown): void {
    if (!(error instanceof RangeError)) {
      throw error;
    }
    this.refused += 1;
    if (this.#told.size < TOLD_MAX && !this.#told.has(error.message)) {
      this.#told.add(error.message);
      this.#options.log.error(`Cannot follow everything of ${this.exchange}: ${error.message}`);
    }
  }

  #takeRecords(instrument: MergedInstrument, message: Message): boolean {
    const { kind, body, count, source } = message;
    if (kind === KINDS.deltas) {
      const records = unpackDeltas(body, count);
      if (records !== undefined) {
        this.records.deltas += records.length;
        instrument.lane(source).takeDeltas(records, message);
      }
      return records !== undefined;
    }
    const records = kind === KINDS.trades ? unpackTrades(body, count) : undefined;
    if (records !== undefined) {
      this.records.trades += records.length;
      instrument.trades(source, instrument.lane(source).freshTrades(records, message));
    }
    return records !== undefined;
  }

  #takeSnapshot(instrument: MergedInstrument, message: Message): boolean {
    const [mark, bytes, ...frames] = splitPieces(message.body) ?? [];
    const facts = bytes === undefined ? undefined : decodeFacts(bytes);
    const isTooLong = frames.some(({ length }) => length > FRAME_BYTES);
    if (mark?.length !== 16 || facts === undefined || facts.canonical !== instrument.symbol || isTooLong) {
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
    this.#dropParts(held === undefined ? key : undefined);
    const collected = held ?? { version, frames: Array.from({ length: parts }, () => undefined), bytes: 0 };
    const bytes = collected.frames[count] === undefined ? frames.reduce((sum, { length }) => sum + length, 64) : 0;
    collected.frames[count] = frames;
    collected.bytes += bytes;
    this.#partsBytes += bytes;
    this.#parts.set(key, collected);
    if (collected.frames.some((part) => part === undefined)) {
      return undefined;
    }
    this.#dropParts(key);
    return collected.frames.flatMap((part) => part ?? []);
  }

  /** Forgets what is held under a key, and the oldest when all together is too much. */
  #dropParts(key: string | undefined): void {
    const isFull = this.#partsBytes > PARTS_BYTES_MAX;
    const [oldest] = isFull ? this.#parts.keys() : [];
    for (const name of [key, oldest]) {
      this.#partsBytes -= this.#parts.get(name ?? "")?.bytes ?? 0;
      this.#parts.delete(name ?? "");
    }
  }

  #isFresh(source: bigint): boolean {
    const state = this.#sources.get(source);
    return state !== undefined && this.#options.nowMs() - state.freshAtMs < this.#options.config.staleMs;
  }

  #isHeard(state: Source | undefined): boolean {
    return this.#options.nowMs() - (state?.beatAtMs ?? Number.NEGATIVE_INFINITY) < this.#options.config.staleMs;
  }

  #source(source: bigint): Source | undefined {
    let state = this.#sources.get(source);
    if (state === undefined && this.#sources.size >= SOURCES_MAX) {
      this.#forgetSilent();
    }
    if (state === undefined && this.#sources.size < SOURCES_MAX) {
      // Its records are believed when its first beat comes.
      const never = Number.NEGATIVE_INFINITY;
      const heardAtMs = this.#options.nowMs();
      const begun = { freshAtMs: never, beatAtMs: never, heardAtMs, bound: 0, promised: undefined };
      state = { ...begun, place: this.#freePlace(), figures: undefined };
      this.#sources.set(source, state);
      this.#options.log.info(`A collector of ${this.exchange} is heard: ${source.toString(16)}`);
    }
    return state;
  }

  #freePlace(): number {
    const taken = new Set([...this.#sources.values()].map(({ place }) => place));
    return Array.from({ length: SOURCES_MAX }, (_, place) => place).find((place) => !taken.has(place)) ?? SOURCES_MAX;
  }

  /** Makes room for a collector: the one that says nothing for longest goes, if it counts for nothing. */
  #forgetSilent(): void {
    const silent = [...this.#sources].filter(([source]) => !this.#isFresh(source));
    const [first] = silent.sort(
      ([, one], [, other]) => one.beatAtMs - other.beatAtMs || one.heardAtMs - other.heardAtMs,
    );
    if (first !== undefined) {
      this.#forget(first[0]);
    }
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

/**
 * A memory map whose segments are files: a range that is reserved for a segment is mapped over a file of its
 * own, put into its place when the segment is live, and ordinary memory again when the supervisor releases the range.
 * The supervisor works on it as on any other map. Bad case: no room for a file; reserving fails with the reason, as it
 * does when the memory has no room.
 */
import {
  HEADER_BYTES,
  HEADER_MAGIC,
  HEADER_SHARD_COUNT,
  HEADER_SHARD_INDEX,
  HEADER_STATE,
  MAGIC_LOW,
  SEGMENT_STATE_INITIALISING,
} from "../../assembly/layout.ts";
import { MemoryMap, type MemoryRange } from "../segment/memory_map.ts";
import { MappingError } from "./errors.ts";
import { type Libc, loadLibc } from "./libc.ts";
import { type Shard, WHOLE } from "./names.ts";
import { READERS_BYTES } from "./readers_file.ts";
import { unmapRegion } from "./region.ts";
import type { PendingSegment } from "./segment_file.ts";
import { SegmentHome } from "./segment_home.ts";
import { StandbyHome } from "./standby_home.ts";

/** How a map is exported. */
export type ExportOptions = {
  readonly directory: string;
  readonly isExplicit: boolean;
  readonly exchanges: readonly string[];
  readonly shard?: Shard;
  readonly patienceMs: number;
  readonly pid: number;
  /** A segment is no longer in its place although its producer lives: it should be made anew. */
  readonly onLost?: (exchange: string) => void;
};

const LOOK_MS = 10;
const PLACES_MS = 500;

type Exported = {
  home: SegmentHome | StandbyHome;
  readonly range: MemoryRange;
  readonly bytes: number;
  pending: PendingSegment | undefined;
};

/** A map that other processes can read. Thread: the one that owns the map. */
export class ExportedMap extends MemoryMap {
  readonly #libc: Libc;
  readonly #options: ExportOptions;
  readonly #homes: Map<string, SegmentHome>;
  /** Names that are not ours yet. */
  readonly #standbys: Map<string, StandbyHome>;
  readonly #readers = new Map<string, MemoryRange>();
  readonly #exported = new Map<MemoryRange, Exported>();
  readonly #words: Int32Array;
  #timer: NodeJS.Timeout | undefined;
  #placesAt = 0;

  constructor(
    bytes: number,
    parts: {
      libc: Libc;
      options: ExportOptions;
      homes: Map<string, SegmentHome>;
      standbys?: Map<string, StandbyHome>;
    },
  ) {
    super(bytes);
    this.#libc = parts.libc;
    this.#options = parts.options;
    this.#homes = parts.homes;
    this.#standbys = parts.standbys ?? new Map();
    this.#words = new Int32Array(this.memory.buffer);
    for (const exchange of [...this.#homes.keys(), ...this.#standbys.keys()]) {
      const range = super.reserve(`readers of ${exchange}`, { bytes: READERS_BYTES });
      this.#homes.get(exchange)?.mapReaders(this.memory, range);
      this.#readers.set(exchange, range);
    }
  }

  /** Bytes that a map needs besides: the readers files. @returns bytes of each range */
  static extraRanges(exchanges: readonly string[]): number[] {
    return exchanges.map(() => READERS_BYTES);
  }

  /**
   * Claims the names of all exchanges and makes the memory.
   * @param bytes of the memory, extraRanges included
   * @throws MappingError when this machine cannot, a name is held by another, or a directory cannot be used
   * @throws RangeError when the memory cannot be had
   */
  static async open(bytes: number, options: ExportOptions): Promise<ExportedMap> {
    const libc = await loadLibc();
    const homes = new Map<string, SegmentHome>();
    try {
      for (const exchange of options.exchanges) {
        homes.set(exchange, await SegmentHome.claim({ ...options, libc, exchange }));
      }
      return new ExportedMap(bytes, { libc, options, homes });
    } catch (error) {
      for (const home of homes.values()) {
        home.close();
      }
      throw error;
    }
  }

  /**
   * The same for names that others hold: segments are made and written out of sight until `takeOver` succeeds.
   * @returns undefined when one of the names has a standby already
   * @throws as `open`, but never `locked`
   */
  static async openStandby(bytes: number, options: ExportOptions): Promise<ExportedMap | undefined> {
    const libc = await loadLibc();
    const standbys = new Map<string, StandbyHome>();
    const giveUp = () => {
      for (const standby of standbys.values()) {
        standby.close();
      }
    };
    try {
      for (const exchange of options.exchanges) {
        const standby = StandbyHome.claim({ ...options, libc, exchange });
        if (standby === undefined) {
          giveUp();
          return undefined;
        }
        standbys.set(exchange, standby);
      }
      return new ExportedMap(bytes, { libc, options, homes: new Map(), standbys });
    } catch (error) {
      giveUp();
      throw error;
    }
  }

  /**
   * Takes every name that is free by now: what was written out of sight stands in its place at once.
   * @returns whether all names are ours
   */
  takeOver(): boolean {
    for (const [exchange, standby] of this.#standbys) {
      const home = standby.take();
      const readers = this.#readers.get(exchange);
      if (home === undefined || readers === undefined) {
        continue;
      }
      home.mapReaders(this.memory, readers);
      home.promiseToRing();
      this.#homes.set(exchange, home);
      for (const exported of [...this.#exported.values()].filter((one) => one.home === standby)) {
        exported.home = home;
        // One that is not initialised yet waits as a file of the home: those of the standby are the next standby's to remove.
        exported.pending = exported.pending && home.adopt(exported.pending);
      }
      this.publishInitialised();
      this.#standbys.delete(exchange);
      standby.close();
    }
    return this.#standbys.size === 0;
  }

  /** The range that an exchange's readers file is mapped over. */
  readersOf(exchange: string): MemoryRange | undefined {
    return this.#readers.get(exchange);
  }

  /**
   * Reserves a range and maps it over a file of its own.
   * @throws RangeError as MemoryMap, also when the file system has no room @throws MappingError when a file cannot be made
   */
  override reserveSegment(exchange: string, options: { generation: number; bytes: number }): MemoryRange {
    const home = this.#homes.get(exchange) ?? this.#standbys.get(exchange);
    const range = super.reserveSegment(exchange, options);
    if (home === undefined) {
      return range;
    }
    try {
      const pending = home.create(this.memory, { range, bytes: options.bytes });
      this.#exported.set(range, { home, range, bytes: options.bytes, pending });
    } catch (error) {
      super.release(range);
      const hasNoRoom = error instanceof MappingError && error.reason === "no_room";
      throw hasNoRoom ? new RangeError(error.message, { cause: error }) : error;
    }
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return range;
  }

  override release(range: MemoryRange): void {
    const exported = this.#exported.get(range);
    if (exported !== undefined) {
      this.#exported.delete(range);
      if (exported.pending !== undefined) {
        exported.home.discard(exported.pending);
      }
      unmapRegion(this.#libc, { memory: this.memory, range });
    }
    super.release(range);
  }

  /** Wakes the readers of an exchange, e.g. after its segment was buried. */
  wake(exchange: string): void {
    this.#homes.get(exchange)?.wake();
  }

  /** Takes all segments away and gives the names back. Call it when the producers have ended. */
  close(): void {
    clearInterval(this.#timer);
    for (const { home, pending } of this.#exported.values()) {
      if (pending !== undefined) {
        home.discard(pending);
      }
    }
    for (const home of [...this.#homes.values(), ...this.#standbys.values()]) {
      home.close();
    }
    for (const range of [...this.#exported.keys(), ...this.#readers.values()]) {
      unmapRegion(this.#libc, { memory: this.memory, range });
    }
    this.#exported.clear();
    this.#readers.clear();
  }

  /** Puts segments that have been initialised meanwhile into their places; a timer does it too. */
  publishInitialised(): void {
    for (const exported of this.#exported.values()) {
      const { home, pending, range } = exported;
      if (pending !== undefined && home instanceof SegmentHome && this.#isInitialised(range)) {
        this.#stampShard(range);
        home.publish(pending);
        exported.pending = undefined;
      }
    }
  }

  #look(): void {
    this.publishInitialised();
    if (performance.now() - this.#placesAt > PLACES_MS) {
      this.#placesAt = performance.now();
      for (const [exchange, home] of this.#homes) {
        if (!home.isInPlace) {
          home.forget();
          this.#options.onLost?.(exchange);
        }
      }
    }
  }

  /** The producer need not know that it writes a part of an exchange. */
  #stampShard({ address }: MemoryRange): void {
    const { index, count } = this.#options.shard ?? WHOLE;
    const header = new DataView(this.memory.buffer, address, HEADER_BYTES);
    header.setUint16(HEADER_SHARD_INDEX, index, true);
    header.setUint16(HEADER_SHARD_COUNT, count, true);
  }

  #isInitialised({ address }: MemoryRange): boolean {
    const isMagic = Atomics.load(this.#words, (address + HEADER_MAGIC) >>> 2) === MAGIC_LOW;
    return isMagic && Atomics.load(this.#words, (address + HEADER_STATE) >>> 2) !== SEGMENT_STATE_INITIALISING;
  }
}

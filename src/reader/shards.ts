/**
 * The segments of one exchange that are being read, and what becomes of them: attached, silent, alive again, replaced by a
 * new epoch, closed, corrupt. An old epoch is read to its end before the new one is begun.
 * Bad case: a segment that contradicts itself; it is let go with its reason, the others go on.
 */
import type { Attachment, FollowerChange, Libc, SegmentCondition } from "../mapping/mod.ts";
import {
  isProcessAlive,
  READER_KINDS,
  READERS_BYTES,
  ReaderPlace,
  SegmentFollower,
  segmentAgeMs,
  segmentDirectory,
} from "../mapping/mod.ts";
import type { MemoryMap } from "../segment/memory_map.ts";
import type { SegmentEvent } from "./events.ts";
import type { OpenOptions, ReadFrom } from "./options.ts";
import { CorruptSegment, ShardReader } from "./shard_reader.ts";
import type { ReplicaPool } from "./shelf.ts";
import type { ReaderWorkspace } from "./workspace.ts";

/** Between two looks at the directory and the heartbeats, ms. */
export const LOOK_MS = 50;

type Shard = {
  readonly reader: ShardReader;
  condition: SegmentCondition;
  readonly place: ReaderPlace | undefined;
};

/** The segments of one exchange. Thread: one. */
export class Shards {
  readonly #options: OpenOptions;
  readonly #map: MemoryMap;
  readonly #workspace: ReaderWorkspace;
  readonly #follower: SegmentFollower;
  readonly #shards = new Map<string, Shard>();
  readonly #epochs = new Map<string, bigint>();
  readonly #pool: ReplicaPool = [];
  readonly #pending: SegmentEvent[] = [];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  /** @throws MappingError `refused` when the directory cannot be trusted */
  constructor(
    libc: Libc,
    parts: { map: MemoryMap; workspace: ReaderWorkspace; exchange: string; options: OpenOptions },
  ) {
    const { map, workspace, exchange, options } = parts;
    this.#options = options;
    this.#map = map;
    this.#workspace = workspace;
    this.#follower = new SegmentFollower({
      libc,
      map,
      directory: segmentDirectory({ explicit: options.directory }),
      isExplicit: options.directory !== undefined,
      exchange,
      ...(options.staleMs === undefined ? {} : { staleMs: options.staleMs }),
    });
    this.look();
  }

  /** Those that are read now. */
  get readers(): ShardReader[] {
    return [...this.#shards.values()].map(({ reader }) => reader);
  }

  /** Addresses of the readers files; undefined when not every segment has one with a producer that wakes. */
  beds(isRung: (readers: number) => boolean): number[] | undefined {
    const beds = this.readers.map(({ attachment }) => attachment.readers);
    return beds.length > 0 && beds.every(isRung) ? beds : undefined;
  }

  /** Something waits to be read. */
  get isBehind(): boolean {
    return this.#pending.length > 0 || this.readers.some((reader) => reader.isBehind);
  }

  /** What happened since. */
  takePending(): SegmentEvent[] {
    return this.#pending.splice(0);
  }

  /** The segment and entry in use of an instrument. @param symbol `BASE-QUOTE`, an exchange before it is ignored */
  find(symbol: string) {
    const wanted = symbol.replace(/^[^:]*:/, "");
    for (const reader of this.readers) {
      const entry = reader.entry(wanted);
      if (entry !== undefined) {
        return { reader, entry };
      }
    }
    return undefined;
  }

  /** Its producer gives signs of life. */
  isLive({ attachment }: ShardReader): boolean {
    return this.#follower.condition(attachment) === "live";
  }

  /** Looks when it is time, or at once when a segment does not do well. */
  lookInTime(): void {
    const isLate = performance.now() - this.#lookedAt >= LOOK_MS;
    if (!this.#isClosed && (isLate || this.readers.some((reader) => !this.isLive(reader)))) {
      this.look();
    }
  }

  /** Runs a task on a segment; one that contradicts itself is let go. */
  caught<Result>(reader: ShardReader, task: () => Result): Result | undefined {
    try {
      return task();
    } catch (error) {
      if (!(error instanceof CorruptSegment)) {
        throw error;
      }
      const segment = reader.attachment.file.name;
      const shard = this.#shards.get(segment);
      if (shard?.reader === reader) {
        this.#release(shard);
      }
      this.#pending.push({ kind: "refused", segment, reason: error.message });
      return undefined;
    }
  }

  /** Lets go of everything. @returns unmaps it; call it when no thread sleeps on it any more */
  close(): () => void {
    this.#isClosed = true;
    for (const { place } of this.#shards.values()) {
      place?.leave();
    }
    this.#shards.clear();
    return () => this.#follower.close();
  }

  /** Looks at heartbeats and directory. */
  look(): void {
    this.#lookedAt = performance.now();
    for (const shard of this.#shards.values()) {
      this.#judge(shard);
    }
    for (const change of this.#follower.look()) {
      this.#changed(change);
    }
  }

  /** Says how a producer does, and where this reader stands. */
  #judge(shard: Shard): void {
    const { reader, place } = shard;
    const { attachment } = reader;
    const nowNs = process.hrtime.bigint();
    const condition = this.#follower.condition(attachment, nowNs);
    const segment = attachment.file.name;
    if (condition !== shard.condition) {
      shard.condition = condition;
      if (condition === "live" || condition === "closed") {
        this.#pending.push({ kind: condition === "live" ? "alive" : "closed", segment });
      } else {
        this.#pending.push({ kind: "stale", segment, ageMs: segmentAgeMs(attachment.view, nowNs) });
      }
    }
    place?.report({ nowNs, epoch: attachment.view.header.epoch, ...reader.position });
  }

  #changed(change: FollowerChange): void {
    if (change.kind === "refused") {
      const segment = change.path.replace(/^.*\//, "").replace(/\.seg$/, "");
      this.#pending.push({ kind: "refused", segment, reason: change.reason });
      return;
    }
    const { attachment } = change;
    if (change.kind === "attached") {
      this.#attach(attachment);
      return;
    }
    const shard = this.#shards.get(attachment.file.name);
    if (shard !== undefined) {
      this.#drain(shard.reader);
      this.#release(shard);
      if (change.why === "gone" && shard.condition !== "closed") {
        this.#pending.push({ kind: "closed", segment: attachment.file.name });
      }
    }
  }

  #attach(attachment: Attachment): void {
    const { file, view, readers } = attachment;
    const { epoch, pid } = view.header;
    const previous = this.#epochs.get(file.name);
    const from = this.#from(previous !== undefined);
    const reader = new ShardReader(this.#workspace, { attachment, from, pool: this.#pool });
    this.#epochs.set(file.name, epoch);
    this.#shards.set(file.name, { reader, condition: "live", place: this.#takePlace(readers) });
    this.#pending.push(
      previous === undefined || previous === epoch
        ? { kind: "attached", segment: file.name, epoch, pid }
        : { kind: "epoch", segment: file.name, epoch, previous },
    );
  }

  /** A reader that was there before misses nothing of the next epoch. */
  #from(wasThere: boolean): ReadFrom {
    const { from = "tail" } = this.#options;
    return wasThere && from === "tail" ? "oldest" : from;
  }

  #takePlace(readers: number): ReaderPlace | undefined {
    if (readers === 0) {
      return undefined;
    }
    return ReaderPlace.take(new DataView(this.#map.memory.buffer, readers, READERS_BYTES), {
      pid: process.pid,
      kind: READER_KINDS.node,
      name: this.#options.name ?? "",
      nowNs: process.hrtime.bigint(),
      isAlive: isProcessAlive,
    });
  }

  /** Reads what an old epoch still holds. */
  #drain(reader: ShardReader): void {
    const { batchRecords } = this.#workspace;
    const rounds = Math.ceil(reader.attachment.view.header.deltaCapacity / batchRecords) + 1;
    for (let round = 0; round < rounds && reader.isBehind; round++) {
      this.caught(reader, () => reader.poll((event) => this.#pending.push(event)));
    }
  }

  #release({ reader, place }: Shard): void {
    place?.leave();
    reader.close();
    this.#shards.delete(reader.attachment.file.name);
  }
}

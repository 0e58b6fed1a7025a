/**
 * The readers' side of a segment directory: finds segments by their files, validates and maps each over a fresh range of
 * the memory, read-only, and follows what becomes of them: a new epoch under the same name, a producer that is silent, a
 * file that went away. Ranges that were let go are quarantined before they are used again, and their number is limited.
 * Bad case: a file that cannot be trusted; it is refused once with its reason and looked at again only when it changes.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { HEADER_BYTES, SEGMENT_STATE_CLOSED, SEGMENT_STATE_LIVE } from "../../assembly/layout.ts";
import { readSegmentHeader } from "../segment/header.ts";
import type { MemoryMap, MemoryRange } from "../segment/memory_map.ts";
import { SegmentView } from "../segment/view.ts";
import { trustDirectory } from "./directory.ts";
import { MappingError } from "./errors.ts";
import { STALE_MS, segmentAgeMs } from "./heartbeat.ts";
import type { Libc } from "./libc.ts";
import { parseSegmentName, type SegmentName } from "./names.ts";
import { DOUBT_MS, hasEnded, processIdentity } from "./producer_life.ts";
import { isProcessAlive, openReadersFile, READERS_BYTES } from "./readers_file.ts";
import { mapRegion, unmapRegion } from "./region.ts";

/** How to follow. */
export type FollowerOptions = {
  readonly libc: Libc;
  readonly map: MemoryMap;
  readonly directory: string;
  readonly isExplicit: boolean;
  /** Only this exchange; default all. */
  readonly exchange?: string;
  /** Default 400 ms. */
  readonly staleMs?: number;
  /** How long a range that was let go stays untouched, ms. Default 1000. */
  readonly quarantineMs?: number;
  /** Map the readers files too, to sleep and to report. Default true. */
  readonly withReaders?: boolean;
};

/**
 * `live`: it beats · `stale`: silent for too long, or its process has ended · `superseded`: another epoch takes over ·
 * `closed`: an orderly end.
 */
export type SegmentCondition = "live" | "stale" | "superseded" | "closed";

/** A segment that is mapped. */
export type Attachment = {
  readonly file: SegmentName;
  readonly path: string;
  readonly view: SegmentView;
  readonly range: MemoryRange;
  /** Of the file: device and inode. */
  readonly identity: string;
  /** Of the process that writes it; undefined = it was gone already, or is not of our pid namespace. */
  readonly producer: string | undefined;
  /** Address of the mapped readers file; 0 = there is none. */
  readonly readers: number;
};

/** What a look found. */
export type FollowerChange =
  | { readonly kind: "attached"; readonly attachment: Attachment }
  /** `replaced`: a new epoch stands there; `gone`: its file is away and its producer has ended. */
  | { readonly kind: "detached"; readonly attachment: Attachment; readonly why: "replaced" | "gone" }
  | { readonly kind: "refused"; readonly path: string; readonly reason: string };

type ReadersRange = { readonly range: MemoryRange; readonly identity: string };

const QUARANTINE_MS = 1000;
const QUARANTINED_MAX = 16;

/** Follows the segments of a directory. Thread: one. */
export class SegmentFollower {
  readonly #options: FollowerOptions;
  readonly #attachments = new Map<string, Attachment>();
  readonly #readers = new Map<string, ReadersRange>();
  readonly #refused = new Map<string, string>();
  readonly #quarantine: { range: MemoryRange; until: number }[] = [];
  #made = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** The segments that are mapped now, by name. */
  get attachments(): Attachment[] {
    return [...this.#attachments.values()];
  }

  /** How a segment does now. @param nowNs the machine's monotonic clock */
  condition({ view, producer }: Attachment, nowNs = process.hrtime.bigint()): SegmentCondition {
    const { state } = view;
    if (state === SEGMENT_STATE_LIVE) {
      const age = segmentAgeMs(view, nowNs);
      const isStale = age > (this.#options.staleMs ?? STALE_MS);
      return isStale || (age > DOUBT_MS && hasEnded(view.header.pid, producer)) ? "stale" : "live";
    }
    return state === SEGMENT_STATE_CLOSED ? "closed" : "superseded";
  }

  /** Whether a segment outlived its producer: nothing in it moves, and the process that wrote it is gone. */
  isDead(attachment: Attachment): boolean {
    return this.condition(attachment) !== "live" && !isProcessAlive(attachment.view.header.pid);
  }

  /**
   * Looks at the directory. Call it some times a second, and at once when a segment is not live.
   * @throws MappingError `refused` when the directory cannot be trusted
   */
  look(): FollowerChange[] {
    this.#releaseQuarantined();
    const changes: FollowerChange[] = [];
    const files = this.#files();
    for (const [name, attachment] of this.#attachments) {
      const change = this.#follow(attachment, files.get(name)?.stats);
      if (change !== undefined) {
        this.#attachments.delete(name);
        changes.push(change);
      }
    }
    for (const { file, path, stats } of files.values()) {
      if (!this.#attachments.has(file.name) && this.#refused.get(path) !== versionOf(stats)) {
        changes.push(this.#attach(file, path));
      }
    }
    return changes;
  }

  /** Unmaps everything. Nothing of it may be read afterwards. */
  close(): void {
    const { libc, map } = this.#options;
    const readers = [...this.#readers.values()].map(({ range }) => range);
    const segments = this.attachments.map(({ range }) => range);
    for (const range of [...readers, ...segments, ...this.#quarantine.map((entry) => entry.range)]) {
      unmapRegion(libc, { memory: map.memory, range });
      map.release(range);
    }
    this.#attachments.clear();
    this.#readers.clear();
    this.#quarantine.length = 0;
  }

  #files(): Map<string, { file: SegmentName; path: string; stats: Stats }> {
    const { directory, isExplicit, exchange } = this.#options;
    const found = new Map<string, { file: SegmentName; path: string; stats: Stats }>();
    if (!trustDirectory(directory, { isExplicit })) {
      return found;
    }
    for (const entry of readdirSync(directory)) {
      const file = parseSegmentName(entry);
      const path = join(directory, entry);
      const stats = file === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
      if (file !== undefined && stats !== undefined && (exchange === undefined || file.exchange === exchange)) {
        found.set(file.name, { file, path, stats });
      }
    }
    return found;
  }

  /** @returns what became of a mapped segment, if anything */
  #follow(attachment: Attachment, stats: Stats | undefined): FollowerChange | undefined {
    const isSame = stats !== undefined && identityOf(stats) === attachment.identity;
    // A file that was taken away under a producer that lives is still its segment.
    const isKept = isSame || (stats === undefined && this.condition(attachment) === "live");
    if (isKept) {
      return undefined;
    }
    this.#setAside(attachment.range);
    return { kind: "detached", attachment, why: stats === undefined ? "gone" : "replaced" };
  }

  #attach(file: SegmentName, path: string): FollowerChange {
    const { map, libc } = this.#options;
    let fd: number | undefined;
    let range: MemoryRange | undefined;
    // What was found wanting itself is not looked at again; what only could not be had now is.
    let judged = "";
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const stats = fstatSync(fd);
      judged = versionOf(stats);
      const bytes = checkedSize(stats);
      judged = "";
      range = map.reserve(`mapping ${this.#made++} of ${file.name}`, { bytes });
      mapRegion(libc, { memory: map.memory, range, fd, bytes, access: "read" });
      judged = versionOf(stats);
      checkHeader(file, new DataView(map.memory.buffer, range.address, stats.size));
      const view = new SegmentView(map.memory.buffer, range.address);
      const attachment: Attachment = {
        file,
        path,
        view,
        range,
        identity: identityOf(stats),
        producer: processIdentity(view.header.pid),
        readers: this.#options.withReaders === false ? 0 : this.#readersOf(file.name),
      };
      this.#attachments.set(file.name, attachment);
      this.#refused.delete(path);
      return { kind: "attached", attachment };
    } catch (error) {
      if (range !== undefined) {
        unmapRegion(libc, { memory: map.memory, range });
        map.release(range);
      }
      this.#refused.set(path, judged);
      return { kind: "refused", path, reason: error instanceof Error ? error.message : String(error) };
    } finally {
      if (fd !== undefined) {
        closeSync(fd);
      }
    }
  }

  /** Maps the readers file of a name, if it is there. The file outlives epochs. @returns its address, 0 = none */
  #readersOf(name: string): number {
    const { libc, map, directory } = this.#options;
    const fd = openReadersFile(join(directory, `${name}.readers`));
    if (fd === undefined) {
      return 0;
    }
    try {
      const identity = identityOf(fstatSync(fd));
      const known = this.#readers.get(name);
      if (known?.identity === identity) {
        return known.range.address;
      }
      if (known !== undefined) {
        this.#setAside(known.range);
        this.#readers.delete(name);
      }
      const range = map.reserve(`readers ${this.#made++} of ${name}`, { bytes: READERS_BYTES });
      mapRegion(libc, { memory: map.memory, range, fd, bytes: READERS_BYTES, access: "readWrite" });
      this.#readers.set(name, { range, identity });
      return range.address;
    } finally {
      closeSync(fd);
    }
  }

  #setAside(range: MemoryRange): void {
    this.#quarantine.push({ range, until: performance.now() + (this.#options.quarantineMs ?? QUARANTINE_MS) });
  }

  #releaseQuarantined(): void {
    const { libc, map } = this.#options;
    const now = performance.now();
    while (
      (this.#quarantine[0]?.until ?? Number.POSITIVE_INFINITY) <= now ||
      this.#quarantine.length > QUARANTINED_MAX
    ) {
      const range = this.#quarantine.shift()?.range;
      if (range !== undefined) {
        unmapRegion(libc, { memory: map.memory, range });
        map.release(range);
      }
    }
  }
}

/** Bytes of a segment's file. @throws MappingError `refused` when it is no file, or holds no header */
export function checkedSize(stats: { isFile(): boolean; readonly size: number }): number {
  if (!stats.isFile()) {
    throw new MappingError("Cannot read the segment: it is no regular file", { reason: "refused" });
  }
  if (stats.size < HEADER_BYTES) {
    throw new MappingError(`Cannot read the segment: the file ends inside its header, was ${stats.size} bytes`, {
      reason: "refused",
    });
  }
  return stats.size;
}

/** Validates against the file's length and name. @param view over the whole file @throws RangeError, MappingError */
export function checkHeader(file: SegmentName, view: DataView): void {
  const { exchange, shardIndex, shardCount } = readSegmentHeader(view, 0);
  if (exchange !== file.exchange || shardIndex !== file.index || shardCount !== file.count) {
    throw new MappingError(
      `Cannot read the segment: its header belongs to another name than ${file.name}, was ${exchange} ${shardIndex + 1} of ${shardCount}`,
      { reason: "refused" },
    );
  }
}

function identityOf(stats: Stats): string {
  return `${stats.dev}:${stats.ino}`;
}

function versionOf(stats: Stats): string {
  return `${identityOf(stats)}:${stats.size}`;
}

/**
 * The files of a producer in waiting: it writes a segment of its own beside the one that stands in the place, so that its
 * books are warm, and puts it there when the name's lock is free. The segment that it writes is never the one that another
 * writes; before the lock is had nobody reads it, afterwards nobody else may make one.
 * Bad case: another standby of the name; only one keeps its books warm, the others wait for its place.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { MemoryRange } from "../segment/memory_map.ts";
import { makeDirectory } from "./directory.ts";
import { FileLock } from "./lock.ts";
import { segmentName, WHOLE } from "./names.ts";
import { createSegmentFile, type PendingSegment } from "./segment_file.ts";
import { type HomeOptions, SegmentHome } from "./segment_home.ts";
import { removeStandbyFiles, standbyFilePath, standbyLockPath } from "./standby_files.ts";

/** A name that we wait for. Thread: one. */
export class StandbyHome {
  readonly name: string;
  readonly #options: HomeOptions;
  readonly #lock: FileLock;
  #made = 0;

  constructor(options: HomeOptions, name: string, lock: FileLock) {
    this.#options = options;
    this.#lock = lock;
    this.name = name;
    removeStandbyFiles(options.directory, name);
  }

  /**
   * Becomes the standby of a name.
   * @returns undefined when there is one already
   * @throws MappingError `refused` or `failed` when the directory cannot be used
   */
  static claim(options: HomeOptions): StandbyHome | undefined {
    const { libc, directory, isExplicit, exchange, shard = WHOLE } = options;
    makeDirectory(directory, { isExplicit });
    const name = segmentName(exchange, shard);
    const lock = FileLock.take(libc, standbyLockPath(directory, name));
    return lock === undefined ? undefined : new StandbyHome(options, name, lock);
  }

  /** Makes a file and maps it over a range of the memory. @throws MappingError `no_room` or `failed` */
  create(memory: WebAssembly.Memory, options: { range: MemoryRange; bytes: number }): PendingSegment {
    const { libc, directory, pid } = this.#options;
    const path = standbyFilePath(directory, this.name, { pid, count: this.#made++ });
    return createSegmentFile(libc, { ...options, memory, path, name: this.name });
  }

  /** Drops a file that was never put into its place. */
  discard({ path }: PendingSegment): void {
    rmSync(path, { force: true });
  }

  /** The name itself, if nobody has it. Files that were made here may be published by it. @returns undefined when it is held */
  take(): SegmentHome | undefined {
    const { libc, directory } = this.#options;
    const lock = FileLock.take(libc, join(directory, `${this.name}.lock`));
    return lock && new SegmentHome(this.#options, this.name, lock);
  }

  /** Makes way for the next standby. Files that were not published must be discarded before. */
  close(): void {
    this.#lock.release();
  }
}

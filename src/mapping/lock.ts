/**
 * The lock of a segment's name: flock on a file that is never renamed or unlinked, so that two producers can never hold
 * it at once and the system gives it back when its holder dies, however it dies.
 * Bad case: somebody deletes the lock file all the same; the holder of a lock on a file without a name is noticed, and
 * the lock is taken on the one that stands there.
 */
import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { FILE_MODE } from "./directory.ts";
import { MappingError } from "./errors.ts";
import type { Libc } from "./libc.ts";

const TRIES_MAX = 100;

/** A lock that is held. */
export class FileLock {
  readonly path: string;
  #fd: number | undefined;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /**
   * Tries to take a lock.
   * @returns undefined when another holds it
   * @throws MappingError `failed` when the file cannot be opened
   */
  static take(libc: Libc, path: string): FileLock | undefined {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const fd = openLock(path);
      if (!libc.lock(fd)) {
        closeSync(fd);
        return undefined;
      }
      const named = statSync(path, { throwIfNoEntry: false });
      if (named !== undefined && named.ino === fstatSync(fd).ino) {
        return new FileLock(path, fd);
      }
      closeSync(fd);
    }
    throw new MappingError(`Cannot take a lock: its file is replaced all the time, was ${path}`, { reason: "failed" });
  }

  /** Gives it back; the file stays. */
  release(): void {
    if (this.#fd !== undefined) {
      closeSync(this.#fd);
      this.#fd = undefined;
    }
  }
}

function openLock(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MappingError(`Cannot open a lock: ${reason}, was ${path}`, { reason: "failed", cause });
  }
}

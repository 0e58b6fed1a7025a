/**
 * The files of a standby: segments that are written already and stand in nobody's place, `.kraken.<pid>.<n>.standby`
 * beside `kraken.seg`, and a lock of their own, so that one standby of a name keeps its books warm at a time and what a
 * dead one left is cleared away. Readers look for `.seg` only and never see them.
 * Bad case: a standby that was killed; its file keeps its room until the next producer or standby of the name comes.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Libc } from "./libc.ts";
import { FileLock } from "./lock.ts";

/** A file of a standby. */
export type StandbyFile = { readonly name: string; readonly pid: number; readonly path: string };

const STANDBY = /^\.(?<name>[a-z0-9_]{1,31}(?:\.\d+of\d+)?)\.(?<pid>\d+)\.\d+\.standby$/;

/** The lock that the standby of a name holds. */
export function standbyLockPath(directory: string, name: string): string {
  return join(directory, `${name}.standby.lock`);
}

/** Where a standby writes its `count`-th segment. */
export function standbyFilePath(directory: string, name: string, { pid, count }: { pid: number; count: number }) {
  return join(directory, `.${name}.${pid}.${count}.standby`);
}

/** The files of standbys in a directory, of one name or of all. */
export function standbyFiles(directory: string, wanted?: string): StandbyFile[] {
  return readdirSync(directory).flatMap((file) => {
    const { name, pid } = STANDBY.exec(file)?.groups ?? {};
    const isWanted = name !== undefined && (wanted === undefined || wanted === name);
    return isWanted ? [{ name, pid: Number(pid), path: join(directory, file) }] : [];
  });
}

/** Takes away what dead standbys of a name left. While one lives, its lock says so and nothing is touched. */
export function removeLeftStandbys(libc: Libc, directory: string, name: string): void {
  if (standbyFiles(directory, name).length === 0) {
    return;
  }
  const lock = FileLock.take(libc, standbyLockPath(directory, name));
  if (lock !== undefined) {
    removeStandbyFiles(directory, name);
    lock.release();
  }
}

/** Takes the files of a name away. Only for whoever holds the lock of its standby. */
export function removeStandbyFiles(directory: string, name: string): void {
  for (const { path } of standbyFiles(directory, name)) {
    rmSync(path, { force: true });
  }
}

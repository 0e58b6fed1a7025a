/**
 * Where segment files stand: one rule for every role, in every process and language. Named explicitly (flag, config,
 * environment), else /dev/shm/alphapulse, else a folder of our own below the temporary directory.
 * Bad case: somebody else's folder under our name, or a link put there; it is refused, because what stands in it would be
 * believed.
 */
import { accessSync, constants, lstatSync, mkdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { MappingError } from "./errors.ts";

/** What the rule looks at; defaults are those of this process. */
export type DirectoryOptions = {
  /** Used as it is, when not empty. */
  readonly explicit?: string | undefined;
  /** Default: process.env; `ALPHAPULSE_SEGMENT_DIRECTORY` and `TMPDIR` are read. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Default: /dev/shm. */
  readonly sharedMemory?: string;
  /** Effective user id. Default: that of this process. */
  readonly userId?: number;
};

/** Mode of a folder of segments. */
export const DIRECTORY_MODE = 0o700;
/** Mode of every file in it. */
export const FILE_MODE = 0o600;

const VARIABLE = "ALPHAPULSE_SEGMENT_DIRECTORY";
const FOLDER = "alphapulse";
const WRITE_BITS_OF_OTHERS = 0o022;

/** The folder of segments; it need not be there. */
export function segmentDirectory(options: DirectoryOptions = {}): string {
  const { environment = process.env, sharedMemory = "/dev/shm" } = options;
  const userId = options.userId ?? process.geteuid?.() ?? 0;
  const explicit = options.explicit || environment[VARIABLE];
  if (explicit !== undefined && explicit !== "") {
    return explicit;
  }
  const shared = join(sharedMemory, FOLDER);
  const found = lstat(shared);
  if (found === undefined ? isWritableFolder(sharedMemory) : found.uid === userId) {
    return shared;
  }
  return join(environment.TMPDIR || "/tmp", `${FOLDER}-${userId}`);
}

/**
 * Makes the folder, for producers.
 * @param options.isExplicit the user named it: then its owner and mode are the user's business
 * @throws MappingError `refused` when it cannot be trusted, `failed` when it cannot be made
 */
export function makeDirectory(directory: string, options: { isExplicit: boolean }): void {
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MappingError(`Cannot use the segment directory: ${reason}, was ${directory}`, {
      reason: "failed",
      cause,
    });
  }
  trustDirectory(directory, options);
}

/**
 * Refuses a folder that others could have filled.
 * @returns false when it is not there
 * @throws MappingError `refused`
 */
export function trustDirectory(directory: string, options: { isExplicit: boolean; userId?: number }): boolean {
  const found = options.isExplicit ? stat(directory) : lstat(directory);
  if (found === undefined) {
    return false;
  }
  const fault = found.isDirectory() ? undefined : "it is no directory";
  const theirs = options.isExplicit ? undefined : ownerFault(found, options.userId ?? process.geteuid?.() ?? 0);
  if ((fault ?? theirs) !== undefined) {
    throw new MappingError(`Cannot use the segment directory: ${fault ?? theirs}, was ${directory}`, {
      reason: "refused",
    });
  }
  return true;
}

function ownerFault(found: Stats, userId: number): string | undefined {
  if (found.uid !== userId) {
    return `it belongs to user ${found.uid}, we are ${userId}`;
  }
  const isOpen = (found.mode & WRITE_BITS_OF_OTHERS) !== 0;
  return isOpen ? `others may write to it (mode ${(found.mode & 0o777).toString(8)})` : undefined;
}

function isWritableFolder(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return stat(path)?.isDirectory() === true;
  } catch {
    return false;
  }
}

function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function stat(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

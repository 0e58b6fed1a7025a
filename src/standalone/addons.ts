/**
 * Loads a native addon that is an asset of the executable. The system maps libraries from files only, so it is written into
 * a folder of this user, unlinked before the first byte, and opened through its descriptor: nothing stays behind, nobody
 * else can put another file in between. Where /proc is missing the file is unlinked after it was opened instead.
 * Bad case: every folder is read-only, forbids execution or belongs to somebody else; the error lists what was tried.
 */
import { randomBytes } from "node:crypto";
import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, unlinkSync, writeSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { readAsset } from "./assets.ts";

/** How an addon is loaded; the defaults are those of this process. */
export type AddonPlaces = {
  /** Folders in which one of our own may be made, best first. */
  readonly folders?: readonly string[];
  readonly userId?: number;
  /** Opens a library: `process.dlopen`. */
  readonly open?: (module: { exports: unknown }, path: string) => void;
};

/** Addons of one process. A name has one spelling of its descriptor's path: the loader knows what it loaded by that. */
const SPELLINGS = ["uwebsockets.node", "koffi.node"] as const;
const DESCRIPTORS = "/proc/self/fd";
const PERMISSIONS_OF_OTHERS = 0o077;
const MAPPED_PERMISSIONS = 0o500;

/** An addon inside the executable. */
export type AddonName = (typeof SPELLINGS)[number];

/**
 * Loads an addon. Blocks while writing it, about a millisecond per megabyte.
 * @returns its exports
 * @throws Error listing every folder with the reason why it could not be used
 */
export function loadAddon(name: AddonName): unknown {
  return loadLibrary(name, readAsset(name));
}

/**
 * Loads a library from its bytes.
 * @param bytes the whole library
 * @returns its exports
 * @throws Error listing every folder with the reason why it could not be used
 */
export function loadLibrary(name: AddonName, bytes: Uint8Array, places: AddonPlaces = {}): unknown {
  const folders = places.folders ?? usualFolders();
  const open = places.open ?? ((module, path) => process.dlopen(module, path));
  const failures: string[] = [];
  for (const folder of folders) {
    try {
      const own = ownFolder(folder, places.userId ?? process.geteuid?.() ?? 0);
      return loadThrough(own, { name, bytes, open });
    } catch (error) {
      failures.push(`${folder}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(
    `Cannot load ${name}: no folder takes it; give one that may hold programs in TMPDIR, was ${failures.join("; ")}`,
  );
}

function usualFolders(): string[] {
  const { XDG_CACHE_HOME } = process.env;
  const named = XDG_CACHE_HOME === undefined || XDG_CACHE_HOME === "" ? [] : [XDG_CACHE_HOME];
  return [...new Set([...named, ...homeCache(), tmpdir(), "/dev/shm"])];
}

/** A user without an entry has no home. */
function homeCache(): string[] {
  try {
    return [join(homedir(), ".cache")];
  } catch {
    return [];
  }
}

/** A folder that nobody else can look into or write to. It is empty again a moment later, and stays. */
function ownFolder(parent: string, userId: number): string {
  const path = join(parent, `alphapulse-addons-${userId}`);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
  }
  const found = lstatSync(path);
  if (!found.isDirectory()) {
    throw new Error(`${path} is no directory`);
  }
  if (found.uid !== userId || (found.mode & PERMISSIONS_OF_OTHERS) !== 0) {
    throw new Error(`${path} belongs to user ${found.uid}, mode ${(found.mode & 0o777).toString(8)}`);
  }
  return path;
}

function loadThrough(
  folder: string,
  { name, bytes, open }: { name: AddonName; bytes: Uint8Array; open: NonNullable<AddonPlaces["open"]> },
): unknown {
  const path = join(folder, randomBytes(16).toString("hex"));
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
  const descriptor = openSync(path, flags, MAPPED_PERMISSIONS);
  const hasDescriptors = existsSync(DESCRIPTORS);
  let isNamed = true;
  try {
    if (hasDescriptors) {
      unlinkSync(path);
      isNamed = false;
    }
    for (let written = 0; written < bytes.byteLength; ) {
      written += writeSync(descriptor, bytes, written);
    }
    const module = { exports: {} as unknown };
    open(module, hasDescriptors ? descriptorPath(name, descriptor) : path);
    return module.exports;
  } finally {
    if (isNamed) {
      unlinkSync(path);
    }
    closeSync(descriptor);
  }
}

/** Two addons that come by the same number one after the other must differ in their paths. */
function descriptorPath(name: AddonName, descriptor: number): string {
  return `${DESCRIPTORS}/${"./".repeat(SPELLINGS.indexOf(name))}${descriptor}`;
}

/**
 * How much of a memory the system really holds: pages that nobody touched cost addresses only.
 * Bad case: another system than Linux; it does not tell, and neither does this.
 */
import { readFileSync } from "node:fs";

const BYTES_PER_KB = 1024;

/** Resident bytes of the mapping of exactly this size. @returns undefined where the system does not tell */
export function residentBytes(bytes: number): number | undefined {
  try {
    return parseResident(readFileSync("/proc/self/smaps", "utf8"), bytes);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) {
      return undefined;
    }
    throw cause;
  }
}

/** Finds the mapping in the text of /proc/self/smaps. */
export function parseResident(text: string, bytes: number): number | undefined {
  const found = new RegExp(`^Size: +${bytes / BYTES_PER_KB} kB$[^]*?^Rss: +(\\d+) kB$`, "m").exec(text)?.[1];
  return found === undefined ? undefined : Number(found) * BYTES_PER_KB;
}

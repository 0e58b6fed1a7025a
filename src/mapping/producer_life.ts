/**
 * Whether the process that writes a segment is still the one that began it, asked of the system: a death is known the
 * moment it happens, long before the heartbeat is old, and a producer that merely gets no time is not taken for dead.
 * Bad case: a producer in another pid namespace (a container that shares the directory only); its pid means nothing here,
 * or another process, and the heartbeat alone decides.
 */
import { readFileSync } from "node:fs";

/** A heartbeat older than this makes one look whether the process is still there, ms. It beats ten times a second. */
export const DOUBT_MS = 150;

/** Fields of /proc/<pid>/stat behind the name in brackets: the state is the first, the time of its start the twentieth. */
const START_FIELD = 19;

/**
 * What tells a process from every other that has or had its pid.
 * @param pid anything: it may come from a file of garbage
 * @returns undefined when there is no such process, or nothing but its exit status is left of it
 */
export function processIdentity(pid: number): string | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name may hold brackets and spaces itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const isOver = fields[0] === "Z" || fields[0] === "X";
  return isOver ? undefined : fields[START_FIELD];
}

/**
 * Whether a process that was there has ended.
 * @param identity what `processIdentity` gave; undefined = it was never seen: nothing is known
 */
export function hasEnded(pid: number, identity: string | undefined): boolean {
  return identity !== undefined && processIdentity(pid) !== identity;
}

/**
 * Ending a producer that hangs: its process is there and holds the lock of its segment, but nothing in the segment moves.
 * It is never overtaken while it lives, because it may go on at any moment; it is ended first, and the lock is free then.
 * Only the process is ended that holds the lock of the name by the word of the system, and that the segment names, too.
 * Bad case: a holder of another pid namespace, or one that never made a segment; it is left alone, and the error stays.
 */
import { closeSync, constants, openSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  HEADER_BYTES,
  HEADER_HEARTBEAT,
  HEADER_MONOTONIC_ANCHOR,
  HEADER_PID,
  HEADER_WALL_ANCHOR,
  MAGIC_HIGH,
  MAGIC_LOW,
} from "../../assembly/layout.ts";
import { hasEnded, heartbeatAgeMs, processIdentity } from "../mapping/mod.ts";

/** A producer that is silent for so long hangs: it beats ten times a second. */
export const HUNG_MS = 2000;

const END_PATIENCE_MS = 5000;
const END_LOOK_MS = 10;

/** The files of a segment. */
export type SegmentFiles = { readonly directory: string; readonly name: string };

/** Who writes a segment, by its own word, and for how long it has been silent. */
export function producerOf({ directory, name }: SegmentFiles): { pid: number; silentMs: number } | undefined {
  const header = readHeader(join(directory, `${name}.seg`));
  if (header === undefined) {
    return undefined;
  }
  const times = {
    heartbeatNs: header.getBigUint64(HEADER_HEARTBEAT, true),
    wallAnchorNs: header.getBigInt64(HEADER_WALL_ANCHOR, true),
    monotonicAnchorNs: header.getBigUint64(HEADER_MONOTONIC_ANCHOR, true),
  };
  return { pid: header.getUint32(HEADER_PID, true), silentMs: heartbeatAgeMs(times, process.hrtime.bigint()) };
}

/**
 * Ends the holder of a name if it hangs.
 * @param tell called before it is ended
 * @returns false when there is nobody that hangs: whoever holds the lock lives
 */
export async function endHungProducer(files: SegmentFiles, tell: (text: string) => void): Promise<boolean> {
  const producer = producerOf(files);
  const holder = holderOf(join(files.directory, `${files.name}.lock`));
  const isHung = producer !== undefined && producer.silentMs > HUNG_MS && producer.pid === holder;
  const identity = isHung ? processIdentity(producer.pid) : undefined;
  if (!isHung || identity === undefined) {
    return false;
  }
  const silence = Number.isFinite(producer.silentMs) ? `${Math.round(producer.silentMs)} ms` : "since another boot";
  tell(`The producer of ${files.name} hangs: ending it, was pid ${producer.pid}, silent for ${silence}`);
  try {
    process.kill(producer.pid, "SIGKILL");
  } catch {
    return false;
  }
  const until = performance.now() + END_PATIENCE_MS;
  while (!hasEnded(producer.pid, identity) && performance.now() < until) {
    await new Promise((resolve) => {
      setTimeout(resolve, END_LOOK_MS);
    });
  }
  return true;
}

/** The process that holds an flock, from /proc/locks. @returns undefined when nobody does that we can see, or we see none */
function holderOf(path: string): number | undefined {
  let [inode, locks] = ["", ""];
  try {
    inode = String(statSync(path).ino);
    locks = readFileSync("/proc/locks", "utf8");
  } catch {
    return undefined;
  }
  // `1: FLOCK  ADVISORY  WRITE 1234 00:19:5678 0 EOF`: device in hexadecimal, inode.
  const pids = locks.split("\n").flatMap((line) => {
    const match = /^\d+: FLOCK +ADVISORY +WRITE +(\d+) +[0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line);
    return match?.[2] === inode ? [Number(match[1])] : [];
  });
  return pids.length === 1 ? pids[0] : undefined;
}

function readHeader(path: string): DataView | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const header = new DataView(new ArrayBuffer(HEADER_BYTES));
      const isWhole = readSync(fd, header, 0, HEADER_BYTES, 0) === HEADER_BYTES;
      const isSegment = header.getUint32(0, true) === MAGIC_LOW && header.getUint32(4, true) === MAGIC_HIGH;
      return isWhole && isSegment ? header : undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

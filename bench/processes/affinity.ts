/**
 * Which processors threads run on. The two ends of a ring belong on two processors: a scheduler that puts both on one
 * measures itself. Bad case: a machine with one processor, or a system that does not tell; nothing is pinned then.
 */
import { readFileSync } from "node:fs";

const MASK_BYTES = 128;

/** Pins threads by their ids. */
export class Affinity {
  readonly #allowed: readonly number[];
  readonly #set: (id: number, bytes: number, mask: Uint8Array) => number;

  /** @param allowed processors that we may use, two at least @param set sched_setaffinity(2) */
  constructor(allowed: readonly number[], set: (id: number, bytes: number, mask: Uint8Array) => number) {
    this.#allowed = allowed;
    this.#set = set;
  }

  /** Asks the system. @returns undefined where threads cannot be pinned, or there is nothing to choose */
  static async open(): Promise<Affinity | undefined> {
    if (process.platform !== "linux") {
      return undefined;
    }
    const allowed = parseCpuList(
      /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "",
    );
    if (allowed.length < 2) {
      return undefined;
    }
    const { default: koffi } = await import("koffi");
    const set = koffi.load(null).func("int sched_setaffinity(int id, size_t bytes, const uint8_t *mask)");
    return new Affinity(allowed, (id, bytes, mask) => Number(set(id, bytes, mask)));
  }

  /** @param id of a process or thread, 0 = the calling thread @param place among the processors that we may use */
  pin(id: number, place: 0 | 1): void {
    this.#apply(id, this.#allowed.slice(place, place + 1));
  }

  /** Lets a thread run anywhere again. */
  release(id: number): void {
    this.#apply(id, this.#allowed);
  }

  #apply(id: number, cpus: readonly number[]): void {
    const mask = new Uint8Array(MASK_BYTES);
    for (const cpu of cpus) {
      mask[cpu >>> 3] = (mask[cpu >>> 3] ?? 0) | (1 << (cpu & 7));
    }
    if (this.#set(id, MASK_BYTES, mask) !== 0) {
      throw new Error(`Cannot pin a thread: the system refused, was ${id} on ${cpus.join(", ")}`);
    }
  }
}

/** Reads `0-3,8`. @returns processors, ascending */
export function parseCpuList(text: string): number[] {
  const ranges = text.split(",").filter((range) => range.trim() !== "");
  return ranges.flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

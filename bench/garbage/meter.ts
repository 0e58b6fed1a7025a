/**
 * What the calling thread allocates and how long its garbage collector stops it. Allocations are the growth of the used
 * heap, exact as long as nothing is collected in between; a window says how many collections it met. A pause is told by
 * the wall clock, so a window also says how long its thread was kept from a processor: a pause cannot be told from that.
 * Bad case: looking allocates as well; what an empty window shows is taken off.
 */
import { readFileSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { type CpuTicks, readCpuTicks, stolenShare } from "../stolen.ts";
import type { GarbageWindow } from "./words.ts";

const EMPTY_WINDOWS = 16;
/** `run ns, waited ns, slices` of the calling thread. */
const SCHEDULED = "/proc/thread-self/schedstat";
const NS_PER_MS = 1e6;

type Look = { readonly at: number; readonly heap: number; readonly external: number };
/** What the system did to the thread and to the machine. */
type Outside = { readonly waitedMs: number; readonly ticks: CpuTicks };
type Pause = { readonly at: number; readonly ms: number };

/** Measures windows one after the other. */
export class GarbageMeter {
  readonly #pauses: Pause[] = [];
  readonly #observer: PerformanceObserver;
  readonly #ownHeap: number;
  #from: Look;
  #outside: Outside;

  constructor() {
    this.#observer = new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        this.#pauses.push({ at: startTime, ms: duration });
      }
    });
    this.#observer.observe({ entryTypes: ["gc"] });
    this.#from = look();
    this.#outside = lookOutside();
    let least = Number.POSITIVE_INFINITY;
    for (let index = 0; index < EMPTY_WINDOWS; index++) {
      const before = look();
      least = Math.min(least, look().heap - before.heap);
    }
    this.#ownHeap = least;
  }

  /** A window begins. */
  begin(): void {
    this.#outside = lookOutside();
    this.#from = look();
  }

  /** It ends. @returns what it took, without its pauses: they are told of later */
  end(frames: number): GarbageWindow & { from: number; until: number } {
    const now = look();
    const { at, heap, external } = this.#from;
    const before = this.#outside;
    const outside = lookOutside();
    return {
      from: at,
      until: now.at,
      frames,
      seconds: (now.at - at) / 1000,
      heapBytes: now.heap - heap - this.#ownHeap,
      externalBytes: now.external - external,
      heapUsed: now.heap,
      pauseMs: 0,
      collections: 0,
      waitedMs: outside.waitedMs - before.waitedMs,
      stolen: stolenShare(before.ticks, outside.ticks),
    };
  }

  /** Gives windows their pauses, and ends the observing. */
  async conclude(windows: readonly (GarbageWindow & { from: number; until: number })[]): Promise<GarbageWindow[]> {
    await new Promise((resume) => setTimeout(resume, 100));
    this.#observer.disconnect();
    return windows.map(({ from, until, ...window }) => {
      const own = this.#pauses.filter(({ at }) => at >= from && at < until).map(({ ms }) => ms);
      return { ...window, pauseMs: Math.max(0, ...own), collections: own.length };
    });
  }
}

/**
 * Windows in which nothing was collected: what the used heap grew by in the others says nothing.
 * @throws Error when none is left
 */
export function exactWindows(windows: readonly GarbageWindow[]): GarbageWindow[] {
  const exact = windows.filter(({ collections }) => collections === 0);
  if (exact.length === 0) {
    throw new Error(`Cannot count garbage: every window met a collection, was ${windows.length} windows`);
  }
  return exact;
}

/** The heap that is alive. */
export function liveHeap(): number {
  globalThis.gc?.();
  return getHeapStatistics().used_heap_size;
}

function look(): Look {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return { at: performance.now(), heap, external };
}

function lookOutside(): Outside {
  return { waitedMs: readWaitedMs(), ticks: readCpuTicks() };
}

/** @returns 0 when the system does not tell */
function readWaitedMs(): number {
  try {
    const [, waited = "0"] = readFileSync(SCHEDULED, "utf8").split(" ");
    return Number(waited) / NS_PER_MS;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) {
      return 0;
    }
    throw cause;
  }
}

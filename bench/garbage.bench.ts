/**
 * Garbage at 45,000 levels: the kernel path fed from memory at 100,000 frames/s, and a whole collector on a real socket
 * that offers as many; the rate belongs to the goals from memory, which are not judged below it.
 * Bytes per frame are counted in windows in which nothing was collected, in a process whose young generation is large
 * enough for that; pauses and heap are watched second by second in another one, with the flags that collectors run with.
 * Bad case: a window with a collection in it; its growth says nothing, so it is discarded and counted.
 */
import type { Bench, BenchSettings } from "./context.ts";
import { exactWindows } from "./garbage/meter.ts";
import { type GarbageReport, type GarbageWindow, measureApart } from "./garbage/mod.ts";
import { rateNotes } from "./rate.ts";
import { type CaseResult, judgeLimits, type LimitWish } from "./results.ts";
import { median } from "./statistics.ts";
import { STOLEN_MAX } from "./stolen.ts";

/** The benchmark. */
export const GARBAGE: Bench = {
  name: "garbage",
  about: "allocations and pauses at 45,000 levels; 100,000 frames/s from memory, and offered to a socket",
  run: async ({ settings }) => [
    await countMemory(settings),
    await countSockets(settings),
    await watchPauses(settings, "memory"),
    await watchPauses(settings, "sockets"),
  ],
};

const PER_SECOND = 100_000;
const FRAMES_PER_WINDOW = 100_000;
const SMOKE_FRAMES_PER_WINDOW = 20_000;
const KERNEL_PATH = "the kernel path";
const COLLECTOR = "the collector";
const SECONDS = 60;
const SMOKE_SECONDS = 2;
/** Bytes per frame are told to a hundredth. */
const HUNDREDTHS = 100;
const KB = 1000;
const DIGITS = 4;

async function countMemory(settings: BenchSettings): Promise<CaseResult> {
  const { windows, levels, syncBytes } = await measureApart("memory", order(settings, "count"));
  const exact = exactWindows(windows);
  const slow = rateNotes(KERNEL_PATH, { delivered: rateOf(exact), asked: PER_SECOND });
  const facts = {
    levels,
    framesPerWindow: exact[0]?.frames ?? 0,
    "frames/s": Math.round(rateOf(exact)),
    "B in the worst window": Math.max(...exact.map(({ heapBytes }) => heapBytes)),
    "B per frame through the sync, from buffers": perFrame(median(syncBytes), 1),
  };
  return conclude("kernel path fed from memory", "B/frame", {
    samples: exact.map(({ heapBytes, frames }) => perFrame(heapBytes, frames)),
    wishes: slow.length === 0 ? [{ side: "ours", goal: "P14_KERNEL" }] : [],
    facts,
    notes: [
      "apply and publish per frame; growth of the used heap between two looks, what looking takes taken off",
      ...slow,
    ],
    discarded: windows.length - exact.length,
  });
}

async function countSockets(settings: BenchSettings): Promise<CaseResult> {
  const { windows, levels } = await measureApart("sockets", order(settings, "count"));
  const exact = exactWindows(windows);
  return conclude("collector on a socket", "B/frame", {
    samples: exact.map(({ heapBytes, frames }) => perFrame(heapBytes, frames)),
    wishes: [{ side: "ours", goal: "P14" }],
    facts: {
      levels,
      "frames/s": Math.round(rateOf(exact)),
      "B per frame of buffers beside the heap": median(
        exact.map(({ externalBytes, frames }) => perFrame(externalBytes, frames)),
      ),
    },
    notes: [
      "receiver, connection, sync, kernel and publish of a real collector; loopback, no TLS",
      ...rateNotes(COLLECTOR, { delivered: rateOf(exact), asked: PER_SECOND }),
    ],
    discarded: windows.length - exact.length,
  });
}

async function watchPauses(settings: BenchSettings, role: "memory" | "sockets"): Promise<CaseResult> {
  const report = await measureApart(role, order(settings, "live"));
  const { windows } = report;
  const undisturbed = windows.filter(({ stolen }) => stolen <= STOLEN_MAX);
  if (undisturbed.length === 0) {
    throw new Error(`Cannot watch pauses: every second lost CPU time to others, was ${windows.length} seconds`);
  }
  const name = role === "memory" ? KERNEL_PATH : COLLECTOR;
  const slow = rateNotes(name, { delivered: rateOf(undisturbed), asked: PER_SECOND });
  return conclude(role === "memory" ? "pauses, kernel path from memory" : "pauses, collector on a socket", "ms", {
    samples: undisturbed.map(({ pauseMs }) => shortened(pauseMs)),
    // Fewer frames leave less to collect; a socket is judged at the rate that it reaches, which stands beside it.
    wishes: role === "memory" && slow.length > 0 ? [] : [{ side: "ours", goal: "P14_PAUSE" }],
    facts: { ...liveFacts(report), ...worstFacts(undisturbed) },
    notes: [
      "the longest pause of each second by the wall clock; 0 = nothing was collected",
      report.isFirst
        ? "the thread ran at the highest priority: one that loses its processor in a collection pauses longer"
        : "the system allowed no priority: a thread that loses its processor in a collection pauses longer",
      ...slow,
    ],
    discarded: windows.length - undisturbed.length,
  });
}

/** How long the thread waited for a processor in the second of the longest pause, and in all. */
function worstFacts(windows: readonly GarbageWindow[]): CaseResult["facts"] {
  const [worst] = [...windows].sort((a, b) => b.pauseMs - a.pauseMs);
  return {
    "without a processor in the second of the longest pause, ms": shortened(worst?.waitedMs ?? 0),
    "without a processor in the worst second, ms": shortened(Math.max(...windows.map(({ waitedMs }) => waitedMs))),
  };
}

function liveFacts({ windows, heapBefore, heapAfter }: GarbageReport): CaseResult["facts"] {
  const sum = (key: keyof GarbageWindow) => windows.reduce((total, window) => total + window[key], 0);
  const used = windows.map(({ heapUsed }) => heapUsed);
  return {
    seconds: Number(sum("seconds").toFixed(1)),
    "frames/s": Math.round(rateOf(windows)),
    collections: sum("collections"),
    "live heap before, KB": Math.round(heapBefore / KB),
    "live heap after, KB": Math.round(heapAfter / KB),
    "used heap at most, KB": Math.round(Math.max(...used) / KB),
  };
}

function order({ isSmoke, rounds }: BenchSettings, mode: "count" | "live") {
  const seconds = isSmoke ? SMOKE_SECONDS : SECONDS;
  const framesPerWindow = isSmoke ? SMOKE_FRAMES_PER_WINDOW : FRAMES_PER_WINDOW;
  return { mode, perSecond: PER_SECOND, windows: mode === "count" ? rounds : seconds, framesPerWindow };
}

type Measured = {
  samples: number[];
  wishes: readonly LimitWish[];
  facts: CaseResult["facts"];
  notes: string[];
  discarded: number;
};

function conclude(name: string, unit: string, measured: Measured): CaseResult {
  const { samples, wishes, facts, notes, discarded } = measured;
  const sides = [{ name: "ours", samples }];
  const rounds = { kept: samples.length, discarded };
  const limits = judgeLimits(sides, wishes, { rounds: samples.length });
  return { bench: GARBAGE.name, name, unit, rounds, sides, ratios: [], limits, perCall: [], facts, notes };
}

/** Frames per second over all of them. */
function rateOf(windows: readonly GarbageWindow[]): number {
  const sum = (key: "frames" | "seconds") => windows.reduce((total, window) => total + window[key], 0);
  return sum("frames") / sum("seconds");
}

function perFrame(bytes: number, frames: number): number {
  return Math.round((bytes / frames) * HUNDREDTHS) / HUNDREDTHS;
}

function shortened(ms: number): number {
  return Number(ms.toPrecision(DIGITS));
}

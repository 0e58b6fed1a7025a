/**
 * The worst day known, 267 million level updates in 24 hours, replayed from frame bytes to book, hash and records. The day is
 * synthesised at its rate curve on a book of 45,000 levels; a run takes a part of every minute, with `--whole` all of it.
 * What counts is the CPU time of the whole replay; its hours, each as if all of the day were like it, stand beside it.
 * Making the frames and proving what came of them is not in it.
 * Bad case: a part that is too small to stand for the day; a smoke run is not judged.
 */
import type { Bench, BenchContext } from "./context.ts";
import { DAY_MINUTES, DAY_UPDATES, dayCurve } from "./day/curve.ts";
import { DayReplay, type DaySlice } from "./day/replay.ts";
import { type CaseResult, judgeLimits } from "./results.ts";

/** The benchmark. */
export const DAY: Bench = {
  name: "day",
  about: "the worst day known, 267 million level updates, frame by frame",
  run: async (context) => [measure(context)],
};

const HOURS = 24;
const DIGITS = 5;
/** Part of every minute that is replayed. */
const SHARE = 1 / 20;
const SMOKE_SHARE = 1 / 2000;
const SEED = 267;

function measure(context: BenchContext): CaseResult {
  const { settings } = context;
  const share = settings.isWhole === true ? 1 : settings.isSmoke ? SMOKE_SHARE : SHARE;
  const slices = settings.isSmoke ? settings.rounds : HOURS;
  // A fraction of another day before: the code is warm and the book is as a collector holds it that runs for long.
  new DayReplay(DAY_UPDATES * SMOKE_SHARE).slice(DAY_MINUTES);
  const replay = new DayReplay(DAY_UPDATES * share);
  const hours = Array.from({ length: slices }, (_, index) => {
    context.tell(`${DAY.name} · part ${index + 1} of ${slices}`);
    return replay.slice(((index + 1) * DAY_MINUTES) / slices);
  });
  replay.verify();
  const { records } = replay;
  return dayCase(hours, { share, records, isJudged: !settings.isSmoke });
}

/**
 * The case of a replay, judged by its total.
 * @param hours slices of it, in order @param options.share of the day's frames, 0 … 1
 */
export function dayCase(
  hours: readonly DaySlice[],
  { share, records, isJudged }: { share: number; records: number; isJudged: boolean },
): CaseResult {
  const sum = (key: keyof DaySlice) => hours.reduce((total, hour) => total + hour[key], 0);
  const updates = sum("updates");
  const projected = (cpuNs: number, own: number) => digits((cpuNs / own) * (DAY_UPDATES / 1e9));
  const sides = [
    { name: "replay", samples: [projected(sum("cpuNs"), updates)] },
    { name: "by the hour", samples: hours.map(({ cpuNs, updates: own }) => projected(cpuNs, own)) },
  ];
  const wishes = isJudged ? [{ side: "replay", goal: "DAY" } as const] : [];
  const perSecond = updates / (sum("cpuNs") / 1e9);
  const peak = Math.max(...dayCurve(SEED)) * (DAY_UPDATES / 60);
  return {
    bench: DAY.name,
    name: share === 1 ? "the whole day" : `one of ${Math.round(1 / share)} of its frames, projected`,
    unit: "s of one core for the day",
    rounds: { kept: 1, discarded: 0 },
    sides,
    ratios: [],
    limits: judgeLimits(sides, wishes, { rounds: 1, isExact: true }),
    isExact: true,
    perCall: [],
    facts: {
      updates,
      frames: sum("frames"),
      records,
      "updates per second of CPU": Math.round(perSecond),
      "busiest minute of the curve, updates/s": Math.round(peak),
      "CPU s": digits(sum("cpuNs") / 1e9),
      "wall s": digits(sum("wallNs") / 1e9),
    },
    notes: [
      "timed: sync, copy to the kernel, decode, book, hash, records, publish per frame; CPU of the whole process",
      "every record proved by a replica, every level of both sides and the hash equal to an independent book's",
    ],
  };
}

function digits(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

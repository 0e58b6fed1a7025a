/**
 * Cold start: from the start of a process to the first book, and what a first frame costs before V8 has tiered up, against
 * what it costs then. Each sample is a process of its own, so nothing is warm but the file system.
 * Bad case: a first call that V8 compiles lazily; that is what a restarted collector really pays, so it counts.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { assetPath } from "../src/assets.ts";
import type { KernelName } from "../src/kernel/kernel.ts";
import type { Bench, BenchContext } from "./context.ts";
import { pairedRounds } from "./harness.ts";
import { type CaseResult, judge, type SideResult } from "./results.ts";
import { START_WORD, type StartAnswer } from "./start/words.ts";

/** The benchmark. */
export const START: Bench = {
  name: "start",
  about: "cold start: process → first book, and the first frames before V8 has tiered up",
  run: measure,
};

const DIGITS = 5;

async function measure(context: BenchContext): Promise<CaseResult[]> {
  const { kernels: sides, settings } = context;
  const plan = { what: "the start", rounds: settings.rounds, sides, take: startOnce };
  const { taken, rounds } = await pairedRounds(plan);
  return casesOf(taken, rounds);
}

function casesOf(taken: ReadonlyMap<string, StartAnswer[]>, rounds: CaseResult["rounds"]): CaseResult[] {
  const sidesOf = (name: string, value: (answer: StartAnswer) => number): SideResult[] =>
    [...taken].map(([kernel, answers]) => ({
      name: `${kernel}${name}`,
      samples: answers.map((answer) => Number(value(answer).toPrecision(DIGITS))),
    }));
  const head = { bench: START.name, rounds, perCall: [], facts: {} };
  const steps = [
    ...sidesOf("", ({ bookMs }) => bookMs),
    ...sidesOf(": node up", ({ nodeMs }) => nodeMs),
    ...sidesOf(": kernel made", ({ kernelMs }) => kernelMs),
  ];
  const calls = [
    ...sidesOf("", ({ tieredNs }) => tieredNs),
    ...sidesOf(": first frame", ({ firstNs }) => firstNs),
    ...sidesOf(": next 100 frames", ({ earlyNs }) => earlyNs),
  ];
  const kernels = [...taken.keys()];
  const tierUp = kernels.flatMap((kernel) => [
    { other: `${kernel}: first frame`, ours: kernel },
    { other: `${kernel}: next 100 frames`, ours: kernel },
  ]);
  return [
    {
      ...head,
      name: "process started → first book of 1,000 levels",
      unit: "ms",
      sides: steps,
      ratios: judge(steps, kernels.length > 1 ? [{ other: "twin" }] : [], { rounds: rounds.kept }),
      notes: ["of it: until Node runs our first line; until the kernel is compiled, or evaluated, and has its memory"],
    },
    {
      ...head,
      name: "a frame of eight changes, tiered up, against the first ones",
      unit: "ns/frame",
      sides: calls,
      ratios: judge(calls, tierUp, { rounds: rounds.kept }),
      notes: ["tiered up: median of the last tenth of 20,000 frames"],
    },
  ];
}

async function startOnce(kernel: KernelName): Promise<StartAnswer> {
  const startedAt = performance.timeOrigin + performance.now();
  const words = [assetPath("bench/start.js"), START_WORD, kernel, String(startedAt)];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  return JSON.parse(stdout) as StartAnswer;
}

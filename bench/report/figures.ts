/**
 * What the page of results shows, gathered from a run: goals with every case on one scale, bars per exchange, latency by
 * percentile, bytes on the wire. Medians only; the samples stay in the JSON.
 * Bad case: a benchmark that was not named; its part of the page is left out, its goals say `not run`.
 */
import { constantsText } from "../constants.ts";
import { caseLabel, type GoalCase, goalEntries, shareOf } from "../goal_entries.ts";
import { caseFigure, goalRows } from "../goal_table.ts";
import { GOAL_NAMES } from "../goals.ts";
import type { BenchReport, CaseResult } from "../results.ts";
import { median } from "../statistics.ts";
import { boundText } from "../table.ts";

/** A case on the scale of its goal: 1 = the goal is reached, 0.5 = half of it, 2 = twice as good. */
export type ShownCase = {
  label: string;
  figure: string;
  verdict: string;
  must: string;
  goal: string;
  /** Unfavourable bound, median, favourable bound, and the must, as shares of the goal. */
  shares: { low: number; median: number; high: number; must: number };
};

/** A goal of the final table. */
export type ShownGoal = {
  name: string;
  what: string;
  must: string;
  goal: string;
  measured: string;
  verdict: string;
  cases: ShownCase[];
};

/** Groups of bars: one value for each side, none where it was not measured. */
export type ShownBars = {
  title: string;
  unit: string;
  sides: string[];
  groups: { name: string; values: (number | null)[] }[];
};

/** Latency by percentile. */
export type ShownLatency = {
  title: string;
  unit: string;
  curves: { name: string; points: [percentile: number, value: number][] }[];
};

/** All that the page is made of. */
export type PageReport = {
  /** Date, CPU, Node, commit. */
  machine: string;
  command: string;
  remarks: string[];
  goals: ShownGoal[];
  bars: ShownBars[];
  latencies: ShownLatency[];
};

const EXCHANGE_SIDES = ["wasm", "twin", "JSON.parse", "baseline"];
const WIRE_SIDES = ["wasm", "JSON deflated", "exchange JSON"];
const DIGITS = 4;

/** Gathers the page of a run. */
export function pageReport(report: BenchReport): PageReport {
  const { machine, command, results } = report;
  const { date, cpu, cpus, node, commit } = machine;
  return {
    machine: `${date.slice(0, 10)} · ${cpu} × ${cpus} · Node ${node} · commit ${commit}`,
    command,
    remarks: remarksOf(report),
    goals: shownGoals(results),
    bars: [
      barsOf(
        "Frame → exact book, hash and records in the ring",
        "ns per frame",
        EXCHANGE_SIDES,
        results.filter(isFrames),
      ),
      barsOf(
        "Bytes on the wire per level entry of the exchange",
        "bytes per entry",
        WIRE_SIDES,
        results.filter(({ bench }) => bench === "wire"),
      ),
      apiBars(results),
    ].filter(({ groups }) => groups.length > 0),
    latencies: pipelineLatencies(results),
  };
}

function remarksOf({ isSmoke, constants, rounds, source, results, failures }: BenchReport): string[] {
  const discarded = results.reduce((sum, result) => sum + result.rounds.discarded, 0);
  const frames =
    source === "captures" ? "captured frames" : "frames of the emulator's market, for there were no captures";
  return [
    ...(isSmoke ? ["A smoke run: it shows that everything works, and judges nothing."] : []),
    `${rounds} paired rounds, ${discarded} discarded for stolen CPU time; ${frames}.`,
    ...(constants === undefined ? [] : [`The machine by itself: ${constantsText(constants)}.`]),
    ...failures.map((failure) => `Failed: ${failure.split("\n", 1)[0]}`),
  ];
}

function shownGoals(results: readonly CaseResult[]): ShownGoal[] {
  const entries = goalEntries(results);
  const rows = new Map(goalRows(results).map((row) => [row.name, row]));
  return GOAL_NAMES.map((name) => {
    const { must = "", goal = "", measured = "" } = rows.get(name) ?? {};
    const { what, baseline, cases, verdict } = entries[name];
    const against = baseline === "–" ? "" : `, against ${baseline}`;
    return { name, what: `${what}${against}`, must, goal, measured, verdict, cases: cases.map(shownCase) };
  });
}

function shownCase(subject: GoalCase): ShownCase {
  const { figure, verdict } = subject;
  const share = (value: number) => rounded(shareOf(subject, value));
  const shares = {
    low: share(subject.sense === "faster" ? figure.low : figure.high),
    median: share(figure.median),
    high: share(subject.sense === "faster" ? figure.high : figure.low),
    must: share(subject.must),
  };
  const [must, goal] = [boundText({ ...subject, what: "" }, "must"), boundText({ ...subject, what: "" }, "goal")];
  return { label: caseLabel(subject), figure: caseFigure(subject), verdict, must, goal, shares };
}

function isFrames({ bench, facts }: CaseResult): boolean {
  return bench === "decoders" && facts.choice === "book";
}

function barsOf(title: string, unit: string, sides: readonly string[], results: readonly CaseResult[]): ShownBars {
  const groups = results.map((result) => ({ name: result.name, values: sides.map((side) => middle(result, side)) }));
  return { title, unit, sides: [...sides], groups };
}

function middle({ sides }: CaseResult, name: string): number | null {
  const side = sides.find((candidate) => candidate.name === name);
  return side === undefined ? null : rounded(median(side.samples));
}

/** The cases of one rate are its p50 and its p99; further percentiles are facts. */
function pipelineLatencies(results: readonly CaseResult[]): ShownLatency[] {
  const cases = results.filter(({ bench, name }) => bench === "pipeline" && /, p(50|99)$/.test(name));
  const rates = [...new Set(cases.map(({ name }) => name.replace(/, p\d+$/, "")))];
  return rates.map((rate) => {
    const of = (percentile: string) => cases.find(({ name }) => name === `${rate}, ${percentile}`);
    const names = of("p50")?.sides.map(({ name }) => name) ?? [];
    const curves = names.map((name) => {
      const facts = of("p50")?.facts ?? {};
      const points: [number, unknown][] = [
        [50, side(of("p50"), name)],
        [99, side(of("p99"), name)],
        [99.9, facts[`${name}: p99.9 µs`]],
        [100, facts[`${name}: max µs`]],
      ];
      return { name, points: points.filter(isPoint) };
    });
    return { title: `Exchange socket → client socket, ${rate}`, unit: "µs", curves };
  });
}

function side(result: CaseResult | undefined, name: string): number | null {
  return result === undefined ? null : middle(result, name);
}

/** The goal of each route is a p99; that of a bare server stands beside it. */
function apiBars(results: readonly CaseResult[]): ShownBars {
  const groups = results
    .filter(({ bench }) => bench === "api")
    .map(({ name, facts }) => ({
      name: name.replace("GET /api/v1", ""),
      values: [facts.p50Us, facts.p99Us, facts.bareP99Us].map((value) => (typeof value === "number" ? value : null)),
    }));
  return {
    title: "REST at 1,000 requests a second",
    unit: "µs",
    sides: ["p50", "p99", "p99 of a bare server"],
    groups,
  };
}

function isPoint(point: [number, unknown]): point is [number, number] {
  return typeof point[1] === "number";
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

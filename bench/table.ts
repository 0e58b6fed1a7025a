/**
 * Results as text for a terminal: one table per benchmark with sides, ratios, spread and verdict, facts beneath.
 * Bad case: a bare median; every ratio stands beside its 95 % interval.
 */
import { GOALS, type Goal, goalName } from "./goals.ts";
import type { BenchReport, CaseResult, RatioResult, SideResult } from "./results.ts";
import { median, quantile } from "./statistics.ts";

/** One benchmark's cases. */
export function benchTable(title: string, results: readonly CaseResult[]): string {
  const lines = [title, ""];
  for (const result of results) {
    lines.push(...caseLines(result), "");
  }
  return lines.join("\n");
}

/** What was measured where, and how it ended. */
export function reportHead({ machine, command, rounds, source, kernels }: BenchReport): string {
  const { cpu, cpus, platform, node, commit, date } = machine;
  return [
    `${cpu} × ${cpus}, ${platform}, Node ${node}, commit ${commit}, ${date}`,
    `${command}: ${rounds} rounds, kernels ${kernels.join(" and ")}, frames from ${source}`,
  ].join("\n");
}

function caseLines(result: CaseResult): string[] {
  const { name, unit, sides, ratios, perCall, facts, notes, rounds } = result;
  const discarded = rounds.discarded === 0 ? "" : `, ${rounds.discarded} discarded (CPU stolen)`;
  const lines = [`  ${name}  [${unit}; ${rounds.kept} rounds${discarded}]`];
  for (const side of sides) {
    lines.push(`    ${side.name.padEnd(24)} ${sideText(side)}`);
  }
  for (const ratio of ratios) {
    lines.push(`    ${`${ratio.other} ÷ ${ratio.ours}`.padEnd(24)} ${ratioText(ratio)}`);
  }
  for (const { name: side, p50, p99 } of perCall) {
    lines.push(`    ${`${side} per call`.padEnd(24)} ${figure(p50)} ns (p99 ${figure(p99)}, mitata)`);
  }
  const told = Object.entries(facts).map(
    ([key, value]) => `${key} ${typeof value === "number" ? figure(value) : value}`,
  );
  if (told.length > 0) {
    lines.push(`    ${told.join(" · ")}`);
  }
  return [...lines, ...notes.map((note) => `    note: ${note}`)];
}

function sideText({ samples }: SideResult): string {
  const middle = figure(median(samples)).padStart(12);
  return samples.length === 1
    ? middle
    : `${middle}   ${figure(quantile(samples, 0.25))} … ${figure(quantile(samples, 0.75))}`;
}

function ratioText({ median: middle, low, high, goal, verdict }: RatioResult): string {
  const spread = low === high ? "" : `   ${ratioFigure(low)} … ${ratioFigure(high)}`;
  const judged = goal === undefined ? "" : `   ${goalName(goal)}: ${verdict ?? ""}, ${distanceText(low, GOALS[goal])}`;
  return `${ratioFigure(middle).padStart(12)}${spread}${judged}`;
}

/** How far a lower bound is from the least that it must reach, and from the goal. */
function distanceText(low: number, { must, goal }: Goal): string {
  return `${figure((low / must) * 100)} % of the must ${ratioFigure(must)}, ${figure((low / goal) * 100)} % of the goal ${ratioFigure(goal)}`;
}

/** Three significant digits, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** A ratio. */
export function ratioFigure(value: number): string {
  return `${figure(value)}×`;
}

/**
 * Results as text for a terminal: one table per benchmark with sides, ratios, spread and verdict, facts beneath.
 * Bad case: a bare median; every ratio stands beside its 95 % interval.
 */
import { constantsText } from "./constants.ts";
import { GOALS, type Goal, goalName } from "./goals.ts";
import {
  type BenchReport,
  boundOf,
  type CaseResult,
  type LimitResult,
  type RatioResult,
  type SideResult,
} from "./results.ts";
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
export function reportHead({ machine, constants, command, rounds, source, kernels }: BenchReport): string {
  const { cpu, cpus, platform, node, commit, date } = machine;
  return [
    `${cpu} × ${cpus}, ${platform}, Node ${node}, commit ${commit}, ${date}`,
    ...(constants === undefined ? [] : [constantsText(constants)]),
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
  for (const limit of result.limits ?? []) {
    lines.push(`    ${limit.side.padEnd(24)} ${limitText(limit)}`);
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

function limitText({ median: middle, high, goal, verdict }: LimitResult): string {
  const { unit } = GOALS[goal];
  const spread = middle === high ? "" : ` … ${figure(high)}`;
  return `${figure(middle).padStart(12)}${spread} ${unit}   ${goalName(goal)}: ${verdict}, ${askedText(GOALS[goal])}`;
}

/** How far a lower bound of other ÷ ours is from the least that it must reach, and from the goal. */
function distanceText(low: number, goal: Goal): string {
  const bound = boundOf(goal, { median: low, low, high: low });
  const share = (asked: number) => figure((goal.sense === "faster" ? bound / asked : asked / bound) * 100);
  return `${share(goal.must)} % of the must, ${share(goal.goal)} % of the goal; ${askedText(goal)}`;
}

function askedText(goal: Goal): string {
  return `must ${boundText(goal, "must")}, goal ${boundText(goal, "goal")}`;
}

/** A figure that is asked for, e.g. `≥ 5×`. */
export function boundText(goal: Goal, column: "must" | "goal"): string {
  return `${goal.sense === "faster" ? "≥" : "≤"} ${withUnit(goal[column], goal.unit)}`;
}

/** A figure in its unit. */
export function withUnit(value: number, unit: string): string {
  return unit === "×" ? ratioFigure(value) : `${figure(value)} ${unit}`;
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

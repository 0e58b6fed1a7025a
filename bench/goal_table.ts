/**
 * The final table of a run: every goal of P1 … P15 with what is asked, its worst case as measured, and the verdict; as
 * rows for whoever shows them, and as text for a terminal.
 * Bad case: a goal that nothing measured; it has its row, and says `not run`.
 */
import { caseLabel, type GoalCase, type GoalEntry, goalEntries } from "./goal_entries.ts";
import { GOAL_NAMES, GOALS, type GoalName, goalParts } from "./goals.ts";
import type { CaseResult } from "./results.ts";
import { boundText, figure, withUnit } from "./table.ts";

/** One row of the final table. */
export type GoalRow = { name: GoalName; what: string; must: string; goal: string; measured: string; verdict: string };

/** The final table: every goal with what is asked, its worst case as measured, and the verdict. */
export function goalRows(results: readonly CaseResult[]): GoalRow[] {
  const entries = goalEntries(results);
  return GOAL_NAMES.map((name) => {
    const entry = entries[name];
    const column = (which: "must" | "goal") =>
      [...new Set(goalParts(name).map((key) => boundText(GOALS[key], which)))].join("; ");
    const what = `${entry.what} / ${entry.baseline}`.replace(" / –", "");
    return {
      name,
      what,
      must: column("must"),
      goal: column("goal"),
      measured: measuredText(entry),
      verdict: verdictText(entry),
    };
  });
}

/** The final table for a terminal. */
export function goalTable(results: readonly CaseResult[]): string {
  const head = {
    name: "",
    what: "",
    must: "must",
    goal: "goal",
    measured: "measured (worst case)",
    verdict: "verdict",
  };
  const rows = [head, ...goalRows(results)];
  const width = (key: keyof typeof head) => Math.max(...rows.map((row) => row[key].length));
  const columns = ["name", "must", "goal", "verdict", "measured"] as const;
  const widths = columns.map(width);
  const lines = rows.map((row) => `  ${columns.map((key, index) => row[key].padEnd(widths[index] ?? 0)).join("  ")}`);
  return ["Goals", "", ...lines.map((line) => line.trimEnd())].join("\n");
}

/** Every case that is judged, its figure with both bounds, and of which sides. */
export function caseFigure({ figure: { median: middle, low, high }, unit }: GoalCase): string {
  const spread = low === high ? "" : ` (${figure(low)} … ${figure(high)})`;
  return `${withUnit(middle, unit)}${spread}`;
}

function measuredText({ cases, worst, missing }: GoalEntry): string {
  const decisive = cases.find((subject) => caseLabel(subject) === worst);
  const shown = decisive === undefined ? [] : [`${caseFigure(decisive)} ${caseLabel(decisive)}`];
  const lacking =
    missing.length > 0 && cases.length > 0
      ? [`not measured: ${missing.map((key) => GOALS[key].baseline).join(", ")}`]
      : [];
  return [...shown, ...lacking].join("; ");
}

function verdictText({ cases, verdict }: GoalEntry): string {
  const count = (state: string) => cases.filter((subject) => subject.verdict === state).length;
  const told = ["goal", "must", "missed"]
    .filter((state) => count(state) > 0)
    .map((state) => `${count(state)} ${state}`);
  return cases.length > 1 && told.length > 1 ? `${verdict} (${told.join(", ")})` : verdict;
}

/**
 * A report as the JSON file that is committed, laid out as the repository's formatter wants it: two spaces, lists of
 * numbers filled to the width, so that a file of samples stays readable and every check passes without another tool.
 * Bad case: a list of long texts; one to a line, whatever the width.
 */
import { type GoalEntries, goalEntries } from "./goal_entries.ts";
import { GOAL_NAMES } from "./goals.ts";
import type { BenchReport } from "./results.ts";

/** What the file holds: the run, and one entry for each goal under its name, `P1` … `P15`. */
export type ReportFile = BenchReport & GoalEntries;

const WIDTH = 120;
const INDENT = "  ";

/** @returns JSON text that ends in a line break */
export function reportText(report: BenchReport): string {
  return `${valueText(reportFile(report), { indent: "", column: 0 })}\n`;
}

/** A run with the entries of its goals, which follow from its results. */
export function reportFile(report: BenchReport): ReportFile {
  const { results, failures, ...rest } = report;
  const head = Object.fromEntries(Object.entries(rest).filter(([key]) => !isGoal(key))) as typeof rest;
  return { ...head, ...goalEntries(results), results, failures };
}

/** A report that was read from a file has them already. */
function isGoal(key: string): boolean {
  return (GOAL_NAMES as readonly string[]).includes(key);
}

/** Where a value stands: the indent of its line, and the column that it begins in. */
type Place = { indent: string; column: number };

function valueText(value: unknown, place: Place): string {
  if (Array.isArray(value)) {
    return listText(value as unknown[], place);
  }
  if (typeof value === "object" && value !== null) {
    return objectText(Object.entries(value), place);
  }
  return JSON.stringify(value);
}

function objectText(entries: readonly [string, unknown][], { indent }: Place): string {
  const shown = entries.filter(([, value]) => value !== undefined);
  if (shown.length === 0) {
    return "{}";
  }
  const inner = indent + INDENT;
  const lines = shown.map(([key, value]) => {
    const head = `${inner}${JSON.stringify(key)}: `;
    return head + valueText(value, { indent: inner, column: head.length });
  });
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

function listText(items: readonly unknown[], { indent, column }: Place): string {
  const inner = indent + INDENT;
  const texts = items.map((item) => valueText(item, { indent: inner, column: inner.length }));
  const line = `[${texts.join(", ")}]`;
  // A comma may follow.
  if (column + line.length < WIDTH && !line.includes("\n")) {
    return line;
  }
  const isNumbers = items.every((item) => typeof item === "number");
  const lines = isNumbers ? filled(texts, inner) : texts.map((text) => inner + text);
  return `[\n${lines.join(isNumbers ? "\n" : ",\n")}\n${indent}]`;
}

/** As many on each line as fit, each with its comma but for the last. */
function filled(texts: readonly string[], indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const [index, text] of texts.entries()) {
    const piece = index === texts.length - 1 ? text : `${text},`;
    const longer = line === "" ? indent + piece : `${line} ${piece}`;
    if (line !== "" && longer.length > WIDTH) {
      lines.push(line);
      line = indent + piece;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

/**
 * Boards and alerts as text: unique names, nothing over something else, a unit and a sentence for each panel, and for
 * each alert what somebody needs at night. Whether their queries find anything is asked of a real Prometheus elsewhere.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Panel, PROMETHEUS_FOLDER, readAlerts, readBoards } from "../support/boards.ts";

const boards = readBoards();
const alerts = readAlerts();

describe("boards", () => {
  it("are the four of the operators, each with an id and a title of its own", () => {
    expect(boards.map(({ file }) => file).sort()).toEqual([
      "compression.json",
      "cross_exchange.json",
      "latency.json",
      "system_health.json",
    ]);
    expect(new Set(boards.map(({ uid }) => uid)).size).toBe(4);
    expect(new Set(boards.map(({ title }) => title)).size).toBe(4);
  });

  it.each(boards.map((board) => [board.file, board] as const))("%s has panels that one can read", (_, board) => {
    const { panels } = board;
    const shown = panels.filter(({ type }) => type !== "row");
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(shown.map(({ title }) => title)).size).toBe(shown.length);
    expect(shown.filter(({ description, fieldConfig }) => !description || !fieldConfig?.defaults.unit)).toEqual([]);
    expect(shown.filter(({ targets = [] }) => targets.length === 0)).toEqual([]);
    expect(overlaps(panels)).toEqual([]);
    const known = new Set(board.templating.list.map(({ name }) => name));
    const sources = shown.flatMap(({ datasource, targets = [] }) => [
      datasource,
      ...targets.map((it) => it.datasource),
    ]);
    expect(new Set(sources.map((source) => source?.uid))).toEqual(new Set([`\${datasource}`]));
    const used = shown.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => expr.match(/\$\w+/g) ?? []));
    expect(used.filter((name) => name !== "$__rate_interval" && !known.has(name.slice(1)))).toEqual([]);
  });
});

describe("alerts", () => {
  it("have a name of their own, a severity, a summary and a description", () => {
    expect(alerts.length).toBeGreaterThanOrEqual(20);
    expect(new Set(alerts.map(({ name }) => name)).size).toBe(alerts.length);
    const lacking = alerts.filter(
      ({ text }) =>
        !/severity: (critical|warning)/.test(text) ||
        !/\n\s+summary: \S/.test(text) ||
        !/\n\s+description: \S/.test(text),
    );
    expect(lacking.map(({ name }) => name)).toEqual([]);
  });

  it("are each shown something that fires and something that does not", () => {
    const tests = readFileSync(join(PROMETHEUS_FOLDER, "rules_test.yml"), "utf8");
    const untested = alerts.filter(({ name }) => {
      const isQuietOnce = new RegExp(`alertname: ${name} }`).test(tests);
      const firesOnce = new RegExp(`alertname: ${name}\\n\\s+exp_alerts:\\n\\s+- exp_labels`).test(tests);
      return !isQuietOnce || !firesOnce;
    });
    expect(untested.map(({ name }) => name)).toEqual([]);
  });
});

function overlaps(panels: readonly Panel[]): string[] {
  return panels.flatMap((one, index) =>
    panels
      .slice(index + 1)
      .filter(({ gridPos: other }) => {
        const { x, y, w, h } = one.gridPos;
        return x < other.x + other.w && other.x < x + w && y < other.y + other.h && other.y < y + h;
      })
      .map((other) => `${one.title} and ${other.title}`),
  );
}

/**
 * The boards and alerts below `deploy`, read for the tests: every query with the variables of Grafana filled in as it
 * would fill them. Bad case: a variable that is not known here; it stays in the query, and Prometheus refuses it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../../src/assets.ts";

/** Folder of Prometheus' files. */
export const PROMETHEUS_FOLDER = join(packageFolder(), "deploy", "prometheus");
/** Folder of the boards. */
export const BOARDS_FOLDER = join(packageFolder(), "deploy", "grafana", "dashboards");

/** One query of a board. */
export type BoardQuery = { readonly board: string; readonly panel: string; readonly expr: string };

/** A panel, as far as the tests look. */
export type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly datasource: { uid: string } }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
};

/** A board, as far as the tests look. */
export type Board = {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
};

/** All boards. */
export function readBoards(): Board[] {
  return readdirSync(BOARDS_FOLDER)
    .filter((file) => file.endsWith(".json"))
    .map((file) => ({ file, ...(JSON.parse(readFileSync(join(BOARDS_FOLDER, file), "utf8")) as Omit<Board, "file">) }));
}

/** Every query of every board. @param window a range that holds several scrapes, e.g. `10s` */
export function boardQueries(window: string): BoardQuery[] {
  return readBoards().flatMap(({ file, panels }) =>
    panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ board: file, panel: title, expr: filledIn(expr, window) })),
    ),
  );
}

/** The metrics that a query asks for, without the suffixes of histograms. */
export function metricsOf(expr: string): string[] {
  const names = expr.match(/alphapulse[\w:]+/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(bucket|sum|count)$/, "")))];
}

/** An alert as it stands in the rules. */
export type AlertText = { readonly name: string; readonly text: string };

/** The alerts of the rules file, each with its text. */
export function readAlerts(): AlertText[] {
  const [, ...parts] = readFileSync(join(PROMETHEUS_FOLDER, "rules.yml"), "utf8").split("- alert: ");
  return parts.map((text) => ({ name: text.slice(0, text.indexOf("\n")), text }));
}

function filledIn(expr: string, window: string): string {
  return expr.replaceAll("$__rate_interval", window).replaceAll("[5m]", `[${window}]`).replaceAll("$exchange", ".+");
}

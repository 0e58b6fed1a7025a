/**
 * README's performance tables are those of the committed run, to the letter, and the page of results shows its figures.
 * Bad case: a run without an update of README, or a figure edited by hand; the message says what to do.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { betweenMarkers, MARKERS, renderMarkdown } from "../../bench/markdown.ts";
import { pageReport } from "../../bench/report/figures.ts";
import { figuresOf } from "../../bench/report/html.ts";
import type { BenchReport } from "../../bench/results.ts";
import { packageFolder } from "../../src/assets.ts";

const RESULTS = "bench/results/latest.json";
const TABLES = "bench/results/latest.md";
const PAGE = "bench/report.html";
const HOW_PAGE = `npm run bench -- --from ${RESULTS} --html ${PAGE}`;
const HOW = `npm run bench -- --from ${RESULTS} --markdown ${TABLES} --html ${PAGE} --readme README.md`;

function read(path: string): string {
  const full = join(packageFolder(), path);
  expect(existsSync(full), `${path} must be there: ${HOW}`).toBe(true);
  return readFileSync(full, "utf8");
}

describe("README's performance tables", () => {
  it("README holds exactly the tables of bench/results/latest.json between its markers", () => {
    const rendered = renderMarkdown(JSON.parse(read(RESULTS)) as BenchReport);
    const held = betweenMarkers(read("README.md"));
    expect(held, `README.md must hold ${MARKERS.begin} and ${MARKERS.end}`).toBeDefined();
    expect(held, `README.md must be up to date: ${HOW}`).toBe(rendered.trim());
  });

  it("bench/report.html shows the figures of bench/results/latest.json", () => {
    const report = JSON.parse(read(RESULTS)) as BenchReport;
    expect(figuresOf(read(PAGE)), `${PAGE} must be up to date: ${HOW_PAGE}`).toEqual(pageReport(report));
  });

  it("bench/results/latest.md is what is to be copied", () => {
    expect(read(TABLES)).toBe(renderMarkdown(JSON.parse(read(RESULTS)) as BenchReport));
  });
});

/**
 * The page of results as one file: figures, script and styles inside, so that it opens from a disk without a server.
 * Bad case: a text with `</script>` in it; what is put into the page is escaped, so that no name can end its script.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder, readAsset } from "../../src/assets.ts";
import type { BenchReport } from "../results.ts";
import { type PageReport, pageReport } from "./figures.ts";

/** What the page is made of besides its figures. */
export type PageParts = { script: string; styles: string };

/** The element that holds the figures as JSON. */
export const FIGURES_ID = "figures";

/** The parts as they were built. @throws Error when the benchmarks were not built */
export function pageParts(): PageParts {
  const path = (name: string) => join(packageFolder(), name);
  const styles = ["node_modules/uplot/dist/uPlot.min.css", "bench/report/page.css"].filter((name) =>
    existsSync(path(name)),
  );
  return {
    script: Buffer.from(readAsset("bench/report.js")).toString("utf8"),
    styles: styles.map((name) => readFileSync(path(name), "utf8")).join("\n"),
  };
}

/** Renders a run. */
export function renderPage(report: BenchReport, { script, styles }: PageParts): string {
  const page = pageReport(report);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>AlphaPulse: measured</title>
<style>${styles.replaceAll("</style", "<\\/style")}</style>
</head>
<body>
<main></main>
<script type="application/json" id="${FIGURES_ID}">${embedded(JSON.stringify(page))}</script>
<script type="module">${script.replaceAll("</script", "<\\/script").replace(/\n?\/\/# sourceMappingURL=.*\n?$/, "")}</script>
</body>
</html>
`;
}

/** The figures that a page holds. @throws Error when it holds none */
export function figuresOf(html: string): PageReport {
  const found = html.split(`id="${FIGURES_ID}">`)[1]?.split("</script>")[0];
  if (found === undefined) {
    throw new Error("Cannot read a page of results: it holds no figures");
  }
  return JSON.parse(found) as PageReport;
}

/** JSON that no HTML can be seen in. */
function embedded(json: string): string {
  return json.replaceAll("<", "\\u003c");
}

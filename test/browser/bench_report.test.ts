/**
 * The page of results in a Chromium, from the disk: every goal with its verdict and cases, a chart for each part that was
 * measured, dark, light and on a phone. With ALPHAPULSE_SCREENSHOTS naming a folder the README's picture is written there.
 * Bad case: a page that needs a server, or a script that stops in its middle; any trouble on the page fails the test.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { goalEntries } from "../../bench/goal_entries.ts";
import { GOAL_NAMES } from "../../bench/goals.ts";
import { figuresOf, pageParts, renderPage } from "../../bench/report/html.ts";
import type { BenchReport } from "../../bench/results.ts";
import { packageFolder } from "../../src/assets.ts";
import { withPalette } from "./dashboard_png.ts";
import { DESKTOP, hasChromium, openPage, PHONE, startBrowser, waitForCount, widthBeyond } from "./dashboard_rig.ts";

const RESULTS = join(packageFolder(), "bench/results/latest.json");
const BUILT = join(packageFolder(), "dist/bench/report.js");
const pictures = process.env.ALPHAPULSE_SCREENSHOTS;
const BYTES_MAX = 300_000;
const README_PICTURE = "bench_report";
const report = JSON.parse(readFileSync(RESULTS, "utf8")) as BenchReport;

describe.skipIf(!hasChromium())("The page of results", () => {
  let browser: Browser;
  let folder: string;
  let url: string;

  beforeAll(async () => {
    browser = await startBrowser();
    folder = mkdtempSync(join(tmpdir(), "alphapulse-report-"));
    const file = join(folder, "report.html");
    expect(existsSync(BUILT), "dist/bench/report.js must be there: node build.config.mjs benches").toBe(true);
    writeFileSync(file, renderPage(report, pageParts()));
    url = pathToFileURL(file).href;
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("shows every goal with its verdict, and a dot for each of its cases, when it is opened from the disk", async () => {
    const { page, troubles } = await openPage(browser, url);
    await waitForCount(page, "[data-goal]", GOAL_NAMES.length);
    const entries = goalEntries(report.results);
    const expected = GOAL_NAMES.map((name) => [name, entries[name].verdict, entries[name].cases.length]);
    expect(await shownGoals(page)).toEqual(expected);
    const { machine, command } = report;
    const head = await page.locator("header").innerText();
    for (const told of [machine.date.slice(0, 10), machine.cpu, machine.node, machine.commit, command]) {
      expect(head).toContain(told);
    }
    const { bars, latencies } = figuresOf(renderPage(report, pageParts()));
    expect(await page.locator("section.chart canvas").count()).toBe(bars.length + latencies.length);
    expect(troubles).toEqual([]);
    await page.close();
  });

  for (const { name, viewport } of [
    { name: "bench_report", viewport: DESKTOP },
    { name: "bench_report_phone", viewport: PHONE },
  ]) {
    test(`${name} is no wider than the screen and draws something, in dark and light`, async () => {
      const { page, troubles } = await openPage(browser, url, { viewport });
      await waitForCount(page, "section.chart canvas", 1);
      for (const scheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme: scheme });
        await page.waitForTimeout(400);
        expect(await widthBeyond(page)).toBe(0);
        expect(await inkOf(page)).toBeGreaterThan(1000);
        await takePicture(page, `${name}${scheme === "light" ? "_light" : ""}`);
      }
      expect(troubles).toEqual([]);
      await page.close();
    });
  }

  test("a text of a run cannot end the page's script", () => {
    const command = "</script><script>document.title='taken'</script>";
    const html = renderPage({ ...report, command, results: [] }, pageParts());
    expect(figuresOf(html).command).toBe(command);
    expect(html).not.toContain(command);
  });
});

async function shownGoals(page: Page): Promise<[string, string, number][]> {
  return await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("[data-goal]")].map((row) => [
      row.dataset.goal ?? "",
      row.querySelector<HTMLElement>(".verdict")?.dataset.verdict ?? "",
      row.querySelectorAll(".lane").length,
    ]),
  );
}

/** Pixels of the first chart that are not empty. */
async function inkOf(page: Page): Promise<number> {
  return await page.evaluate(() => {
    const canvas = document.querySelector("section.chart canvas");
    if (!(canvas instanceof HTMLCanvasElement)) {
      return 0;
    }
    const { width, height } = canvas;
    const { data: pixels = [] } = canvas.getContext("2d")?.getImageData(0, 0, width, height) ?? {};
    let ink = 0;
    for (let at = 3; at < pixels.length; at += 4) {
      ink += (pixels[at] ?? 0) > 0 ? 1 : 0;
    }
    return ink;
  });
}

async function takePicture(page: Page, name: string): Promise<void> {
  if (pictures === undefined || name !== README_PICTURE) {
    return;
  }
  mkdirSync(pictures, { recursive: true });
  const path = join(pictures, `${name}.png`);
  const picture = withPalette(await page.screenshot({ fullPage: true }));
  writeFileSync(path, picture);
  expect(picture.length, path).toBeLessThan(BYTES_MAX);
}

/**
 * The latencies of the system view in a real Chromium against the real demo: every hop of every exchange has figures, they are
 * those of the stream's statistics, and they fit a phone. Bad case: a machine that is busy: figures are large, and shown all the same.
 */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, NARROW, openPage, startBrowser, waitForCount, waitUntil, widthBeyond } from "./dashboard_rig.ts";
import { DemoProcess } from "./demo_process.ts";

const EXCHANGES = 3;
const HOPS = ["exchange_received", "decode", "received_published", "published_read", "read_sent"];
const FIGURES = /^p50 [\d.]+ (?:µs|ms|s) · p95 .+ · p99 .+ · p99\.9 .+ · max .+$/;

describe.skipIf(!hasChromium())("Latency on the page", () => {
  let demo: DemoProcess;
  let browser: Browser;

  beforeAll(async () => {
    demo = await DemoProcess.start();
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
  });

  const url = () => `http://127.0.0.1:${demo.port}/#/system`;

  test("has figures of every hop for every exchange when books move", async () => {
    const { page, troubles } = await openPage(browser, url());
    await waitForCount(page, ".latency tbody tr", EXCHANGES);
    for (const hop of HOPS) {
      await waitForCount(page, `.latency td[data-hop="${hop}"] svg`, EXCHANGES);
    }
    const labels = await page.evaluate(() =>
      [...document.querySelectorAll(".latency svg")].map((one) => one.getAttribute("aria-label") ?? ""),
    );
    expect(labels.filter((label) => !FIGURES.test(label))).toEqual([]);
    const first = await page.innerText(".latency tbody");
    await waitUntil("figures that moved", async () => (await page.innerText(".latency tbody")) !== first);
    expect(troubles).toEqual([]);
    await page.close();
  });

  test("needs no horizontal scroll when the screen is a small phone's", async () => {
    const { page } = await openPage(browser, url(), { viewport: NARROW });
    await waitForCount(page, ".latency tbody tr", EXCHANGES);
    await page.waitForTimeout(300);
    expect(await widthBeyond(page)).toBe(0);
    await page.close();
  });
});

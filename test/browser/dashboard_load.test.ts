/**
 * What the page's scripts cost per animation frame with 50 books that change 200 times a second each: a real gateway over
 * real segments, a real Chromium, its own trace. Scripting is all JavaScript of the page's main thread between two
 * animation frames: messages decoded, books applied and proved, painting, garbage collection. The goal is 8 ms at the
 * 99th percentile; a busy machine gets five times that, and the true figure is printed.
 * Bad case: a machine too slow to make the load at all: the test says how many updates came and fails below a fifth.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assetPath } from "../../src/assets.ts";
import { Market, type Producer } from "../integration/gateway_market.ts";
import { hasChromium, openPage, shownPrices, startBrowser, waitForCount, waitUntil } from "./dashboard_rig.ts";

const BOOKS = 50;
const FIRST = "coinbase_exchange:B00-USD";
const BOOKS_PER_SEGMENT = 10;
const UPDATES_PER_SECOND = 200;
const LEVELS = 400;
const TURN_MS = 10;
const MEASURE_MS = 8_000;
const GOAL_MS = 8;
const SLACK = 5;

describe.skipIf(!hasChromium())(`Page with ${BOOKS} books × ${UPDATES_PER_SECOND} updates/s`, () => {
  let market: Market;
  let load: Load;
  let browser: Browser;
  let url = "";

  beforeAll(async () => {
    market = new Market(1_024);
    load = new Load(market);
    const gateway = await market.serve({ dashboardFolder: assetPath("dashboard") });
    url = gateway.url;
    load.start();
    browser = await startBrowser();
  });

  afterAll(async () => {
    load?.stop();
    await browser?.close();
    await market?.close();
  });

  const views = [
    { name: "overview, best prices of all", address: "", ready: ".rows tbody tr", rows: BOOKS },
    { name: "overview, whole books of all", address: "?follow=all", ready: ".rows tbody tr", rows: BOOKS },
    {
      name: "instrument, whole books of all",
      address: `?follow=all#/${FIRST}`,
      ready: ".heat .cells",
      rows: 1,
    },
  ];
  for (const { name, address, ready, rows } of views) {
    test(`scripts for at most ${GOAL_MS} ms per frame at p99 when the view is: ${name}`, async () => {
      const { page, troubles } = await openPage(browser, `${url}/${address}`);
      await waitForCount(page, ready, rows);
      await waitUntil("updates to come", async () => (await updatesShown(page)) > 100);
      await page.waitForTimeout(2_000);
      const [versionBefore, beganMs] = [await versionShown(page), performance.now()];
      const { frames, seconds } = await traceFrames(page, browser);
      const applied = ((await versionShown(page)) - versionBefore) * BOOKS;
      const rate = (applied * 1_000) / (performance.now() - beganMs);
      const share = (100 * frames.reduce((sum, spent) => sum + spent, 0)) / (seconds * 1_000);
      const [median, p99, worst] = [0.5, 0.99, 1].map((share) => percentile(frames, share));
      console.log(
        `${name}: scripting per frame p50 ${median?.toFixed(2)} ms, p99 ${p99?.toFixed(2)} ms, worst ${worst?.toFixed(2)} ms ` +
          `(goal ${GOAL_MS}) over ${frames.length} frames in ${seconds.toFixed(1)} s, ${share.toFixed(1)} % of the time, at ${Math.round(rate)} updates/s`,
      );
      expect(frames.length).toBeGreaterThan(20);
      expect(rate).toBeGreaterThan((BOOKS * UPDATES_PER_SECOND) / 5);
      expect(p99).toBeLessThan(GOAL_MS * SLACK);
      expect(troubles).toEqual([]);
      await page.close();
    });
  }
});

/** Books that change all the time: levels around the middle get other quantities, the best prices move now and then. */
class Load {
  made = 0;
  readonly #producers: { producer: Producer; natives: string[] }[];
  #timer: ReturnType<typeof setInterval> | undefined;
  #owed = 0;
  #lastMs = 0;

  constructor(market: Market) {
    const names = Array.from({ length: BOOKS }, (_, index) => `B${String(index).padStart(2, "0")}-USD`);
    const segments = Math.ceil(BOOKS / BOOKS_PER_SEGMENT);
    this.#producers = Array.from({ length: segments }, (_, index) => {
      const natives = names.slice(index * BOOKS_PER_SEGMENT, (index + 1) * BOOKS_PER_SEGMENT);
      const firstInstrumentId = 1 + index * BOOKS_PER_SEGMENT;
      return { producer: market.produce({ natives, firstInstrumentId, deltaCapacity: 16_384 }), natives };
    });
    for (const { producer, natives } of this.#producers) {
      for (const native of natives) {
        producer.snapshot(native, firstBook());
      }
    }
  }

  start(): void {
    this.#lastMs = performance.now();
    this.#timer = setInterval(() => this.#turn(), TURN_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Makes what is due since the last turn; a turn that came far too late makes one turn's worth only. */
  #turn(): void {
    const nowMs = performance.now();
    this.#owed += (Math.min(nowMs - this.#lastMs, 100) / 1_000) * BOOKS * UPDATES_PER_SECOND;
    this.#lastMs = nowMs;
    for (; this.#owed >= 1; this.#owed -= 1) {
      const { producer, natives } = this.#producers[this.made % this.#producers.length] ?? {};
      const native = natives?.[Math.floor(this.made / this.#producers.length) % natives.length];
      if (producer !== undefined && native !== undefined) {
        producer.apply({
          type: "l2update",
          product_id: native,
          changes: this.#changes(),
          time: new Date().toISOString(),
        });
      }
      this.made += 1;
    }
    for (const { producer } of this.#producers) {
      producer.publish();
    }
  }

  #changes(): [string, string, string][] {
    const turn = this.made;
    const near = (turn * 7) % 40;
    const size = (1 + ((turn * 31) % 997) / 100).toFixed(2);
    // The best level of each side comes and goes.
    const best = turn % 3 === 0 ? "0" : size;
    return [
      ["buy", (1000 - 0.01 * (turn % 2 === 0 ? 1 : near + 2)).toFixed(2), turn % 2 === 0 ? best : size],
      ["sell", (1000 + 0.01 * (turn % 2 === 1 ? 1 : near + 2)).toFixed(2), turn % 2 === 1 ? best : size],
    ];
  }
}

/** Two decimals that count, as the updates have: a book whose units change begins anew. */
function firstBook() {
  const steps = Array.from({ length: LEVELS }, (_, index) => index + 1);
  return {
    bids: steps.map((step) => [(1000 - step / 100).toFixed(2), `${1 + (step % 7)}.01`] as const),
    asks: steps.map((step) => [(1000 + step / 100).toFixed(2), `${1 + (step % 5)}.01`] as const),
  };
}

/** The version of the first book as the page shows it: it grows by one with each update. */
async function versionShown(page: Page): Promise<number> {
  const shown = await shownPrices(page);
  return Number(shown.find((entry) => entry.instrument === FIRST)?.version ?? 0);
}

/** Updates per second as the head of the page says. */
async function updatesShown(page: Page): Promise<number> {
  const text = await page.evaluate(() => {
    const figures = [...document.querySelectorAll(".figure")];
    return figures.find((figure) => figure.textContent?.startsWith("Updates"))?.querySelector("dd")?.textContent ?? "";
  });
  const [, digits = "0", unit] = /([\d.,]+)(k?)/.exec(text) ?? [];
  return Number(digits.replaceAll(",", "")) * (unit === "k" ? 1_000 : 1);
}

type TraceEvent = { name: string; ph: string; ts: number; dur?: number; tdur?: number; tid: number; pid: number };

/** What Chromium counts as scripting. */
const SCRIPTING = new Set([
  "EvaluateScript",
  "EventDispatch",
  "FireAnimationFrame",
  "FunctionCall",
  "MajorGC",
  "MinorGC",
  "RunMicrotasks",
  "TimerFire",
  "v8.callFunction",
  "V8.GCFinalizeMC",
  "V8.GCScavenger",
]);

/** Traces the page for a while. @returns thread milliseconds of scripting between each two animation frames */
async function traceFrames(page: Page, browser: Browser): Promise<{ frames: number[]; seconds: number }> {
  const categories = ["devtools.timeline", "disabled-by-default-v8.gc", "v8"];
  await browser.startTracing(page, { categories });
  const startedMs = performance.now();
  await page.waitForTimeout(MEASURE_MS);
  const seconds = (performance.now() - startedMs) / 1_000;
  const trace = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const painting = trace.traceEvents.filter((event) => event.name === "FireAnimationFrame");
  const main = painting.at(0);
  const ours = trace.traceEvents
    .filter(
      (event) => event.ph === "X" && event.tid === main?.tid && event.pid === main.pid && SCRIPTING.has(event.name),
    )
    .sort((a, b) => a.ts - b.ts);
  return { frames: scriptingPerFrame(ours), seconds };
}

/** Sums the outermost events up to the end of each animation frame. */
function scriptingPerFrame(events: TraceEvent[]): number[] {
  const frames: number[] = [];
  let endedAt = Number.NEGATIVE_INFINITY;
  let spent = 0;
  let isPainting = false;
  for (const event of events) {
    const isInside = event.ts < endedAt;
    if (!isInside) {
      if (isPainting) {
        frames.push(spent / 1_000);
        spent = 0;
        isPainting = false;
      }
      endedAt = event.ts + (event.dur ?? 0);
      spent += event.tdur ?? event.dur ?? 0;
    }
    isPainting ||= event.name === "FireAnimationFrame";
  }
  return frames;
}

function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

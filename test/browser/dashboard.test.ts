/**
 * The page in a real Chromium against the real demo: moving books of three exchanges whose best prices equal the
 * gateway's replicas, recovery from a cut connection, a phone's width, no errors and nothing fetched from elsewhere.
 * With ALPHAPULSE_SCREENSHOT naming a PNG the page's pictures for the README are written beside it.
 */
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHROMIUM_FLAGS, chromiumPath } from "../support/chromium.ts";
import { optionalPart } from "../support/require.ts";
import { BestOfferLog } from "./best_offer_log.ts";
import { CutProxy } from "./cut_proxy.ts";
import { DemoProcess } from "./demo_process.ts";

const FLAGS = [
  ...CHROMIUM_FLAGS,
  "--headless",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const NARROW = { width: 360, height: 740 };
const PATIENCE_MS = 20_000;

/** What one element of best prices shows. */
type Shown = { instrument: string; bid: string; ask: string; version: string; state: string };

const path = chromiumPath();
const screenshot = process.env.ALPHAPULSE_SCREENSHOT;

describe.skipIf(!optionalPart("Chromium", path !== undefined))("Page", () => {
  let demo: DemoProcess;
  let proxy: CutProxy;
  let offers: BestOfferLog;
  let browser: Browser;

  beforeAll(async () => {
    demo = await DemoProcess.start();
    proxy = await CutProxy.start(demo.port);
    offers = await BestOfferLog.start(demo.port);
    browser = await chromium.launch({ executablePath: path ?? "", args: FLAGS });
  });

  afterAll(async () => {
    await browser?.close();
    offers?.close();
    await proxy?.close();
    await demo?.stop();
  });

  async function open(viewport: { width: number; height: number }, hash = "") {
    const scale = viewport.width < 500 ? 2 : 1;
    const page = await browser.newPage({ viewport, deviceScaleFactor: scale });
    const troubles: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        troubles.push(message.text());
      }
    });
    page.on("pageerror", (error) => troubles.push(error.message));
    page.on("request", (request) => {
      if (new URL(request.url()).port !== String(proxy.port)) {
        troubles.push(`fetched ${request.url()}`);
      }
    });
    await page.goto(`http://127.0.0.1:${proxy.port}/${hash}`);
    return { page, troubles };
  }

  test("shows moving books of three exchanges whose best prices equal the gateway's at the same version", async () => {
    const { page, troubles } = await open(DESKTOP);
    await waitForSynced(page);
    const compared = await compareBestPrices(page, offers);
    expect(compared.different).toEqual([]);
    expect(compared.equal).toBeGreaterThan(compared.read / 2);
    for (const exchange of offers.exchanges) {
      expect(compared.versions.get(exchange)?.size, `${exchange}: versions seen`).toBeGreaterThan(3);
      expect(compared.prices.get(exchange)?.size, `${exchange}: best prices seen`).toBeGreaterThan(1);
    }
    expect(await page.getAttribute("meta[http-equiv]", "content")).not.toContain("unsafe");
    await waitForCount(page, ".exchanges tbody tr", 3);
    await waitForCount(page, ".trade[data-aggressor='buy']", 1);
    await takePicture(page, "");
    expect(troubles).toEqual([]);
    await page.close();
  });

  test("says that the connection is lost and recovers when it was cut", async () => {
    const { page } = await open(DESKTOP);
    await waitForSynced(page);
    proxy.cut();
    await page.waitForSelector("[data-connection='reconnecting'] .banner");
    const frozen = await shown(page);
    expect(frozen.map((entry) => entry.state)).not.toContain("synced");
    expect(await page.innerText(".banner")).toContain("Reconnecting");
    await expect.poll(() => proxy.refused, { timeout: PATIENCE_MS }).toBeGreaterThan(0);
    proxy.mend();
    await page.waitForSelector("[data-connection='open']", { timeout: PATIENCE_MS });
    expect(await page.locator(".banner").count()).toBe(0);
    await waitForSynced(page);
    const compared = await compareBestPrices(page, offers);
    expect(compared.different).toEqual([]);
    expect(compared.equal).toBeGreaterThan(compared.read / 2);
    await page.close();
  });

  test("shows a deep ladder, the chart and a way back when a card is chosen", async () => {
    const { page, troubles } = await open(DESKTOP);
    await waitForSynced(page);
    const [first] = await shown(page);
    await page.click(`[data-card="${first?.instrument}"] a`);
    await waitForCount(page, ".deep .level", 20);
    const [detail] = await shown(page);
    expect(detail?.instrument).toBe(first?.instrument);
    const [bids, asks] = await page.evaluate(() =>
      [".deep .bids", ".deep .asks"].map((side) =>
        [...document.querySelectorAll(`${side} .price`)].map((price) => Number(price.textContent)),
      ),
    );
    expect(bids).toHaveLength(18);
    expect(bids).toEqual([...(bids ?? [])].sort((a, b) => b - a));
    expect(asks).toEqual([...(asks ?? [])].sort((a, b) => a - b));
    expect(bids?.[0]).toBeLessThan(asks?.[0] ?? 0);
    expect(new Set([...(bids ?? []), ...(asks ?? [])]).size).toBe(36);
    expect(await page.locator(".price_chart canvas").count()).toBe(1);
    await takePicture(page, "_detail");
    await page.click(".back");
    await page.waitForSelector("[data-card]");
    expect(troubles).toEqual([]);
    await page.close();
  });

  test("has no horizontal scroll when the screen is a phone's", async () => {
    for (const viewport of [PHONE, NARROW]) {
      const { page, troubles } = await open(viewport);
      await waitForSynced(page);
      expect(await widthBeyond(page)).toBe(0);
      await takePicture(page, viewport === PHONE ? "_phone" : undefined);
      const [first] = await shown(page);
      await page.goto(`http://127.0.0.1:${proxy.port}/#/${first?.instrument}`);
      await page.waitForSelector(".deep .level");
      expect(await widthBeyond(page)).toBe(0);
      expect(troubles).toEqual([]);
      await page.close();
    }
  });
});

async function takePicture(page: Page, suffix: string | undefined): Promise<void> {
  if (screenshot !== undefined && suffix !== undefined) {
    await page.waitForTimeout(20_000);
    await page.screenshot({ path: screenshot.replace(/(\.png)?$/, `${suffix}.png`) });
  }
}

/** Reads all elements of best prices in one go, so that the values of each belong together. */
async function shown(page: Page): Promise<Shown[]> {
  return await page.evaluate(() =>
    [...document.querySelectorAll("[data-instrument]")].map((element) => ({
      instrument: element.getAttribute("data-instrument") ?? "",
      bid: element.getAttribute("data-best-bid") ?? "",
      ask: element.getAttribute("data-best-ask") ?? "",
      version: element.getAttribute("data-version") ?? "",
      state: element.getAttribute("data-state") ?? "",
    })),
  );
}

/** Waits until instruments of at least three exchanges are synced. */
async function waitForSynced(page: Page): Promise<void> {
  await waitUntil("three exchanges to be synced", async () => {
    const synced = (await shown(page)).filter((entry) => entry.state === "synced" && entry.bid !== "");
    return new Set(synced.map((entry) => entry.instrument.split(":")[0])).size >= 3;
  });
}

/** Waits until so many elements match. Not by waitForFunction, which the policy of the page forbids. */
async function waitForCount(page: Page, selector: string, least: number): Promise<void> {
  await waitUntil(`${least} × ${selector}`, async () => (await page.locator(selector).count()) >= least);
}

async function waitUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) {
      throw new Error(`Cannot wait any longer for ${what}: was not so for ${PATIENCE_MS} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Reads the page for some seconds and judges every version that the log knows. */
async function compareBestPrices(page: Page, offers: BestOfferLog) {
  const versions = new Map<string, Set<string>>();
  const prices = new Map<string, Set<string>>();
  const readings: Shown[] = [];
  for (let round = 0; round < 40; round += 1) {
    readings.push(...(await shown(page)).filter((entry) => entry.state === "synced"));
    await page.waitForTimeout(150);
  }
  const different: string[] = [];
  let equal = 0;
  for (const entry of readings) {
    const exchange = entry.instrument.split(":")[0] ?? "";
    versions.set(exchange, (versions.get(exchange) ?? new Set()).add(`${entry.instrument} ${entry.version}`));
    prices.set(exchange, (prices.get(exchange) ?? new Set()).add(`${entry.instrument} ${entry.bid} ${entry.ask}`));
    const offer = offers.at(entry.instrument, BigInt(entry.version));
    if (offer === undefined) {
      continue;
    }
    if (offer.bid === entry.bid && offer.ask === entry.ask) {
      equal += 1;
    } else {
      different.push(
        `${entry.instrument} version ${entry.version}: ${entry.bid} ${entry.ask}, was ${offer.bid} ${offer.ask}`,
      );
    }
  }
  return { versions, prices, different, equal, read: readings.length };
}

async function widthBeyond(page: Page): Promise<number> {
  return await page.evaluate(() => Math.max(document.documentElement.scrollWidth - innerWidth, 0));
}

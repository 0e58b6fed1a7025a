/**
 * The page in a real Chromium against the real demo: moving books of three exchanges whose best prices equal the
 * gateway's replicas, recovery from a cut connection, every view reached by keys alone, both colour schemes, a phone's
 * width, no errors and nothing fetched from elsewhere.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { BestOfferLog } from "./best_offer_log.ts";
import { CutProxy } from "./cut_proxy.ts";
import {
  hasChromium,
  NARROW,
  openPage,
  PATIENCE_MS,
  type PageOptions,
  PHONE,
  type Shown,
  shownPrices,
  startBrowser,
  waitForCount,
  waitForSynced,
  waitUntil,
  widthBeyond,
} from "./dashboard_rig.ts";
import { DemoProcess } from "./demo_process.ts";

describe.skipIf(!hasChromium())("Page", () => {
  let demo: DemoProcess;
  let proxy: CutProxy;
  let offers: BestOfferLog;
  let browser: Browser;

  beforeAll(async () => {
    demo = await DemoProcess.start();
    proxy = await CutProxy.start(demo.port);
    offers = await BestOfferLog.start(demo.port);
    browser = await startBrowser();
  });

  // A test that failed while the connection was cut leaves it whole for the next.
  afterEach(() => proxy.mend());

  afterAll(async () => {
    await browser?.close();
    offers?.close();
    await proxy?.close();
    await demo?.stop();
  });

  const open = (hash = "", options: PageOptions = {}) =>
    openPage(browser, `http://127.0.0.1:${proxy.port}/${hash}`, options);

  test("shows moving prices of three exchanges that equal the gateway's at the same version", async () => {
    const { page, troubles } = await open();
    await waitForSynced(page, 3);
    const compared = await compareBestPrices(page, offers);
    expect(compared.different).toEqual([]);
    expect(compared.equal).toBeGreaterThan(compared.read / 2);
    for (const exchange of offers.exchanges) {
      expect(compared.versions.get(exchange)?.size, `${exchange}: versions seen`).toBeGreaterThan(3);
      expect(compared.prices.get(exchange)?.size, `${exchange}: best prices seen`).toBeGreaterThan(1);
    }
    expect(await page.getAttribute("meta[http-equiv]", "content")).not.toContain("unsafe");
    expect(troubles).toEqual([]);
    await page.close();
  });

  test("says that the connection is lost and recovers when it was cut", async () => {
    const { page } = await open();
    await waitForSynced(page, 3);
    proxy.cut();
    await page.waitForSelector("[data-connection='reconnecting'] .banner");
    // Rows are drawn with the next frame.
    await waitUntil("rows that are not synced", async () =>
      (await shownPrices(page)).every((entry) => entry.state !== "synced"),
    );
    const frozen = await shownPrices(page);
    expect(frozen).not.toEqual([]);
    expect(await page.innerText(".banner")).toContain("Reconnecting");
    await waitForCount(page, "tr[data-live='false'][data-well='false']", frozen.length);
    await expect.poll(() => proxy.refused, { timeout: PATIENCE_MS }).toBeGreaterThan(0);
    proxy.mend();
    await page.waitForSelector("[data-connection='open']", { timeout: PATIENCE_MS });
    expect(await page.locator(".banner").count()).toBe(0);
    await waitForSynced(page, 3);
    const compared = await compareBestPrices(page, offers);
    expect(compared.different).toEqual([]);
    expect(compared.equal).toBeGreaterThan(compared.read / 2);
    await page.close();
  });

  test("filters, opens, compares and comes back when only keys are pressed", async () => {
    const { page, troubles } = await open();
    await waitForSynced(page, 3);
    await page.keyboard.press("/");
    await page.keyboard.type("kraken");
    await waitUntil("rows of Kraken only", async () =>
      (await rowNames(page)).every((name) => name.startsWith("kraken:")),
    );
    const [first = "", second = ""] = await rowNames(page);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    expect(await page.evaluate(() => document.activeElement?.closest("tr")?.getAttribute("data-row"))).toBe(second);
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".heat .cells");
    expect(await page.evaluate(() => location.hash)).toBe(`#/${first}`);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await waitForCount(page, ".rows tbody tr", 3);
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    await page.keyboard.press("Escape");
    await waitUntil("the help to be closed", async () => (await page.locator("dialog[open]").count()) === 0);
    await page.keyboard.press("2");
    await page.waitForSelector(".pair_view .card");
    await page.keyboard.press("3");
    await page.waitForSelector(".system .tile");
    await page.keyboard.press("1");
    await page.waitForSelector(".overview");
    expect(troubles).toEqual([]);
    await page.close();
  });

  test("follows the system's colours until somebody presses t, and keeps that", async () => {
    const { page } = await open("", { scheme: "light" });
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    expect(await theme()).toBe("light");
    await page.emulateMedia({ colorScheme: "dark" });
    await waitUntil("dark", async () => (await theme()) === "dark");
    await page.keyboard.press("t");
    expect(await theme()).toBe("light");
    await page.reload();
    await page.waitForSelector(".top_bar");
    expect(await theme()).toBe("light");
    await page.close();
  });

  test("marks the exchanges with the best prices of a pair when it is on several", async () => {
    const { page, troubles } = await open("#/pair/BTC-USD");
    await waitForCount(page, ".card[data-live='true'] .level:not([hidden])", 20);
    await waitForCount(page, ".card[data-best~='bid']", 1);
    await waitForCount(page, ".card[data-best~='ask']", 1);
    const { cards, best } = await page.evaluate(() => ({
      cards: [...document.querySelectorAll(".card")].map((card) => ({
        best: card.getAttribute("data-best") ?? "",
        bid: Number(card.querySelector("[data-best-bid]")?.getAttribute("data-best-bid")),
        ask: Number(card.querySelector("[data-best-ask]")?.getAttribute("data-best-ask")),
      })),
      best: [...document.querySelectorAll(".cross_prices .price")].map((price) => Number(price.textContent)),
    }));
    expect(cards.find((card) => card.best.includes("bid"))?.bid).toBe(Math.max(...cards.map((card) => card.bid)));
    expect(cards.find((card) => card.best.includes("ask"))?.ask).toBe(Math.min(...cards.map((card) => card.ask)));
    expect(best).toEqual([Math.max(...cards.map((card) => card.bid)), Math.min(...cards.map((card) => card.ask))]);
    await waitForCount(page, ".matrix td[data-crossed]", 2);
    expect(troubles).toEqual([]);
    await page.close();
  });

  test("has no horizontal scroll when the screen is a phone's", async () => {
    for (const viewport of [PHONE, NARROW]) {
      for (const hash of ["", "#/kraken:BTC-USD", "#/pair/BTC-USD", "#/system"]) {
        const { page, troubles } = await open(hash, { viewport });
        await page.waitForSelector(":is(.rows, .heat, .matrix, .exchanges)");
        await page.waitForTimeout(700);
        expect(await widthBeyond(page), `${hash} at ${viewport.width} px`).toBe(0);
        expect(troubles).toEqual([]);
        await page.close();
      }
    }
  });
});

async function rowNames(page: Page): Promise<string[]> {
  return await page.evaluate(() =>
    [...document.querySelectorAll("[data-row]")].map((row) => row.getAttribute("data-row") ?? ""),
  );
}

/** Reads the page for some seconds and judges every version that the log knows. */
async function compareBestPrices(page: Page, offers: BestOfferLog) {
  const versions = new Map<string, Set<string>>();
  const prices = new Map<string, Set<string>>();
  const readings: Shown[] = [];
  for (let round = 0; round < 40; round += 1) {
    readings.push(...(await shownPrices(page)).filter((entry) => entry.state === "synced"));
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

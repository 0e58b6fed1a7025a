/**
 * The view of arbitrage in a real Chromium against the real demo without fees, where books of three exchanges cross now and
 * then: what it shows is what the stream told, reached and walked by keys alone, dark and light, on a phone.
 * Bad case: fees that eat everything, or arbitrage that is switched off: the view says which.
 */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { connect, type StreamClient } from "../../src/client/mod.ts";
import type { WebSocketClass } from "../../src/client/socket.ts";
import { hasChromium, NARROW, openPage, PATIENCE_MS, PHONE, startBrowser, widthBeyond } from "./dashboard_rig.ts";
import { DemoProcess } from "./demo_process.ts";

const EXCHANGES = ["kraken", "coinbase_exchange", "binance"];
const FREE = [
  ...EXCHANGES.flatMap((exchange) => ["--set", `arbitrage.fees_bps.${exchange}=0`]),
  ...["--set", "arbitrage.equivalents=USD=USDT"],
];

describe.skipIf(!hasChromium())("The view of arbitrage", () => {
  let browser: Browser;
  let demo: DemoProcess | undefined;
  let client: StreamClient | undefined;

  beforeAll(async () => {
    browser = await startBrowser();
  });

  afterEach(async () => {
    client?.close();
    await demo?.stop();
    client = undefined;
    demo = undefined;
  });

  afterAll(async () => {
    await browser?.close();
  });

  test("shows what the stream tells: open ones with size, profit and lifetime, then closed ones with the reason", async () => {
    demo = await DemoProcess.start(...FREE);
    const told = new Map<number, { profits: Set<string>; reason: string }>();
    client = connect(`ws://127.0.0.1:${demo.port}/ws`, { WebSocket: WebSocket as unknown as WebSocketClass });
    client.on((event) => {
      if (event.type === "opportunity") {
        const one = told.get(event.opportunity.id) ?? { profits: new Set(), reason: "none" };
        one.profits.add(`${event.opportunity.profit} ${event.opportunity.currency}`);
        told.set(event.opportunity.id, { ...one, reason: event.reason });
      }
    });
    client.subscribe({ channels: ["arbitrage"], instruments: [] });
    const { page, troubles } = await openPage(browser, `${demo.url}/`);
    await page.waitForSelector("[data-connection='open']");
    await page.keyboard.press("4");
    await page.waitForSelector(".arbitrage[data-state='live']");
    expect(await page.getAttribute("nav a[aria-current='page']", "href")).toBe("#/arbitrage");
    await page.waitForSelector("[aria-label='Open opportunities'] tr[data-opportunity]", { timeout: PATIENCE_MS });
    await page.waitForSelector("[aria-label='Closed opportunities'] tr[data-opportunity]", { timeout: PATIENCE_MS });
    const rows = await page.evaluate(() =>
      [...document.querySelectorAll("[aria-label='Closed opportunities'] tr[data-opportunity]")].map((row) => ({
        id: Number(row.getAttribute("data-opportunity")),
        profit: row.querySelector("[data-head='Profit']")?.getAttribute("title") ?? "",
        reason: row.querySelector("[data-head='Because']")?.textContent ?? "",
        lasted: row.querySelector("[data-head='Lasted']")?.textContent ?? "",
        trades: row.querySelectorAll(".leg").length,
      })),
    );
    for (const { id, profit, reason, lasted, trades } of rows.filter((row) => told.has(row.id))) {
      expect(told.get(id)?.profits).toContain(profit);
      expect(reason).toBe(told.get(id)?.reason.replaceAll("_", " "));
      expect(lasted).toMatch(/^[\d.]+ (ms|s|min)/);
      expect(trades).toBe(2);
    }
    expect(rows.some(({ id }) => told.has(id))).toBe(true);
    await page.keyboard.press("ArrowDown");
    expect(await page.evaluate(() => document.activeElement?.className)).toBe("route");
    await page.keyboard.press("Enter");
    await page.waitForSelector("[data-view='instrument']");
    expect(troubles).toEqual([]);
    await page.close();
    for (const viewport of [PHONE, NARROW]) {
      for (const scheme of ["dark", "light"] as const) {
        const narrow = await openPage(browser, `${demo.url}/#/arbitrage`, { viewport, scheme });
        await narrow.page.waitForSelector("tr[data-opportunity]", { timeout: PATIENCE_MS });
        expect(await widthBeyond(narrow.page)).toBe(0);
        expect(narrow.troubles).toEqual([]);
        await narrow.page.close();
      }
    }
  });

  test("says that fees eat everything, when they do", async () => {
    demo = await DemoProcess.start();
    const { page } = await openPage(browser, `${demo.url}/#/arbitrage`);
    await page.waitForSelector(".arbitrage[data-state='live']", { timeout: PATIENCE_MS });
    expect(await page.innerText("[aria-label='Open opportunities']")).toContain("Nothing crosses after fees");
    await page.close();
  });

  test("says that arbitrage is switched off, when it is", async () => {
    demo = await DemoProcess.start("--set", "arbitrage.enabled=false");
    const { page } = await openPage(browser, `${demo.url}/#/arbitrage`);
    await page.waitForSelector(".arbitrage[data-state='refused']", { timeout: PATIENCE_MS });
    expect(await page.innerText(".arbitrage")).toContain("switched off");
    await page.close();
  });
});

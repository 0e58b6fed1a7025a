/**
 * The explorer of the REST API in a real Chromium, under its strict policy and without anything from elsewhere: it shows
 * every operation of the document, and a request that is made in it is answered with the gateway's book.
 */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dashboardFolder } from "../../src/assets.ts";
import { OPERATIONS } from "../../src/rest/operations.ts";
import { until } from "../integration/gateway_market.ts";
import { BTC, closeAll, startMarket, wideBook } from "../integration/gateway_rig.ts";
import { hasChromium, openPage, PATIENCE_MS, startBrowser } from "./dashboard_rig.ts";

describe.skipIf(!hasChromium())("Explorer", () => {
  let browser: Browser;
  let url = "";
  let beats: NodeJS.Timeout | undefined;

  beforeAll(async () => {
    const market = startMarket();
    const producer = market.produce();
    producer.snapshot("BTC-USD", wideBook(20));
    const gateway = await market.serve({ dashboardFolder: dashboardFolder() });
    await until("a synced book", () => gateway.book(BTC)?.synced === true);
    beats = setInterval(() => producer.beat(), 100);
    browser = await startBrowser();
    url = `${gateway.url}/api/v1/docs`;
  });

  afterAll(async () => {
    clearInterval(beats);
    await browser?.close();
    await closeAll();
  });

  test("shows every operation and performs a request when somebody presses Execute", async () => {
    const { page, troubles } = await openPage(browser, url);
    await page.waitForSelector(".opblock", { timeout: PATIENCE_MS });
    expect(await page.locator(".opblock").count()).toBe(Object.keys(OPERATIONS).length);
    const operation = page.locator("#operations-market-getOrderBook");
    await operation.locator(".opblock-summary-control").click();
    const field = (name: string) => operation.locator(`tr[data-param-name="${name}"] input`);
    await field("exchange").fill("coinbase_exchange");
    await field("symbol").fill("BTC-USD");
    await operation.locator("button.execute").click();
    const status = operation.locator(".live-responses-table tr.response .response-col_status");
    await status.waitFor({ timeout: PATIENCE_MS });
    expect((await status.innerText()).trim()).toMatch(/^200/);
    expect(await operation.locator(".live-responses-table .highlight-code").first().innerText()).toContain(BTC);
    expect(troubles).toEqual([]);
  });

  test("feeds the page's system view, which shows the process and its collectors", async () => {
    const { page, troubles } = await openPage(browser, `${url.replace("/api/v1/docs", "")}/#/system`);
    const panel = page.locator('section[aria-label="Process"]');
    await panel.locator(".tile").first().waitFor({ timeout: PATIENCE_MS });
    expect(await panel.locator("h3").innerText()).toMatch(/Process: (ok|degraded)/i);
    expect(await panel.innerText()).toMatch(/coinbase_exchange\s+connected/i);
    expect(troubles).toEqual([]);
  });

  test("lets nothing in from elsewhere and no inline script", async () => {
    const answer = await fetch(url);
    const policy = answer.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    expect(await answer.text()).not.toMatch(/https?:/);
  });
});

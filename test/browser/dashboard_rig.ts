/**
 * What the dashboard's tests share: a Chromium, pages that count whatever goes wrong in them, waiting, and reading what a
 * page shows in one go. Bad case: no Chromium on this machine: `hasChromium` is false and the tests say that they skip.
 */
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";
import { CHROMIUM_FLAGS, chromiumPath } from "../support/chromium.ts";
import { optionalPart } from "../support/require.ts";
import { checkPages, witnessPage } from "../support/server_messages.ts";

const FLAGS = [
  ...CHROMIUM_FLAGS,
  "--headless",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Sizes of screens. */
export const DESKTOP = { width: 1440, height: 980 };
/** A phone. */
export const PHONE = { width: 390, height: 844 };
/** A small phone. */
export const NARROW = { width: 360, height: 740 };
/** How long a test waits for what must come. */
export const PATIENCE_MS = 20_000;

const path = chromiumPath();

afterAll(checkPages);

/** Whether there is a Chromium; to be asked once per file. */
export function hasChromium(): boolean {
  return optionalPart("Chromium", path !== undefined);
}

/** Starts a Chromium. */
export async function startBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: path ?? "", args: FLAGS });
}

/** Where and how a page is opened. */
export type PageOptions = {
  viewport?: { width: number; height: number };
  scheme?: "dark" | "light";
};

/** Opens a page; errors, warnings and requests to elsewhere are collected. */
export async function openPage(browser: Browser, url: string, options: PageOptions = {}) {
  const { viewport = DESKTOP, scheme = "dark" } = options;
  const deviceScaleFactor = viewport.width < 500 ? 2 : 1;
  const page = await browser.newPage({ viewport, colorScheme: scheme, deviceScaleFactor });
  const troubles: string[] = [];
  witnessPage(page);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      troubles.push(message.text());
    }
  });
  page.on("pageerror", (error) => troubles.push(error.stack ?? error.message));
  page.on("request", (request) => {
    if (new URL(request.url()).port !== new URL(url).port) {
      troubles.push(`fetched ${request.url()}`);
    }
  });
  await page.goto(url);
  return { page, troubles };
}

/** What one element of best prices shows. */
export type Shown = { instrument: string; bid: string; ask: string; version: string; state: string };

/** Reads all elements of best prices in one go, so that the values of each belong together. */
export async function shownPrices(page: Page): Promise<Shown[]> {
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

/** Waits until instruments of at least so many exchanges are synced. */
export async function waitForSynced(page: Page, exchanges: number): Promise<void> {
  await waitUntil(`${exchanges} exchanges to be synced`, async () => {
    const synced = (await shownPrices(page)).filter((entry) => entry.state === "synced" && entry.bid !== "");
    return new Set(synced.map((entry) => entry.instrument.split(":")[0])).size >= exchanges;
  });
}

/** Waits until so many elements match. Not by waitForFunction, which the policy of the page forbids. */
export async function waitForCount(page: Page, selector: string, least: number): Promise<void> {
  await waitUntil(`${least} × ${selector}`, async () => (await page.locator(selector).count()) >= least);
}

/** Waits until something holds. @throws Error after PATIENCE_MS, naming it */
export async function waitUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) {
      throw new Error(`Cannot wait any longer for ${what}: was not so for ${PATIENCE_MS} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** CSS pixels by which the page is wider than the screen. */
export async function widthBeyond(page: Page): Promise<number> {
  return await page.evaluate(() => Math.max(document.documentElement.scrollWidth - innerWidth, 0));
}

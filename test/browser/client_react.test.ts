/**
 * The React hooks in a real Chromium, by the React example: a moving book renders at frame rate and not at tick rate, hooks
 * of one view share a subscription, and what is shown is the gateway's book.
 * Bad case: a page that renders once per tick; 1,500 changes a second would be 1,500 renders.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { chromiumPath } from "../support/chromium.ts";
import { optionalPart } from "../support/require.ts";
import { INSTRUMENTS, launchBrowser, MovingMarket, openPage, PageServer } from "./client_rig.ts";

const PATIENCE_MS = 30_000;
const EVENTS_PER_SECOND = 1500;
const MEASURED_MS = 2000;
const [INSTRUMENT] = INSTRUMENTS;

type PageScope = { renders: { ladder: number; trades: number }; frames: number };

describe.skipIf(!optionalPart("Chromium", chromiumPath() !== undefined))("The React hooks", () => {
  let pages: PageServer;
  let browser: Browser;
  let moving: MovingMarket;

  beforeAll(async () => {
    moving = new MovingMarket();
    await moving.market.serve();
    moving.rest();
    pages = await PageServer.start();
    pages.serve("/index.html", readFileSync(join(packageFolder(), "src/react/examples/index.html"), "utf8"));
    pages.serve("/app.js", await bundledExample());
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await pages?.close();
    await moving?.close();
  });

  it("render at frame rate, share subscriptions and end with the gateway's book", async () => {
    const stream = new URL(moving.market.streamUrl).host;
    const { page, troubles } = await openPage(
      browser,
      `${pages.origin}/index.html?instrument=${INSTRUMENT}&gateway=${stream}`,
    );
    await page.waitForSelector("#ladder[data-state='synced']", { timeout: PATIENCE_MS });
    expect(await page.getAttribute("#connection", "data-state")).toBe("open");
    await page.evaluate(countFrames);
    moving.move(EVENTS_PER_SECOND);
    await rest(MEASURED_MS / 2);
    const [before, ticksBefore] = [await rendered(page), moving.events];
    await rest(MEASURED_MS);
    const [after, ticksAfter] = [await rendered(page), moving.events];
    const ladders = after.renders.ladder - before.renders.ladder;
    const frames = after.frames - before.frames;
    expect(ladders).toBeGreaterThan(3);
    expect(ladders).toBeLessThanOrEqual(frames + 2);
    expect(after.renders.trades - before.renders.trades).toBeLessThanOrEqual(frames + 2);
    expect(ticksAfter - ticksBefore).toBeGreaterThan(ladders * 2);
    moving.rest();
    await expect.poll(() => shown(page), { timeout: PATIENCE_MS }).toEqual(expectedLadder(moving));
    expect(await page.locator("#tape li").count()).toBe(20);
    expect(await page.innerText("#bbo")).toMatch(/^\d+(\.\d+)? \/ \d+(\.\d+)?$/);
    const still = (await rendered(page)).renders.ladder;
    await rest(300);
    expect((await rendered(page)).renders.ladder).toBe(still);
    expect(troubles).toEqual([]);
  });
});

/** The example as a bundler makes it, with the library as it is built. */
async function bundledExample(): Promise<string> {
  const folder = packageFolder();
  const built = await build({
    entryPoints: [join(folder, "src/react/examples/app.jsx")],
    bundle: true,
    format: "esm",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    alias: { "alphapulse/react": join(folder, "dist/react.js") },
    write: false,
  });
  return built.outputFiles[0]?.text ?? "";
}

/** Counts the page's animation frames from now on. */
function countFrames(): void {
  const scope = globalThis as unknown as PageScope;
  scope.frames = 0;
  const count = () => {
    scope.frames += 1;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);
}

async function rendered(page: Page): Promise<PageScope> {
  return await page.evaluate(() => {
    const { renders, frames } = globalThis as unknown as PageScope;
    return { renders: { ...renders }, frames };
  });
}

async function shown(page: Page): Promise<(string | null)[][]> {
  return await page.evaluate(() =>
    [...document.querySelectorAll("#ladder tr")].map((row) => [...row.children].map(({ textContent }) => textContent)),
  );
}

function expectedLadder(moving: MovingMarket): string[][] {
  const book = moving.market.gateway?.book(INSTRUMENT, 10);
  return (book?.bids ?? []).map(([price, quantity], rank) => {
    const [askPrice = "", askQuantity = ""] = book?.asks[rank] ?? [];
    return [quantity, price, askPrice, askQuantity];
  });
}

async function rest(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Every view in dark, light and on a phone, with a busy market of four exchanges: no trouble, nothing beyond the screen's
 * width. With ALPHAPULSE_SCREENSHOTS naming a folder the market runs for a minute first and the pictures of the README are
 * written there: `ALPHAPULSE_SCREENSHOTS=src/dashboard/screenshots npx vitest run test/browser/dashboard_pictures.test.ts`.
 * Bad case: a picture of more than 300 kB, which a README should not load: the test fails and names it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withPalette } from "./dashboard_png.ts";
import { DESKTOP, hasChromium, openPage, PHONE, startBrowser, waitForCount, widthBeyond } from "./dashboard_rig.ts";
import { DemoProcess } from "./demo_process.ts";

const folder = process.env.ALPHAPULSE_SCREENSHOTS;
const HISTORY_MS = folder === undefined ? 2_000 : 75_000;
const SETTLE_MS = folder === undefined ? 300 : 4_000;
const BYTES_MAX = 300_000;
const DOLLAR_EXCHANGES = ["coinbase_exchange", "kraken", "binance_us"];
const SYMBOLS = ["BTC", "ETH", "SOL"].flatMap((base) => [
  ...DOLLAR_EXCHANGES.map((exchange) => `${exchange}:${base}-USD`),
  `binance:${base}-USDT`,
]);
const INSTRUMENT = "#/coinbase_exchange:BTC-USD";

type View = { suffix: string; hash: string; ready: string };
const VIEWS: readonly View[] = [
  { suffix: "_detail", hash: INSTRUMENT, ready: ".heat[data-slot]" },
  { suffix: "_pair", hash: "#/pair/BTC-USD", ready: ".card[data-best~='bid']" },
  { suffix: "_system", hash: "#/system", ready: ".exchanges tbody tr" },
  { suffix: "", hash: "#/", ready: ".rows tbody tr" },
];

/** Views that say nothing that another picture does not. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "dashboard_system_light",
  "dashboard_phone_detail",
  "dashboard_phone_light",
  "dashboard_phone_pair_light",
  "dashboard_phone_system",
  "dashboard_phone_system_light",
]);

describe.skipIf(!hasChromium())("Pictures", () => {
  let demo: DemoProcess;
  let browser: Browser;

  beforeAll(async () => {
    const exchanges = [...DOLLAR_EXCHANGES, "binance"].join();
    demo = await DemoProcess.start("--exchange", exchanges, "--symbols", SYMBOLS.join(), "--rate", "3", "--seed", "5");
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await demo?.stop();
  });

  const screens = [
    { name: "dashboard", viewport: DESKTOP, schemes: ["dark", "light"] },
    { name: "dashboard_phone", viewport: PHONE, schemes: ["dark", "light"] },
  ] as const;
  for (const { name, viewport, schemes } of screens) {
    test(`${name} shows every view in dark and light without trouble when the market moves`, {
      timeout: 300_000,
    }, async () => {
      const { page, troubles } = await openPage(browser, `${demo.url}/${INSTRUMENT}`, { viewport });
      await waitForCount(page, ".heat[data-slot]", 1);
      await page.waitForTimeout(HISTORY_MS);
      for (const scheme of schemes) {
        await page.emulateMedia({ colorScheme: scheme });
        for (const view of VIEWS) {
          await show(page, view);
          expect(await widthBeyond(page), `${name}${view.suffix}`).toBe(0);
          await takePicture(page, `${name}${view.suffix}${scheme === "light" ? "_light" : ""}`);
        }
      }
      expect(troubles).toEqual([]);
      await page.close();
    });
  }
});

async function show(page: Page, { hash, ready, suffix }: View): Promise<void> {
  await page.evaluate((address) => {
    location.hash = address;
  }, hash);
  await waitForCount(page, ready, 1);
  await page.waitForTimeout(SETTLE_MS);
  await page.mouse.move(0, 0);
  const width = page.viewportSize()?.width ?? 0;
  if (suffix === "_detail" && width > PHONE.width) {
    await page.hover(".heat .overlay", { position: { x: 640, y: 150 } });
    await page.waitForTimeout(500);
  }
}

async function takePicture(page: Page, name: string): Promise<void> {
  if (folder === undefined || LEFT_OUT.has(name)) {
    return;
  }
  const path = join(folder, `${name}.png`);
  mkdirSync(folder, { recursive: true });
  const picture = withPalette(await page.screenshot());
  writeFileSync(path, picture);
  expect(picture.length, path).toBeLessThan(BYTES_MAX);
}

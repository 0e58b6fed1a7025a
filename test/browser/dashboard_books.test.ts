/**
 * What the instrument view paints against the same book at the same version, as an independent client in Node holds it:
 * every cell of heat map columns by its pixels, cells under the pointer by their reading, the ladder row by row, the depth
 * chart's sums. Also that a book which is not synced is never shown as if it were.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEPTH_LEVELS } from "../../src/dashboard/depth_history.ts";
import { heatStep } from "../../src/dashboard/heat_grid.ts";
import { heatColours } from "../../src/dashboard/heat_map.ts";
import { palette } from "../../src/dashboard/theme.ts";
import { CutProxy } from "./cut_proxy.ts";
import { BookLog, type LoggedBook, units } from "./dashboard_book_log.ts";
import { hasChromium, openPage, PATIENCE_MS, startBrowser, waitUntil } from "./dashboard_rig.ts";
import { DemoProcess } from "./demo_process.ts";

const INSTRUMENT = "coinbase_exchange:BTC-USD";
const COLOURS = heatColours(palette.get()).map((colour) => colour.join());
const UNKNOWN_COLOUR = rgb(palette.get().heatUnknown);

/** A painted column: the cell pointed at as read, and the colours of all rows, taken at one moment. */
type PaintedColumn = {
  reading: Record<string, string>;
  map: Record<string, string>;
  colours: string[];
};

describe.skipIf(!hasChromium())("Instrument view", () => {
  let demo: DemoProcess;
  let proxy: CutProxy;
  let log: BookLog;
  let browser: Browser;

  beforeAll(async () => {
    demo = await DemoProcess.start("--rate", "2");
    proxy = await CutProxy.start(demo.port);
    browser = await startBrowser();
    await waitUntil(`a book of ${INSTRUMENT}`, async () => {
      log?.close();
      log = await BookLog.start(demo.port, INSTRUMENT);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return log.exponents.price > 0;
    });
  });

  afterAll(async () => {
    await browser?.close();
    log?.close();
    await proxy?.close();
    await demo?.stop();
  });

  async function openInstrument(columns: number) {
    const opened = await openPage(browser, `http://127.0.0.1:${proxy.port}/#/${INSTRUMENT}`);
    const { page } = opened;
    const known = () => page.evaluate(() => Number(document.querySelector<HTMLElement>(".heat")?.dataset.slot ?? 0));
    await waitUntil("a heat map", async () => (await known()) > 0);
    const first = await known();
    await waitUntil(`${columns} columns`, async () => (await known()) > first + columns);
    return opened;
  }

  test("paints each heat map cell in the colour of its exact quantity when columns have passed", async () => {
    const { page, troubles } = await openInstrument(30);
    let compared = 0;
    const versions = new Set<string>();
    for (let back = 2; back < 30; back += 4) {
      const column = await paintedColumn(page, { back, row: 5 + back });
      const { version = "" } = column.reading;
      const book = version === "" ? undefined : log.at(BigInt(version));
      if (book !== undefined && column.map.isWhole === "true") {
        expectCellToBe(column, book);
        compared += expectColoursToBe(column, book);
        versions.add(version);
      }
    }
    expect(versions.size).toBeGreaterThan(2);
    expect(compared).toBeGreaterThan(300);
    console.log(`heat map: ${compared} cells of ${versions.size} versions equal the book`);
    expect(troubles).toEqual([]);
    await page.close();
  });

  test("shows in the ladder the levels and exact totals of the book when it moves", async () => {
    const { page } = await openInstrument(2);
    let compared = 0;
    for (let round = 0; round < 20; round += 1) {
      const { version, bids, asks } = await readLadder(page);
      const book = log.at(BigInt(version));
      if (book !== undefined) {
        expect(bids, `bids at ${version}`).toEqual(ladderOf(book.bids, bids.length));
        expect(asks, `asks at ${version}`).toEqual(ladderOf(book.asks, asks.length));
        compared += 1;
      }
      await page.waitForTimeout(100);
    }
    expect(compared).toBeGreaterThan(5);
    await page.close();

    function ladderOf(levels: LoggedBook["bids"], rows: number) {
      let total = 0n;
      return levels.slice(0, rows).map(({ tick, lots }) => {
        total += lots;
        return [tick, lots, total].map(String);
      });
    }
  });

  test("reads exact cumulative quantities off the depth chart when the pointer is over it", async () => {
    const { page } = await openInstrument(2);
    let compared = 0;
    for (const share of [0.1, 0.3, 0.45, 0.6, 0.75, 0.9]) {
      const box = await page.locator(".depth_canvas").boundingBox();
      await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) * share, (box?.y ?? 0) + 40);
      await page.waitForTimeout(300);
      const { version, text } = await page.evaluate(() => ({
        version: document.querySelector<HTMLElement>(".depth")?.dataset.version ?? "",
        text: document.querySelector(".depth_reading")?.textContent ?? "",
      }));
      const match = /^(bids from|asks up to) ([\d.]+): {2}([\d.]+)$/.exec(text);
      const book = log.at(BigInt(version));
      if (book !== undefined && match !== null) {
        const { price, quantity } = log.exponents;
        const tick = units(match[2] ?? "", price);
        const side =
          match[1] === "bids from"
            ? book.bids.filter((it) => it.tick >= tick)
            : book.asks.filter((it) => it.tick <= tick);
        expect(units(match[3] ?? "", quantity), text).toBe(side.reduce((sum, level) => sum + level.lots, 0n));
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(2);
    await page.close();
  });

  test("greys the book, says why and paints a hole when the connection is lost", async () => {
    const { page } = await openInstrument(10);
    proxy.cut();
    await page.waitForSelector(".instrument[data-live='false'] .trouble_line");
    expect(await page.innerText(".trouble_line")).toContain("Not synced: the connection is lost");
    await page.waitForSelector(".best_prices:not([data-state='synced'])");
    const opacity = () => page.evaluate(() => getComputedStyle(document.querySelector(".ladder") as Element).opacity);
    await expect.poll(async () => Number(await opacity()), { timeout: PATIENCE_MS }).toBeLessThan(0.7);
    await page.waitForTimeout(1_500);
    const hole = await paintedColumn(page, { back: 1, row: 3 });
    expect(hole.reading.version).toBe("");
    expect(new Set(hole.colours)).toEqual(new Set([rgb(palette.get().heatHole)]));
    expect(await page.innerText(".depth_reading")).toBe("not synced");
    proxy.mend();
    await page.waitForSelector(".instrument[data-live='true']", { timeout: 20_000 });
    await page.close();
  });
});

/** Points at a cell so many columns before the newest and takes everything that belongs to it in one go. */
async function paintedColumn(page: Page, { back, row }: { back: number; row: number }): Promise<PaintedColumn> {
  const box = await page.locator(".heat .overlay").boundingBox();
  const size = await page.evaluate(() => ({ ...document.querySelector<HTMLElement>(".heat")?.dataset }));
  const { columns = "0", cellWidth = "1", cellHeight = "1" } = size;
  const x = (Number(columns) - 1 - back + 0.5) * Number(cellWidth);
  await page.mouse.move((box?.x ?? 0) + x, (box?.y ?? 0) + (row + 0.5) * Number(cellHeight));
  await page.waitForTimeout(60);
  return await page.evaluate(() => {
    const element = document.querySelector<HTMLElement>(".heat");
    const canvas = element?.querySelector<HTMLCanvasElement>(".cells");
    const reading = { ...document.querySelector<HTMLElement>(".heat_reading")?.dataset } as Record<string, string>;
    const map = { ...element?.dataset } as Record<string, string>;
    const colours: string[] = [];
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas?.width ?? 1, canvas?.height ?? 1];
    const context = copy.getContext("2d", { willReadFrequently: true });
    if (canvas != null) {
      context?.drawImage(canvas, 0, 0);
    }
    const left = Number(reading.column ?? Number(map.columns) - 2) * Number(map.cellWidth);
    for (let row = 0; row < Number(map.rows); row += 1) {
      const middle = Math.floor((row + 0.5) * Number(map.cellHeight));
      colours.push([...(context?.getImageData(left, middle, 1, 1).data ?? [])].slice(0, 3).join());
    }
    return { reading, map, colours };
  });
}

/** The reading of the cell pointed at is the exact sum of its levels. */
function expectCellToBe({ reading, map }: PaintedColumn, book: LoggedBook): void {
  const low = BigInt(reading.lowTick ?? "0");
  const expected = sumBetween(book, low, low + BigInt(map.ticksPerRow ?? "1"));
  expect(reading.lots, `cell at ${low} of version ${reading.version}`).toBe(
    expected === undefined ? "unknown" : String(expected),
  );
}

/** Every row has the colour of its sum. @returns rows compared */
function expectColoursToBe({ map, colours, reading }: PaintedColumn, book: LoggedBook): number {
  const [low, step, rows] = [BigInt(map.lowTick ?? "0"), BigInt(map.ticksPerRow ?? "1"), Number(map.rows)];
  const expected = Array.from({ length: rows }, (_, row) => {
    const first = low + BigInt(rows - 1 - row) * step;
    const sum = sumBetween(book, first, first + step);
    return sum === undefined ? UNKNOWN_COLOUR : COLOURS[heatStep(Number(sum), Number(map.full))];
  });
  expect(colours, `colours of version ${reading.version}`).toEqual(expected);
  return rows;
}

/** The lots between two ticks; undefined where the page's recorded levels do not reach. */
function sumBetween({ bids, asks }: LoggedBook, low: bigint, end: bigint): bigint | undefined {
  const deepest = (side: LoggedBook["bids"]) => (side.length > DEPTH_LEVELS ? side[DEPTH_LEVELS - 1]?.tick : undefined);
  const [lowest, highest] = [deepest(bids), deepest(asks)];
  if ((lowest !== undefined && low < lowest) || (highest !== undefined && end - 1n > highest)) {
    return undefined;
  }
  const inside = [...bids, ...asks].filter(({ tick }) => tick >= low && tick < end);
  return inside.reduce((sum, { lots }) => sum + lots, 0n);
}

/** Ladder rows as ticks, lots and total lots, with the version they belong to. */
async function readLadder(page: Page) {
  const shown = await page.evaluate(() => {
    const rows = (side: string) =>
      [...document.querySelectorAll<HTMLElement>(`.deep .${side} .level`)]
        .filter((level) => !level.hidden)
        .map((level) =>
          ["price", "quantity", "total"].map((name) => level.querySelector(`.${name}`)?.textContent ?? ""),
        );
    const version = document.querySelector(".detail_head .best_prices")?.getAttribute("data-version") ?? "0";
    return { version, bids: rows("bids"), asks: rows("asks") };
  });
  const exact = (rows: string[][]) =>
    rows.map(([price = "", quantity = "", total = ""]) =>
      [units(price, 2), units(quantity, 8), units(total, 8)].map(String),
    );
  return { version: shown.version, bids: exact(shown.bids), asks: exact(shown.asks) };
}

function rgb(colour: string): string {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255].join();
}

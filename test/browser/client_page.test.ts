/**
 * The client in a real Chromium, in the page and in a Web Worker: books are followed through a server that restarts and a
 * network that cuts, delays, stalls and flips bits, and at the end they are the gateway's, level by level and by hash.
 * Bad case: a run without damage proves nothing; flips, stalls and cuts are counted.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { StreamClient } from "../../src/client/mod.ts";
import { FlipProxy } from "../integration/flip_proxy.ts";
import { freePort } from "../integration/gateway_market.ts";
import { chromiumPath } from "../support/chromium.ts";
import { optionalPart } from "../support/require.ts";
import { SeededRandom } from "../support/seeded_random.ts";
import { INSTRUMENTS, launchBrowser, MovingMarket, openPage, PageServer } from "./client_rig.ts";
import { CutProxy } from "./cut_proxy.ts";
import { StallProxy } from "./stall_proxy.ts";

const SEED = 20_261_122;
const PATIENCE_MS = 40_000;
const EVENTS_PER_SECOND = 200;
const TOP = 10;
const PAGE = `<!doctype html><title>books</title><script type="module">
import { connect } from "/client.js";
import { connectWorker } from "/client_worker.js";
const options = { timing: { firstDelayMs: 50, delayMsMax: 400, pingMs: 2000 } };
globalThis.follow = (url, isWorker, wishes) => {
  globalThis.client = isWorker ? connectWorker(url, options) : connect(url, options);
  globalThis.books = wishes.map(({ instrument, ...view }) => client.book(instrument, view));
};
globalThis.report = () => books.map(({ instrument, depth, rateMs, state, version, provedVersion, hash, bids, asks }) => (
  { instrument, depth, rateMs, state, version, provedVersion, hash, bids: bids.top(1e6), asks: asks.top(1e6) }));
globalThis.isReady = true;
</script>`;

type Reported = {
  instrument: string;
  depth: number;
  state: string;
  version: string;
  hash: number;
  bids: string[][];
  asks: string[][];
};
type PageScope = {
  isReady?: boolean;
  client: StreamClient;
  follow(url: string, isWorker: boolean, wishes: readonly object[]): void;
  report(): Reported[];
};

describe.skipIf(!optionalPart("Chromium", chromiumPath() !== undefined))("A page that follows books", () => {
  const closers: (() => Promise<void>)[] = [];
  let pages: PageServer;
  let browser: Browser;

  beforeAll(async () => {
    pages = await PageServer.start();
    pages.serve("/books.html", PAGE);
    browser = await launchBrowser();
  });

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) {
      await close();
    }
  });

  afterAll(async () => {
    await browser?.close();
    await pages?.close();
  });

  /** A page that follows both books whole, and the best levels of one. */
  async function follow(url: string, isWorker: boolean): Promise<{ page: Page; troubles: string[] }> {
    const opened = await openPage(browser, `${pages.origin}/books.html`);
    closers.push(() => opened.page.close());
    await until("the page", () => opened.page.evaluate(() => (globalThis as unknown as PageScope).isReady === true));
    const wishes = [
      ...INSTRUMENTS.map((instrument) => ({ instrument })),
      { instrument: INSTRUMENTS[0], depth: TOP },
      { instrument: INSTRUMENTS[0], depth: TOP, rateMs: 100 },
    ];
    await opened.page.evaluate(
      (given) => (globalThis as unknown as PageScope).follow(given.url, given.isWorker, given.wishes),
      { url, isWorker, wishes },
    );
    await until("all books", async () => (await report(opened.page)).every(({ state }) => state === "synced"));
    return opened;
  }

  function startMarket(): MovingMarket {
    const moving = new MovingMarket();
    closers.push(() => moving.close());
    return moving;
  }

  it.each([
    ["in the page", false],
    ["in a worker", true],
  ])("has the gateway's books after the server restarted %s", async (_where, isWorker) => {
    const moving = startMarket();
    const port = await freePort();
    await moving.market.serve({ port });
    moving.move(EVENTS_PER_SECOND);
    const { page, troubles } = await follow(`ws://127.0.0.1:${port}/ws`, isWorker);
    await moving.market.gateway?.close();
    await until("the loss", async () => (await report(page)).every(({ state }) => state === "connecting"));
    await moving.market.serve({ port });
    await until("all books again", async () => (await report(page)).every(({ state }) => state === "synced"));
    await rest(250);
    moving.rest();
    await untilEqual(page, moving);
    expect((await counts(page)).reconnects).toBeGreaterThan(0);
    expect(troubles).toEqual([]);
  });

  it.each([
    ["in the page", false],
    ["in a worker", true],
  ])("has the gateway's books after cuts, delays, stalls and flipped bits %s", async (_where, isWorker) => {
    const random = new SeededRandom(SEED);
    const chance = () => random.next() / 2 ** 32;
    const moving = startMarket();
    const gateway = await moving.market.serve();
    const flips = await FlipProxy.start(gateway.port, chance);
    const stalls = await StallProxy.start(flips.port, { delayMs: 5, share: 0.2, stallMs: 40, random: chance });
    const cuts = await CutProxy.start(stalls.port);
    closers.push(
      () => flips.close(),
      () => stalls.close(),
      () => cuts.close(),
    );
    moving.move(EVENTS_PER_SECOND);
    const { page, troubles } = await follow(`ws://127.0.0.1:${cuts.port}/ws`, isWorker);
    flips.share = 0.02;
    await rest(1500);
    for (let cut = 0; cut < 2; cut++) {
      cuts.cut();
      await rest(300);
      cuts.mend();
      await rest(1200);
    }
    await until("a resync", async () => (await counts(page)).resyncs > 0);
    flips.share = 0;
    await until("all books", async () => (await report(page)).every(({ state }) => state === "synced"));
    moving.rest();
    await untilEqual(page, moving);
    const { resyncs, reconnects } = await counts(page);
    expect(flips.flips).toBeGreaterThan(3);
    expect(stalls.stalls).toBeGreaterThan(20);
    expect(resyncs).toBeGreaterThan(0);
    expect(reconnects).toBeGreaterThan(1);
    expect(troubles).toEqual([]);
  });
});

async function report(page: Page): Promise<Reported[]> {
  return await page.evaluate(() => (globalThis as unknown as PageScope).report());
}

async function counts(page: Page): Promise<StreamClient["counts"]> {
  return await page.evaluate(() => ({ ...(globalThis as unknown as PageScope).client.counts }));
}

/** Waits until every book of the page is the gateway's. */
async function untilEqual(page: Page, moving: MovingMarket): Promise<void> {
  const differences = async () =>
    (await report(page)).flatMap(({ instrument, depth, state, version, hash, bids, asks }) => {
      const theirs = moving.market.gateway?.book(instrument, 100_000);
      const levels = depth === 0 ? 100_000 : depth;
      const wanted = [theirs?.bids.slice(0, levels), theirs?.asks.slice(0, levels)];
      const isSame = bids.length >= TOP && JSON.stringify(wanted) === JSON.stringify([bids, asks]);
      const isProved = depth > 0 || (hash === theirs?.hash && version === theirs.version);
      return isSame && isProved && state === "synced"
        ? []
        : [`${instrument} ${depth} ${state} ${version} ${theirs?.version}`];
    });
  await until("equal books", async () => (await differences()).length === 0).catch(() => undefined);
  expect(await differences()).toEqual([]);
}

async function rest(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) {
      throw new Error(`Cannot wait any longer for ${what}: was not so for ${PATIENCE_MS} ms`);
    }
    await rest(30);
  }
}

/**
 * What the client's browser tests need: a market with a gateway in this process, a server of pages and built bundles, and a
 * Chromium page that keeps what it complained of. Bad case: a bundle that was not built; the page server says which.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { type Level, Market, type Producer } from "../integration/gateway_market.ts";
import { CHROMIUM_FLAGS, chromiumPath } from "../support/chromium.ts";
import { checkPages, witnessPage } from "../support/server_messages.ts";

const FLAGS = [...CHROMIUM_FLAGS, "--headless", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const TYPES: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript" };
const BUNDLES = ["client.js", "client_worker.js", "client_worker_script.js", "react.js"];
const LEVELS = 150;

afterAll(checkPages);

/** The instruments of the market. */
export const INSTRUMENTS = ["coinbase_exchange:BTC-USD", "coinbase_exchange:ETH-USD"] as const;
export const NATIVES = ["BTC-USD", "ETH-USD"] as const;

/** Serves built bundles and texts. */
export class PageServer {
  readonly #server: Server;
  readonly #texts = new Map<string, string>();

  static async start(): Promise<PageServer> {
    const pages = new PageServer();
    await new Promise<void>((resolve) => {
      pages.#server.listen(0, "127.0.0.1", resolve);
    });
    return pages;
  }

  constructor() {
    for (const name of BUNDLES) {
      const path = join(packageFolder(), "dist", name);
      if (existsSync(path)) {
        this.#texts.set(`/${name}`, readFileSync(path, "utf8"));
      }
    }
    this.#server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://x").pathname;
      const text = path === "/favicon.ico" ? "" : this.#texts.get(path);
      const type = TYPES[path.split(".").at(-1) ?? ""] ?? "text/plain";
      response.writeHead(text === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` });
      response.end(text ?? `Cannot serve ${path}: not built, run npm run build`);
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Serves a text under a path. */
  serve(path: string, text: string): void {
    this.#texts.set(path, text);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Starts a Chromium. */
export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: chromiumPath() ?? "", args: FLAGS });
}

/** Opens a page. `troubles` are its errors and warnings but for lost connections. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; troubles: string[] }> {
  const page = await browser.newPage();
  const troubles: string[] = [];
  witnessPage(page);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !message.text().includes("WebSocket connection")) {
      troubles.push(message.text());
    }
  });
  page.on("pageerror", (error) => troubles.push(error.message));
  await page.goto(url);
  return { page, troubles };
}

/** A market that moves until it is told to rest. */
export class MovingMarket {
  readonly market = new Market();
  readonly producer: Producer;
  #events = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.producer = this.market.produce({ natives: NATIVES });
    for (const native of NATIVES) {
      this.producer.snapshot(native, wideBook());
    }
  }

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  /** Moves both books so many times a second. */
  move(perSecond: number): void {
    clearInterval(this.#timer);
    const everyMs = 20;
    const count = Math.max(1, Math.round((perSecond * everyMs) / 1000));
    this.#timer = setInterval(() => {
      for (let index = 0; index < count; index++) {
        this.step();
      }
    }, everyMs);
  }

  /** One event of each book, and now and then a trade. */
  step(): void {
    const event = this.#events++;
    for (const native of NATIVES) {
      const step = 1 + ((event * 7) % LEVELS);
      const size = String(1 + (event % 13));
      this.producer.update(native, [
        ["buy", (1000 - step / 100).toFixed(2), event % 3 === 0 ? "0" : size],
        ["sell", (1000 + (step + 1) / 100).toFixed(2), event % 4 === 0 ? "0" : size],
      ]);
    }
    if (event % 10 === 0) {
      this.producer.trade("BTC-USD", { price: "1000.01", size: "0.5" });
    }
  }

  /** Moves no more, and goes on living. */
  rest(): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.producer.beat(), 50);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.market.close();
  }
}

function wideBook(): { bids: Level[]; asks: Level[] } {
  const steps = Array.from({ length: LEVELS }, (_, index) => index);
  return {
    bids: steps.map((index) => [(1000 - (index + 1) / 100).toFixed(2), String(1 + (index % 7))]),
    asks: steps.map((index) => [(1000 + (index + 1) / 100).toFixed(2), String(2 + (index % 5))]),
  };
}

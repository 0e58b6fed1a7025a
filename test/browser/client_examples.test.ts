/**
 * The examples as their readers run them: the plain page in Chromium, served by the gateway, the scripts in Node and Deno, each against a moving
 * gateway. Bad case: an example that prints something else than the gateway's book; the last line is compared with it.
 */
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { chromiumPath } from "../support/chromium.ts";
import { optionalPart } from "../support/require.ts";
import { INSTRUMENTS, launchBrowser, MovingMarket, openPage } from "./client_rig.ts";

const FOLDER = packageFolder();
const PATIENCE_MS = 60_000;
const CHANGES = 12;
const [INSTRUMENT] = INSTRUMENTS;
const DENO = [process.env.ALPHAPULSE_DENO ?? "", join(FOLDER, "node_modules/.bin/deno")].find((path) =>
  existsSync(path),
);

type Line = { state: string; version: string; hash: number; bid: string[]; ask: string[]; trade?: string[] };

describe("The examples", () => {
  let moving: MovingMarket;
  let folder = "";

  beforeAll(async () => {
    moving = new MovingMarket();
    // What the build puts beside the dashboard, and the example's page.
    folder = mkdtempSync(join(tmpdir(), "alphapulse-examples-"));
    copyFileSync(join(FOLDER, "src/client/examples/page.html"), join(folder, "page.html"));
    copyFileSync(join(FOLDER, "dist/client.js"), join(folder, "client.js"));
    await moving.market.serve({ dashboardFolder: folder });
    moving.move(100);
  });

  afterAll(async () => {
    await moving?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("the script for Node follows a book", async () => {
    const lines = await run(process.execPath, [
      "src/client/examples/follow_node.mjs",
      moving.market.streamUrl,
      INSTRUMENT,
      `${CHANGES}`,
    ]);
    expectFollowed(lines);
  });

  it.skipIf(!optionalPart("Deno", DENO !== undefined))(
    "the script for Deno follows a book and its trades",
    async () => {
      const flags = ["run", "--quiet", "--no-lock", "--no-check", "--allow-net=127.0.0.1"];
      const lines = await run(DENO ?? "", [
        ...flags,
        "src/client/examples/follow_deno.ts",
        moving.market.streamUrl,
        INSTRUMENT,
        `${CHANGES * 10}`,
      ]);
      expectFollowed(lines.filter(({ trade }) => trade === undefined));
      expect(lines.some(({ trade }) => trade?.[1] === "1000.01")).toBe(true);
    },
  );

  it.skipIf(!optionalPart("Chromium", chromiumPath() !== undefined))("the plain page shows a book", async () => {
    const browser = await launchBrowser();
    try {
      const { page, troubles } = await openPage(
        browser,
        `${moving.market.gateway?.url}/page.html?instrument=${INSTRUMENT}`,
      );
      await page.waitForSelector("#book[data-state='synced']", { timeout: PATIENCE_MS });
      moving.rest();
      const bid = () => moving.market.gateway?.book(INSTRUMENT, 1)?.bids[0]?.[0];
      const cell = "#levels tr:first-child td:nth-child(2)";
      await expect.poll(() => page.innerText(cell), { timeout: PATIENCE_MS }).toBe(bid());
      const hash = moving.market.gateway?.book(INSTRUMENT)?.hash;
      await expect.poll(() => page.getAttribute("#book", "data-hash"), { timeout: PATIENCE_MS }).toBe(String(hash));
      expect(await page.locator("#levels tr").count()).toBe(10);
      expect(Number(await page.innerText("#cost"))).toBeGreaterThan(10_000);
      expect(troubles).toEqual([]);
    } finally {
      moving.move(100);
      await browser.close();
    }
  });
});

function expectFollowed(lines: readonly Line[]): void {
  expect(lines.length).toBeGreaterThanOrEqual(CHANGES);
  const synced = lines.filter(({ state }) => state === "synced");
  expect(synced.length).toBeGreaterThan(CHANGES / 2);
  const versions = lines.map(({ version }) => Number(version));
  expect(versions).toEqual(versions.toSorted((one, other) => one - other));
  expect(new Set(versions).size).toBeGreaterThan(CHANGES / 2);
  expect(synced.every(({ bid, ask }) => Number(bid[0]) < Number(ask[0]))).toBe(true);
}

/** Runs an example to its end. @returns its lines */
async function run(program: string, words: readonly string[]): Promise<Line[]> {
  const child = spawn(program, words, { cwd: FOLDER, env: { ...process.env, NO_COLOR: "1" } });
  let [out, err] = ["", ""];
  child.stdout.on("data", (bytes: Buffer) => {
    out += bytes.toString();
  });
  child.stderr.on("data", (bytes: Buffer) => {
    err += bytes.toString();
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const code = await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  expect([code, err.replace(/^.*(Warning|trace-warnings).*\n/gm, "")]).toEqual([0, ""]);
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

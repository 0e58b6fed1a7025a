/**
 * The standalone binary, built from this tree: in an empty folder, with an empty environment, as an unprivileged user. It
 * says what it is; the demo serves a real client, a real Chromium and a scraper, and ends in time; collector and gateway
 * share memory as processes. Prints size and times. Bad case: something that it would look for outside; nothing is there.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { packageVersion } from "../../src/assets.ts";
import { connect } from "../../src/client/mod.ts";
import { WitnessSocket } from "../support/server_messages.ts";
import { buildStandalone, canBuildStandalone, type Standalone, type StartedBinary } from "../support/standalone.ts";
import { hasChromium, openPage, PATIENCE_MS, startBrowser, waitForSynced } from "./dashboard_rig.ts";

const PATIENCE = { timeout: PATIENCE_MS, interval: 50 };
const STOP_MS_MAX = 1000;
const withChromium = hasChromium();

describe.skipIf(!canBuildStandalone())("Standalone binary", () => {
  let binary: Standalone;
  const running: StartedBinary[] = [];

  async function start(words: readonly string[], ready: RegExp): Promise<StartedBinary> {
    const one = await binary.start(words, ready);
    running.push(one);
    return one;
  }

  beforeAll(async () => {
    binary = await buildStandalone();
  });
  afterAll(async () => {
    await Promise.all(running.map((one) => one.stop()));
    binary?.remove();
  });

  it("says its version, commit, target and Node when asked, and names every command", async () => {
    const { stdout } = await binary.run("--version");
    expect(stdout.trim()).toBe(
      `${packageVersion()} (commit ${/commit (\S+),/.exec(stdout)?.[1]}, ${process.platform}-${process.arch}, Node ${process.versions.node})`,
    );
    expect(stdout).toMatch(/commit ([0-9a-f]{12}(\+changes)?|unknown),/);
    const { stdout: help } = await binary.run("--help");
    for (const command of [
      "demo",
      "serve",
      "collect",
      "gateway",
      "health",
      "inspect",
      "emulate",
      "replay",
      "probe",
      "load",
    ]) {
      expect(help).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
    }
  });

  it("comes with its checksum, the licences of what is inside and a bill of materials", () => {
    const { path } = binary;
    const sum = createHash("sha256").update(readFileSync(path)).digest("hex");
    expect(readFileSync(`${path}.sha256`, "utf8")).toBe(`${sum}  ${basename(path)}\n`);
    const bill = JSON.parse(readFileSync(`${path}.cdx.json`, "utf8")) as {
      metadata: { component: { version: string; hashes: { content: string }[] } };
      components: { name: string; version: string; licenses: unknown[] }[];
    };
    expect(bill.metadata.component).toMatchObject({ version: packageVersion(), hashes: [{ content: sum }] });
    const names = bill.components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["uWebSockets.js", "koffi", "ws", "zod", "react", "uplot", "node"]));
    const licences = readFileSync(`${path}.licenses.txt`, "utf8");
    for (const { name, version } of bill.components.filter((one) => one.name !== "node")) {
      expect(licences).toContain(`\n${name} ${version} (`);
    }
    expect(licences).toContain(`Node.js ${process.versions.node}`);
  });

  it("serves the demo to a client, a Chromium and a scraper, and ends within a second when told", async () => {
    const demo = await start(["demo", "--port", "0"], /http:\/\/127\.0\.0\.1:(\d+)/);
    const url = demo.match[0];
    await vi.waitUntil(async () => (await fetch(`${url}/ready`)).status === 200, PATIENCE);
    const client = connect(`ws://127.0.0.1:${demo.match[1]}/ws`, { WebSocket: WitnessSocket });
    try {
      const books = ["coinbase_exchange:BTC-USD", "kraken:BTC-USD", "binance:BTC-USDT"].map((name) =>
        client.book(name),
      );
      await vi.waitUntil(() => books.every((book) => book.state === "synced"), PATIENCE);
      await vi.waitUntil(() => books.every((book) => BigInt(book.version) > 20n), PATIENCE);
    } finally {
      client.close();
    }
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^alphapulse_instrument_synced\{exchange="kraken",symbol="BTC-USD"\} 1$/m);
    if (withChromium) {
      const browser = await startBrowser();
      try {
        const { page, troubles } = await openPage(browser, `${url}/`);
        await waitForSynced(page, 3);
        const explorer = await openPage(browser, `${url}/api/v1/docs`);
        await explorer.page.waitForSelector(".opblock", { timeout: PATIENCE_MS });
        expect([...troubles, ...explorer.troubles]).toEqual([]);
      } finally {
        await browser.close();
      }
    }
    const { status, ms } = await demo.stop();
    expect(status).toBe(0);
    expect(ms).toBeLessThan(STOP_MS_MAX);
    expect(readdirSync(binary.folder)).toEqual(["alphapulse"]);
    const megabytes = (statSync(binary.path).size / 1e6).toFixed(1);
    console.log(
      `standalone: ${megabytes} MB, demo up in ${Math.round(demo.startMs)} ms, ended in ${Math.round(ms)} ms`,
    );
  });

  it.skipIf(process.arch !== "x64")("shares memory between its own collector, gateway and inspector", async () => {
    const emulator = await start(["emulate", "--exchange", "kraken", "--json"], /\{"endpoints":.*\}\}/);
    const { endpoints } = JSON.parse(emulator.match[0]) as {
      endpoints: { kraken: { websocket: string; rest: string } };
    };
    const where = ["--set", `exchanges.kraken.websocket_urls=${endpoints.kraken.websocket}`];
    const rest = ["--set", `exchanges.kraken.rest_url=${endpoints.kraken.rest}`];
    const directory = ["--directory", `${binary.folder}/segments`];
    await start(
      ["collect", "--exchange", "kraken", "--supervise", ...where, ...rest, ...directory],
      /AlphaPulse collects/,
    );
    const gateway = await start(["gateway", "--port", "0", ...directory], /http:\/\/127\.0\.0\.1:\d+/);
    const isReady = async () => (await fetch(`${gateway.match[0]}/ready`)).status === 200;
    await vi.waitUntil(isReady, PATIENCE);
    const { stdout } = await binary.run("inspect", "--json", ...directory);
    expect(stdout).toContain('"BTC-USD"');
    expect((await binary.run("health", "kraken", ...directory)).stdout).toBe("kraken is live\n");
    expect((await binary.run("health", `${gateway.match[0]}/ready`)).stdout).toContain('"ready":true');
    const absent = binary.run("health", "binance", ...directory);
    await expect(absent).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("it is absent, was binance"),
    });
    const stops = await Promise.all(running.splice(0).map((one) => one.stop()));
    expect(stops.map(({ status }) => status)).toEqual(stops.map(() => 0));
    expect(existsSync(dirname(binary.folder))).toBe(true);
  });
});

/**
 * A standby whose collectors die one after the other: real workers over an exported memory, the name held by another.
 * It must go on waiting without books, and still take over. Bad case: a look into a range that was given back meanwhile.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { readAsset, workerUrl } from "../../src/assets.ts";
import { openLog } from "../../src/commands/log.ts";
import { SizeFiles } from "../../src/commands/segment_sizes.ts";
import { openStandbyMap } from "../../src/commands/shared_memory.ts";
import { waitForPlace, warmth } from "../../src/commands/standby.ts";
import { loadConfig, selectExchanges } from "../../src/config/mod.ts";
import { startEmulator } from "../../src/emulator/mod.ts";
import { Supervisor } from "../../src/feed/supervisor.ts";
import { FileLock } from "../../src/mapping/lock.ts";
import { loadLibc, WHOLE } from "../../src/mapping/mod.ts";

const PATIENCE = { timeout: 40_000, interval: 25 };
/** Ranges of dead workers are given back after three seconds; the standby looks twice a second. */
const STORM_MS = 4500;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) {
    await close();
  }
});

/** The collector's own program, dead after a while; then one that is dead at once. */
function programs(): () => URL {
  const url = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`);
  const own = `await import(${JSON.stringify(workerUrl("collector_worker").href)}); setTimeout(() => process.exit(1), 2000);`;
  const all = [url(own)];
  return () => all.shift() ?? url("process.exit(1);");
}

it("a standby outlives a storm of restarts, and takes the place when it is free", async () => {
  const emulator = await startEmulator({ exchanges: ["kraken"], source: { kind: "market", rate: 5 }, seed: 7 });
  closers.push(() => emulator.close());
  const directory = mkdtempSync(join(tmpdir(), "alphapulse-storm-"));
  closers.push(() => rmSync(directory, { recursive: true, force: true }));
  const { websocket, rest } = emulator.endpoints.kraken;
  const endpoints = { "exchanges.kraken.websocket_urls": websocket, "exchanges.kraken.rest_url": rest };
  const config = loadConfig({ flags: { exchange: ["kraken"], "segment.directory": directory, ...endpoints } });
  const said: string[] = [];
  const log = openLog("info", { format: "json", write: (line) => said.push(line) });
  const lock = FileLock.take(await loadLibc(), join(directory, "kraken.lock"));
  const sizes = new SizeFiles(directory, { shard: WHOLE, log });
  const map = await openStandbyMap(config, { sizes, patienceMs: 0, onLost: () => undefined });
  if (map === undefined) {
    throw new Error(`Cannot stand by: there is a standby already, was ${directory}`);
  }
  closers.push(() => map.close());
  const supervisor = new Supervisor({
    map,
    config,
    exchanges: selectExchanges(config),
    kernelModule: new WebAssembly.Module(readAsset("kernel.wasm")),
    pid: process.pid,
    readersOf: (exchange) => map.readersOf(exchange),
    program: programs(),
    report: () => undefined,
  });
  closers.push(() => supervisor.stop());
  const wait = waitForPlace({ map, supervisor, files: { directory, name: "kraken" }, log });
  closers.push(() => wait.stop());
  await supervisor.start();
  await expect.poll(() => warmth({ map, supervisor }), PATIENCE).toEqual({ synced: 2, books: 2 });
  await expect.poll(() => supervisor.restarts, PATIENCE).toBeGreaterThan(1);
  await new Promise((resolve) => setTimeout(resolve, STORM_MS));
  expect([supervisor.segments(), warmth({ map, supervisor })]).toEqual([[], { synced: 0, books: 0 }]);
  lock?.release();
  await wait.taken;
  expect(said.join("")).toContain("Took over kraken: 0 of 0 books are synced");
}, 60_000);

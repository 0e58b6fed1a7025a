/**
 * A producer in waiting and its place, in one process: the locks are real, two of one process exclude each other as those
 * of two processes do. Bad case: a test that leaves a lock; every one is in a folder of its own.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { openLog } from "../../src/commands/log.ts";
import { SizeFiles } from "../../src/commands/segment_sizes.ts";
import { openPlace, type Place, warmth } from "../../src/commands/standby.ts";
import { loadConfig } from "../../src/config/mod.ts";
import { FileLock } from "../../src/mapping/lock.ts";
import { ExportedMap, loadLibc, WHOLE } from "../../src/mapping/mod.ts";
import { standbyLockPath } from "../../src/mapping/standby_files.ts";
import { createSegment, segmentBytes } from "../../src/segment/writer.ts";
import { freshFolder, MAPPED_SEGMENT, removeFolders } from "./mapped_rig.ts";

const NAME = "kraken";
const MEMORY_BYTES = 2 ** 24;
const LOOK_MS = 500;
const closers: (() => void)[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const close of closers.splice(0).reverse()) {
    close();
  }
});
afterAll(removeFolders);

function optionsOf(directory: string) {
  return { directory, isExplicit: true, exchanges: [NAME], patienceMs: 0, pid: process.pid };
}

async function standBy(directory: string): Promise<ExportedMap> {
  const map = await ExportedMap.openStandby(MEMORY_BYTES, optionsOf(directory));
  if (map === undefined) {
    throw new Error(`Cannot stand by: there is a standby already, was ${directory}`);
  }
  closers.push(() => map.close());
  return map;
}

describe("A standby", () => {
  it("keeps the segment that it has not begun yet when the next standby clears away what is left", async () => {
    const directory = freshFolder();
    const holder = await ExportedMap.open(MEMORY_BYTES, optionsOf(directory));
    const standby = await standBy(directory);
    const bytes = segmentBytes(MAPPED_SEGMENT);
    const { address } = standby.reserveSegment(NAME, { generation: 1, bytes });
    expect(standby.takeOver()).toBe(false);
    holder.close();
    expect(standby.takeOver()).toBe(true);
    await standBy(directory);
    expect(existsSync(join(directory, `${NAME}.seg`))).toBe(false);
    createSegment(standby.memory.buffer, {
      address,
      config: MAPPED_SEGMENT,
      identity: { exchange: NAME, epoch: 7n, pid: process.pid, wallAnchorNs: 7n, monotonicAnchorNs: 7n },
    });
    standby.publishInitialised();
    expect(readdirSync(directory).filter((file) => file.includes("seg"))).toEqual([`${NAME}.seg`]);
  });

  it("has no books where no segment stands any more", async () => {
    const map = await standBy(freshFolder());
    const { address, bytes } = map.reserveSegment(NAME, { generation: 1, bytes: segmentBytes(MAPPED_SEGMENT) });
    const segments = () => [{ exchange: NAME, address, bytes }];
    expect(warmth({ map, supervisor: { segments } })).toEqual({ synced: 0, books: 0 });
  });
});

describe("A third producer", () => {
  /** Locks of a holder and of its standby, and a third one that waits. */
  async function wait() {
    const directory = freshFolder();
    const libc = await loadLibc();
    const lock = (path: string) => FileLock.take(libc, path);
    const name = lock(join(directory, `${NAME}.lock`));
    const standby = lock(standbyLockPath(directory, NAME));
    const said: string[] = [];
    const log = openLog("info", { format: "json", write: (line) => said.push(line) });
    const config = loadConfig({ flags: { exchange: [NAME], "segment.directory": directory } });
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const sizes = new SizeFiles(directory, { shard: WHOLE, log });
    const wishes = { sizes, onLost: () => undefined };
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const found: (Place | undefined)[] = [];
    const ended = openPlace(config, { wishes, files: { directory, name: NAME }, stopped, log }).then((place) => {
      found.push(place);
      closers.push(() => place?.map.close());
    });
    await vi.waitUntil(() => said.join("").includes("Another standby waits already"), { timeout: 10_000 });
    const takeName = () => lock(join(directory, `${NAME}.lock`));
    return { name, standby, found, ended, stop, takeName };
  }

  it("leaves a name that is free to the warm standby, and takes its place as the next one", async () => {
    const { name, standby, found, ended, takeName } = await wait();
    name?.release();
    await vi.advanceTimersByTimeAsync(LOOK_MS);
    const taken = takeName();
    expect([found, taken]).toEqual([[], expect.any(FileLock)]);
    standby?.release();
    await vi.advanceTimersByTimeAsync(LOOK_MS);
    await ended;
    taken?.release();
    expect(found.map((place) => place?.isWaiting)).toEqual([true]);
  });

  it("takes a name that its standby lets lie", async () => {
    const { name, found, ended } = await wait();
    name?.release();
    await vi.advanceTimersByTimeAsync(2 * LOOK_MS);
    await ended;
    expect(found.map((place) => place?.isWaiting)).toEqual([false]);
  });

  it("ends its wait when it is stopped", async () => {
    const { found, ended, stop } = await wait();
    stop();
    await ended;
    expect(found).toEqual([undefined]);
  });
});

/**
 * Sleeping on readers files: a producer that rings ends it, whichever of several; one that comes late is not forgotten;
 * nothing is lost in any order of steps; nobody sleeps for ever. The words lie in plain memory here: a futex needs no file.
 */
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { Bell, CommonSleep, loadLibc, PARK_MS_MAX, Sleeper } from "../../src/mapping/mod.ts";
import { READERS_WAITING } from "../../src/mapping/readers_file.ts";
import { freshFolder, MAPPED_SEGMENT, MappedProducer, removeFolders } from "./mapped_rig.ts";

const ONE = 65_536;
const TWO = 131_072;
const TAIL = 320;

async function scene() {
  const libc = await loadLibc();
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
  const bells = [ONE, TWO].map((address) => new Bell(libc, memory, address));
  const words = new Int32Array(memory.buffer);
  const waiting = (address: number) => Atomics.load(words, (address + READERS_WAITING) >>> 2);
  return { libc, memory, bells, waiting };
}

async function took(promise: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await promise;
  return performance.now() - startedAt;
}

function later(ms: number, task: () => void): void {
  setTimeout(task, ms);
}

afterAll(removeFolders);

describe("A producer", () => {
  it("rings for an event that is so large that the kernel publishes it by itself", async () => {
    const capacity = 64;
    const producer = await MappedProducer.start(freshFolder(), { ...MAPPED_SEGMENT, deltaCapacity: capacity });
    producer.snapshot(10);
    const words = new Int32Array(producer.map.memory.buffer);
    const waiting = ((producer.map.readersOf("coinbase_exchange")?.address ?? 0) + READERS_WAITING) >>> 2;
    Atomics.or(words, waiting, 1);
    const before = producer.tail;
    producer.burst(400);
    expect(producer.tail - before).toBeGreaterThan(capacity / 4);
    expect(Atomics.load(words, waiting) & 1).toBe(0);
    producer.close();
  });
});

describe("A sleeper", () => {
  it("sleeps until the bell rings, whichever of several, and the announcement is taken back", async () => {
    const { libc, memory, bells, waiting } = await scene();
    const sleeper = new Sleeper(libc, memory);
    for (const [index, bell] of bells.entries()) {
      sleeper.announce([ONE, TWO]);
      // The first call into the pool takes its time: that belongs to the sleep.
      const startedAt = performance.now();
      later(15, () => bell.ring());
      await sleeper.sleepAsync([ONE, TWO], PARK_MS_MAX);
      const ms = performance.now() - startedAt;
      expect(ms).toBeGreaterThan(10);
      expect(ms).toBeLessThan(80);
      expect(waiting([ONE, TWO][index] ?? 0) & 1).toBe(0);
    }
  });

  it("does not lie down when the bell rang between its announcement and its sleep", async () => {
    const { libc, memory, bells } = await scene();
    const sleeper = new Sleeper(libc, memory);
    sleeper.announce([ONE]);
    bells[0]?.ring();
    expect(await took(sleeper.sleepAsync([ONE], PARK_MS_MAX))).toBeLessThan(50);
    sleeper.announce([ONE]);
    bells[0]?.ring();
    const startedAt = performance.now();
    sleeper.sleep([ONE], PARK_MS_MAX);
    expect(performance.now() - startedAt).toBeLessThan(50);
  });

  it("does not lie down either when another announced itself after the bell rang", async () => {
    const { libc, memory, bells } = await scene();
    const [sleeper, other] = [new Sleeper(libc, memory), new Sleeper(libc, memory)];
    sleeper.announce([ONE]);
    bells[0]?.ring();
    other.announce([ONE]);
    expect(await took(sleeper.sleepAsync([ONE], PARK_MS_MAX))).toBeLessThan(50);
    const startedAt = performance.now();
    sleeper.sleep([ONE], PARK_MS_MAX);
    expect(performance.now() - startedAt).toBeLessThan(50);
  });

  it("gets up by itself after at most a tenth of a second, and at once when it is interrupted", async () => {
    const { libc, memory } = await scene();
    const sleeper = new Sleeper(libc, memory);
    sleeper.announce([ONE]);
    const ms = await took(sleeper.sleepAsync([ONE], 60_000));
    expect(ms).toBeGreaterThan(90);
    expect(ms).toBeLessThan(1000);
    later(10, () => sleeper.interrupt());
    expect(await took(sleeper.sleepAsync([ONE], 60_000))).toBeLessThan(80);
  });

  it("is woken when it sleeps on a thread of its own while the producer rings on another", async () => {
    const { memory, libc } = await scene();
    const bell = new Bell(libc, memory, ONE);
    const script = `
      const { workerData, parentPort } = require("node:worker_threads");
      const words = new Int32Array(workerData.buffer);
      parentPort.once("message", () => {
        while (Atomics.load(words, ${(ONE + READERS_WAITING) >>> 2}) === 0);
        parentPort.postMessage("seen");
      });`;
    const worker = new Worker(script, { eval: true, workerData: memory });
    const seen = new Promise((resolve) => worker.once("message", resolve));
    worker.postMessage("look");
    const sleeper = new Sleeper(libc, memory);
    sleeper.announce([ONE]);
    const slept = took(sleeper.sleepAsync([ONE], PARK_MS_MAX));
    await seen;
    bell.ring();
    expect(await slept).toBeLessThan(1000);
    await worker.terminate();
  });

  it("announces and lies down thousands of times against a producer that rings all the time, and misses nothing", async () => {
    const { libc, memory, bells } = await scene();
    const sleeper = new Sleeper(libc, memory);
    let published = 0;
    let read = 0;
    let missed = 0;
    const isDone = () => read >= 2000;
    const produce = () => {
      published += 1;
      bells[0]?.ring();
      if (!isDone()) {
        setImmediate(produce);
      }
    };
    produce();
    while (!isDone()) {
      sleeper.announce([ONE]);
      if (published === read) {
        const ms = await took(sleeper.sleepAsync([ONE], PARK_MS_MAX));
        missed += ms >= PARK_MS_MAX - 1 && published > read ? 1 : 0;
      }
      read = published;
    }
    expect(missed).toBe(0);
  });
});

describe("A common sleep", () => {
  it("ends every wait when any producer rings, also for one that came later", async () => {
    const { libc, memory, bells } = await scene();
    for (const bell of bells) {
      bell.promise(true);
    }
    const common = new CommonSleep(libc, { memory, readersOf: (segment) => segment });
    const wait = (segment: number) => common.wait({ index: (segment + TAIL) >>> 2 }, PARK_MS_MAX).value;
    const first = took(wait(ONE));
    await new Promise((resolve) => setTimeout(resolve, 10));
    const second = took(wait(TWO));
    later(10, () => bells[1]?.ring());
    expect(await first).toBeLessThan(80);
    expect(await second).toBeLessThan(80);
  });

  it("looks by timer where nobody rings", async () => {
    const { libc, memory } = await scene();
    const common = new CommonSleep(libc, { memory, readersOf: (segment) => (segment === ONE ? ONE : 0) });
    const waits = [ONE, TWO].map((segment) => took(common.wait({ index: (segment + TAIL) >>> 2 }, PARK_MS_MAX).value));
    for (const ms of await Promise.all(waits)) {
      expect(ms).toBeLessThan(80);
    }
  });
});

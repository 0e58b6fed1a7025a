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
/** Far from the end of a sleep, which is that of nobody who is woken. */
const SOON_MS = PARK_MS_MAX / 2;
const ATTEMPTS = 5;
/** Turns of the producer between two rings at most. */
const PAUSES = 100;
/** Turns of the producer within a sleep, of the many thousands that there are unless the machine stands still. */
const TURNS_MISSED = 5 * PAUSES;

async function scene() {
  const libc = await loadLibc();
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
  const bells = [ONE, TWO].map((address) => new Bell(libc, memory, address));
  const words = new Int32Array(memory.buffer);
  const waiting = (address: number) => Atomics.load(words, (address + READERS_WAITING) >>> 2);
  return { libc, memory, bells, waiting };
}

/** @returns ms */
async function took(sleep: () => unknown): Promise<number> {
  const startedAt = performance.now();
  await sleep();
  return performance.now() - startedAt;
}

/** How long a sleep takes behind what comes before it. @returns ms */
function tookBehind(before: () => void, sleep: () => unknown): Promise<number> {
  before();
  return took(sleep);
}

/**
 * The shortest of a few attempts: whoever is not woken sleeps to the end of each, and a machine that stands still for a
 * moment does not do so every time. @returns ms
 */
async function shortest(attempt: () => number | Promise<number>): Promise<number> {
  let ms = Number.POSITIVE_INFINITY;
  for (let count = 0; count < ATTEMPTS && ms >= SOON_MS; count += 1) {
    ms = Math.min(ms, await attempt());
  }
  return ms;
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
      const attempt = async () => {
        sleeper.announce([ONE, TWO]);
        // The first call into the pool takes its time: that belongs to the sleep.
        const startedAt = performance.now();
        later(15, () => bell.ring());
        await sleeper.sleepAsync([ONE, TWO], PARK_MS_MAX);
        const ms = performance.now() - startedAt;
        expect(ms).toBeGreaterThan(10);
        return ms;
      };
      expect(await shortest(attempt)).toBeLessThan(SOON_MS);
      expect(waiting([ONE, TWO][index] ?? 0) & 1).toBe(0);
    }
  });

  it("does not lie down when the bell rang between its announcement and its sleep", async () => {
    const { libc, memory, bells } = await scene();
    const sleeper = new Sleeper(libc, memory);
    const ring = () => {
      sleeper.announce([ONE]);
      bells[0]?.ring();
    };
    expect(await shortest(() => tookBehind(ring, () => sleeper.sleepAsync([ONE], PARK_MS_MAX)))).toBeLessThan(SOON_MS);
    expect(await shortest(() => tookBehind(ring, () => sleeper.sleep([ONE], PARK_MS_MAX)))).toBeLessThan(SOON_MS);
  });

  it("does not lie down either when another announced itself after the bell rang", async () => {
    const { libc, memory, bells } = await scene();
    const [sleeper, other] = [new Sleeper(libc, memory), new Sleeper(libc, memory)];
    const ring = () => {
      sleeper.announce([ONE]);
      bells[0]?.ring();
      other.announce([ONE]);
    };
    expect(await shortest(() => tookBehind(ring, () => sleeper.sleepAsync([ONE], PARK_MS_MAX)))).toBeLessThan(SOON_MS);
    expect(await shortest(() => tookBehind(ring, () => sleeper.sleep([ONE], PARK_MS_MAX)))).toBeLessThan(SOON_MS);
  });

  it("gets up by itself after at most a tenth of a second, and at once when it is interrupted", async () => {
    const { libc, memory } = await scene();
    const sleeper = new Sleeper(libc, memory);
    sleeper.announce([ONE]);
    const ms = await took(() => sleeper.sleepAsync([ONE], 60_000));
    expect(ms).toBeGreaterThan(90);
    expect(ms).toBeLessThan(1000);
    const interrupt = () => later(10, () => sleeper.interrupt());
    expect(await shortest(() => tookBehind(interrupt, () => sleeper.sleepAsync([ONE], 60_000)))).toBeLessThan(SOON_MS);
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
    const slept = took(() => sleeper.sleepAsync([ONE], PARK_MS_MAX));
    await seen;
    bell.ring();
    expect(await slept).toBeLessThan(1000);
    await worker.terminate();
  });

  it("announces and lies down thousands of times against a producer that rings all the time, and misses nothing", async () => {
    const { libc, memory, bells } = await scene();
    const sleeper = new Sleeper(libc, memory);
    let published = 0;
    let turns = 0;
    let read = 0;
    let missed = 0;
    const isDone = () => read >= 2000;
    // Some rings come before the sleeper lies down and some after.
    const produce = () => {
      turns += 1;
      if (turns % (1 + (published % PAUSES)) === 0) {
        published += 1;
        bells[0]?.ring();
      }
      if (!isDone()) {
        setImmediate(produce);
      }
    };
    produce();
    while (!isDone()) {
      sleeper.announce([ONE]);
      if (published === read) {
        const before = turns;
        const ms = await took(() => sleeper.sleepAsync([ONE], PARK_MS_MAX));
        // Where the whole process stood still the producer did not ring either, and the time passed unused.
        missed += ms >= PARK_MS_MAX - 1 && published > read && turns - before > TURNS_MISSED ? 1 : 0;
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
    const attempt = async () => {
      const first = took(() => wait(ONE));
      await new Promise((resolve) => setTimeout(resolve, 10));
      const second = took(() => wait(TWO));
      later(10, () => bells[1]?.ring());
      return Math.max(await first, await second);
    };
    expect(await shortest(attempt)).toBeLessThan(SOON_MS);
  });

  it("looks by timer where nobody rings", async () => {
    const { libc, memory } = await scene();
    const common = new CommonSleep(libc, { memory, readersOf: (segment) => (segment === ONE ? ONE : 0) });
    const wait = (segment: number) => common.wait({ index: (segment + TAIL) >>> 2 }, PARK_MS_MAX).value;
    const attempt = async () =>
      Math.max(...(await Promise.all([ONE, TWO].map((segment) => took(() => wait(segment))))));
    expect(await shortest(attempt)).toBeLessThan(SOON_MS);
  });
});

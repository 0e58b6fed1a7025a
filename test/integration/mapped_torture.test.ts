/**
 * The rings under torture across processes: ten million records here, a thousand million in test/long/torture.ts. No record,
 * image or cell may be torn, and what a reader lost is what it did not read, exactly; producer and readers are stopped and
 * killed meanwhile. TORTURE_RECORDS asks for another amount.
 * Bad case: a failure that comes seldom; the message holds the seed.
 */
import { afterAll, expect, it } from "vitest";
import { READERS_WAITING } from "../../src/mapping/readers_file.ts";
import { bundleScript, type Child, endChild, holds, pause, startChild } from "../support/mapped_child.ts";
import type { TortureSummary } from "../support/mapped_torture_reader.ts";
import { runTorture } from "../support/mapped_torture_run.ts";
import { freshFolder, MappedProducer, removeFolders } from "../unit/mapped_rig.ts";

const RECORDS = Number(process.env.TORTURE_RECORDS ?? 10_000_000);
/** Rings of these sizes; from 1024 on the producer announces a few records ahead. */
const CAPACITIES = [256, 2048] as const;
const KILL_MS = 3000;

const PATIENCE_MS = 30_000;
const VICTIMS = 12;
const LAPS = 1000;
const children: Child[] = [];

afterAll(async () => {
  await Promise.all(children.map((child) => endChild(child)));
  removeFolders();
});

for (const capacity of CAPACITIES) {
  const records = RECORDS / CAPACITIES.length;
  it(`a ring of ${capacity} tears nothing and accounts for every one of ${records} records when processes are stopped and killed`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const result = await runTorture(records, { seed, capacity, killMs: KILL_MS });
    const label = JSON.stringify(result);
    expect(result.problems, label).toEqual([]);
    expect(result.records, label).toBeGreaterThanOrEqual(records);
    expect(result.readers.length, label).toBe(3);
    // Else the torture was none.
    expect(result.stops, label).toBeGreaterThan(0);
    expect(result.readerKills, label).toBeGreaterThan(0);
    for (const reader of result.readers) {
      expect(reader.lost, label).toBeGreaterThan(0);
      expect(reader.received, label).toBeGreaterThan(0);
    }
    expect(Math.min(...result.readers.slice(0, 2).map(({ applied }) => applied)), label).toBeGreaterThan(0);
  }, 3_600_000);
}

it("readers that are killed or stopped while they are announced as sleeping disturb nobody and account for everything", async () => {
  const directory = freshFolder();
  const producer = await MappedProducer.start(directory);
  producer.snapshot(300);
  producer.snapshot(40, "ETH-USD");
  const words = new Int32Array(producer.map.memory.buffer);
  const word = ((producer.map.readersOf("coinbase_exchange")?.address ?? 0) + READERS_WAITING) >>> 2;
  const isAnnounced = () => (Atomics.load(words, word) & 1) === 1;
  const script = await bundleScript("mapped_torture");
  const said = new Map<Child, string[]>();
  const start = (seed: number) => {
    const lines: string[] = [];
    const command = [process.execPath, script, "read", directory, String(seed)];
    const child = startChild(`reader ${seed}`, command, { lines: { out: (line) => lines.push(line) } });
    said.set(child, lines);
    children.push(child);
    return child;
  };
  const [steady, stopped] = [start(1), start(2)];
  expect(await holds(isAnnounced, PATIENCE_MS)).toBe(true);
  for (let index = 0; index < VICTIMS; index++) {
    const victim = start(100 + index);
    producer.update(index);
    expect(await holds(isAnnounced, PATIENCE_MS)).toBe(true);
    await pause(index * 30);
    stopped.child.kill("SIGSTOP");
    await endChild(victim);
    const announced = Atomics.load(words, word);
    producer.update(index);
    // Whoever announced it, a publish takes it back.
    expect(Atomics.load(words, word) !== announced || announced % 2 === 0).toBe(true);
    for (let count = 0; count < LAPS; count++) {
      producer.update(count, count % 3 === 0 ? "ETH-USD" : "BTC-USD");
    }
    // The steady one reads on and sleeps again.
    expect(await holds(isAnnounced, PATIENCE_MS)).toBe(true);
    stopped.child.kill("SIGCONT");
  }
  producer.update(1);
  await pause(100);
  const tail = producer.close();
  for (const reader of [steady, stopped]) {
    expect([await reader.ended, reader.stderr()]).toEqual([0, ""]);
    const { deltas, torn, isFollowing } = JSON.parse(said.get(reader)?.[0] ?? "null") as TortureSummary;
    expect({ torn, isFollowing, cursor: deltas.cursor }).toEqual({ torn: {}, isFollowing: true, cursor: tail });
    expect(deltas.start + deltas.received + deltas.lost).toBe(tail);
  }
  const { deltas } = JSON.parse(said.get(stopped)?.[0] ?? "null") as TortureSummary;
  expect(deltas.lost).toBeGreaterThan(LAPS);
}, 120_000);

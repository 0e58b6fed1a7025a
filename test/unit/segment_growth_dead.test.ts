/**
 * Segments whose producers ended without taking them away, and which ranges of an exported map become files at all.
 * Bad case: a producer that lives; nothing of it may be removed.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { HEADER_HEARTBEAT, HEADER_PID } from "../../assembly/layout.ts";
import { FileLock } from "../../src/mapping/lock.ts";
import { ExportedMap, loadLibc, removeDeadSegments, SegmentFollower } from "../../src/mapping/mod.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { freshFolder, MappedProducer, removeFolders } from "./mapped_rig.ts";

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0).reverse()) {
    close();
  }
});
afterAll(removeFolders);

async function produce(directory: string): Promise<MappedProducer> {
  const producer = await MappedProducer.start(directory);
  closers.push(() => producer.close());
  return producer;
}

describe("A segment that outlived its producer", () => {
  const NAME = "coinbase_exchange";
  const DEAD_PID = 2 ** 22 + 1;

  /** The file of a producer that ended without taking it away, as a kill leaves it. */
  async function leave(): Promise<string> {
    const [source, directory] = [freshFolder(), freshFolder()];
    const producer = await MappedProducer.start(source);
    producer.snapshot(10);
    const bytes = readFileSync(join(source, `${NAME}.seg`));
    producer.close();
    bytes.writeUInt32LE(DEAD_PID, HEADER_PID);
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(HEADER_HEARTBEAT) - 5_000_000_000n, HEADER_HEARTBEAT);
    writeFileSync(join(directory, `${NAME}.seg`), bytes);
    writeFileSync(join(directory, `.${NAME}.99.0.part`), "half");
    return directory;
  }

  async function follow(directory: string): Promise<SegmentFollower> {
    const follower = new SegmentFollower({
      libc: await loadLibc(),
      map: new MemoryMap(2 ** 25),
      directory,
      isExplicit: true,
    });
    closers.push(() => follower.close());
    follower.look();
    return follower;
  }

  it("is known to be dead, and removed with what was half made, while its name stays usable", async () => {
    const directory = await leave();
    const follower = await follow(directory);
    expect(follower.attachments.map((attachment) => follower.isDead(attachment))).toEqual([true]);
    const libc = await loadLibc();
    expect(removeDeadSegments({ libc, directory, isExplicit: true, name: "kraken" })).toEqual([]);
    expect(removeDeadSegments({ libc, directory, isExplicit: true })).toEqual([NAME]);
    expect(readdirSync(directory)).toEqual([`${NAME}.lock`]);
    expect(follower.look().map(({ kind }) => kind)).toEqual(["detached"]);
    await produce(directory);
    expect(follower.look().map(({ kind }) => kind)).toEqual(["attached"]);
  });

  it("stays while another holds its lock, however long it was silent", async () => {
    const directory = await leave();
    const libc = await loadLibc();
    const lock = FileLock.take(libc, join(directory, `${NAME}.lock`));
    expect(removeDeadSegments({ libc, directory, isExplicit: true })).toEqual([]);
    lock?.release();
    expect(removeDeadSegments({ libc, directory, isExplicit: true })).toEqual([NAME]);
  });

  it("is not what beats, not even without its lock, and not what is no segment", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    const libc = await loadLibc();
    rmSync(join(directory, `${NAME}.lock`));
    writeFileSync(join(directory, "kraken.seg"), Buffer.alloc(200_000, 0xa5));
    const follower = await follow(directory);
    producer.beat();
    expect(follower.attachments.map((attachment) => follower.isDead(attachment))).toEqual([false]);
    expect(removeDeadSegments({ libc, directory, isExplicit: true })).toEqual([]);
    expect(readdirSync(directory).filter((file) => file.endsWith(".seg"))).toEqual([`${NAME}.seg`, "kraken.seg"]);
  });
});

describe("An exported map", () => {
  it("makes files of segments, whatever other ranges are called", async () => {
    const directory = freshFolder();
    const map = await ExportedMap.open(2 ** 24, {
      directory,
      isExplicit: true,
      exchanges: ["kraken"],
      patienceMs: 0,
      pid: process.pid,
    });
    closers.push(() => map.close());
    const parts = () => readdirSync(directory).filter((file) => file.endsWith(".part")).length;
    map.reserve("segment 7 of kraken", { bytes: 65_536 });
    map.reserveSegment("binance", { generation: 1, bytes: 65_536 });
    expect(parts()).toBe(0);
    const range = map.reserveSegment("kraken", { generation: 8, bytes: 65_536 });
    expect(parts()).toBe(1);
    map.release(range);
    expect(parts()).toBe(0);
  });
});

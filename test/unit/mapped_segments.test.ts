/**
 * Segments as files, written and read through two memories of one process: what a reader sees of records, books and tops,
 * of a new epoch, an orderly end, a lap, a file that was deleted or replaced, and a name that two want.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { HEADER_HEARTBEAT, HEADER_LAYOUT_VERSION, LAYOUT_VERSION } from "../../assembly/layout.ts";
import { loadLibc, MappingError, SegmentFollower } from "../../src/mapping/mod.ts";
import { SegmentHome } from "../../src/mapping/segment_home.ts";
import type { SegmentEvent } from "../../src/reader/events.ts";
import { type OpenOptions, openSegment, type SegmentReader } from "../../src/reader/mod.ts";
import { MemoryMap } from "../../src/segment/memory_map.ts";
import { optionalPart } from "../support/require.ts";
import { freshFolder, MAPPED_SEGMENT, MappedProducer, removeFolders } from "./mapped_rig.ts";

const PATIENCE = { timeout: 5000, interval: 10 };
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0).reverse()) {
    close();
  }
});
afterAll(removeFolders);

/** Puts a file system with almost no room over a folder. @throws where that is not allowed */
function mountSmall(folder: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", folder], { stdio: "ignore" });
}

/** Whether this process may mount: a full file system needs one that is small. */
function probeMount(): boolean {
  const folder = freshFolder();
  try {
    mountSmall(folder);
    execFileSync("umount", [folder]);
    return true;
  } catch {
    return false;
  }
}

const canMount = optionalPart("the right to mount a small file system", probeMount());

async function produce(directory: string): Promise<MappedProducer> {
  const producer = await MappedProducer.start(directory);
  closers.push(() => producer.close());
  return producer;
}

async function open(directory: string, options: OpenOptions = {}): Promise<SegmentReader> {
  const reader = await openSegment("coinbase", { directory, staleMs: 60_000, arenaBytes: 2 ** 25, ...options });
  closers.push(() => reader.close());
  return reader;
}

function drain(reader: SegmentReader): SegmentEvent[] {
  const events: SegmentEvent[] = [];
  for (let rounds = 0; rounds < 100; rounds++) {
    reader.poll((event) => events.push(event));
  }
  return events;
}

const kinds = (events: readonly SegmentEvent[]) => events.map(({ kind }) => kind);

describe("A reader", () => {
  it("reads every record and trade from where it began, in order", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    producer.snapshot(300);
    const reader = await open(directory);
    expect(kinds(drain(reader))).toEqual(["attached"]);
    for (let index = 0; index < 100; index++) {
      producer.update(index);
    }
    producer.trade(1);
    const events = drain(reader);
    const deltas = events.flatMap((event) => (event.kind === "delta" ? [event] : []));
    expect(deltas.map(({ version }) => Number(version))).toEqual(deltas.map((_, index) => 2 + index));
    expect(deltas.length).toBe(100);
    expect(deltas[0]?.changes[0]?.side).toBe("bid");
    const [trade] = events.flatMap((event) => (event.kind === "trade" ? [event] : []));
    expect([trade?.tradeId, trade?.instrument.price(trade.priceTicks), trade?.aggressor]).toEqual([
      "1",
      "10001",
      "buy",
    ]);
    expect(trade?.instrument.quantity(trade.quantityLots)).toBe("0.5");
  });

  it("begins with what the ring still holds, or with whole books, when it is asked to", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    producer.snapshot(300);
    producer.update(1);
    const oldest = drain(await open(directory, { from: "oldest" }));
    expect(kinds(oldest)).toEqual(["attached", "delta", "delta"]);
    const [attached, image, ...rest] = drain(await open(directory, { from: "image" }));
    expect([attached?.kind, kinds(rest)]).toEqual(["attached", ["delta"]]);
    expect(image).toMatchObject({ kind: "image", version: 1n, isSynced: true });
    expect(image?.kind === "image" ? [image.bids.length, image.asks.length] : []).toEqual([300, 1]);
  });

  it("keeps books at the tail, by hash the producer's, and reads tops without them", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    producer.snapshot(300);
    const reader = await open(directory);
    expect(reader.book("BTC-USD", 2)?.bids.length).toBe(2);
    for (let round = 0; round < 40; round++) {
      for (let index = 0; index < 20; index++) {
        producer.update(round * 20 + index);
      }
      const image = drain(await openOnce(directory)).at(-1);
      const book = reader.book("coinbase_exchange:BTC-USD");
      expect(book?.isSynced).toBe(true);
      expect([book?.version, book?.hash]).toEqual(image?.kind === "delta" ? [image.version, image.bookHash] : []);
    }
    expect(reader.top("BTC-USD")).toMatchObject({
      isSynced: true,
      state: "synced",
      bid: { price: "10000" },
      ask: { price: "10001", quantity: "2" },
    });
    expect([reader.top("SOL-USD"), reader.book("SOL-USD")]).toEqual([undefined, undefined]);
  });

  async function openOnce(directory: string): Promise<SegmentReader> {
    const reader = await openSegment("coinbase", { directory, from: "oldest", staleMs: 60_000, arenaBytes: 2 ** 24 });
    setTimeout(() => reader.close(), 0);
    return reader;
  }

  it("is told exactly how much it lost when the ring overtook it, and its books are right again", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    producer.snapshot(300);
    const reader = await open(directory);
    expect(reader.book("BTC-USD")).toBeDefined();
    drain(reader);
    const records = MAPPED_SEGMENT.deltaCapacity * 3;
    for (let index = 0; index < records; index++) {
      producer.update(index);
    }
    const events = drain(reader);
    const lapped = events.flatMap((event) => (event.kind === "lapped" ? [event.lost] : []));
    const read = events.filter(({ kind }) => kind === "delta").length;
    expect(lapped.length).toBe(1);
    expect((lapped[0] ?? 0) + read).toBe(records);
    expect(reader.lost).toEqual({ deltas: lapped[0], trades: 0 });
    const last = events.at(-1);
    expect(reader.book("BTC-USD")?.hash).toBe(last?.kind === "delta" ? last.bookHash : -1);
  });

  it("follows an orderly end and a new epoch, and misses nothing of either", async () => {
    const directory = freshFolder();
    const first = await MappedProducer.start(directory);
    first.snapshot(10);
    const reader = await open(directory);
    drain(reader);
    first.update(1);
    first.close();
    await expect.poll(() => kinds(drain(reader)), PATIENCE).toContain("closed");
    expect([reader.instruments(), reader.top("BTC-USD")]).toEqual([[], undefined]);
    const second = await produce(directory);
    second.snapshot(20);
    await expect.poll(() => kinds(drain(reader)), PATIENCE).toEqual(expect.arrayContaining(["epoch", "delta"]));
    expect(reader.book("BTC-USD")?.bids.length).toBe(20);
  });

  it("reads a segment whose file was deleted for as long as its producer lives", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    producer.snapshot(10);
    const reader = await open(directory);
    drain(reader);
    rmSync(join(directory, "coinbase_exchange.seg"));
    await new Promise((resolve) => {
      setTimeout(resolve, 120);
    });
    producer.update(1);
    expect(kinds(drain(reader))).toEqual(["delta"]);
  });

  it("refuses what was put in the place of its segment and goes back when a segment stands there again", async () => {
    const directory = freshFolder();
    const path = join(directory, "coinbase_exchange.seg");
    const producer = await produce(directory);
    producer.snapshot(10);
    const reader = await open(directory);
    drain(reader);
    writeFileSync(`${path}.garbage`, Buffer.alloc(200_000, 0xa5));
    renameSync(path, `${path}.kept`);
    renameSync(`${path}.garbage`, path);
    await expect.poll(() => kinds(drain(reader)), PATIENCE).toContain("refused");
    expect(reader.book("BTC-USD")).toBeUndefined();
    renameSync(`${path}.kept`, path);
    await expect.poll(() => kinds(drain(reader)), PATIENCE).toContain("attached");
    expect(reader.book("BTC-USD")?.bids.length).toBe(10);
  });

  it("names both layouts when it refuses a segment of another", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    producer.snapshot(10);
    const bytes = readFileSync(join(directory, "coinbase_exchange.seg"));
    bytes.writeUInt32LE(LAYOUT_VERSION + 1, HEADER_LAYOUT_VERSION);
    const other = freshFolder();
    writeFileSync(join(other, "coinbase_exchange.seg"), bytes);
    const [event] = drain(await open(other));
    expect(event?.kind === "refused" ? event.reason : "").toMatch(
      new RegExp(`layout ${LAYOUT_VERSION} and the one before.*was ${LAYOUT_VERSION + 1}`),
    );
  });

  it("calls a producer stale that gives no sign of life, and says so of its books", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    producer.snapshot(10);
    const reader = await open(directory, { staleMs: 150 });
    producer.beat();
    expect(reader.top("BTC-USD")?.isSynced).toBe(true);
    await expect.poll(() => kinds(drain(reader)), PATIENCE).toContain("stale");
    expect(reader.top("BTC-USD")).toMatchObject({ isSynced: false, state: "stale" });
    expect(reader.book("BTC-USD")?.isSynced).toBe(false);
    await expect
      .poll(() => {
        producer.beat();
        return kinds(drain(reader));
      }, PATIENCE)
      .toContain("alive");
    producer.beat();
    expect(reader.top("BTC-USD")?.isSynced).toBe(true);
  });

  it("waits for a segment that is not there yet, yields by iteration, and ends when it is closed", async () => {
    const directory = join(freshFolder(), "later");
    const reader = await open(directory);
    const seen: string[] = [];
    const iteration = (async () => {
      for await (const event of reader) {
        seen.push(event.kind);
      }
    })();
    mkdirSync(directory, { mode: 0o700 });
    const producer = await produce(directory);
    await expect.poll(() => seen, PATIENCE).toEqual(["attached"]);
    producer.snapshot(10);
    await expect.poll(() => seen, PATIENCE).toEqual(["attached", "delta"]);
    reader.close();
    await iteration;
  });

  it("is woken from its sleep by a publish", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    producer.snapshot(10);
    const reader = await open(directory);
    const delays: number[] = [];
    const sentAt = { ms: 0 };
    reader.on({ delta: () => delays.push(performance.now() - sentAt.ms) }, (error) => expect(error).toBeUndefined());
    for (let index = 0; index < 20; index++) {
      await new Promise((resolve) => {
        setTimeout(resolve, 30);
      });
      sentAt.ms = performance.now();
      producer.update(index);
    }
    await expect.poll(() => delays.length, PATIENCE).toBe(20);
    const median = delays.sort((a, b) => a - b)[10] ?? Number.POSITIVE_INFINITY;
    // A sleep that nobody ends lasts 50 ms.
    expect(median).toBeLessThan(10);
  });
});

describe("A producer", () => {
  it("keeps its name to itself, and the other is told who holds it", async () => {
    const directory = freshFolder();
    await produce(directory);
    await expect(MappedProducer.start(directory)).rejects.toThrow(
      new RegExp(`^Cannot write the segment coinbase_exchange: another producer does, pid ${process.pid}, was `),
    );
  });

  it("leaves files for its owner alone, takes its segment away at the end, and keeps lock and readers file", async () => {
    const directory = freshFolder();
    const producer = await MappedProducer.start(directory);
    const files = readdirSync(directory).sort();
    expect(files).toEqual(["coinbase_exchange.lock", "coinbase_exchange.readers", "coinbase_exchange.seg"]);
    expect(files.map((file) => statSync(join(directory, file)).mode & 0o777)).toEqual([0o600, 0o600, 0o600]);
    producer.close();
    expect(readdirSync(directory).sort()).toEqual(["coinbase_exchange.lock", "coinbase_exchange.readers"]);
  });

  it("clears away what dead producers left: files half made, and segments of another division", async () => {
    const directory = freshFolder();
    writeFileSync(join(directory, ".coinbase_exchange.99.0.part"), "half");
    writeFileSync(join(directory, "coinbase_exchange.2of3.seg"), "dead");
    writeFileSync(join(directory, "kraken.seg"), "another's");
    await produce(directory);
    expect(existsSync(join(directory, ".coinbase_exchange.99.0.part"))).toBe(false);
    expect(existsSync(join(directory, "coinbase_exchange.2of3.seg"))).toBe(false);
    expect(existsSync(join(directory, "kraken.seg"))).toBe(true);
  });

  it.skipIf(!canMount)(
    "fails with what is needed and what is there when the file system is full, and leaves nothing behind",
    async () => {
      const folder = freshFolder();
      mountSmall(folder);
      closers.push(() => execFileSync("umount", ["--lazy", folder]));
      await expect(MappedProducer.start(folder)).rejects.toThrow(
        /^Cannot make the segment coinbase_exchange: ENOSPC: .*: \d+ bytes are needed, \d+ available, was /,
      );
      expect(readdirSync(folder).filter((file) => /part|seg/.test(file))).toEqual([]);
    },
  );

  it("is told that its name is free the moment its holder lets go", async () => {
    const directory = freshFolder();
    const libc = await loadLibc();
    const options = { libc, directory, isExplicit: true, exchange: "kraken", pid: process.pid };
    const first = await SegmentHome.claim({ ...options, patienceMs: 0 });
    setTimeout(() => first.close(), 60);
    const second = await SegmentHome.claim({ ...options, patienceMs: 5000 });
    await expect(SegmentHome.claim({ ...options, patienceMs: 0 })).rejects.toThrow(MappingError);
    second.close();
  });
});

describe("A follower", () => {
  it("maps no more ranges than epochs need, however many there were", async () => {
    const directory = freshFolder();
    const libc = await loadLibc();
    const map = new MemoryMap(2 ** 25);
    const follower = new SegmentFollower({ libc, map, directory, isExplicit: true, quarantineMs: 0 });
    for (let round = 0; round < 30; round++) {
      const producer = await MappedProducer.start(directory);
      expect(follower.look().map(({ kind }) => kind)).toEqual(["attached"]);
      producer.close();
      expect(follower.look().map(({ kind }) => kind)).toEqual(["detached"]);
    }
    expect(map.ranges.length).toBeLessThan(5);
    follower.close();
    expect(map.ranges).toEqual([]);
  });

  it("shows the heartbeat that the producer writes, not a copy", async () => {
    const directory = freshFolder();
    const producer = await produce(directory);
    const libc = await loadLibc();
    const map = new MemoryMap(2 ** 25);
    const follower = new SegmentFollower({ libc, map, directory, isExplicit: true });
    follower.look();
    const [attachment] = follower.attachments;
    const before = attachment?.view.heartbeatNs ?? 0n;
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    producer.beat();
    expect(attachment?.view.heartbeatNs).toBeGreaterThan(before);
    const file = readFileSync(join(directory, "coinbase_exchange.seg"));
    // The view goes through a double: 256 ns.
    const difference = Number(file.readBigUInt64LE(HEADER_HEARTBEAT) - (attachment?.view.heartbeatNs ?? 0n));
    expect(Math.abs(difference)).toBeLessThan(512);
    follower.close();
  });
});

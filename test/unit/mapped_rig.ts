/**
 * A producer whose segment is a real file in a folder of its own, in the process of the test: the real sync and kernel
 * over an exported memory. Bad case: a test that forgets to close it; the folder is removed by `removeFolders`.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { SegmentGround } from "../../src/load/segment_ground.ts";
import type { ExportedMap } from "../../src/mapping/mod.ts";
import type { MemoryRange } from "../../src/segment/memory_map.ts";
import type { SegmentConfig, SegmentWriter } from "../../src/segment/writer.ts";

const TIME = new Date(1_700_000_000_000).toISOString();

/** Small, so that rings go round quickly and whole files can be mutated often. */
export const MAPPED_SEGMENT: SegmentConfig = {
  instrumentCapacity: 8,
  deltaCapacity: 256,
  tradeCapacity: 64,
  imageAreaBytes: 96 * 1024,
};

const folders: string[] = [];

/** A fresh folder for segments: in memory where the system has such a file system. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "alphapulse-test-"));
  folders.push(folder);
  return folder;
}

/** Removes the folders of all tests of this file. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A producer of Coinbase's BTC-USD and ETH-USD. */
export class MappedProducer {
  readonly map: ExportedMap;
  readonly segment: SegmentWriter;
  readonly range: MemoryRange;
  readonly #ground: SegmentGround;
  /** Frames that were sent before: those who write millions of records should not pay for their text. */
  readonly #updates = new Map<string, Uint8Array>();

  constructor(ground: SegmentGround) {
    this.#ground = ground;
    this.map = ground.map;
    this.segment = ground.segment;
    this.range = ground.range;
  }

  /** Claims the name in a folder and makes the segment, which readers can see from then on. */
  static async start(directory: string, config = MAPPED_SEGMENT): Promise<MappedProducer> {
    const natives = ["BTC-USD", "ETH-USD"];
    return new MappedProducer(await SegmentGround.open({ directory, config, natives, random: () => 0.5 }));
  }

  /** Delta records published so far. */
  get tail(): number {
    return this.#ground.deltas;
  }

  /** Trade records published so far. */
  get tradeTail(): number {
    return this.#ground.trades;
  }

  /** What applies and publishes: those who write millions of records cannot send a frame for each. It rings. */
  get kernel(): Kernel {
    return this.#ground.kernel;
  }

  /** The clock of its records, ns since their anchor. */
  now(): number {
    return this.#ground.now();
  }

  /** Gives a sign of life. */
  beat(): void {
    this.#ground.beat();
  }

  /** A snapshot of so many bids and one ask. */
  snapshot(levels: number, product = "BTC-USD"): void {
    const bids = Array.from({ length: levels }, (_, index) => [String(10_000 - index), "1.5"]);
    this.#send({ type: "snapshot", product_id: product, bids, asks: [["10001", "2"]] });
  }

  /** One change of one bid. */
  update(index: number, product = "BTC-USD"): void {
    const key = `${product} ${index}`;
    let frame = this.#updates.get(key);
    if (frame === undefined) {
      const changes = [["buy", String(9000 + (index % 500)), String(1 + (index % 7))]];
      frame = encoded({ type: "l2update", product_id: product, changes });
      this.#updates.set(key, frame);
    }
    this.#receive(frame);
  }

  /** One event with a change of each of so many bids. */
  burst(levels: number, product = "BTC-USD"): void {
    const changes = Array.from({ length: levels }, (_, index) => ["buy", String(9000 - index), "3"]);
    this.#send({ type: "l2update", product_id: product, changes });
  }

  /** A trade. @param size decimal text */
  trade(id: number, size = "0.5"): void {
    const trade = { trade_id: id, side: "sell", size, price: "10001", product_id: "BTC-USD" };
    this.#send({ type: "match", ...trade });
  }

  /** Ends in an orderly way. @returns delta records published in all */
  close(): number {
    return this.#ground.close();
  }

  #send(message: Record<string, unknown>): void {
    this.#receive(encoded(message));
  }

  #receive(frame: Uint8Array): void {
    this.#ground.sync.publish(this.#ground.receive(frame));
    this.beat();
  }
}

function encoded(message: Record<string, unknown>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...message, time: TIME }));
}

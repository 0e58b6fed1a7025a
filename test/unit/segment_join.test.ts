/** Joining a replica to a segment whose producer is real, on both kernels, and every obstacle on the way. */
import { describe, expect, it } from "vitest";
import {
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  IMAGE_HASH,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_VERSION,
  TABLE_CURRENT_IMAGE,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_OFFSET,
} from "../../assembly/layout.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { ReplicaJoiner, SegmentView } from "../../src/segment/mod.ts";
import { RIG_SEGMENT, Rig } from "../support/rig.ts";

const NATIVE = "BTC-USD";
const CAPACITY = RIG_SEGMENT.deltaCapacity;

/** A producer, and a replica of its instrument with a joiner, all on one kernel. */
class Bench {
  readonly rig: Rig;
  readonly view: SegmentView;
  readonly joiner: ReplicaJoiner;
  readonly memory: DataView;
  readonly replica: number;
  #at = 0;

  constructor(kernelName: KernelName) {
    this.rig = new Rig(kernelName, "coinbase_exchange", [NATIVE, "ETH-USD"]);
    const { kernel, buffer, segment } = this.rig;
    this.memory = new DataView(buffer);
    this.view = new SegmentView(buffer, segment.address);
    const scratch = kernel.arenaAllocate(64 * DELTA_BYTES);
    this.joiner = new ReplicaJoiner(kernel, { segment: this.view, scratch, scratchRecords: 64 });
    this.replica = kernel.replicaCreate();
    this.memory.setUint32(this.replica + REPLICA_INSTRUMENT_ID, this.entry.id, true);
  }

  get entry() {
    const entry = this.rig.sync.instrument(NATIVE)?.block.entry;
    if (entry === undefined) {
      throw new Error("Cannot test: the instrument was not opened, was BTC-USD");
    }
    return entry;
  }

  send(frame: Record<string, unknown>): void {
    this.#at += 1;
    const time = new Date(1_700_000_000_000 + this.#at).toISOString();
    this.rig.frame(new TextEncoder().encode(JSON.stringify({ product_id: NATIVE, ...frame, time })), this.#at * 1e6);
  }

  snapshot(levels: number, product_id = NATIVE): void {
    const bids = Array.from({ length: levels }, (_, index) => [String(10_000 - index), "1.5"]);
    this.send({ type: "snapshot", product_id, bids, asks: [["10001", "2"]] });
  }

  updates(count: number): void {
    for (let index = 0; index < count; index++) {
      this.send({ type: "l2update", changes: [["buy", String(9000 + (index % 500)), String(1 + (index % 7))]] });
    }
  }

  join(until = this.view.deltaTail) {
    return this.joiner.join(this.replica, { entry: this.entry.entryAddress, until });
  }

  /** Hash and version of the replica, and those of the producer's book. */
  get books(): { ours: number[]; theirs: number[] } {
    const book = this.rig.sync.instrument(NATIVE)?.block.book ?? 0;
    return {
      ours: [this.memory.getUint32(this.replica + REPLICA_HASH, true), this.version],
      theirs: [this.rig.kernel.bookHash(book), Number(this.view.topOfBook(0)?.version)],
    };
  }

  get version(): number {
    return Number(this.memory.getBigUint64(this.replica + REPLICA_VERSION, true));
  }
}

describe.each(["wasm", "twin"] as const)("ReplicaJoiner on %s", (kernelName) => {
  it("joins from the start when there is no image yet", () => {
    const bench = new Bench(kernelName);
    expect(bench.join()).toEqual({ kind: "joined", from: "start" });
    expect(bench.version).toBe(0);
  });

  it("joins from the image and the records behind it when updates followed", () => {
    const bench = new Bench(kernelName);
    bench.snapshot(1000);
    bench.snapshot(5, "ETH-USD");
    bench.updates(300);
    expect(bench.join()).toEqual({ kind: "joined", from: "image" });
    expect(bench.books.ours).toEqual(bench.books.theirs);
  });

  it("joins after the ring went round many times when images were renewed", () => {
    const bench = new Bench(kernelName);
    bench.snapshot(100);
    bench.updates(3 * CAPACITY);
    expect(bench.join()).toEqual({ kind: "joined", from: "image" });
    expect(bench.books.ours).toEqual(bench.books.theirs);
  });

  it("stops at the main reader's position and leaves the rest to it", () => {
    const bench = new Bench(kernelName);
    bench.snapshot(1000);
    bench.updates(10);
    const until = bench.view.deltaTail;
    bench.updates(10);
    expect(bench.join(until).kind).toBe("joined");
    expect(Number(bench.view.topOfBook(0)?.version) - bench.version).toBe(10);
  });

  it("says that there is no image when the beginning is gone and none was taken", () => {
    const bench = new Bench(kernelName);
    bench.snapshot(100);
    bench.updates(CAPACITY + 10);
    bench.memory.setUint32(bench.entry.entryAddress + TABLE_CURRENT_IMAGE, 0, true);
    expect(bench.join()).toEqual({ kind: "no_image" });
    expect(bench.memory.getUint32(bench.replica + REPLICA_STATE, true)).toBe(REPLICA_STATE_EMPTY);
  });

  it("says busy when the image stays half written", () => {
    const bench = new Bench(kernelName);
    bench.snapshot(1000);
    const image = currentImage(bench);
    bench.memory.setUint32(image, bench.memory.getUint32(image, true) + 1, true);
    expect(bench.join()).toEqual({ kind: "busy" });
    expect(bench.memory.getUint32(bench.replica + REPLICA_STATE, true)).toBe(REPLICA_STATE_EMPTY);
  });

  it("says corrupt when the image does not hold its hash", () => {
    const bench = new Bench(kernelName);
    bench.snapshot(1000);
    const hash = currentImage(bench) + IMAGE_HASH;
    bench.memory.setUint32(hash, bench.memory.getUint32(hash, true) ^ 1, true);
    expect(bench.join().kind).toBe("corrupt");
    expect(bench.memory.getUint32(bench.replica + REPLICA_STATE, true)).toBe(REPLICA_STATE_EMPTY);
  });

  it("says corrupt when a record behind the image does not hold, and joins again after the next image", () => {
    const bench = new Bench(kernelName);
    bench.snapshot(1000);
    const position = bench.view.deltaTail;
    bench.updates(5);
    const record = bench.view.address + bench.view.header.deltaRingOffset + (position % CAPACITY) * DELTA_BYTES;
    const hash = record + DELTA_BOOK_HASH;
    bench.memory.setUint32(hash, bench.memory.getUint32(hash, true) ^ 1, true);
    expect(bench.join().kind).toBe("corrupt");
    bench.updates(CAPACITY / 4);
    expect(bench.join()).toEqual({ kind: "joined", from: "image" });
    expect(bench.books.ours).toEqual(bench.books.theirs);
  });
});

function currentImage({ memory, view, entry }: Bench): number {
  const number = memory.getUint32(entry.entryAddress + TABLE_CURRENT_IMAGE, true);
  const offset = Number(memory.getBigUint64(entry.entryAddress + TABLE_IMAGE_OFFSET, true));
  const bytes = Number(memory.getBigUint64(entry.entryAddress + TABLE_IMAGE_BYTES, true));
  return view.address + offset + (number - 1) * bytes;
}

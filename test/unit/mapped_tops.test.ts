/**
 * Cells of tops of book whose writer stands still in the middle of a write: it lost the processor, was stopped or died.
 * Bad case: one that stays so; the reader says it and what it saw last, and never mixes two writes.
 */
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { CELL_SEQUENCE } from "../../assembly/layout.ts";
import { openSegment, type SegmentReader } from "../../src/reader/mod.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { freshFolder, MappedProducer, removeFolders } from "./mapped_rig.ts";

afterAll(removeFolders);

const open: { close: () => unknown }[] = [];

afterEach(() => {
  vi.restoreAllMocks();
  for (const one of open.splice(0).reverse()) {
    one.close();
  }
});

async function market(): Promise<{ producer: MappedProducer; read: () => Promise<SegmentReader>; write: () => void }> {
  const directory = freshFolder();
  const producer = await MappedProducer.start(directory);
  open.push(producer);
  producer.snapshot(10);
  const words = new Int32Array(producer.map.memory.buffer);
  const { header, address } = new SegmentView(producer.map.memory.buffer, producer.segment.address);
  return {
    producer,
    read: async () => {
      const reader = await openSegment("coinbase", { directory, arenaBytes: 2 ** 25 });
      open.push(reader);
      return reader;
    },
    // A write begins or ends.
    write: () => void Atomics.add(words, (address + header.cellsOffset + CELL_SEQUENCE) >>> 2, 1),
  };
}

describe("A top of book whose cell is half written", () => {
  it("is busy and what the reader saw last when it stays so, and whole again afterwards", async () => {
    const { producer, read, write } = await market();
    const [reader, late] = [await read(), await read()];
    const seen = reader.top("BTC-USD");
    expect(seen).toMatchObject({ isSynced: true, state: "synced", bid: { price: "10000" }, ask: { price: "10001" } });
    write();
    producer.beat();
    const busy = reader.top("BTC-USD");
    expect(busy).toMatchObject({ isSynced: false, state: "busy", version: seen?.version, bid: seen?.bid });
    const nothing = { isSynced: false, state: "busy", version: 0n, bid: undefined, ask: undefined, trade: undefined };
    expect(late.top("BTC-USD")).toMatchObject(nothing);
    write();
    producer.update(7);
    expect([reader.top("BTC-USD"), late.top("BTC-USD")].map((top) => [top?.isSynced, top?.version])).toEqual(
      [0, 1].map(() => [true, (seen?.version ?? 0n) + 1n]),
    );
  });

  it("is waited for when its writer has only lost the processor", async () => {
    const { read, write } = await market();
    const reader = await read();
    write();
    const naps = vi.spyOn(Atomics, "wait").mockImplementation(() => {
      write();
      return "timed-out";
    });
    expect(reader.top("BTC-USD")).toMatchObject({ isSynced: true, state: "synced", bid: { price: "10000" } });
    expect(naps).toHaveBeenCalledTimes(1);
  });

  it("is not waited for when its producer is dead", async () => {
    const { producer, read, write } = await market();
    const reader = await read();
    producer.segment.beat(1n);
    reader.refresh();
    write();
    const naps = vi.spyOn(Atomics, "wait");
    expect(reader.top("BTC-USD")).toMatchObject({ isSynced: false, state: "stale", version: 0n });
    expect(naps).not.toHaveBeenCalled();
  });
});

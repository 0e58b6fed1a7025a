/**
 * What two threads share, looked at between two stores: a cell or an image is odd before anything of it changes and even
 * when all of it has; a tail moves when its records are written; a table points to an image when it is complete. The
 * JavaScript kernel's atomic stores are listened to, since no single thread sees their order otherwise.
 * Bad case: a store that a reader could see too early; the test names which.
 */
import { afterEach, describe, expect, it } from "vitest";
import {
  CELL_BYTES,
  CELL_FLAG_ASK,
  CELL_FLAG_BID,
  CELL_SEQUENCE,
  DELTA_BYTES,
  DELTA_PUBLISHED_AT,
  HEADER_DELTA_TAIL,
  HEADER_DELTA_TAIL_INTENT,
  HEADER_TRADE_TAIL,
  HEADER_WAITING,
  IMAGE_BUSY,
  IMAGE_GENERATION,
  IMAGE_HEADER_BYTES,
  IMAGE_OK,
  LEVEL_BYTES,
  REPLICA_CHAIN_BROKEN,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  RING_DELTAS,
  TABLE_CURRENT_IMAGE,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_OFFSET,
  TRADE_BYTES,
} from "../../assembly/layout.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { Rig } from "../support/rig.ts";

const KERNELS = ["wasm", "twin"] as const;
const ATOMICS = { store: Atomics.store, load: Atomics.load };

afterEach(() => {
  Object.assign(Atomics, ATOMICS);
});

/** Calls before each atomic store of a 32-bit word with its address and value. */
function onStore(listen: (address: number, value: number) => void): void {
  Atomics.store = ((words: Int32Array, index: number, value: number) => {
    listen(words.byteOffset + index * words.BYTES_PER_ELEMENT, Number(value));
    return ATOMICS.store(words, index, value);
  }) as typeof Atomics.store;
}

/** Calls after each atomic load of a 32-bit word with its address. */
function onLoad(listen: (address: number) => void): void {
  Atomics.load = ((words: Int32Array, index: number) => {
    const value = ATOMICS.load(words, index);
    listen(words.byteOffset + index * words.BYTES_PER_ELEMENT);
    return value;
  }) as typeof Atomics.load;
}

const encode = (value: object) => new Uint8Array(Buffer.from(JSON.stringify(value)));

function snapshot(levels: number): Uint8Array {
  const side = (sign: number) =>
    Array.from({ length: levels }, (_, index) => [String(1000 + sign * (index + 1)), "1.5"]);
  return encode({ type: "snapshot", product_id: "BTC-USD", bids: side(-1), asks: side(1) });
}

function update(...changes: [side: string, price: number, size: string][]): Uint8Array {
  const texts = changes.map(([side, price, size]) => [side, String(price), size]);
  return encode({ type: "l2update", product_id: "BTC-USD", changes: texts });
}

function match(id: number): Uint8Array {
  const about = { product_id: "BTC-USD", side: "sell", price: "999", size: "1" };
  return encode({ type: "match", trade_id: id, ...about });
}

/** A producer of one synced book, and how its segment reads. */
function producer(name: "wasm" | "twin", levels = 3) {
  const rig = new Rig(name, "coinbase_exchange", ["BTC-USD"]);
  rig.frame(snapshot(levels), 1);
  const view = new SegmentView(rig.buffer, rig.segment.address);
  const memory = new DataView(rig.buffer);
  const entries = view.instruments();
  const entry = entries.at(-1);
  if (entry === undefined) {
    throw new Error("Cannot test: the snapshot opened no instrument");
  }
  const cell = view.address + view.header.cellsOffset + entry.index * CELL_BYTES;
  const receive = (frame: Uint8Array, at: number) => rig.sync.connection(0).receive(frame, at);
  return { rig, view, memory, entry, cell, receive };
}

function bytesOf(buffer: ArrayBufferLike, address: number, length: number): Uint8Array {
  return new Uint8Array(buffer, address, length).slice();
}

/** An image without its generation. */
function imageOf(memory: DataView, image: number, bytes: number): Uint8Array {
  const copy = bytesOf(memory.buffer, image, bytes);
  copy.fill(0, IMAGE_GENERATION, IMAGE_GENERATION + 4);
  return copy;
}

function imageAddress({ view, memory, entry }: ReturnType<typeof producer>, number: number): number {
  const offset = Number(memory.getBigUint64(entry.address + TABLE_IMAGE_OFFSET, true));
  const bytes = Number(memory.getBigUint64(entry.address + TABLE_IMAGE_BYTES, true));
  return view.address + offset + (number - 1) * bytes;
}

describe("stores that readers see", () => {
  it("show a cell as odd before any of it changes and as even when all of it has", () => {
    const { rig, cell } = producer("twin");
    const before = bytesOf(rig.buffer, cell, CELL_BYTES);
    const seen: { value: number; cell: Uint8Array }[] = [];
    onStore((address, value) => {
      if (address === cell + CELL_SEQUENCE) {
        seen.push({ value, cell: bytesOf(rig.buffer, cell, CELL_BYTES) });
      }
    });
    rig.frame(update(["buy", 999, "2.5"]), 2);
    const after = bytesOf(rig.buffer, cell, CELL_BYTES);
    expect(seen.map(({ value }) => value % 2)).toEqual([1, 0]);
    expect(seen[0]?.cell).toEqual(before);
    expect(seen[1]?.cell.subarray(CELL_SEQUENCE + 4)).toEqual(after.subarray(CELL_SEQUENCE + 4));
    expect(after.subarray(CELL_SEQUENCE + 4)).not.toEqual(before.subarray(CELL_SEQUENCE + 4));
  });

  it("show an image as odd before any of it changes, as even when all of it has, and as current after that", () => {
    const scene = producer("twin");
    const { rig, memory, entry } = scene;
    const current = memory.getUint32(entry.address + TABLE_CURRENT_IMAGE, true);
    expect(current).not.toBe(0);
    const image = imageAddress(scene, current === 1 ? 2 : 1);
    const bytes = IMAGE_HEADER_BYTES + 16 * LEVEL_BYTES;
    const before = imageOf(memory, image, bytes);
    const seen: { what: string; image: Uint8Array }[] = [];
    onStore((address, value) => {
      const isGeneration = address === image + IMAGE_GENERATION;
      if (isGeneration || address === entry.address + TABLE_CURRENT_IMAGE) {
        const parity = value % 2 === 1 ? "odd" : "even";
        seen.push({ what: isGeneration ? parity : "current", image: imageOf(memory, image, bytes) });
      }
    });
    rig.frame(snapshot(5), 2);
    const after = imageOf(memory, image, bytes);
    expect(seen.map(({ what }) => what)).toEqual(["odd", "even", "current"]);
    expect(seen[0]?.image).toEqual(before);
    expect(seen[1]?.image).toEqual(after);
    expect(after).not.toEqual(before);
  });

  it("move the tails when the records are written, and the intent before any is overwritten", () => {
    const { rig, view, memory, receive } = producer("twin");
    rig.frame(match(1), 2);
    // What the last claim announced ahead is used up first.
    for (let price = 1; view.deltaTailIntent > view.deltaTail; price++) {
      rig.frame(update(["buy", price, "1"]), 2);
    }
    const { deltaRingOffset, tradeRingOffset } = view.header;
    const deltas = view.address + deltaRingOffset + view.deltaTail * DELTA_BYTES;
    const trades = view.address + tradeRingOffset + view.tradeTail * TRADE_BYTES;
    const read = () => [...bytesOf(memory.buffer, deltas, DELTA_BYTES), ...bytesOf(memory.buffer, trades, TRADE_BYTES)];
    const before = read();
    const seen: { what: string; records: number[] }[] = [];
    const names = new Map([
      [view.address + HEADER_DELTA_TAIL_INTENT, "intent"],
      [view.address + HEADER_DELTA_TAIL, "deltas"],
      [view.address + HEADER_TRADE_TAIL, "trades"],
    ]);
    onStore((address) => {
      const what = names.get(address);
      if (what !== undefined) {
        seen.push({ what, records: read() });
      }
    });
    receive(update(["buy", 999, "2.5"]), 3);
    receive(match(2), 4);
    rig.sync.publish(5);
    expect(seen.map(({ what }) => what)).toEqual(["intent", "deltas", "trades"]);
    expect(seen[0]?.records).toEqual(before);
    expect(seen[1]?.records).toEqual(read());
  });
});

describe.each(["wasm", "twin"] as const)("a claim on %s", (name) => {
  it("reaches a 1,024th of the ring further than it must when records are written one by one", () => {
    const { rig, view } = producer(name);
    const ahead = view.header.deltaCapacity / 1024;
    const period = ahead + 1;
    const margins = Array.from({ length: 3 * period }, (_, index) => {
      rig.frame(update(["buy", index + 1, "1"]), 2);
      return view.deltaTailIntent - view.deltaTail;
    });
    const expected = margins.map((_, index) => ((margins[0] ?? 0) + period - (index % period)) % period);
    expect(ahead).toBeGreaterThan(1);
    expect(margins).toEqual(expected);
  });
});

describe("a reader", () => {
  it("is told to come again, not that the image is broken, when it was being rewritten during the copy", () => {
    const scene = producer("twin", 5);
    const { rig, view, memory, entry } = scene;
    const image = imageAddress(scene, memory.getUint32(entry.address + TABLE_CURRENT_IMAGE, true));
    const replica = rig.kernel.replicaCreate();
    memory.setUint32(replica + REPLICA_INSTRUMENT_ID, entry.id, true);
    expect(rig.kernel.imageLoad(replica, view.address, entry.address)).toBe(IMAGE_OK);
    let isFirst = true;
    onLoad((address) => {
      if (address === image + IMAGE_GENERATION && isFirst) {
        isFirst = false;
        memory.setUint32(image + IMAGE_GENERATION, memory.getUint32(image + IMAGE_GENERATION, true) + 1, true);
        memory.setBigInt64(image + IMAGE_HEADER_BYTES, 7n, true);
      }
    });
    expect(rig.kernel.imageLoad(replica, view.address, entry.address)).toBe(IMAGE_BUSY);
  });

  for (const name of KERNELS) {
    it(`is woken at once on ${name} when it said that it waits`, async () => {
      const { rig, view } = producer(name);
      const words = new Int32Array(rig.buffer);
      const tail = (view.address + HEADER_DELTA_TAIL) >>> 2;
      const { waitAsync } = Atomics as unknown as {
        waitAsync: (...of: [Int32Array, number, number, number]) => { async: boolean; value: Promise<string> };
      };
      const wait = waitAsync(words, tail, Atomics.load(words, tail), 5000);
      expect(wait.async).toBe(true);
      Atomics.store(words, (view.address + HEADER_WAITING) >>> 2, 1);
      rig.frame(update(["buy", 999, "2"]), 2);
      expect(await wait.value).toBe("ok");
    });

    it(`is refused on ${name} when records are missing whose changes cancel out`, () => {
      const { rig, view, memory, entry } = producer(name);
      const from = view.deltaTail;
      const replica = rig.kernel.replicaCreate();
      memory.setUint32(replica + REPLICA_INSTRUMENT_ID, entry.id, true);
      expect(rig.kernel.imageLoad(replica, view.address, entry.address)).toBe(IMAGE_OK);
      rig.frame(update(["buy", 999, "2"]), 2);
      rig.frame(update(["buy", 999, "1.5"]), 3);
      rig.frame(update(["sell", 1001, "4"]), 4);
      const slot = (position: number) => view.address + view.header.deltaRingOffset + position * DELTA_BYTES;
      expect(rig.kernel.replicaApply(replica, slot(from + 2))).toBe(REPLICA_CHAIN_BROKEN);
      expect(memory.getUint32(replica + REPLICA_STATE, true)).toBe(REPLICA_STATE_EMPTY);
      expect(rig.kernel.imageLoad(replica, view.address, entry.address)).toBe(IMAGE_OK);
      for (let position = from; position < from + 3; position++) {
        expect(rig.kernel.replicaApply(replica, slot(position))).toBeGreaterThanOrEqual(REPLICA_OK);
      }
    });

    it(`waits on ${name} when a Reset came and the image is older than it`, () => {
      const { rig, view, memory, entry } = producer(name);
      const replica = rig.kernel.replicaCreate();
      memory.setUint32(replica + REPLICA_INSTRUMENT_ID, entry.id, true);
      expect(rig.kernel.imageLoad(replica, view.address, entry.address)).toBe(IMAGE_OK);
      const older = memory.getUint32(entry.address + TABLE_CURRENT_IMAGE, true);
      const reset = view.deltaTail;
      rig.frame(snapshot(200), 2);
      const newer = memory.getUint32(entry.address + TABLE_CURRENT_IMAGE, true);
      expect(newer).not.toBe(older);
      const record = view.address + view.header.deltaRingOffset + reset * DELTA_BYTES;
      expect(rig.kernel.replicaApply(replica, record)).toBe(REPLICA_RESET);
      memory.setUint32(entry.address + TABLE_CURRENT_IMAGE, older, true);
      expect(rig.kernel.imageLoad(replica, view.address, entry.address)).toBe(IMAGE_BUSY);
      memory.setUint32(entry.address + TABLE_CURRENT_IMAGE, newer, true);
      expect(rig.kernel.imageLoad(replica, view.address, entry.address)).toBe(IMAGE_OK);
    });

    it(`finds the time of publishing in every record of a batch on ${name}`, () => {
      const { rig, view, memory, receive } = producer(name);
      const from = view.deltaTail;
      for (let index = 0; index < 4; index++) {
        receive(update(["buy", 990 - index, "2"]), 10 + index);
      }
      rig.sync.publish(50);
      const ring = view.address + view.header.deltaRingOffset;
      const times = Array.from({ length: 4 }, (_, index) =>
        memory.getBigUint64(ring + (from + index) * DELTA_BYTES + DELTA_PUBLISHED_AT, true),
      );
      expect(times).toEqual(times.map(() => view.header.wallAnchorNs + 50n));
    });

    it(`finds no best bid on ${name} when the last bid has left`, () => {
      const { rig, view, entry } = producer(name, 1);
      expect((view.topOfBook(entry.index)?.flags ?? 0) & (CELL_FLAG_BID | CELL_FLAG_ASK)).toBe(
        CELL_FLAG_BID | CELL_FLAG_ASK,
      );
      rig.frame(update(["buy", 999, "0"]), 2);
      expect((view.topOfBook(entry.index)?.flags ?? 0) & (CELL_FLAG_BID | CELL_FLAG_ASK)).toBe(CELL_FLAG_ASK);
    });

    it(`finds a ring reader's place on ${name} when it is created`, () => {
      const { rig, view } = producer(name);
      const reader = rig.kernel.readerCreate(view.address, RING_DELTAS);
      expect(rig.kernel.readerPoll(reader, rig.kernel.arenaAllocate(DELTA_BYTES), 1)).toBe(0);
    });
  }
});

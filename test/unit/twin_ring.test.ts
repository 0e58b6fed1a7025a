/**
 * The twin's ring, cells and images as a producer writes them and readers meet them: positions, laps with exact losses,
 * joining by image, publishing in the middle of a burst. Bad case: a reader that misses records without being told.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CELL_ASK_PRICE,
  CELL_BID_PRICE,
  CELL_FLAGS,
  CELL_SEQUENCE,
  CELL_VERSION,
  COUNTER_IMAGES,
  COUNTER_RECORDS,
  DECODER_COINBASE_EXCHANGE,
  DELTA_BYTES,
  DELTA_FLAGS,
  DELTA_PUBLISHED_AT,
  DELTA_RECEIVED_AT,
  DELTA_VERSION,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  HEADER_DELTA_TAIL_INTENT,
  HEADER_WAITING,
  IMAGE_LAPPED,
  IMAGE_NONE,
  IMAGE_OK,
  INSTRUMENT_BOOK,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_FLAG_IMAGE_FULL,
  INSTRUMENT_FLAGS,
  INSTRUMENT_STATE,
  POLL_LAPPED,
  READER_CURSOR,
  READER_LOST,
  REASON_DISCONNECTED,
  REPLICA_BOOK,
  REPLICA_INSTRUMENT_ID,
  REPLICA_JOIN_SEQUENCE,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
  REPLICA_VERSION,
  RING_DELTAS,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
  TABLE_REASON,
  TABLE_STATE,
} from "../../assembly/layout.ts";
import { createMemory, loadPosition, storePosition } from "../../src/kernel/twin/memory.ts";
import { createTwin } from "../../src/kernel/twin/mod.ts";
import { Rig, type RigOptions, SEGMENT } from "./twin_rig.ts";

const CAPACITY = 64;
const DECODER = DECODER_COINBASE_EXCHANGE;

function snapshot(levels: number): string {
  const side = (sign: number): string[][] =>
    Array.from({ length: levels }, (_, index) => [String(1000 + sign * (index + 1)), "1.5"]);
  return JSON.stringify({ type: "snapshot", product_id: "BTC-USD", bids: side(-1), asks: side(1) });
}

function update(...changes: [string, number, string][]): string {
  const texts = changes.map(([side, price, size]) => [side, String(price), size]);
  return JSON.stringify({ type: "l2update", product_id: "BTC-USD", changes: texts });
}

/** A synced producer. */
function producer(options: RigOptions = {}): Rig {
  const rig = new Rig(createTwin, { deltaCapacity: CAPACITY, imageLevels: 512, ...options });
  rig.feed(DECODER, snapshot(3), 1);
  return rig;
}

/** Records of the ring that a reader copied. */
function versions(rig: Rig, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Number(rig.u64(at + index * DELTA_BYTES + DELTA_VERSION)));
}

/** Address of the record at a position. */
function slot(rig: Rig, position: number): number {
  const ring = SEGMENT + Number(rig.u64(SEGMENT + HEADER_DELTA_RING_OFFSET));
  return ring + (position % rig.word(SEGMENT, HEADER_DELTA_CAPACITY)) * DELTA_BYTES;
}

describe("positions", () => {
  it("keep their value when they cross the words of a u64", () => {
    const memory = createMemory(new SharedArrayBuffer(64));
    const position = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }).map(Number);
    fc.assert(
      fc.property(fc.oneof(position, fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 33 + 5)), (value) => {
        storePosition(memory, 8, value);
        expect(loadPosition(memory.words, 8)).toBe(value);
        expect(new DataView(memory.buffer).getBigUint64(8, true)).toBe(BigInt(value));
      }),
    );
  });
});

describe("publish", () => {
  it("stamps the batch and moves the tail when it is called", () => {
    const rig = producer();
    rig.kernel.clockAnchor(1000, 0);
    rig.feed(DECODER, update(["buy", 999, "2"]), 50);
    expect(rig.u64(SEGMENT + HEADER_DELTA_TAIL)).toBe(0n);
    expect(rig.kernel.publish(70)).toBe(2);
    expect(rig.u64(SEGMENT + HEADER_DELTA_TAIL)).toBe(2n);
    expect(rig.u64(slot(rig, 1) + DELTA_RECEIVED_AT)).toBe(1050n);
    expect(rig.u64(slot(rig, 1) + DELTA_PUBLISHED_AT)).toBe(1070n);
    expect(rig.kernel.publish(80)).toBe(0);
  });

  it("clears the waiting mark when it has something to tell", () => {
    const rig = producer();
    rig.kernel.publish(1);
    rig.words[(SEGMENT + HEADER_WAITING) >>> 2] = 1;
    rig.kernel.publish(2);
    expect(rig.word(SEGMENT, HEADER_WAITING)).toBe(1);
    rig.feed(DECODER, update(["buy", 999, "2"]), 3);
    rig.kernel.publish(4);
    expect(rig.word(SEGMENT, HEADER_WAITING)).toBe(0);
  });

  it("happens by itself when a burst passes a quarter of the ring", () => {
    const rig = producer();
    const burst = Array.from({ length: 17 * 16 }, (_, index): [string, number, string] => ["buy", 1 + index, "3"]);
    rig.feed(DECODER, update(...burst), 9);
    expect(rig.u64(SEGMENT + HEADER_DELTA_TAIL)).toBe(BigInt(rig.counter(COUNTER_RECORDS)));
    expect(rig.u64(SEGMENT + HEADER_DELTA_TAIL_INTENT)).toBeGreaterThanOrEqual(17n);
  });
});

describe("reader", () => {
  it("sees each record once and in order when it keeps up", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 7 }),
        (bursts, limit) => {
          const rig = producer();
          const reader = rig.kernel.readerCreate(SEGMENT, RING_DELTAS);
          const seen: number[] = [];
          for (const [index, burst] of bursts.entries()) {
            for (let i = 0; i < burst; i++) {
              rig.feed(DECODER, update(["buy", 1 + i, String(1 + index)]), index);
            }
            rig.kernel.publish(index);
            for (let count = -1; count !== 0; ) {
              count = rig.kernel.readerPoll(reader, rig.frame, limit);
              seen.push(...versions(rig, rig.frame, count));
            }
          }
          expect(seen).toEqual(Array.from({ length: rig.counter(COUNTER_RECORDS) }, (_, index) => index + 1));
        },
      ),
      { numRuns: 10 },
    );
  });

  it("is told exactly what it lost when the ring laps it", () => {
    const rig = producer();
    rig.kernel.publish(1);
    const reader = rig.kernel.readerCreate(SEGMENT, RING_DELTAS);
    for (let index = 0; index < CAPACITY + 5; index++) {
      rig.feed(DECODER, update(["buy", 1 + (index % 50), String(index + 1)]), index);
      rig.kernel.publish(index);
    }
    const before = rig.u64(reader + READER_CURSOR);
    expect(rig.kernel.readerPoll(reader, rig.frame, 1000)).toBe(POLL_LAPPED);
    const tail = rig.u64(SEGMENT + HEADER_DELTA_TAIL);
    expect(rig.u64(reader + READER_CURSOR)).toBe(tail - BigInt(CAPACITY / 4));
    expect(rig.u64(reader + READER_LOST)).toBe(rig.u64(reader + READER_CURSOR) - before);
    expect(rig.kernel.readerPoll(reader, rig.frame, 1000)).toBe(CAPACITY / 4);
    expect(versions(rig, rig.frame, CAPACITY / 4).at(-1)).toBe(Number(tail));
  });

  it("discards what was announced for overwriting when it has copied it", () => {
    const rig = producer();
    rig.kernel.publish(1);
    const reader = rig.kernel.readerCreate(SEGMENT, RING_DELTAS);
    rig.feed(DECODER, update(["buy", 1, "2"]), 2);
    rig.kernel.publish(2);
    rig.view.setBigUint64(
      SEGMENT + HEADER_DELTA_TAIL_INTENT,
      rig.u64(reader + READER_CURSOR) + BigInt(CAPACITY) + 1n,
      true,
    );
    expect(rig.kernel.readerPoll(reader, rig.frame, 10)).toBe(POLL_LAPPED);
  });
});

describe("image", () => {
  /** A replica of the rig's first instrument. */
  function replicaOf(rig: Rig): number {
    const replica = rig.kernel.replicaCreate();
    rig.words[(replica + REPLICA_INSTRUMENT_ID) >>> 2] = 1;
    return replica;
  }

  it("gives the book and its place in the ring when a reader joins", () => {
    const rig = producer();
    rig.feed(DECODER, update(["buy", 5, "2"]), 2);
    rig.kernel.publish(2);
    rig.feed(DECODER, update(["sell", 5000, "2"]), 3);
    rig.kernel.publish(3);
    const replica = replicaOf(rig);
    expect(rig.kernel.imageLoad(replica, SEGMENT, rig.ids[0]?.entry ?? 0)).toBe(IMAGE_OK);
    const reader = rig.kernel.readerCreate(SEGMENT, RING_DELTAS);
    rig.view.setBigUint64(reader + READER_CURSOR, rig.u64(replica + REPLICA_JOIN_SEQUENCE), true);
    const count = rig.kernel.readerPoll(reader, rig.frame, 100);
    for (let index = 0; index < count; index++) {
      expect(rig.kernel.replicaApply(replica, rig.frame + index * DELTA_BYTES)).toBe(REPLICA_OK);
    }
    expect(rig.kernel.bookHash(rig.word(replica, REPLICA_BOOK))).toBe(rig.kernel.bookHash(bookOf(rig)));
  });

  it("is taken at once, before its Reset record, when a large snapshot comes", () => {
    const rig = producer();
    rig.kernel.publish(1);
    const replica = replicaOf(rig);
    rig.feed(DECODER, snapshot(200), 2);
    rig.kernel.publish(2);
    const last = slot(rig, rig.counter(COUNTER_RECORDS) - 1);
    expect(rig.view.getUint16(last + DELTA_FLAGS, true)).toBe(FLAG_LAST | FLAG_SNAPSHOT | FLAG_RESET);
    expect(rig.kernel.replicaApply(replica, last)).toBe(REPLICA_RESET);
    expect(rig.kernel.imageLoad(replica, SEGMENT, rig.ids[0]?.entry ?? 0)).toBe(IMAGE_OK);
    expect(rig.u64(replica + REPLICA_VERSION)).toBe(rig.u64(last + DELTA_VERSION));
    expect(rig.kernel.replicaApply(replica, last)).toBe(REPLICA_STALE);
    expect(rig.kernel.bookHash(rig.word(replica, REPLICA_BOOK))).toBe(rig.kernel.bookHash(bookOf(rig)));
  });

  it("takes the instrument out of service when it does not hold the book", () => {
    const rig = producer({ imageLevels: 300 });
    rig.feed(DECODER, snapshot(200), 2);
    const block = rig.instrument("BTC-USD");
    expect(rig.word(block, INSTRUMENT_STATE)).toBe(STATE_OUT_OF_SERVICE);
    expect(rig.word(block, INSTRUMENT_FLAGS) & INSTRUMENT_FLAG_IMAGE_FULL).not.toBe(0);
    const last = slot(rig, rig.counter(COUNTER_RECORDS) - 1);
    expect(rig.view.getUint16(last + DELTA_FLAGS, true)).toBe(FLAG_LAST | FLAG_NOT_SYNCED);
  });

  it("is renewed by the patrol when the ring is about to leave it behind", () => {
    const rig = producer();
    rig.kernel.publish(1);
    const images = rig.counter(COUNTER_IMAGES);
    rig.feed(DECODER, snapshot(3).replace("BTC-USD", "ETH-USD"), 1);
    for (let index = 0; index < CAPACITY; index++) {
      rig.feed(DECODER, update(["buy", 1, String(index + 1)]).replace("BTC-USD", "ETH-USD"), index);
      rig.kernel.publish(index);
    }
    expect(rig.counter(COUNTER_IMAGES)).toBeGreaterThan(images + 2);
    expect(rig.kernel.imageLoad(replicaOf(rig), SEGMENT, rig.ids[0]?.entry ?? 0)).toBe(IMAGE_OK);
  });

  it("says so when there is none yet and when the ring has passed it", () => {
    const rig = producer();
    const replica = replicaOf(rig);
    const entry = rig.ids[0]?.entry ?? 0;
    expect(rig.kernel.imageLoad(replica, SEGMENT, entry)).toBe(IMAGE_NONE);
    rig.kernel.publish(1);
    rig.view.setBigUint64(SEGMENT + HEADER_DELTA_TAIL_INTENT, BigInt(CAPACITY * 2), true);
    expect(rig.kernel.imageLoad(replica, SEGMENT, entry)).toBe(IMAGE_LAPPED);
  });
});

describe("cell and table", () => {
  it("show best prices, version and state when events end", () => {
    const rig = producer();
    const block = rig.instrument("BTC-USD");
    const cell = rig.word(block, INSTRUMENT_CELL_ADDRESS);
    rig.feed(DECODER, update(["buy", 999, "0"], ["sell", 1001, "7"]), 2);
    expect([rig.u64(cell + CELL_BID_PRICE), rig.u64(cell + CELL_ASK_PRICE)]).toEqual([998n, 1001n]);
    expect([rig.word(cell, CELL_FLAGS), rig.u64(cell + CELL_VERSION)]).toEqual([3, 2n]);
    expect(rig.word(cell, CELL_SEQUENCE) % 2).toBe(0);
    rig.kernel.instrumentUnsync(block, STATE_RESYNCING, REASON_DISCONNECTED, 5);
    const entry = rig.ids[0]?.entry ?? 0;
    expect([rig.word(entry, TABLE_STATE), rig.word(entry, TABLE_REASON)]).toEqual([
      STATE_RESYNCING,
      REASON_DISCONNECTED,
    ]);
    expect(rig.u64(cell + CELL_VERSION)).toBe(3n);
  });
});

function bookOf(rig: Rig): number {
  return rig.word(rig.instrument("BTC-USD"), INSTRUMENT_BOOK);
}

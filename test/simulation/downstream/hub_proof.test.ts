/**
 * Memory that lies: every bit of a ring record and of an image is flipped under the hub's reader, one at a time. Hub and
 * clients never call a book right that is not the producer's, the failure is counted where a check reaches the bit, and
 * everything is right again afterwards. Bad case: a bit that no check reaches and that makes the book; it would fail here.
 */
import { afterEach, describe, expect, it } from "vitest";
import {
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_SIDE_MASK,
  DELTA_VERSION,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_DELTA_TAIL,
  IMAGE_HEADER_BYTES,
  LEVEL_BYTES,
  TABLE_CURRENT_IMAGE,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_OFFSET,
} from "../../../assembly/layout.ts";
import { plainRequest } from "../../support/http_requests.ts";
import { CALM } from "./mod.ts";
import { stopWorlds, World } from "./small_world.ts";

const NATIVE = "BTC-USD";
const CAPACITY = 256;
const IMAGE_LEVEL_STEP = 11;
/** Of the slots that a record does not use every so many bits are tried. */
const UNUSED_STEP = 29;

afterEach(stopWorlds);

/** A settled world of which the first client reads promptly. */
function settled(seed: number): World {
  const world = new World(seed, { faults: CALM, clients: 2, deltaCapacity: CAPACITY });
  world.run(60);
  world.clock.advance(2000);
  expect(world.isSettled).toBe(true);
  return world;
}

/** Address of the record that was published last. */
function lastRecord({ memory, producer }: World): number {
  const { address } = producer.segment;
  const tail = Number(memory.getBigUint64(address + HEADER_DELTA_TAIL, true));
  const capacity = memory.getUint32(address + HEADER_DELTA_CAPACITY, true);
  const ring = address + Number(memory.getBigUint64(address + HEADER_DELTA_RING_OFFSET, true));
  return ring + ((tail - 1) % capacity) * DELTA_BYTES;
}

/** Address of the image that a join would load. */
function currentImage({ memory, producer }: World): number {
  const entry = producer.sync.instrument(NATIVE)?.block.entry.entryAddress ?? 0;
  const offset = Number(memory.getBigUint64(entry + TABLE_IMAGE_OFFSET, true));
  const bytes = Number(memory.getBigUint64(entry + TABLE_IMAGE_BYTES, true));
  const index = memory.getUint32(entry + TABLE_CURRENT_IMAGE, true);
  return producer.segment.address + offset + (index - 1) * bytes;
}

function flip({ memory }: World, address: number, bit: number): void {
  const at = address + (bit >>> 3);
  memory.setUint8(at, memory.getUint8(at) ^ (1 << (bit & 7)));
}

function failures(world: World): number {
  return world.downstream.counts().hubFailures;
}

/** Whether a check of the replica reaches a bit of a record. @param changes that the record uses */
function isProved(bit: number, changes: number): boolean {
  const ranges: [start: number, bytes: number][] = [
    [DELTA_VERSION, 8],
    [DELTA_BASE_PRICE, changes > 0 ? 8 : 0],
    [DELTA_INSTRUMENT_ID, 4],
    [DELTA_CHANGE_COUNT, 1],
    [DELTA_SIDE_MASK, 2],
    [DELTA_ADD_MASK, 2],
    [DELTA_BOOK_HASH, 4],
    [DELTA_QUANTITIES, changes * 8],
    [DELTA_PRICE_OFFSETS, changes * 4],
  ];
  return ranges.some(([start, bytes]) => bit >= start * 8 && bit < (start + bytes) * 8);
}

describe("A hub whose memory lies", () => {
  it("serves no wrong book and counts the failure when any bit of a ring record is flipped as it reads", () => {
    const world = settled(11);
    const unseen: string[] = [];
    for (let bit = 0; bit < DELTA_BYTES * 8; bit++) {
      world.update(NATIVE);
      const record = lastRecord(world);
      const changes = world.memory.getUint8(record + DELTA_CHANGE_COUNT);
      if (bit >= DELTA_QUANTITIES * 8 && !isProved(bit, changes) && bit % UNUSED_STEP > 0) {
        continue;
      }
      const before = failures(world);
      flip(world, record, bit);
      world.clock.advance(20);
      world.judge();
      flip(world, record, bit);
      if (isProved(bit, changes) && failures(world) === before) {
        world.clock.advance(1500);
        world.judge();
        if (failures(world) === before) {
          unseen.push(`byte ${bit >>> 3} bit ${bit & 7} of ${changes} changes`);
        }
      }
      world.update(NATIVE);
      world.clock.advance(80);
      world.judge();
    }
    expect(unseen).toEqual([]);
    world.clock.advance(5000);
    expect(world.isSettled).toBe(true);
    expect(world.downstream.counts().resets).toBeGreaterThan(0);
  });

  it("serves no wrong book when any bit of the image is flipped that it joins from, and joins once it is whole", () => {
    const world = settled(12);
    const header = IMAGE_HEADER_BYTES * 8;
    for (let bit = 0; bit < header + 2 * LEVEL_BYTES * 8; bit += bit < header ? 1 : IMAGE_LEVEL_STEP) {
      const image = currentImage(world);
      flip(world, image, bit);
      lose(world);
      world.clock.advance(50);
      world.judge();
      world.clock.advance(1200);
      world.judge();
      flip(world, image, bit);
      world.clock.advance(1200);
      world.judge();
      world.update(NATIVE);
      world.clock.advance(100);
      world.judge();
      expect([bit, world.isSettled]).toEqual([bit, true]);
    }
  });

  it("says in statistics and health what failed, and tells its clients at once", async () => {
    const world = settled(13);
    lose(world);
    world.clock.advance(1500);
    const stats = world.downstream.hub.stats();
    expect(stats.instruments.map(({ replicaFailures }) => replicaFailures)).toEqual([2, 0]);
    expect(stats.exchanges.map(({ totals }) => totals.replicaFailures)).toEqual([2]);
    const { body } = await world.downstream.hub.handlers().request(plainRequest("/health"));
    expect(JSON.parse(String(body))).toMatchObject({
      instruments: [{ replica: { failures: { hash: 1, image: 1 } } }, {}],
    });
    expect(world.downstream.clients.map(({ counts }) => counts.resets)).toEqual([2, 2]);
    expect(world.isSettled).toBe(true);
  });

  it("has clients and probes know that a book is not right for as long as it cannot be joined", () => {
    const world = settled(15);
    const bit = (IMAGE_HEADER_BYTES + 3) * 8;
    const image = currentImage(world);
    flip(world, image, bit);
    lose(world);
    world.clock.advance(1500);
    const name = `coinbase_exchange:${NATIVE}`;
    expect(world.downstream.hub.book(name)).toBeUndefined();
    expect(world.downstream.clients.map((client) => client.book(name)?.synced)).toEqual([false, false]);
    const request = plainRequest("/ready");
    expect(world.downstream.hub.handlers().request(request)).toMatchObject({ status: 503 });
    flip(world, image, bit);
    world.clock.advance(1500);
    expect(world.isSettled).toBe(true);
    expect(world.downstream.hub.handlers().request(request)).toMatchObject({ status: 200 });
  });

  it("counts what its clients say that failed", () => {
    const world = new World(14, { faults: { ...CALM, flip: 0.05 }, clients: 1 });
    world.run(800);
    world.clock.advance(20_000);
    const { mismatches } = world.downstream.counts();
    const stats = world.downstream.hub.stats();
    const told = stats.instruments.reduce((sum, { clientFailures }) => sum + clientFailures, 0);
    expect(mismatches).toBeGreaterThan(3);
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(mismatches);
  });
});

/** Makes the hub's book fail once: it reads a wrong hash, also when it joins at once, which is right again afterwards. */
function lose(world: World): void {
  world.update(NATIVE);
  const record = lastRecord(world);
  const before = failures(world);
  flip(world, record, DELTA_BOOK_HASH * 8);
  for (let waited = 0; failures(world) === before && waited < 100; waited++) {
    world.clock.advance(1);
  }
  flip(world, record, DELTA_BOOK_HASH * 8);
}

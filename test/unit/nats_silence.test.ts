/**
 * Collectors that are heard and of which nothing more comes: the broker stores nothing of them, or an event never ends. The
 * merged book says that it is not synced, or another collector carries it on.
 * Bad case: a time that depends on the order of looks; spans are checked from both sides, with room for one beat.
 */
import { describe, expect, it } from "vitest";
import { DELTA_FLAGS, FLAG_LAST } from "../../assembly/layout.ts";
import { CaughtUp } from "../../src/nats/caught_up.ts";
import { KINDS, type Message } from "../../src/nats/message.ts";
import { FACTS, type Manner } from "../support/nats_market.ts";
import { MergeWorld } from "../support/nats_world.ts";

const NUMBERED: Manner = { isNumbered: true, perTick: 1, depth: undefined };
const STALE_MS = 1500;

function begin(places: readonly (0 | 1)[], manner: Manner = NUMBERED): MergeWorld {
  const world = new MergeWorld(manner, { seed: 5, deltaCapacity: 1024 });
  for (const place of places) {
    world.start(place);
  }
  world.heal();
  expect(world.told.at(-1)?.isSynced).toBe(true);
  return world;
}

/** The market goes on, and so does all that works. */
function live(world: MergeWorld, ms: number): void {
  for (const until = world.nowMs + ms; world.nowMs < until; ) {
    world.exchange.happen();
    for (const place of [0, 1] as const) {
      world.collectors[place]?.collect(10);
      world.publish(place);
    }
    world.deliverSnapshots(10);
    world.deliver(1000);
    world.wait(100);
  }
}

function expectTruth(world: MergeWorld): void {
  const { books, size } = world.exchange;
  expect(world.told.at(-1)).toMatchObject({ isSynced: true, hash: world.hash(books[size] ?? new Map()) });
}

/** A message of one event as it arrives when the end of the event does not. */
function withoutEnd(message: Message): Message {
  const body = Uint8Array.from(message.body);
  const view = new DataView(body.buffer);
  view.setUint16(DELTA_FLAGS, view.getUint16(DELTA_FLAGS, true) & ~FLAG_LAST, true);
  return { ...message, body };
}

describe("a collector whose records are refused while it is connected", () => {
  it("counts for nothing after a while, and for all again when they are stored", () => {
    const world = begin([0]);
    const [collector] = world.collectors;
    if (collector !== undefined) {
      collector.isRefused = true;
    }
    live(world, STALE_MS - 250);
    expect(world.told.at(-1)?.isSynced).toBe(true);
    live(world, STALE_MS + 750);
    expect(world.told.at(-1)?.isSynced).toBe(false);
    live(world, 90_000);
    expect(world.told.at(-1)?.isSynced).toBe(false);
    if (collector !== undefined) {
      collector.isRefused = false;
    }
    live(world, 1000);
    expectTruth(world);
    expect(world.merge.counts).toMatchObject({ differences: 0, resets: 1, gaps: 0 });
  });

  it("is not doubted when the exchange says nothing", () => {
    const world = begin([0]);
    const [collector] = world.collectors;
    if (collector !== undefined) {
      collector.isRefused = true;
    }
    world.wait(60_000);
    expectTruth(world);
  });

  it("leaves the book to another one, and does not get it back by beats alone", () => {
    const world = begin([0, 1]);
    const [first] = world.collectors;
    if (first !== undefined) {
      first.isRefused = true;
    }
    live(world, 20_000);
    expectTruth(world);
    expect(world.merge.counts).toMatchObject({ differences: 0, interruptions: 0, resets: 1 });
    expect(world.merge.freshSources).toEqual([2n]);
    world.kill(1);
    live(world, 2 * STALE_MS);
    expect(world.told.at(-1)?.isSynced).toBe(false);
  });
});

describe("a merged book that only a collector inside an event could carry", () => {
  it("says that it is not synced when the event does not end, and goes on when it does", () => {
    const world = begin([0]);
    for (let count = 0; count < 4; count++) {
      world.exchange.happen();
    }
    world.start(1);
    world.publish(1);
    world.deliverSnapshots(10);
    world.deliver(1000);
    world.exchange.happen();
    world.collectors[1]?.collect(1);
    world.publish(1);
    const deltas = world.takeWaiting().filter(({ kind }) => kind === KINDS.deltas);
    expect(deltas.map(({ count }) => count)).toEqual([1]);
    for (const message of deltas) {
      world.merge.take(FACTS.canonical, withoutEnd(message));
    }
    world.kill(0);
    world.wait(STALE_MS);
    expect(world.merge.freshSources).toEqual([2n]);
    expect(world.told.at(-1)?.isSynced).toBe(true);
    world.wait(1500);
    expect(world.told.at(-1)?.isSynced).toBe(false);
    expect(world.merge.freshSources).toEqual([2n]);
    live(world, 2000);
    expectTruth(world);
  });
});

describe("what collectors promise", () => {
  /** A beat of somebody. */
  function beat(world: MergeWorld, source: bigint, bound: number): void {
    const head = { kind: KINDS.beat, source, epoch: 1n, instrumentId: 0, count: 0, parts: 0 };
    world.merge.beat({ ...head, bound: BigInt(bound), body: new Uint8Array(0) }, 0);
  }

  it("is the most of what those say that are heard, and only what each said last", () => {
    const world = new MergeWorld(NUMBERED, { seed: 5, deltaCapacity: 1024 });
    expect(world.merge.promised).toBe(0);
    beat(world, 50n, 7);
    beat(world, 51n, 1e9);
    expect(world.merge.promised).toBe(1e9);
    beat(world, 51n, 9);
    expect(world.merge.promised).toBe(9);
    world.wait(STALE_MS - 100);
    beat(world, 50n, 8);
    world.wait(200);
    expect(world.merge.promised).toBe(8);
    world.merge.forgetPromises();
    expect(world.merge.promised).toBe(0);
  });
});

describe("how far storing is behind", () => {
  const at = (deltas: number, trades = 0) => ({ deltas, trades });

  it("is nothing at rest, and the time that storing takes while there is always something under way", () => {
    const watch = new CaughtUp(0);
    expect(watch.look({ tail: at(10), stored: at(10), nowMs: 5000 })).toBe(0);
    for (let nowMs = 5250; nowMs < 20_000; nowMs += 250) {
      // One record a millisecond; each is stored 600 ms later.
      const age = watch.look({ tail: at(nowMs), stored: at(nowMs - 600), nowMs });
      expect(age).toBeLessThanOrEqual(750);
    }
  });

  it("grows while nothing is stored, of either ring, and ends when all is", () => {
    const watch = new CaughtUp(0);
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 250) {
      expect(watch.look({ tail: at(9, 2 + nowMs), stored: at(9, 1), nowMs })).toBe(nowMs);
    }
    expect(watch.look({ tail: at(9, 70_000), stored: at(9, 70_000), nowMs: 60_250 })).toBeGreaterThan(0);
    expect(watch.look({ tail: at(9, 70_000), stored: at(9, 70_000), nowMs: 60_500 })).toBe(0);
  });
});

/**
 * The merge of two collectors of one exchange, under mishaps that a machine makes up: an event is never told twice, never
 * lost while one collector lives that could carry it, and a book that says synced is the exchange's.
 * Bad case: mishaps that never meet; the number of steps and of runs is chosen so that each kind of takeover happens.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Manner } from "../support/nats_market.ts";
import { MergeWorld, type Told } from "../support/nats_world.ts";

const RUNS = 40;
/** A property of so many worlds takes two seconds on a machine that has nothing else to do. */
const TIMEOUT = { timeout: 120_000 };

/** What may happen when nothing may be lost: a collector dies or resyncs only beside one that could carry on. */
const KIND = [
  "happen",
  "collect",
  "publish",
  "break",
  "deliver",
  "snapshots",
  "wait",
  "kill",
  "start",
  "resync",
  "cut",
  "refuse",
];
/** What else may happen. */
const LOSSES = ["forget", "lose", "kill", "resync"];

type Step = { readonly what: string; readonly place: 0 | 1; readonly count: number };

function steps(kinds: readonly string[]) {
  const place = fc.constantFrom<(0 | 1)[]>(0, 1);
  return fc.array(fc.record({ what: fc.constantFrom(...kinds), place, count: fc.nat(12) }), {
    minLength: 40,
    maxLength: 160,
    size: "max",
  });
}

/** @param isKind nothing may be lost */
function play(world: MergeWorld, { what, place, count }: Step, isKind: boolean): void {
  const collector = world.collectors[place];
  const mayLose = !isKind || world.mayLose(place);
  switch (what) {
    case "happen":
      for (let index = 0; index < count; index++) {
        world.exchange.happen();
      }
      break;
    case "collect":
      collector?.collect(count);
      break;
    case "publish":
      world.publish(place);
      break;
    case "break":
      world.publish(place, count % 3);
      break;
    case "deliver":
      world.deliver(count * 3);
      break;
    case "snapshots":
      world.deliverSnapshots(count);
      break;
    case "wait":
      // Publishers do not wait for long, unless their machines starve.
      for (const other of place === 0 ? ([0, 1] as const) : []) {
        world.publish(other);
      }
      world.wait(count * 150);
      break;
    case "start":
      world.start(place);
      break;
    case "kill":
      if (mayLose) {
        world.kill(place);
      }
      break;
    case "resync":
      if (mayLose) {
        collector?.resync();
      }
      break;
    case "cut":
      if (collector !== undefined && (mayLose || collector.isCut)) {
        collector.isCut = !collector.isCut;
        if (!collector.isCut) {
          collector.rewind();
        }
      }
      break;
    case "refuse":
      if (collector !== undefined && (mayLose || collector.isRefused)) {
        collector.isRefused = !collector.isRefused;
      }
      break;
    case "forget":
      world.forget(count);
      break;
    case "lose":
      world.deliverSnapshots(count, true);
      break;
  }
  world.turn();
}

/** A world in which both collectors are heard. @param isKind a collector that stalls for long is waited for */
function begin(manner: Manner, options: { seed: number; deltaCapacity: number; isKind: boolean }): MergeWorld {
  const { seed, deltaCapacity, isKind } = options;
  const world = isKind
    ? new MergeWorld(manner, { seed, deltaCapacity: 1024, patienceMs: 10_000 })
    : new MergeWorld(manner, { seed, deltaCapacity });
  world.start(0);
  world.start(1);
  world.heal();
  expect(world.instrument?.warm).toHaveLength(2);
  return world;
}

/** At the end the collector that carries the book dies beside the other one, and the market goes on. */
function killCarrier(world: MergeWorld): void {
  world.start(1);
  world.heal();
  const carries = (place: 0 | 1) => world.instrument?.aligned.includes(world.collectors[place]?.source ?? 0n) === true;
  const place = carries(0) ? 0 : 1;
  if (world.mayLose(place)) {
    world.kill(place);
  }
  world.exchange.happen();
  world.exchange.happen();
  world.heal();
}

/** The place on the exchange that a word is about, by its number or its unique time. */
function placeOf({ exchange }: MergeWorld, { eventAtNs, sequence }: Told): number {
  return sequence > 0n ? Number(sequence - 1000n) : Number((eventAtNs - exchange.stampAt(0).eventAtNs) / 1_000_000n);
}

/** Places whose events led to another book. */
function eventPlaces({ exchange }: MergeWorld, from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index + 1).filter(
    (place) => exchange.happenings[place - 1]?.kind === "event",
  );
}

/** Places that words are about, each as long as it lasts. */
function placesTold(world: MergeWorld): number[] {
  return world.told.map((word) => placeOf(world, word)).filter((place, index, all) => place !== all[index - 1]);
}

/** Words that say synced and are not what the exchange's book was; and hashes that their own levels do not have. */
function wrongWords(world: MergeWorld): string[] {
  const { books, manner } = world.exchange;
  return world.told.flatMap((word) => {
    const place = placeOf(world, word);
    const places = Array.from({ length: manner.perTick }, (_, index) => place * manner.perTick + index);
    const isTrue = places.some((at) => word.hash === world.hash(books[at] ?? new Map([["0 0", 0n]])));
    const isProved = word.levels === undefined || world.hash(word.levels) === word.hash;
    return (isTrue || !word.isSynced) && isProved ? [] : [`${place}: ${word.hash}, ${isProved}`];
  });
}

function assertFor(
  manner: Manner,
  kinds: readonly string[],
  check: (world: MergeWorld, list: readonly Step[]) => void,
) {
  const property = fc.property(fc.nat(), steps(kinds), fc.constantFrom(64, 1024), (seed, list, deltaCapacity) => {
    const isKind = !kinds.includes("forget");
    const world = begin(manner, { seed, deltaCapacity, isKind });
    for (const step of list) {
      play(world, step, isKind);
    }
    world.start(0);
    world.heal();
    check(world, list);
  });
  fc.assert(property, { numRuns: RUNS, endOnFailure: true });
}

const USUAL = ["happen", "collect", "publish", "deliver"];
const DATED: Manner = { isNumbered: false, perTick: 1, depth: undefined, isDated: true };
const MANNERS: readonly (readonly [string, Manner])[] = [
  ["numbers", { isNumbered: true, perTick: 1, depth: undefined }],
  ["times", { isNumbered: false, perTick: 1, depth: undefined }],
  ["times beside dated snapshots", DATED],
];

describe("a merged book of two collectors", TIMEOUT, () => {
  it.each(MANNERS)(
    "tells every event once, in order, when either dies beside one that can carry on, by %s",
    (_, manner) => {
      assertFor(manner, [...KIND, ...USUAL], (world) => {
        expect(wrongWords(world)).toEqual([]);
        const changes = world.told.filter((word, index, all) => word.hash !== all[index - 1]?.hash);
        const [first = 0, ...places] = changes.map((word) => placeOf(world, word));
        expect(places).toEqual(eventPlaces(world, first, world.exchange.size));
        expect(world.merge.counts).toMatchObject({ differences: 0, takeovers: 0, resets: 1 });
        expect(new Set(world.toldTrades).size).toBe(world.toldTrades.length);
        expect([...world.arrivedTrades].filter((trade) => !world.toldTrades.includes(trade))).toEqual([]);
      });
    },
  );

  it.each([...MANNERS, ["times of several events", { ...DATED, isDated: false, perTick: 3 }] as const])(
    "is the exchange's whenever it says synced, and at the end, when anything gets lost, by %s",
    (_, manner) => {
      assertFor(manner, [...KIND, ...LOSSES, ...USUAL], (world) => {
        expect(wrongWords(world)).toEqual([]);
        const { size, books } = world.exchange;
        expect(world.told.at(-1)).toMatchObject({ isSynced: true, hash: world.hash(books[size] ?? new Map()) });
        const places = placesTold(world);
        const returns = places.filter((place, index) => place < (places[index - 1] ?? 0)).length;
        const { differences, resets, takeovers } = world.merge.counts;
        expect(returns).toBeLessThanOrEqual(differences + resets + takeovers);
        expect(new Set(world.toldTrades).size).toBe(world.toldTrades.length);
      });
    },
  );

  it("goes over event by event when each knows levels that the other does not", () => {
    let takeovers = 0;
    assertFor({ isNumbered: true, perTick: 1, depth: 3 }, [...KIND, ...USUAL], (world) => {
      killCarrier(world);
      const { happenings, books } = world.exchange;
      const wrong = world.told.flatMap((word) => {
        const place = placeOf(world, word);
        const truth = books[place] ?? new Map<string, bigint>();
        const isPart = [...(word.levels ?? [])].every(([name, quantity]) => truth.get(name) === quantity);
        const isProved = word.levels === undefined || world.hash(word.levels) === word.hash;
        return isPart && isProved ? [] : [place];
      });
      expect(wrong).toEqual([]);
      const places = placesTold(world);
      expect(places).toEqual([...new Set(places)].sort((one, other) => one - other));
      const told = new Set(places);
      const additions = eventPlaces(world, places[0] ?? 0, world.exchange.size).filter((place) => {
        const happening = happenings[place - 1];
        return happening?.kind === "event" && happening.quantity > 0n;
      });
      expect(additions.filter((place) => !told.has(place))).toEqual([]);
      expect(world.merge.counts).toMatchObject({ differences: 0 });
      takeovers += world.merge.counts.takeovers;
    });
    expect(takeovers).toBeGreaterThan(0);
  });
});

describe("a merged book whose time is that of a snapshot", TIMEOUT, () => {
  /** The merged book is that of a snapshot which only the second collector had, and that one dies. */
  function orphan(manner: Manner, seed: number): MergeWorld {
    const world = begin(manner, { seed, deltaCapacity: 1024, isKind: false });
    const [first] = world.collectors;
    world.kill(1);
    if (first !== undefined) {
      first.isCut = true;
    }
    world.exchange.happen();
    world.start(1);
    world.publish(1);
    world.deliverSnapshots(10);
    world.deliver(100);
    world.wait(12_000);
    expect(world.told.at(-1)).toMatchObject({ isSynced: true });
    expect(placesTold(world).at(-1)).toBe(world.exchange.size);
    world.kill(1);
    return world;
  }

  it("is soon carried by a collector that has the same levels by their last event, though nothing happens", () => {
    const world = orphan(DATED, 5);
    world.heal();
    const { books, size } = world.exchange;
    expect(world.told.at(-1)).toMatchObject({ isSynced: true, hash: world.hash(books[size] ?? new Map()) });
    expect(world.merge.counts).toMatchObject({ differences: 1, resets: 1 });
    expect(wrongWords(world)).toEqual([]);
  });

  it("waits for one that has other levels by an earlier time", () => {
    const world = orphan(DATED, 5);
    const [first] = world.collectors;
    if (first !== undefined) {
      first.isCut = false;
    }
    // It is heard again, and what happened has not come to it.
    world.wait(20_000);
    expect(world.merge.freshSources).toEqual([first?.source]);
    expect(world.told.at(-1)?.isSynced).toBe(false);
    first?.collect(1);
    world.publish(0);
    world.deliver(100);
    world.wait(1000);
    expect(world.told.at(-1)?.isSynced).toBe(true);
    expect(wrongWords(world)).toEqual([]);
  });
});

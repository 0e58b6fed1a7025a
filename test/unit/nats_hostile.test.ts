/**
 * Messages of somebody who may publish and means harm, or of a broken collector: whatever they say, nothing is thrown, what
 * cannot be used is counted, and the book of the honest collector stays the exchange's.
 * Bad case: bytes that only a checksum would catch; here every message carries a right one.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DELTA_BYTES, TRADE_BYTES } from "../../assembly/layout.ts";
import { decodeMessage, encodeMessage, joinPieces, KINDS, type Message, packDelta } from "../../src/nats/message.ts";
import { FACTS } from "../support/nats_market.ts";
import { MergeWorld, type Told } from "../support/nats_world.ts";

const RUNS = 30;

const number32 = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const number64 = fc.oneof(fc.bigInt({ min: 0n, max: 5n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const symbol = fc.oneof(fc.constant(FACTS.canonical), fc.constantFrom("ETH-USD", "x", "", "a".repeat(200)));
const noise = fc.uint8Array({ maxLength: 700 });

/** Facts that are nearly right. */
const facts = fc
  .record(
    {
      priceExponent: fc.oneof(fc.constant(1), fc.integer({ min: -2, max: 40 })),
      depth: fc.oneof(fc.constant(0), fc.double(), fc.string()),
      knownRange: fc.oneof(fc.constant(undefined), fc.record({ lowTicks: fc.string(), highTicks: fc.constant("9") })),
    },
    { requiredKeys: [] },
  )
  .map((told) => new TextEncoder().encode(JSON.stringify({ ...FACTS, ...told })));

const pieces = fc
  .tuple(fc.uint8Array({ minLength: 15, maxLength: 17 }), fc.oneof(facts, noise), fc.array(noise, { maxLength: 4 }))
  .map(([mark, told, frames]) => joinPieces([mark, told, ...frames]));

const records = fc
  .array(fc.uint8Array({ minLength: DELTA_BYTES, maxLength: DELTA_BYTES }), { maxLength: 4 })
  .map((list) => list.map((bytes) => packDelta(bytes, 0)));

const trades = fc.array(fc.uint8Array({ minLength: TRADE_BYTES, maxLength: TRADE_BYTES }), { maxLength: 4 });

const body = fc.oneof(
  noise.map((bytes) => [bytes]),
  pieces,
  records,
  trades,
);

const hostile = fc.record({
  symbol,
  kind: fc.oneof(fc.constantFrom(1, 2, 3, 4), fc.nat(255)),
  source: fc.oneof(
    fc.constantFrom(7n, 8n),
    number64.map((source) => source + 100n),
  ),
  epoch: number64,
  instrumentId: number32,
  count: number32,
  bound: number64,
  parts: fc.oneof(fc.constantFrom(1, 2), number32),
  body,
  isBeat: fc.boolean(),
});

function messageOf(bytes: Uint8Array): Message {
  const message = decodeMessage(bytes);
  if (typeof message === "string") {
    throw new RangeError(`Cannot make a message: ${message}`);
  }
  return message;
}

function honestWorld(seed: number): MergeWorld {
  const world = new MergeWorld({ isNumbered: true, perTick: 1, depth: undefined }, { seed, deltaCapacity: 256 });
  world.start(0);
  world.heal();
  return world;
}

function expectTruth(world: MergeWorld): void {
  world.exchange.happen();
  world.exchange.happen();
  world.heal();
  const { size, books } = world.exchange;
  const place = world.exchange.eventPlace(size);
  expect(world.told.at(-1)).toMatchObject({ isSynced: true, hash: world.hash(books[place] ?? new Map()) });
}

describe("a receiver", { timeout: 120_000 }, () => {
  it("throws nothing, counts, and keeps the honest collector's book when messages are arbitrary", () => {
    let refused = 0;
    const property = fc.property(fc.nat(), fc.array(hostile, { minLength: 20, maxLength: 60 }), (seed, messages) => {
      const world = honestWorld(seed);
      for (const { symbol: name, body: content, isBeat, ...head } of messages) {
        const message = messageOf(encodeMessage({ ...head, source: BigInt.asUintN(64, head.source) }, content));
        if (isBeat) {
          world.merge.beat(message, 0);
        }
        world.merge.take(name, message);
        world.turn();
      }
      expectTruth(world);
      refused += world.merge.refused;
    });
    fc.assert(property, { numRuns: RUNS, endOnFailure: true });
    expect(refused).toBeGreaterThan(RUNS);
  });

  it("throws nothing when somebody speaks in the honest collector's name with its messages changed", () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    const property = fc.property(fc.nat(), fc.array(flips, { minLength: 10, maxLength: 30 }), (seed, changes) => {
      const world = honestWorld(seed);
      for (const change of changes) {
        world.exchange.happen();
        world.collectors[0]?.collect(1);
        world.collectors[0]?.want();
        world.wait(300);
        const sent = [
          ...(world.collectors[0]?.publish() ?? []),
          ...(world.collectors[0]?.snapshots(world.nowMs, 0) ?? []),
        ];
        for (const { payload } of sent) {
          const { body: content, ...head } = messageOf(payload);
          const changed = Uint8Array.from(content);
          for (const [at, value] of change) {
            changed[at % Math.max(1, changed.length)] = value;
          }
          world.merge.take(FACTS.canonical, messageOf(encodeMessage(head, [changed])));
          world.turn();
        }
      }
      world.heal();
      expect(world.told.filter(({ levels, hash }) => levels !== undefined && world.hash(levels) !== hash)).toEqual([]);
      const place = world.exchange.eventPlace(world.exchange.size);
      const truth = world.hash(world.exchange.books[place] ?? new Map());
      expect(world.told.at(-1)).toSatisfy(({ isSynced, hash }: Told) => !isSynced || hash === truth);
      // Its next life has another name, which nobody took yet; a forged time or number is given up after a minute.
      world.kill(0);
      world.start(0);
      for (let round = 0; round < 4; round++) {
        world.heal();
      }
      expectTruth(world);
    });
    fc.assert(property, { numRuns: RUNS, endOnFailure: true });
  });

  it("keeps hearing a collector when more sources than it can hold speak", () => {
    const world = honestWorld(1);
    for (let source = 100n; source < 200n; source++) {
      const head = { kind: KINDS.deltas, source, epoch: 1n, instrumentId: 1, count: 0, bound: 0n, parts: 0 };
      world.merge.take(FACTS.canonical, messageOf(encodeMessage(head, [])));
    }
    world.start(1);
    world.heal();
    expect(world.merge.freshSources).toHaveLength(2);
    expectTruth(world);
  });
});

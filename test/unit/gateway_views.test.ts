/**
 * Views by depth and rate: whatever the market does, a view is the best levels of its book, in both forms, by versions and
 * a hash of its own; a rated one changes no more often than its rate. Bad case: a level that leaves the best ones and comes
 * back; it is nobody's change, and the view must show it all the same.
 */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { BTC, ETH, stir, wideBook } from "../integration/gateway_rig.ts";
import { type HeldBook, Scene, type SceneClient } from "./gateway_scene.ts";

const SEED = 20_261_122;
const VIEWS = [
  { depth: 10, rateMs: 0 },
  { depth: 100, rateMs: 100 },
  { depth: 0, rateMs: 250 },
  { depth: 10, rateMs: 1000 },
] as const;

let scene: Scene | undefined;

function started(options: ConstructorParameters<typeof Scene>[0] = {}): Scene {
  scene = new Scene(options);
  return scene;
}

afterEach(() => scene?.core.stop());

/** The best levels of the hub's book, as text. */
function best({ core }: Scene, depth: number): Pick<HeldBook, "bids" | "asks"> {
  const book = core.book(BTC, depth === 0 ? 10_000 : depth);
  return { bids: book?.bids ?? [], asks: book?.asks ?? [] };
}

/** What a binary client holds, as text: two digits of price, none of quantity. */
function asText({ bids, asks }: HeldBook): Pick<HeldBook, "bids" | "asks"> {
  const level = ([price, quantity]: [string, string]): [string, string] => [String(Number(price) / 100), quantity];
  return { bids: bids.map(level), asks: asks.map(level) };
}

function levels({ bids, asks }: Pick<HeldBook, "bids" | "asks">) {
  return { bids, asks };
}

describe("Views of a book", () => {
  it("are its best levels in both forms whatever changes, each proved by its own hash", () => {
    const change = fc.tuple(
      fc.constantFrom("buy" as const, "sell" as const),
      fc.integer({ min: 1, max: 160 }),
      fc.integer({ min: 0, max: 5 }),
    );
    const steps = fc.array(
      fc.tuple(fc.array(change, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 300 })),
      {
        minLength: 5,
        maxLength: 25,
      },
    );
    fc.assert(
      fc.property(steps, (drawn) => {
        const world = new Scene();
        const [binary, json] = [world.connect("binary"), world.connect("json")];
        for (const view of VIEWS) {
          world.follow(binary, view);
          world.follow(json, view);
        }
        for (const [changes, pauseMs] of drawn) {
          const update = changes.map(([side, step, size]): ["buy" | "sell", string, string] => {
            const price = side === "buy" ? 1000 - step / 100 : 1000 + step / 100;
            return [side, price.toFixed(2), String(size)];
          });
          world.producer.update("BTC-USD", update);
          world.run(20 + pauseMs);
          expect(asText(binary.book(BTC, VIEWS[0]))).toEqual(best(world, VIEWS[0].depth));
          expect(levels(json.book(BTC, VIEWS[0]))).toEqual(best(world, VIEWS[0].depth));
        }
        world.run(1100);
        for (const view of VIEWS) {
          expect(asText(binary.book(BTC, view))).toEqual(best(world, view.depth));
          expect(levels(json.book(BTC, view))).toEqual(best(world, view.depth));
          expect(json.book(BTC, view).epoch).toBe(binary.book(BTC, view).epoch);
          expect(json.book(BTC, view).version).toBe(binary.book(BTC, view).version);
        }
        world.core.stop();
      }),
      { seed: SEED, numRuns: 12 },
    );
  });

  it("change at most once in the time of their rate, and are there within it", () => {
    const world = started();
    const client = world.connect("json");
    world.follow(client, { rateMs: 250 });
    world.run(1000);
    const before = client.of("orderbook_delta").length;
    for (let event = 0; event < 200; event++) {
      stir(world.producer, "BTC-USD", { events: 1, from: event });
      world.run(10);
    }
    const deltas = client.of("orderbook_delta").length - before;
    expect(deltas).toBeGreaterThanOrEqual(7);
    expect(deltas).toBeLessThanOrEqual(9);
    world.run(250);
    expect(levels(client.book(BTC, { rateMs: 250 }))).toEqual(best(world, 0));
  });

  it("have aliases of their own, which stay theirs", () => {
    const world = started({ viewKeepMs: 1000 });
    const client = world.connect("json");
    const alias = () => client.of("subscribed").at(-1)?.alias;
    world.follow(client);
    const base = alias();
    world.follow(client, { depth: 10 });
    const first = alias();
    world.follow(client, { depth: 50 });
    expect(new Set([base, first, alias()]).size).toBe(3);
    world.say(client, { op: "unsubscribe", channels: ["book"], instruments: [BTC], depth: 10 });
    world.run(5000);
    world.follow(client, { depth: 10 });
    expect(alias()).toBe(first);
  });

  it("begin with a snapshot of another epoch after their book was lost, and are right again", () => {
    const world = started();
    const client = world.connect("json");
    world.follow(client, { depth: 10 });
    const { epoch } = client.book(BTC, { depth: 10 });
    world.producer.snapshot("BTC-USD", wideBook(60));
    world.run(500);
    const snapshots = client.of("orderbook");
    expect(snapshots).toHaveLength(2);
    expect(client.book(BTC, { depth: 10 }).epoch).not.toBe(epoch);
    stir(world.producer, "BTC-USD", { events: 30 });
    world.run(100);
    expect(levels(client.book(BTC, { depth: 10 }))).toEqual(best(world, 10));
  });

  it("come as a snapshot to those who want JSON when one update holds more than the history", () => {
    const world = started({ historyEntries: 64 });
    const client = world.connect("json");
    world.follow(client, { rateMs: 1000 });
    world.run(2000);
    const many = Array.from({ length: 120 }, (_, index) => ["buy", (900 + index / 100).toFixed(2), "3"] as const);
    world.producer.update("BTC-USD", many);
    world.run(1100);
    expect(client.got.slice(-1)).toEqual(["orderbook"]);
    expect(levels(client.book(BTC, { rateMs: 1000 }))).toEqual(best(world, 0));
  });

  it("are refused with the sets that there are when depth or rate is none of them", () => {
    const world = started({ views: { depths: [0, 25], rates: [0, 500] } });
    const client = world.connect("json");
    world.say(client, { op: "subscribe", channels: ["book"], instruments: [BTC], depth: 10 });
    world.say(client, { op: "subscribe", channels: ["book"], instruments: [BTC], depth: 25, rateMs: 100 });
    expect(client.of("error").map(({ code }) => code)).toEqual(["unsupported_view", "unsupported_view"]);
    expect(client.of("error")[0]?.message).toContain("depths are 0, 25, rates 0, 500 ms, was depth 10 and rateMs 0");
    world.follow(client, { depth: 25, rateMs: 500 });
    expect(client.book(BTC, { depth: 25, rateMs: 500 }).bids).toHaveLength(25);
    world.say(client, { op: "unsubscribe", channels: ["book"], instruments: [BTC], depth: 25 });
    expect(client.of("error").at(-1)).toMatchObject({ code: "not_subscribed" });
  });

  it("are refused while the gateway has no memory for them, and nothing else suffers", () => {
    const world = started({ encodeBytes: 16 << 20, encodeBytesMax: 16 << 20 });
    const client = world.connect("json");
    for (const rateMs of [100, 250, 1000]) {
      world.follow(client, { rateMs });
    }
    expect(client.of("error")).toEqual([]);
    world.follow(client, { instruments: [ETH], rateMs: 100 });
    expect(client.of("error")).toMatchObject([{ code: "no_room", id: 1 }]);
    expect(client.of("error")[0]?.message).toContain(`Cannot subscribe ${ETH}`);
    world.follow(client);
    stir(world.producer, "BTC-USD", { events: 5 });
    world.run(200);
    expect(levels(client.book(BTC))).toEqual(best(world, 0));
    expect(levels(client.book(BTC, { rateMs: 100 }))).toEqual(best(world, 0));
  });

  it("give their memory back when nobody wants them any more", () => {
    const world = started({ viewKeepMs: 1000 });
    const client: SceneClient = world.connect();
    const used: number[] = [];
    for (let round = 0; round < 12; round++) {
      for (const depth of [10, 50, 100]) {
        world.follow(client, { depth });
      }
      used.push(world.arenaUsed());
      for (const depth of [10, 50, 100]) {
        world.say(client, { op: "unsubscribe", channels: ["book"], instruments: [BTC], depth });
      }
      world.run(2000);
    }
    expect(used.at(-1)).toBe(used[1]);
  });
});

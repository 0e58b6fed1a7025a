/**
 * Coming back: a client that names the epoch and version it holds goes on from there, with one update; whoever cannot gets
 * a snapshot, and is told which of the two follows. Bad case: versions of another origin that happen to fit; the epoch tells
 * them apart.
 */
import { afterEach, describe, expect, it } from "vitest";
import { BTC, ETH, stir, wideBook } from "../integration/gateway_rig.ts";
import { type HeldBook, Scene, type SceneClient } from "./gateway_scene.ts";

let scene: Scene | undefined;

function started(options: ConstructorParameters<typeof Scene>[0] = {}): Scene {
  scene = new Scene(options);
  return scene;
}

afterEach(() => scene?.core.stop());

/** Another connection of a client that held a book. @returns it, and whether it was told that it resumes */
function comeBack(
  world: Scene,
  held: HeldBook,
  options: { form?: "binary" | "json"; instrument?: string; depth?: number },
) {
  const { form = "binary", instrument = BTC, depth = 0 } = options;
  const client = world.connect(form);
  if (form === "json") {
    client.adopt(instrument, { depth }, held);
  }
  const point = { epoch: held.epoch, version: String(held.version) };
  world.say(client, {
    op: "subscribe",
    channels: ["book"],
    instruments: [instrument],
    depth,
    resume: { [instrument]: point },
  });
  const resumed = client.of("subscribed").at(-1)?.resumed;
  return { client, resumed };
}

function followed(
  world: Scene,
  options: { form?: "binary" | "json"; depth?: number } = {},
): { client: SceneClient; held: HeldBook } {
  const { form = "binary", depth = 0 } = options;
  const client = world.connect(form);
  world.follow(client, { depth });
  stir(world.producer, "BTC-USD", { events: 10 });
  world.run(50);
  const held = client.book(BTC, { depth });
  world.core.sessions.close(client);
  world.clients.splice(world.clients.indexOf(client), 1);
  return { client, held };
}

describe("A client that comes back", () => {
  it.each([
    { form: "binary", depth: 0, update: "conflated" },
    { form: "json", depth: 0, update: "orderbook_delta" },
    { form: "binary", depth: 50, update: "conflated" },
    { form: "json", depth: 50, update: "orderbook_delta" },
  ] as const)(
    "goes on with one update when it is $form, of depth $depth, and the history reaches",
    ({ form, depth, update }) => {
      const world = started();
      const { held } = followed(world, { form, depth });
      const witness = world.connect("json");
      world.follow(witness);
      stir(world.producer, "BTC-USD", { events: 40, from: 10 });
      world.run(100);
      const { client, resumed } = comeBack(world, held, { form, depth });
      world.run(20);
      expect(resumed).toBe(true);
      expect(client.got).toEqual(["welcome", "subscribed", update]);
      expect(world.core.stats().gateway.totals).toMatchObject({ resumes: 1, conflatedUpdates: 1 });
    },
  );

  it("holds what the others hold after that update", () => {
    const world = started();
    const client = world.connect("json");
    world.follow(client);
    const held = client.book(BTC);
    client.topics.clear();
    stir(world.producer, "BTC-USD", { events: 100 });
    world.run(100);
    world.say(client, {
      op: "subscribe",
      channels: ["book"],
      instruments: [BTC],
      resume: { [BTC]: { epoch: held.epoch, version: String(held.version) } },
    });
    world.run(20);
    expect(client.got.at(-1)).toBe("orderbook_delta");
    const truth = world.core.book(BTC, 10_000);
    expect(client.book(BTC)).toMatchObject({ version: Number(truth?.version), bids: truth?.bids, asks: truth?.asks });
  });

  it("gets the update also when it missed nothing", () => {
    const world = started();
    const { held } = followed(world);
    const { client, resumed } = comeBack(world, held, {});
    world.run(20);
    expect([resumed, client.got.at(-1)]).toEqual([true, "conflated"]);
    expect(client.sizes.at(-1)).toBeLessThan(60);
  });

  it.each([
    ["the epoch is another", (held: HeldBook) => ({ ...held, epoch: (held.epoch + 1) % 2 ** 32 })],
    ["the version was never told", (held: HeldBook) => ({ ...held, version: held.version + 1_000_000 })],
    ["the version is older than the history", (held: HeldBook) => ({ ...held, version: 0 })],
  ])("gets a snapshot when %s", (_name, changed) => {
    const world = started();
    const { held } = followed(world);
    const { client, resumed } = comeBack(world, changed(held), {});
    world.run(20);
    expect([resumed, client.got.at(-1)]).toEqual([false, "snapshot"]);
  });

  it("gets a snapshot when the version is larger than any number", () => {
    const world = started();
    const client = world.connect();
    const resume = { [BTC]: { epoch: 1, version: "18446744073709551615" }, [ETH]: { epoch: 1, version: "1" } };
    world.say(client, { op: "subscribe", channels: ["book"], instruments: [BTC], resume });
    world.run(20);
    expect(client.got).toEqual(["welcome", "subscribed", "snapshot"]);
  });

  it("gets a snapshot when more changed than the history holds", () => {
    const world = started({ historyEntries: 64 });
    const { held } = followed(world);
    stir(world.producer, "BTC-USD", { events: 100, from: 10 });
    world.run(100);
    const { client, resumed } = comeBack(world, held, {});
    world.run(20);
    expect([resumed, client.got.at(-1)]).toEqual([false, "snapshot"]);
  });

  it("gets a snapshot when the exchange sent a book anew, for the history begins there", () => {
    const world = started();
    const { held } = followed(world);
    world.producer.snapshot("BTC-USD", wideBook(60));
    world.run(500);
    const { client, resumed } = comeBack(world, held, {});
    world.run(20);
    expect([resumed, client.got.at(-1)]).toEqual([false, "snapshot"]);
  });

  it("finds the same epoch of a whole book, and another one of a view, when the gateway started again", () => {
    const world = started();
    const whole = followed(world);
    const view = followed(world, { depth: 10 });
    world.restart();
    const again = [world.connect(), world.connect()] as const;
    world.follow(again[0]);
    world.follow(again[1], { depth: 10 });
    expect(again[0].book(BTC).epoch).toBe(whole.held.epoch);
    expect(again[1].book(BTC, { depth: 10 }).epoch).not.toBe(view.held.epoch);
    const back = comeBack(world, view.held, { depth: 10 });
    expect(back.resumed).toBe(false);
  });

  it("goes on at a gateway that started meanwhile, as far back as that one has read", () => {
    const world = started();
    const { held } = followed(world);
    world.restart();
    stir(world.producer, "BTC-USD", { events: 20, from: 10 });
    world.run(50);
    const now = Number(world.core.book(BTC)?.version);
    const recent = comeBack(world, { ...held, version: now - 5 }, {});
    const old = comeBack(world, { ...held, version: 0 }, {});
    world.run(20);
    expect([recent.resumed, recent.client.got.at(-1)]).toEqual([true, "conflated"]);
    expect([old.resumed, old.client.got.at(-1)]).toEqual([false, "snapshot"]);
  });
});

/**
 * The judges of the downstream half can find what they look for: a view that is not its book's best levels, levels that
 * contradict the hash kept beside them, texts against their schemas. Bad case: a judge that never compares; every world
 * would pass.
 */
import { afterEach, describe, expect, it } from "vitest";
import { SIDE_ASK, SIDE_BID } from "../../../assembly/layout.ts";
import { LevelBook } from "../../../src/client/level_book.ts";
import { levelSum } from "./level_sum.ts";
import { CALM, type SimClient } from "./mod.ts";
import { stopWorlds, World } from "./small_world.ts";
import { TextWitness } from "./text_witness.ts";

const NAME = "coinbase_exchange:BTC-USD";
const WELCOME_LIKE = '{"type":"pong","id":7}';
const STATUS_LIKE = '{"type":"status","instrument":"kraken:BTC-USD","state":"synced"}';

afterEach(stopWorlds);

function settled(clients: number): World {
  const world = new World(21, { faults: CALM, clients });
  world.run(60);
  world.clock.advance(3000);
  expect(world.isSettled).toBe(true);
  return world;
}

function slotOf(client: SimClient) {
  const slot = client.slot(NAME, client.view);
  if (slot === undefined) {
    throw new Error("Cannot find a view: the client has none, was undefined");
  }
  return slot;
}

describe("The judge of views", () => {
  it.each([0, 1, 2, 3])("tells a view of client %i whose best bid is gone, and no other", (index) => {
    const { downstream } = settled(4);
    expect(downstream.wrongViews(NAME, { isWhole: true })).toEqual([]);
    const client = downstream.clients[index];
    const levels = client === undefined ? undefined : slotOf(client).book.levels;
    levels?.set(SIDE_BID, levels.bids.price(0), 0);
    expect(downstream.wrongViews(NAME, { isWhole: false })).toHaveLength(1);
    expect(downstream.lateViews(NAME)).toHaveLength(1);
  });

  it("tells a view of all levels whose levels contradict the hash that it keeps", () => {
    const { downstream } = settled(2);
    const client = downstream.clients[1];
    const levels = client === undefined ? undefined : slotOf(client).book.levels;
    const hash = levels?.hash ?? 0;
    levels?.set(SIDE_ASK, levels.asks.price(3), 0);
    if (levels !== undefined) {
      levels.hash = hash;
    }
    expect(downstream.wrongViews(NAME, { isWhole: false })).toHaveLength(1);
  });

  it("looks only at views that the client has proved", () => {
    const { downstream } = settled(2);
    const judged = (): number => {
      const before = downstream.counts().viewsJudged;
      downstream.wrongViews(NAME, { isWhole: true });
      return downstream.counts().viewsJudged - before;
    };
    const all = judged();
    const client = downstream.clients[1];
    if (client !== undefined) {
      slotOf(client).interrupt();
    }
    expect([all, judged()]).toEqual([all, all - 1]);
  });
});

describe("The sum of levels", () => {
  it("is the hash that the book keeps, and none when levels are out of order", () => {
    const book = new LevelBook({ isVerified: true });
    for (const price of [100, 102, 101]) {
      book.set(SIDE_BID, price, 2 ** 40 + price);
      book.set(SIDE_ASK, price + 10, 5);
    }
    expect(levelSum(book)).toBe(book.hash >>> 0);
    book.append(SIDE_ASK, 1, 5);
    expect(levelSum(book)).toBeUndefined();
  });
});

describe("The witness of texts", () => {
  it("tells texts that no schema accepts, once, and samples kinds that it has heard often", () => {
    const witness = new TextWitness();
    witness.hear(STATUS_LIKE);
    witness.hear("{}");
    const faults = witness.takeFaults();
    expect(faults.map(({ text }) => text)).toEqual([STATUS_LIKE, "{}"]);
    expect(witness.takeFaults()).toEqual([]);
    for (let count = 0; count < 1000; count++) {
      witness.hear(WELCOME_LIKE);
    }
    expect(witness.judged).toBeGreaterThan(60);
    expect(witness.judged).toBeLessThan(120);
  });
});

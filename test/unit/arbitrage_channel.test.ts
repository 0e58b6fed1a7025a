/**
 * The stream's channel `arbitrage`: what it begins with, what a client that did not read is told, and a server that does
 * not have it. Bad case: a client that goes on with what was open before it stopped reading.
 */
import { afterEach, describe, expect, it } from "vitest";
import { ARBITRAGE_RULES } from "../../src/arbitrage/mod.ts";
import { GATEWAY_LIMITS } from "../../src/gateway/limits.ts";
import type { OpportunitiesMessage } from "../../src/wire/opportunity.ts";
import { PlantedMarket } from "../support/arbitrage_market.ts";
import { type Message, Scene } from "./gateway_scene.ts";

const RULES = { ...ARBITRAGE_RULES, feesBps: { north: 10, south: 20, west: 0 }, reportMs: 0 };
const SUBSCRIBE = { op: "subscribe", channels: ["arbitrage"] };
const TURNS_MAX = 3000;

let market: PlantedMarket | undefined;

afterEach(() => market?.close());

/** Turns of the market until something holds. */
function turnUntil(made: PlantedMarket, holds: () => boolean): void {
  for (let turn = 0; !holds(); turn++) {
    if (turn > TURNS_MAX) {
      throw new Error(`Cannot wait any longer: it does not hold after ${TURNS_MAX} turns`);
    }
    made.move(0.5);
    made.core.look();
    made.clock.advance(20);
  }
}

function openIds(message: Message | undefined): number[] {
  return (message as unknown as OpportunitiesMessage).open.map(({ id }) => id);
}

describe("The channel arbitrage", () => {
  it("begins with all that is open, then tells each event once", () => {
    market = new PlantedMarket(1, RULES);
    const made = market;
    turnUntil(made, () => (made.core.arbitrage?.counts.open ?? 0) > 0);
    const late = made.connect();
    made.say(late, SUBSCRIBE);
    expect(late.got.slice(-2)).toEqual(["subscribed", "opportunities"]);
    expect(openIds(late.messages.at(-1))).toEqual(made.core.arbitrage?.opportunities().map(({ id }) => id));
    expect(openIds(late.messages.at(-1)).length).toBeGreaterThan(0);
    const before = late.of("opportunity").length;
    made.client.messages.length = 0;
    turnUntil(made, () => late.of("opportunity").length > before + 5);
    expect(late.of("opportunity").slice(before)).toEqual(made.client.of("opportunity"));
    made.say(late, { op: "unsubscribe", channels: ["arbitrage"] });
    const told = late.of("opportunity").length;
    turnUntil(made, () => made.client.of("opportunity").length > 20);
    expect(late.of("opportunity")).toHaveLength(told);
  });

  it("leaves a client that does not read alone, in bounded memory, and tells it what is open when it has read", () => {
    market = new PlantedMarket(2, RULES);
    const made = market;
    const slow = made.connect();
    made.say(slow, SUBSCRIBE);
    slow.isStuck = true;
    turnUntil(made, () => !slow.topics.has("arbitrage"));
    const told = slow.messages.length;
    expect(slow.buffered).toBeLessThan(2 * GATEWAY_LIMITS.backlogBytesMax);
    const { opened = 0 } = made.core.arbitrage?.counts ?? {};
    turnUntil(
      made,
      () => (made.core.arbitrage?.counts.opened ?? 0) > opened + 30 && made.core.arbitrage?.counts.open !== 0,
    );
    expect(slow.messages).toHaveLength(told);
    slow.isStuck = false;
    slow.buffered = 0;
    made.core.sessions.drain(slow);
    expect(slow.messages.slice(told).map(({ type }) => type)).toEqual(["opportunities"]);
    expect(openIds(slow.messages.at(-1))).toEqual(made.core.arbitrage?.opportunities().map(({ id }) => id));
    expect(slow.messages.at(-1)?.recent).toHaveLength(16);
    turnUntil(made, () => slow.messages.length > told + 3);
  });

  it("is refused by name where arbitrage is not looked for, and statistics go on", () => {
    const scene = new Scene();
    const client = scene.connect();
    scene.say(client, { op: "subscribe", channels: ["stats", "arbitrage"] });
    expect(client.of("subscribed")).toEqual([{ type: "subscribed", id: 1, channel: "stats" }]);
    expect(client.of("error")).toMatchObject([{ id: 1, code: "unsupported_channel" }]);
    expect(scene.core.arbitrage).toBeUndefined();
    scene.core.stop();
  });

  it("takes no instruments", () => {
    market = new PlantedMarket(3, RULES);
    market.say(market.client, { ...SUBSCRIBE, instruments: ["north:BTC-USD"] });
    expect(market.client.of("error")).toMatchObject([{ code: "bad_message" }]);
  });
});

/**
 * Arbitrage in the gateway against the offline brute-force detector over the same records, in seeded markets where crossings
 * are planted: what is told is what the records hold, event by event. Bad case: a market in which nothing is planted proves
 * nothing; the plants are counted.
 */
import { describe, expect, it } from "vitest";
import type { ArbitrageRules } from "../../src/arbitrage/mod.ts";
import type { Opportunity, OpportunityMessage } from "../../src/wire/opportunity.ts";
import { unitsOf } from "../support/arbitrage_books.ts";
import { EXCHANGES, type Planted, PlantedMarket } from "../support/arbitrage_market.ts";
import { bruteForce, byKey, MONEY_DIGITS, type PlainOpportunity } from "../support/arbitrage_oracle.ts";

const SEEDS = 11;
const TURNS = 450;
const RULES: ArbitrageRules = {
  feesBps: { north: 10, south: 20, west: 0 },
  profitBpsMin: 0,
  ageMsMax: 700,
  reportMs: 0,
  levelsMax: 50,
  equivalents: [],
  triangular: false,
};

type Told = { event: string; key: string; quantity: bigint; profit: bigint };

/** The offline detector: after each event the lanes of its book are judged by brute force over plain books. */
class Offline {
  readonly #market: PlantedMarket;
  readonly #open = new Map<string, PlainOpportunity>();

  constructor(market: PlantedMarket) {
    this.#market = market;
  }

  /** What is to be told for the records that were published since the last call. */
  read(): Told[] {
    const told: Told[] = [];
    this.#market.readRecords((book) => told.push(...this.#judge((key) => key.includes(book.instrument))));
    return told;
  }

  /** What is to be told because time passed. */
  age(): Told[] {
    return this.#judge((key) => this.#open.has(key));
  }

  #judge(isMeant: (key: string) => boolean): Told[] {
    const nowMs = this.#market.clock.now();
    const rules = { nowMs, ageMsMax: RULES.ageMsMax, feesBps: RULES.feesBps };
    const now = new Map(bruteForce(this.#market.books, rules).map((one) => [one.key, one]));
    const told: Told[] = [];
    for (const key of new Set([...this.#open.keys(), ...now.keys()])) {
      const [before, after] = [this.#open.get(key), now.get(key)];
      if (!isMeant(key) || (before?.quantity === after?.quantity && before?.profit === after?.profit)) {
        continue;
      }
      const one = after ?? before;
      if (one !== undefined) {
        const event = before === undefined ? "opened" : after === undefined ? "closed" : "changed";
        told.push({ event, ...one });
      }
      if (after === undefined) {
        this.#open.delete(key);
      } else {
        this.#open.set(key, after);
      }
    }
    return told;
  }
}

function told({ event, opportunity }: OpportunityMessage): Told {
  const { quantity, profit } = opportunity;
  const units = (text: string) => unitsOf(text, MONEY_DIGITS);
  return { event, key: keyOf(opportunity), quantity: units(quantity), profit: units(profit) };
}

function keyOf({ legs }: Opportunity): string {
  return legs.map(({ instrument }) => instrument).join(" > ");
}

/** What is to be compared: a change of other levels that leaves size and profit as they were is none to the brute force. */
class Comparable {
  readonly #last = new Map<string, Told>();

  of(messages: OpportunityMessage[]): Told[] {
    return messages.map(told).filter((one) => {
      const before = this.#last.get(one.key);
      this.#last.set(one.key, one);
      return one.event !== "changed" || before?.quantity !== one.quantity || before.profit !== one.profit;
    });
  }
}

/** By lane; what happened to one stays in its order. */
function sorted(list: Told[]): Told[] {
  return list.sort(byKey);
}

/** It was told within its time, with the exchange on the right side. */
function isFound({ exchange, shiftBps, fromMs, untilMs }: Planted, opened: OpportunityMessage[]): boolean {
  const action = shiftBps > 0 ? "sell" : "buy";
  return opened.some(
    ({ atMs, opportunity: { legs } }) =>
      atMs >= fromMs &&
      atMs <= untilMs &&
      legs.some((leg) => leg.action === action && leg.instrument === `${exchange}:BTC-USD`),
  );
}

describe("Arbitrage in the gateway", () => {
  it("tells exactly what the brute-force detector finds in the same records: every plant, nothing else", () => {
    const sum = { planted: 0, found: 0, opened: 0, strange: 0, stale: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const market = new PlantedMarket(seed, RULES);
      const offline = new Offline(market);
      const comparable = new Comparable();
      const opened: OpportunityMessage[] = [];
      market.takeTold();
      for (let turn = 0; turn < TURNS; turn++) {
        market.move(0.5);
        market.core.look();
        market.clock.advance(0);
        const events = market.takeTold();
        opened.push(...events.filter(({ event }) => event === "opened"));
        const expected = offline.read();
        expect(sorted(comparable.of(events)), `seed ${seed}, turn ${turn}`).toEqual(
          sorted([...expected, ...offline.age()]),
        );
        market.clock.advance(turn % 7 === 0 ? 900 : 120);
        market.core.arbitrage?.opportunities();
        const aged = market.takeTold();
        expect(sorted(comparable.of(aged))).toEqual(sorted(offline.age()));
        expect(aged.every(({ reason }) => reason === "stale")).toBe(true);
        sum.stale += aged.length;
      }
      sum.planted += market.planted.length;
      sum.found += market.planted.filter((one) => isFound(one, opened)).length;
      sum.opened += opened.length;
      sum.strange += opened.filter((one) => !market.planted.some((plant) => isFound(plant, [one]))).length;
      market.close();
    }
    expect(sum.planted).toBeGreaterThan(1000);
    expect([sum.found, sum.strange]).toEqual([sum.planted, 0]);
    expect(sum.opened).toBeGreaterThan(sum.planted);
    expect(sum.stale).toBeGreaterThan(50);
    expect(EXCHANGES).toHaveLength(3);
  });
});

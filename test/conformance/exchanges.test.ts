/**
 * Every exchange passes the same named cases, on both kernels, with its own hand-written frames: one loop. The list of
 * cases stands in CONTRIBUTING.md and is held equal to what runs here.
 * Bad case: an exchange without a fixture; it fails to compile, because every id must have one.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageFolder } from "../../src/assets.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { KernelName } from "../../src/kernel/kernel.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import { BOOK_CASES } from "./cases_books.ts";
import { MEANING_CASES } from "./cases_meaning.ts";
import { SESSION_CASES } from "./cases_session.ts";
import type { Fixture } from "./fixture.ts";
import { BINANCE_FIXTURE, BINANCE_US_FIXTURE } from "./fixtures/binance.ts";
import { COINBASE_EXCHANGE_FIXTURE } from "./fixtures/coinbase_exchange.ts";
import { KRAKEN_FIXTURE } from "./fixtures/kraken.ts";
import { Play } from "./play.ts";

const FIXTURES: Readonly<Record<ExchangeId, Fixture>> = {
  coinbase_exchange: COINBASE_EXCHANGE_FIXTURE,
  kraken: KRAKEN_FIXTURE,
  binance: BINANCE_FIXTURE,
  binance_us: BINANCE_US_FIXTURE,
};

const KERNELS: readonly KernelName[] = ["wasm", "twin"];
const CASES = [...BOOK_CASES, ...SESSION_CASES, ...MEANING_CASES];

for (const id of EXCHANGE_IDS) {
  describe.each(KERNELS)(`${id} on %s`, (kernelName) => {
    it.each(CASES)("$name", async ({ play, expected }) => {
      const fixture = FIXTURES[id];
      const exchange = EXCHANGES[id];
      const seen = await play(await Play.start(fixture, { exchange, kernelName }));
      expect(seen).toEqual(expected(fixture, exchange));
    });
  });
}

describe("the conformance cases", () => {
  it("stand in CONTRIBUTING.md when a contributor looks for them", () => {
    const text = readFileSync(join(packageFolder(), "CONTRIBUTING.md"), "utf8");
    const [, section = ""] = text.split("<!-- conformance cases -->");
    const listed = section.split("\n").flatMap((line) => (line.startsWith("- ") ? [line.slice(2)] : []));
    expect(listed).toEqual(CASES.map(({ name }) => name));
  });

  it("have names of their own when they are reported", () => {
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  });
});

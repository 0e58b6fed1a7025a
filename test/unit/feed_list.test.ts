/**
 * The instrument list while REST is left alone: a collector that comes after another connects without the list, and what
 * is asked for at run time is refused in time; when REST works again, so does adding.
 * Bad case: a ban of hours that a predecessor left behind; the books need no REST, and must not wait for it.
 */
import { describe, expect, it } from "vitest";
import { BREAKER_OPEN, ENDPOINT_REST, FAILURE_STATUS } from "../../assembly/layout.ts";
import { loadConfig } from "../../src/config/mod.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import type { EndpointEntry } from "../../src/segment/endpoints.ts";
import { ANCHOR_NS, Rig } from "../conformance/rig.ts";

const BAN_MS = 3_600_000;
const PRODUCTS = JSON.stringify(
  ["BTC-USD", "ETH-USD"].map((id) => ({
    id,
    quote_increment: "0.01",
    base_increment: "0.00000001",
    status: "online",
  })),
);

const { collector: limits, exchanges } = loadConfig({});

/** REST as a predecessor left it: banned. */
const BANNED: EndpointEntry = {
  kind: ENDPOINT_REST,
  address: new URL(exchanges.coinbase_exchange.restUrl).href,
  state: BREAKER_OPEN,
  sinceNs: ANCHOR_NS,
  openUntilNs: ANCHOR_NS + BigInt(BAN_MS) * 1_000_000n,
  attempts: 1,
  failures: 1,
  openings: 1,
  lastFailure: FAILURE_STATUS,
  lastStatus: 418,
};

function succeed(): Rig {
  return new Rig({
    exchange: EXCHANGES.coinbase_exchange,
    kernelName: "twin",
    instruments: ["BTC-USD"],
    rest: [["/products", PRODUCTS]],
    left: [BANNED],
  });
}

/** Starts to connect: the list is given up after the timeout of a request. */
async function connected(): Promise<Rig> {
  const rig = succeed();
  const started = rig.collector.start();
  await rig.settle();
  expect(rig.sockets).toHaveLength(0);
  await rig.advance(limits.restTimeoutMs);
  await started;
  return rig;
}

describe("A collector whose predecessor was banned from REST", () => {
  it("connects without the list, asking nothing, and says so", async () => {
    const rig = await connected();
    expect([rig.sockets.length, rig.requests]).toEqual([1, []]);
    const told = rig.reports.map(({ text }) => text);
    expect(told.filter((text) => text.includes("is left alone for"))).toHaveLength(1);
    expect(told.filter((text) => text.startsWith("The instrument list is not there"))).toEqual([
      `The instrument list is not there (attempt 1): REST may not be asked, and was waited for ${limits.restTimeoutMs} ms`,
    ]);
    expect(told).toContain("Going on without the instrument list: decimals come from the first books");
  });

  it("refuses in time what is added meanwhile, and adds it when the ban is over", async () => {
    const rig = await connected();
    const refused = rig.collector.add("ETH-USD");
    await rig.advance(limits.restTimeoutMs + 100);
    expect(await refused).toMatchObject({ kind: "refused", code: "unavailable" });
    expect(rig.requests).toEqual([]);
    await rig.advance(BAN_MS - rig.nowMs);
    expect(await rig.collector.add("ETH-USD")).toEqual({ kind: "added" });
    expect(rig.requests).toHaveLength(1);
  });
});

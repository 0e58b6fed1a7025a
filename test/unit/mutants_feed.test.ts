/**
 * How a collector spreads over connections and time, by a real collector with sockets and clock faked: no connection
 * carries more instruments than the exchange serves on one, no more of them are attempted than it allows, and what failed
 * together does not come back together.
 * Bad case: an exchange that silently leaves out what is too much on one connection.
 */
import { describe, expect, it } from "vitest";
import type { Exchange } from "../../src/exchanges/mod.ts";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { Backoff } from "../../src/sync/mod.ts";
import { Rig } from "../conformance/rig.ts";

/** Coinbase Exchange with narrower limits. */
function narrow(limits: Partial<Exchange["header"]["limits"]>): Exchange {
  const { header, ...rest } = EXCHANGES.coinbase_exchange;
  return { ...rest, header: { ...header, limits: { ...header.limits, ...limits } } };
}

const INSTRUMENTS = ["BTC-USD", "ETH-USD", "SOL-USD", "LTC-USD", "ADA-USD"];
const PRODUCTS = JSON.stringify(
  INSTRUMENTS.map((id) => ({ id, quote_increment: "0.01", base_increment: "0.00000001", status: "online" })),
);

function collect(exchange: Exchange): Rig {
  return new Rig({ exchange, kernelName: "twin", instruments: INSTRUMENTS, rest: [["/products", PRODUCTS]] });
}

/** The products that a socket was asked for. */
function products(sent: readonly string[]): string[] {
  const messages = sent.map((text) => JSON.parse(text) as { type: string; product_ids: string[] });
  return messages.filter(({ type }) => type === "subscribe").flatMap(({ product_ids }) => product_ids);
}

describe("a collector", () => {
  it("opens as many connections as its instruments need and subscribes each of them once", async () => {
    const rig = collect(narrow({ instrumentsPerConnection: 2, connects: { count: 10, perMs: 1000 } }));
    await rig.start();
    for (const socket of rig.sockets) {
      socket.open();
    }
    await rig.advance(1000);
    const carried = rig.sockets.map(({ sent }) => products(sent));
    expect(carried).toHaveLength(3);
    expect(Math.max(...carried.map((names) => names.length))).toBe(2);
    expect(carried.flat().sort()).toEqual([...INSTRUMENTS].sort());
  });

  it("attempts no more connections in a window than the exchange allows, and the others later", async () => {
    const rig = collect(narrow({ instrumentsPerConnection: 1, connects: { count: 2, perMs: 1000 } }));
    await rig.start();
    await rig.advance(800);
    expect(rig.sockets).toHaveLength(2);
    await rig.advance(1000);
    expect(rig.sockets).toHaveLength(4);
    await rig.advance(1000);
    expect(rig.sockets).toHaveLength(5);
  });
});

describe("those that failed together", () => {
  it("come back apart when their jitter is apart, over the whole of each delay", () => {
    const limits = { baseMs: 1000, capMs: 8000, healthyMs: 60_000 };
    const delays = [0, 0.25, 0.5, 0.75].map((jitter) => {
      const backoff = new Backoff(limits, () => jitter);
      return Array.from({ length: 6 }, (_, attempt) => backoff.failed(attempt));
    });
    expect(delays).toEqual([
      [0, 0, 0, 0, 0, 0],
      [0, 250, 500, 1000, 2000, 2000],
      [0, 500, 1000, 2000, 4000, 4000],
      [0, 750, 1500, 3000, 6000, 6000],
    ]);
  });
});

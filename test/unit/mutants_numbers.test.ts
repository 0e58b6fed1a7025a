/**
 * Numbers that no double can hold, on both kernels: ticks that grow beyond 2^53 when a book's finest digit is far below
 * its largest quantity. Bad case: a product that is rounded; it looks right in every digit that people read.
 */
import { describe, expect, it } from "vitest";
import { Rig } from "../support/rig.ts";

const SCALE = 10n ** 18n;
const FINE = "0.00000001";
const LARGE = "12345678901.2345";
const LARGER = "87654321098.76543";

describe.each(["wasm", "twin"] as const)("Quantities on %s", (name) => {
  it("stay exact when their ticks are beyond what a double holds", () => {
    const rig = new Rig(name, "coinbase_exchange", ["BTC-USD"]);
    const product = { product_id: "BTC-USD" };
    const feed = (frame: object, at: number) => rig.frame(new Uint8Array(Buffer.from(JSON.stringify(frame))), at);
    const levels = { bids: [["100", FINE]], asks: [["101", LARGE]] };
    feed({ type: "snapshot", ...product, ...levels, time: "2026-07-07T22:58:17.050195Z" }, 1);
    feed({ type: "l2update", ...product, changes: [["buy", "99", LARGER]], time: "2026-07-07T22:58:18Z" }, 2);
    expect(rig.book("BTC-USD")).toEqual({
      bids: new Map([
        [100n * SCALE, 10n ** 10n],
        [99n * SCALE, units(LARGER)],
      ]),
      asks: new Map([[101n * SCALE, units(LARGE)]]),
    });
  });
});

function units(text: string): bigint {
  const [whole = "", part = ""] = text.split(".");
  return BigInt(whole + part.padEnd(18, "0"));
}

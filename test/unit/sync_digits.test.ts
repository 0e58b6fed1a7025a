/**
 * Numbers that need more decimals than a book can be written with: digits too many of a broken frame, beside levels that
 * fill their integers. What the segment says of ticks and lots must be what its records count in, always.
 * Bad case: an id whose entry promises finer ticks than the levels behind it have; every price would be wrong by a power.
 */
import { describe, expect, it } from "vitest";
import {
  APPLY_BOOK,
  APPLY_OVERFLOW,
  APPLY_SNAPSHOT,
  LEVEL_BYTES,
  REPLICA_BOOK,
  SIDE_ASK,
  SIDE_BID,
} from "../../assembly/layout.ts";
import { SegmentView } from "../../src/segment/mod.ts";
import { Rig } from "../support/rig.ts";
import { Tap } from "../support/tap.ts";

const LARGE = "92233720368547758";
const SECOND_NS = 1e9;
const LEVELS_MAX = 16;
/** Longer than a book rests after numbers out of range. */
const REST_S = 120;

function snapshot(bids: readonly string[], asks: readonly string[]): string {
  const side = (prices: readonly string[]) => prices.map((price) => [price, "1.5"]);
  const time = "2026-07-07T22:58:17.050195Z";
  return JSON.stringify({ type: "snapshot", product_id: "X-Y", bids: side(bids), asks: side(asks), time });
}

function update(price: string): string {
  const time = "2026-07-07T22:58:18.000000Z";
  return JSON.stringify({ type: "l2update", product_id: "X-Y", changes: [["buy", price, "1.5"]], time });
}

/** A collector, and a follower that holds every record against the hash in it. */
class Scene {
  readonly #rig: Rig;
  readonly #tap: Tap;
  #second = 0;

  constructor(kernelName: "wasm" | "twin") {
    this.#rig = new Rig(kernelName, "coinbase_exchange", ["X-Y"]);
    this.#tap = new Tap(this.#rig);
  }

  /** @returns APPLY_* */
  take(frame: string): number {
    const code = this.#rig.frame(new TextEncoder().encode(frame), this.#second * SECOND_NS);
    this.#second += REST_S;
    this.#tap.take();
    return code;
  }

  reconnect(): void {
    this.#rig.reconnect(this.#second * SECOND_NS);
    this.#tap.take();
  }

  /** Prices of the follower's book, with the decimals that the segment's last entry says. */
  get followed(): string[] {
    const { kernel, segment, buffer } = this.#rig;
    const entry = new SegmentView(buffer, segment.address).instruments().at(-1);
    const view = new DataView(buffer);
    const book = view.getUint32(this.#tap.replica(entry?.id ?? 0) + REPLICA_BOOK, true);
    const out = kernel.arenaAllocate(LEVELS_MAX * LEVEL_BYTES);
    return [SIDE_BID, SIDE_ASK].flatMap((side) =>
      Array.from({ length: kernel.bookWalk(book, side, 0, LEVELS_MAX, out) }, (_, rank) => {
        const text = String(view.getBigInt64(out + rank * LEVEL_BYTES, true)).padStart(19, "0");
        const point = text.length - (entry?.priceExponent ?? 0);
        return `${text.slice(0, point)}.${text.slice(point)}`.replace(/^0+(?=\d)|\.?0*$/g, "");
      }),
    );
  }
}

describe.each(["wasm", "twin"] as const)("Digits beyond what a book can be written with, on %s", (kernelName) => {
  it("put it out of service under its id, and the next snapshot is told in the decimals that the segment says", () => {
    const scene = new Scene(kernelName);
    expect(scene.take(snapshot(["100.25", "7"], [LARGE]))).toBe(APPLY_SNAPSHOT);
    expect(scene.take(update("99.00000000049"))).toBe(APPLY_OVERFLOW);
    scene.reconnect();
    expect(scene.take(snapshot(["100.25", "7"], ["101.5"]))).toBe(APPLY_SNAPSHOT);
    expect(scene.followed).toEqual(["100.25", "7", "101.5"]);
    expect(scene.take(update("100.5"))).toBe(APPLY_BOOK);
  });

  it("are taken with a snapshot when the levels that stood in their way are gone", () => {
    const scene = new Scene(kernelName);
    expect(scene.take(snapshot(["100.25"], [LARGE]))).toBe(APPLY_SNAPSHOT);
    expect(scene.take(snapshot(["99.00000000049"], ["101.5"]))).toBe(APPLY_OVERFLOW);
    scene.reconnect();
    expect(scene.take(snapshot(["99.00000000049"], ["101.5"]))).toBe(APPLY_SNAPSHOT);
    expect(scene.followed).toEqual(["99.00000000049", "101.5"]);
    expect(scene.take(update("99.00000000048"))).toBe(APPLY_BOOK);
  });
});

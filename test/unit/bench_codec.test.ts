/**
 * The client's half of the codec benchmark: the client's own book with a sink in the place of its levels hands over what the
 * same book with levels applies. Bad case: a sink that accepts what the client refuses; then a cheaper reader would be timed.
 */
import { describe, expect, it } from "vitest";
import { NumberSink, sinkingBook } from "../../bench/number_sink.ts";
import type { Exact } from "../../src/client/exact.ts";
import type { BookSide } from "../../src/client/level_book.ts";
import { StreamBook } from "../../src/client/stream_book.ts";
import { recordFrames } from "./client_frames.ts";

const ROOM = 1000;
const FRAMES = recordFrames();

function bestOf(side: BookSide): number {
  return side.count === 0 ? 0 : Number(side.price(0));
}

/** The client's book, whole. */
function wholeBook(): StreamBook {
  const book = new StreamBook({ isVerified: true });
  expect(FRAMES.snapshot.map((part) => book.apply(part))).toEqual(FRAMES.snapshot.map(() => 0));
  return book;
}

describe("sinkingBook", () => {
  it("hands over every change that the client's book applies, with versions and times", () => {
    const whole = wholeBook();
    const sink = new NumberSink(ROOM);
    const book = sinkingBook(FRAMES.snapshot, sink);
    for (const frame of FRAMES.deltas) {
      const from = sink.count;
      sink.bids.at = bestOf(whole.levels.bids);
      sink.asks.at = bestOf(whole.levels.asks);
      expect(whole.apply(frame)).toBe(0);
      sink.isCrossed = whole.levels.isCrossed;
      expect(book.apply(frame)).toBe(0);
      expect(sink.count).toBeGreaterThan(from);
      const last = new Map<string, [held: Exact, taken: Exact]>();
      for (let at = from; at < sink.count; at++) {
        const [side, price = 0, quantity = 0] = [sink.sides[at] ?? 0, sink.prices[at], sink.quantities[at]];
        last.set(`${side} ${price}`, [whole.levels.side(side).quantityAt(price), quantity]);
      }
      expect([...last.values()].filter(([held, taken]) => held !== taken)).toEqual([]);
      expect(book.version.value).toBe(whole.version.value);
      expect(book.eventAt.value).toBe(whole.eventAt.value);
      expect(book.receivedAt.value).toBe(whole.receivedAt.value);
    }
  });

  it("refuses a frame that the client refuses", () => {
    const [frame = new Uint8Array()] = FRAMES.deltas;
    const book = sinkingBook(FRAMES.snapshot, new NumberSink(ROOM));
    expect(book.apply(frame.slice(0, -1))).toBe(wholeBook().apply(frame.slice(0, -1)));
    expect(book.apply(frame)).not.toBe(0);
  });

  it("throws when the parts are no snapshot", () => {
    expect(() => sinkingBook(FRAMES.deltas, new NumberSink(ROOM))).toThrow("the client must take its parts");
  });
});

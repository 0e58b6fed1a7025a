/**
 * The frames that wait for a REST snapshot. Bad case: a bound that drops the newest frame instead of the oldest.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SpliceBuffer } from "../../src/sync/mod.ts";

function frame(sequence: number, bytes = 10) {
  const at = BigInt(sequence);
  return { bytes: new Uint8Array(bytes), receivedAt: sequence, firstSequence: at, lastSequence: at };
}

describe("SpliceBuffer", () => {
  it("gives frames back in order when they are taken, once", () => {
    const buffer = new SpliceBuffer({ framesMax: 10, bytesMax: 1000 });
    buffer.push(frame(1));
    buffer.push(frame(2));
    expect(buffer.firstSequence).toBe(1n);
    expect(buffer.take().map(({ lastSequence }) => lastSequence)).toEqual([1n, 2n]);
    expect([buffer.length, buffer.bytes, buffer.firstSequence, buffer.take()]).toEqual([0, 0, undefined, []]);
  });

  it("drops the oldest and says how many when it has too many frames", () => {
    const buffer = new SpliceBuffer({ framesMax: 2, bytesMax: 1000 });
    expect([1, 2, 3, 4].map((sequence) => buffer.push(frame(sequence)))).toEqual([0, 0, 1, 1]);
    expect(buffer.firstSequence).toBe(3n);
  });

  it("drops as many as a large frame needs when it has too many bytes", () => {
    const buffer = new SpliceBuffer({ framesMax: 100, bytesMax: 100 });
    for (const sequence of [1, 2, 3]) {
      buffer.push(frame(sequence, 30));
    }
    expect(buffer.push(frame(4, 70))).toBe(2);
    expect([buffer.length, buffer.bytes, buffer.firstSequence]).toEqual([2, 100, 3n]);
  });

  it("keeps nothing when a single frame is larger than its bound", () => {
    const buffer = new SpliceBuffer({ framesMax: 100, bytesMax: 100 });
    expect(buffer.push(frame(1, 101))).toBe(1);
    expect([buffer.length, buffer.bytes]).toEqual([0, 0]);
  });

  it("stays within its bounds and loses nothing uncounted when frames are any", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60 })), (sizes) => {
        const buffer = new SpliceBuffer({ framesMax: 5, bytesMax: 100 });
        let dropped = 0;
        sizes.forEach((size, index) => {
          dropped += buffer.push(frame(index, size));
          expect(buffer.length).toBeLessThanOrEqual(5);
          expect(buffer.bytes).toBeLessThanOrEqual(100);
        });
        expect(buffer.length + dropped).toBe(sizes.length);
        expect(buffer.take().map(({ receivedAt }) => receivedAt)).toEqual(
          sizes.map((_, index) => index).slice(dropped),
        );
      }),
    );
  });
});

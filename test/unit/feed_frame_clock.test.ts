/**
 * The times of a connection's frames. Bad case: a clock without fine steps; the figures are then whole microseconds.
 */
import { describe, expect, it } from "vitest";
import { FrameClock } from "../../src/feed/frame_clock.ts";

const ANCHORS = { anchorNs: 0n, monotonicAnchorNs: 0n };

describe("FrameClock", () => {
  it("counts the second frame of a read from the end of the first when both arrived together", () => {
    let now = 0;
    const clock = new FrameClock({ ...ANCHORS, now: () => 0, fine: () => now });
    const told: number[] = [];
    now = 5_500;
    clock.arrived();
    clock.begin();
    expect(clock.frame.receivedAt).toBe(5_000);
    now = 7_100;
    clock.applied((elapsed) => told.push(elapsed));
    clock.begin();
    expect(clock.frame.receivedAt).toBe(7_000);
    now = 9_000;
    clock.applied((elapsed) => told.push(elapsed));
    expect(told).toEqual([1_600, 1_900]);
  });

  it("tells a time of hours as it is when a small integer cannot hold it", () => {
    let now = 0;
    const clock = new FrameClock({ ...ANCHORS, now: () => now });
    clock.arrived();
    now = 8e12;
    const told: number[] = [];
    clock.applied((elapsed) => told.push(elapsed));
    expect(told).toEqual([8e12]);
  });

  it("uses the clock's own places when it has them", () => {
    const clock = new FrameClock({
      ...ANCHORS,
      now: () => -1,
      fineInto: (times, place) => {
        times[place] = 42_999;
      },
    });
    clock.arrived();
    clock.begin();
    expect(clock.frame.receivedAt).toBe(42_000);
  });
});

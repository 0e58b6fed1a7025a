/**
 * The synthetic day: its curve, its market, its frames, and the replay that is judged by an independent book.
 * Bad case: a market that crosses, or a frame that names a level twice; the kernel would be measured on what no exchange sends.
 */
import { describe, expect, it } from "vitest";
import { DAY_MINUTES, DAY_UPDATES, dayCurve } from "../../bench/day/curve.ts";
import { DayFrames } from "../../bench/day/frames.ts";
import { DayModel } from "../../bench/day/model.ts";
import { DayReplay } from "../../bench/day/replay.ts";
import { dayCase } from "../../bench/day.bench.ts";

type L2Update = { type: string; product_id: string; changes: [string, string, string][]; time: string };

describe("dayCurve", () => {
  it("shares out one day, the same for a seed, with a peak well above the mean", () => {
    const curve = dayCurve(5);
    const sum = curve.reduce((total, part) => total + part, 0);
    expect(curve.length).toBe(DAY_MINUTES);
    expect(sum).toBeCloseTo(1, 9);
    expect(Math.min(...curve)).toBeGreaterThan(0);
    expect(Math.max(...curve) * DAY_MINUTES).toBeGreaterThan(3);
    expect(dayCurve(5)).toEqual(curve);
    expect(dayCurve(6)).not.toEqual(curve);
  });
});

describe("DayModel", () => {
  it("never crosses and keeps its size when it lives through many frames", () => {
    const model = new DayModel(9);
    const before = model.levels(true).length + model.levels(false).length;
    for (let frame = 0; frame < 20_000; frame++) {
      model.beginFrame();
      model.draw();
      model.draw();
    }
    const bids = model.levels(true);
    const asks = model.levels(false);
    expect(bids[0]?.[0]).toBeLessThan(asks[0]?.[0] ?? 0);
    expect(bids.every(([tick], rank) => rank === 0 || tick < (bids[rank - 1]?.[0] ?? 0))).toBe(true);
    expect(asks.every(([tick], rank) => rank === 0 || tick > (asks[rank - 1]?.[0] ?? 0))).toBe(true);
    expect([...bids, ...asks].every(([, lots]) => lots > 0)).toBe(true);
    expect(Math.abs(bids.length + asks.length - before)).toBeLessThan(before / 20);
  });

  it("has another hash when a level is another", () => {
    const model = new DayModel(9);
    const before = model.hash();
    model.beginFrame();
    model.draw();
    expect(model.hash()).not.toBe(before);
  });
});

describe("DayFrames", () => {
  it("writes frames as the exchange does, each level once a frame, times in order", () => {
    const frames = new DayFrames({ seed: 3, updates: 20_000, updatesPerBlock: 20_000 });
    const block = frames.next(DAY_MINUTES);
    const texts = (block?.frames ?? []).map((bytes) => JSON.parse(Buffer.from(bytes).toString()) as L2Update);
    const changes = texts.flatMap((text) => text.changes);
    expect(changes.length).toBe(block?.updates);
    expect(changes.length / texts.length).toBeGreaterThan(7);
    expect(changes.length / texts.length).toBeLessThan(11);
    for (const { type, product_id, changes: own, time } of texts) {
      expect([type, product_id]).toEqual(["l2update", "BTC-USD"]);
      expect(time).toMatch(/^2026-07-07T\d\d:\d\d:\d\d\.\d{6}Z$/);
      expect(new Set(own.map(([, price]) => price)).size).toBe(own.length);
      expect(
        own.every(([side, price, size]) => /^(buy|sell) \d+\.\d\d \d+\.\d{8}$/.test(`${side} ${price} ${size}`)),
      ).toBe(true);
    }
    const times = block?.times ?? [];
    expect(times.every((at, index) => index === 0 || at >= (times[index - 1] ?? 0))).toBe(true);
    expect(new Set(texts.map(({ time }) => time.slice(11, 13))).size).toBeGreaterThan(20);
  });

  it("makes as many updates as the day has when all blocks are taken", () => {
    const frames = new DayFrames({ seed: 3, updates: 50_000, updatesPerBlock: 4000 });
    let updates = 0;
    for (let block = frames.next(DAY_MINUTES); block !== undefined; block = frames.next(DAY_MINUTES)) {
      updates += block.updates;
    }
    expect(Math.abs(updates / 50_000 - 1)).toBeLessThan(0.1);
    expect(frames.minute).toBe(DAY_MINUTES);
  });
});

describe("DayReplay", () => {
  it("ends in the independent book, with every record proved, when a part of the day is replayed", () => {
    const replay = new DayReplay(DAY_UPDATES / 10_000);
    const morning = replay.slice(DAY_MINUTES / 2);
    const rest = replay.slice(DAY_MINUTES);
    replay.verify();
    expect(morning.updates + rest.updates).toBeGreaterThan(20_000);
    expect(replay.records).toBeGreaterThanOrEqual(morning.frames + rest.frames);
    expect(Math.min(morning.cpuNs, rest.cpuNs)).toBeGreaterThan(0);
    expect(replay.slice(DAY_MINUTES).updates).toBe(0);
  });
});

describe("dayCase", () => {
  const hour = (updates: number, secondsOfCpu: number) => {
    const ns = secondsOfCpu * 1e9;
    return { updates, frames: 1, cpuNs: ns, wallNs: ns };
  };
  /** Most hours are cheap and small; one is busy and dear. */
  const hours = [...Array.from({ length: 23 }, () => hour(1_000_000, 1)), hour(4_000_000, 13)];

  it("is judged by the CPU time of all of the day, not by its middle hour", () => {
    const { sides, limits } = dayCase(hours, { share: 1 / 10, records: 1, isJudged: true });
    const seconds = (36 / 27) * 267;
    expect(sides[0]?.samples).toEqual([seconds]);
    expect(sides[1]?.samples).toHaveLength(24);
    expect(limits).toMatchObject([{ side: "replay", goal: "DAY", median: seconds, verdict: "missed" }]);
  });

  it("is not judged when only a glance was taken", () => {
    expect(dayCase(hours, { share: 1 / 2000, records: 1, isJudged: false }).limits).toEqual([]);
  });
});

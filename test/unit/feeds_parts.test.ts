/**
 * The parts behind feeds that come and go: which instruments are wanted whatever becomes of a worker, which images are
 * handed out, and what is shown of an instrument whose producer is gone.
 * Bad case: an image that two instruments hold at once; readers of both would see torn books.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  IMAGE_GENERATION,
  REASON_DISCONNECTED,
  REASON_REMOVED,
  SEGMENT_STATE_SUPERSEDED,
  STATE_CONNECTING,
  STATE_RETIRED,
  TRADING_OPEN,
} from "../../assembly/layout.ts";
import type { FeedChange } from "../../src/feed/feed_changes.ts";
import { Sleeper } from "../../src/feed/sleeper.ts";
import { WantedFeeds } from "../../src/feed/wanted_feeds.ts";
import type { FeedRequest } from "../../src/feed/worker_messages.ts";
import { ImageArea, type ImagePair } from "../../src/segment/image_area.ts";
import { SegmentView } from "../../src/segment/view.ts";
import {
  abandonSegment,
  createSegment,
  imagePairBytes,
  retireAbandoned,
  type SegmentWriter,
  segmentBytes,
} from "../../src/segment/writer.ts";

const SIZES = { instrumentCapacity: 8, deltaCapacity: 64, tradeCapacity: 64, imageAreaBytes: imagePairBytes(100) * 2 };

function write(): { buffer: ArrayBuffer; writer: SegmentWriter; view: SegmentView } {
  const buffer = new ArrayBuffer(segmentBytes(SIZES));
  const identity = { exchange: "kraken", epoch: 1n, pid: 1, wallAnchorNs: 0n, monotonicAnchorNs: 0n };
  const writer = createSegment(buffer, { address: 0, config: SIZES, identity });
  return { buffer, writer, view: new SegmentView(buffer, 0) };
}

function add(writer: SegmentWriter, canonical: string) {
  const exponents = { priceExponent: 1, quantityExponent: 1 };
  const common = {
    native: canonical,
    assurance: 0,
    depth: 0,
    tradingStatus: TRADING_OPEN,
    imageLevels: 100,
    sinceNs: 0n,
  };
  return writer.addInstrument({ canonical, ...exponents, ...common });
}

describe("The image area", () => {
  it("never hands out a byte twice, and uses what was given back before it grows", () => {
    const step = fc.record({ bytes: fc.integer({ min: 1, max: 8 }), gives: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const area = new ImageArea(100 * 64);
        const held: ImagePair[] = [];
        for (const { bytes, gives } of steps) {
          const back = gives ? held.shift() : undefined;
          if (back !== undefined) {
            area.give(back);
            continue;
          }
          const before = area.usedBytes;
          const couldHave = area.hasRoom(bytes * 64);
          const pair = area.take(bytes * 64);
          expect(pair !== undefined).toBe(couldHave);
          if (pair !== undefined) {
            expect(pair.bytes).toBeGreaterThanOrEqual(bytes * 64);
            expect(pair.isUsed).toBe(area.usedBytes === before);
            const isApart = held.every(
              (one) => one.offset + 2 * one.bytes <= pair.offset || pair.offset + 2 * pair.bytes <= one.offset,
            );
            expect(isApart).toBe(true);
            expect(pair.offset + 2 * pair.bytes).toBeLessThanOrEqual(100 * 64);
            held.push(pair);
          }
        }
      }),
    );
  });

  it("gives the images of a removed instrument to another, whose generations go on", () => {
    const { buffer, writer, view } = write();
    const first = add(writer, "BTC-USD");
    const second = add(writer, "ETH-USD");
    expect([first === undefined, second === undefined, add(writer, "SOL-USD")]).toEqual([false, false, undefined]);
    expect(writer.takeShortages()).toHaveLength(1);
    if (first === undefined) {
      return;
    }
    new DataView(buffer).setUint32(first.imageAddress + IMAGE_GENERATION, 6, true);
    writer.releaseImages(first);
    expect(view.instrument(0).currentImage).toBe(0);
    expect(writer.lacksRoom({ canonical: "SOL-USD", imageLevels: 100 })).toBe(undefined);
    const third = add(writer, "SOL-USD");
    expect([third?.imageAddress, third?.id]).toEqual([first.imageAddress, 3]);
    expect(new DataView(buffer).getUint32(first.imageAddress + IMAGE_GENERATION, true)).toBe(8);
    expect(writer.lacksRoom({ canonical: "XRP-USD", imageLevels: 1 })).toBe("images");
    expect(writer.takeShortages()).toEqual([]);
  });
});

describe("A segment without a producer", () => {
  it("shows an instrument that was removed meanwhile as retired, and leaves the others", () => {
    const { buffer, writer, view } = write();
    add(writer, "BTC-USD");
    add(writer, "ETH-USD");
    const handle = { exchange: "kraken", address: 0, bytes: buffer.byteLength };
    abandonSegment(buffer, handle);
    retireAbandoned(buffer, handle, "ETH-USD");
    retireAbandoned(buffer, handle, "SOL-USD");
    expect(view.state).toBe(SEGMENT_STATE_SUPERSEDED);
    expect(view.instruments().map(({ state, reason }) => [state, reason])).toEqual([
      [STATE_CONNECTING, REASON_DISCONNECTED],
      [STATE_RETIRED, REASON_REMOVED],
    ]);
    abandonSegment(buffer, handle);
    expect(view.instrument(1).state).toBe(STATE_RETIRED);
  });
});

describe("Wanted feeds", () => {
  const ask = (feeds: WantedFeeds, type: FeedRequest["type"], canonical: string) => {
    const posted: FeedRequest[] = [];
    const answer = feeds.ask(type, canonical, (request) => posted.push(request));
    return { answer, request: posted[0]?.request ?? 0 };
  };

  it("follow the worker's answers, and only those", async () => {
    const feeds = new WantedFeeds(["BTC-USD"]);
    const added = ask(feeds, "add", "ETH-USD");
    const refused = ask(feeds, "add", "SOL-USD");
    expect(feeds.instruments).toEqual(["BTC-USD"]);
    const refusal: FeedChange = { kind: "refused", code: "no_room", message: "", nearest: [] };
    feeds.answered(refused.request, refusal);
    feeds.answered(added.request, { kind: "added" });
    feeds.answered(added.request, { kind: "removed" });
    expect([await added.answer, await refused.answer]).toEqual([{ kind: "added" }, refusal]);
    expect(feeds.instruments).toEqual(["BTC-USD", "ETH-USD"]);
  });

  it("drop what was to go and refuse what was to come when the worker ends", async () => {
    const feeds = new WantedFeeds(["BTC-USD", "ETH-USD"]);
    const [coming, going, stranger] = [
      ask(feeds, "add", "SOL-USD"),
      ask(feeds, "remove", "BTC-USD"),
      ask(feeds, "remove", "XRP-USD"),
    ];
    expect(feeds.workerEnded()).toEqual(["BTC-USD", "XRP-USD"]);
    expect(await coming.answer).toMatchObject({ kind: "refused", code: "unavailable" });
    expect([await going.answer, await stranger.answer]).toEqual([{ kind: "removed" }, { kind: "not_there" }]);
    expect(feeds.instruments).toEqual(["ETH-USD"]);
    expect(feeds.withoutWorker("add", "ETH-USD")).toEqual({ kind: "already_there" });
    expect(feeds.withoutWorker("remove", "ETH-USD")).toEqual({ kind: "removed" });
    expect(feeds.instruments).toEqual([]);
  });
});

describe("A sleeper", () => {
  it("wakes each at the first tick after its time, and not before", async () => {
    const clock = { ms: 0 };
    const woken: string[] = [];
    const sleeper = new Sleeper(() => clock.ms);
    for (const [name, ms] of [
      ["late", 300],
      ["early", 100],
    ] as const) {
      void sleeper.pause(ms).then(() => woken.push(name));
    }
    for (const [ms, expected] of [
      [99, []],
      [100, ["early"]],
      [250, ["early"]],
      [400, ["early", "late"]],
    ] as const) {
      clock.ms = ms;
      sleeper.tick();
      await Promise.resolve();
      expect(woken).toEqual(expected);
    }
  });
});

/**
 * Whatever an exchange sends, in whatever order sockets open, close and fall silent: nothing throws, and as soon as the
 * exchange behaves the books are right again. Frames are those of the conformance fixtures, cut, mutated and shuffled.
 * Bad case: a machine that waits for something that nobody will do; the last step would then never be synced.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXCHANGES } from "../../src/exchanges/mod.ts";
import { EXCHANGE_IDS, type ExchangeId } from "../../src/model/exchange_id.ts";
import type { Fixture } from "../conformance/fixture.ts";
import { BINANCE_FIXTURE, BINANCE_US_FIXTURE } from "../conformance/fixtures/binance.ts";
import { COINBASE_EXCHANGE_FIXTURE } from "../conformance/fixtures/coinbase_exchange.ts";
import { KRAKEN_FIXTURE } from "../conformance/fixtures/kraken.ts";
import { Play, SNAPSHOT_BOOK } from "../conformance/play.ts";

const FIXTURES: Readonly<Record<ExchangeId, Fixture>> = {
  coinbase_exchange: COINBASE_EXCHANGE_FIXTURE,
  kraken: KRAKEN_FIXTURE,
  binance: BINANCE_FIXTURE,
  binance_us: BINANCE_US_FIXTURE,
};

/** REST that failed many times in a row is left alone for so long at most. */
const REST_LEFT_ALONE_MS = 5000;

type Step =
  | { do: "frame"; which: number; cut: number | undefined; at: number; byte: number }
  | { do: "open" | "acknowledge" | "refuse" | "close" }
  | { do: "wait"; ms: number }
  | { do: "rest"; works: boolean };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("frame" as const),
      which: fc.nat(1000),
      cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined, freq: 2 }),
      at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      byte: fc.integer({ min: -1, max: 255 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("open" as const, "acknowledge" as const, "close" as const, "refuse" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(100, 1000, 12_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rest" as const), works: fc.boolean() }) },
);

function frames(fixture: Fixture): string[] {
  return Object.entries(fixture).flatMap(([key, value]) => {
    const isFrame = !["canonical", "native", "otherCanonical", "otherNative", "metadata", "snapshotUrl"].includes(key);
    const texts = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
    return isFrame ? texts.filter((text) => text.startsWith("{")) : [];
  });
}

function mutated(text: string, { cut, at, byte }: Extract<Step, { do: "frame" }>): Buffer {
  const bytes = Buffer.from(text).subarray(0, cut === undefined ? undefined : Math.floor(cut * text.length));
  const copy = Buffer.from(bytes);
  if (byte >= 0 && copy.length > 0) {
    copy[Math.floor(at * copy.length)] = byte;
  }
  return copy;
}

async function perform(play: Play, step: Step, opened: WeakSet<object>): Promise<void> {
  const { socket } = play.rig;
  const isOpen = opened.has(socket);
  switch (step.do) {
    case "frame":
      if (isOpen) {
        const texts = frames(play.fixture);
        play.rig.deliver(mutated(texts[step.which % texts.length] ?? "", step));
      }
      break;
    case "open":
      if (!isOpen && !socket.isDropped) {
        opened.add(socket);
        socket.open();
      }
      break;
    case "close":
      socket.close("closed with 1006");
      break;
    case "acknowledge":
    case "refuse":
      if (isOpen) {
        play.acknowledge(step.do === "refuse" ? play.fixture.refuse : play.fixture.acknowledge);
      }
      break;
    case "wait":
      await play.rig.advance(step.ms);
      break;
    case "rest":
      play.restBody = step.works ? play.fixture.snapshot : undefined;
      break;
  }
}

/** Closes what is there and waits until the collector connects anew. */
async function freshSocket(play: Play): Promise<void> {
  const { length } = play.rig.sockets;
  play.rig.socket.close("closed with 1006");
  for (
    let passed = 0;
    passed < 60_000 && (play.rig.sockets.length === length || play.rig.socket.isDropped);
    passed += 100
  ) {
    await play.rig.advance(100);
  }
}

describe.each(EXCHANGE_IDS)("the sync of %s", (id) => {
  it("throws nothing and ends with right books when everything went wrong before", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 60 }), async (steps) => {
        const play = await Play.start(FIXTURES[id], { exchange: EXCHANGES[id], kernelName: "twin" });
        const opened = new WeakSet<object>();
        for (const step of steps) {
          await perform(play, step, opened);
        }
        await freshSocket(play);
        play.restBody = play.fixture.snapshot;
        await play.rig.advance(REST_LEFT_ALONE_MS);
        await play.join();
        await play.live(2);
        expect([play.state, play.otherState]).toEqual(["synced none", "synced none"]);
        const isSame = (texts: string[], wanted: string[]) =>
          texts.map((text) => text.replace(/\.0+ /, " ")).join() === wanted.join();
        expect(isSame(play.book.bids, SNAPSHOT_BOOK.bids)).toBe(true);
        expect(isSame(play.book.asks, SNAPSHOT_BOOK.asks)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

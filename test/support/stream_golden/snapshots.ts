/**
 * Vectors of snapshots and conflated updates, alone and as a resume. Bad case: a snapshot in parts of other sizes than a
 * server makes; a client must take parts of any size.
 */
import { ladder } from "./deltas.ts";
import { STATUS } from "./model.ts";
import type { GoldenStream, StreamOptions } from "./stream.ts";
import { openBook, type Scenes } from "./vector.ts";

const I64_MAX = 2n ** 63n - 1n;
const I64_MIN = -(2n ** 63n);
const U64_MAX = 2n ** 64n - 1n;
const AT = 1_795_371_612_123_456_000n;
const STAMPS = { eventAt: AT, receivedAt: AT + 6_544_000n, sequence: 41n };

const OPTIONS: Readonly<Record<string, Partial<StreamOptions>>> = {
  "whole numbers": { priceExponent: 0, quantityExponent: 0 },
  "most digits": { priceExponent: 18, quantityExponent: 18 },
  "unit 1 ns": { timeUnit: 1 },
  "unit 1 ms": { timeUnit: 1_000_000 },
  "epoch 0": { epoch: 0 },
  "epoch of 32 bits": { epoch: 0xffffffff },
  "alias of 32 bits": { alias: 0xffffffff },
  "version 127": { version: 126n },
  "version 128": { version: 127n },
  "version of 32 bits": { version: 2n ** 32n - 2n },
  "version beyond a double": { version: 2n ** 53n },
  "version of 64 bits": { version: U64_MAX - 1n },
};

/** What happens between the version that a client holds and now. */
const HAPPENED: Readonly<Record<string, (stream: GoldenStream) => void>> = {
  nothing: () => undefined,
  "an event without changes": (stream) => stream.event([]),
  "one change": (stream) => stream.event([["bid", 9999n, 1n]]),
  "one removal": (stream) => stream.event([["ask", 10_001n, 0n]]),
  "a level that came and went": (stream) => stream.event([["ask", 10_002n, 5n]]).event([["ask", 10_002n, 0n]]),
  "a level that changed and is as it was": (stream) =>
    stream.event([["ask", 10_001n, 5n]]).event([["ask", 10_001n, 700n]]),
  "a level that went and is as it was": (stream) => stream.event([["bid", 9999n, 0n]]).event([["bid", 9999n, 1500n]]),
  "three changes of one level": (stream) =>
    stream
      .event([["bid", 9999n, 1n]])
      .event([["bid", 9999n, 2n]])
      .event([["bid", 9999n, 3n]]),
  "both sides": (stream) =>
    stream.event([
      ["ask", 10_002n, 1n],
      ["bid", 9997n, 1n],
      ["bid", 9999n, 0n],
    ]),
  "every level removed": (stream) =>
    stream.event([
      ["bid", 9999n, 0n],
      ["bid", 9998n, 0n],
      ["ask", 10_001n, 0n],
      ["ask", 10_003n, 0n],
    ]),
  "an event of many records": (stream) => stream.event(ladder("bid", 9990n, 40)),
  "many events": (stream) => {
    for (const [index, change] of ladder("ask", 10_004n, 60).entries()) {
      stream.event([change], { sequence: 100n + BigInt(index) });
    }
  },
  "the book became crossed": (stream) => stream.event([["bid", 10_002n, 5n]]),
  "the book lost its sync": (stream) => stream.event([], { status: STATUS.notSynced }),
  "the ends of the range of prices": (stream) =>
    stream.event(
      [
        ["bid", I64_MIN, 1n],
        ["ask", I64_MAX, I64_MAX],
        ["ask", 0n, 2n],
      ],
      { status: STATUS.notSynced },
    ),
  "the largest stamps": (stream) =>
    stream.event([["bid", 1n, 1n]], { eventAt: I64_MAX, receivedAt: I64_MAX, sequence: U64_MAX }),
  "a negative price": (stream) =>
    stream.event([
      ["bid", -3n, 1n],
      ["bid", -40n, 1n],
    ]),
};

/** Adds the vectors of snapshots. */
export function addSnapshots(scenes: Scenes): void {
  for (const [what, options] of Object.entries(OPTIONS)) {
    scenes.begins(`snapshot/${what}`, { options, setup: openBook });
  }
  const books: Readonly<Record<string, (stream: GoldenStream) => void>> = {
    "two levels a side": openBook,
    empty: (stream) => stream.event([], STAMPS),
    "bids alone": (stream) => stream.event(ladder("bid", 50n, 3), STAMPS),
    "asks alone": (stream) => stream.event(ladder("ask", 50n, 3), STAMPS),
    "negative prices": (stream) => stream.event([...ladder("bid", -50n, 3), ...ladder("ask", -49n, 2)], STAMPS),
    "across zero": (stream) => stream.event([...ladder("bid", 1n, 3), ...ladder("ask", 2n, 2)], STAMPS),
    "the whole range of prices": (stream) =>
      stream.event(
        [
          ["bid", I64_MIN, 1n],
          ["bid", -1n, 2n],
          ["ask", 0n, 3n],
          ["ask", I64_MAX, 4n],
        ],
        STAMPS,
      ),
    "bids from the highest to the lowest": (stream) =>
      stream.event(
        [
          ["bid", I64_MAX, 1n],
          ["bid", I64_MIN, 2n],
        ],
        STAMPS,
      ),
    "largest quantities": (stream) =>
      stream.event(
        [
          ["bid", 1n, I64_MAX],
          ["ask", 2n, 9_223_372_036_854_000_000n],
        ],
        STAMPS,
      ),
    crossed: (stream) =>
      stream.event(
        [
          ["bid", 5n, 1n],
          ["ask", 4n, 1n],
        ],
        STAMPS,
      ),
    "not synced": (stream) => stream.event([["bid", 5n, 1n]], { ...STAMPS, status: STATUS.notSynced }),
    "times unknown": (stream) => stream.event([["bid", 5n, 1n]], { eventAt: 0n, receivedAt: 0n, sequence: 0n }),
    "largest stamps": (stream) =>
      stream.event([["bid", 5n, 1n]], { eventAt: I64_MAX, receivedAt: I64_MAX, sequence: U64_MAX }),
  };
  for (const [what, setup] of Object.entries(books)) {
    scenes.begins(`snapshot/${what}`, { setup });
  }
  for (const limit of [120, 160, 200, 400]) {
    scenes.begins(`snapshot/in parts of at most ${limit} bytes`, {
      setup: (stream) => stream.event([...ladder("bid", 500n, 40), ...ladder("ask", 501n, 25)], STAMPS),
      limit,
    });
  }
  scenes.leads("snapshot/replaces what is held", {
    act: (stream) => stream.event([["bid", 9999n, 0n], ...ladder("ask", 10_050n, 9)]).snapshot(130),
  });
  scenes.leads("snapshot/deltas lead on from it", {
    act: (stream) => {
      const parts = stream.event([["bid", 9999n, 0n]]).snapshot();
      return [...parts, stream.event([["bid", 9990n, 4n]], { sequence: 44n }).frame(true)];
    },
  });
}

/** Adds the vectors of conflated updates. */
export function addConflated(scenes: Scenes): void {
  for (const [what, act] of Object.entries(HAPPENED)) {
    scenes.leads(`conflated/${what}`, { act: (stream) => catchUp(stream, act) });
  }
  for (const [what, options] of Object.entries(OPTIONS)) {
    scenes.leads(`conflated/${what}`, {
      options: { ...options, ...(options.version === undefined ? {} : { version: options.version - 1n }) },
      act: (stream) => catchUp(stream, HAPPENED["both sides"] ?? openBook),
    });
  }
  scenes.leads("conflated/deltas lead on from it", {
    act: (stream) => [
      ...catchUp(stream, HAPPENED["many events"] ?? openBook),
      stream.event([["bid", 9990n, 4n]], { sequence: 44n }).frame(true),
      stream.event([["ask", 10_001n, 0n]]).frame(true),
    ],
  });
  scenes.leads("conflated/two in a row", {
    act: (stream) => [
      ...catchUp(stream, HAPPENED["one change"] ?? openBook),
      ...catchUp(stream, HAPPENED["one removal"] ?? openBook),
    ],
  });
  scenes.leads("conflated/after a snapshot in parts", {
    act: (stream) => [
      ...stream.event(ladder("bid", 9990n, 30)).snapshot(150),
      ...catchUp(stream, HAPPENED["both sides"] ?? openBook),
    ],
  });
}

function catchUp(stream: GoldenStream, act: (stream: GoldenStream) => void): string[] {
  const from = stream.model.version;
  act(stream);
  return [stream.conflated(from)];
}

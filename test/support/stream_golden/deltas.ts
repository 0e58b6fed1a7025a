/**
 * Vectors of deltas frames: every optional field, every border of a coding, every order of events and checks.
 * Bad case: none of these is large; large frames are random (random.ts).
 */
import { type Change, type Side, STATUS } from "./model.ts";
import type { EventOptions, GoldenStream, StreamOptions } from "./stream.ts";
import type { Scenes } from "./vector.ts";

const I64_MAX = 2n ** 63n - 1n;
const I64_MIN = -(2n ** 63n);
const U64_MAX = 2n ** 64n - 1n;
const AT = 1_795_371_612_123_456_000n;
/** A difference of times is below 2^62 either way, so that its code is below 2^64. */
const FAR = 2n ** 62n - 1n;
const BID: Change = ["bid", 9999n, 1501n];

const CHANGES: Readonly<Record<string, readonly Change[]>> = {
  "no change": [],
  "bid changed": [["bid", 9999n, 1n]],
  "bid added at the top": [["bid", 10_000n, 5n]],
  "bid added in the middle of nothing": [["bid", 9000n, 5n]],
  "bid removed": [["bid", 9998n, 0n]],
  "best bid removed": [["bid", 9999n, 0n]],
  "ask changed": [["ask", 10_001n, 701n]],
  "ask added below the best": [["ask", 10_000n, 8n]],
  "ask removed": [["ask", 10_003n, 0n]],
  "both sides": [
    ["bid", 9999n, 3n],
    ["ask", 10_001n, 4n],
  ],
  "sides in turn": [
    ["ask", 10_001n, 0n],
    ["bid", 9999n, 0n],
    ["ask", 10_002n, 9n],
    ["bid", 9997n, 9n],
  ],
  "removed and put back": [
    ["bid", 9999n, 0n],
    ["bid", 9999n, 1500n],
  ],
  "one level twice": [
    ["ask", 10_001n, 1n],
    ["ask", 10_001n, 2n],
  ],
  "every bid removed": [
    ["bid", 9999n, 0n],
    ["bid", 9998n, 0n],
  ],
  "every level removed": [
    ["bid", 9998n, 0n],
    ["ask", 10_003n, 0n],
    ["bid", 9999n, 0n],
    ["ask", 10_001n, 0n],
  ],
  locked: [["bid", 10_001n, 6n]],
  "price 0": [["bid", 0n, 7n]],
  "negative price": [["bid", -5n, 7n]],
  "negative ask": [["ask", -1n, 7n]],
};
const STATUSES: Readonly<Record<string, EventOptions>> = {
  "snapshot flag": { status: STATUS.snapshot },
  "not synced": { status: STATUS.notSynced },
  "snapshot and not synced": { status: STATUS.snapshot | STATUS.notSynced },
};
const SEQUENCES: Readonly<Record<string, bigint>> = {
  "sequence one more": 42n,
  "sequence one less": 40n,
  "sequence back to 0": 0n,
  "sequence beyond a double": 2n ** 53n + 1n,
  "sequence of 63 bits": 2n ** 63n,
  "sequence of 64 bits": U64_MAX,
};
const TIMES: Readonly<Record<string, EventOptions>> = {
  "times unchanged": { eventAt: AT, receivedAt: AT + 6_544_000n },
  "event 1 µs later": { eventAt: AT + 1000n, receivedAt: AT + 6_545_000n },
  "event 1 ns later": { eventAt: AT + 1n, receivedAt: AT + 6_544_001n },
  "event earlier": { eventAt: AT - 5_000_000n, receivedAt: AT + 6_544_000n },
  "received 1 ns later": { eventAt: AT, receivedAt: AT + 6_544_001n },
  "received before the event": { eventAt: AT, receivedAt: AT - 1000n },
  "times unknown": { eventAt: 0n, receivedAt: 0n },
  "event of 1 ns": { eventAt: 1n, receivedAt: AT },
  "event as far ahead as a difference reaches": { eventAt: AT + FAR, receivedAt: AT + FAR },
  "event as far back as a difference reaches": { eventAt: AT + 6_544_000n - FAR, receivedAt: AT },
  "received as late as a difference reaches": { eventAt: AT, receivedAt: AT + 6_544_000n + FAR },
};
const STEPS: readonly bigint[] = [
  1n,
  -1n,
  15n,
  -16n,
  16n,
  -17n,
  2047n,
  2048n,
  -2048n,
  -2049n,
  2n ** 31n,
  2n ** 53n + 1n,
];
const QUANTITIES: readonly bigint[] = [
  ...[1n, 31n, 32n, 99n, 100n, 101n, 3100n, 3200n, 4096n, 10_000n, 990_000n, 1_000_000n, 100_000_000n],
  ...[31_000_000n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 9_007_199_254_740_992_000_000n / 10_000n, I64_MAX],
  I64_MAX - (I64_MAX % 1_000_000n),
];
const ALIASES: readonly number[] = [0, 1, 127, 128, 16_383, 16_384, 2_097_152, 0xffffffff];
const VERSIONS: readonly bigint[] = [0n, 126n, 127n, 2n ** 32n - 2n, 2n ** 32n - 1n, 2n ** 53n, U64_MAX - 2n];

/** Adds the vectors. */
export function addDeltas(scenes: Scenes): void {
  for (const [what, changes] of Object.entries(CHANGES)) {
    single(scenes, what, { changes });
  }
  for (const [what, event] of Object.entries({ ...STATUSES, ...TIMES })) {
    single(scenes, what, { changes: [BID], event });
  }
  for (const [what, sequence] of Object.entries(SEQUENCES)) {
    single(scenes, what, { changes: [BID], event: { sequence } });
  }
  for (const step of STEPS) {
    single(scenes, `bid ${step} ticks from the best`, { changes: [["bid", 9999n + step, 5n]], event: notSynced(step) });
  }
  for (const lots of QUANTITIES) {
    single(scenes, `quantity ${lots}`, { changes: [["ask", 10_002n, lots]] });
  }
  for (const alias of ALIASES) {
    single(scenes, `alias ${alias}`, { changes: [BID], options: { alias } });
  }
  for (const version of VERSIONS) {
    single(scenes, `version ${version}`, { changes: [BID], options: { version } });
  }
  addExtremes(scenes);
  addFrames(scenes);
}

/** One event; `before` is the only one so far, instead of the usual book's. */
type Single = {
  readonly changes: readonly Change[];
  readonly event?: EventOptions;
  readonly options?: Partial<StreamOptions>;
  readonly before?: readonly Change[];
};

/** One event in one frame with the check. */
function single(scenes: Scenes, what: string, { changes, event = {}, options = {}, before }: Single): void {
  scenes.leads(`deltas/${what}`, {
    options,
    ...(before && { setup: (stream: GoldenStream) => stream.event(before, { eventAt: AT, receivedAt: AT }) }),
    act: (stream) => [stream.event(changes, event).frame(true)],
  });
}

/** Events in frames of their own, each with the check. */
function inTurn(scenes: Scenes, what: string, events: readonly (readonly Change[])[]): void {
  scenes.leads(`deltas/${what}`, { act: (stream) => events.map((changes) => stream.event(changes).frame(true)) });
}

/** A bid above the best ask is crossed; said so, or not judged because the book is not synced. */
function notSynced(step: bigint): EventOptions {
  return step > 2000n ? { status: STATUS.notSynced } : {};
}

function addExtremes(scenes: Scenes): void {
  inTurn(scenes, "crossed, then no longer", [[["bid", 10_002n, 5n]], [["bid", 10_002n, 0n]]]);
  for (const [what, price] of [
    ["lowest", I64_MIN],
    ["highest", I64_MAX],
  ] as const) {
    for (const side of ["bid", "ask"] as const) {
      inTurn(scenes, `${what} price as ${side}`, [[[side, price, 1n]], [[side, price, 0n]]]);
    }
  }
  single(scenes, "from the lowest to the highest price", {
    before: [["bid", I64_MIN, 1n]],
    changes: [
      ["bid", I64_MAX, 2n],
      ["bid", I64_MIN, 0n],
      ["ask", I64_MAX, 3n],
    ],
  });
  for (const timeUnit of [1, 1_000_000]) {
    scenes.leads(`deltas/time unit ${timeUnit} ns`, {
      options: { timeUnit },
      act: (stream) => [
        stream.event([BID], { eventAt: AT + 3_000_000n }).frame(),
        stream.event([["bid", 9999n, 2n]], { eventAt: AT + 3_000_001n }).frame(true),
      ],
    });
  }
}

function addFrames(scenes: Scenes): void {
  single(scenes, "into an empty book", {
    before: [],
    changes: [
      ["bid", 31n, 1n],
      ["bid", 30n, 2n],
      ["ask", 33n, 3n],
    ],
  });
  scenes.leads("deltas/three events in one frame", {
    act: (stream) => [
      stream
        .event([BID])
        .event([["ask", 10_001n, 0n]])
        .event([["ask", 10_002n, 1n]], { sequence: 50n })
        .frame(true),
    ],
  });
  scenes.leads("deltas/three frames, the last with the check", {
    act: (stream) => steps(stream, [false, false, true]),
  });
  scenes.leads("deltas/a check in every frame", { act: (stream) => steps(stream, [true, true, true]) });
  scenes.leads("deltas/without a check", { act: (stream) => steps(stream, [false]) });
  scenes.leads("deltas/a check alone", { act: (stream) => [stream.frame(true)] });
  scenes.leads("deltas/a check after its events", { act: (stream) => [...steps(stream, [false]), stream.frame(true)] });
  for (const count of [16, 17, 33, 100]) {
    single(scenes, `${count} changes in one event`, { changes: ladder("bid", 9990n, count) });
  }
  single(scenes, "an event of two distant records", {
    changes: [
      ["bid", 5n, 5n],
      ["bid", -(2n ** 40n), 6n],
      ["bid", 9999n, 0n],
    ],
  });
}

function steps(stream: GoldenStream, checks: readonly boolean[]): string[] {
  return checks.map((check, index) => stream.event([["ask", 10_010n + BigInt(index), 5n]]).frame(check));
}

/** Levels below a price, one tick apart. */
export function ladder(side: Side, from: bigint, count: number): Change[] {
  const sign = side === "bid" ? -1n : 1n;
  return Array.from({ length: count }, (_, index) => [side, from + sign * BigInt(index), 100n * BigInt(index) + 1n]);
}

/**
 * Vectors of frames that a client must not use, written byte by byte: cut short, overlong, out of order, contradicting
 * the book, damaged. The client holds the open book at version 1 before, unless it holds nothing.
 * Bad case: a vector that is refused for another reason than it was made for; the outcome tells most of them apart.
 */
import { ModelBook } from "./model.ts";
import type { GoldenStream } from "./stream.ts";
import type { Outcome, Scenes } from "./vector.ts";
import { bytesOf, hex, long, quantity, seal, signed, step, time, varint, word } from "./writer.ts";

const ALIAS = 3;
const DELTAS = 1;
const CHECK = 16;
const SNAPSHOT = 2;
const FIRST = 32;
const FINAL = 64;
const TRADES = 3;
const BBO = 4;
const CONFLATED = 5;
const AT = 1_795_371_612_123_456_000n;
const REMOVED = 2;
const ASK = 1;

const SAME_TIMES = [...time(0, 1000), ...time(0, 1000)];

type Frame = (stream: GoldenStream) => readonly number[];
type Row = readonly [what: string, outcome: Outcome, frame: Frame];

/** An event: head, stamps and changes. */
function event(
  changes: readonly (readonly number[])[],
  options: { head?: number; optional?: number[] } = {},
): number[] {
  const head = (changes.length << 3) | (options.head ?? 0);
  return [...varint(head), ...(options.optional ?? []), ...SAME_TIMES, ...changes.flat()];
}

function deltas(...events: readonly number[][]): number[] {
  return [DELTAS, ALIAS, ...events.flat()];
}

const BID = [...step(0, 0), ...quantity(5)];

const DELTA_ROWS: readonly Row[] = [
  ["nothing behind the alias", "inconsistent", () => [DELTAS, ALIAS]],
  ["kind alone", "inconsistent", () => [DELTAS]],
  ["an alias that does not end", "inconsistent", () => [DELTAS, 0x83]],
  ["an alias that is not minimal", "inconsistent", () => [DELTAS, 0x83, 0x00, ...event([BID])]],
  ["an unknown flag", "inconsistent", () => [DELTAS | FIRST, ALIAS, ...event([BID])]],
  ["kind 0", "inconsistent", () => [0, ALIAS, ...event([BID])]],
  ["kind 6", "inconsistent", () => [6, ALIAS, ...event([BID])]],
  ["a check cut short", "inconsistent", () => [DELTAS | CHECK, ALIAS, 1, 2, 3, 4, 5, 6, 7]],
  ["cut in the head", "inconsistent", () => deltas([0x88])],
  ["cut in the times", "inconsistent", () => deltas([8, 0])],
  ["cut before the quantity", "inconsistent", () => deltas([8, ...SAME_TIMES, ...step(0, 0)])],
  ["fewer changes than announced", "inconsistent", () => deltas([16, ...SAME_TIMES, ...BID])],
  ["more changes than bytes", "inconsistent", () => deltas([...varint(2n ** 60n), ...SAME_TIMES, ...BID])],
  ["a byte too many", "inconsistent", () => deltas(event([BID]), [0])],
  ["a head that is not minimal", "inconsistent", () => deltas([0x88, 0x00, ...SAME_TIMES, ...BID])],
  ["a varint of 11 bytes", "inconsistent", () => deltas([...Array.from({ length: 10 }, () => 0x80), 1])],
  ["a varint of 65 bits", "inconsistent", () => deltas([...Array.from({ length: 9 }, () => 0x80), 2])],
  ["status 0 that is present", "inconsistent", () => deltas(event([BID], { head: 1, optional: [0] }))],
  ["an unknown status", "inconsistent", () => deltas(event([BID], { head: 1, optional: [4] }))],
  ["the status Last", "inconsistent", () => deltas(event([BID], { head: 1, optional: [1] }))],
  ["crossed that is not", "inconsistent", () => deltas(event([BID], { head: 1, optional: [16] }))],
  ["not crossed that is", "inconsistent", () => deltas(event([[...step(50, 0), ...quantity(5)]]))],
  ["no further records that are present", "inconsistent", () => deltas(event([BID], { head: 2, optional: [0] }))],
  ["2^32 further records", "inconsistent", () => deltas(event([BID], { head: 2, optional: varint(2n ** 32n) }))],
  ["the same sequence that is present", "inconsistent", () => deltas(event([BID], { head: 4, optional: [0] }))],
  ["a quantity that is held already", "inconsistent", () => deltas(event([[...step(0, 0), ...quantity(1500)]]))],
  ["a removal of what is not held", "inconsistent", () => deltas(event([step(-5, REMOVED)]))],
  ["a quantity of 0", "inconsistent", () => deltas(event([[...step(0, 0), 0]]))],
  ["a quantity that is not minimal", "inconsistent", () => deltas(event([[...step(0, 0), 0x80 | 4, 3]]))],
  ["a quantity with an empty rest", "inconsistent", () => deltas(event([[...step(0, 0), 0x80 | 4, 0]]))],
  ["a quantity beyond 63 bits", "inconsistent", () => deltas(event([[...step(0, 0), ...quantity(2n ** 63n)]]))],
  [
    "a quantity that overflows by its factor",
    "inconsistent",
    () => deltas(event([[...step(0, 0), 0x80 | 0x60 | 1, ...varint(2n ** 58n)]])),
  ],
  ["a price step of 65 bits", "inconsistent", () => deltas(event([[0x80, ...varint(2n ** 59n), ...quantity(5)]]))],
  ["a good event before a bad one", "inconsistent", () => deltas(event([BID]), event([step(-5, REMOVED)]))],
  ["a wrong hash", "hash", (stream) => check(stream, { hash: 1 })],
  ["a wrong chain", "hash", (stream) => check(stream, { chain: 1 })],
  [
    "an event that was lost",
    "hash",
    (stream) =>
      bytesOf(
        lose(stream)
          .event([["bid", 9990n, 1n]])
          .frame(true),
      ),
  ],
];

/** An event whose frame nobody gets. */
function lose(stream: GoldenStream): GoldenStream {
  stream.event([["ask", 10_050n, 1n]]).frame();
  return stream;
}

/** A check alone, off by something. */
function check({ model }: GoldenStream, off: { hash?: number; chain?: number }): number[] {
  return [DELTAS | CHECK, ALIAS, ...word(model.hash() + (off.hash ?? 0)), ...word(model.chain + (off.chain ?? 0))];
}

type Head = { hash: number; status: number; exponent: number; unit: number; bids: bigint; asks: bigint };
const BIDS_AND_ASKS = [...signed(10), ...quantity(1), ...varint(1), ...quantity(2), ...signed(12), ...quantity(3)];

/** A snapshot in one part: bids 10 and 9, ask 12. */
function snapshot(given: Partial<Head> & { kind?: number; levels?: number[] } = {}): number[] {
  const book = new ModelBook();
  book.set(["bid", 10n, 1n]);
  book.set(["bid", 9n, 2n]);
  book.set(["ask", 12n, 3n]);
  const { hash = book.hash(), status = 0, exponent = 2, unit = 1, bids = 2n, asks = 1n } = given;
  const head = [...varint(5), ...word(7), ...word(hash), ...word(99), status, exponent, 3, unit];
  const stamps = [...long(AT), ...long(AT), ...varint(41), ...varint(bids), ...varint(asks)];
  return [given.kind ?? SNAPSHOT | FIRST | FINAL, ALIAS, ...head, ...stamps, ...(given.levels ?? BIDS_AND_ASKS)];
}

const SNAPSHOT_ROWS: readonly Row[] = [
  ["a part without its first", "inconsistent", () => seal([SNAPSHOT | FINAL, ALIAS])],
  ["an unknown flag", "inconsistent", () => seal(snapshot({ kind: SNAPSHOT | FIRST | FINAL | 128 }))],
  ["a wrong checksum", "hash", () => [...snapshot(), ...word(0x12345678)]],
  ["cut short with its checksum", "hash", () => seal(snapshot()).slice(0, -5)],
  ["a wrong hash", "hash", () => seal(snapshot({ hash: 1 }))],
  ["an unknown status", "inconsistent", () => seal(snapshot({ status: 4 }))],
  ["crossed that is not", "inconsistent", () => seal(snapshot({ status: 16 }))],
  ["19 digits", "inconsistent", () => seal(snapshot({ exponent: 19 }))],
  ["an unknown time unit", "inconsistent", () => seal(snapshot({ unit: 3 }))],
  ["2^31 bids", "inconsistent", () => seal(snapshot({ bids: 2n ** 31n }))],
  ["a level fewer than announced", "inconsistent", () => seal(snapshot({ asks: 2n }))],
  ["a level more than announced", "inconsistent", () => seal(snapshot({ asks: 0n }))],
  [
    "two levels of one price",
    "inconsistent",
    () => seal(snapshot({ levels: [...signed(10), ...quantity(1), 0, ...quantity(2), ...signed(12), ...quantity(3)] })),
  ],
  ["a level cut short", "inconsistent", () => seal(snapshot({ levels: BIDS_AND_ASKS.slice(0, -1) }))],
  ["a quantity of 0", "inconsistent", () => seal(snapshot({ levels: [...signed(10), 0] }))],
  ["a head cut short", "inconsistent", () => seal(snapshot().slice(0, 20))],
];

type Update = {
  from: bigint;
  steps: bigint;
  hash: number;
  status: number;
  count: number;
  changes: readonly number[][];
  tail: number[];
};

/** A conflated update of the open book that adds a bid at 9990. */
function conflated(stream: GoldenStream, given: Partial<Update> = {}): number[] {
  const { model } = stream;
  const changes = given.changes ?? [[...step(9990, 0), ...quantity(5)]];
  const book = new ModelBook();
  for (const side of ["bid", "ask"] as const) {
    for (const [price, lots] of model.levels[side]) {
      book.set([side, price, lots]);
    }
  }
  book.set(["bid", 9990n, 5n]);
  const { from = model.version, steps = 2n, hash = book.hash(), status = 0, count = changes.length } = given;
  const head = [...varint(from), ...varint(steps), ...word(hash), ...word(77), status, ...long(AT), ...long(AT)];
  return [CONFLATED, ALIAS, ...head, ...varint(41), ...varint(count), ...changes.flat(), ...(given.tail ?? [])];
}

const UP = (price: number, tag = 0) => [...step(price, tag), ...quantity(5)];
const CONFLATED_ROWS: readonly Row[] = [
  ["from a later version", "chain", (stream) => seal(conflated(stream, { from: 2n }))],
  ["from an earlier version", "chain", (stream) => seal(conflated(stream, { from: 0n }))],
  ["a wrong checksum", "hash", (stream) => [...conflated(stream), ...word(1)]],
  ["a flag", "inconsistent", (stream) => seal([CONFLATED | CHECK, ...conflated(stream).slice(1)])],
  ["a wrong hash", "hash", (stream) => seal(conflated(stream, { hash: 3 }))],
  ["an unknown status", "inconsistent", (stream) => seal(conflated(stream, { status: 1 }))],
  ["crossed that is not", "inconsistent", (stream) => seal(conflated(stream, { status: 16 }))],
  ["changes without a new version", "inconsistent", (stream) => seal(conflated(stream, { steps: 0n }))],
  ["versions beyond 64 bits", "inconsistent", (stream) => seal(conflated(stream, { steps: 2n ** 64n - 1n }))],
  ["fewer changes than announced", "inconsistent", (stream) => seal(conflated(stream, { count: 2 }))],
  [
    "more changes than announced",
    "inconsistent",
    (stream) => seal(conflated(stream, { changes: [UP(9990), UP(1)], count: 1 })),
  ],
  ["more changes than bytes", "inconsistent", (stream) => seal(conflated(stream, { count: 100_000 }))],
  ["bytes behind the changes", "inconsistent", (stream) => seal(conflated(stream, { tail: [0] }))],
  ["prices that fall", "inconsistent", (stream) => seal(conflated(stream, { changes: [UP(9990), UP(-1)] }))],
  ["one price twice", "inconsistent", (stream) => seal(conflated(stream, { changes: [UP(9990), UP(0)] }))],
  ["asks before bids", "inconsistent", (stream) => seal(conflated(stream, { changes: [UP(10_050, ASK), UP(9990)] }))],
  [
    "a removal of what is not held",
    "inconsistent",
    (stream) => seal(conflated(stream, { changes: [step(9990, REMOVED)] })),
  ],
  ["cut in its head", "inconsistent", (stream) => seal(conflated(stream).slice(0, 20))],
  ["cut in its changes", "inconsistent", (stream) => seal(conflated(stream).slice(0, -1))],
];

const BBO_BODY = [
  3,
  ...varint(9),
  ...long(AT),
  ...long(AT),
  ...signed(10),
  ...quantity(1),
  ...signed(2),
  ...quantity(3),
];
const TRADE_BODY = [...varint(7), 1, ...signed(10), ...quantity(5), ...time(AT, 1000), ...time(0, 1000), 1, 120, 0, 0];
const NUMBERED = (id: bigint) => [...varint(7), 17, ...signed(10), ...quantity(5), 0, 0, ...signed(id), 0, 0];

const PART_ROWS: readonly Row[] = [
  ["best prices, a wrong checksum", "malformed", () => [BBO, ALIAS, ...BBO_BODY, ...word(7)]],
  ["best prices, a byte too many", "malformed", () => seal([BBO, ALIAS, ...BBO_BODY, 0])],
  ["best prices, cut short", "malformed", () => seal([BBO, ALIAS, ...BBO_BODY.slice(0, -1)])],
  ["best prices, an unknown flag", "malformed", () => seal([BBO, ALIAS, 7, ...BBO_BODY.slice(1)])],
  ["best prices, a flagged kind", "malformed", () => seal([BBO | CHECK, ALIAS, ...BBO_BODY])],
  ["trades, a wrong checksum", "malformed", () => [TRADES, ALIAS, ...TRADE_BODY, ...word(7)]],
  ["trades, none", "malformed", () => seal([TRADES, ALIAS, ...varint(7)])],
  ["trades, a byte too many", "malformed", () => seal([TRADES, ALIAS, ...TRADE_BODY, 0])],
  ["trades, cut short", "malformed", () => seal([TRADES, ALIAS, ...TRADE_BODY.slice(0, -1)])],
  ["trades, aggressor 3", "malformed", () => seal([TRADES, ALIAS, 7, 3, ...TRADE_BODY.slice(2)])],
  ["trades, an unknown flag", "malformed", () => seal([TRADES, ALIAS, 7, 33, ...TRADE_BODY.slice(2)])],
  ["trades, a numeric id of 19 digits", "malformed", () => seal([TRADES, ALIAS, ...NUMBERED(10n ** 18n)])],
  ["trades, a negative id", "malformed", () => seal([TRADES, ALIAS, ...NUMBERED(-1n)])],
  [
    "trades, an id longer than its frame",
    "malformed",
    () => seal([TRADES, ALIAS, ...TRADE_BODY.slice(0, -4), 40, 120, 0, 0]),
  ],
];

/** Adds the vectors. */
export function addMalformed(scenes: Scenes): void {
  const groups = { deltas: DELTA_ROWS, snapshot: SNAPSHOT_ROWS, conflated: CONFLATED_ROWS, parts: PART_ROWS };
  for (const [group, rows] of Object.entries(groups)) {
    for (const [what, outcome, frame] of rows) {
      const messages = (stream: GoldenStream) => [hex(frame(stream))];
      scenes.refuses(`refused ${group}/${what}`, { outcome, messages, isEmpty: outcome === "malformed" });
    }
  }
  scenes.refuses("refused deltas/to whom nothing is held", {
    outcome: "skipped",
    isEmpty: true,
    messages: (stream) => [stream.event([["bid", 1n, 1n]]).frame(true)],
  });
  scenes.refuses("refused conflated/to whom nothing is held", {
    outcome: "skipped",
    isEmpty: true,
    messages: (stream) => [hex(seal(conflated(stream)))],
  });
  scenes.refuses("refused snapshot/a later part to whom nothing is held", {
    outcome: "skipped",
    isEmpty: true,
    messages: () => [hex(seal([SNAPSHOT | FINAL, ALIAS]))],
  });
  scenes.refuses("refused deltas/between the parts of a snapshot", {
    outcome: "inconsistent",
    isEmpty: true,
    messages: (stream) => [hex(seal(snapshot({ kind: SNAPSHOT | FIRST, bids: 3n }))), stream.frame(true)],
  });
}

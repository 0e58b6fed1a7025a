/**
 * Vectors of the JSON form: snapshots, deltas, conflated updates, and texts that a client must refuse.
 * Bad case: a removal of a level that is not held; it changes nothing, and the hash decides.
 */
import { orderBookDeltaMessage, orderBookMessage } from "../../../src/wire/json_form.ts";
import { decimalText } from "../../../src/wire/numbers.ts";
import type { JsonChange, OrderBookDeltaMessage, OrderBookMessage } from "../../../src/wire/protocol.ts";
import { type BookState, type Change, type LevelText, STATUS } from "./model.ts";
import type { EventOptions, GoldenStream, StreamOptions } from "./stream.ts";
import { exponentsOf, type Outcome, openBook, type Scenes } from "./vector.ts";

const I64_MAX = 2n ** 63n - 1n;
const I64_MIN = -(2n ** 63n);
const U64_MAX = 2n ** 64n - 1n;
const VIEW = { instrument: "golden:BTC-USD", depth: 0, rateMs: 0 };

type Lead = {
  options?: Partial<StreamOptions>;
  setup?: readonly Change[];
  changes: readonly Change[];
  event?: EventOptions;
};
const LEADS: Readonly<Record<string, Lead>> = {
  "no change": { changes: [] },
  "bid changed": { changes: [["bid", 9999n, 1n]] },
  "bid removed": { changes: [["bid", 9998n, 0n]] },
  "ask added": { changes: [["ask", 10_002n, 5n]] },
  "sides in turn": {
    changes: [
      ["ask", 10_001n, 0n],
      ["bid", 9999n, 0n],
      ["ask", 10_002n, 9n],
      ["bid", 9997n, 9n],
    ],
  },
  "one level twice": {
    changes: [
      ["ask", 10_001n, 1n],
      ["ask", 10_001n, 2n],
    ],
  },
  "not synced": { changes: [["bid", 9999n, 1n]], event: { status: STATUS.notSynced } },
  crossed: { changes: [["bid", 10_002n, 1n]] },
  "negative price": { changes: [["bid", -5n, 7n]] },
  "beyond a double": {
    changes: [
      ["bid", I64_MIN, I64_MAX],
      ["ask", I64_MAX, 2n ** 53n + 1n],
    ],
    event: { eventAt: I64_MAX, receivedAt: I64_MAX, sequence: U64_MAX },
  },
  "version of 64 bits": { options: { version: U64_MAX - 2n }, changes: [["bid", 9999n, 1n]] },
  "whole numbers": { options: { priceExponent: 0, quantityExponent: 0 }, changes: [["bid", 9999n, 1n]] },
  "most digits": { options: { priceExponent: 18, quantityExponent: 18 }, changes: [["bid", 9999n, 1n]] },
  "an event of three records": { changes: Array.from({ length: 40 }, (_, index) => ["bid", BigInt(index), 1n]) },
};

/** Adds the vectors of books. */
export function addJson(scenes: Scenes): void {
  for (const [what, lead] of Object.entries(LEADS)) {
    addLead(scenes, what, lead);
  }
  addUpdates(scenes);
  addRefusals(scenes);
}

/** A snapshot, and the delta that leads on: two vectors. */
function addLead(scenes: Scenes, what: string, { options = {}, changes, event }: Lead): void {
  const { memory } = scenes.golden;
  scenes.with(options, (stream) => {
    openBook(stream);
    const [opened, state] = [snapshotText(memory, stream), jsonState(stream)];
    const before = { messages: [opened], state };
    const delta = JSON.stringify(deltaOf(memory, stream, () => stream.event(changes, event ?? {}), changes));
    const exponents = exponentsOf(stream);
    const after = jsonState(stream);
    scenes.add({ name: `json/delta, ${what}`, ...exponents, form: "json", before, messages: [delta], after });
    const messages = [snapshotText(memory, stream)];
    scenes.add({ name: `json/snapshot, ${what}`, ...exponents, form: "json", before: null, messages, after });
  });
}

function addUpdates(scenes: Scenes): void {
  const { memory } = scenes.golden;
  scenes.with({}, (stream) => {
    openBook(stream);
    const before = { messages: [snapshotText(memory, stream)], state: jsonState(stream) };
    const act = () =>
      stream
        .event([["bid", 9999n, 1n]])
        .event([["ask", 10_001n, 0n]])
        .event([["bid", 9999n, 1500n]]);
    const merged: Change[] = [
      ["bid", 9999n, 1500n],
      ["ask", 10_001n, 0n],
    ];
    const messages = [JSON.stringify(deltaOf(memory, stream, act, merged))];
    const name = "json/delta, three events conflated, one level as it was";
    scenes.add({ name, ...exponentsOf(stream), form: "json", before, messages, after: jsonState(stream) });
  });
  scenes.with({}, (stream) => {
    openBook(stream);
    const before = { messages: [snapshotText(memory, stream)], state: jsonState(stream) };
    const messages = [JSON.stringify(deltaOf(memory, stream, () => undefined, []))];
    const name = "json/delta, a resume that missed nothing";
    scenes.add({ name, ...exponentsOf(stream), form: "json", before, messages, after: jsonState(stream) });
  });
}

type Texts = { delta: OrderBookDeltaMessage; book: OrderBookMessage };
const REFUSALS: Readonly<Record<string, readonly [Outcome, (texts: Texts) => string]>> = {
  "a delta of another version": ["chain", ({ delta }) => JSON.stringify({ ...delta, previousVersion: "0" })],
  "a delta of a wrong hash": ["hash", ({ delta }) => JSON.stringify({ ...delta, hash: 5 })],
  "a delta of a wrong quantity": [
    "hash",
    ({ delta }) => JSON.stringify({ ...delta, changes: [["bid", "99.99", "0.002"]] }),
  ],
  "a delta without its change": ["hash", ({ delta }) => JSON.stringify({ ...delta, changes: [] })],
  "a delta with a digit too many": ["malformed", ({ delta }) => changed(delta, ["bid", "99.991", "0.001"])],
  "a delta with an exponent": ["malformed", ({ delta }) => changed(delta, ["bid", "1e2", "0.001"])],
  "a delta of a negative quantity": ["malformed", ({ delta }) => changed(delta, ["bid", "99.99", "-1"])],
  "a delta of no side": ["malformed", ({ delta }) => JSON.stringify(delta).replace('"bid"', '"buy"')],
  "a delta without a number": ["malformed", ({ delta }) => changed(delta, ["bid", "", "0.001"])],
  "a delta beyond 63 bits": ["malformed", ({ delta }) => changed(delta, ["bid", "92233720368547758.08", "0.001"])],
  "a snapshot of a wrong hash": ["hash", ({ book }) => JSON.stringify({ ...book, hash: 5 })],
  "a snapshot of other digits": ["exponents", ({ book }) => JSON.stringify({ ...book, priceExponent: 3 })],
  "a snapshot out of order": ["malformed", ({ book }) => JSON.stringify({ ...book, bids: book.bids.toReversed() })],
  "a snapshot of one level twice": [
    "malformed",
    ({ book }) => JSON.stringify({ ...book, bids: [book.bids[0], book.bids[0]] }),
  ],
  "a snapshot with a level of 0": ["malformed", ({ book }) => JSON.stringify({ ...book, bids: [["99.99", "0"]] })],
  "a text cut short": ["malformed", ({ delta }) => JSON.stringify(delta).slice(0, -1)],
  "no text": ["malformed", () => ""],
  "a list": ["malformed", () => "[]"],
  "no type": ["malformed", ({ delta }) => JSON.stringify({ ...delta, type: undefined })],
  "a version that is a number": ["malformed", ({ delta }) => JSON.stringify({ ...delta, version: 2 })],
  "a hash that is a text": ["malformed", ({ delta }) => JSON.stringify({ ...delta, hash: "5" })],
  "changes that are no list": ["malformed", ({ delta }) => JSON.stringify({ ...delta, changes: "bid" })],
  "a change of two parts": ["malformed", ({ delta }) => JSON.stringify({ ...delta, changes: [["bid", "99.99"]] })],
};

function addRefusals(scenes: Scenes): void {
  const { memory } = scenes.golden;
  const changes: Change[] = [["bid", 9999n, 1n]];
  for (const [what, [outcome, text]] of Object.entries(REFUSALS)) {
    scenes.with({}, (stream) => {
      openBook(stream);
      const book = snapshotOf(memory, stream);
      const before = { messages: [JSON.stringify(book)], state: jsonState(stream) };
      const delta = deltaOf(memory, stream, () => stream.event(changes), changes);
      const messages = [text({ delta, book })];
      scenes.add({ name: `refused json/${what}`, ...exponentsOf(stream), form: "json", before, messages, outcome });
    });
  }
}

function changed(delta: OrderBookDeltaMessage, change: JsonChange): string {
  return JSON.stringify({ ...delta, changes: [change] });
}

function snapshotText(memory: DataView, stream: GoldenStream): string {
  return JSON.stringify(snapshotOf(memory, stream));
}

function snapshotOf(memory: DataView, stream: GoldenStream): OrderBookMessage {
  const levels = (side: "bid" | "ask") => stream.model.texts(side).map((level) => scaled(stream, level));
  return orderBookMessage(memory, stream.replica, { ...VIEW, bids: levels("bid"), asks: levels("ask") });
}

function deltaOf(
  memory: DataView,
  stream: GoldenStream,
  act: () => unknown,
  changes: readonly Change[],
): OrderBookDeltaMessage {
  const previousVersion = String(stream.model.version);
  act();
  const written = changes.map(([side, price, quantity]): JsonChange => {
    return [side, ...scaled(stream, [String(price), String(quantity)])];
  });
  return orderBookDeltaMessage(memory, stream.replica, { ...VIEW, previousVersion, changes: written });
}

function scaled({ options }: GoldenStream, [price, quantity]: LevelText): LevelText {
  return [decimalText(BigInt(price), options.priceExponent), decimalText(BigInt(quantity), options.quantityExponent)];
}

/** What the JSON form tells: no chain, and of the status no snapshot flag. */
function jsonState(stream: GoldenStream): BookState {
  const { chain: _chain, status, ...state } = stream.state();
  return { ...state, status: status & (STATUS.notSynced | STATUS.crossed) };
}

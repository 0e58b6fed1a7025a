/**
 * The client library in a browser's position: delta frames, one event each, against JSON.parse of the same deltas in the
 * JSON form. `decode` reads every number of a frame by the client's reader, without what the client looks at besides;
 * `decode, book, hash` is what the client really does, with the whole book kept and proved; `JSON, book` parses, turns
 * decimals into numbers and keeps a typed-array book without a proof.
 * Bad case: frames so small that the call itself counts; one event a frame is what a quiet instrument sends.
 */
import { FRAME_FLAG_CHECK } from "../assembly/layout.ts";
import { ByteReader } from "../src/client/byte_reader.ts";
import {
  CHECK_BYTES,
  COUNT_SCALE,
  DELAY_UNIT,
  RECORDS_PRESENT,
  SEQUENCE_PRESENT,
  STATUS_PRESENT,
} from "../src/client/constants.ts";
import { StreamBook } from "../src/client/stream_book.ts";
import type { OrderBookDeltaMessage } from "../src/wire/protocol.ts";
import { BaselineBook } from "./baseline/book.ts";
import type { Bench, BenchContext } from "./context.ts";
import { Engine } from "./engine.ts";
import { type Case, mustEqual, type Side } from "./harness.ts";
import { RecordedRun } from "./recorded_run.ts";
import type { CaseResult } from "./results.ts";

/** The benchmark. */
export const CLIENT: Bench = {
  name: "client",
  about: "the client library: delta frames decoded, applied and proved, against JSON.parse of the same deltas",
  run: async (context) => {
    const results: CaseResult[] = [];
    for (const id of context.streamIds.filter(isMeasured)) {
      results.push(await measureStream(context, id));
    }
    return results;
  },
};

function isMeasured(id: string): boolean {
  return id.startsWith("coinbase_exchange") || id.startsWith("kraken") || id.startsWith("binance");
}

async function measureStream(context: BenchContext, id: string): Promise<CaseResult> {
  const kernel = context.kernels[0] ?? "wasm";
  return await context.measure(clientCase(new RecordedRun(new Engine(kernel, await context.stream(id)))));
}

function clientCase(run: RecordedRun): Case {
  const { parts, frames } = run.received();
  const texts = run.messages.map((message) => JSON.stringify(message));
  const changes = run.messages.reduce((sum, message) => sum + message.changes.length, 0);
  const books = parts.map(() => new StreamBook({ isVerified: true }));
  const plain = new Map<string, BaselineBook>();
  const sides: Side[] = [
    {
      name: "decode",
      work: () => decodeAll(frames),
      verify: (decoded) => mustEqual("changes decoded", decoded, changes),
    },
    {
      name: "decode, book, hash",
      prepare: () => load(books, parts),
      work: () => applyAll(books, frames),
      verify: (failures) => {
        mustEqual("frames refused", failures, 0);
        for (const [index, { block }] of run.engine.check.followed.entries()) {
          const hash = (books[index]?.levels.hash ?? 0) >>> 0;
          mustEqual(`the client's book of ${block.native}`, hash, run.engine.hash(block));
        }
      },
    },
    {
      name: "JSON.parse",
      work: () => parseAll(texts),
      verify: (parsed) => mustEqual("changes parsed", parsed, changes),
    },
    {
      name: "JSON, book",
      prepare: () => plain.clear(),
      work: () => followAll(plain, texts),
      verify: (parsed) => mustEqual("changes followed", parsed, changes),
    },
  ];
  const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  return {
    bench: CLIENT.name,
    name: `${run.engine.stream.title}: client`,
    unit: "ns/event",
    units: run.events,
    sides,
    ratios: [
      { ours: "decode", other: "JSON.parse" },
      { ours: "decode, book, hash", other: "JSON.parse" },
      { ours: "decode, book, hash", other: "JSON, book" },
    ],
    facts: {
      events: run.events,
      changesPerEvent: changes / run.events,
      bytesPerEvent: bytes / run.events,
      jsonBytesPerEvent: characters / run.events,
    },
    notes: ["JSON, book: doubles, no hash, begins with an empty book"],
  };
}

/** Reads every number of every frame. @returns changes */
function decodeAll(frames: readonly Uint8Array[]): number {
  const reader = new ByteReader();
  let changes = 0;
  let sum = 0;
  for (const frame of frames) {
    const hasCheck = ((frame[0] ?? 0) & FRAME_FLAG_CHECK) !== 0;
    reader.open(frame, 1, hasCheck ? frame.length - CHECK_BYTES : frame.length);
    reader.varint();
    while (reader.at < reader.end) {
      const head = reader.varint() as number;
      sum += (head & STATUS_PRESENT) !== 0 ? reader.byte() : 0;
      sum += (head & RECORDS_PRESENT) !== 0 ? (reader.varint() as number) : 0;
      sum += (head & SEQUENCE_PRESENT) !== 0 ? (reader.zigzag() as number) : 0;
      sum += (reader.time(DELAY_UNIT) as number) + (reader.time(DELAY_UNIT) as number);
      const count = Math.floor(head / COUNT_SCALE);
      for (let index = 0; index < count; index++) {
        const first = reader.byte();
        sum += reader.step(first) as number;
        sum += (first & 2) === 0 ? (reader.quantity() as number) : 0;
      }
      changes += count;
    }
  }
  return Number.isNaN(sum) ? -1 : changes;
}

function load(books: readonly StreamBook[], parts: readonly (readonly Uint8Array[])[]): void {
  for (const [index, book] of books.entries()) {
    for (const part of parts[index] ?? []) {
      mustEqual("a snapshot part", book.apply(part), 0);
    }
  }
}

/** @returns frames that were refused */
function applyAll(books: readonly StreamBook[], frames: readonly Uint8Array[]): number {
  let failures = 0;
  for (const frame of frames) {
    const book = books[(frame[1] ?? 0) - 1];
    failures += book?.apply(frame) === 0 ? 0 : 1;
  }
  return failures;
}

/** @returns changes */
function parseAll(texts: readonly string[]): number {
  let parsed = 0;
  for (const text of texts) {
    parsed += (JSON.parse(text) as OrderBookDeltaMessage).changes.length;
  }
  return parsed;
}

/** @returns changes */
function followAll(books: Map<string, BaselineBook>, texts: readonly string[]): number {
  let parsed = 0;
  for (const text of texts) {
    const { instrument, changes } = JSON.parse(text) as OrderBookDeltaMessage;
    let book = books.get(instrument);
    if (book === undefined) {
      book = new BaselineBook();
      books.set(instrument, book);
    }
    for (const [side, price, quantity] of changes) {
      (side === "bid" ? book.bids : book.asks).set(Number(price), Number(quantity));
    }
    parsed += changes.length;
  }
  return parsed;
}

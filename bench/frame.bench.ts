/**
 * Delta frames of the stream: records → frame → client's book. Encoding and decoding happen while both books are applied
 * and proved by hash, so that work is in our time, but not in the time of JSON.stringify and JSON.parse, which only turn
 * a ready object into text and back. Two rows are like for like: `JSON, books` adds typed-array books at both ends, and
 * the codec alone, which P11 is judged by, has no book at either.
 * The baseline is typed-array books with a plain binary message between them.
 * Bad case: an event that is encoded into fresh memory; bytes allocated on the heap per event are counted and must be 0.
 */

import { BinaryWire } from "./baseline/binary_wire.ts";
import { BaselineBook } from "./baseline/book.ts";
import { JsonWire } from "./baseline/json_wire.ts";
import { CodecRun } from "./codec_run.ts";
import type { Bench, BenchContext } from "./context.ts";
import { Engine } from "./engine.ts";
import { type Case, mustEqual, type Side } from "./harness.ts";
import { RecordedRun } from "./recorded_run.ts";
import type { CaseResult } from "./results.ts";

/** The benchmark. */
export const FRAME: Bench = {
  name: "frame",
  about: "records → frame → client's book, against JSON.stringify + JSON.parse of the same deltas",
  run: async (context) => {
    const results: CaseResult[] = [];
    for (const id of context.streamIds.filter(isMeasured)) {
      results.push(...(await measureStream(context, id)));
    }
    return results;
  },
};

const ALLOCATION_PASSES = 5;

function isMeasured(id: string): boolean {
  return id !== "kraken_v1";
}

async function measureStream(context: BenchContext, id: string): Promise<CaseResult[]> {
  const stream = await context.stream(id);
  const runs = context.kernels.map((name) => new RecordedRun(new Engine(name, stream)));
  const [first] = runs;
  if (first === undefined) {
    throw new RangeError("Cannot measure frames: no kernel was asked for");
  }
  return [
    await context.measure(bothCase(runs, first)),
    ...(first.engine.bench.name === "wasm" ? [await context.measure(codecCase(first))] : []),
    await context.measure(encodeCase(runs, first)),
    await context.measure(decodeCase(runs, first)),
  ];
}

function bothCase(runs: readonly RecordedRun[], first: RecordedRun): Case {
  const { messages } = first;
  const changes = messages.reduce((sum, message) => sum + message.changes.length, 0);
  const starts = startBooks(first);
  const wire = new BinaryWire(messages, starts);
  const json = new JsonWire(messages, starts);
  const bytes = total(first.frameLengths);
  const sides: Side[] = [
    ...runs.map((run) => ({
      name: run.engine.bench.name,
      prepare: () => run.rewind(),
      work: () => run.encodeAndDecode(),
      verify: (coded: number) => {
        mustEqual("bytes of frames", coded, bytes);
        run.verify("gateway");
        run.verify("client");
      },
    })),
    ...runs.map((run) => ({
      name: booksOf(run),
      prepare: () => run.rewind(),
      work: () => run.followBoth(),
      verify: (failures: number) => {
        mustEqual("records refused", failures, 0);
        run.verify("plain");
        run.verify("plainClient");
      },
    })),
    jsonSide(messages, changes),
    {
      name: "JSON, books",
      prepare: () => json.rewind(),
      work: () => json.run(),
      verify: (arrived) => verifyWire({ arrived, changes }, json, first),
    },
    {
      name: "baseline",
      prepare: () => wire.rewind(),
      work: () => wire.run(),
      verify: (arrived) => verifyWire({ arrived, changes }, wire, first),
    },
  ];
  return {
    ...head(first, "encode and decode"),
    sides,
    ratios: [{ other: "JSON" }, { other: "JSON, books" }, { other: "baseline" }, ...twinWish(runs)],
    facts: { events: messages.length, changes, bytesPerEvent: bytes / messages.length, ...heapFacts(runs) },
    notes: ["not like for like: ours applies both books and verifies their hashes, JSON holds no book"],
  };
}

function jsonSide(messages: RecordedRun["messages"], changes: number): Side {
  return {
    name: "JSON",
    work: () => {
      let parsed = 0;
      for (let index = 0; index < messages.length; index++) {
        const message = JSON.parse(JSON.stringify(messages[index])) as { changes: unknown[] };
        parsed += message.changes.length;
      }
      return parsed;
    },
    verify: (parsed) => mustEqual("changes through JSON", parsed, changes),
  };
}

/** Name of the side that holds both books and codes nothing. */
function booksOf({ engine }: RecordedRun): string {
  return `${engine.bench.name}, books only`;
}

/** The delta alone: no book and no hash at either end, numbers out of the one, text out of the other. */
function codecCase(run: RecordedRun): Case {
  const codec = new CodecRun(run);
  const { messages } = run;
  return {
    ...head(run, "encode and decode, codec alone"),
    sides: [
      {
        name: "wasm",
        prepare: () => codec.rewind(),
        work: () => codec.run(),
        verify: (arrived) => codec.verify(arrived),
      },
      jsonSide(messages, codec.changes),
    ],
    ratios: [{ other: "JSON", goal: "P11" }],
    facts: { events: messages.length, changes: codec.changes },
    notes: [
      "ours: the kernel's encoder, the client's StreamBook with a sink of numbers in the place of its levels; frames compared with the gateway's byte for byte",
    ],
  };
}

function encodeCase(runs: readonly RecordedRun[], first: RecordedRun): Case {
  const { messages } = first;
  const characters = messages.reduce((sum, message) => sum + JSON.stringify(message).length, 0);
  const bytes = total(first.frameLengths);
  const sides: Side[] = [
    ...runs.map((run) => ({
      name: run.engine.bench.name,
      prepare: () => run.rewind(),
      work: () => run.encode(),
      verify: (coded: number) => {
        mustEqual("bytes of frames", coded, bytes);
        run.verify("gateway");
      },
    })),
    {
      name: "wasm, book only",
      prepare: () => first.rewind(),
      work: () => first.follow(),
      verify: (failures) => {
        mustEqual("records refused", failures, 0);
        first.verify("plain");
      },
    },
    {
      name: "JSON",
      work: () => {
        let written = 0;
        for (let index = 0; index < messages.length; index++) {
          written += JSON.stringify(messages[index]).length;
        }
        return written;
      },
      verify: (written) => mustEqual("characters of JSON", written, characters),
    },
  ];
  const ratios = [{ other: "JSON" }, ...twinWish(runs)];
  return { ...head(first, "encode"), sides, ratios, notes: ["book only: the same records without an encoder"] };
}

function decodeCase(runs: readonly RecordedRun[], first: RecordedRun): Case {
  const texts = first.messages.map((message) => JSON.stringify(message));
  const changes = first.messages.reduce((sum, message) => sum + message.changes.length, 0);
  const bytes = total(first.frameLengths);
  const sides: Side[] = [
    ...runs.map((run) => {
      run.keepFrames();
      return {
        name: run.engine.bench.name,
        prepare: () => run.rewind(),
        work: () => run.decode(),
        verify: (decoded: number) => {
          mustEqual("bytes of frames", decoded, bytes);
          run.verify("client");
        },
      };
    }),
    {
      name: "JSON",
      work: () => {
        let parsed = 0;
        for (let index = 0; index < texts.length; index++) {
          parsed += (JSON.parse(texts[index] ?? "") as { changes: unknown[] }).changes.length;
        }
        return parsed;
      },
      verify: (parsed) => mustEqual("changes through JSON", parsed, changes),
    },
  ];
  return { ...head(first, "decode"), sides, ratios: [{ other: "JSON" }, ...twinWish(runs)] };
}

function head(run: RecordedRun, what: string) {
  return { bench: FRAME.name, name: `${run.engine.stream.title}: ${what}`, unit: "ns/event", units: run.events };
}

/** The books that the records follow, as doubles. */
function startBooks({ engine }: RecordedRun): Map<string, BaselineBook> {
  engine.reset();
  const books = new Map<string, BaselineBook>();
  for (const followed of engine.check.followed) {
    const book = new BaselineBook();
    for (const side of ["bids", "asks"] as const) {
      for (const { price, quantity } of engine.check.levels(followed, side).reverse()) {
        book[side].set(price, quantity);
      }
    }
    books.set(followed.block.canonical, book);
  }
  engine.verify("book", engine.run("book"));
  return books;
}

type Receiver = { count(instrument: string, side: "bids" | "asks"): number };

function verifyWire(counts: { arrived: number; changes: number }, wire: Receiver, { engine }: RecordedRun): void {
  mustEqual("changes that arrived", counts.arrived, counts.changes);
  for (const block of engine.blocks) {
    const { bids, asks } = engine.levels(block);
    mustEqual(`the receiver's bids of ${block.native}`, wire.count(block.canonical, "bids"), bids);
    mustEqual(`the receiver's asks of ${block.native}`, wire.count(block.canonical, "asks"), asks);
  }
}

/** Bytes that the heap grew by per encoded event, less what the measurement itself takes: 0 when nothing is allocated. */
function heapFacts(runs: readonly RecordedRun[]): Record<string, number> {
  const facts: Record<string, number> = {};
  for (const run of runs) {
    const encoding = leastGrowth(run, () => run.encode());
    const nothing = leastGrowth(run, () => 0);
    facts[`heapBytesPerEncode ${run.engine.bench.name}`] = Math.max(0, encoding - nothing) / run.events;
  }
  return facts;
}

/** Least growth of the heap over a few passes: a collection in between makes a pass worthless. */
function leastGrowth(run: RecordedRun, work: () => number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < ALLOCATION_PASSES; pass++) {
    run.rewind();
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    work();
    const grown = process.memoryUsage().heapUsed - before;
    least = grown >= 0 ? Math.min(least, grown) : least;
  }
  return least;
}

function total(lengths: Int32Array): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

function twinWish(runs: readonly RecordedRun[]) {
  return runs.some(({ engine }) => engine.bench.name === "twin") ? [{ other: "twin" }] : [];
}

/**
 * Bytes on the wire per level entry of the exchange: one flush per exchange frame, lossless, hashes and times included,
 * WebSocket headers included on every side, snapshots excluded. Against the exchange's own JSON frames, plain and under
 * permessage-deflate with context takeover at zlib's best level. Every frame is decoded and the books are compared.
 * Bad case: a compressor that starts afresh with each message; it would look worse than exchanges' really are.
 */
import { constants, createDeflateRaw, type DeflateRaw } from "node:zlib";
import type { Bench } from "./context.ts";
import { Engine } from "./engine.ts";
import { mustEqual } from "./harness.ts";
import { RecordedRun } from "./recorded_run.ts";
import { type CaseResult, exactCase } from "./results.ts";
import type { Stream } from "./stream.ts";

/** The benchmark. */
export const WIRE: Bench = {
  name: "wire",
  about: "bytes per level entry of the exchange, WebSocket headers included, snapshots excluded",
  run: async (context) => {
    const results: CaseResult[] = [];
    for (const id of context.streamIds) {
      results.push(await measureStream(await context.stream(id)));
    }
    return results;
  },
};

/** A server's header: 2 bytes, 4 from 126 on, 10 from 65,536 on. */
const HEADER_SHORT = 2;
const HEADER_MEDIUM = 4;
const HEADER_LONG = 10;
const MEDIUM_FROM = 126;
const LONG_FROM = 65_536;
/** The empty block that ends a flush and is not sent (RFC 7692). */
const FLUSH_TAIL_BYTES = 4;

async function measureStream(stream: Stream): Promise<CaseResult> {
  const engine = new Engine("wasm", stream);
  const { entries } = engine.counts("book");
  const run = new RecordedRun(engine);
  run.rewind();
  const coded = run.encodeAndDecode();
  run.verify("client");
  const ours = framed(run.frameLengths);
  mustEqual(`${stream.id}: bytes of frames`, coded, plain(run.frameLengths));
  const frames = engine.list("book").frames.map(({ bytes }) => bytes);
  const json = framed(frames.map(({ length }) => length));
  const deflated = framed(await deflate(frames));
  return exactCase(
    {
      bench: WIRE.name,
      name: stream.title,
      unit: "bytes/entry",
      facts: {
        entries,
        frames: frames.length,
        events: run.events,
        checks: run.checks,
        bytesPerFrame: ours / run.events,
      },
      notes: stream.isTimeMade
        ? ["no receive times in the source: 20 ms and an exponential 2 ms after the exchange's"]
        : [],
    },
    { wasm: ours / entries, "exchange JSON": json / entries, "JSON deflated": deflated / entries },
    [
      { other: "exchange JSON", goal: "P10" },
      { other: "JSON deflated", goal: "P10_DEFLATE" },
    ],
  );
}

function plain(lengths: Iterable<number>): number {
  return [...lengths].reduce((sum, length) => sum + length, 0);
}

/** With a WebSocket header each. */
function framed(lengths: Iterable<number>): number {
  return [...lengths].reduce((sum, length) => sum + length + headerBytes(length), 0);
}

function headerBytes(length: number): number {
  if (length < MEDIUM_FROM) {
    return HEADER_SHORT;
  }
  return length < LONG_FROM ? HEADER_MEDIUM : HEADER_LONG;
}

/** Payload bytes of each message under permessage-deflate with one context for all. */
async function deflate(messages: readonly Buffer[]): Promise<number[]> {
  const { Z_BEST_COMPRESSION, Z_SYNC_FLUSH } = constants;
  const stream = createDeflateRaw({ windowBits: 15, memLevel: 9, level: Z_BEST_COMPRESSION, flush: Z_SYNC_FLUSH });
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const lengths: number[] = [];
  for (const message of messages) {
    const before = bytes;
    await writeAndFlush(stream, message);
    lengths.push(bytes - before - FLUSH_TAIL_BYTES);
  }
  stream.destroy();
  return lengths;
}

function writeAndFlush(stream: DeflateRaw, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.write(message, (error) => {
      stream.off("error", reject);
      if (error) {
        reject(error);
      } else {
        setImmediate(resolve);
      }
    });
  });
}

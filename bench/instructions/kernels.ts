/**
 * The fixed kernels whose instructions are counted: each plays frames of fixed seeds, ends where it began, and is verified
 * after every run. Bad case: a kernel that quietly does nothing, or the wrong thing every time; outcomes, bytes and book
 * hashes are compared each time, parsed tokens and sums with those of other code.
 */
import { DECIMAL_BYTES, DECIMAL_DECIMALS, DECIMAL_MANTISSA } from "../../assembly/layout.ts";
import { crc32 } from "../baseline/crc32.ts";
import { Engine } from "../engine.ts";
import { mustEqual } from "../harness.ts";
import { addDriver } from "../processes/ring_driver.ts";
import { RecordedRun } from "../recorded_run.ts";
import type { Stream } from "../stream.ts";
import { layBytes, openWorkbench, reserveBytes } from "../workbench.ts";
import { type CycleOptions, coinbaseCycle, krakenCycle } from "./streams.ts";

/** A kernel to count. */
export type CountedKernel = {
  readonly name: string;
  readonly about: string;
  /** What one unit of the count is, e.g. `frame`. */
  readonly unit: string;
  /** Passes that make the shorter of the two runs. */
  readonly passes: number;
  /** Sets everything up. @returns the work: how many units its passes did. @throws Error when it went wrong */
  readonly prepare: () => (passes: number) => number;
};

const NEAR: CycleOptions = { levels: 1000, operations: 1200, changesMax: 8 };
const DEEP: CycleOptions = { levels: 45_000, operations: 1000, changesMax: 10 };
const TOP: CycleOptions = { levels: 100, operations: 800, changesMax: 1 };
const SMALL: CycleOptions = { levels: 100, operations: 1200, changesMax: 8 };
const TOKEN = /"(\d+\.\d+)"/g;
const DIGITS = 300;
const CALLS = 100;
const TABLE_BYTES = 8;

/** All of them, in the order of the budget. */
export const COUNTED: readonly CountedKernel[] = [
  {
    name: "parse",
    about: "decimal tokens → mantissas",
    unit: "token",
    passes: 110,
    prepare: prepareParse,
  },
  {
    name: "coinbase",
    about: "Coinbase frame → book → ring, 1,000 levels",
    unit: "frame",
    passes: 110,
    prepare: () => prepareFrames(coinbaseCycle(NEAR)),
  },
  {
    name: "kraken",
    about: "Kraken v2 frame with its CRC32 → book → ring, depth 10",
    unit: "frame",
    passes: 60,
    prepare: () => prepareFrames(krakenCycle(TOP)),
  },
  {
    name: "delta",
    about: "frame of ten changes → delta records at 45,000 levels",
    unit: "frame",
    passes: 120,
    prepare: () => prepareFrames(coinbaseCycle(DEEP)),
  },
  {
    name: "encode",
    about: "delta records → replica, proved → frames of the stream",
    unit: "frame",
    passes: 130,
    prepare: prepareEncode,
  },
  {
    name: "crc32",
    about: `CRC-32 of ${DIGITS} digits`,
    unit: "call",
    passes: 600,
    prepare: prepareCrc,
  },
];

/** Every frame of a stream through the kernel, each published. */
function prepareFrames(stream: Stream): (passes: number) => number {
  const engine = new Engine("wasm", stream);
  engine.reset();
  const hashes = () => engine.blocks.map((block) => engine.hash(block)).join();
  const before = hashes();
  const frames = engine.list("book").codes.length;
  mustEqual(`${stream.id}: frames of the book`, frames, stream.frames.length - 1);
  return (passes) => {
    let wrong = 0;
    for (let pass = 0; pass < passes; pass++) {
      wrong += engine.run("book");
    }
    mustEqual(`${stream.id}: outcomes that differ`, wrong, 0);
    mustEqual(`${stream.id}: the book after a whole cycle`, hashes(), before);
    return passes * frames;
  };
}

/** The gateway's half: every record into the replica, an event a frame; the snapshot of 100 levels before each pass is counted with it. */
function prepareEncode(): (passes: number) => number {
  const run = new RecordedRun(new Engine("wasm", coinbaseCycle(SMALL)));
  run.rewind();
  const bytes = run.encode();
  return (passes) => {
    for (let pass = 0; pass < passes; pass++) {
      run.rewind();
      mustEqual("bytes of frames", run.encode(), bytes);
    }
    run.verify("gateway");
    return passes * run.events;
  };
}

function prepareParse(): (passes: number) => number {
  const { frames } = coinbaseCycle(NEAR);
  const texts = frames.flatMap(({ text }) => Array.from(text.matchAll(TOKEN), ([, token = ""]) => Buffer.from(token)));
  const bench = openWorkbench("wasm");
  const { addresses, lengths } = layBytes(bench, "tokens", texts);
  const out = reserveBytes(bench, "decimal", DECIMAL_BYTES);
  const table = reserveBytes(bench, "table", addresses.length * TABLE_BYTES);
  for (const [index, address] of addresses.entries()) {
    bench.view.setUint32(table + index * TABLE_BYTES, address, true);
    bench.view.setUint32(table + index * TABLE_BYTES + 4, lengths[index] ?? 0, true);
  }
  const { parseTokens } = addDriver(bench.map, "parse driver");
  for (const [index, text] of texts.entries()) {
    mustEqual("parseDecimal: a bad token", parseTokens(table + index * TABLE_BYTES, 1, out), 0);
    const parsed = bench.view.getBigInt64(out + DECIMAL_MANTISSA, true);
    const decimals = bench.view.getUint32(out + DECIMAL_DECIMALS, true);
    mustEqual(`parseDecimal: ${text}`, `${parsed} of ${decimals} decimals`, partsOf(text.toString()));
  }
  return (passes) => {
    let bad = 0;
    for (let pass = 0; pass < passes; pass++) {
      bad += parseTokens(table, addresses.length, out);
    }
    mustEqual("parseDecimal: bad tokens", bad, 0);
    return passes * addresses.length;
  };
}

/** A decimal token as a whole number and how many of its digits are decimals. */
function partsOf(token: string): string {
  const [whole = "", decimals = ""] = token.split(".");
  return `${BigInt(whole + decimals)} of ${decimals.length} decimals`;
}

function prepareCrc(): (passes: number) => number {
  const bench = openWorkbench("wasm");
  const digits = Uint8Array.from({ length: DIGITS }, (_, index) => 48 + ((index * 7) % 10));
  const { addresses } = layBytes(bench, "digits", [digits]);
  const at = addresses[0] ?? 0;
  const expected = crc32(digits, 0, digits.length);
  // A function of its own, called often: V8 optimises a loop that it has entered once anew at every entry.
  const pass = () => {
    let wrong = 0;
    for (let call = 0; call < CALLS; call++) {
      wrong += bench.producer.crc32(at, DIGITS) === expected ? 0 : 1;
    }
    return wrong;
  };
  return (passes) => {
    let wrong = 0;
    for (let index = 0; index < passes; index++) {
      wrong += pass();
    }
    mustEqual("crc32: wrong sums", wrong, 0);
    return passes * CALLS;
  };
}

/**
 * The frames that benchmarks run on: what one exchange sent, in order, with REST bodies where they arrived and receive
 * times in whole microseconds, as a collector stamps them. Captures come first; without them the emulator's market
 * stands in. Bad case: a capture without receive times; they are made from the exchange's own times, seeded, and said.
 */
import type { Exchange } from "../src/exchanges/mod.ts";
import { seededRandom } from "./statistics.ts";

/** Something that arrived. */
export type StreamFrame = {
  readonly text: string;
  readonly bytes: Buffer;
  /** Set when it is the body of a REST answer. */
  readonly url?: string;
  /** ns since the stream's anchor, a multiple of 1000. */
  readonly receivedAt: number;
};

/** Frames of one exchange. */
export type Stream = {
  /** Short and unique, e.g. `kraken_v1`. */
  readonly id: string;
  /** For people, e.g. `Kraken v1, 10 pairs, 2021`. */
  readonly title: string;
  readonly exchange: Exchange;
  readonly source: "capture" | "emulator" | "synthetic";
  /** Where it comes from, relative to the folder of the captures. */
  readonly files: readonly string[];
  readonly frames: readonly StreamFrame[];
  /** Unix ns of receivedAt 0. */
  readonly anchorNs: bigint;
  /** Receive times were made up. */
  readonly isTimeMade: boolean;
};

/** A frame before its time is known. */
export type RawFrame = { readonly text: string; readonly url?: string; readonly atNs?: bigint };

const NS_PER_US = 1000;
const NS_PER_MS = 1_000_000n;
const DELAY_LEAST_US = 20_000;
const DELAY_SPREAD_US = 2000;
const DELAY_SEED = 11;
const RFC_3339 = /"time(?:stamp)?"\s*:\s*"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z"/;
const EPOCH_MS = /"E"\s*:\s*(\d{13})\b/;

/** Makes a stream of raw frames. */
export function makeStream(head: Omit<Stream, "frames" | "anchorNs" | "isTimeMade">, raw: readonly RawFrame[]): Stream {
  const isTimeMade = raw.some(({ atNs }) => atNs === undefined);
  const times = isTimeMade ? madeTimes(raw) : raw.map(({ atNs }) => atNs ?? 0n);
  const anchorNs = (times.reduce((least, at) => (at < least ? at : least), times[0] ?? 0n) / 1000n) * 1000n;
  const frames = raw.map(({ text, url }, index) => {
    const receivedAt = Math.floor(Number((times[index] ?? anchorNs) - anchorNs) / NS_PER_US) * NS_PER_US;
    return { text, bytes: Buffer.from(text, "utf8"), receivedAt, ...(url === undefined ? {} : { url }) };
  });
  return { ...head, frames, anchorNs, isTimeMade };
}

/** Receive times as a network would give them: 20 ms after the exchange's time and an exponential rest of 2 ms, in order. */
function madeTimes(raw: readonly RawFrame[]): bigint[] {
  const random = seededRandom(DELAY_SEED);
  let event = raw.map(({ text }) => eventNs(text)).find((at) => at !== undefined) ?? 0n;
  let last = 0n;
  return raw.map(({ text }) => {
    event = eventNs(text) ?? event;
    const delayUs = DELAY_LEAST_US - Math.log(1 - random()) * DELAY_SPREAD_US;
    const at = event + BigInt(Math.floor(delayUs)) * 1000n;
    last = at > last ? at : last + 1000n;
    return last;
  });
}

/** The exchange's time in a frame, Unix ns. */
function eventNs(text: string): bigint | undefined {
  const epoch = EPOCH_MS.exec(text)?.[1];
  if (epoch !== undefined) {
    return BigInt(epoch) * NS_PER_MS;
  }
  const [, seconds, fraction = ""] = RFC_3339.exec(text) ?? [];
  if (seconds === undefined) {
    return undefined;
  }
  return BigInt(Date.parse(`${seconds}Z`)) * NS_PER_MS + BigInt(fraction.padEnd(9, "0"));
}

/**
 * What the exchange of the pipeline benchmark sends: captured Coinbase Exchange updates of BTC-USD behind their snapshot,
 * first as they came, then taken back one after the other, so that they can go on for ever and every book on the way is
 * one that was captured. Each frame carries its intended sending as the exchange's time, by which it is known at the end.
 * Bad case: no captures; a made-up market of 500 levels a side stands in, and the facts say so.
 */
import { microTime } from "../../src/emulator/text.ts";
import { CAPTURED_SOURCES, isCaptured, readCaptured } from "../captured_streams.ts";
import { snapshotFrame, updateFrame } from "../coinbase_text.ts";
import { seededRandom } from "../statistics.ts";
import { TEXT_HEADER_BYTES_MAX, writeTextHeader } from "../text_frames.ts";
import { PlainBook } from "./plain_book.ts";
import { NATIVE } from "./words.ts";

/** One entry of an `l2update`; a quantity of zero removes the level. */
export type Change = readonly [side: string, price: string, quantity: string];
/** A level of a snapshot. */
export type Level = readonly [price: string, quantity: string];

/** A market that can be sent round and round. */
export type Market = {
  readonly source: "captures" | "made up";
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
  /** Updates; after the last one the book is what it was before the first. */
  readonly cycle: readonly (readonly Change[])[];
};

/** Frames in one piece, as they go out: WebSocket headers and texts. */
export type FrameTrain = {
  readonly bytes: Buffer;
  /** Where each frame ends. */
  readonly ends: Uint32Array;
};

const LEVELS = 500;
const MADE_UPDATES = 2000;
const MADE_CHANGES = 4;

/** Reads the captured market, or makes one up. */
export async function readMarket(): Promise<Market> {
  const source = CAPTURED_SOURCES.find(({ id }) => id === "coinbase_exchange");
  if (source === undefined || !isCaptured(source)) {
    return madeMarket();
  }
  const { frames } = await readCaptured(source);
  const messages = frames.map(({ text }) => JSON.parse(text) as CapturedFrame).filter(isOfBook);
  const first = messages.findIndex(({ type }) => type === "snapshot");
  const snapshot = messages[first];
  const updates = messages.slice(first + 1).map(({ changes = [] }) => changes);
  const levels = { bids: snapshot?.bids ?? [], asks: snapshot?.asks ?? [] };
  return { source: "captures", ...levels, cycle: thereAndBack(levels, updates) };
}

/** A market of its own, the same every time. */
export function madeMarket(): Market {
  const random = seededRandom(13);
  const side = (sign: -1 | 1): Level[] =>
    Array.from({ length: LEVELS }, (_, rank) => [price(sign, rank), quantity(random)]);
  const levels = { bids: side(-1), asks: side(1) };
  const updates = Array.from({ length: MADE_UPDATES }, () =>
    Array.from({ length: MADE_CHANGES }, (_, index): Change => {
      const sign = index % 2 === 0 ? -1 : 1;
      const rank = Math.floor(random() * 24) * MADE_CHANGES + index;
      return [sign < 0 ? "buy" : "sell", price(sign, rank), quantity(random)];
    }),
  );
  return { source: "made up", ...levels, cycle: thereAndBack(levels, updates) };
}

/** Updates, and what takes them back; those that change nothing are left out. */
export function thereAndBack(
  { bids, asks }: Pick<Market, "bids" | "asks">,
  updates: readonly (readonly Change[])[],
): Change[][] {
  const book = new PlainBook(bids, asks);
  const there: Change[][] = [];
  const back: Change[][] = [];
  for (const update of updates) {
    const last = new Map(update.map((change) => [`${change[0]} ${change[1]}`, change]));
    const before = [...last.values()].map(([side, at]): Change => [side, at, book.quantity(side, at)]);
    const changes = [...last.values()].filter(([side, at, size]) => !book.holds(side, at, size));
    if (changes.length > 0) {
      const changed = new Set(changes.map(([side, at]) => `${side} ${at}`));
      there.push(changes);
      back.unshift(before.filter(([side, at]) => changed.has(`${side} ${at}`)));
      book.apply(changes);
    }
  }
  return [...there, ...back];
}

/** The snapshot's frame as text. @param atUs Unix µs */
export function snapshotText({ bids, asks }: Pick<Market, "bids" | "asks">, atUs: number): string {
  const lists = { bids: JSON.stringify(bids), asks: JSON.stringify(asks) };
  return snapshotFrame(NATIVE, lists, microTime(atUs));
}

/** An update's frame as text. @param atUs Unix µs */
export function updateText(changes: readonly Change[], atUs: number): string {
  return updateFrame(NATIVE, JSON.stringify(changes), microTime(atUs));
}

/**
 * Lays frames out as a server sends them.
 * @param from place in the cycle @param options.startUs Unix µs at which the first is to leave @param options.stepUs to the next
 */
export function layTrain(
  cycle: Market["cycle"],
  from: number,
  { count, startUs, stepUs }: { count: number; startUs: number; stepUs: number },
): FrameTrain {
  const texts = Array.from({ length: count }, (_, index) =>
    Buffer.from(updateText(cycle[(from + index) % cycle.length] ?? [], startUs + index * stepUs)),
  );
  const room = texts.reduce((sum, { byteLength }) => sum + byteLength + TEXT_HEADER_BYTES_MAX, 0);
  const bytes = Buffer.alloc(room);
  const ends = new Uint32Array(count);
  let at = 0;
  for (const [index, text] of texts.entries()) {
    at = writeTextHeader(bytes, at, text.byteLength);
    at += text.copy(bytes, at);
    ends[index] = at;
  }
  return { bytes: bytes.subarray(0, at), ends };
}

type CapturedFrame = {
  type: string;
  product_id?: string;
  bids?: Level[];
  asks?: Level[];
  changes?: Change[];
};

function isOfBook({ type, product_id }: CapturedFrame): boolean {
  return product_id === NATIVE && (type === "snapshot" || type === "l2update");
}

function price(sign: -1 | 1, rank: number): string {
  return ((6_000_000 + sign * (400 + rank * 7)) / 100).toFixed(2);
}

function quantity(random: () => number): string {
  return (0.0001 + Math.floor(random() * 99_999) / 10_000).toFixed(8);
}

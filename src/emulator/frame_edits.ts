/**
 * What faults do to the text of one frame: cut it, flip a bit, leave out a level, break its checksum. Pure functions of
 * text and randomness. Bad case: an edit that changes nothing (a frame without a checksum, a level that the client has
 * already); it is not counted as a fault, the trigger waits for the next frame.
 */
import { type JsonNode, parseTree, printTree } from "./json_tree.ts";
import { BID, type BookSide } from "./ladder.ts";
import { type FrameLevel, type LevelList, levelLists } from "./level_lists.ts";
import type { MarketBook } from "./market_book.ts";
import type { Random } from "./random.ts";

/** A changed frame. */
export type Edit = { readonly frame: string | Buffer; readonly detail: string };

/** What an edit may look at. */
export type EditContext = {
  readonly random: Random;
  /** The book that the frame is about, as it is at this moment; undefined in a capture. */
  readonly book: MarketBook | undefined;
  /** Which level may be left out. */
  readonly where: "any" | "top" | "deep";
};

/** An edit. @returns undefined when it does not apply to this frame */
export type FrameEdit = (frame: string, context: EditContext) => Edit | undefined;

const TOP_LEVELS = 10;
const CHECKSUM = /("checksum":|"c":")(\d+)/;
const BITS = 7;

/** The edits by the name of their fault. */
export const FRAME_EDITS = {
  truncate,
  corrupt_bit: corruptBit,
  corrupt_byte: corruptByte,
  corrupt_digit: corruptDigit,
  wrong_checksum: wrongChecksum,
  level_missing: levelMissing,
} as const satisfies Record<string, FrameEdit>;

/** Sets a checksum to 0. @returns undefined when the frame has none, or 0 already */
export function checksumZero(frame: string): string | undefined {
  const text = frame.replace(CHECKSUM, "$10");
  return text === frame ? undefined : text;
}

function truncate(frame: string, { random }: EditContext): Edit | undefined {
  if (frame.length < 2) {
    return undefined;
  }
  const length = 1 + random.below(frame.length - 1);
  return { frame: frame.slice(0, length), detail: `${length} of ${frame.length} characters` };
}

function corruptBit(frame: string, { random }: EditContext): Edit {
  const bytes = Buffer.from(frame);
  const offset = random.below(bytes.length);
  const bit = random.below(BITS);
  bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
  return { frame: bytes, detail: `bit ${bit} of byte ${offset}` };
}

function corruptByte(frame: string, { random }: EditContext): Edit {
  const bytes = Buffer.from(frame);
  const offset = random.below(bytes.length);
  const before = bytes[offset] ?? 0;
  const after = (before + 1 + random.below(255)) & 0xff;
  bytes[offset] = after;
  return { frame: bytes, detail: `byte ${offset} from ${before} to ${after}` };
}

function corruptDigit(frame: string, context: EditContext): Edit | undefined {
  const { random } = context;
  const tree = parseTree(frame);
  const levels = tree === undefined ? [] : candidatesIn(tree, context).map(({ level }) => level);
  const level = levels[random.below(Math.max(1, levels.length))];
  const node = random.chance(0.5) ? level?.price : level?.quantity;
  if (tree === undefined || node === undefined) {
    return undefined;
  }
  const before = node.token;
  const places = [...before.matchAll(/\d/g)].map((match) => match.index);
  const place = places[random.below(places.length)] ?? 0;
  const digit = Number(before[place]);
  // The first digit never becomes 0: a JSON number must not begin with one.
  const isFirst = place === places[0];
  const choices = Array.from({ length: 10 }, (_, one) => one).filter((one) => one !== digit && (one > 0 || !isFirst));
  node.token = `${before.slice(0, place)}${choices[random.below(choices.length)]}${before.slice(place + 1)}`;
  return { frame: printTree(tree), detail: `${before} to ${node.token}` };
}

function wrongChecksum(frame: string, { random }: EditContext): Edit | undefined {
  const before = CHECKSUM.exec(frame)?.[2];
  if (before === undefined) {
    return undefined;
  }
  const after = String((Number(before) ^ (1 << random.below(32))) >>> 0);
  return { frame: frame.replace(CHECKSUM, `$1${after}`), detail: `${before} to ${after}` };
}

function levelMissing(frame: string, context: EditContext): Edit | undefined {
  const tree = parseTree(frame);
  if (tree === undefined) {
    return undefined;
  }
  const candidates = candidatesIn(tree, context);
  const chosen = candidates[context.random.below(Math.max(1, candidates.length))];
  if (chosen === undefined) {
    return undefined;
  }
  const { list, level } = chosen;
  // All entries of that price: one that came later would repair what is missing.
  const same = list.levels.filter((other) => other.side === level.side && other.price.token === level.price.token);
  list.node.items = list.node.items.filter((item) => !same.some((other) => other.node === item));
  const side = level.side === BID ? "bid" : "ask";
  return { frame: printTree(tree), detail: `${side} ${level.price.token} ${level.quantity.token}` };
}

// The levels that matter: without them, or with others, a client would hold another book.
function candidatesIn(tree: JsonNode, context: EditContext): { list: LevelList; level: FrameLevel }[] {
  return levelLists(tree).flatMap((list) =>
    list.levels.filter((level) => isMissed(level, list.levels, context)).map((level) => ({ list, level })),
  );
}

// Whether a client would hold another book without this level.
function isMissed(level: FrameLevel, all: readonly FrameLevel[], { book, where }: EditContext): boolean {
  const same = all.filter((other) => other.side === level.side && other.price.token === level.price.token);
  if (same.at(-1) !== level) {
    return false;
  }
  if (book === undefined) {
    return where === "any" && Number(level.quantity.token.replaceAll('"', "")) > 0;
  }
  const price = ticksOf(level.price.token, book.instrument.priceDecimals);
  const ladder = book.ladder(level.side);
  const isTop = ladder.rankOf(price) < TOP_LEVELS;
  const isThere = where === "any" || isTop === (where === "top");
  return isThere && hasChanged(book, level.side, price);
}

// Changed by the event that is being published, or new in the view of the client without a change.
function hasChanged(book: MarketBook, side: BookSide, price: number): boolean {
  const first = book.changes.find((change) => change.side === side && change.price === price);
  return first === undefined || first.before !== book.ladder(side).quantityAt(price);
}

// Digits only: a price must not pass through a division.
function ticksOf(token: string, decimals: number): number {
  const [whole = "", fraction = ""] = token.replaceAll('"', "").split(".");
  return Number(whole + fraction.padEnd(decimals, "0").slice(0, decimals));
}

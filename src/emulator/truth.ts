/**
 * What a correct client must hold: the true book of the synthetic market, now or at one of its last events, as plain
 * decimals with the digest of the captures. As a page it is the contract for tests of any client.
 * Bad case: a client knows only part of a book; the question says which part (a depth, or the range of its snapshot).
 */
import { createHash } from "node:crypto";
import type { Moment } from "./book_history.ts";
import type { Ladder } from "./ladder.ts";
import type { Market } from "./market.ts";
import type { MarketBook } from "./market_book.ts";
import type { MarketRun } from "./market_run.ts";
import { jsonAnswer, type KnownPart, type RestAnswer, type RestRequest } from "./protocol.ts";
import { microTime, plainDecimal } from "./text.ts";

/** A level: price and quantity as plain decimals without trailing zeros. */
export type TrueLevel = readonly [price: string, quantity: string];

/** What a book holds now, best first. */
export type TrueBook = { bids: TrueLevel[]; asks: TrueLevel[]; updateId: number };

/** What a book held at an event, best first. */
export type TrueState = {
  /** Binance: update id; else the number of the event. */
  sequence: number;
  /** RFC 3339: when the event happened by the exchange's clock. */
  time: string;
  bids: TrueLevel[];
  asks: TrueLevel[];
  /** SHA-256 of `b PRICE QUANTITY\n` for each bid, then `a PRICE QUANTITY\n` for each ask. */
  digest: string;
};

/** Which part of a book. */
export type TruthPart = {
  /** Levels per side. */
  readonly levels?: number | undefined;
  /** Plain decimals: bids below and asks above are left out. */
  readonly lowest?: string | undefined;
  readonly highest?: string | undefined;
};

/** Path of the page, before the symbol. */
export const TRUTH_PATH = "/truth";

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;
const DECIMAL = /^\d{1,15}(?:\.\d{1,15})?$/;

/** The whole book as it stands. */
export function trueBook(book: MarketBook): TrueBook {
  return { ...levelsOf(book, book), updateId: book.updateId };
}

/**
 * A book as it was.
 * @returns a reason where it cannot be told
 */
export function trueState(
  market: Market,
  book: MarketBook,
  { moment, part }: { moment: Moment; part: TruthPart },
): TrueState | { reason: string } {
  const past = market.history(book)?.at(moment) ?? { reason: "no history is kept" };
  if ("reason" in past) {
    return past;
  }
  const { bids, asks } = cut(levelsOf(book, past), part);
  return { sequence: past.sequence, time: microTime(past.timeUs), bids, asks, digest: digestOf(bids, asks) };
}

/** SHA-256 of both sides, as the captures' digests are made. */
export function digestOf(bids: readonly TrueLevel[], asks: readonly TrueLevel[]): string {
  const hash = createHash("sha256");
  for (const [letter, levels] of [["b", bids] as const, ["a", asks] as const]) {
    for (const [price, quantity] of levels) {
      hash.update(`${letter} ${price} ${quantity}\n`);
    }
  }
  return hash.digest("hex");
}

/** What the page tells of. */
export type TruthSource = {
  readonly run: MarketRun;
  readonly books: ReadonlyMap<string, MarketBook>;
  /** The part that clients know, where the question does not say. */
  readonly known: (symbol: string) => KnownPart;
};

/**
 * Answers `GET <truth>/{native}?sequence=N`, `?time=RFC3339` or neither for the newest; `depth` or `levels` per side,
 * `lowest` and `highest` prices: by default what clients know. Without a symbol: what can be asked.
 */
export function truthPage({ run, books, known }: TruthSource, request: RestRequest): RestAnswer {
  const symbol = decoded(request.path.slice(TRUTH_PATH.length + 1));
  if (request.method !== "GET") {
    return jsonAnswer(405, { reason: `only GET, was ${request.method}` });
  }
  if (symbol === "") {
    return jsonAnswer(200, overview(run.market, books));
  }
  const book = books.get(symbol);
  if (book === undefined) {
    return jsonAnswer(404, { reason: `unknown symbol, was ${symbol.slice(0, 64)}` });
  }
  const question = readQuestion(request.query, { nowUs: run.stampOf(book), known: known(symbol) });
  if (typeof question === "string") {
    return jsonAnswer(400, { reason: question });
  }
  const state = trueState(run.market, book, question);
  return jsonAnswer("reason" in state ? 404 : 200, state);
}

type Question = { moment: Moment; part: TruthPart };
type Usual = { nowUs: number; known: KnownPart };

// A text says what is wrong with the question.
function readQuestion(query: URLSearchParams, { nowUs, known: usual }: Usual): Question | string {
  const known = ["sequence", "time", "depth", "levels", "lowest", "highest"];
  const unknown = [...query.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) {
    return `unknown parameter ${unknown.slice(0, 64)}: known are ${known.join(", ")}`;
  }
  const [sequence, time] = [query.get("sequence"), query.get("time")];
  if (sequence !== null && time !== null) {
    return "sequence and time cannot both be given";
  }
  const timeUs = time === null ? undefined : microsOf(time);
  if (sequence !== null && !/^\d{1,15}$/.test(sequence)) {
    return `sequence must be an integer, was ${sequence.slice(0, 64)}`;
  }
  if (time !== null && timeUs === undefined) {
    return `time must be RFC 3339 in UTC, e.g. 2026-07-07T22:58:17.050195Z, was ${time.slice(0, 64)}`;
  }
  const levels = query.get("levels") ?? query.get("depth");
  const [lowest, highest] = [query.get("lowest") ?? undefined, query.get("highest") ?? undefined];
  if (levels !== null && !/^[1-9]\d{0,6}$/.test(levels)) {
    return `depth must be a number of levels, was ${levels.slice(0, 64)}`;
  }
  const wrong = [lowest, highest].find((price) => price !== undefined && !DECIMAL.test(price));
  if (wrong !== undefined) {
    return `lowest and highest must be prices, was ${wrong.slice(0, 64)}`;
  }
  const moment: Moment =
    sequence !== null ? { sequence: Number(sequence) } : timeUs === undefined ? "latest" : { timeUs, nowUs };
  // Whoever names a limit gets that one alone, at the subscribed depth: so everything can be asked for.
  const isLimited = levels !== null || lowest !== undefined || highest !== undefined;
  const named = { levels: levels === null ? usual.levels : Number(levels), lowest, highest };
  return { moment, part: isLimited ? named : usual };
}

function overview(market: Market, books: ReadonlyMap<string, MarketBook>): Record<string, unknown> {
  return Object.fromEntries([...books].map(([symbol, book]) => [symbol, market.history(book)?.range ?? null]));
}

type Sides = { bids: TrueLevel[]; asks: TrueLevel[] };

function levelsOf(book: MarketBook, { bids, asks }: { bids: Ladder; asks: Ladder }): Sides {
  const { priceDecimals, quantityDecimals } = book.instrument;
  const texts = (ladder: Ladder): TrueLevel[] =>
    Array.from(
      { length: ladder.count },
      (_, rank): TrueLevel => [
        plainDecimal(ladder.price(rank), priceDecimals),
        plainDecimal(ladder.quantity(rank), quantityDecimals),
      ],
    );
  return { bids: texts(bids), asks: texts(asks) };
}

function cut({ bids, asks }: Sides, { levels, lowest, highest }: TruthPart): Sides {
  return {
    bids: bids.filter(([price]) => lowest === undefined || compare(price, lowest) >= 0).slice(0, levels),
    asks: asks.filter(([price]) => highest === undefined || compare(price, highest) <= 0).slice(0, levels),
  };
}

// Plain decimals by their digits: whole parts by length, then everything as text.
function compare(one: string, other: string): number {
  const [wholeOne = "", fractionOne = ""] = one.split(".");
  const [wholeOther = "", fractionOther = ""] = other.replace(/^0+(?=\d)/, "").split(".");
  if (wholeOne.length !== wholeOther.length) {
    return wholeOne.length - wholeOther.length;
  }
  const length = Math.max(fractionOne.length, fractionOther.length);
  const [a, b] = [wholeOne + fractionOne.padEnd(length, "0"), wholeOther + fractionOther.padEnd(length, "0")];
  return a < b ? -1 : a > b ? 1 : 0;
}

function microsOf(text: string): number | undefined {
  const [, seconds, fraction = ""] = TIME.exec(text) ?? [];
  const ms = Date.parse(`${seconds}Z`);
  return Number.isNaN(ms) ? undefined : ms * 1000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    if (cause instanceof URIError) {
      return text;
    }
    throw cause;
  }
}

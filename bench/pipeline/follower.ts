/**
 * What a client of the pipeline benchmark makes of its messages once a burst is over: it tells up to which of the
 * exchange's frames each message reaches, and in the end whether everything that it was to hold is there.
 * Bad case: a side that loses, repeats or alters something; the check throws, and the benchmark fails.
 */
import { FRAME_CONFLATED, FRAME_DELTAS, FRAME_KIND_MASK, FRAME_SNAPSHOT, REPLICA_OK } from "../../assembly/layout.ts";
import type { BookSide } from "../../src/client/level_book.ts";
import { StreamBook } from "../../src/client/stream_book.ts";
import { mustEqual } from "../harness.ts";
import { type Change, type Level, updateText } from "./market.ts";
import { PlainBook, unitsOf } from "./plain_book.ts";
import type { SideName } from "./words.ts";

/** The client's end of one side. */
export type Follower = {
  /** The client can be sent to: what comes before the first frame is there. */
  readonly isReady: boolean;
  /** Takes one message. @returns time of the last frame that it holds, Unix µs; 0 when it holds none */
  take(message: Buffer, isText: boolean): number;
  /** @throws Error when not everything is as it should be after the changes that were sent */
  check(truth: PlainBook, sent: readonly SentFrame[]): void;
};

/** A frame as it was sent. */
export type SentFrame = { readonly changes: readonly Change[]; readonly atUs: number };

/** The follower of a side. */
export function followerOf(side: SideName): Follower {
  if (side === "ours") {
    return new StreamFollower();
  }
  return side === "bare pipe" ? new PipeFollower() : new StackFollower();
}

/** Ours: this project's client decodes, proves version chain and hashes, and holds the book. */
export class StreamFollower implements Follower {
  readonly #book = new StreamBook({ isVerified: true });
  #resets = 0;

  get isReady(): boolean {
    return this.#book.version.value > 0n;
  }

  take(message: Buffer, isText: boolean): number {
    if (isText) {
      this.#resets += message.includes('"type":"reset"') ? 1 : 0;
      return 0;
    }
    const kind = (message[0] ?? 0) & FRAME_KIND_MASK;
    if (kind !== FRAME_DELTAS && kind !== FRAME_SNAPSHOT && kind !== FRAME_CONFLATED) {
      return 0;
    }
    const before = this.#book.version.value;
    const code = this.#book.apply(message);
    if (code < REPLICA_OK) {
      throw new Error(`Cannot trust the stream: a message was refused, was ${code}`);
    }
    return kind === FRAME_DELTAS && this.#book.version.value > before ? Number(this.#book.eventAt.value / 1000n) : 0;
  }

  check({ bids, asks }: PlainBook): void {
    mustEqual("the stream: resets", this.#resets, 0);
    const { levels, priceExponent, quantityExponent } = this.#book;
    const exponents = [priceExponent, quantityExponent] as const;
    checkSide("bids", levels.bids, { truth: bids, exponents });
    checkSide("asks", levels.asks, { truth: asks, exponents });
  }
}

function checkSide(
  name: string,
  held: BookSide,
  { truth, exponents: [price, quantity] }: { truth: ReadonlyMap<string, string>; exponents: readonly [number, number] },
): void {
  mustEqual(`the client's ${name}: levels`, held.count, truth.size);
  for (const [at, size] of truth) {
    mustEqual(`the client's ${name} at ${at}`, held.quantityAt(unitsOf(at, price)), unitsOf(size, quantity));
  }
}

/** The bare pipe: every frame must come out as it went in. */
class PipeFollower implements Follower {
  readonly isReady = true;
  #texts: string[] = [];

  take(message: Buffer): number {
    const text = message.toString("utf8");
    this.#texts.push(text);
    return timeOf(text);
  }

  check(_truth: PlainBook, sent: readonly SentFrame[]): void {
    const texts = this.#texts;
    this.#texts = [];
    mustEqual("the bare pipe: frames", texts.length, sent.length);
    for (const [index, { changes, atUs }] of sent.entries()) {
      mustEqual("a frame of the bare pipe", texts[index] ?? "", updateText(changes, atUs));
    }
  }
}

/** The JSON stack: a client that parses and keeps maps, too. */
class StackFollower implements Follower {
  #book: PlainBook | undefined;
  #sequence = 0;

  get isReady(): boolean {
    return this.#book !== undefined;
  }

  take(message: Buffer): number {
    const parsed = JSON.parse(message.toString("utf8")) as StackMessage;
    if (parsed.type === "snapshot") {
      this.#book = new PlainBook(parsed.bids, parsed.asks);
      this.#sequence = parsed.sequence;
      return 0;
    }
    mustEqual("the stack: sequence", parsed.sequence, this.#sequence + 1);
    this.#sequence = parsed.sequence;
    this.#book?.apply(parsed.changes);
    return unixMicroseconds(parsed.time);
  }

  check(truth: PlainBook): void {
    for (const side of ["bids", "asks"] as const) {
      mustEqual(`the stack's ${side}: levels`, this.#book?.[side].size ?? 0, truth[side].size);
      for (const [price, quantity] of truth[side]) {
        mustEqual(`the stack's ${side} at ${price}`, this.#book?.[side].get(price) ?? "nothing", quantity);
      }
    }
  }
}

/** What the JSON stack sends. */
export type StackMessage =
  | { type: "snapshot"; product: string; sequence: number; bids: Level[]; asks: Level[] }
  | { type: "delta"; product: string; sequence: number; changes: Change[]; time: string };

const TIME = '"time":"';

/** The time in a frame's text, Unix µs. */
function timeOf(text: string): number {
  const at = text.lastIndexOf(TIME);
  return at < 0 ? 0 : unixMicroseconds(text.slice(at + TIME.length, text.lastIndexOf('"')));
}

/** RFC 3339 with microseconds as Unix µs. */
export function unixMicroseconds(time: string): number {
  return Date.parse(`${time.slice(0, 19)}Z`) * 1000 + Number(time.slice(20, 26));
}

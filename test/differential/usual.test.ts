/**
 * Frames in the form in which the exchanges write them, whole and damaged in every place: what the wasm kernel reads from
 * left to right in one go must be what the twin reads. Every frame ends with the last byte of the memory, so that reading
 * one byte more is a trap. Bad case: a book that left `synced`; the state is put back before each frame, because a frame
 * for a book that is not synced is refused before its levels are looked at.
 */
import { describe, expect, it } from "vitest";
import {
  APPLY_BOOK,
  APPLY_CHECKSUM_BAD,
  APPLY_CROSSED,
  APPLY_SNAPSHOT,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_STATE,
  STATE_SYNCED,
} from "../../assembly/layout.ts";
import { SegmentView } from "../../src/segment/view.ts";
import { firstDifference, RIG_SEGMENT, Rig } from "../support/rig.ts";
import { SeededRandom } from "../support/seeded_random.ts";

type ExchangeName = "coinbase_exchange" | "kraken" | "binance";
type Level = { side: "bid" | "ask"; price: string; quantity: string };
type Form = {
  readonly title: string;
  readonly exchange: ExchangeName;
  readonly native: string;
  readonly snapshot?: string;
  readonly rest?: string;
  readonly frame: (levels: readonly Level[]) => string;
};

const SEQUENCE = 500_000_000_000n;
const ODD = ["0", '"', " ", "e", ".", "\\", "]", "}", "-", "\u0000", "é"];
const RANDOM_FRAMES = 4000;
const COMPARE_EVERY = 64;
const SEED = 20_261_123;
const TIME = "2026-07-07T23:00:04.036583Z";
const WIDE: Level[] = [
  { side: "bid", price: "63501.84", quantity: "0.05990000" },
  { side: "ask", price: "63502.10", quantity: "12345678.12345678" },
];

function only(levels: readonly Level[], side: Level["side"]): Level[] {
  return levels.filter((level) => level.side === side);
}

function objects(levels: readonly Level[], side: Level["side"]): string {
  return only(levels, side)
    .map(({ price, quantity }) => `{"price":${price},"qty":${quantity}}`)
    .join(",");
}

function pairs(levels: readonly Level[], side: Level["side"]): string {
  return only(levels, side)
    .map(({ price, quantity }) => `["${price}","${quantity}"]`)
    .join(",");
}

function timed(levels: readonly Level[], side: Level["side"]): string {
  return only(levels, side)
    .map(
      ({ price, quantity }, at) =>
        `["${price}","${quantity}","1617666424.51760${at % 10}"${at % 3 === 2 ? ',"r"' : ""}]`,
    )
    .join(",");
}

function arrayFrame(levels: readonly Level[]): string {
  const [asks, bids] = [timed(levels, "ask"), timed(levels, "bid")];
  const both = asks !== "" && bids !== "" ? `{"a":[${asks}]},{"b":[${bids}],` : "";
  const one = asks === "" ? `{"b":[${bids}],` : `{"a":[${asks}],`;
  return `[320,${both === "" ? one : both}"c":"2546022176"},"book-10","XBT/USD"]`;
}

const DEPTH_BODY = `{"lastUpdateId":${SEQUENCE - 1n},"bids":[["63501.84","1.12345678"]],"asks":[["63503.00","2.00000000"]]}`;
const depthFrame = (levels: readonly Level[]): string =>
  `{"e":"depthUpdate","E":1617647604873,"s":"BTCUSDT","U":${SEQUENCE},"u":${SEQUENCE + 3n},"b":[${pairs(levels, "bid")}],"a":[${pairs(levels, "ask")}]}`;

const FORMS: readonly Form[] = [
  {
    title: "Coinbase's changes",
    exchange: "coinbase_exchange",
    native: "BTC-USD",
    snapshot: `{"type":"snapshot","product_id":"BTC-USD","asks":[["63503.10","1.00000001"]],"bids":[["63501.84","2.00000000"]],"time":"${TIME}"}`,
    frame: (levels) =>
      `{"type":"l2update","product_id":"BTC-USD","changes":[${levels
        .map(({ side, price, quantity }) => `["${side === "bid" ? "buy" : "sell"}","${price}","${quantity}"]`)
        .join(",")}],"time":"${TIME}"}`,
  },
  {
    title: "Kraken's v2 book",
    exchange: "kraken",
    native: "BTC/USD",
    snapshot: `{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":63501.84,"qty":1.00000001}],"asks":[{"price":63503.10,"qty":2.00000000}],"checksum":1,"timestamp":"${TIME}"}]}`,
    frame: (levels) =>
      `{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[${objects(levels, "bid")}],"asks":[${objects(levels, "ask")}],"checksum":1741843838,"timestamp":"${TIME}"}]}`,
  },
  {
    title: "Kraken's v1 book",
    exchange: "kraken",
    native: "XBT/USD",
    snapshot:
      '[320,{"as":[["63503.10","2.50700000","1534614248.123678"]],"bs":[["63501.84","1.00000001","1534614248.765567"]]},"book-10","XBT/USD"]',
    frame: arrayFrame,
  },
  { title: "Binance's depth", exchange: "binance", native: "BTCUSDT", rest: DEPTH_BODY, frame: depthFrame },
  {
    title: "Binance's depth in a stream",
    exchange: "binance",
    native: "BTCUSDT",
    rest: DEPTH_BODY,
    frame: (levels) => `{"stream":"btcusdt@depth@100ms","data":${depthFrame(levels)}}`,
  },
];

/** Both kernels, fed the same at the end of their memories. */
class Pair {
  readonly codes = new Map<number, number>();
  readonly #rigs: readonly Rig[];
  readonly #form: Form;
  readonly #view: SegmentView;
  #at = 0;
  #compared = 0;
  #fed = 0;

  constructor(form: Form) {
    this.#form = form;
    this.#rigs = (["wasm", "twin"] as const).map((name) => new Rig(name, form.exchange, [form.native]));
    const [wasm] = this.#rigs as [Rig];
    this.#view = new SegmentView(wasm.buffer, wasm.segment.address);
    for (const rig of this.#rigs) {
      if (form.snapshot === undefined) {
        rig.frame(Buffer.from(form.frame([])), 1);
        expect(rig.rest(form.native, Buffer.from(form.rest ?? ""), 1)).toBe("applied");
      } else {
        expect([APPLY_SNAPSHOT, APPLY_CHECKSUM_BAD]).toContain(rig.frame(Buffer.from(form.snapshot), 1));
      }
    }
  }

  /** Frames that met the book. */
  get applied(): number {
    return [APPLY_BOOK, APPLY_CHECKSUM_BAD, APPLY_CROSSED].reduce((sum, code) => sum + (this.codes.get(code) ?? 0), 0);
  }

  feed(frame: string | Uint8Array): void {
    const bytes = typeof frame === "string" ? Buffer.from(frame) : frame;
    this.#at += 1_000_000;
    const [wasm, twin] = this.#rigs.map((rig) => this.#apply(rig, bytes));
    if (wasm === undefined || wasm !== twin) {
      throw new Error(`Codes differ for ${Buffer.from(bytes).toString("latin1")}: wasm ${wasm}, twin ${twin}`);
    }
    this.codes.set(wasm, (this.codes.get(wasm) ?? 0) + 1);
    this.#fed += 1;
    if (this.#fed % COMPARE_EVERY === 0) {
      this.compare(Buffer.from(bytes).toString("latin1"));
    }
  }

  compare(frame: string): void {
    const [wasm, twin] = this.#rigs as [Rig, Rig];
    const tail = this.#view.deltaTail;
    expect(tail - this.#compared).toBeLessThan(RIG_SEGMENT.deltaCapacity);
    const ring = firstDifference(wasm.deltas(this.#compared, tail), twin.deltas(this.#compared, tail));
    expect([ring, firstDifference(wasm.head(), twin.head())], `up to ${frame}`).toEqual([-1, -1]);
    this.#compared = tail;
  }

  #apply(rig: Rig, bytes: Uint8Array): number {
    const block = rig.sync.instrument(this.#form.native)?.block.address ?? 0;
    const view = new DataView(rig.buffer);
    view.setUint32(block + INSTRUMENT_STATE, STATE_SYNCED, true);
    if (this.#form.exchange === "binance") {
      view.setBigUint64(block + INSTRUMENT_LAST_SEQUENCE, SEQUENCE - 1n, true);
    }
    const address = rig.buffer.byteLength - bytes.length;
    new Uint8Array(rig.buffer).set(bytes, address);
    const code = rig.kernel.apply(rig.sync.exchange.header.decoder, address, bytes.length, this.#at);
    rig.kernel.publish(this.#at);
    return code;
  }
}

/** Every cut of a frame, every place with another character, every place with one more. */
function* damaged(frame: string): Generator<string> {
  for (let at = 0; at <= frame.length; at++) {
    yield frame.slice(0, at);
    for (const odd of ODD) {
      yield frame.slice(0, at) + odd + frame.slice(at + 1);
      yield frame.slice(0, at) + odd + frame.slice(at);
    }
  }
}

function digits(random: SeededRandom, count: number): string {
  return Array.from({ length: count }, () => random.below(10)).join("");
}

/** Mostly what an exchange writes; now and then long, short, zero or with an exponent. */
function number(random: SeededRandom, decimals: number): string {
  const kind = random.below(24);
  if (kind === 0) {
    return `${random.below(99)}e-${random.below(9)}`;
  }
  if (kind === 1) {
    return String(random.below(100_000));
  }
  if (kind === 2) {
    return `${1 + random.below(9)}${digits(random, random.below(18))}.${digits(random, 1 + random.below(18))}`;
  }
  const places = kind < 8 ? 1 + random.below(decimals + 3) : decimals;
  const zeros = kind < 5 ? random.below(places + 1) : 0;
  return `${random.below(70_000)}.${digits(random, places - zeros)}${"0".repeat(zeros)}`;
}

function randomLevels(random: SeededRandom): Level[] {
  const count = random.below(8) === 0 ? random.below(40) : 1 + random.below(4);
  const levels = Array.from({ length: count }, (): Level => {
    const quantity = random.below(3) === 0 ? "0.00000000" : number(random, 8);
    return { side: random.below(2) === 0 ? "bid" : "ask", price: number(random, 2), quantity };
  });
  for (let at = 1; at < levels.length; at++) {
    const earlier = levels[random.below(at)];
    const level = levels[at];
    if (random.below(6) === 0 && earlier !== undefined && level !== undefined) {
      levels[at] = { ...level, side: earlier.side, price: earlier.price };
    }
  }
  return random.below(2) === 0 ? levels : levels.sort((a, b) => Number(b.price) - Number(a.price));
}

describe("frames in their usual form", () => {
  for (const form of FORMS) {
    it(`${form.title} is read alike, and no byte behind it, when it is damaged in any place`, () => {
      const pair = new Pair(form);
      pair.feed(form.frame(WIDE));
      for (const frame of damaged(form.frame(WIDE))) {
        pair.feed(frame);
      }
      pair.compare("the end");
      expect(pair.applied).toBeGreaterThan(30);
    });

    it(`${form.title} leads to the same records when its levels are random`, () => {
      const random = new SeededRandom(SEED);
      const pair = new Pair(form);
      for (let index = 0; index < RANDOM_FRAMES; index++) {
        pair.feed(form.frame(randomLevels(random)));
      }
      pair.compare("the end");
      expect(pair.applied, `seed ${SEED}`).toBeGreaterThan(RANDOM_FRAMES / 50);
    });
  }
});

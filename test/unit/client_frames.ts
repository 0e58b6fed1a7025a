/**
 * Frames of the binary form as the real encoder makes them from a real producer's records, the producer's books by
 * version, and clients that are given such frames. Bad case: a recording without a check at its end; damage in its last
 * frame would go unseen, hence the last frame carries one.
 */
import { INSTRUMENT_VERSION } from "../../assembly/layout.ts";
import { type ClientEvent, connect, type JsonLevel } from "../../src/client/mod.ts";
import { decimalUnits } from "../../src/wire/numbers.ts";
import { Rig } from "../support/rig.ts";
import { Tap } from "../support/tap.ts";
import { WHOLE_BOOK } from "./client_follow.ts";
import { Scene } from "./client_scene.ts";

/** The instrument of the frames. */
export const INSTRUMENT = "coinbase_exchange:BTC-USD";
/** Another one, whose alias is a bit away; the trades are its. */
const NEIGHBOUR = "coinbase_exchange:ETH-USD";
const ALIAS = 77;
const NEIGHBOUR_ALIAS = 76;
const PART_BYTES = 128;
const UPDATES = 5;
const LEVELS = 20;

/** What the server says of both. */
export const STATUS = {
  state: "synced",
  assurance: "inferred",
  reason: "none",
  sinceNs: "5",
  trading: "open",
  priceExponent: 2,
  quantityExponent: 1,
} as const;

type Frame = Uint8Array<ArrayBuffer>;

/** Frames in the order in which they are sent, and the producer's book at each version that a client may hold. */
export type FrameSet = {
  readonly snapshot: Frame[];
  readonly deltas: Frame[];
  /** Trades and best prices. */
  readonly others: Frame[];
  readonly books: Map<string, string>;
};

/** Records a snapshot in several parts, deltas of which the last proves the book, a trade and a best price. */
export function recordFrames(): FrameSet {
  const rig = new Rig("twin", "coinbase_exchange", ["BTC-USD"]);
  const tap = new Tap(rig, { partBytes: PART_BYTES, tradesAlias: NEIGHBOUR_ALIAS });
  const books = new Map<string, string>();
  const send = (frame: object, second: number) => {
    const time = `2024-01-01T00:00:0${second}.123456Z`;
    const text = JSON.stringify({ product_id: "BTC-USD", time, ...frame });
    rig.frame(new TextEncoder().encode(text), 1e9 * second + second);
    books.set(versionOf(rig), bookText(rig.book("BTC-USD")));
    return tap.take();
  };
  const levels = (sign: number) =>
    Array.from({ length: LEVELS }, (_, index) => level(100 + sign * (index + 1.25), 12_345.5 + index * 1234));
  send({ type: "snapshot", bids: levels(-1), asks: levels(1) }, 0);
  const snapshot = tap.snapshots().filter(({ kind }) => kind === "snapshot");
  const sent = Array.from({ length: UPDATES }, (_, index) => send(updateOf(index + 1), index + 1));
  const traded = send({ type: "match", trade_id: 7, side: "sell", size: "1.5", price: "99.5", sequence: 9 }, 6);
  const deltas = sent.flat().filter(({ kind }) => kind === "deltas");
  const best = sent.flat().filter(({ kind }) => kind === "bbo");
  const trades = traded.filter(({ kind }) => kind === "trades");
  const bytesOf = (frames: readonly { bytes: Frame }[]) => frames.map(({ bytes }) => bytes);
  return {
    snapshot: bytesOf(snapshot),
    deltas: bytesOf(deltas),
    others: bytesOf([...trades, ...best.slice(-1)]),
    books,
  };
}

/** A client that has subscribed both instruments. */
export function watch() {
  const scene = new Scene();
  const { WebSocket, ...runtime } = scene.runtime;
  const client = connect("ws://test/ws", { WebSocket, runtime });
  const events: ClientEvent[] = [];
  client.on((event) => events.push(event));
  scene.open();
  client.subscribe({ channels: ["book"], instruments: ["*:*"] });
  for (const [instrument, alias] of [
    [INSTRUMENT, ALIAS],
    [NEIGHBOUR, NEIGHBOUR_ALIAS],
  ] as const) {
    scene.say({ type: "subscribed", id: 1, channel: "book", instrument, alias, ...WHOLE_BOOK, ...STATUS });
  }
  return {
    scene,
    client,
    events,
    /** Gives it frames, as long as it listens. */
    say(frames: readonly Frame[]): void {
      for (const frame of frames) {
        scene.socket.onmessage?.({ data: frame.buffer });
      }
    },
    /** What is wrong with a book that it calls right and proved; empty when nothing is. */
    wrong(books: ReadonlyMap<string, string>): string {
      const named = [INSTRUMENT, NEIGHBOUR].map((instrument) => {
        const book = client.peek(instrument);
        const isProved = book?.isSynced === true && book.version === book.provedVersion;
        const isRight = book === undefined || (instrument === INSTRUMENT && heldText(book) === books.get(book.version));
        return isProved && !isRight ? ` ${instrument} ${book?.version}` : "";
      });
      return named.join("");
    },
  };
}

function updateOf(event: number): object {
  const many = Array.from({ length: 18 }, (_, index) => ["buy", ...level(80 - index / 4, event + index)]);
  const few = [
    ["sell", ...level(101, event % 2 === 0 ? 0 : event)],
    ["buy", ...level(99, event)],
  ];
  return { type: "l2update", changes: event === 3 ? many : few };
}

function level(price: number, size: number): [string, string] {
  return [price.toFixed(2), size.toFixed(1)];
}

function versionOf(rig: Rig): string {
  const address = rig.sync.instrument("BTC-USD")?.block.address ?? 0;
  return String(new DataView(rig.buffer).getBigUint64(address + INSTRUMENT_VERSION, true));
}

type Sides = { bids: Map<bigint, bigint>; asks: Map<bigint, bigint> };

function bookText(book: Sides | undefined): string {
  const side = (levels: Map<bigint, bigint> = new Map()) => [...levels].map(([price, size]) => `${price}:${size}`);
  return `${side(book?.bids)} | ${side(book?.asks)}`;
}

function heldText({ bids, asks }: { bids: JsonLevel[]; asks: JsonLevel[] }): string {
  const side = (levels: JsonLevel[]) => new Map(levels.map(([price, size]) => [units(price), units(size)]));
  return bookText({ bids: side(bids), asks: side(asks) });
}

function units(text: string): bigint {
  return decimalUnits(text, 18) ?? -1n;
}

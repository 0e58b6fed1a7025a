/**
 * The golden vectors, passed by the client of browsers: its decoder field by field, and the whole client behind a fake
 * socket, as a page would see it. Bad case: a refused vector whose reason the decoder tells otherwise than the kernels.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  REPLICA_CHAIN_BROKEN,
  REPLICA_EMPTY,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_STATE_EMPTY,
} from "../../assembly/layout.ts";
import { packageFolder } from "../../src/assets.ts";
import { type ClientEvent, connect } from "../../src/client/mod.ts";
import { StreamBook } from "../../src/client/stream_book.ts";
import { decimalText } from "../../src/wire/numbers.ts";
import { readVectors, VECTORS_FILE } from "../support/stream_golden/mod.ts";
import { type BookState, type LevelText, STATUS } from "../support/stream_golden/model.ts";
import type { Outcome, Vector } from "../support/stream_golden/vector.ts";
import { bytesOf } from "../support/stream_golden/writer.ts";
import { Scene } from "./client_scene.ts";

const VECTORS = readVectors(readFileSync(join(packageFolder(), VECTORS_FILE), "utf8"));
const INSTRUMENT = "golden:BTC-USD";
const OUTCOMES: ReadonlyMap<number, Outcome> = new Map([
  [REPLICA_EMPTY, "skipped"],
  [REPLICA_CHAIN_BROKEN, "chain"],
  [REPLICA_HASH_MISMATCH, "hash"],
  [REPLICA_INCONSISTENT, "inconsistent"],
]);
const STATUS_MESSAGE = {
  state: "synced",
  assurance: "sequence",
  reason: "none",
  sinceNs: "5",
  trading: "open",
} as const;

function frameOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytesOf(text));
}

function stateOf(book: StreamBook): BookState {
  const { bids, asks } = book.levels;
  const levels = (side: typeof bids) =>
    Array.from({ length: side.count }, (_, rank): LevelText => [String(side.price(rank)), String(side.quantity(rank))]);
  return {
    epoch: book.epoch,
    version: book.version.text,
    hash: book.levels.hash >>> 0,
    chain: book.chain >>> 0,
    status: book.flags,
    eventAtNs: book.eventAt.text,
    receivedAtNs: book.receivedAt.text,
    sequence: book.sequence.text,
    priceExponent: book.priceExponent,
    quantityExponent: book.quantityExponent,
    bids: levels(bids),
    asks: levels(asks),
  };
}

/** Aliases stand behind the first byte, or the vector's frames are too short to have one. */
function aliasOf({ before, messages }: Vector): number {
  const bytes = bytesOf(before?.messages[0] ?? messages[0] ?? "").slice(1, 6);
  const end = bytes.findIndex((byte) => byte < 0x80);
  return bytes.slice(0, end + 1).reduce((alias, byte, index) => alias + (byte & 0x7f) * 2 ** (7 * index), 0);
}

/** A client that has subscribed what a vector is about, and was told everything of it. */
function play(vector: Vector) {
  const scene = new Scene();
  const { WebSocket, ...runtime } = scene.runtime;
  const client = connect("ws://test/ws", { WebSocket, runtime, form: vector.form });
  const events: ClientEvent[] = [];
  client.on((event) => events.push(event));
  scene.open();
  const { priceExponent, quantityExponent } = vector;
  const alias = vector.form === "binary" ? aliasOf(vector) : 3;
  const view = { instrument: INSTRUMENT, alias, depth: 0, rateMs: 0, policy: "conflate", resumed: false };
  const status = { ...STATUS_MESSAGE, priceExponent, quantityExponent };
  const channel = vector.trades !== undefined ? "trades" : vector.bbo !== undefined ? "bbo" : "book";
  scene.say({ type: "subscribed", id: 1, channel, ...view, ...status });
  for (const message of [...(vector.before?.messages ?? []), ...vector.messages]) {
    scene.socket.onmessage?.({ data: vector.form === "json" ? message : frameOf(message).buffer });
  }
  return { client, events };
}

function scaled(vector: Vector, levels: readonly LevelText[]): LevelText[] {
  return levels.map(([price, quantity]) => [
    decimalText(BigInt(price), vector.priceExponent),
    decimalText(BigInt(quantity), vector.quantityExponent),
  ]);
}

const BOOKS = VECTORS.filter(({ form, trades, bbo, outcome }) => {
  return form === "binary" && trades === undefined && bbo === undefined && outcome !== "malformed";
});

describe("The client's decoder", () => {
  it.each(BOOKS.map((vector) => [vector.name, vector]))("passes %s", (_name, vector) => {
    const book = new StreamBook({ isVerified: true });
    for (const message of vector.before?.messages ?? []) {
      expect(book.apply(frameOf(message))).toBe(REPLICA_OK);
    }
    if (vector.before !== null) {
      expect(stateOf(book)).toEqual(vector.before.state);
    }
    const codes = vector.messages.map((message) => book.apply(frameOf(message)));
    if (vector.after === undefined) {
      expect(OUTCOMES.get(codes.at(-1) ?? REPLICA_OK)).toBe(vector.outcome);
      expect(book.state).toBe(REPLICA_STATE_EMPTY);
    } else {
      expect(codes).toEqual(codes.map(() => REPLICA_OK));
      expect(stateOf(book)).toEqual(vector.after);
    }
  });
});

describe("The client", () => {
  it.each(VECTORS.filter(({ after }) => after !== undefined).map((vector) => [vector.name, vector]))(
    "shows the book of %s",
    (_name, vector) => {
      const { client, events } = play(vector);
      const { after } = vector;
      const status = after?.status ?? 0;
      expect(events.filter(({ type }) => type === "resync")).toEqual([]);
      expect(client.peek(INSTRUMENT)).toMatchObject({
        isSynced: (status & STATUS.notSynced) === 0,
        isCrossed: (status & STATUS.crossed) !== 0,
        version: after?.version,
        hash: after?.hash,
        bids: scaled(vector, after?.bids ?? []),
        asks: scaled(vector, after?.asks ?? []),
        eventAtNs: after?.eventAtNs,
        receivedAtNs: after?.receivedAtNs,
      });
    },
  );

  it.each(VECTORS.filter(({ trades, bbo }) => (trades ?? bbo) !== undefined).map((vector) => [vector.name, vector]))(
    "tells what %s says",
    (_name, vector) => {
      const { events } = play(vector);
      const told = events.filter(({ type }) => type === "trade" || type === "bbo");
      const trades = (vector.trades ?? []).map(({ price, quantity, sequence: _sequence, ...rest }) => {
        const [[ticks, lots] = ["", ""]] = scaled(vector, [[price, quantity]]);
        return { type: "trade", instrument: INSTRUMENT, ...rest, price: ticks, quantity: lots };
      });
      const { bbo } = vector;
      const best = bbo && {
        type: "bbo",
        instrument: INSTRUMENT,
        ...bbo,
        bid: bbo.bid && scaled(vector, [bbo.bid])[0],
        ask: bbo.ask && scaled(vector, [bbo.ask])[0],
      };
      expect(told).toEqual(best === undefined ? trades : [best]);
    },
  );

  it.each(VECTORS.filter(({ outcome }) => outcome !== undefined).map((vector) => [vector.name, vector]))(
    "shows no book after %s",
    (_name, vector) => {
      const { client, events } = play(vector);
      const isDropped = client.peek(INSTRUMENT) === undefined && events.some(({ type }) => type === "resync");
      const isGivenUp = client.state !== "open";
      expect(isDropped || isGivenUp || client.counts.malformed > 0).toBe(true);
      expect(events.filter(({ type }) => type === "trade" || type === "bbo")).toEqual([]);
      if (vector.form === "json" && isDropped) {
        expect(events.filter(({ type }) => type === "resync")).toMatchObject([{ reason: vector.outcome }]);
      }
      client.close();
    },
  );
});

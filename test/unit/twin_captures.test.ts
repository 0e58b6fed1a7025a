/**
 * The twin's decoders on what real exchanges sent: books, trades, checksums and counts must be those that an independent
 * program rebuilt. The records are followed by a replica, coded for the stream and followed again by a client.
 * Bad case: the captures are missing; the tests skip and say so.
 */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  AGGRESSOR_BUY,
  APPLY_CONTROL,
  COUNTER_BOOK_UPDATES,
  COUNTER_CHECKSUM_BAD,
  COUNTER_CHECKSUM_OK,
  COUNTER_DECODE_ERRORS,
  COUNTER_GAPS,
  COUNTER_LIMITS,
  COUNTER_OVERFLOWS,
  COUNTER_TRADE_GAPS,
  COUNTER_UNKNOWN_KINDS,
  DECODER_BINANCE,
  DECODER_COINBASE_EXCHANGE,
  DECODER_KRAKEN,
  DELTA_BYTES,
  DELTA_INSTRUMENT_ID,
  IMAGE_OK,
  INSTRUMENT_BOOK,
  INSTRUMENT_DEPTH,
  INSTRUMENT_STATE,
  REPLICA_BOOK,
  REPLICA_FRAME_ADDRESS,
  REPLICA_INSTRUMENT_ID,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STATE,
  REPLICA_STATE_FOLLOWING,
  RING_DELTAS,
  RING_TRADES,
  STATE_SYNCED,
  TRADE_AGGRESSOR,
  TRADE_BYTES,
  TRADE_FLAG_HISTORY,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_LENGTH,
  TRADE_INSTRUMENT_ID,
  TRADE_PRICE,
  TRADE_QUANTITY,
} from "../../assembly/layout.ts";
import { createClientKernel, createTwin } from "../../src/kernel/twin/mod.ts";
import { type CaptureLine, capturesPresent, type ExpectedCapture, expected, readCapture } from "../support/captures.ts";
import { Rig, SEGMENT } from "./twin_rig.ts";

const DECODERS: Record<string, number> = {
  coinbase_exchange: DECODER_COINBASE_EXCHANGE,
  kraken: DECODER_KRAKEN,
  binance: DECODER_BINANCE,
  binance_us: DECODER_BINANCE,
};
const POLL = 256;
const FRAME_ROOM = 524288;

/** Follows the segment of a rig: a replica with an encode buffer, and a client kernel fed by its frames, per id. */
class Follower {
  readonly rig: Rig;
  readonly trades = new Map<string, { count: number; hash: ReturnType<typeof createHash> }>();
  readonly #deltas: number;
  readonly #trades: number;
  readonly #replicas = new Map<number, { replica: number; client: number }>();
  readonly #client = createClientKernel(new ArrayBuffer(64 * 1048576));
  readonly #clientBytes = new Uint8Array(this.#client.buffer);
  readonly #clientWords = new Int32Array(this.#client.buffer);
  readonly #out: number;
  frames = 0;

  constructor(rig: Rig) {
    this.rig = rig;
    this.#client.arenaInit(FRAME_ROOM * 2, 32 * 1048576);
    this.#deltas = rig.kernel.readerCreate(SEGMENT, RING_DELTAS);
    this.#trades = rig.kernel.readerCreate(SEGMENT, RING_TRADES);
    this.#out = rig.kernel.arenaAllocate(POLL * DELTA_BYTES);
  }

  poll(): void {
    const { kernel } = this.rig;
    for (let count = POLL; count === POLL; ) {
      count = kernel.readerPoll(this.#deltas, this.#out, POLL);
      expect(count).toBeGreaterThanOrEqual(0);
      for (let i = 0; i < count; i++) {
        this.#follow(this.#out + i * DELTA_BYTES);
      }
    }
    for (let count = POLL; count === POLL; ) {
      count = kernel.readerPoll(this.#trades, this.#out, POLL);
      expect(count).toBeGreaterThanOrEqual(0);
      for (let i = 0; i < count; i++) {
        this.#noteTrade(this.#out + i * TRADE_BYTES);
      }
    }
  }

  #pair(id: number): { replica: number; client: number } {
    let pair = this.#replicas.get(id);
    if (pair === undefined) {
      const { kernel, words } = this.rig;
      pair = { replica: kernel.replicaCreate(), client: this.#client.replicaCreate() };
      this.#replicas.set(id, pair);
      words[(pair.replica + REPLICA_INSTRUMENT_ID) >>> 2] = id;
      expect(kernel.frameBufferCreate(pair.replica, 65536)).toBe(0);
      kernel.replicaBegin(pair.replica);
      this.#send(id, pair, true);
    }
    return pair;
  }

  #follow(record: number): void {
    const { kernel, words } = this.rig;
    const id = words[(record + DELTA_INSTRUMENT_ID) >>> 2] ?? 0;
    const pair = this.#pair(id);
    const code = kernel.replicaApply(pair.replica, record);
    if (code === REPLICA_RESET) {
      const entry = this.rig.ids[id - 1]?.entry ?? 0;
      expect(kernel.imageLoad(pair.replica, SEGMENT, entry)).toBe(IMAGE_OK);
      this.#send(id, pair, true);
      return;
    }
    expect([REPLICA_OK, 2]).toContain(code);
    this.#send(id, pair, false);
  }

  /** Sends what the replica coded, or a snapshot, to the client. */
  #send(id: number, pair: { replica: number; client: number }, isSnapshot: boolean): void {
    const { kernel, words, bytes, frame } = this.rig;
    if (isSnapshot) {
      words[(pair.replica + 104) >>> 2] = 0;
      while (words[(pair.replica + 104) >>> 2] !== -1) {
        const length = kernel.snapshotEncode(pair.replica, frame, 4096);
        expect(length).toBeGreaterThan(0);
        this.#receive(pair.client, bytes.subarray(frame, frame + length));
      }
      return;
    }
    const length = kernel.frameTake(pair.replica, id % 2);
    if (length > 0) {
      const start = words[(pair.replica + REPLICA_FRAME_ADDRESS) >>> 2] ?? 0;
      this.#receive(pair.client, bytes.subarray(start, start + length));
    }
  }

  #receive(client: number, frame: Uint8Array): void {
    this.#clientBytes.set(frame, 0);
    const code = this.#client.frameApply(client, 0, frame.length);
    if (code !== REPLICA_OK) {
      expect(code).toBe(REPLICA_OK);
    }
    this.frames++;
  }

  /** Hash of the client's book of an id. */
  clientHash(id: number): number {
    const { client } = this.#pair(id);
    expect(this.#clientWords[(client + REPLICA_STATE) >>> 2]).toBe(REPLICA_STATE_FOLLOWING);
    return this.#client.bookHash(this.#clientWords[(client + REPLICA_BOOK) >>> 2] ?? 0);
  }

  #noteTrade(record: number): void {
    const { rig } = this;
    if ((rig.view.getUint16(record + TRADE_FLAGS, true) & TRADE_FLAG_HISTORY) !== 0) {
      return;
    }
    const opened = rig.ids[rig.word(record, TRADE_INSTRUMENT_ID) - 1];
    expect(opened).toBeDefined();
    if (opened === undefined) {
      return;
    }
    const start = record + TRADE_ID;
    const id = new TextDecoder().decode(rig.bytes.slice(start, start + (rig.bytes[record + TRADE_ID_LENGTH] ?? 0)));
    const side = rig.bytes[record + TRADE_AGGRESSOR] === AGGRESSOR_BUY ? "buy" : "sell";
    const price = rig.text(rig.view.getBigInt64(record + TRADE_PRICE, true), opened.price);
    const quantity = rig.text(rig.view.getBigInt64(record + TRADE_QUANTITY, true), opened.quantity);
    const entry = this.trades.get(opened.symbol) ?? { count: 0, hash: createHash("sha256") };
    entry.count++;
    entry.hash.update(`${id} ${side} ${price} ${quantity}\n`);
    this.trades.set(opened.symbol, entry);
  }
}

/** Runs the lines of captures through a rig. */
function replay(rig: Rig, follower: Follower, exchange: string, lines: CaptureLine[]): number {
  const decoder = DECODERS[exchange] ?? 0;
  let received = 0;
  for (const line of lines) {
    const text = line.data ?? "";
    if (line.t === "recv") {
      received++;
      const code = rig.feed(decoder, text, received);
      if (code === APPLY_CONTROL && exchange === "kraken") {
        noteDepth(rig, text);
      }
    } else if (line.t === "http" && line.url?.includes("depth") === true) {
      const symbol = new URL(line.url).searchParams.get("symbol") ?? "";
      if (rig.word(rig.instrument(symbol), INSTRUMENT_STATE) !== STATE_SYNCED) {
        rig.seed(decoder, symbol, text, received);
      }
    } else {
      continue;
    }
    rig.kernel.publish(received);
    follower.poll();
  }
  return received;
}

/** Takes the depth of a Kraken v2 book from its acknowledgement. */
function noteDepth(rig: Rig, text: string): void {
  const message = JSON.parse(text) as { result?: { channel?: string; symbol?: string; depth?: number } };
  const { channel, symbol, depth } = message.result ?? {};
  if (channel === "book" && symbol !== undefined && depth !== undefined) {
    rig.words[(rig.instrument(symbol) + INSTRUMENT_DEPTH) >>> 2] = depth;
  }
}

function digestOf(book: { bids: [string, string][]; asks: [string, string][] }): string {
  const hash = createHash("sha256");
  for (const [price, quantity] of book.bids) {
    hash.update(`b ${price} ${quantity}\n`);
  }
  for (const [price, quantity] of book.asks) {
    hash.update(`a ${price} ${quantity}\n`);
  }
  return hash.digest("hex");
}

function check(want: ExpectedCapture): void {
  const rig = new Rig(createTwin, { instruments: 64, imageLevels: 65536, deltaCapacity: 8192 });
  const follower = new Follower(rig);
  const frames = replay(rig, follower, want.exchange, want.files.flatMap(readCapture));
  expect(frames).toBe(want.counts.frames);
  expect(rig.counter(COUNTER_BOOK_UPDATES)).toBe(want.counts.bookUpdates);
  expect(rig.counter(COUNTER_CHECKSUM_OK)).toBe(want.counts.checksumOk ?? 0);
  const faults = [
    COUNTER_CHECKSUM_BAD,
    COUNTER_DECODE_ERRORS,
    COUNTER_GAPS,
    COUNTER_LIMITS,
    COUNTER_OVERFLOWS,
    COUNTER_TRADE_GAPS,
    COUNTER_UNKNOWN_KINDS,
  ];
  expect(faults.map((counter) => rig.counter(counter))).toEqual(faults.map(() => 0));
  for (const [symbol, book] of Object.entries(want.books)) {
    const block = rig.instrument(symbol);
    const held = rig.textBook(block);
    expect([symbol, held.bids.length, held.asks.length]).toEqual([symbol, book.bidLevels, book.askLevels]);
    expect(held.bids.slice(0, 10)).toEqual(book.bids);
    expect(held.asks.slice(0, 10)).toEqual(book.asks);
    expect(digestOf(held)).toBe(book.digest);
    expect(follower.clientHash(rig.current(block).id)).toBe(rig.kernel.bookHash(rig.word(block, INSTRUMENT_BOOK)));
  }
  const trades = [...follower.trades].map(([symbol, { count, hash }]) => [
    symbol,
    { count, digest: hash.digest("hex") },
  ]);
  expect(Object.fromEntries(trades)).toEqual(want.trades);
}

const present = capturesPresent();
const wanted = present ? Object.entries(expected()) : [];
const ours = wanted.filter(([, capture]) => capture.exchange in DECODERS);

describe.skipIf(!present)("twin decoders", () => {
  it.each(ours)("rebuild books, trades and counts when %s is replayed", (_, capture) => check(capture), 60_000);

  it.each([
    "kraken/v1_ticker_10pairs_20210405.jsonl.gz",
    "kraken/v1_trade_10pairs_20210405.jsonl.gz",
    "binance/spot_btcusdt_ethusdt_20260707_nosnapshot.jsonl.gz",
  ])("find no fault when %s is replayed", (file) => {
    const rig = new Rig(createTwin);
    const exchange = file.split("/")[0] ?? "";
    replay(rig, new Follower(rig), exchange, readCapture(file));
    expect(rig.counter(COUNTER_DECODE_ERRORS) + rig.counter(COUNTER_UNKNOWN_KINDS)).toBe(0);
  });
});

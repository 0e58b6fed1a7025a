/**
 * The twin from end to end on what real exchanges sent: books, trades, checksums and counts must be those that an
 * independent program rebuilt. Every record is followed by a replica, coded for the stream and followed by a client.
 * The large captures run in test/captures. Bad case: the captures are missing; the tests skip and say so.
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
  REPLICA_NEXT_LEVEL,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
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
const FAULTS = [
  COUNTER_CHECKSUM_BAD,
  COUNTER_DECODE_ERRORS,
  COUNTER_GAPS,
  COUNTER_LIMITS,
  COUNTER_OVERFLOWS,
  COUNTER_TRADE_GAPS,
  COUNTER_UNKNOWN_KINDS,
];
const POLL = 256;
const MEBIBYTE = 1048576;
const SECONDS_60 = 60_000;
const BUFFER_BYTES = 65536;
const PART_BYTES = 4096;

/** Fails the run: a helper may not assert, it throws. */
function must(isTrue: boolean, what: string): void {
  if (!isTrue) {
    throw new Error(`Cannot follow the segment: ${what}`);
  }
}

/** Follows the segment of a rig: a replica with an encode buffer, and a client kernel fed by its frames, per id. */
class Follower {
  readonly rig: Rig;
  readonly trades = new Map<string, { count: number; hash: ReturnType<typeof createHash> }>();
  readonly #deltas: number;
  readonly #trades: number;
  readonly #pairs = new Map<number, { replica: number; client: number }>();
  readonly #client = createClientKernel(new ArrayBuffer(4 * MEBIBYTE));
  readonly #clientBytes = new Uint8Array(this.#client.buffer);
  readonly #clientWords = new Int32Array(this.#client.buffer);
  readonly #out: number;

  constructor(rig: Rig) {
    this.rig = rig;
    this.#client.arenaInit(MEBIBYTE, 2 * MEBIBYTE);
    this.#deltas = rig.kernel.readerCreate(SEGMENT, RING_DELTAS);
    this.#trades = rig.kernel.readerCreate(SEGMENT, RING_TRADES);
    this.#out = rig.kernel.arenaAllocate(POLL * DELTA_BYTES);
  }

  /** Follows everything published since the last call. */
  poll(): void {
    this.#drain(this.#deltas, DELTA_BYTES, (record) => this.#follow(record));
    this.#drain(this.#trades, TRADE_BYTES, (record) => this.#noteTrade(record));
  }

  #drain(reader: number, bytes: number, take: (record: number) => void): void {
    for (let count = POLL; count === POLL; ) {
      count = this.rig.kernel.readerPoll(reader, this.#out, POLL);
      must(count >= 0, `the reader was lapped, was ${count}`);
      for (let i = 0; i < count; i++) {
        take(this.#out + i * bytes);
      }
    }
  }

  #pair(id: number): { replica: number; client: number } {
    let pair = this.#pairs.get(id);
    if (pair === undefined) {
      const { kernel, words } = this.rig;
      pair = { replica: kernel.replicaCreate(), client: this.#client.replicaCreate() };
      this.#pairs.set(id, pair);
      words[(pair.replica + REPLICA_INSTRUMENT_ID) >>> 2] = id;
      must(kernel.frameBufferCreate(pair.replica, BUFFER_BYTES) === 0, "no room for the encode buffer");
      kernel.replicaBegin(pair.replica);
      this.#sendSnapshot(pair);
    }
    return pair;
  }

  #follow(record: number): void {
    const { kernel } = this.rig;
    const id = this.rig.word(record, DELTA_INSTRUMENT_ID);
    const pair = this.#pair(id);
    const code = kernel.replicaApply(pair.replica, record);
    if (code === REPLICA_RESET) {
      must(kernel.imageLoad(pair.replica, SEGMENT, this.rig.ids[id - 1]?.entry ?? 0) === IMAGE_OK, "no image");
      this.#sendSnapshot(pair);
      return;
    }
    must(code === REPLICA_OK || code === REPLICA_STALE, `the record was refused, was ${code}`);
    const length = kernel.frameTake(pair.replica, id % 2);
    if (length > 0) {
      const start = this.rig.word(pair.replica, REPLICA_FRAME_ADDRESS);
      this.#receive(pair.client, this.rig.bytes.subarray(start, start + length));
    }
  }

  #sendSnapshot(pair: { replica: number; client: number }): void {
    const { kernel, words, bytes, frame } = this.rig;
    words[(pair.replica + REPLICA_NEXT_LEVEL) >>> 2] = 0;
    while (this.rig.word(pair.replica, REPLICA_NEXT_LEVEL) !== -1) {
      const length = kernel.snapshotEncode(pair.replica, frame, PART_BYTES);
      this.#receive(pair.client, bytes.subarray(frame, frame + length));
    }
  }

  #receive(client: number, frame: Uint8Array): void {
    this.#clientBytes.set(frame, 0);
    const code = this.#client.frameApply(client, 0, frame.length);
    must(code === REPLICA_OK, `the client refused a frame, was ${code}`);
  }

  /** Hash of the client's book of an id; −1 when it has none. */
  clientHash(id: number): number {
    const { client } = this.#pair(id);
    const isFollowing = this.#clientWords[(client + REPLICA_STATE) >>> 2] === REPLICA_STATE_FOLLOWING;
    return isFollowing ? this.#client.bookHash(this.#clientWords[(client + REPLICA_BOOK) >>> 2] ?? 0) : -1;
  }

  #noteTrade(record: number): void {
    const { rig } = this;
    const opened = rig.ids[rig.word(record, TRADE_INSTRUMENT_ID) - 1];
    const isHistory = (rig.view.getUint16(record + TRADE_FLAGS, true) & TRADE_FLAG_HISTORY) !== 0;
    if (isHistory || opened === undefined) {
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

/** Everything that one capture leaves behind, in the form of expected.json. */
function rebuild(want: ExpectedCapture) {
  const rig = new Rig(createTwin, { instruments: 64, imageLevels: 65536, deltaCapacity: 8192 });
  const follower = new Follower(rig);
  const frames = replay(rig, follower, want.exchange, want.files.flatMap(readCapture));
  const books = Object.keys(want.books).map((symbol) => {
    const block = rig.instrument(symbol);
    const { bids, asks } = rig.textBook(block);
    const isFollowed =
      follower.clientHash(rig.current(block).id) === rig.kernel.bookHash(rig.word(block, INSTRUMENT_BOOK));
    const best = { bids: bids.slice(0, 10), asks: asks.slice(0, 10), digest: digestOf({ bids, asks }) };
    return [symbol, { bidLevels: bids.length, askLevels: asks.length, ...best, isFollowed }] as const;
  });
  const trades = [...follower.trades].map(([symbol, { count, hash }]) => [
    symbol,
    { count, digest: hash.digest("hex") },
  ]);
  return {
    frames,
    bookUpdates: rig.counter(COUNTER_BOOK_UPDATES),
    checksumOk: rig.counter(COUNTER_CHECKSUM_OK),
    faults: FAULTS.map((counter) => rig.counter(counter)),
    books: Object.fromEntries(books),
    trades: Object.fromEntries(trades) as ExpectedCapture["trades"],
  };
}

const FILES = [
  "coinbase_exchange/level2_batch_matches_heartbeat_20260707.jsonl.gz",
  "kraken/v2_book10_trade_btcusd_ethusd_20260707_first1800.jsonl.gz",
  "kraken/v1_book1000_10pairs_20210405.jsonl.gz",
  "binance_us/spot_4pairs_20210814.jsonl.gz",
  "binance_us/spot_10pairs_20210405.jsonl.gz",
];

describe.skipIf(!capturesPresent())("twin decoders", () => {
  it.each(FILES)(
    "rebuild and stream books, trades and counts when %s is replayed",
    (file) => {
      const want = expected()[file];
      if (want === undefined) {
        throw new Error(`Cannot judge ${file}: expected.json has no entry, was undefined`);
      }
      const books = Object.entries(want.books).map(([symbol, book]) => [symbol, { ...book, isFollowed: true }]);
      expect(rebuild(want)).toEqual({
        frames: want.counts.frames,
        bookUpdates: want.counts.bookUpdates,
        checksumOk: want.counts.checksumOk ?? 0,
        faults: FAULTS.map(() => 0),
        books: Object.fromEntries(books),
        trades: want.trades,
      });
    },
    SECONDS_60,
  );

  it.each(["kraken/v1_ticker_10pairs_20210405.jsonl.gz", "kraken/v1_trade_10pairs_20210405.jsonl.gz"])(
    "find no fault when %s is replayed",
    (file) => {
      const rig = new Rig(createTwin);
      replay(rig, new Follower(rig), file.split("/")[0] ?? "", readCapture(file));
      expect(FAULTS.map((counter) => rig.counter(counter))).toEqual(FAULTS.map(() => 0));
    },
  );
});

/**
 * The golden files that the Python package is tested with: whole small segments written by the real sync and kernel in
 * several stages, and a JSON text that says what a reader must find in them, records and level hashes included.
 * Everything is deterministic, so both kernels and every run give the same bytes.
 * Bad case: a stage that no longer shows what it is named after; the test of the golden files looks at each.
 */
import { LEVEL_BYTES, LEVEL_PRICE, LEVEL_QUANTITY, SIDE_ASK, SIDE_BID } from "../../assembly/layout.ts";
import type { Kernel, KernelName } from "../../src/kernel/kernel.ts";
import {
  ASSURANCE_WORDS,
  AUDIT_WORDS,
  REASON_WORDS,
  STATE_WORDS,
  TRADING_WORDS,
  wordOf,
} from "../../src/model/states.ts";
import { type InstrumentEntry, SegmentView } from "../../src/segment/mod.ts";
import { decimalText } from "../../src/wire/numbers.ts";
import { GoldenProducer } from "./python_producer.ts";
import { goldenDeltas, goldenTrades } from "./python_records.ts";
import { SeededRandom } from "./seeded_random.ts";

/** Everything that stands in python/tests/golden. */
export type GoldenFiles = {
  /** Name without suffix → the bytes of a whole segment file. */
  readonly segments: ReadonlyMap<string, Uint8Array>;
  readonly expectations: string;
};

const HASH_VECTORS = 64;
const BTC = "BTC-USD";
const ETH = "ETH-USD";

/** Writes every golden file. @param kernelName both kernels must give the same */
export function goldenFiles(kernelName: KernelName): GoldenFiles {
  const segments = new Map<string, Uint8Array>();
  const stages: Record<string, unknown> = {};
  const keep = (name: string, producer: GoldenProducer) => {
    segments.set(name, producer.file());
    stages[name] = expectation(producer);
  };
  const coinbase = coinbaseStages(kernelName, keep);
  binanceStages(kernelName, keep);
  const expectations = { hashes: hashVectors(coinbase.kernel, coinbase.scratch), stages };
  return { segments, expectations: `${JSON.stringify(expectations, bigintText)}\n` };
}

type Keep = (name: string, producer: GoldenProducer) => void;

function coinbaseStages(kernelName: KernelName, keep: Keep): GoldenProducer {
  const producer = new GoldenProducer(kernelName, "coinbase_exchange", [BTC, ETH]);
  const send = (frame: Record<string, unknown>) => producer.send({ product_id: BTC, ...frame });
  const random = new SeededRandom(11);
  send({ type: "snapshot", product_id: ETH, ...ladder({ middle: 2000, levels: 20 }) });
  send({ type: "last_match", product_id: ETH, trade_id: 7, side: "sell", size: "0.25", price: "2001.5" });
  send({ type: "match", product_id: ETH, trade_id: 8, side: "buy", size: "1.25", price: "2000.5", sequence: 99 });
  keep("coinbase_started", producer);
  send({ type: "snapshot", ...ladder({ middle: 60_000, levels: 200 }) });
  for (let count = 0; count < 30; count++) {
    send({ type: "l2update", changes: changes(random, { middle: 60_000, count: 1 + random.below(40) }) });
    send({ type: "l2update", product_id: ETH, changes: changes(random, { middle: 2000, count: 3 }) });
    const side = count % 3 === 0 ? "buy" : "sell";
    send({ type: "match", trade_id: 1000 + count, side, size: "0.01", price: String(60_000 + count) });
  }
  keep("coinbase_reset", producer);
  for (let count = 0; count < 400; count++) {
    send({ type: "l2update", changes: changes(random, { middle: 60_000, count: 1 + random.below(20) }) });
  }
  send({ type: "l2update", product_id: ETH, changes: changes(random, { middle: 2000, count: 3 }) });
  keep("coinbase_lapped", producer);
  send({ type: "l2update", changes: [["buy", "59990.1234", "1.5"]] });
  send({ type: "l2update", changes: [["sell", "60050.0001", "2.5"]] });
  keep("coinbase_rescaled", producer);
  send({ type: "l2update", changes: [["buy", "70000", "1"]] });
  keep("coinbase_crossed", producer);
  return producer;
}

function binanceStages(kernelName: KernelName, keep: Keep): void {
  const native = "BTCUSDT";
  const producer = new GoldenProducer(kernelName, "binance", [native]);
  const levels = ladder({ middle: 500, levels: 30 });
  const update = (id: number, bid: string[]) => ({ e: "depthUpdate", s: native, U: id, u: id, b: [bid], a: [] });
  producer.send({ ...update(101, ["499.75", "3.125"]), E: 1_700_000_000_100 });
  producer.rest(native, { lastUpdateId: 100, ...levels });
  producer.send({ ...update(102, ["498.75", "0.00000000"]), E: 1_700_000_000_200 });
  keep("binance_joined", producer);
  producer.send({ ...update(110, ["498.75", "1.00000000"]), E: 1_700_000_000_300 });
  keep("binance_gap", producer);
}

/** Two sides around a price, a step of a half apart. */
function ladder({ middle, levels }: { middle: number; levels: number }): { bids: string[][]; asks: string[][] } {
  const side = (sign: number) =>
    Array.from({ length: levels }, (_, rank) => [
      (middle + sign * (0.25 + rank / 2)).toFixed(2),
      `${rank + 1}.${rank % 10}05`,
    ]);
  return { bids: side(-1), asks: side(1) };
}

/** Changes that never cross: bids below the middle, asks above; a third of them deletes. */
function changes(random: SeededRandom, { middle, count }: { middle: number; count: number }): string[][] {
  return Array.from({ length: count }, () => {
    const side = random.pick(["buy", "sell"]);
    const offset = (1 + random.below(300)) / 4;
    const price = side === "buy" ? middle - offset : middle + offset;
    return [side, price.toFixed(2), random.below(3) === 0 ? "0" : `${random.below(100)}.${1 + random.below(999)}`];
  });
}

function expectation(producer: GoldenProducer): unknown {
  const view = new SegmentView(producer.buffer, producer.segment.address);
  const { epoch, exchange, deltaCapacity, tradeCapacity, instrumentCapacity, segmentBytes, pid } = view.header;
  return {
    header: { epoch, exchange, deltaCapacity, tradeCapacity, instrumentCapacity, segmentBytes, pid },
    deltaTail: view.deltaTail,
    tradeTail: view.tradeTail,
    instruments: view.instruments().map((entry) => instrument(producer, view, entry)),
    deltas: goldenDeltas(view, producer.buffer, 24),
    trades: goldenTrades(view, producer.buffer, 8),
  };
}

function instrument(producer: GoldenProducer, view: SegmentView, entry: InstrumentEntry): unknown {
  const { id, index, canonical, native, priceExponent, quantityExponent, depth, retiredTo, currentImage } = entry;
  const block = producer.sync.instruments.find((tracked) => tracked.block.entry.id === id)?.block;
  return {
    ...{ id, index, canonical, native, priceExponent, quantityExponent, depth, retiredTo, currentImage },
    imageCapacity: entry.imageCapacity,
    state: wordOf(STATE_WORDS, entry.state),
    reason: wordOf(REASON_WORDS, entry.reason),
    assurance: wordOf(ASSURANCE_WORDS, entry.assurance),
    tradingStatus: wordOf(TRADING_WORDS, entry.tradingStatus),
    sinceNs: entry.sinceNs,
    auditPeriodMs: entry.auditPeriodMs,
    auditOutcome: wordOf(AUDIT_WORDS, entry.auditOutcome),
    knownRange: entry.knownRange ?? null,
    top: view.topOfBook(index),
    book: block === undefined ? null : bookOf(producer, block),
  };
}

function bookOf(
  { kernel, scratch, buffer }: GoldenProducer,
  { book, priceExponent, quantityExponent }: { book: number; priceExponent: number; quantityExponent: number },
): unknown {
  const levels = (side: number) => {
    const count = kernel.bookWalk(book, side, 0, kernel.bookCount(book, side), scratch);
    const memory = new DataView(buffer, scratch);
    return Array.from({ length: count }, (_, rank) => [
      memory.getBigInt64(rank * LEVEL_BYTES + LEVEL_PRICE, true),
      memory.getBigInt64(rank * LEVEL_BYTES + LEVEL_QUANTITY, true),
    ]);
  };
  const bids = levels(SIDE_BID);
  const text = ([price = 0n, quantity = 0n]: bigint[] = []) => [
    decimalText(price, Math.max(0, priceExponent)),
    decimalText(quantity, Math.max(0, quantityExponent)),
  ];
  return { hash: kernel.bookHash(book) >>> 0, bids, asks: levels(SIDE_ASK), bestBidText: text(bids[0]) };
}

/** Level hashes of random and of extreme levels. */
function hashVectors(kernel: Kernel, scratch: number): unknown[] {
  const random = new SeededRandom(5);
  const view = new DataView(kernel.buffer, scratch, LEVEL_BYTES);
  const wide = () => BigInt.asIntN(64, (BigInt(random.next()) << 32n) | BigInt(random.next()));
  const extremes = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)];
  const levels = [
    ...extremes.flatMap((price) => extremes.map((quantity) => [price, quantity] as const)),
    ...Array.from({ length: HASH_VECTORS }, () => [wide(), wide()] as const),
  ];
  return levels.map(([price, quantity], index) => {
    view.setBigInt64(LEVEL_PRICE, price, true);
    view.setBigInt64(LEVEL_QUANTITY, quantity, true);
    const side = index % 2 === 0 ? SIDE_BID : SIDE_ASK;
    return [side, price, quantity, kernel.levelHash(side, scratch) >>> 0];
  });
}

/** Integers beyond what JSON numbers hold are texts. */
function bigintText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

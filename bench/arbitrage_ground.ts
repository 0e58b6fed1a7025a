/**
 * Books of one pair at several exchanges in the gateway's memory, made from real records, with the gateway's detector over
 * them: what an update of one of them costs is what is measured. Also circles within one exchange.
 * Bad case: books that the replica refuses; a record whose hash or chain does not hold throws.
 */
import {
  ASSURANCE_SEQUENCE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_RECEIVED_AT,
  DELTA_SIDE_MASK,
  DELTA_VERSION,
  FLAG_LAST,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  STATE_SYNCED,
  TRADING_OPEN,
} from "../assembly/layout.ts";
import { ARBITRAGE_RULES, type ArbitrageRules } from "../src/arbitrage/mod.ts";
import { GatewayArbitrage } from "../src/gateway/arbitrage.ts";
import { ServedInstrument } from "../src/gateway/instrument.ts";
import { completeLimits } from "../src/gateway/limits.ts";
import { Outlet } from "../src/gateway/outlet.ts";
import { Workspace } from "../src/gateway/workspace.ts";
import type { KernelName } from "../src/kernel/kernel.ts";
import { openWorkbench, type Workbench } from "./workbench.ts";

const NOW_MS = 1_700_000_000_000;
const LEVELS = 8;

/** A book: levels of both sides around a middle, each of one lot size. Ticks and lots of 10^-2 and 10^-3. */
export type GroundBook = {
  readonly exchange: string;
  readonly symbol: string;
  readonly middle: number;
  readonly step: number;
  readonly lots: number;
};

/** Served books and the detector over them. */
export class ArbitrageGround {
  readonly name: KernelName;
  readonly arbitrage: GatewayArbitrage;
  readonly instruments: readonly ServedInstrument[];

  constructor(name: KernelName, books: readonly GroundBook[], rules: Partial<ArbitrageRules>) {
    const bench = openWorkbench(name);
    const workspace = new Workspace(bench.reader, 16);
    const outlet = new Outlet();
    const now = () => NOW_MS;
    const silent = () => undefined;
    const fees = Object.fromEntries(books.map(({ exchange }) => [exchange, 10]));
    this.name = name;
    this.arbitrage = new GatewayArbitrage(workspace, {
      rules: { ...ARBITRAGE_RULES, feesBps: fees, ...rules },
      outlet,
      now,
      log: { info: silent, warn: silent, error: silent },
    });
    this.instruments = books.map((book, index) => {
      const { exchange, symbol } = book;
      const served = new ServedInstrument(workspace, {
        name: { instrument: `${exchange}:${symbol}`, exchange, symbol },
        alias: index + 1,
        outlet,
        limits: completeLimits(),
        now,
      });
      bindTo(served, bench, { book, index });
      return served;
    });
    // Books are compared once all are known.
    this.update(2 * this.instruments.length);
  }

  /** Updates one book after the other, so often together. */
  update(times: number): number {
    for (let index = 0; index < times; index++) {
      const instrument = this.instruments[index % this.instruments.length];
      if (instrument !== undefined) {
        this.arbitrage.update(instrument);
      }
    }
    return this.arbitrage.counts.walks;
  }
}

/** Gives a served instrument a table entry and its first event. */
function bindTo(
  served: ServedInstrument,
  bench: Workbench,
  { book, index }: { book: GroundBook; index: number },
): void {
  const entry = bench.segment.addInstrument({
    canonical: book.symbol,
    native: `${book.exchange} ${book.symbol}`,
    priceExponent: 2,
    quantityExponent: 3,
    assurance: ASSURANCE_SEQUENCE,
    sinceNs: 0n,
    depth: 0,
    imageLevels: 64,
    state: STATE_SYNCED,
    tradingStatus: TRADING_OPEN,
  });
  if (entry === undefined) {
    throw new Error(`Cannot make a book: the segment has no room, was ${book.exchange}:${book.symbol}`);
  }
  const { id, entryAddress } = entry;
  served.bind({
    instrument: served,
    segment: bench.segmentView,
    entry: entryAddress,
    index,
    id,
    native: book.symbol,
    isAlive: true,
  });
  const record = bench.map.reserve(`record ${index}`, { bytes: DELTA_BYTES }).address;
  writeRecord(bench, record, { book, id });
  const outcome = served.book.apply(record);
  if (outcome !== "applied") {
    throw new Error(`Cannot make a book: its record was ${outcome}, was ${book.exchange}:${book.symbol}`);
  }
}

/** The first event of a book: all of its levels in one record. */
function writeRecord(bench: Workbench, at: number, { book, id }: { book: GroundBook; id: number }): void {
  const { view, producer } = bench;
  const level = bench.map.reserve(`level ${id}`, { bytes: LEVEL_BYTES }).address;
  let hash = 0;
  for (let index = 0; index < 2 * LEVELS; index++) {
    const side = index < LEVELS ? 0 : 1;
    const price = book.middle + (side === 0 ? -1 : 1) * (1 + (index % LEVELS)) * book.step;
    view.setInt32(at + DELTA_PRICE_OFFSETS + index * 4, price, true);
    view.setBigInt64(at + DELTA_QUANTITIES + index * 8, BigInt(book.lots), true);
    view.setBigInt64(level + LEVEL_PRICE, BigInt(price), true);
    view.setBigInt64(level + LEVEL_QUANTITY, BigInt(book.lots), true);
    hash = (hash + producer.levelHash(side, level)) >>> 0;
  }
  view.setBigUint64(at + DELTA_RECEIVED_AT, BigInt(NOW_MS) * 1_000_000n, true);
  view.setBigUint64(at + DELTA_VERSION, 1n, true);
  view.setUint32(at + DELTA_INSTRUMENT_ID, id, true);
  view.setUint16(at + DELTA_FLAGS, FLAG_LAST, true);
  view.setUint8(at + DELTA_CHANGE_COUNT, 2 * LEVELS);
  const asks = 0xff00;
  view.setUint16(at + DELTA_SIDE_MASK, asks, true);
  view.setUint16(at + DELTA_SIDE_MASK + 2, 0xffff, true);
  view.setUint32(at + DELTA_BOOK_HASH, hash, true);
}

/**
 * The trades of a run, read from the trade ring, sent through the wire coding and collected per instrument: counts and
 * digests over id, aggressor, price and quantity. Replays of history are left out.
 * Bad case: a version that does not follow; trades would be missing, so the run fails.
 */
import { createHash, type Hash } from "node:crypto";
import {
  AGGRESSOR_BUY,
  RING_TRADES,
  TRADE_AGGRESSOR,
  TRADE_BYTES,
  TRADE_FLAG_HISTORY,
  TRADE_FLAGS,
  TRADE_ID,
  TRADE_ID_LENGTH,
  TRADE_INSTRUMENT_ID,
  TRADE_PRICE,
  TRADE_QUANTITY,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { InstrumentEntry, SegmentView } from "../segment/view.ts";
import { decimalText } from "./decimal.ts";

const POLL_RECORDS = 256;
const FRAME_BYTES = 65_536;
const COMPARED_OFFSETS = [TRADE_PRICE, TRADE_QUANTITY, TRADE_ID, TRADE_ID + 8, TRADE_VERSION];

/** Trades of one native symbol. */
type Collected = { count: number; readonly digest: Hash };

/** Follows the trade ring of one segment. */
export class TradeFollower {
  readonly failures: string[] = [];
  wireFrames = 0;
  wireBytes = 0;
  records = 0;
  readonly #gateway: Kernel;
  readonly #client: Kernel;
  readonly #segment: SegmentView;
  readonly #view: DataView;
  readonly #reader: number;
  readonly #trades: number;
  readonly #frame: number;
  readonly #decoded: number;
  readonly #entries = new Map<number, InstrumentEntry>();
  readonly #versions = new Map<number, bigint>();
  readonly #collected = new Map<string, Collected>();

  constructor(kernels: { gateway: Kernel; client: Kernel }, segment: SegmentView) {
    this.#gateway = kernels.gateway;
    this.#client = kernels.client;
    this.#segment = segment;
    this.#view = new DataView(kernels.gateway.buffer);
    this.#reader = this.#gateway.readerCreate(segment.address, RING_TRADES);
    this.#trades = this.#gateway.arenaAllocate(POLL_RECORDS * TRADE_BYTES);
    this.#frame = this.#gateway.arenaAllocate(FRAME_BYTES);
    this.#decoded = this.#client.arenaAllocate(POLL_RECORDS * TRADE_BYTES);
  }

  /** Reads and sends what was published. */
  pump(): void {
    for (;;) {
      const count = this.#gateway.readerPoll(this.#reader, this.#trades, POLL_RECORDS);
      if (count === 0) {
        return;
      }
      if (count < 0) {
        this.failures.push("The trade reader was lapped");
        continue;
      }
      this.records += count;
      for (let start = 0; start < count; ) {
        const end = this.#runEnd(start, count);
        this.#send(start, end - start);
        start = end;
      }
    }
  }

  /** Count and digest of every symbol that traded. */
  result(): Record<string, { count: number; digest: string }> {
    const sorted = [...this.#collected].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      sorted.map(([native, { count, digest }]) => [native, { count, digest: digest.digest("hex") }]),
    );
  }

  #id(index: number): number {
    return this.#view.getUint32(this.#trades + index * TRADE_BYTES + TRADE_INSTRUMENT_ID, true);
  }

  /** Trades of one instrument that stand together share a frame. */
  #runEnd(start: number, count: number): number {
    let end = start + 1;
    while (end < count && this.#id(end) === this.#id(start)) {
      end++;
    }
    return end;
  }

  #send(start: number, count: number): void {
    const id = this.#id(start);
    const address = this.#trades + start * TRADE_BYTES;
    const bytes = this.#gateway.tradesEncode(id, address, count, this.#frame, FRAME_BYTES);
    const decoded = this.#client.tradesDecode(this.#frame, bytes, this.#decoded, POLL_RECORDS);
    this.wireFrames += 1;
    this.wireBytes += bytes;
    if (bytes === 0 || decoded !== count) {
      this.failures.push(`Trades of instrument ${id} did not survive the wire: ${count} sent, ${decoded} received`);
      return;
    }
    for (let index = 0; index < count; index++) {
      this.#collect(id, this.#decoded + index * TRADE_BYTES, address + index * TRADE_BYTES);
    }
  }

  #collect(id: number, trade: number, original: number): void {
    const entry = this.#entry(id);
    const version = this.#view.getBigUint64(trade + TRADE_VERSION, true);
    if (entry === undefined || version !== (this.#versions.get(id) ?? 0n) + 1n) {
      this.failures.push(`Trade version ${version} of instrument ${id} does not follow`);
    }
    this.#versions.set(id, version);
    if (
      COMPARED_OFFSETS.some(
        (at) => this.#view.getBigUint64(trade + at, true) !== this.#view.getBigUint64(original + at, true),
      )
    ) {
      this.failures.push(`Trade version ${version} of instrument ${id} changed on the wire`);
    }
    if (entry === undefined || (this.#view.getUint16(trade + TRADE_FLAGS, true) & TRADE_FLAG_HISTORY) !== 0) {
      return;
    }
    const collected = this.#collected.get(entry.native) ?? { count: 0, digest: createHash("sha256") };
    this.#collected.set(entry.native, collected);
    collected.count += 1;
    collected.digest.update(this.#text(trade, entry));
  }

  #text(trade: number, entry: InstrumentEntry): string {
    const length = this.#view.getUint8(trade + TRADE_ID_LENGTH);
    const id = Buffer.from(new Uint8Array(this.#view.buffer, trade + TRADE_ID, length)).toString("latin1");
    const aggressor = this.#view.getUint8(trade + TRADE_AGGRESSOR) === AGGRESSOR_BUY ? "buy" : "sell";
    const price = decimalText(this.#view.getBigInt64(trade + TRADE_PRICE, true), entry.priceExponent);
    return `${id} ${aggressor} ${price} ${decimalText(this.#view.getBigInt64(trade + TRADE_QUANTITY, true), entry.quantityExponent)}\n`;
  }

  #entry(id: number): InstrumentEntry | undefined {
    const known = this.#entries.get(id);
    if (known !== undefined) {
      return known;
    }
    const entry = this.#segment.instruments().find((candidate) => candidate.id === id);
    if (entry !== undefined) {
      this.#entries.set(id, entry);
    }
    return entry;
  }
}

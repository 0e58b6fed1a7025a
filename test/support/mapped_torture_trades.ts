/**
 * The trades of one epoch, for the torture: each is judged by its version and by its quantity, which follows from its id.
 * Bad case: a trade made of two; its halves do not belong together.
 */
import {
  POLL_LAPPED,
  READER_CURSOR,
  READER_LOST,
  RING_TRADES,
  TRADE_BYTES,
  TRADE_ID,
  TRADE_ID_LENGTH,
  TRADE_QUANTITY,
  TRADE_VERSION,
} from "../../assembly/layout.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { SegmentView } from "../../src/segment/view.ts";
import { readCount } from "../../src/wire/numbers.ts";
import type { Tear } from "./mapped_torture_books.ts";
import { tradeLots } from "./mapped_torture_marks.ts";
import type { RingAccount } from "./mapped_torture_reader.ts";

const BATCH = 32;
const DIGIT_0 = 48;

/** Trades of one instrument. */
export class TortureTrades {
  readonly #kernel: Kernel;
  readonly #memory: DataView;
  readonly #tear: Tear;
  readonly #records: number;
  #reader = 0;
  #start = 0;
  #received = 0;
  #version: bigint | undefined;

  constructor(kernel: Kernel, tear: Tear) {
    this.#kernel = kernel;
    this.#memory = new DataView(kernel.buffer);
    this.#tear = tear;
    this.#records = kernel.arenaAllocate(BATCH * TRADE_BYTES);
  }

  /** Begins with another epoch. */
  begin(view: SegmentView): void {
    this.#reader = this.#kernel.readerCreate(view.address, RING_TRADES);
    this.#start = this.cursor;
    this.#received = 0;
    this.#version = undefined;
  }

  /** Ring position of the next record. */
  get cursor(): number {
    return readCount(this.#memory, this.#reader + READER_CURSOR);
  }

  /** Reads at most one batch. @returns how many records, 0 = there is none */
  poll(): number {
    const count = this.#kernel.readerPoll(this.#reader, this.#records, BATCH);
    if (count === POLL_LAPPED) {
      this.#version = undefined;
      return 1;
    }
    for (let index = 0; index < count; index++) {
      this.#take(this.#records + index * TRADE_BYTES);
    }
    this.#received += count;
    return count;
  }

  /** What became of the records. */
  account(): RingAccount {
    const lost = readCount(this.#memory, this.#reader + READER_LOST);
    return { start: this.#start, received: this.#received, lost, cursor: this.cursor };
  }

  #take(record: number): void {
    const memory = this.#memory;
    const version = memory.getBigUint64(record + TRADE_VERSION, true);
    if (this.#version !== undefined && version !== this.#version + 1n) {
      this.#tear("trade version");
    }
    this.#version = version;
    let id = 0;
    for (let index = memory.getUint8(record + TRADE_ID_LENGTH) - 1, at = record + TRADE_ID; index >= 0; index--) {
      id = id * 10 + memory.getUint8(at++) - DIGIT_0;
    }
    if (Number(memory.getBigInt64(record + TRADE_QUANTITY, true)) !== tradeLots(id)) {
      this.#tear("trade mark");
    }
  }
}

/**
 * A bench for one kernel: a memory with a segment, an arena and room for frames, and the least host that a producer
 * needs (new instruments, rescales, buffered frames). Works for any kernel, so that two can be fed the same.
 * Bad case: more instruments than the segment has room for; the rig throws.
 */
import {
  APPLY_BUFFER,
  APPLY_RESCALE,
  APPLY_SNAPSHOT,
  APPLY_UNKNOWN_INSTRUMENT,
  CELL_BYTES,
  DELTA_BYTES,
  HEADER_BYTES,
  HEADER_CELLS_OFFSET,
  HEADER_COUNTERS,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_RING_OFFSET,
  HEADER_EPOCH,
  HEADER_INSTRUMENT_COUNT,
  HEADER_TABLE_OFFSET,
  HEADER_TRADE_CAPACITY,
  HEADER_TRADE_RING_OFFSET,
  IMAGE_HEADER_BYTES,
  INSTRUMENT_BOOK,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_DEPTH,
  INSTRUMENT_FLAG_OPENED,
  INSTRUMENT_FLAGS,
  INSTRUMENT_ID,
  INSTRUMENT_IMAGE_ADDRESS,
  INSTRUMENT_IMAGE_BYTES,
  INSTRUMENT_IMAGE_CAPACITY,
  INSTRUMENT_IMAGE_EVERY,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_STATE,
  INSTRUMENT_TABLE_ADDRESS,
  LEVEL_BYTES,
  OUTCOME_INSTRUMENT,
  OUTCOME_NEED_PRICE_EXPONENT,
  OUTCOME_NEED_QUANTITY_EXPONENT,
  OUTCOME_SYMBOL_ADDRESS,
  OUTCOME_SYMBOL_LENGTH,
  SIDE_ASK,
  SIDE_BID,
  STATE_WAITING,
  TABLE_BYTES,
  TABLE_ID,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_CAPACITY,
  TABLE_IMAGE_OFFSET,
  TABLE_RETIRED_TO,
  TRADE_BYTES,
} from "../../assembly/layout.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";

/** Sizes of a rig. */
export type RigOptions = {
  readonly instruments?: number;
  readonly deltaCapacity?: number;
  readonly tradeCapacity?: number;
  /** Levels of one image; 0 = no images. */
  readonly imageLevels?: number;
  readonly arenaBytes?: number;
  readonly frameBytes?: number;
  /** Depth of new books by symbol. */
  readonly depthOf?: (symbol: string) => number;
};

/** Where the segment of every rig begins. */
export const SEGMENT = 65536;
/** A few scratch bytes in front of the segment. */
export const SCRATCH = 1024;

const ALIGN = 65536;
const MEBIBYTE = 1048576;
/** Times that one frame is applied: unknown instrument, rescale, and once more. */
const ATTEMPTS = 4;

/** One instrument id, as the rig opened it. */
export type OpenedId = { id: number; symbol: string; block: number; entry: number; price: number; quantity: number };

/** A level as exact integers. */
export type RigLevel = readonly [price: bigint, quantity: bigint];

/** A kernel with everything it needs around it. */
export class Rig {
  readonly kernel: Kernel;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes of the segment, from SEGMENT on. */
  readonly segmentBytes: number;
  /** Room for frames. */
  readonly frame: number;
  /** Every id opened so far, in order; retired ones included. */
  readonly ids: OpenedId[] = [];
  /** Frames that wait for a REST snapshot, by symbol. */
  readonly buffered = new Map<string, Uint8Array[]>();
  readonly #options: Required<Omit<RigOptions, "depthOf">>;
  readonly #depthOf: (symbol: string) => number;
  readonly #imagesOffset: number;
  readonly #imageBytes: number;

  constructor(create: (buffer: ArrayBufferLike) => Kernel, options: RigOptions = {}) {
    const full = {
      instruments: options.instruments ?? 16,
      deltaCapacity: options.deltaCapacity ?? 4096,
      tradeCapacity: options.tradeCapacity ?? 1024,
      imageLevels: options.imageLevels ?? 4096,
      arenaBytes: options.arenaBytes ?? 48 * MEBIBYTE,
      frameBytes: options.frameBytes ?? 4 * MEBIBYTE,
    };
    this.#options = full;
    this.#depthOf = options.depthOf ?? (() => 0);
    const cells = HEADER_BYTES + full.instruments * TABLE_BYTES;
    const deltas = cells + full.instruments * CELL_BYTES;
    const trades = deltas + full.deltaCapacity * DELTA_BYTES;
    this.#imagesOffset = trades + full.tradeCapacity * TRADE_BYTES;
    this.#imageBytes = full.imageLevels === 0 ? 0 : IMAGE_HEADER_BYTES + full.imageLevels * LEVEL_BYTES;
    this.segmentBytes = roundUp(this.#imagesOffset + full.instruments * 2 * this.#imageBytes);
    const arena = SEGMENT + this.segmentBytes;
    this.frame = arena + roundUp(full.arenaBytes);
    const pages = (this.frame + roundUp(full.frameBytes)) / ALIGN;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.words = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.#write(HEADER_TABLE_OFFSET, HEADER_BYTES);
    this.#write(HEADER_CELLS_OFFSET, cells);
    this.#write(HEADER_DELTA_RING_OFFSET, deltas);
    this.#write(HEADER_TRADE_RING_OFFSET, trades);
    this.#write(HEADER_DELTA_CAPACITY, full.deltaCapacity);
    this.#write(HEADER_TRADE_CAPACITY, full.tradeCapacity);
    this.#write(HEADER_EPOCH, 7);
    this.kernel = create(memory.buffer);
    this.kernel.arenaInit(arena, full.arenaBytes);
    this.kernel.producerAttach(SEGMENT);
  }

  #write(offset: number, value: number): void {
    this.words[(SEGMENT + offset) >>> 2] = value;
  }

  /** A word of a block. */
  word(block: number, field: number): number {
    return this.words[(block + field) >>> 2] ?? 0;
  }

  /** 64 unsigned bits at an address. */
  u64(address: number): bigint {
    return this.view.getBigUint64(address, true);
  }

  /** A counter of the segment. @param counter COUNTER_* */
  counter(counter: number): number {
    return Number(this.u64(SEGMENT + HEADER_COUNTERS + counter * 8));
  }

  /** All counters. */
  counters(): number[] {
    return Array.from({ length: 64 }, (_, index) => this.counter(index));
  }

  /** Puts bytes into the frame room. @returns how many */
  put(frame: Uint8Array | string): number {
    const bytes = typeof frame === "string" ? new TextEncoder().encode(frame) : frame;
    this.bytes.set(bytes, this.frame);
    return bytes.length;
  }

  /** The block of a symbol; it is made, waiting, when there is none. */
  instrument(symbol: string): number {
    const length = this.put(symbol);
    const known = this.kernel.instrumentFind(this.frame, length);
    if (known !== 0) {
      return known;
    }
    const block = this.kernel.instrumentCreate(this.frame, length);
    if (block === 0) {
      throw new RangeError(`Cannot create an instrument: the arena is exhausted, was ${symbol}`);
    }
    this.words[(block + INSTRUMENT_DEPTH) >>> 2] = this.#depthOf(symbol);
    this.words[(block + INSTRUMENT_STATE) >>> 2] = STATE_WAITING;
    this.#open(block, symbol);
    return block;
  }

  /** Gives a block the next id with entry, cell and images. */
  #open(block: number, symbol: string): void {
    const index = this.ids.length;
    if (index >= this.#options.instruments) {
      throw new RangeError(`Cannot open an instrument: the segment is full, was ${index}`);
    }
    const entry = SEGMENT + HEADER_BYTES + index * TABLE_BYTES;
    const images = this.#imagesOffset + index * 2 * this.#imageBytes;
    const words = this.words;
    words[(block + INSTRUMENT_ID) >>> 2] = index + 1;
    words[(block + INSTRUMENT_TABLE_ADDRESS) >>> 2] = entry;
    words[(block + INSTRUMENT_CELL_ADDRESS) >>> 2] =
      SEGMENT + HEADER_BYTES + this.#options.instruments * TABLE_BYTES + index * CELL_BYTES;
    words[(block + INSTRUMENT_IMAGE_ADDRESS) >>> 2] = this.#imageBytes === 0 ? 0 : SEGMENT + images;
    words[(block + INSTRUMENT_IMAGE_BYTES) >>> 2] = this.#imageBytes;
    words[(block + INSTRUMENT_IMAGE_CAPACITY) >>> 2] = this.#options.imageLevels;
    words[(block + INSTRUMENT_IMAGE_EVERY) >>> 2] = Math.floor(this.#options.deltaCapacity / 4);
    words[(entry + TABLE_ID) >>> 2] = index + 1;
    words[(entry + TABLE_IMAGE_OFFSET) >>> 2] = images;
    words[(entry + TABLE_IMAGE_BYTES) >>> 2] = this.#imageBytes;
    words[(entry + TABLE_IMAGE_CAPACITY) >>> 2] = this.#options.imageLevels;
    words[(SEGMENT + HEADER_INSTRUMENT_COUNT) >>> 2] = index + 1;
    this.ids.push({ id: index + 1, symbol, block, entry, price: -1, quantity: -1 });
  }

  /** Widens the exponents of a block as the outcome demands, under another id when the current one is open. */
  #rescale(block: number, receivedAt: number): void {
    const outcome = this.kernel.outcomeAddress();
    const price = this.word(outcome, OUTCOME_NEED_PRICE_EXPONENT);
    const quantity = this.word(outcome, OUTCOME_NEED_QUANTITY_EXPONENT);
    const current = this.current(block);
    if ((this.word(block, INSTRUMENT_FLAGS) & INSTRUMENT_FLAG_OPENED) !== 0) {
      this.kernel.instrumentRetire(block, receivedAt);
      this.#open(block, current.symbol);
      this.words[(current.entry + TABLE_RETIRED_TO) >>> 2] = this.current(block).id;
    }
    if (this.kernel.instrumentRescale(block, price, quantity, receivedAt) !== 0) {
      throw new RangeError(`Cannot rescale: the book overflows, was ${current.symbol} ${price} ${quantity}`);
    }
    Object.assign(this.current(block), { price, quantity });
  }

  /** The id that a block carries now. */
  current(block: number): OpenedId {
    const found = this.ids.findLast((opened) => opened.block === block);
    if (found === undefined) {
      throw new RangeError(`Cannot find an id: the block is unknown, was ${block}`);
    }
    return found;
  }

  /** Applies one frame as a host does. @returns the last code */
  feed(decoder: number, frame: Uint8Array | string, receivedAt = -1): number {
    const length = this.put(frame);
    const outcome = this.kernel.outcomeAddress();
    for (let attempt = 1; ; attempt++) {
      const code = this.kernel.apply(decoder, this.frame, length, receivedAt);
      if (attempt === ATTEMPTS) {
        return code;
      }
      if (code === APPLY_UNKNOWN_INSTRUMENT) {
        const start = this.word(outcome, OUTCOME_SYMBOL_ADDRESS) >>> 0;
        const symbol = this.bytes.slice(start, start + this.word(outcome, OUTCOME_SYMBOL_LENGTH));
        this.instrument(new TextDecoder().decode(symbol));
        this.put(frame);
      } else if (code === APPLY_RESCALE) {
        this.#rescale(this.word(outcome, OUTCOME_INSTRUMENT) >>> 0, receivedAt);
      } else {
        this.#buffer(code, length);
        return code;
      }
    }
  }

  #buffer(code: number, length: number): void {
    if (code === APPLY_BUFFER) {
      const { symbol } = this.current(this.word(this.kernel.outcomeAddress(), OUTCOME_INSTRUMENT) >>> 0);
      const frames = this.buffered.get(symbol) ?? [];
      frames.push(this.bytes.slice(this.frame, this.frame + length));
      this.buffered.set(symbol, frames);
    }
  }

  /** Applies a REST body, then the frames that waited for it. @returns the code of the body */
  seed(decoder: number, symbol: string, body: string, receivedAt = -1): number {
    const block = this.instrument(symbol);
    const length = this.put(body);
    let code = this.kernel.applySnapshot(decoder, block, this.frame, length, receivedAt);
    if (code === APPLY_RESCALE) {
      this.#rescale(block, receivedAt);
      code = this.kernel.applySnapshot(decoder, block, this.frame, length, receivedAt);
    }
    if (code === APPLY_SNAPSHOT) {
      const frames = this.buffered.get(symbol) ?? [];
      this.buffered.delete(symbol);
      for (const frame of frames) {
        this.feed(decoder, frame, receivedAt);
      }
    }
    return code;
  }

  /** Levels of a book, best first. */
  levels(book: number, side: number): RigLevel[] {
    const count = this.kernel.bookCount(book, side);
    const levels: RigLevel[] = [];
    const room = 256;
    while (levels.length < count) {
      const read = this.kernel.bookWalk(book, side, levels.length, room, this.frame);
      for (let i = 0; i < read; i++) {
        const at = this.frame + i * LEVEL_BYTES;
        levels.push([this.view.getBigInt64(at, true), this.view.getBigInt64(at + 8, true)]);
      }
    }
    return levels;
  }

  /** The book of an instrument as text levels. */
  textBook(block: number): { bids: [string, string][]; asks: [string, string][] } {
    const book = this.word(block, INSTRUMENT_BOOK);
    const price = this.word(block, INSTRUMENT_PRICE_EXPONENT);
    const quantity = this.word(block, INSTRUMENT_QUANTITY_EXPONENT);
    const text = (level: RigLevel): [string, string] => [this.text(level[0], price), this.text(level[1], quantity)];
    return { bids: this.levels(book, SIDE_BID).map(text), asks: this.levels(book, SIDE_ASK).map(text) };
  }

  /** A number as plain decimal text. */
  text(value: bigint, exponent: number): string {
    this.view.setBigInt64(SCRATCH, value, true);
    const length = this.kernel.formatDecimal(SCRATCH, exponent, SCRATCH + 64);
    return new TextDecoder().decode(this.bytes.slice(SCRATCH + 64, SCRATCH + 64 + length));
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}

/**
 * One instrument as the kernel and the segment hold it: its block, its table entry, its images; and what the host does to
 * them: opening, rescaling under a fresh id, moving to larger images, closing. Exponents are immutable per id, hence the fresh id.
 * A name keeps its block for the life of the kernel: one that was closed is opened again in it, as if it were fresh.
 * Bad case: the table or the image area is exhausted; the instrument goes out of service and says why.
 */
import {
  INSTRUMENT_BOOK,
  INSTRUMENT_CELL_ADDRESS,
  INSTRUMENT_CHECKSUM_CACHE,
  INSTRUMENT_DEPTH,
  INSTRUMENT_FLAG_IMAGE_FULL,
  INSTRUMENT_FLAG_OPENED,
  INSTRUMENT_FLAG_SPLICING,
  INSTRUMENT_FLAG_TRADE_SEEN,
  INSTRUMENT_FLAGS,
  INSTRUMENT_ID,
  INSTRUMENT_IMAGE_ADDRESS,
  INSTRUMENT_IMAGE_BYTES,
  INSTRUMENT_IMAGE_CAPACITY,
  INSTRUMENT_IMAGE_EVERY,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_LAST_TRADE_ID,
  INSTRUMENT_METRICS_ADDRESS,
  INSTRUMENT_NAME_LENGTH,
  INSTRUMENT_PRICE_EXPONENT,
  INSTRUMENT_QUANTITY_EXPONENT,
  INSTRUMENT_REASON,
  INSTRUMENT_STATE,
  INSTRUMENT_TABLE_ADDRESS,
  INSTRUMENT_TRADE_VERSION,
  INSTRUMENT_VERSION,
  LEVEL_PRICE,
  REASON_CONNECTING,
  REASON_LIMIT,
  REASON_OVERFLOW,
  REASON_REMOVED,
  SIDE_ASK,
  SIDE_BID,
  STATE_CONNECTING,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
  STATE_RETIRED,
  STATE_SUSPECT,
  STATE_SYNCED,
  TRADING_OPEN,
  TRADING_UNKNOWN,
} from "../../assembly/layout.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SegmentInstrument, SegmentWriter } from "../segment/writer.ts";
import { createBlock } from "./create_block.ts";
import { type Exponents, finerBy, finerRange, I64_MAX, type KnownRange } from "./finer.ts";

/** What all instruments of one producer share. */
export type InstrumentGround = {
  readonly kernel: Kernel;
  readonly view: DataView;
  readonly segment: SegmentWriter;
  /** At least INSTRUMENT_NAME_BYTES_MAX bytes of scratch in the arena. */
  readonly scratch: number;
  /** Records of an instrument after which its image is renewed. */
  readonly imageEvery: number;
  /** Unix ns of a receivedAt. */
  readonly wallNs: (receivedAt: number) => bigint;
  /** Whether somebody makes a larger segment when this one has no room; absent = nobody does. */
  readonly canGrow?: () => boolean;
};

/** How an instrument begins. */
export type InstrumentStart = {
  readonly native: string;
  readonly canonical: string;
  readonly assurance: number;
  /** Levels per side, 0 = full. */
  readonly depth: number;
  /** −1 = not known: the first snapshot says it. */
  readonly priceExponent: number;
  readonly quantityExponent: number;
  readonly tradingStatus: number;
  /** Levels of both sides that an image is made for. */
  readonly imageLevels: number;
};

/** An instrument in kernel and segment. */
export class InstrumentBlock {
  readonly native: string;
  readonly canonical: string;
  /** Address of the kernel's block. */
  readonly address: number;
  readonly #ground: InstrumentGround;
  #start: InstrumentStart;
  #segment: SegmentInstrument;
  #exchangeStatus: number = TRADING_UNKNOWN;
  #knownRange: KnownRange | undefined;

  /** @throws RangeError when the arena, the table or the image area cannot take one more instrument, or a name is too long */
  constructor(ground: InstrumentGround, start: InstrumentStart) {
    const { native, canonical } = start;
    this.#ground = ground;
    this.#start = start;
    this.native = native;
    this.canonical = canonical;
    this.address = createBlock(ground, native);
    const segment = this.address === 0 ? undefined : this.#addEntry(start.imageLevels, -1);
    if (segment === undefined) {
      const reason =
        this.address === 0 ? "the kernel's arena is exhausted" : "the segment's table or image area is full";
      throw new RangeError(`Cannot open an instrument: ${reason}, was ${native}`);
    }
    this.#segment = segment;
    this.#forgetClosed();
    this.#point(start);
  }

  /** STATE_* as the kernel has it. */
  get state(): number {
    return this.#read(INSTRUMENT_STATE);
  }

  /** REASON_* as the kernel has it. */
  get reason(): number {
    return this.#read(INSTRUMENT_REASON);
  }

  /** Levels per side, 0 = full. */
  get depth(): number {
    return this.#read(INSTRUMENT_DEPTH);
  }

  /** Decimals of a tick; −1 = not known. */
  get priceExponent(): number {
    return this.#ground.view.getInt32(this.address + INSTRUMENT_PRICE_EXPONENT, true);
  }

  /** Decimals of a lot; −1 = not known. */
  get quantityExponent(): number {
    return this.#ground.view.getInt32(this.address + INSTRUMENT_QUANTITY_EXPONENT, true);
  }

  /** Id, table entry, cell and images of the current incarnation. */
  get entry(): SegmentInstrument {
    return this.#segment;
  }

  /** The book outgrew its images. */
  get isImageFull(): boolean {
    return (this.#read(INSTRUMENT_FLAGS) & INSTRUMENT_FLAG_IMAGE_FULL) !== 0;
  }

  /** Of the book; it moves with every record. */
  get version(): bigint {
    return this.#ground.view.getBigUint64(this.address + INSTRUMENT_VERSION, true);
  }

  /** Of the trades; it moves with every trade. */
  get tradeVersion(): bigint {
    return this.#ground.view.getBigUint64(this.address + INSTRUMENT_TRADE_VERSION, true);
  }

  /** The last sequence of the book, where the exchange numbers events. */
  get lastSequence(): bigint {
    return this.#ground.view.getBigUint64(this.address + INSTRUMENT_LAST_SEQUENCE, true);
  }

  /** No event was accepted since the REST snapshot. */
  get isSplicing(): boolean {
    return (this.#read(INSTRUMENT_FLAGS) & INSTRUMENT_FLAG_SPLICING) !== 0;
  }

  /** Whether a trade came since the start, so that the next one's number can be judged. */
  get hasTrades(): boolean {
    return (this.#read(INSTRUMENT_FLAGS) & INSTRUMENT_FLAG_TRADE_SEEN) !== 0;
  }

  /** The trade after this one is the next; 0 = whichever comes is one behind a gap. */
  setLastTrade(id: bigint): void {
    this.#ground.view.setBigUint64(this.address + INSTRUMENT_LAST_TRADE_ID, id, true);
  }

  /** The kernel's book handle. */
  get book(): number {
    return this.#read(INSTRUMENT_BOOK);
  }

  /** Levels of both sides together. */
  get levels(): number {
    const { kernel } = this.#ground;
    const book = this.book;
    return book === 0 ? 0 : kernel.bookCount(book, SIDE_BID) + kernel.bookCount(book, SIDE_ASK);
  }

  /** Says that the book is not right. @param receivedAt ns since the anchor */
  unsync(state: number, reason: number, receivedAt: number): void {
    this.#ground.kernel.instrumentUnsync(this.address, state, reason, receivedAt);
  }

  /**
   * Ends here for good: the last record says NotSynced, the entry is retired without a successor, its images are free and
   * the memory of the levels too. Frames that still come are dropped.
   * @param receivedAt ns since the anchor
   */
  close(receivedAt: number): void {
    const { kernel, view, segment } = this.#ground;
    this.unsync(STATE_RETIRED, REASON_REMOVED, receivedAt);
    // No image is written any more, also where one is due.
    const flags = this.#read(INSTRUMENT_FLAGS) | INSTRUMENT_FLAG_IMAGE_FULL;
    view.setUint32(this.address + INSTRUMENT_FLAGS, flags, true);
    kernel.bookClear(this.book);
    segment.releaseImages(this.#segment);
  }

  /** What the exchange lists: decimals and trading status. Decimals count only while nothing was published yet. */
  announce(
    listed: { priceExponent: number; quantityExponent: number; tradingStatus: number },
    receivedAt: number,
  ): void {
    const { priceExponent, quantityExponent, tradingStatus } = listed;
    const isOpened = (this.#read(INSTRUMENT_FLAGS) & INSTRUMENT_FLAG_OPENED) !== 0;
    this.#start = { ...this.#start, tradingStatus };
    this.#ground.segment.setTradingStatus(this.#segment, this.#tradingStatus);
    if (!isOpened && priceExponent >= this.priceExponent && quantityExponent >= this.quantityExponent) {
      this.#ground.kernel.instrumentRescale(this.address, priceExponent, quantityExponent, receivedAt);
    }
  }

  /** The depth that the exchange acknowledged, and the assurance that goes with it. */
  setDepth(depth: number, assurance: number): void {
    this.#ground.view.setUint32(this.address + INSTRUMENT_DEPTH, depth, true);
    this.#start = { ...this.#start, depth, assurance };
    this.#ground.segment.setDepth(this.#segment, depth, assurance);
  }

  /** The whole exchange is in this state; when it is open, what it lists for the instrument counts. @param status TRADING_* */
  setExchangeStatus(status: number): void {
    this.#exchangeStatus = status;
    this.#ground.segment.setTradingStatus(this.#segment, this.#tradingStatus);
  }

  /**
   * Gives the book more decimals; under a fresh id when records were published under the old one. Levels that cannot be
   * written so go when nobody goes on from them: a snapshot replaces them.
   * @returns false when it cannot: the instrument is out of service then, or waits for a larger segment
   */
  rescale(exponents: Exponents, receivedAt: number): boolean {
    const { kernel } = this.#ground;
    const powers = finerBy(this.#exponents, exponents);
    const fits = powers !== undefined && kernel.bookCanScale(this.book, powers.price, powers.quantity) === 1;
    if (powers === undefined || (!fits && this.#goesOn)) {
      // Under the same id, in the same decimals: what comes after a broken frame is written as before.
      this.unsync(STATE_OUT_OF_SERVICE, REASON_OVERFLOW, receivedAt);
      return false;
    }
    if ((this.#read(INSTRUMENT_FLAGS) & INSTRUMENT_FLAG_OPENED) !== 0 && !this.#renew(exponents, receivedAt)) {
      return false;
    }
    if (!fits) {
      kernel.bookClear(this.book);
    }
    kernel.instrumentRescale(this.address, exponents.price, exponents.quantity, receivedAt);
    this.#setKnownRange(finerRange(this.#knownRange, powers.price));
    return true;
  }

  /**
   * Moves to larger images under a fresh id; the book stays.
   * @param levels that must fit at least
   * @returns false when it cannot: the instrument is out of service then, or waits for a larger segment
   */
  growImages(levels: number, receivedAt: number): boolean {
    const imageLevels = Math.max(this.#start.imageLevels * 2, Math.ceil(levels * 1.5));
    this.#start = { ...this.#start, imageLevels };
    const exponents = this.#exponents;
    if (!this.#renew(exponents, receivedAt)) {
      return false;
    }
    return this.#ground.kernel.instrumentRescale(this.address, exponents.price, exponents.quantity, receivedAt) === 0;
  }

  /**
   * After a cut snapshot: levels beyond its worst ones were not told, so they are not asserted.
   * @param levelsAsked per side; a side with fewer came whole
   */
  noteKnownRange(levelsAsked: number): void {
    this.#setKnownRange({
      low: this.#worstPrice(SIDE_BID, levelsAsked) ?? 0n,
      high: this.#worstPrice(SIDE_ASK, levelsAsked) ?? I64_MAX,
    });
  }

  get #exponents(): Exponents {
    return { price: this.priceExponent, quantity: this.quantityExponent };
  }

  /** Whether the next event is applied to the levels as they are. */
  get #goesOn(): boolean {
    return this.state === STATE_SYNCED || this.state === STATE_SUSPECT || this.isSplicing;
  }

  get #tradingStatus(): number {
    const listed = this.#start.tradingStatus;
    const isOpen = this.#exchangeStatus === TRADING_OPEN || this.#exchangeStatus === TRADING_UNKNOWN;
    return isOpen && listed !== TRADING_UNKNOWN ? listed : this.#exchangeStatus;
  }

  #setKnownRange(range: KnownRange | undefined): void {
    this.#knownRange = range;
    if (range !== undefined) {
      this.#ground.segment.setKnownRange(this.#segment, range.low, range.high);
    }
  }

  #worstPrice(side: number, levelsAsked: number): bigint | undefined {
    const { kernel, view, scratch } = this.#ground;
    const count = kernel.bookCount(this.book, side);
    if (count < levelsAsked || count === 0 || kernel.bookWalk(this.book, side, count - 1, 1, scratch) !== 1) {
      return undefined;
    }
    return view.getBigInt64(scratch + LEVEL_PRICE, true);
  }

  /** Retires the id and goes on under the next one. */
  #renew(exponents: Exponents, receivedAt: number): boolean {
    const { kernel, segment } = this.#ground;
    const retired = this.#segment;
    const entry = this.#addEntry(this.#start.imageLevels, receivedAt, exponents);
    if (entry === undefined) {
      const state = this.#ground.canGrow?.() === true ? STATE_RESYNCING : STATE_OUT_OF_SERVICE;
      this.unsync(state, REASON_LIMIT, receivedAt);
      return false;
    }
    kernel.instrumentRetire(this.address, receivedAt);
    segment.linkRetired(retired, entry);
    this.#segment = entry;
    this.#point(this.#start);
    return true;
  }

  #addEntry(imageLevels: number, receivedAt: number, exponents?: Exponents): SegmentInstrument | undefined {
    const { segment, wallNs } = this.#ground;
    const start = this.#start;
    return segment.addInstrument({
      ...start,
      tradingStatus: this.#tradingStatus,
      imageLevels,
      priceExponent: exponents?.price ?? start.priceExponent,
      quantityExponent: exponents?.quantity ?? start.quantityExponent,
      state: exponents === undefined ? STATE_CONNECTING : this.state,
      reason: exponents === undefined ? REASON_CONNECTING : this.reason,
      sinceNs: wallNs(receivedAt),
    });
  }

  /** A block that was closed begins anew: nothing is left of it but its name, its book and the kernel's own memory. */
  #forgetClosed(): void {
    const { view } = this.#ground;
    if (this.state !== STATE_RETIRED) {
      return;
    }
    const kept = [INSTRUMENT_BOOK, INSTRUMENT_CHECKSUM_CACHE].map((offset) => [offset, this.#read(offset)] as const);
    new Uint8Array(view.buffer, this.address, INSTRUMENT_NAME_LENGTH).fill(0);
    for (const [offset, value] of kept) {
      view.setUint32(this.address + offset, value, true);
    }
  }

  /** Writes ids, addresses and sizes of the current table entry into the kernel's block. */
  #point(start: InstrumentStart): void {
    const { view, imageEvery } = this.#ground;
    const entry = this.#segment;
    const isFirst = this.#read(INSTRUMENT_ID) === 0;
    const fields: [offset: number, value: number][] = [
      [INSTRUMENT_ID, entry.id],
      [INSTRUMENT_TABLE_ADDRESS, entry.entryAddress],
      [INSTRUMENT_CELL_ADDRESS, entry.cellAddress],
      [INSTRUMENT_METRICS_ADDRESS, entry.metricsAddress],
      [INSTRUMENT_IMAGE_ADDRESS, entry.imageAddress],
      [INSTRUMENT_IMAGE_BYTES, entry.imageBytes],
      [INSTRUMENT_IMAGE_CAPACITY, entry.imageCapacity],
      [INSTRUMENT_IMAGE_EVERY, imageEvery],
    ];
    const firstFields: [offset: number, value: number][] = [
      [INSTRUMENT_STATE, STATE_CONNECTING],
      [INSTRUMENT_REASON, REASON_CONNECTING],
      [INSTRUMENT_PRICE_EXPONENT, start.priceExponent],
      [INSTRUMENT_QUANTITY_EXPONENT, start.quantityExponent],
      [INSTRUMENT_DEPTH, start.depth],
    ];
    for (const [offset, value] of isFirst ? [...fields, ...firstFields] : fields) {
      view.setInt32(this.address + offset, value, true);
    }
  }

  #read(offset: number): number {
    return this.#ground.view.getUint32(this.address + offset, true);
  }
}

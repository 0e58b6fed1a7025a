/**
 * A reader of the delta ring written apart from the kernel's, by the documented protocol: read the tail, copy, read the
 * intent. It looks whenever something may have been published and tells every record, decoded to decimal texts.
 * Bad case: a record that is announced before it is written; it is told as it stands, and the checks on it fail.
 */
import {
  DELTA_ADD_MASK,
  DELTA_BASE_PRICE,
  DELTA_BOOK_HASH,
  DELTA_BYTES,
  DELTA_CHANGE_COUNT,
  DELTA_EVENT_AT,
  DELTA_FLAGS,
  DELTA_INSTRUMENT_ID,
  DELTA_PRICE_OFFSETS,
  DELTA_QUANTITIES,
  DELTA_SIDE_MASK,
  DELTA_SOURCE_SEQUENCE,
  DELTA_VERSION,
  IMAGE_ASK_COUNT,
  IMAGE_BID_COUNT,
  IMAGE_GENERATION,
  IMAGE_HEADER_BYTES,
  IMAGE_VERSION,
  LEVEL_BYTES,
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_OFFSET,
} from "../../assembly/layout.ts";
import { plainDecimal } from "../../src/emulator/text.ts";
import { levelHash } from "../../src/kernel/twin/hash.ts";
import { type InstrumentEntry, SegmentView } from "../../src/segment/view.ts";
import type { Side } from "./truth_log.ts";

/** A change as it was published. */
export type PublishedChange = {
  readonly side: Side;
  readonly price: string;
  readonly quantity: string;
  readonly isAdded: boolean;
};

/** A record as it was published. */
export type PublishedRecord = {
  readonly position: number;
  readonly id: number;
  readonly version: number;
  readonly flags: number;
  readonly sequence: number;
  readonly eventUs: number;
  /** The producer's own word for the book after it. */
  readonly bookHash: number;
  readonly changes: readonly PublishedChange[];
};

/** A book image. */
export type PublishedImage = {
  readonly version: number;
  readonly sides: readonly [Map<string, string>, Map<string, string>];
};

const TWO_32 = 4_294_967_296;

/** The reader of one segment. */
export class RingTap {
  readonly view: SegmentView;
  /** Records that were overwritten before they were read. */
  lost = 0;
  readonly #memory: DataView;
  readonly #entries = new Map<number, InstrumentEntry>();
  readonly #onRecord: (record: PublishedRecord, entry: InstrumentEntry) => void;
  #cursor = 0;
  #entriesRead = 0;

  constructor(
    buffer: ArrayBufferLike,
    address: number,
    onRecord: (record: PublishedRecord, entry: InstrumentEntry) => void,
  ) {
    this.#memory = new DataView(buffer);
    this.view = new SegmentView(buffer, address);
    this.#onRecord = onRecord;
  }

  /** Tells what was published since the last call. */
  poll(): void {
    const tail = this.view.deltaTail;
    while (this.#cursor < tail) {
      const capacity = this.view.header.deltaCapacity;
      const record = this.#read(this.#cursor);
      if (this.#cursor + capacity < this.view.deltaTailIntent) {
        const next = this.view.deltaTail - capacity / 4;
        this.lost += next - this.#cursor;
        this.#cursor = next;
        continue;
      }
      this.#cursor += 1;
      this.#onRecord(record, this.entry(record.id));
    }
  }

  /** The table entry of an id, as it was when it was first seen; exponents never change once it has records. */
  entry(id: number): InstrumentEntry {
    const known = this.#entries.get(id);
    if (known !== undefined) {
      return known;
    }
    while (this.#entriesRead < this.view.instrumentCount) {
      const entry = this.view.instrument(this.#entriesRead);
      this.#entriesRead += 1;
      if (entry.id === id) {
        this.#entries.set(id, entry);
        return entry;
      }
    }
    const found = this.view.instruments().find((entry) => entry.id === id);
    if (found === undefined) {
      throw new RangeError(`Cannot read a record: no table entry has its id, was ${id}`);
    }
    this.#entries.set(id, found);
    return found;
  }

  /** The current image of an entry; undefined when there is none or it is being written. */
  image(entry: InstrumentEntry): PublishedImage | undefined {
    const image = this.#image(entry);
    if (image === undefined) {
      return undefined;
    }
    const { priceExponent, quantityExponent } = this.view.instrument(entry.index);
    const sides: [Map<string, string>, Map<string, string>] = [new Map(), new Map()];
    this.#eachLevel(image, (level, side) => {
      const price = decimalAt(this.#memory, level + LEVEL_PRICE, { offset: 0, exponent: priceExponent });
      const quantity = decimalAt(this.#memory, level + LEVEL_QUANTITY, { offset: 0, exponent: quantityExponent });
      sides[side].set(price, quantity);
    });
    return { version: this.#u64(image + IMAGE_VERSION), sides };
  }

  /** Version and hash of the current image, the hash added up from its levels; undefined as for `image`. */
  imageSum(entry: InstrumentEntry): { readonly version: number; readonly hash: number } | undefined {
    const image = this.#image(entry);
    if (image === undefined) {
      return undefined;
    }
    const word = (address: number): number => this.#memory.getInt32(address, true);
    let hash = 0;
    this.#eachLevel(image, (level, side) => {
      const [price, quantity] = [level + LEVEL_PRICE, level + LEVEL_QUANTITY];
      hash = (hash + levelHash(side, word(price), word(price + 4), word(quantity), word(quantity + 4))) | 0;
    });
    return { version: this.#u64(image + IMAGE_VERSION), hash: hash >>> 0 };
  }

  /** Version of the current image; 0 when there is none. */
  imageVersion({ address, index }: InstrumentEntry): number {
    const { currentImage } = this.view.instrument(index);
    const offset =
      this.#u64(address + TABLE_IMAGE_OFFSET) + (currentImage - 1) * this.#u64(address + TABLE_IMAGE_BYTES);
    return currentImage === 0 ? 0 : this.#u64(this.view.address + offset + IMAGE_VERSION);
  }

  /** Address of the current image. */
  #image({ address, index, imagesFit }: InstrumentEntry): number | undefined {
    const { currentImage } = this.view.instrument(index);
    if (currentImage === 0 || !imagesFit) {
      return undefined;
    }
    const offset =
      this.#u64(address + TABLE_IMAGE_OFFSET) + (currentImage - 1) * this.#u64(address + TABLE_IMAGE_BYTES);
    const image = this.view.address + offset;
    return (this.#memory.getUint32(image + IMAGE_GENERATION, true) & 1) === 1 ? undefined : image;
  }

  #eachLevel(image: number, visit: (level: number, side: Side) => void): void {
    const bids = this.#memory.getUint32(image + IMAGE_BID_COUNT, true);
    const levels = bids + this.#memory.getUint32(image + IMAGE_ASK_COUNT, true);
    for (let index = 0; index < levels; index++) {
      visit(image + IMAGE_HEADER_BYTES + index * LEVEL_BYTES, index < bids ? 0 : 1);
    }
  }

  #read(position: number): PublishedRecord {
    const memory = this.#memory;
    const { address, header } = this.view;
    const at = address + header.deltaRingOffset + (position % header.deltaCapacity) * DELTA_BYTES;
    const id = memory.getUint32(at + DELTA_INSTRUMENT_ID, true);
    return {
      position,
      id,
      version: this.#u64(at + DELTA_VERSION),
      flags: memory.getUint16(at + DELTA_FLAGS, true),
      sequence: this.#u64(at + DELTA_SOURCE_SEQUENCE),
      eventUs: Number(memory.getBigUint64(at + DELTA_EVENT_AT, true) / 1000n),
      bookHash: memory.getUint32(at + DELTA_BOOK_HASH, true),
      changes: this.#changes(at, id),
    };
  }

  #changes(at: number, id: number): PublishedChange[] {
    const memory = this.#memory;
    const count = memory.getUint8(at + DELTA_CHANGE_COUNT);
    if (count === 0) {
      return [];
    }
    const { priceExponent, quantityExponent } = this.entry(id);
    const sides = memory.getUint16(at + DELTA_SIDE_MASK, true);
    const adds = memory.getUint16(at + DELTA_ADD_MASK, true);
    const changes: PublishedChange[] = [];
    for (let index = 0; index < count; index++) {
      const offset = memory.getInt32(at + DELTA_PRICE_OFFSETS + index * 4, true);
      changes.push({
        side: ((sides >> index) & 1) === 0 ? 0 : 1,
        price: decimalAt(memory, at + DELTA_BASE_PRICE, { offset, exponent: priceExponent }),
        quantity: decimalAt(memory, at + DELTA_QUANTITIES + index * 8, { offset: 0, exponent: quantityExponent }),
        isAdded: ((adds >> index) & 1) === 1,
      });
    }
    return changes;
  }

  #u64(address: number): number {
    return this.#memory.getUint32(address + 4, true) * TWO_32 + this.#memory.getUint32(address, true);
  }
}

/** An i64 in memory plus an offset, as a plain decimal. */
export function decimalAt(
  memory: DataView,
  address: number,
  { offset, exponent }: { offset: number; exponent: number },
): string {
  const value = memory.getInt32(address + 4, true) * TWO_32 + memory.getUint32(address, true) + offset;
  if (Number.isSafeInteger(value) && value >= 0) {
    return plainDecimal(value, exponent);
  }
  const exact = memory.getBigInt64(address, true) + BigInt(offset);
  const digits = String(exact < 0n ? -exact : exact).padStart(exponent + 1, "0");
  const text = `${digits.slice(0, digits.length - exponent)}.${digits.slice(digits.length - exponent)}`;
  return `${exact < 0n ? "-" : ""}${exponent === 0 ? digits : text.replace(/\.?0+$/, "")}`;
}

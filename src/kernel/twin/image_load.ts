/**
 * Joining by image: an instrument's current image is copied while its producer may be writing the other one, proved by
 * its generation and its hash, and becomes the replica's book.
 * Bad case: a producer that takes images faster than they are copied; after a few tries the reader is told to come back.
 */
import {
  FLAG_CROSSED,
  FLAG_LAST,
  FLAG_NOT_SYNCED,
  FLAG_RESET,
  FLAG_SNAPSHOT,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_TAIL_INTENT,
  IMAGE_ASK_COUNT,
  IMAGE_BID_COUNT,
  IMAGE_BUSY,
  IMAGE_CORRUPT,
  IMAGE_EVENT_AT,
  IMAGE_HASH,
  IMAGE_HEADER_BYTES,
  IMAGE_INSTRUMENT_ID,
  IMAGE_LAPPED,
  IMAGE_NONE,
  IMAGE_OK,
  IMAGE_RING_SEQUENCE,
  IMAGE_SOURCE_SEQUENCE,
  IMAGE_STATE,
  IMAGE_VERSION,
  LEVEL_BYTES,
  REPLICA_CHAIN,
  REPLICA_FLAGS,
  REPLICA_HASH,
  REPLICA_INSTRUMENT_ID,
  REPLICA_JOIN_SEQUENCE,
  REPLICA_PENDING_HASH,
  REPLICA_RECEIVED_AT,
  REPLICA_STATE,
  REPLICA_STATE_EMPTY,
  REPLICA_STATE_FOLLOWING,
  REPLICA_VERSION,
  SIDE_ASK,
  SIDE_BID,
  STATE_SYNCED,
  TABLE_CURRENT_IMAGE,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_CAPACITY,
  TABLE_IMAGE_OFFSET,
} from "../../../assembly/layout.ts";
import type { Book } from "./book.ts";
import { compareUnsigned } from "./int64.ts";
import { fieldOf, loadPosition, readU64, wordAt, writeWords } from "./memory.ts";
import type { Replicas } from "./replica.ts";

const TRIES = 16;
const HEADER_WORDS = IMAGE_HEADER_BYTES >>> 2;
const LEVEL_WORDS = LEVEL_BYTES >>> 2;

/**
 * KernelReader.imageLoad.
 * @param copy scratch of this instance @param entry address of the instrument's table entry
 * @returns IMAGE_*
 */
export function loadImage(
  replicas: Replicas,
  copy: ImageCopy,
  replica: number,
  segment: number,
  entry: number,
): number {
  const { words } = replicas.memory;
  const copied = copy.load(words, segment, entry);
  if (copied !== IMAGE_OK) {
    return copied;
  }
  const refused = judge(words, copy, replica);
  if (refused !== IMAGE_OK) {
    return refused;
  }
  const isAwaited = isAwaiting(words, replica);
  const receivedLow = isAwaited ? fieldOf(words, replica, REPLICA_RECEIVED_AT) : 0;
  const receivedHigh = isAwaited ? fieldOf(words, replica, REPLICA_RECEIVED_AT + 4) : 0;
  replicas.forget(replica);
  const book = replicas.book(replica);
  if (copy.unpack(book) !== IMAGE_OK) {
    return IMAGE_CORRUPT;
  }
  const isSynced = copy.field(IMAGE_STATE) === STATE_SYNCED;
  const flags = FLAG_LAST | FLAG_SNAPSHOT | (isSynced ? 0 : FLAG_NOT_SYNCED) | (book.isCrossed() ? FLAG_CROSSED : 0);
  words[(replica + REPLICA_HASH) >>> 2] = book.hash;
  words[(replica + REPLICA_CHAIN) >>> 2] = 0;
  writeWords(words, replica + REPLICA_VERSION, copy.field(IMAGE_VERSION), copy.field(IMAGE_VERSION + 4));
  writeWords(
    words,
    replica + REPLICA_JOIN_SEQUENCE,
    copy.field(IMAGE_RING_SEQUENCE),
    copy.field(IMAGE_RING_SEQUENCE + 4),
  );
  replicas.noteEvent(replica, flags, {
    eventLow: copy.field(IMAGE_EVENT_AT),
    eventHigh: copy.field(IMAGE_EVENT_AT + 4),
    receivedLow,
    receivedHigh,
    sequenceLow: copy.field(IMAGE_SOURCE_SEQUENCE),
    sequenceHigh: copy.field(IMAGE_SOURCE_SEQUENCE + 4),
  });
  words[(replica + REPLICA_STATE) >>> 2] = REPLICA_STATE_FOLLOWING;
  return IMAGE_OK;
}

/** Whether a Reset record was met and its image not yet loaded. */
function isAwaiting(words: Int32Array, replica: number): boolean {
  const isEmpty = fieldOf(words, replica, REPLICA_STATE) === REPLICA_STATE_EMPTY;
  return isEmpty && (fieldOf(words, replica, REPLICA_FLAGS) & FLAG_RESET) !== 0;
}

/** Whether the copy is the image that this replica wants. */
function judge(words: Int32Array, copy: ImageCopy, replica: number): number {
  if (copy.field(IMAGE_INSTRUMENT_ID) !== fieldOf(words, replica, REPLICA_INSTRUMENT_ID)) {
    return IMAGE_CORRUPT;
  }
  if (!isAwaiting(words, replica)) {
    return IMAGE_OK;
  }
  const order = compareUnsigned(
    copy.field(IMAGE_VERSION),
    copy.field(IMAGE_VERSION + 4),
    fieldOf(words, replica, REPLICA_VERSION),
    fieldOf(words, replica, REPLICA_VERSION + 4),
  );
  if (order < 0) {
    return IMAGE_BUSY;
  }
  const isSame = copy.field(IMAGE_HASH) === fieldOf(words, replica, REPLICA_PENDING_HASH);
  return order === 0 && !isSame ? IMAGE_CORRUPT : IMAGE_OK;
}

/** A private copy of one image: header, then levels. */
export class ImageCopy {
  words = new Int32Array(HEADER_WORDS);

  /** A word of the copied header. @param field IMAGE_* */
  field(field: number): number {
    return wordAt(this.words, field >>> 2);
  }

  /**
   * Copies an instrument's current image, checking the generation before and after.
   * @param segment address of the header @param entry address of the table entry
   * @returns IMAGE_*
   */
  load(words: Int32Array, segment: number, entry: number): number {
    const capacity = wordAt(words, (entry + TABLE_IMAGE_CAPACITY) >>> 2) >>> 0;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const number = Atomics.load(words, (entry + TABLE_CURRENT_IMAGE) >>> 2);
      if (number === 0) {
        return IMAGE_NONE;
      }
      if (number < 1 || number > 2) {
        return IMAGE_CORRUPT;
      }
      const offset = readU64(words, entry + TABLE_IMAGE_OFFSET);
      const image = (segment + offset + (number - 1) * readU64(words, entry + TABLE_IMAGE_BYTES)) >>> 2;
      const generation = Atomics.load(words, image);
      if ((generation & 1) === 1) {
        continue;
      }
      const levels = this.#copy(words, image, capacity);
      if (Atomics.load(words, image) !== generation) {
        continue;
      }
      if (levels > capacity) {
        return IMAGE_CORRUPT;
      }
      const oldest = loadPosition(words, segment + HEADER_DELTA_TAIL_INTENT);
      const reach = readU64(this.words, IMAGE_RING_SEQUENCE) + wordAt(words, (segment + HEADER_DELTA_CAPACITY) >>> 2);
      return reach < oldest ? IMAGE_LAPPED : IMAGE_OK;
    }
    return IMAGE_BUSY;
  }

  /** Copies what the header announces, if it can be. @returns levels announced */
  #copy(words: Int32Array, image: number, capacity: number): number {
    const levels =
      (wordAt(words, image + (IMAGE_BID_COUNT >>> 2)) >>> 0) + (wordAt(words, image + (IMAGE_ASK_COUNT >>> 2)) >>> 0);
    const length = HEADER_WORDS + (levels <= capacity ? levels * LEVEL_WORDS : 0);
    if (this.words.length < length) {
      this.words = new Int32Array(HEADER_WORDS + capacity * LEVEL_WORDS);
    }
    this.words.set(words.subarray(image, image + length));
    return levels;
  }

  /** Builds a book from the copy. @returns IMAGE_OK, or IMAGE_CORRUPT when counts or hash do not hold */
  unpack(book: Book): number {
    book.clear();
    const bids = this.field(IMAGE_BID_COUNT);
    const count = bids + this.field(IMAGE_ASK_COUNT);
    const words = this.words;
    for (let i = 0, at = HEADER_WORDS; i < count; i++, at += LEVEL_WORDS) {
      const side = i < bids ? SIDE_BID : SIDE_ASK;
      book.set(side, wordAt(words, at), wordAt(words, at + 1), wordAt(words, at + 2), wordAt(words, at + 3));
    }
    if (book.bids.count === bids && book.count === count && book.hash === this.field(IMAGE_HASH)) {
      return IMAGE_OK;
    }
    book.clear();
    return IMAGE_CORRUPT;
  }
}

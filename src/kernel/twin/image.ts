/**
 * Book images: two per instrument, written alternately, each behind a generation that is odd while it is written. A
 * reader joins by the current image and the records after its ring position.
 * Bad case: a book of more levels than the image holds; the instrument is flagged and the host opens a larger one.
 */
import {
  COUNTER_IMAGES,
  HEADER_EPOCH,
  IMAGE_ASK_COUNT,
  IMAGE_BID_COUNT,
  IMAGE_EPOCH,
  IMAGE_EVENT_AT,
  IMAGE_GENERATION,
  IMAGE_HASH,
  IMAGE_HEADER_BYTES,
  IMAGE_INSTRUMENT_ID,
  IMAGE_RING_SEQUENCE,
  IMAGE_SOURCE_SEQUENCE,
  IMAGE_STATE,
  IMAGE_VERSION,
  INSTRUMENT_EVENT_AT,
  INSTRUMENT_FLAG_IMAGE_FULL,
  INSTRUMENT_ID,
  INSTRUMENT_IMAGE_ADDRESS,
  INSTRUMENT_IMAGE_AT,
  INSTRUMENT_IMAGE_BYTES,
  INSTRUMENT_IMAGE_CAPACITY,
  INSTRUMENT_LAST_SEQUENCE,
  INSTRUMENT_RECORDS_SINCE_IMAGE,
  INSTRUMENT_STATE,
  INSTRUMENT_TABLE_ADDRESS,
  INSTRUMENT_VERSION,
  LEVEL_BYTES,
  SIDE_ASK,
  SIDE_BID,
  TABLE_CURRENT_IMAGE,
} from "../../../assembly/layout.ts";
import type { Book } from "./book.ts";
import { hasFlag, setFlags } from "./instrument.ts";
import { copyWords, fieldOf, readU64, wordAt, writeU64 } from "./memory.ts";
import type { Producer } from "./producer.ts";

/** Takes at most one image: the wanted one, or one that the ring is about to leave behind. */
export function patrolImages(producer: Producer): void {
  const { deltas, instruments, memory } = producer;
  let instrument = producer.imageDue;
  producer.imageDue = 0;
  if (instrument === 0) {
    if (instruments.count === 0) {
      return;
    }
    if (producer.patrol >= instruments.count) {
      producer.patrol = 0;
    }
    instrument = instruments.at(producer.patrol++);
    const hasImage = fieldOf(memory.words, instrument, INSTRUMENT_IMAGE_ADDRESS) !== 0;
    if (!hasImage || readU64(memory.words, instrument + INSTRUMENT_VERSION) === 0) {
      return;
    }
    if (deltas.position - readU64(memory.words, instrument + INSTRUMENT_IMAGE_AT) < Math.floor(deltas.capacity / 2)) {
      return;
    }
  }
  if (!hasFlag(memory.words, instrument, INSTRUMENT_FLAG_IMAGE_FULL)) {
    writeImage(producer, instrument, readU64(memory.words, instrument + INSTRUMENT_VERSION), deltas.position);
  }
}

/**
 * Writes the instrument's next image.
 * @param version of the book @param ringSequence position of the first record not included
 * @returns false when it does not fit; the instrument is flagged
 */
export function writeImage(producer: Producer, instrument: number, version: number, ringSequence: number): boolean {
  const { words } = producer.memory;
  const book = producer.instruments.book(instrument);
  if (book.count > fieldOf(words, instrument, INSTRUMENT_IMAGE_CAPACITY) >>> 0) {
    setFlags(words, instrument, INSTRUMENT_FLAG_IMAGE_FULL);
    return false;
  }
  const entry = fieldOf(words, instrument, INSTRUMENT_TABLE_ADDRESS) >>> 0;
  const number = wordAt(words, (entry + TABLE_CURRENT_IMAGE) >>> 2) === 1 ? 2 : 1;
  const bytes = fieldOf(words, instrument, INSTRUMENT_IMAGE_BYTES) >>> 0;
  const image = (fieldOf(words, instrument, INSTRUMENT_IMAGE_ADDRESS) >>> 0) + (number - 1) * bytes;
  const generation = wordAt(words, image >>> 2);
  Atomics.store(words, (image + IMAGE_GENERATION) >>> 2, generation + 1);
  writeU64(words, image + IMAGE_VERSION, version);
  writeU64(words, image + IMAGE_RING_SEQUENCE, ringSequence);
  copyFields(producer, instrument, image);
  copyBook(book, words, image);
  Atomics.store(words, (image + IMAGE_GENERATION) >>> 2, generation + 2);
  Atomics.store(words, (entry + TABLE_CURRENT_IMAGE) >>> 2, number);
  writeU64(words, instrument + INSTRUMENT_IMAGE_AT, ringSequence);
  words[(instrument + INSTRUMENT_RECORDS_SINCE_IMAGE) >>> 2] = 0;
  producer.count(COUNTER_IMAGES, 1);
  return true;
}

function copyFields(producer: Producer, instrument: number, image: number): void {
  const { words } = producer.memory;
  words[(image + IMAGE_STATE) >>> 2] = fieldOf(words, instrument, INSTRUMENT_STATE);
  words[(image + IMAGE_INSTRUMENT_ID) >>> 2] = fieldOf(words, instrument, INSTRUMENT_ID);
  copyWords(words, image + IMAGE_EPOCH, producer.segment + HEADER_EPOCH);
  copyWords(words, image + IMAGE_EVENT_AT, instrument + INSTRUMENT_EVENT_AT);
  copyWords(words, image + IMAGE_SOURCE_SEQUENCE, instrument + INSTRUMENT_LAST_SEQUENCE);
}

function copyBook(book: Book, words: Int32Array, image: number): void {
  const bids = book.bids.count;
  words[(image + IMAGE_BID_COUNT) >>> 2] = bids;
  words[(image + IMAGE_ASK_COUNT) >>> 2] = book.asks.count;
  words[(image + IMAGE_HASH) >>> 2] = book.hash;
  const levels = image + IMAGE_HEADER_BYTES;
  book.walk(SIDE_BID, 0, bids, words, levels);
  book.walk(SIDE_ASK, 0, book.asks.count, words, levels + bids * LEVEL_BYTES);
}

/**
 * Book images: two per instrument, written alternately, each behind a generation that is odd while it is written. A reader
 * joins by the current image and the records after its ring position.
 * Bad case: a book of more levels than the image holds; the instrument is flagged and the host opens a larger one.
 */
import { arenaAllocate } from "./arena";
import { bookClear, bookCount, bookHash, bookSet, bookWalk } from "./book";
import { hasFlag, instrumentAt, instrumentTotal, setFlag } from "./instrument";
import {
  COUNTER_IMAGES,
  HEADER_DELTA_CAPACITY,
  HEADER_DELTA_TAIL_INTENT,
  IMAGE_ASK_COUNT,
  IMAGE_BID_COUNT,
  IMAGE_BUSY,
  IMAGE_CORRUPT,
  IMAGE_EPOCH,
  IMAGE_EVENT_AT,
  IMAGE_GENERATION,
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
  INSTRUMENT_BOOK,
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
  LEVEL_PRICE,
  LEVEL_QUANTITY,
  SIDE_ASK,
  SIDE_BID,
  TABLE_CURRENT_IMAGE,
  TABLE_IMAGE_BYTES,
  TABLE_IMAGE_CAPACITY,
  TABLE_IMAGE_OFFSET,
} from "./layout";
import { count, deltaRecords, deltaRoom, producerEpoch } from "./producer";

const TRIES = 16;
let due: usize = 0;
let patrol: u32 = 0;

/** Remembers that an instrument wants an image at the next publish; the first one to ask is served. */
export function imageWanted(instrument: usize): void {
  if (due == 0) due = instrument;
}

/** Takes at most one image: the wanted one, or one that the ring is about to leave behind. */
export function imagePatrol(): void {
  let instrument = due;
  due = 0;
  if (instrument == 0) {
    const total = instrumentTotal();
    if (total == 0) return;
    if (patrol >= total) patrol = 0;
    instrument = instrumentAt(patrol);
    patrol++;
    if (load<u32>(instrument, INSTRUMENT_IMAGE_ADDRESS) == 0 || load<u64>(instrument, INSTRUMENT_VERSION) == 0) return;
    if (deltaRecords() - load<u64>(instrument, INSTRUMENT_IMAGE_AT) < deltaRoom() >> 1) return;
  }
  if (hasFlag(instrument, INSTRUMENT_FLAG_IMAGE_FULL)) return;
  imageWrite(instrument, load<u64>(instrument, INSTRUMENT_VERSION), deltaRecords());
}

/** Writes the instrument's next image. @returns false when it does not fit */
export function imageWrite(instrument: usize, version: u64, ringSequence: u64): bool {
  const book = <usize>load<u32>(instrument, INSTRUMENT_BOOK);
  const bids = bookCount(book, SIDE_BID);
  const asks = bookCount(book, SIDE_ASK);
  if (bids + asks > load<u32>(instrument, INSTRUMENT_IMAGE_CAPACITY)) {
    setFlag(instrument, INSTRUMENT_FLAG_IMAGE_FULL);
    return false;
  }
  const entry = <usize>load<u32>(instrument, INSTRUMENT_TABLE_ADDRESS);
  const index: u32 = load<u32>(entry, TABLE_CURRENT_IMAGE) == 1 ? 2 : 1;
  const image =
    <usize>load<u32>(instrument, INSTRUMENT_IMAGE_ADDRESS) +
    (index - 1) * load<u32>(instrument, INSTRUMENT_IMAGE_BYTES);
  const generation = load<u32>(image, IMAGE_GENERATION);
  atomic.store<u32>(image, generation + 1, IMAGE_GENERATION);
  store<u32>(image, load<u32>(instrument, INSTRUMENT_STATE), IMAGE_STATE);
  store<u64>(image, producerEpoch(), IMAGE_EPOCH);
  store<u64>(image, version, IMAGE_VERSION);
  store<u64>(image, ringSequence, IMAGE_RING_SEQUENCE);
  store<u32>(image, bids, IMAGE_BID_COUNT);
  store<u32>(image, asks, IMAGE_ASK_COUNT);
  store<u32>(image, bookHash(book), IMAGE_HASH);
  store<u32>(image, load<u32>(instrument, INSTRUMENT_ID), IMAGE_INSTRUMENT_ID);
  store<i64>(image, load<i64>(instrument, INSTRUMENT_EVENT_AT), IMAGE_EVENT_AT);
  store<u64>(image, load<u64>(instrument, INSTRUMENT_LAST_SEQUENCE), IMAGE_SOURCE_SEQUENCE);
  const levels = image + IMAGE_HEADER_BYTES;
  bookWalk(book, SIDE_BID, 0, bids, levels);
  bookWalk(book, SIDE_ASK, 0, asks, levels + bids * LEVEL_BYTES);
  atomic.store<u32>(image, generation + 2, IMAGE_GENERATION);
  atomic.store<u32>(entry, index, TABLE_CURRENT_IMAGE);
  store<u64>(instrument, ringSequence, INSTRUMENT_IMAGE_AT);
  store<u32>(instrument, 0, INSTRUMENT_RECORDS_SINCE_IMAGE);
  count(COUNTER_IMAGES, 1);
  return true;
}

/** Copy of the image that imageCopy made: header, then levels. */
let copy: usize = 0;
let copyBytes: usize = 0;

/** Address of the last copied image. */
export function imageCopied(): usize {
  return copy;
}

/**
 * Copies an instrument's current image into the arena, checking the generation before and after.
 * @returns IMAGE_*
 */
export function imageCopy(segment: usize, entry: usize): i32 {
  const capacity = load<u32>(entry, TABLE_IMAGE_CAPACITY);
  const want = <usize>IMAGE_HEADER_BYTES + <usize>capacity * <usize>LEVEL_BYTES;
  if (want > copyBytes) {
    copy = arenaAllocate(want);
    copyBytes = copy == 0 ? 0 : want;
    if (copy == 0) return IMAGE_CORRUPT;
  }
  for (let i = 0; i < TRIES; i++) {
    const index = atomic.load<u32>(entry, TABLE_CURRENT_IMAGE);
    if (index == 0) return IMAGE_NONE;
    if (index > 2) return IMAGE_CORRUPT;
    const offset = load<u64>(entry, TABLE_IMAGE_OFFSET) + (index - 1) * load<u64>(entry, TABLE_IMAGE_BYTES);
    const image = segment + <usize>offset;
    const generation = atomic.load<u32>(image, IMAGE_GENERATION);
    if (generation & 1) continue;
    memory.copy(copy, image, IMAGE_HEADER_BYTES);
    const levels = <u64>load<u32>(copy, IMAGE_BID_COUNT) + <u64>load<u32>(copy, IMAGE_ASK_COUNT);
    if (levels <= capacity)
      memory.copy(copy + IMAGE_HEADER_BYTES, image + IMAGE_HEADER_BYTES, <usize>levels * LEVEL_BYTES);
    if (atomic.load<u32>(image, IMAGE_GENERATION) != generation) continue;
    if (levels > capacity) return IMAGE_CORRUPT;
    const position = load<u64>(copy, IMAGE_RING_SEQUENCE);
    const intent = atomic.load<u64>(segment, HEADER_DELTA_TAIL_INTENT);
    return position + load<u32>(segment, HEADER_DELTA_CAPACITY) < intent ? IMAGE_LAPPED : IMAGE_OK;
  }
  return IMAGE_BUSY;
}

/** Builds a book from the copied image. @returns IMAGE_OK, or IMAGE_CORRUPT when counts or hash do not hold */
export function imageUnpack(book: usize): i32 {
  bookClear(book);
  const bids = load<u32>(copy, IMAGE_BID_COUNT);
  const asks = load<u32>(copy, IMAGE_ASK_COUNT);
  let level = copy + IMAGE_HEADER_BYTES;
  for (let i: u32 = 0; i < bids + asks; i++) {
    const side = i < bids ? SIDE_BID : SIDE_ASK;
    bookSet(book, side, load<i64>(level, LEVEL_PRICE), load<i64>(level, LEVEL_QUANTITY));
    level += LEVEL_BYTES;
  }
  const good =
    bookCount(book, SIDE_BID) == bids &&
    bookCount(book, SIDE_ASK) == asks &&
    bookHash(book) == load<u32>(copy, IMAGE_HASH);
  if (!good) bookClear(book);
  return good ? IMAGE_OK : IMAGE_CORRUPT;
}

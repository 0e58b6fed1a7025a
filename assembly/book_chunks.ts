/**
 * The storage of one side of a book: a directory of chunks of up to 32 sorted levels. Full chunks split, thin ones merge,
 * emptied ones go to a free list that all books of an instance share. Searches have no data-dependent branch, because a
 * wrongly guessed one costs more than the comparison it saves.
 * Directory entry, 16 bytes: separator i64 (no key of the chunk is below it; the lowest i64 for the first, the highest for
 * places without a chunk) · chunk u32 · count u32. Chunk, 512 bytes: 32 levels of key i64 · quantity i64; places without a
 * level have the highest key, so that a search counts keys over all places without asking how many there are.
 * Bad case: a side swept from the far end: each chunk that empties moves the whole directory (16 bytes a chunk).
 */
import { arenaAllocate, blockRelease, blockTake } from "./arena";

/** Side: directory u32 · chunks u32 · directoryCapacity u32 · levels u32. */
export const CHUNKS: usize = 4;
export const CAPACITY: usize = 8;
export const LEVELS: usize = 12;
export const ENTRY_BYTES: u32 = 16;
export const ENTRY_CHUNK: usize = 8;
export const ENTRY_COUNT: usize = 12;
export const CHUNK_LEVELS: u32 = 32;
/** A level in a chunk is 2^4 bytes. */
export const LEVEL_SHIFT: u32 = 4;
/** Offset of the quantity in a level. */
export const QUANTITY: usize = 8;
const CHUNK_BYTES: usize = 512;
/** A chunk left with fewer levels is merged into the one before when both fit. */
const MERGE_BELOW: u32 = 8;
const MERGE_ROOM: u32 = 24;

let freeChunks: usize = 0;

/** Gives a chunk back to all books. */
export function releaseChunk(chunk: usize): void {
  store<u32>(chunk, <u32>freeChunks);
  freeChunks = chunk;
}

/** Takes a chunk. @returns 0 when the arena is exhausted */
export function takeChunk(): usize {
  let chunk = freeChunks;
  if (chunk == 0) chunk = arenaAllocate(CHUNK_BYTES);
  else freeChunks = load<u32>(chunk);
  if (chunk != 0) fillHighest(chunk, CHUNK_LEVELS);
  return chunk;
}

/** Writes a directory entry for a chunk. */
export function writeEntry(entry: usize, chunk: usize, count: u32): void {
  store<i64>(entry, load<i64>(chunk));
  store<u32>(entry, <u32>chunk, ENTRY_CHUNK);
  store<u32>(entry, count, ENTRY_COUNT);
}

/**
 * Last entry of the first `count` whose separator is not above the key. Costs one probe per 64 entries from the best ones
 * on, where most events are, and 16 more.
 */
export function findEntry(directory: usize, key: i64, count: u32): u32 {
  let block = directory + (((count - 1) & ~63) << LEVEL_SHIFT);
  while (block > directory && load<i64>(block) > key) block -= 1024;
  const at = block + (eighths(block, key) << 7);
  return (<u32>(at - directory) >> LEVEL_SHIFT) + withinEight(at, key) - 1;
}

/** First place whose key is not below `key`; places without a level hold the highest key. */
export function lowerBound(chunk: usize, key: i64): u32 {
  const block =
    <u32>(load<i64>(chunk, 112) < key) + <u32>(load<i64>(chunk, 240) < key) + <u32>(load<i64>(chunk, 368) < key);
  const at = chunk + ((<usize>block) << 7);
  const a = <u32>(load<i64>(at) < key) + <u32>(load<i64>(at, 16) < key);
  const b = <u32>(load<i64>(at, 32) < key) + <u32>(load<i64>(at, 48) < key);
  const c = <u32>(load<i64>(at, 64) < key) + <u32>(load<i64>(at, 80) < key);
  const d = <u32>(load<i64>(at, 96) < key) + <u32>(load<i64>(at, 112) < key);
  return (block << 3) + (a + b + (c + d));
}

/** Of 64 entries, how many eighths but the last are wholly not above the key. */
function eighths(block: usize, key: i64): usize {
  const a = <usize>(load<i64>(block, 112) <= key) + <usize>(load<i64>(block, 240) <= key);
  const b = <usize>(load<i64>(block, 368) <= key) + <usize>(load<i64>(block, 496) <= key);
  const c = <usize>(load<i64>(block, 624) <= key) + <usize>(load<i64>(block, 752) <= key);
  return a + b + (c + <usize>(load<i64>(block, 880) <= key));
}

/** Of eight entries, how many are not above the key. */
function withinEight(at: usize, key: i64): u32 {
  const a = <u32>(load<i64>(at) <= key) + <u32>(load<i64>(at, 16) <= key);
  const b = <u32>(load<i64>(at, 32) <= key) + <u32>(load<i64>(at, 48) <= key);
  const c = <u32>(load<i64>(at, 64) <= key) + <u32>(load<i64>(at, 80) <= key);
  const d = <u32>(load<i64>(at, 96) <= key) + <u32>(load<i64>(at, 112) <= key);
  return a + b + (c + d);
}

/** Fills places with the highest key, which no search passes. */
export function fillHighest(from: usize, places: u32): void {
  const end = from + ((<usize>places) << LEVEL_SHIFT);
  for (let at = from; at < end; at += 16) store<i64>(at, i64.MAX_VALUE);
}

/** Inserts a level into a chunk that has room. */
export function insertAt(entry: usize, place: u32, key: i64, quantity: i64): void {
  const chunk = <usize>load<u32>(entry, ENTRY_CHUNK);
  const count = load<u32>(entry, ENTRY_COUNT);
  const at = chunk + (place << LEVEL_SHIFT);
  for (let to = chunk + (count << LEVEL_SHIFT); to > at; to -= 16) v128.store(to, v128.load(to - 16));
  store<i64>(at, key);
  store<i64>(at, quantity, QUANTITY);
  store<u32>(entry, count + 1, ENTRY_COUNT);
}

/** Inserts into a full chunk: a run in price order opens a fresh chunk, anything else halves the full one. */
export function insertSplit(side: usize, index: u32, place: u32, key: i64, quantity: i64): bool {
  const chunks = load<u32>(side, CHUNKS);
  if (place == 0 && index == 0) return openChunk(side, 0, key, quantity);
  if (place == CHUNK_LEVELS && index == chunks - 1) return openChunk(side, chunks, key, quantity);
  const upper = takeChunk();
  if (upper == 0) return false;
  if (!openEntry(side, index + 1)) {
    releaseChunk(upper);
    return false;
  }
  const half = CHUNK_LEVELS >> 1;
  const entry = <usize>load<u32>(side) + index * ENTRY_BYTES;
  const lower = <usize>load<u32>(entry, ENTRY_CHUNK);
  memory.copy(upper, lower + (half << LEVEL_SHIFT), half << LEVEL_SHIFT);
  fillHighest(lower + (half << LEVEL_SHIFT), half);
  store<u32>(entry, half, ENTRY_COUNT);
  writeEntry(entry + ENTRY_BYTES, upper, half);
  if (place > half) insertAt(entry + ENTRY_BYTES, place - half, key, quantity);
  else insertAt(entry, place, key, quantity);
  return true;
}

function openChunk(side: usize, index: u32, key: i64, quantity: i64): bool {
  const chunk = takeChunk();
  if (chunk == 0) return false;
  if (!openEntry(side, index)) {
    releaseChunk(chunk);
    return false;
  }
  store<i64>(chunk, key);
  store<i64>(chunk, quantity, QUANTITY);
  const directory = <usize>load<u32>(side);
  writeEntry(directory + index * ENTRY_BYTES, chunk, 1);
  if (index == 0) {
    store<i64>(directory, i64.MIN_VALUE);
    const next = directory + ENTRY_BYTES;
    store<i64>(next, load<i64>(load<u32>(next, ENTRY_CHUNK)));
  }
  return true;
}

/** Makes room for a directory entry at `index`, doubling the directory when it is full. */
function openEntry(side: usize, index: u32): bool {
  const chunks = load<u32>(side, CHUNKS);
  let directory = <usize>load<u32>(side);
  const capacity = load<u32>(side, CAPACITY);
  if (chunks == capacity) {
    const larger = blockTake(capacity * 2 * ENTRY_BYTES);
    if (larger == 0) return false;
    memory.copy(larger, directory, chunks * ENTRY_BYTES);
    blockRelease(directory, capacity * ENTRY_BYTES);
    fillHighest(larger + chunks * ENTRY_BYTES, capacity * 2 - chunks);
    directory = larger;
    store<u32>(side, <u32>larger);
    store<u32>(side, capacity * 2, CAPACITY);
  }
  const at = directory + index * ENTRY_BYTES;
  memory.copy(at + ENTRY_BYTES, at, (chunks - index) * ENTRY_BYTES);
  store<u32>(side, chunks + 1, CHUNKS);
  return true;
}

function closeEntry(side: usize, index: u32): void {
  const chunks = load<u32>(side, CHUNKS) - 1;
  const at = <usize>load<u32>(side) + index * ENTRY_BYTES;
  releaseChunk(load<u32>(at, ENTRY_CHUNK));
  memory.copy(at, at + ENTRY_BYTES, (chunks - index) * ENTRY_BYTES);
  const directory = <usize>load<u32>(side);
  store<i64>(directory, i64.MIN_VALUE);
  store<i64>(directory + chunks * ENTRY_BYTES, i64.MAX_VALUE);
  store<u32>(side, chunks, CHUNKS);
}

/** Removes the level at a place. */
export function removeAt(side: usize, index: u32, place: u32): void {
  const entry = <usize>load<u32>(side) + index * ENTRY_BYTES;
  const chunk = <usize>load<u32>(entry, ENTRY_CHUNK);
  const count = load<u32>(entry, ENTRY_COUNT) - 1;
  const last = chunk + (count << LEVEL_SHIFT);
  for (let at = chunk + (place << LEVEL_SHIFT); at < last; at += 16) v128.store(at, v128.load(at, 16));
  store<i64>(last, i64.MAX_VALUE);
  store<u32>(entry, count, ENTRY_COUNT);
  store<u32>(side, load<u32>(side, LEVELS) - 1, LEVELS);
  if (count == 0) closeEntry(side, index);
  else if (count < MERGE_BELOW && index > 0) mergeBack(side, index);
}

/** Appends a thin chunk to the one before it when both fit. */
function mergeBack(side: usize, index: u32): void {
  const entry = <usize>load<u32>(side) + index * ENTRY_BYTES;
  const count = load<u32>(entry, ENTRY_COUNT);
  const previous = entry - ENTRY_BYTES;
  const room = load<u32>(previous, ENTRY_COUNT);
  if (room + count > MERGE_ROOM) return;
  const from = <usize>load<u32>(entry, ENTRY_CHUNK);
  const to = <usize>load<u32>(previous, ENTRY_CHUNK) + (room << LEVEL_SHIFT);
  memory.copy(to, from, count << LEVEL_SHIFT);
  store<u32>(previous, room + count, ENTRY_COUNT);
  closeEntry(side, index);
}

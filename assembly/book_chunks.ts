/**
 * The storage of one side of a book: a directory of chunks of up to 64 sorted levels. Full chunks split, thin ones merge,
 * emptied ones go to a free list that all books of an instance share. Searches have no data-dependent branch, because a
 * wrongly guessed one costs more than the comparison it saves.
 * Directory entry, 16 bytes: separator i64 (no key of the chunk is below it; ignored for the first) · chunk u32 · count u32.
 * Chunk, 1024 bytes: 64 levels of key i64 · quantity i64.
 * Bad case: a side swept from the far end: each chunk that empties moves the whole directory (16 bytes a chunk).
 */
import { arenaAllocate } from "./arena";

/** Side: directory u32 · chunks u32 · directoryCapacity u32 · levels u32. */
export const CHUNKS: usize = 4;
export const CAPACITY: usize = 8;
export const LEVELS: usize = 12;
export const ENTRY_BYTES: u32 = 16;
export const ENTRY_CHUNK: usize = 8;
export const ENTRY_COUNT: usize = 12;
export const CHUNK_LEVELS: u32 = 64;
/** A level in a chunk is 2^4 bytes. */
export const LEVEL_SHIFT: u32 = 4;
/** Offset of the quantity in a level. */
export const QUANTITY: usize = 8;
const CHUNK_BYTES: usize = 1024;
/** A chunk left with fewer levels is merged into the one before when both fit. */
const MERGE_BELOW: u32 = 16;
const MERGE_ROOM: u32 = 48;

let freeChunks: usize = 0;

/** Gives a chunk back to all books. */
export function releaseChunk(chunk: usize): void {
  store<u32>(chunk, <u32>freeChunks);
  freeChunks = chunk;
}

/** Takes a chunk. @returns 0 when the arena is exhausted */
export function takeChunk(): usize {
  const chunk = freeChunks;
  if (chunk == 0) return arenaAllocate(CHUNK_BYTES);
  freeChunks = load<u32>(chunk);
  return chunk;
}

/** Writes a directory entry for a chunk. */
export function writeEntry(entry: usize, chunk: usize, count: u32): void {
  store<i64>(entry, load<i64>(chunk));
  store<u32>(entry, <u32>chunk, ENTRY_CHUNK);
  store<u32>(entry, count, ENTRY_COUNT);
}

/** Last entry of the first `count` whose separator is not above the key (0 when none). */
export function findEntry(directory: usize, key: i64, count: u32): u32 {
  let at = directory;
  let rest = count;
  while (rest > 1) {
    const half = rest >> 1;
    const middle = at + (half << 4);
    at = select<usize>(middle, at, load<i64>(middle) <= key);
    rest -= half;
  }
  return <u32>(at - directory) >> 4;
}

/** First place whose key is not below `key`; a chunk is never empty. */
export function lowerBound(chunk: usize, count: u32, key: i64): u32 {
  let at = chunk;
  let rest = count;
  while (rest > 1) {
    const half = rest >> 1;
    const middle = at + (half << LEVEL_SHIFT);
    at = select<usize>(middle, at, load<i64>(middle) <= key);
    rest -= half;
  }
  return (<u32>(at - chunk) >> LEVEL_SHIFT) + <u32>(load<i64>(at) < key);
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
    const larger = arenaAllocate(capacity * 2 * ENTRY_BYTES);
    if (larger == 0) return false;
    memory.copy(larger, directory, chunks * ENTRY_BYTES);
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
  store<u32>(side, chunks, CHUNKS);
}

/** Removes the level at a place. */
export function removeAt(side: usize, index: u32, place: u32): void {
  const entry = <usize>load<u32>(side) + index * ENTRY_BYTES;
  const chunk = <usize>load<u32>(entry, ENTRY_CHUNK);
  const count = load<u32>(entry, ENTRY_COUNT) - 1;
  const last = chunk + (count << LEVEL_SHIFT);
  for (let at = chunk + (place << LEVEL_SHIFT); at < last; at += 16) v128.store(at, v128.load(at, 16));
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

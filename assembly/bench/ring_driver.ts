/**
 * The loops of the ring benchmark, beside the kernel's own functions in one module that only benchmarks load: what is
 * timed is the ring, not the calls from JavaScript. Records are written and published by the kernel's producer, and polled
 * by its reader; their 256 bytes are those of bench/baseline/ring_twin.c, and every byte of them is verified.
 * Bad case: an other side that never answers; loops are bounded and tell how far they came.
 */
import { DELTA_BYTES, POLL_LAPPED } from "../layout";
import { deltaClaim, deltaNext, deltaRecords } from "../producer";
import { publishRecords, readerPoll } from "../ring";

const SALT: u64 = 0x9e3779b97f4a7c15;
/** In a peer's page, on cache lines of their own. */
const PAGE_VERIFIED: usize = 64;
const PAGE_ERRORS: usize = 128;
/** Polls between two signs of life. */
const BEAT_POLLS: u32 = 256;
/** Multiplications that wait for one another; about as long as the `pause` of the machine takes. */
const PAUSE_STEPS: u32 = 24;

let waiting: usize = 0;
let paused: u64 = 1;

/** @param at address of the sleepers' ticket: odd while somebody sleeps */
export function ringWaiting(at: usize): void {
  waiting = at;
}

/**
 * Writes records and publishes them in batches. It ends early when somebody sleeps, for the host has to wake them.
 * @param count a multiple of `batch`
 * @returns records published
 */
export function ringFill(count: u32, batch: u32): u32 {
  let done: u32 = 0;
  while (done < count) {
    done += batch;
    if (writeBatch(batch)) break;
  }
  return done;
}

/** @returns whether somebody sleeps */
function writeBatch(batch: u32): bool {
  deltaClaim(batch);
  for (let i: u32 = 0; i < batch; i++) {
    const record = deltaNext();
    writeRecord(record, deltaRecords());
  }
  publishRecords(0);
  return (atomic.load<u32>(waiting) & 1) != 0;
}

/** Not a constant, which V8 would build anew for every use. */
let two: i64 = 2;

/** The time at 16 is stamped by the publish. */
function writeRecord(record: usize, version: u64): void {
  const step = i64x2.splat(two);
  let words = i64x2.splat(version);
  v128.store(record, words);
  store<u64>(record, version, 24);
  words = i64x2.add(words, i64x2(4, 5));
  v128.store(record, words, 32);
  words = i64x2.add(words, step);
  v128.store(record, words, 48);
  words = i64x2.add(words, step);
  v128.store(record, words, 64);
  words = i64x2.add(words, step);
  v128.store(record, words, 80);
  words = i64x2.add(words, step);
  v128.store(record, words, 96);
  words = i64x2.add(words, step);
  v128.store(record, words, 112);
  words = i64x2.add(words, step);
  v128.store(record, words, 128);
  words = i64x2.add(words, step);
  v128.store(record, words, 144);
  words = i64x2.add(words, step);
  v128.store(record, words, 160);
  words = i64x2.add(words, step);
  v128.store(record, words, 176);
  words = i64x2.add(words, step);
  v128.store(record, words, 192);
  words = i64x2.add(words, step);
  v128.store(record, words, 208);
  words = i64x2.add(words, step);
  v128.store(record, words, 224);
  store<u64>(record, version + 30, 240);
  store<u64>(record, version ^ SALT, 248);
}

/**
 * What a C program says with the `pause` instruction, which WebAssembly lacks: a reader that looks at the tail again at
 * once takes its line from the writer for every record.
 */
function pause(): void {
  let word = paused;
  for (let i: u32 = 0; i < PAUSE_STEPS; i++) word = word * SALT + 1;
  paused = word;
}

/** @returns how many of the records at `at` are not whole, or not the ones after `version` */
function wrongRecords(at: usize, count: u32, version: u64): u32 {
  let wrong: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    version++;
    const step = i64x2.splat(2);
    let words = i64x2.add(i64x2.splat(version), i64x2(4, 5));
    let differ = v128.xor(v128.load(at), i64x2.splat(version));
    differ = v128.or(differ, v128.xor(v128.load(at, 16), i64x2(0, version)));
    for (let word = at + 32; word < at + 240; word += 16) {
      differ = v128.or(differ, v128.xor(v128.load(word), words));
      words = i64x2.add(words, step);
    }
    words = i64x2.replace_lane(words, 1, version ^ SALT);
    differ = v128.or(differ, v128.xor(v128.load(at, 240), words));
    if (v128.any_true(differ)) wrong++;
    at += <usize>DELTA_BYTES;
  }
  return wrong;
}

/**
 * Polls so many times and verifies what comes, telling the page how far it came. Call it again and again: V8 does not
 * exchange the code of a loop that runs for the better code that it has meanwhile.
 * @param version of the record before the reader's cursor
 * @param limit records of one poll; `out` has room for them
 * @param answers whether every poll that found records is answered by one record of our own ring
 * @returns the version of the last record
 */
export function ringFollow(
  reader: usize,
  out: usize,
  limit: u32,
  version: f64,
  page: usize,
  polls: u32,
  answers: u32,
): f64 {
  let last = <u64>version;
  for (let i: u32 = 1; i <= polls; i++) {
    const count = readerPoll(reader, out, limit);
    if (count > 0) {
      if (answers) writeBatch(1);
      const wrong = wrongRecords(out, count, last);
      last += count;
      if (wrong > 0) atomic.add<u32>(page, wrong, PAGE_ERRORS);
      atomic.store<u32>(page, <u32>last, PAGE_VERIFIED);
    } else if (count == POLL_LAPPED) {
      atomic.add<u32>(page, 1, PAGE_ERRORS);
      break;
    } else {
      if ((i & (BEAT_POLLS - 1)) == 0) atomic.add<u32>(page, 1);
      pause();
    }
  }
  return <f64>last;
}

/**
 * Round trips: a record is written and published, then its answer is awaited, spinning.
 * @param version of the record before the reader's cursor @param idle polls in vain after which it gives up
 * @returns answers that came and were whole
 */
export function ringTrips(reader: usize, out: usize, count: u32, version: f64, idle: u32): u32 {
  let last = <u64>version;
  for (let done: u32 = 0; done < count; done++) {
    writeBatch(1);
    let polls: u32 = 0;
    while (readerPoll(reader, out, 1) == 0) if (++polls == idle) return done;
    if (wrongRecords(out, 1, last) != 0) return done;
    last++;
  }
  return count;
}

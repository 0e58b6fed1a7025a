/**
 * The audit: a REST depth body is compared with a watched book level by level, leaving out what the socket named
 * meanwhile. Bodies of all exchanges have one form: `bids` and `asks` as lists of `[price, quantity, …]`, best first, beside
 * `lastUpdateId` or `time`, in objects of any depth.
 * Bad case: a level that the exchange adds and removes without a word in between; only a second look tells it from a loss.
 */
import {
  COMPARE_BROKEN,
  COMPARE_OK,
  COMPARE_UNREADABLE,
  INSTRUMENT_QUANTITY_EXPONENT,
  JSON_DEPTH_MAX,
  SIDE_ASK,
  SIDE_BID,
  WATCH_AGREEING,
  WATCH_ASK_COUNT,
  WATCH_BID_COUNT,
  WATCH_BODY_SEQUENCE,
  WATCH_BODY_TIME,
  WATCH_COMPARED,
  WATCH_DISAGREEING,
  WATCH_FLAG_BROKEN,
  WATCH_FLAGS,
  WATCH_HIGH,
  WATCH_LIST,
  WATCH_LOW,
  WATCH_MISMATCH_BYTES,
  WATCH_MISMATCH_OURS,
  WATCH_MISMATCH_PRICE,
  WATCH_MISMATCH_SIDE,
  WATCH_MISMATCH_THEIRS,
  WATCH_MISMATCHES,
  WATCH_MISMATCHES_MAX,
  WATCH_NARROW_ASK,
  WATCH_NARROW_BID,
  WATCH_NARROWED,
  WATCH_PHASE,
  WATCH_PHASE_CLOSED,
  WATCH_REST_DECIMALS,
  WATCH_REST_LEVELS,
  WATCH_TOUCHED_LEVELS,
} from "../../../assembly/layout.ts";
import { isEmptyObject, lastKey, nextMember, objectClosed, readKey } from "./fields.ts";
import { resultHigh, resultLow, subtract } from "./int64.ts";
import {
  lastStringEscaped,
  peek,
  readInteger,
  skipSpace,
  skipValue,
  TYPE_NUMBER,
  TYPE_STRING,
  typeAt,
} from "./json.ts";
import { WordSet } from "./keys.ts";
import { scanPairs } from "./level_scan.ts";
import { ENTRY_QUANTITY, ENTRY_WORDS, Levels, SCALE_OK } from "./levels.ts";
import { fieldOf, wordAt, writeWords } from "./memory.ts";
import type { Producer } from "./producer.ts";
import { readRfc3339 } from "./time.ts";
import { isBetter } from "./watch.ts";

const BIDS = 0;
const ASKS = 1;
const TIME = 2;
const LAST_UPDATE_ID = 3;
const KEYS = new WordSet(["bids", "asks", "time", "lastUpdateId"]);
const ARRAY_OPEN = 0x5b;
const OBJECT_OPEN = 0x7b;
const FIRST_FINDING = WATCH_BODY_SEQUENCE >>> 2;

/** Entries [first, last) of one side of the body, in `Levels`. */
type Range = { first: number; last: number };

/** Compares books with bodies. */
export class Audit {
  readonly #producer: Producer;
  readonly #levels = new Levels();
  readonly #sides: [Range | undefined, Range | undefined] = [undefined, undefined];
  #watch = 0;
  /** 10^tolerance lots are one step of the body's quantities; −1 = they are exact. */
  #tolerance = -1;

  constructor(producer: Producer) {
    this.#producer = producer;
  }

  /** KernelAudit.auditCompare. */
  compare(watch: number, body: number, length: number): number {
    const { words } = this.#producer.memory;
    const { watches } = this.#producer;
    words.fill(0, (watch >>> 2) + FIRST_FINDING, (watch + WATCH_LIST) >>> 2);
    const isClosed = fieldOf(words, watch, WATCH_PHASE) === WATCH_PHASE_CLOSED;
    if (isClosed || (fieldOf(words, watch, WATCH_FLAGS) & WATCH_FLAG_BROKEN) !== 0) {
      return COMPARE_BROKEN;
    }
    this.#watch = watch;
    const instrument = watches.instrument(watch);
    const sides = this.#readBody(body, body + length);
    const isRead = sides !== undefined && this.#scale(instrument);
    if (!isRead || !this.#isSorted(SIDE_BID, sides[SIDE_BID]) || !this.#isSorted(SIDE_ASK, sides[SIDE_ASK])) {
      writeWords(words, watch + WATCH_BODY_SEQUENCE, 0, 0);
      writeWords(words, watch + WATCH_BODY_TIME, 0, 0);
      return COMPARE_UNREADABLE;
    }
    const decimals = fieldOf(words, watch, WATCH_REST_DECIMALS);
    const coarse = fieldOf(words, instrument, INSTRUMENT_QUANTITY_EXPONENT) - decimals;
    this.#tolerance = decimals >= 0 && coarse > 0 ? coarse : -1;
    words[(watch + WATCH_BID_COUNT) >>> 2] = sides[SIDE_BID].last - sides[SIDE_BID].first;
    words[(watch + WATCH_ASK_COUNT) >>> 2] = sides[SIDE_ASK].last - sides[SIDE_ASK].first;
    this.#compareSide(SIDE_BID, sides[SIDE_BID]);
    this.#compareSide(SIDE_ASK, sides[SIDE_ASK]);
    return COMPARE_OK;
  }

  #scale(instrument: number): boolean {
    return this.#levels.scale(this.#producer, instrument, 0, this.#levels.count) === SCALE_OK;
  }

  #readBody(body: number, end: number): [Range, Range] | undefined {
    const { bytes } = this.#producer.memory;
    this.#levels.clear();
    this.#sides.fill(undefined);
    const at = skipSpace(bytes, body, end);
    const stop = peek(bytes, at, end) === OBJECT_OPEN ? this.#scanMembers(at + 1, end, 1) : -1;
    if (stop < 0 || skipSpace(bytes, stop, end) !== end) {
      return undefined;
    }
    const [bids, asks] = this.#sides;
    const isGood = this.#levels.malformed === 0 && !this.#levels.isTooMany;
    return isGood && bids !== undefined && asks !== undefined ? [bids, asks] : undefined;
  }

  #scanMembers(start: number, end: number, depth: number): number {
    const { bytes } = this.#producer.memory;
    if (isEmptyObject(bytes, start, end)) {
      return skipSpace(bytes, start, end) + 1;
    }
    let at = start;
    do {
      at = readKey(bytes, at, end);
      at = at < 0 ? -1 : this.#scanMember(lastKey(bytes, KEYS), at, end, depth);
      at = at < 0 ? -1 : nextMember(bytes, at, end);
    } while (at >= 0 && !objectClosed());
    return at;
  }

  #scanMember(key: number, at: number, end: number, depth: number): number {
    const { bytes, words } = this.#producer.memory;
    const byte = peek(bytes, at, end);
    if (byte === OBJECT_OPEN) {
      return depth < JSON_DEPTH_MAX ? this.#scanMembers(at + 1, end, depth + 1) : -1;
    }
    if (byte === ARRAY_OPEN && (key === BIDS || key === ASKS)) {
      return this.#scanSide(key === ASKS ? SIDE_ASK : SIDE_BID, at, end, depth);
    }
    const type = typeAt(bytes, at, end);
    const stop = skipValue(bytes, at, end, depth);
    if (stop < 0 || depth !== 1) {
      return stop;
    }
    const isText = type === TYPE_STRING && !lastStringEscaped();
    if (key === TIME && isText && readRfc3339(bytes, at + 1, stop - at - 2)) {
      writeWords(words, this.#watch + WATCH_BODY_TIME, resultLow(), resultHigh());
    }
    if (key === LAST_UPDATE_ID && type === TYPE_NUMBER && readInteger(bytes, at, stop - at)) {
      writeWords(words, this.#watch + WATCH_BODY_SEQUENCE, resultLow(), resultHigh());
    }
    return stop;
  }

  /** Reads the levels of a side; a side that comes twice is no body. */
  #scanSide(side: number, at: number, end: number, depth: number): number {
    if (this.#sides[side] !== undefined) {
      return -1;
    }
    const first = this.#levels.count;
    const form = { side, depth: depth + 1, isTimed: false };
    const stop = scanPairs(this.#levels, this.#producer.memory.bytes, at, end, form);
    this.#sides[side] = { first, last: this.#levels.count };
    return stop;
  }

  #priceLow(entry: number): number {
    return wordAt(this.#levels.entries, entry * ENTRY_WORDS);
  }

  #priceHigh(entry: number): number {
    return wordAt(this.#levels.entries, entry * ENTRY_WORDS + 1);
  }

  #isBetterEntry(side: number, entry: number, low: number, high: number): boolean {
    return isBetter(side, this.#priceLow(entry), this.#priceHigh(entry), low, high);
  }

  #isSorted(side: number, { first, last }: Range): boolean {
    for (let entry = first + 1; entry < last; entry++) {
      if (!this.#isBetterEntry(side, entry - 1, this.#priceLow(entry), this.#priceHigh(entry))) {
        return false;
      }
    }
    return true;
  }

  /** The worst price of a side that both book and body assert. */
  #bound(side: number, { first, last }: Range): { low: number; high: number } {
    const { words } = this.#producer.memory;
    const watch = this.#watch;
    const at = watch + (side === SIDE_BID ? WATCH_LOW : WATCH_HIGH);
    let low = fieldOf(words, at, 0);
    let high = fieldOf(words, at, 4);
    const narrow = watch + (side === SIDE_BID ? WATCH_NARROW_BID : WATCH_NARROW_ASK);
    const isNarrowed = (fieldOf(words, watch, WATCH_NARROWED) & (1 << side)) !== 0;
    if (isNarrowed && isBetter(side, fieldOf(words, narrow, 0), fieldOf(words, narrow, 4), low, high)) {
      low = fieldOf(words, narrow, 0);
      high = fieldOf(words, narrow, 4);
    }
    const asked = fieldOf(words, watch, WATCH_REST_LEVELS) >>> 0;
    const isCut = asked > 0 && last - first >= asked;
    return isCut && this.#isBetterEntry(side, last - 1, low, high)
      ? { low: this.#priceLow(last - 1), high: this.#priceHigh(last - 1) }
      : { low, high };
  }

  /** Walks both sides of the same kind, best first, and judges every price that one of them has. */
  #compareSide(side: number, range: Range): void {
    const { words } = this.#producer.memory;
    const { watches } = this.#producer;
    const ours = watches.book(this.#watch).side(side);
    const touched = watches.touched(this.#watch);
    const bound = this.#bound(side, range);
    let place = ours.end - 1;
    let entry = range.first;
    let compared = 0;
    while (place >= ours.start || entry < range.last) {
      const isHeld = place >= ours.start;
      const ourLow = isHeld ? ours.priceLow(place) : 0;
      const ourHigh = isHeld ? ours.priceHigh(place) : 0;
      const isTheirs = entry < range.last;
      const takesOurs = isHeld && !(isTheirs && this.#isBetterEntry(side, entry, ourLow, ourHigh));
      const isOursBetter =
        isHeld && isTheirs && isBetter(side, ourLow, ourHigh, this.#priceLow(entry), this.#priceHigh(entry));
      const takesTheirs = isTheirs && !isOursBetter;
      const low = takesOurs ? ourLow : this.#priceLow(entry);
      const high = takesOurs ? ourHigh : this.#priceHigh(entry);
      if (isBetter(side, bound.low, bound.high, low, high)) {
        break;
      }
      const heldPlace = takesOurs ? place-- : -1;
      const heldLow = heldPlace < 0 ? 0 : ours.quantityLow(heldPlace);
      const heldHigh = heldPlace < 0 ? 0 : ours.quantityHigh(heldPlace);
      const theirs = takesTheirs ? entry++ : -1;
      compared++;
      if (!this.#isSame(heldLow, heldHigh, theirs) && touched.place(side, low, high) < 0) {
        this.#noteMismatch({ side, low, high, heldLow, heldHigh, theirs });
      }
    }
    const counted = (this.#watch + WATCH_COMPARED) >>> 2;
    words[counted] = wordAt(words, counted) + compared;
    this.#weighTouched(side, range, bound);
  }

  /** @param low words of our quantity, 0 = absent @param theirs entry of the body, −1 = absent */
  #isSame(low: number, high: number, theirs: number): boolean {
    if (theirs < 0) {
      return (low | high) === 0;
    }
    const { entries } = this.#levels;
    const theirLow = wordAt(entries, theirs * ENTRY_WORDS + ENTRY_QUANTITY);
    const theirHigh = wordAt(entries, theirs * ENTRY_WORDS + ENTRY_QUANTITY + 1);
    if (this.#tolerance < 0) {
      return low === theirLow && high === theirHigh;
    }
    if ((low | high) === 0) {
      return false;
    }
    subtract(low, high, theirLow, theirHigh);
    const difference = BigInt.asIntN(64, (BigInt(resultHigh()) << 32n) | BigInt(resultLow() >>> 0));
    const limit = 10n ** BigInt(this.#tolerance);
    return difference < limit && difference > -limit;
  }

  #noteMismatch(found: {
    side: number;
    low: number;
    high: number;
    heldLow: number;
    heldHigh: number;
    theirs: number;
  }): void {
    const { words } = this.#producer.memory;
    const { entries } = this.#levels;
    const counted = (this.#watch + WATCH_MISMATCHES) >>> 2;
    const count = wordAt(words, counted);
    words[counted] = count + 1;
    if (count >= WATCH_MISMATCHES_MAX) {
      return;
    }
    const at = this.#watch + WATCH_LIST + count * WATCH_MISMATCH_BYTES;
    const quantity = found.theirs * ENTRY_WORDS + ENTRY_QUANTITY;
    const isAbsent = found.theirs < 0;
    writeWords(words, at + WATCH_MISMATCH_PRICE, found.low, found.high);
    writeWords(words, at + WATCH_MISMATCH_OURS, found.heldLow, found.heldHigh);
    const low = isAbsent ? -1 : wordAt(entries, quantity);
    writeWords(words, at + WATCH_MISMATCH_THEIRS, low, isAbsent ? -1 : wordAt(entries, quantity + 1));
    words[(at + WATCH_MISMATCH_SIDE) >>> 2] = found.side;
  }

  /** How fresh the body is: does it know the changes that were over before it was asked for? */
  #weighTouched(side: number, range: Range, bound: { low: number; high: number }): void {
    const { words } = this.#producer.memory;
    const { watches } = this.#producer;
    const marks = watches.touched(this.#watch).side(side);
    const late = watches.late(this.#watch);
    const book = watches.book(this.#watch);
    const held = book.side(side);
    let agreeing = 0;
    let disagreeing = 0;
    for (let mark = marks.end - 1; mark >= marks.start; mark--) {
      const low = marks.priceLow(mark);
      const high = marks.priceHigh(mark);
      if (isBetter(side, bound.low, bound.high, low, high)) {
        break;
      }
      const place = late.place(side, low, high) < 0 ? book.place(side, low, high) : -2;
      if (place === -2) {
        continue;
      }
      const nowLow = place < 0 ? 0 : held.quantityLow(place);
      const nowHigh = place < 0 ? 0 : held.quantityHigh(place);
      subtract(marks.quantityLow(mark), marks.quantityHigh(mark), 1, 0);
      const beforeLow = resultLow();
      const beforeHigh = resultHigh();
      if (nowLow === beforeLow && nowHigh === beforeHigh) {
        continue;
      }
      const theirs = this.#entryOf(side, range, low, high);
      if (!this.#isSame(nowLow, nowHigh, theirs)) {
        disagreeing++;
      } else if (!this.#isSame(beforeLow, beforeHigh, theirs)) {
        agreeing++;
      }
    }
    const sums: [field: number, value: number][] = [
      [WATCH_TOUCHED_LEVELS, marks.count],
      [WATCH_AGREEING, agreeing],
      [WATCH_DISAGREEING, disagreeing],
    ];
    for (const [field, value] of sums) {
      const index = (this.#watch + field) >>> 2;
      words[index] = wordAt(words, index) + value;
    }
  }

  /** The body's entry at a price, −1 when it has none. */
  #entryOf(side: number, { first, last }: Range, low: number, high: number): number {
    let from = first;
    let to = last;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#isBetterEntry(side, middle, low, high)) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from < last && this.#priceLow(from) === low && this.#priceHigh(from) === high ? from : -1;
  }
}

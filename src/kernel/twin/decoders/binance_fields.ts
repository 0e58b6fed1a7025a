/**
 * Phase one of Binance frames and depth bodies: their fields, raw or inside `{stream,data}`, and the range of their levels.
 * Bad case: `b` and `a` are level arrays in one kind and prices in another; only those that begin with `[` are read as levels.
 */
import { SIDE_ASK, SIDE_BID } from "../../../../assembly/layout.ts";
import {
  beginFields,
  FieldTable,
  hasDuplicate,
  isEmptyObject,
  lastKey,
  nextMember,
  objectClosed,
  readKey,
} from "../fields.ts";
import { peek, skipSpace, skipValue, TYPE_ARRAY } from "../json.ts";
import { NO_WORD, WordSet } from "../keys.ts";
import { type ArrayForm, scanPairs } from "../level_scan.ts";
import type { DecodeContext } from "./common.ts";

const ARRAY_OPEN = 0x5b;
const OBJECT_OPEN = 0x7b;

/** Fields of a frame. */
export const KIND = 0;
export const EVENT_TIME = 1;
export const SYMBOL = 2;
export const FIRST = 3;
export const LAST = 4;
export const PREVIOUS = 5;
export const BIDS = 6;
export const ASKS = 7;
export const TRADE = 8;
export const PRICE = 9;
export const QUANTITY = 10;
export const TRADE_TIME = 11;
export const MAKER = 12;
export const EXECUTION = 13;
export const BEST_BID_QUANTITY = 14;
export const BEST_ASK_QUANTITY = 15;
export const LAST_UPDATE = 16;
export const RESULT_FIELD = 17;
export const ID = 18;
export const ERROR = 19;
export const CODE = 20;
const PAYLOAD = 21;
export const REST_BIDS = 22;
export const REST_ASKS = 23;
const KEY_NAMES = [
  "e",
  "E",
  "s",
  "U",
  "u",
  "pu",
  "b",
  "a",
  "t",
  "p",
  "q",
  "T",
  "m",
  "X",
  "B",
  "A",
  "lastUpdateId",
  "result",
  "id",
  "error",
  "code",
  "data",
  "bids",
  "asks",
];
const KEYS = new WordSet(KEY_NAMES);

/** Level arrays of the frame itself (raw), and of the object under `data`. */
const RAW_BIDS: ArrayForm = { side: SIDE_BID, depth: 2, isTimed: false };
const RAW_ASKS: ArrayForm = { side: SIDE_ASK, depth: 2, isTimed: false };
const WRAPPED_BIDS: ArrayForm = { side: SIDE_BID, depth: 3, isTimed: false };
const WRAPPED_ASKS: ArrayForm = { side: SIDE_ASK, depth: 3, isTimed: false };

/** Results of scan. */
export const SCAN_OK = 0;
export const SCAN_NO_OBJECT = 1;
export const SCAN_SYNTAX = 2;
export const SCAN_DUPLICATE = 3;

/** The frame under way. */
export class BinanceFrame {
  readonly #context: DecodeContext;
  readonly #outer = new FieldTable(KEY_NAMES.length);
  readonly #inner = new FieldTable(KEY_NAMES.length);
  /** The fields that count: those under `data`, if it is an object, else those of the frame. */
  fields: FieldTable = this.#outer;
  /** First byte behind leading white space. */
  start = 0;
  /** Its levels are [firstLevel, lastLevel). */
  firstLevel = 0;
  lastLevel = 0;
  /** DECODE_* of the first malformed level, 0 = none. */
  malformed = 0;
  #isWrapped = false;
  #isBody = false;

  constructor(context: DecodeContext) {
    this.#context = context;
  }

  /** Reads a frame, or a REST body. @returns SCAN_* */
  scan(frame: number, end: number, isBody: boolean): number {
    const context = this.#context;
    const { bytes, levels } = context;
    beginFields();
    this.#outer.clear();
    levels.clear();
    this.#isWrapped = false;
    this.#isBody = isBody;
    this.start = skipSpace(bytes, frame, end);
    if (peek(bytes, this.start, end) !== OBJECT_OPEN) {
      return SCAN_NO_OBJECT;
    }
    if (!context.frameEnds(this.#scanMembers(this.#outer, this.start + 1, end, 1), end)) {
      return SCAN_SYNTAX;
    }
    if (!this.#isWrapped) {
      this.firstLevel = 0;
      this.lastLevel = levels.count;
      this.malformed = levels.malformed;
    }
    this.fields = this.#isWrapped ? this.#inner : this.#outer;
    return hasDuplicate() ? SCAN_DUPLICATE : SCAN_OK;
  }

  #scanMembers(fields: FieldTable, start: number, end: number, depth: number): number {
    const { bytes } = this.#context;
    if (isEmptyObject(bytes, start, end)) {
      return skipSpace(bytes, start, end) + 1;
    }
    let at = start;
    do {
      at = readKey(bytes, at, end);
      at = at < 0 ? -1 : this.#scanMember(fields, lastKey(bytes, KEYS), at, end, depth);
      at = at < 0 ? -1 : nextMember(bytes, at, end);
    } while (at >= 0 && !objectClosed());
    return at;
  }

  #scanMember(fields: FieldTable, field: number, at: number, end: number, depth: number): number {
    const { bytes, levels } = this.#context;
    if (field === NO_WORD) {
      return skipValue(bytes, at, end, depth);
    }
    if (field === PAYLOAD && depth === 1 && peek(bytes, at, end) === OBJECT_OPEN) {
      return this.#scanWrapped(at, end);
    }
    const isBids = field === (this.#isBody ? REST_BIDS : BIDS);
    const isAsks = field === (this.#isBody ? REST_ASKS : ASKS);
    if ((!isBids && !isAsks) || peek(bytes, at, end) !== ARRAY_OPEN) {
      return fields.read(field, bytes, at, end, depth);
    }
    fields.set(field, at, at, TYPE_ARRAY, false);
    return scanPairs(levels, bytes, at, end, pairForm(isBids, depth));
  }

  /** Reads the object under `data`; its fields and levels are the frame's. */
  #scanWrapped(start: number, end: number): number {
    const { levels } = this.#context;
    this.#outer.set(PAYLOAD, start, start, TYPE_ARRAY, false);
    this.#isWrapped = true;
    this.#inner.clear();
    levels.malformed = 0;
    this.firstLevel = levels.count;
    const at = this.#scanMembers(this.#inner, start + 1, end, 2);
    this.lastLevel = levels.count;
    this.malformed = levels.malformed;
    return at;
  }
}

function pairForm(isBids: boolean, depth: number): ArrayForm {
  if (depth === 1) {
    return isBids ? RAW_BIDS : RAW_ASKS;
  }
  return isBids ? WRAPPED_BIDS : WRAPPED_ASKS;
}

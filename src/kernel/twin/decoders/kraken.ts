/**
 * Kraken WebSocket v2 (objects): book snapshot and update with a CRC-32 over the top ten levels, silent truncation at the
 * subscribed depth, trades with the taker's side. Array frames (v1) go to kraken_array.ts.
 * A frame may hold several entries; all of them are read and scaled before any is applied.
 * Bad case: levels below the top ten: no checksum covers them.
 */
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  APPLY_CONTROL,
  APPLY_HEARTBEAT,
  APPLY_IGNORED,
  APPLY_LIMIT,
  APPLY_STALE,
  APPLY_TRADES,
  APPLY_UNKNOWN_KIND,
  DECODE_DUPLICATE_FIELD,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_SYNTAX,
  FRAME_EVENTS_MAX,
  FRAME_TRADES_MAX,
  LIMIT_FRAME_EVENTS,
  OUTCOME_DETAIL,
  TRADE_FLAG_HISTORY,
} from "../../../../assembly/layout.ts";
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
import { resultHigh, resultLow } from "../int64.ts";
import { peek, skipSpace, skipValue, TYPE_ARRAY, TYPE_NONE } from "../json.ts";
import { NO_WORD, WordSet } from "../keys.ts";
import { SCALE_OK } from "../levels.ts";
import { TRADE_DUPLICATE } from "../trade.ts";
import { type DecodeContext, type Decoder, FINE } from "./common.ts";
import { KrakenArrayDecoder } from "./kraken_array.ts";
import { acceptsBook, noteDecimals, readChecksum } from "./kraken_book.ts";
import {
  ENTRY_ASKS,
  ENTRY_BIDS,
  ENTRY_CHECKSUM,
  ENTRY_PRICE,
  ENTRY_QUANTITY,
  ENTRY_SIDE,
  ENTRY_SYMBOL,
  ENTRY_TIMESTAMP,
  ENTRY_TRADE_ID,
  KrakenEntries,
  type KrakenEntry,
} from "./kraken_entries.ts";

const ARRAY_OPEN = 0x5b;
const OBJECT_OPEN = 0x7b;

const CHANNEL = 0;
const TYPE = 1;
const PAYLOAD = 2;
const METHOD = 3;
const ERROR = 4;
const UPPER_ERROR = 5;
const EVENT = 6;
const KEY_NAMES = ["channel", "type", "data", "method", "error", "Error", "event"];
const KEYS = new WordSet(KEY_NAMES);

const BOOK = 0;
const TRADE = 1;
const CHANNELS = new WordSet([
  "book",
  "trade",
  "heartbeat",
  "status",
  "pong",
  "instrument",
  "ticker",
  "ohlc",
  "level3",
]);
/** What the channels mean, in their order. */
const CHANNEL_CODES = [
  FINE,
  FINE,
  APPLY_HEARTBEAT,
  APPLY_CONTROL,
  APPLY_CONTROL,
  APPLY_CONTROL,
  APPLY_IGNORED,
  APPLY_IGNORED,
  APPLY_IGNORED,
];
const EVENTS = new WordSet(["heartbeat", "systemStatus", "subscriptionStatus", "pong", "error"]);
const HEARTBEAT_EVENT = 0;

const SNAPSHOT = 0;
const MESSAGES = new WordSet(["snapshot", "update"]);
const BUY = 0;
const SIDES = new WordSet(["buy", "sell"]);

/**
 * The decoder of Kraken.
 * @see https://docs.kraken.com/api/docs/websocket-v2/book (read 2026-11), and captured frames
 */
export class KrakenDecoder implements Decoder {
  readonly #context: DecodeContext;
  readonly #arrays: KrakenArrayDecoder;
  readonly #entries: KrakenEntries;
  readonly #fields = new FieldTable(KEY_NAMES.length);

  constructor(context: DecodeContext) {
    this.#context = context;
    this.#arrays = new KrakenArrayDecoder(context);
    this.#entries = new KrakenEntries(context);
  }

  /** Decodes and applies one frame. @returns APPLY_* */
  apply(frame: number, length: number): number {
    const context = this.#context;
    const { bytes } = context;
    const end = frame + length;
    beginFields();
    this.#fields.clear();
    this.#entries.clear();
    context.levels.clear();
    context.instrument = 0;
    const at = skipSpace(bytes, frame, end);
    if (peek(bytes, at, end) === ARRAY_OPEN) {
      return this.#arrays.apply(at, end);
    }
    if (peek(bytes, at, end) !== OBJECT_OPEN) {
      return context.notAnObject(at, end);
    }
    if (!context.frameEnds(this.#scanMembers(at + 1, end), end)) {
      return context.decodeError(DECODE_SYNTAX);
    }
    const kind = this.#classify();
    const isUnread = this.#fields.type(PAYLOAD) === TYPE_ARRAY && this.#entries.isEmpty();
    if (kind === FINE && isUnread) {
      this.#entries.scan(this.#fields.start(PAYLOAD), end);
    }
    if (hasDuplicate()) {
      return context.decodeError(DECODE_DUPLICATE_FIELD);
    }
    if (kind !== FINE) {
      return context.finish(kind);
    }
    return this.#channel() === BOOK ? this.#applyBook() : this.#applyTrades();
  }

  #channel(): number {
    return this.#fields.word(CHANNEL, this.#context.bytes, CHANNELS);
  }

  #scanMembers(start: number, end: number): number {
    const { bytes } = this.#context;
    if (isEmptyObject(bytes, start, end)) {
      return skipSpace(bytes, start, end) + 1;
    }
    let at = start;
    do {
      at = readKey(bytes, at, end);
      at = at < 0 ? -1 : this.#scanMember(lastKey(bytes, KEYS), at, end);
      at = at < 0 ? -1 : nextMember(bytes, at, end);
    } while (at >= 0 && !objectClosed());
    return at;
  }

  /** `data` is read at once when the channel is known already, else it is skipped and read later. */
  #scanMember(field: number, at: number, end: number): number {
    const { bytes } = this.#context;
    if (field === NO_WORD) {
      return skipValue(bytes, at, end, 1);
    }
    if (field === PAYLOAD && peek(bytes, at, end) === ARRAY_OPEN) {
      const channel = this.#channel();
      if (channel === BOOK || channel === TRADE) {
        this.#fields.set(field, at, at, TYPE_ARRAY, false);
        return this.#entries.scan(at, end);
      }
    }
    return this.#fields.read(field, bytes, at, end, 1);
  }

  /** @returns FINE for book and trade, else the code of the kind */
  #classify(): number {
    const fields = this.#fields;
    if (fields.type(METHOD) !== TYPE_NONE) {
      return APPLY_CONTROL;
    }
    if (fields.type(CHANNEL) !== TYPE_NONE) {
      return CHANNEL_CODES[this.#channel()] ?? APPLY_UNKNOWN_KIND;
    }
    if (fields.type(EVENT) !== TYPE_NONE) {
      const event = fields.word(EVENT, this.#context.bytes, EVENTS);
      if (event === HEARTBEAT_EVENT) {
        return APPLY_HEARTBEAT;
      }
      return event === NO_WORD ? APPLY_UNKNOWN_KIND : APPLY_CONTROL;
    }
    const isError = fields.type(ERROR) !== TYPE_NONE || fields.type(UPPER_ERROR) !== TYPE_NONE;
    return isError ? APPLY_CONTROL : APPLY_UNKNOWN_KIND;
  }

  #isSnapshot(): boolean {
    return this.#fields.word(TYPE, this.#context.bytes, MESSAGES) === SNAPSHOT;
  }

  /** @param limit most entries */
  #payloadProblem(limit: number): number {
    const context = this.#context;
    const fields = this.#fields;
    if (fields.word(TYPE, context.bytes, MESSAGES) === NO_WORD) {
      return context.decodeError(fields.type(TYPE) === TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
    }
    const code = context.arrayProblem(fields, PAYLOAD);
    if (code !== FINE) {
      return code;
    }
    return this.#entries.exceeds(limit) ? context.finish(APPLY_LIMIT, 0, LIMIT_FRAME_EVENTS) : FINE;
  }

  /** Reads and judges one book entry without applying it. */
  #readBookEntry(entry: KrakenEntry): number {
    const context = this.#context;
    const { fields } = entry;
    context.instrument = 0;
    if (!entry.isObject) {
      return context.decodeError(DECODE_FIELD_TYPE);
    }
    let code = context.resolve(fields, ENTRY_SYMBOL);
    if (code !== FINE) {
      return code;
    }
    if (fields.type(ENTRY_BIDS) === TYPE_NONE || fields.type(ENTRY_ASKS) === TYPE_NONE) {
      return context.decodeError(DECODE_FIELD_MISSING);
    }
    if (fields.type(ENTRY_BIDS) !== TYPE_ARRAY || fields.type(ENTRY_ASKS) !== TYPE_ARRAY) {
      return context.decodeError(DECODE_FIELD_TYPE);
    }
    code = context.levelsProblem();
    if (code !== FINE) {
      return code;
    }
    if (entry.malformed !== 0) {
      return context.decodeError(entry.malformed);
    }
    code = readChecksum(context, fields, ENTRY_CHECKSUM);
    entry.checksum = resultLow() >>> 0;
    return code === FINE ? context.readTime(fields, ENTRY_TIMESTAMP) : code;
  }

  #applyBook(): number {
    const context = this.#context;
    const isSnapshot = this.#isSnapshot();
    let code = this.#payloadProblem(FRAME_EVENTS_MAX);
    for (let i = 0; i < this.#entries.count && code === FINE; i++) {
      code = this.#prepareEntry(this.#entries.at(i), isSnapshot);
    }
    if (code !== FINE) {
      return code;
    }
    let worst = APPLY_IGNORED;
    let worstInstrument = 0;
    let worstDetail = 0;
    for (let i = 0; i < this.#entries.count; i++) {
      code = this.#applyEntry(this.#entries.at(i), isSnapshot);
      if (worstInstrument === 0 || code > worst) {
        worst = code;
        worstInstrument = context.instrument;
        worstDetail = context.producer.outcomeField(OUTCOME_DETAIL);
      }
    }
    return context.finish(worst, worstInstrument, worstDetail);
  }

  /** Checks an entry and scales its levels. */
  #prepareEntry(entry: KrakenEntry, isSnapshot: boolean): number {
    const context = this.#context;
    const code = this.#readBookEntry(entry);
    if (code !== FINE) {
      return code;
    }
    if (!acceptsBook(context, isSnapshot)) {
      return context.notSynced();
    }
    const scale = context.levels.scale(context.producer, context.instrument, entry.firstLevel, entry.lastLevel);
    if (scale !== SCALE_OK) {
      return context.scaleProblem(scale);
    }
    noteDecimals(context, isSnapshot);
    return FINE;
  }

  #applyEntry(entry: KrakenEntry, isSnapshot: boolean): number {
    const context = this.#context;
    this.#readBookEntry(entry);
    const event = {
      instrument: context.instrument,
      first: entry.firstLevel,
      last: entry.lastLevel,
      eventLow: context.timeLow,
      eventHigh: context.timeHigh,
      sequenceLow: 0,
      sequenceHigh: 0,
      checksum: entry.checksum,
    };
    return isSnapshot ? context.events.applyFull(event, true) : context.events.applyDelta(event);
  }

  /** Reads one trade entry into a pending trade. */
  #readTradeEntry(entry: KrakenEntry, flags: number): number {
    const context = this.#context;
    const { trades } = context;
    const { fields } = entry;
    context.instrument = 0;
    if (!entry.isObject) {
      return context.decodeError(DECODE_FIELD_TYPE);
    }
    let code = context.resolve(fields, ENTRY_SYMBOL);
    code = code === FINE ? context.readInteger(fields, ENTRY_TRADE_ID) : code;
    if (code !== FINE) {
      return code;
    }
    trades.open(context.instrument);
    trades.setId(resultLow(), resultHigh(), fields.textStart(ENTRY_TRADE_ID), fields.textLength(ENTRY_TRADE_ID));
    code = context.readTradeNumbers(fields, ENTRY_PRICE, ENTRY_QUANTITY);
    code = code === FINE ? context.readTime(fields, ENTRY_TIMESTAMP) : code;
    if (code !== FINE) {
      return code;
    }
    trades.setEventAt(context.timeLow, context.timeHigh);
    const side = fields.word(ENTRY_SIDE, context.bytes, SIDES);
    if (side === NO_WORD) {
      return context.decodeError(fields.type(ENTRY_SIDE) === TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
    }
    trades.setSide(side === BUY ? AGGRESSOR_BUY : AGGRESSOR_SELL, flags);
    return FINE;
  }

  /** Checks a trade entry and scales it. */
  #prepareTrade(index: number, flags: number): number {
    const context = this.#context;
    const code = this.#readTradeEntry(this.#entries.at(index), flags);
    if (code !== FINE) {
      return code;
    }
    if (context.refusesTrades()) {
      return context.notSynced();
    }
    const scale = context.trades.scale(index);
    return scale === SCALE_OK ? FINE : context.scaleProblem(scale);
  }

  #applyTrades(): number {
    const context = this.#context;
    const { trades } = context;
    let code = this.#payloadProblem(FRAME_TRADES_MAX);
    const flags = this.#isSnapshot() ? TRADE_FLAG_HISTORY : 0;
    trades.clear();
    for (let i = 0; i < this.#entries.count && code === FINE; i++) {
      code = this.#prepareTrade(i, flags);
    }
    if (code !== FINE) {
      return code;
    }
    let written = 0;
    for (let i = 0; i < trades.count; i++) {
      written += trades.write(i) === TRADE_DUPLICATE ? 0 : 1;
    }
    if (trades.count === 0) {
      return context.finish(APPLY_IGNORED);
    }
    return context.finish(written > 0 ? APPLY_TRADES : APPLY_STALE, context.instrument);
  }
}

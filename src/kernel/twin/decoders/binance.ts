/**
 * Binance and Binance.US: depthUpdate (spot U/u, futures pu), trade, aggTrade, raw or inside `{stream,data}`, and the
 * REST depth body that seeds a book.
 * Bad case: levels beyond the snapshot are unknown until an event touches them; the book is only asserted within its range.
 */
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  APPLY_BUFFER,
  APPLY_CONTROL,
  APPLY_GAP,
  APPLY_IGNORED,
  APPLY_LIMIT,
  APPLY_STALE,
  APPLY_TICKER,
  APPLY_TRADES,
  APPLY_UNKNOWN_KIND,
  DECODE_DUPLICATE_FIELD,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_RANGE,
  DECODE_SYNTAX,
  INSTRUMENT_FLAG_SPLICING,
  INSTRUMENT_LAST_SEQUENCE,
  LIMIT_FRAME_EVENTS,
  OUTCOME_FIRST_SEQUENCE,
  OUTCOME_LAST_SEQUENCE,
  REASON_GAP,
  STATE_RESYNCING,
  STATE_SUSPECT,
  STATE_SYNCED,
} from "../../../../assembly/layout.ts";
import { type BookEvent, NO_CHECKSUM } from "../event.ts";
import type { FieldTable } from "../fields.ts";
import { clearFlags, hasFlag, type SyncState, setFlags } from "../instrument.ts";
import { add, compareUnsigned, fromNumber, resultHigh, resultLow } from "../int64.ts";
import { TYPE_FALSE, TYPE_NONE, TYPE_TRUE } from "../json.ts";
import { NO_WORD, WordSet } from "../keys.ts";
import { SCALE_OK } from "../levels.ts";
import { unsync } from "../lifecycle.ts";
import { fieldOf, writeWords } from "../memory.ts";
import { fromEpochInteger } from "../time.ts";
import { TRADE_DUPLICATE } from "../trade.ts";
import * as F from "./binance_fields.ts";
import { type DecodeContext, type Decoder, FINE } from "./common.ts";

const DEPTH_UPDATE = 0;
const TRADE = 1;
const AGG_TRADE = 2;
const BOOK_TICKER = 3;
const SERVER_SHUTDOWN = 4;
const KINDS = new WordSet([
  "depthUpdate",
  "trade",
  "aggTrade",
  "bookTicker",
  "serverShutdown",
  "kline",
  "avgPrice",
  "1hTicker",
  "4hTicker",
  "1dTicker",
  "24hrTicker",
  "24hrMiniTicker",
  "markPriceUpdate",
  "forceOrder",
]);
const MARKET = new WordSet(["MARKET"]);
const TICKER_FIELDS = [F.LAST, F.SYMBOL, F.BIDS, F.ASKS, F.BEST_BID_QUANTITY, F.BEST_ASK_QUANTITY];
const CONTROL_FIELDS = [F.RESULT_FIELD, F.ERROR, F.CODE, F.ID];
const LOST: SyncState = { state: STATE_RESYNCING, reason: REASON_GAP };

/** 64-bit numbers of a depth update: low and high word each. */
const FIRST = 0;
const LAST = 2;
const PREVIOUS = 4;
const EVENT_AT = 6;

/**
 * The decoder of Binance.
 * @see https://github.com/binance/binance-spot-api-docs web-socket-streams.md (read 2026-11), and captured frames
 */
export class BinanceDecoder implements Decoder {
  readonly #context: DecodeContext;
  readonly #frame: F.BinanceFrame;
  readonly #update = new Int32Array(8);

  constructor(context: DecodeContext) {
    this.#context = context;
    this.#frame = new F.BinanceFrame(context);
  }

  /** Decodes and applies one frame. @returns APPLY_* */
  apply(frame: number, length: number): number {
    const code = this.#scan(frame, frame + length, false);
    return code === FINE ? this.#applyKind() : code;
  }

  /** Phase one. @returns FINE, else the code of the finished outcome */
  #scan(frame: number, end: number, isBody: boolean): number {
    const context = this.#context;
    context.instrument = 0;
    switch (this.#frame.scan(frame, end, isBody)) {
      case F.SCAN_OK:
        return FINE;
      case F.SCAN_NO_OBJECT:
        return context.notAnObject(this.#frame.start, end);
      case F.SCAN_DUPLICATE:
        return context.decodeError(DECODE_DUPLICATE_FIELD);
      default:
        return context.decodeError(DECODE_SYNTAX);
    }
  }

  get #fields(): FieldTable {
    return this.#frame.fields;
  }

  #has(field: number): boolean {
    return this.#fields.type(field) !== TYPE_NONE;
  }

  #applyKind(): number {
    const context = this.#context;
    if (!this.#has(F.KIND)) {
      return this.#applyNameless();
    }
    const kind = this.#fields.word(F.KIND, context.bytes, KINDS);
    switch (kind) {
      case DEPTH_UPDATE:
        return this.#applyDepth();
      case TRADE:
        return this.#applyTrade(F.TRADE);
      case AGG_TRADE:
        return this.#applyTrade(F.ASKS);
      case BOOK_TICKER:
        return context.finish(APPLY_TICKER);
      case SERVER_SHUTDOWN:
        return context.finish(APPLY_CONTROL);
      default:
        return context.finish(kind === NO_WORD ? APPLY_UNKNOWN_KIND : APPLY_IGNORED);
    }
  }

  #applyNameless(): number {
    const context = this.#context;
    if (TICKER_FIELDS.every((field) => this.#has(field))) {
      return context.finish(APPLY_TICKER);
    }
    if (this.#has(F.LAST_UPDATE)) {
      return context.finish(APPLY_IGNORED);
    }
    const isControl = CONTROL_FIELDS.some((field) => this.#has(field));
    return context.finish(isControl ? APPLY_CONTROL : APPLY_UNKNOWN_KIND);
  }

  /** Reads an integer into the update. */
  #readNumber(field: number, to: number): number {
    const code = this.#context.readInteger(this.#fields, field);
    if (code === FINE) {
      this.#update[to] = resultLow();
      this.#update[to + 1] = resultHigh();
    }
    return code;
  }

  #low(number: number): number {
    return this.#update[number] as number;
  }

  #high(number: number): number {
    return this.#update[number + 1] as number;
  }

  /** Order of a number of the update and another one. */
  #compare(number: number, low: number, high: number): number {
    return compareUnsigned(this.#low(number), this.#high(number), low, high);
  }

  /** Reads the fields of a depth update. */
  #readDepth(): number {
    const context = this.#context;
    let code = context.resolve(this.#fields, F.SYMBOL);
    code = code === FINE ? this.#readNumber(F.FIRST, FIRST) : code;
    code = code === FINE ? this.#readNumber(F.LAST, LAST) : code;
    code = code === FINE && this.#has(F.PREVIOUS) ? this.#readNumber(F.PREVIOUS, PREVIOUS) : code;
    code = code === FINE ? this.#readNumber(F.EVENT_TIME, EVENT_AT) : code;
    if (code !== FINE) {
      return code;
    }
    fromEpochInteger(resultLow(), resultHigh());
    this.#update[EVENT_AT] = resultLow();
    this.#update[EVENT_AT + 1] = resultHigh();
    if (this.#compare(LAST, this.#low(FIRST), this.#high(FIRST)) < 0) {
      return context.decodeError(DECODE_RANGE);
    }
    code = context.arrayProblem(this.#fields, F.BIDS);
    code = code === FINE ? context.arrayProblem(this.#fields, F.ASKS) : code;
    return code === FINE ? this.#levelsProblem() : code;
  }

  #levelsProblem(): number {
    const code = this.#context.levelsProblem();
    const { malformed } = this.#frame;
    return code === FINE && malformed !== 0 ? this.#context.decodeError(malformed) : code;
  }

  #applyDepth(): number {
    const context = this.#context;
    const { producer, words } = context;
    const code = this.#readDepth();
    if (code !== FINE) {
      return code;
    }
    const { instrument } = context;
    producer.setOutcomeWords(OUTCOME_FIRST_SEQUENCE, this.#low(FIRST), this.#high(FIRST));
    producer.setOutcomeWords(OUTCOME_LAST_SEQUENCE, this.#low(LAST), this.#high(LAST));
    if (context.isOutOfService()) {
      return context.notSynced();
    }
    const state = context.state();
    if (state !== STATE_SYNCED && state !== STATE_SUSPECT) {
      return context.finish(APPLY_BUFFER, instrument);
    }
    const order = this.#has(F.PREVIOUS) ? this.#judgeFutures() : this.#judgeSpot();
    if (order === APPLY_STALE) {
      return context.finish(APPLY_STALE, instrument);
    }
    if (order === APPLY_GAP) {
      unsync(producer, context.writer, instrument, LOST);
      return context.finish(APPLY_GAP, instrument, REASON_GAP);
    }
    const scale = this.#scale();
    if (scale !== SCALE_OK) {
      return context.scaleProblem(scale);
    }
    clearFlags(words, instrument, INSTRUMENT_FLAG_SPLICING);
    writeWords(words, instrument + INSTRUMENT_LAST_SEQUENCE, this.#low(LAST), this.#high(LAST));
    return context.events.applyDelta(this.#event());
  }

  #scale(): number {
    const { producer, instrument, levels } = this.#context;
    return levels.scale(producer, instrument, this.#frame.firstLevel, this.#frame.lastLevel);
  }

  #event(): BookEvent {
    return {
      instrument: this.#context.instrument,
      first: this.#frame.firstLevel,
      last: this.#frame.lastLevel,
      eventLow: this.#low(EVENT_AT),
      eventHigh: this.#high(EVENT_AT),
      sequenceLow: this.#low(LAST),
      sequenceHigh: this.#high(LAST),
      checksum: NO_CHECKSUM,
    };
  }

  /** @returns FINE, APPLY_STALE or APPLY_GAP by the spot rule: the update holds the id after the last one */
  #judgeSpot(): number {
    const { instrument, words } = this.#context;
    const low = fieldOf(words, instrument, INSTRUMENT_LAST_SEQUENCE);
    const high = fieldOf(words, instrument, INSTRUMENT_LAST_SEQUENCE + 4);
    if (this.#compare(LAST, low, high) <= 0) {
      return APPLY_STALE;
    }
    add(low, high, 1, 0);
    return this.#compare(FIRST, resultLow(), resultHigh()) > 0 ? APPLY_GAP : FINE;
  }

  /** The futures rule: each update names its predecessor; the first one after the snapshot contains or follows it. */
  #judgeFutures(): number {
    const { instrument, words } = this.#context;
    const low = fieldOf(words, instrument, INSTRUMENT_LAST_SEQUENCE);
    const high = fieldOf(words, instrument, INSTRUMENT_LAST_SEQUENCE + 4);
    const follows = this.#compare(PREVIOUS, low, high) === 0;
    const order = this.#compare(LAST, low, high);
    if (hasFlag(words, instrument, INSTRUMENT_FLAG_SPLICING)) {
      if (order < 0) {
        return APPLY_STALE;
      }
      return this.#compare(FIRST, low, high) <= 0 || follows ? FINE : APPLY_GAP;
    }
    if (order <= 0) {
      return APPLY_STALE;
    }
    return follows ? FINE : APPLY_GAP;
  }

  /** Reads the trade into the pending one. @param id field of the id */
  #readTrade(id: number): number {
    const context = this.#context;
    const { trades } = context;
    const fields = this.#fields;
    let code = context.readInteger(fields, id);
    if (code !== FINE) {
      return code;
    }
    trades.clear();
    if (!trades.open(context.instrument)) {
      return context.finish(APPLY_LIMIT, context.instrument, LIMIT_FRAME_EVENTS);
    }
    trades.setId(resultLow(), resultHigh(), fields.textStart(id), fields.textLength(id));
    code = context.readTradeNumbers(fields, F.PRICE, F.QUANTITY);
    code = code === FINE ? context.readInteger(fields, F.TRADE_TIME) : code;
    if (code !== FINE) {
      return code;
    }
    fromEpochInteger(resultLow(), resultHigh());
    trades.setEventAt(resultLow(), resultHigh());
    const maker = fields.type(F.MAKER);
    if (maker !== TYPE_TRUE && maker !== TYPE_FALSE) {
      return context.decodeError(maker === TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
    }
    trades.setSide(maker === TYPE_TRUE ? AGGRESSOR_SELL : AGGRESSOR_BUY, 0);
    return FINE;
  }

  #applyTrade(id: number): number {
    const context = this.#context;
    let code = context.resolve(this.#fields, F.SYMBOL);
    if (code !== FINE) {
      return code;
    }
    const { instrument } = context;
    if (this.#has(F.EXECUTION) && this.#fields.word(F.EXECUTION, context.bytes, MARKET) === NO_WORD) {
      return context.finish(APPLY_IGNORED);
    }
    code = this.#readTrade(id);
    if (code !== FINE) {
      return code;
    }
    if (context.refusesTrades()) {
      return context.notSynced();
    }
    const scale = context.trades.scale(0);
    if (scale !== SCALE_OK) {
      return context.scaleProblem(scale);
    }
    const written = context.trades.write(0);
    return context.finish(written === TRADE_DUPLICATE ? APPLY_STALE : APPLY_TRADES, instrument);
  }

  /** Replaces a book by a REST depth body. @returns APPLY_* */
  applySnapshot(instrument: number, body: number, length: number): number {
    const context = this.#context;
    let code = this.#scan(body, body + length, true);
    code = code === FINE ? this.#readNumber(F.LAST_UPDATE, LAST) : code;
    code = code === FINE ? context.arrayProblem(this.#fields, F.REST_BIDS) : code;
    code = code === FINE ? context.arrayProblem(this.#fields, F.REST_ASKS) : code;
    code = code === FINE ? this.#levelsProblem() : code;
    if (code !== FINE) {
      return code;
    }
    context.instrument = instrument;
    if (context.isOutOfService()) {
      return context.notSynced();
    }
    if (this.#fields.readInteger(F.EVENT_TIME, context.bytes) === 0) {
      fromEpochInteger(resultLow(), resultHigh());
    } else {
      fromNumber(0);
    }
    this.#update[EVENT_AT] = resultLow();
    this.#update[EVENT_AT + 1] = resultHigh();
    const scale = this.#scale();
    if (scale !== SCALE_OK) {
      return context.scaleProblem(scale);
    }
    writeWords(context.words, instrument + INSTRUMENT_LAST_SEQUENCE, this.#low(LAST), this.#high(LAST));
    setFlags(context.words, instrument, INSTRUMENT_FLAG_SPLICING);
    return context.events.applyFull(this.#event(), false);
  }
}

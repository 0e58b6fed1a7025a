/**
 * Coinbase Exchange: snapshot, l2update (level2_batch), match, last_match, heartbeat.
 * An l2update carries no sequence: loss is inferred from trade ids (a jump, or a heartbeat that is ahead) and crossing.
 * Bad case: a lost l2update without a lost match near it; only an audit finds that.
 */
import {
  AGGRESSOR_BUY,
  AGGRESSOR_SELL,
  AGGRESSOR_UNKNOWN,
  APPLY_CONTROL,
  APPLY_GAP,
  APPLY_HEARTBEAT,
  APPLY_IGNORED,
  APPLY_LIMIT,
  APPLY_STALE,
  APPLY_TRADES,
  APPLY_UNKNOWN_KIND,
  COUNTER_TRADE_GAPS,
  DECODE_DUPLICATE_FIELD,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_SYNTAX,
  INSTRUMENT_FLAG_TRADE_SEEN,
  INSTRUMENT_LAST_TRADE_ID,
  LIMIT_FRAME_EVENTS,
  OUTCOME_FIRST_SEQUENCE,
  OUTCOME_LAST_SEQUENCE,
  REASON_HEARTBEAT_AHEAD,
  REASON_TRADE_GAP,
  SIDE_ASK,
  SIDE_BID,
  STATE_RESYNCING,
  STATE_SYNCED,
  TRADE_FLAG_HISTORY,
} from "../../../../assembly/layout.ts";
import { type BookEvent, NO_CHECKSUM } from "../event.ts";
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
import { hasFlag } from "../instrument.ts";
import { compareUnsigned, resultHigh, resultLow } from "../int64.ts";
import { peek, skipSpace, skipValue, TYPE_ARRAY, TYPE_NONE } from "../json.ts";
import { NO_WORD, WordSet } from "../keys.ts";
import { type ArrayForm, scanChanges, scanPairs } from "../level_scan.ts";
import { SCALE_OK } from "../levels.ts";
import { unsync } from "../lifecycle.ts";
import { fieldOf, writeWords } from "../memory.ts";
import { TRADE_DUPLICATE, TRADE_JUMPED } from "../trade.ts";
import { type DecodeContext, type Decoder, FINE } from "./common.ts";

const ARRAY_OPEN = 0x5b;
const OBJECT_OPEN = 0x7b;

const TYPE = 0;
const PRODUCT = 1;
const CHANGES = 2;
const BIDS = 3;
const ASKS = 4;
const TIME = 5;
const TRADE_ID = 6;
const LAST_TRADE_ID = 7;
const SIDE = 8;
const SIZE = 9;
const PRICE = 10;
const SEQUENCE = 11;
const KEY_NAMES = [
  "type",
  "product_id",
  "changes",
  "bids",
  "asks",
  "time",
  "trade_id",
  "last_trade_id",
  "side",
  "size",
  "price",
  "sequence",
];
const KEYS = new WordSet(KEY_NAMES);

const L2UPDATE = 0;
const MATCH = 1;
const HEARTBEAT = 2;
const SNAPSHOT = 3;
const LAST_MATCH = 4;
const SUBSCRIPTIONS = 5;
const ERROR = 6;
const TICKER = 7;
const STATUS = 8;
const KINDS = new WordSet([
  "l2update",
  "match",
  "heartbeat",
  "snapshot",
  "last_match",
  "subscriptions",
  "error",
  "ticker",
  "status",
]);

const BUY = 0;
const SIDES = new WordSet(["buy", "sell"]);

const BID_PAIRS: ArrayForm = { side: SIDE_BID, depth: 2, isTimed: false };
const ASK_PAIRS: ArrayForm = { side: SIDE_ASK, depth: 2, isTimed: false };

/**
 * The decoder of Coinbase Exchange.
 * @see https://docs.cdp.coinbase.com/exchange/websocket-feed/channels (read 2026-11), and captured frames
 */
export class CoinbaseExchangeDecoder implements Decoder {
  readonly #context: DecodeContext;
  readonly #fields = new FieldTable(KEY_NAMES.length);

  constructor(context: DecodeContext) {
    this.#context = context;
  }

  /** Decodes and applies one frame. @returns APPLY_* */
  apply(frame: number, length: number): number {
    const context = this.#context;
    const { bytes } = context;
    const end = frame + length;
    beginFields();
    this.#fields.clear();
    context.levels.clear();
    context.instrument = 0;
    const at = skipSpace(bytes, frame, end);
    if (peek(bytes, at, end) !== OBJECT_OPEN) {
      return context.notAnObject(at, end);
    }
    if (!context.frameEnds(this.#scanMembers(at + 1, end), end)) {
      return context.decodeError(DECODE_SYNTAX);
    }
    return hasDuplicate() ? context.decodeError(DECODE_DUPLICATE_FIELD) : this.#applyKind();
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

  #scanMember(field: number, at: number, end: number): number {
    const { bytes, levels } = this.#context;
    if (field === NO_WORD) {
      return skipValue(bytes, at, end, 1);
    }
    if (field < CHANGES || field > ASKS || peek(bytes, at, end) !== ARRAY_OPEN) {
      return this.#fields.read(field, bytes, at, end, 1);
    }
    this.#fields.set(field, at, at, TYPE_ARRAY, false);
    if (field === CHANGES) {
      return scanChanges(levels, bytes, at, end, 2);
    }
    return scanPairs(levels, bytes, at, end, field === BIDS ? BID_PAIRS : ASK_PAIRS);
  }

  #applyKind(): number {
    const context = this.#context;
    switch (this.#fields.word(TYPE, context.bytes, KINDS)) {
      case L2UPDATE:
        return this.#applyUpdate();
      case MATCH:
        return this.#applyMatch(0);
      case HEARTBEAT:
        return this.#applyHeartbeat();
      case SNAPSHOT:
        return this.#applySnapshot();
      case LAST_MATCH:
        return this.#applyMatch(TRADE_FLAG_HISTORY);
      case SUBSCRIPTIONS:
      case ERROR:
        return context.finish(APPLY_CONTROL);
      case TICKER:
      case STATUS:
        return context.finish(APPLY_IGNORED);
      default:
        return context.finish(APPLY_UNKNOWN_KIND);
    }
  }

  #applyUpdate(): number {
    const context = this.#context;
    let code = context.resolve(this.#fields, PRODUCT);
    code = code === FINE ? context.arrayProblem(this.#fields, CHANGES) : code;
    code = code === FINE ? this.#strayProblem(BIDS) : code;
    code = code === FINE ? this.#strayProblem(ASKS) : code;
    code = code === FINE ? this.#readRest() : code;
    if (code !== FINE) {
      return code;
    }
    if (context.state() !== STATE_SYNCED) {
      return context.notSynced();
    }
    const scale = context.levels.scale(context.producer, context.instrument, 0, context.levels.count);
    return scale === SCALE_OK ? context.events.applyDelta(this.#event()) : context.scaleProblem(scale);
  }

  #applySnapshot(): number {
    const context = this.#context;
    let code = context.resolve(this.#fields, PRODUCT);
    code = code === FINE ? context.arrayProblem(this.#fields, BIDS) : code;
    code = code === FINE ? context.arrayProblem(this.#fields, ASKS) : code;
    code = code === FINE ? this.#strayProblem(CHANGES) : code;
    code = code === FINE ? this.#readRest() : code;
    if (code !== FINE) {
      return code;
    }
    if (context.isOutOfService()) {
      return context.notSynced();
    }
    const scale = context.levels.scale(context.producer, context.instrument, 0, context.levels.count);
    return scale === SCALE_OK ? context.events.applyFull(this.#event(), true) : context.scaleProblem(scale);
  }

  /** Levels of the other kind of frame: the frame contradicts itself. */
  #strayProblem(field: number): number {
    return this.#fields.type(field) === TYPE_ARRAY ? this.#context.decodeError(DECODE_FIELD_TYPE) : FINE;
  }

  /** Judges the levels, reads the time. */
  #readRest(): number {
    const code = this.#context.levelsProblem();
    return code === FINE ? this.#context.readTime(this.#fields, TIME) : code;
  }

  #event(): BookEvent {
    const context = this.#context;
    return {
      instrument: context.instrument,
      first: 0,
      last: context.levels.count,
      eventLow: context.timeLow,
      eventHigh: context.timeHigh,
      sequenceLow: 0,
      sequenceHigh: 0,
      checksum: NO_CHECKSUM,
    };
  }

  #applyMatch(flags: number): number {
    const context = this.#context;
    const code = this.#readMatch(flags);
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
    if (written === TRADE_DUPLICATE) {
      return context.finish(APPLY_STALE, context.instrument);
    }
    if (written === TRADE_JUMPED && flags === 0) {
      return this.#lost(REASON_TRADE_GAP, APPLY_TRADES);
    }
    return context.finish(APPLY_TRADES, context.instrument);
  }

  /** Reads the trade into the pending one. */
  #readMatch(flags: number): number {
    const context = this.#context;
    const { trades } = context;
    const fields = this.#fields;
    let code = context.resolve(fields, PRODUCT);
    code = code === FINE ? context.readInteger(fields, TRADE_ID) : code;
    if (code !== FINE) {
      return code;
    }
    trades.clear();
    if (!trades.open(context.instrument)) {
      return context.finish(APPLY_LIMIT, context.instrument, LIMIT_FRAME_EVENTS);
    }
    trades.setId(resultLow(), resultHigh(), fields.textStart(TRADE_ID), fields.textLength(TRADE_ID));
    code = context.readTradeNumbers(fields, PRICE, SIZE);
    code = code === FINE ? context.readTime(fields, TIME) : code;
    if (code !== FINE) {
      return code;
    }
    const aggressor = this.#aggressor();
    if (aggressor === AGGRESSOR_UNKNOWN) {
      return context.decodeError(fields.type(SIDE) === TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
    }
    trades.setSide(aggressor, flags);
    trades.setEventAt(context.timeLow, context.timeHigh);
    context.readOptionalInteger(fields, SEQUENCE);
    trades.setSequence(resultLow(), resultHigh());
    return FINE;
  }

  /** The frame names the maker's side; the aggressor is the other one. */
  #aggressor(): number {
    const side = this.#fields.word(SIDE, this.#context.bytes, SIDES);
    if (side === NO_WORD) {
      return AGGRESSOR_UNKNOWN;
    }
    return side === BUY ? AGGRESSOR_SELL : AGGRESSOR_BUY;
  }

  /** Trades were missed, so book updates may be, too. @param otherwise the code when there is no book to lose */
  #lost(reason: number, otherwise: number): number {
    const context = this.#context;
    const { instrument } = context;
    if (context.state() !== STATE_SYNCED) {
      return context.finish(otherwise, instrument);
    }
    unsync(context.producer, context.writer, instrument, { state: STATE_RESYNCING, reason });
    return context.finish(APPLY_GAP, instrument, reason);
  }

  #applyHeartbeat(): number {
    const context = this.#context;
    const { producer, words } = context;
    let code = context.resolve(this.#fields, PRODUCT);
    code = code === FINE ? context.readInteger(this.#fields, LAST_TRADE_ID) : code;
    if (code !== FINE) {
      return code;
    }
    const { instrument } = context;
    const low = resultLow();
    const high = resultHigh();
    const lastLow = fieldOf(words, instrument, INSTRUMENT_LAST_TRADE_ID);
    const lastHigh = fieldOf(words, instrument, INSTRUMENT_LAST_TRADE_ID + 4);
    producer.setOutcomeWords(OUTCOME_LAST_SEQUENCE, low, high);
    producer.setOutcomeWords(OUTCOME_FIRST_SEQUENCE, lastLow, lastHigh);
    const isAhead =
      hasFlag(words, instrument, INSTRUMENT_FLAG_TRADE_SEEN) && compareUnsigned(low, high, lastLow, lastHigh) > 0;
    if (!isAhead || context.state() !== STATE_SYNCED) {
      return context.finish(APPLY_HEARTBEAT, instrument);
    }
    writeWords(words, instrument + INSTRUMENT_LAST_TRADE_ID, low, high);
    producer.count(COUNTER_TRADE_GAPS, 1);
    return this.#lost(REASON_HEARTBEAT_AHEAD, APPLY_HEARTBEAT);
  }
}

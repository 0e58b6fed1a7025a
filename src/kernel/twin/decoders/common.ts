/**
 * What every decoder does the same way: resolving the instrument, reading its fields, turning problems into outcomes.
 * Bad case: judging a field before kind and instrument are known; a frame of an unknown kind must never be an error.
 */
import {
  APPLY_DECODE_ERROR,
  APPLY_LIMIT,
  APPLY_NOT_SYNCED,
  APPLY_OVERFLOW,
  APPLY_RESCALE,
  APPLY_UNKNOWN_INSTRUMENT,
  APPLY_UNKNOWN_KIND,
  DECODE_FIELD_MISSING,
  DECODE_FIELD_TYPE,
  DECODE_NEGATIVE,
  DECODE_NUMBER,
  DECODE_RANGE,
  DECODE_SYNTAX,
  DECODE_TIME,
  INSTRUMENT_REASON,
  INSTRUMENT_STATE,
  LIMIT_FRAME_LEVELS,
  OUTCOME_SYMBOL_ADDRESS,
  OUTCOME_SYMBOL_LENGTH,
  REASON_DRIFT,
  REASON_OVERFLOW,
  STATE_OUT_OF_SERVICE,
  STATE_RETIRED,
} from "../../../../assembly/layout.ts";
import type { EventWriter } from "../delta.ts";
import { BookEvents } from "../event.ts";
import type { FieldTable } from "../fields.ts";
import type { SyncState } from "../instrument.ts";
import { fromNumber, resultHigh, resultLow } from "../int64.ts";
import { skipSpace, skipValue, TYPE_ARRAY, TYPE_NONE, TYPE_NUMBER, TYPE_STRING } from "../json.ts";
import { Levels, SCALE_RESCALE } from "../levels.ts";
import { unsync } from "../lifecycle.ts";
import { fieldOf } from "../memory.ts";
import type { Producer } from "../producer.ts";
import { scanDecimal, tokenHigh, tokenLow, tokenOverflows } from "../quantize.ts";
import { readRfc3339 } from "../time.ts";
import { TradeWriter } from "../trade.ts";

/** Code of a step that found nothing wrong. */
export const FINE = -1;

const OVERFLOWED: SyncState = { state: STATE_OUT_OF_SERVICE, reason: REASON_OVERFLOW };

/** A decoder: phase one and two over one frame. */
export type Decoder = {
  /** Decodes and applies one frame. @returns APPLY_* */
  apply(frame: number, length: number): number;
  /** Replaces a book by a REST body, where the exchange has one. @returns APPLY_* */
  applySnapshot?(instrument: number, body: number, length: number): number;
};

/** What the decoders of one producer share: its writers, scratch, and the frame under way. */
export class DecodeContext {
  readonly producer: Producer;
  readonly writer: EventWriter;
  readonly levels = new Levels();
  readonly events: BookEvents;
  readonly trades: TradeWriter;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Block of the instrument that the frame names, 0 = not (yet) known. */
  instrument = 0;
  /** The time that a time reader read, Unix ns; 0 = unknown. */
  timeLow = 0;
  timeHigh = 0;

  constructor(producer: Producer, writer: EventWriter) {
    this.producer = producer;
    this.writer = writer;
    this.events = new BookEvents(producer, writer, this.levels);
    this.trades = new TradeWriter(producer);
    this.bytes = producer.memory.bytes;
    this.words = producer.memory.words;
  }

  /** Ends the frame. @returns the code */
  finish(code: number, instrument = 0, detail = 0): number {
    return this.producer.finish(code, instrument, detail);
  }

  /** The frame cannot be read. @param detail DECODE_* */
  decodeError(detail: number): number {
    return this.producer.finish(APPLY_DECODE_ERROR, this.instrument, detail);
  }

  /** A frame whose top-level value is not what the exchange sends: unknown when it is JSON, an error otherwise. */
  notAnObject(at: number, end: number): number {
    this.instrument = 0;
    const isJson = this.frameEnds(skipValue(this.bytes, at, end, 0), end);
    return isJson ? this.finish(APPLY_UNKNOWN_KIND) : this.decodeError(DECODE_SYNTAX);
  }

  /** True when only white space follows. */
  frameEnds(at: number, end: number): boolean {
    return at >= 0 && skipSpace(this.bytes, at, end) === end;
  }

  /** Finds the instrument that a field names. @returns FINE or the code of the finished outcome */
  resolve(fields: FieldTable, field: number): number {
    this.instrument = 0;
    const type = fields.type(field);
    if (type !== TYPE_STRING) {
      return this.decodeError(type === TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
    }
    const start = fields.textStart(field);
    const length = fields.textLength(field);
    if (!fields.isEscaped(field)) {
      this.instrument = this.producer.instruments.find(start, length);
    }
    if (this.instrument !== 0) {
      return FINE;
    }
    this.producer.setOutcome(OUTCOME_SYMBOL_ADDRESS, start);
    this.producer.setOutcome(OUTCOME_SYMBOL_LENGTH, length);
    return this.finish(APPLY_UNKNOWN_INSTRUMENT);
  }

  /** A required level array: missing, or not an array. */
  arrayProblem(fields: FieldTable, field: number): number {
    const type = fields.type(field);
    if (type === TYPE_ARRAY) {
      return FINE;
    }
    return this.decodeError(type === TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
  }

  /** Limits and malformed levels of the frame. */
  levelsProblem(): number {
    if (this.levels.isTooMany) {
      return this.finish(APPLY_LIMIT, this.instrument, LIMIT_FRAME_LEVELS);
    }
    return this.levels.malformed === 0 ? FINE : this.decodeError(this.levels.malformed);
  }

  /** STATE_* of the resolved instrument. */
  state(): number {
    return fieldOf(this.words, this.instrument, INSTRUMENT_STATE);
  }

  /** True when the resolved instrument takes no frames any more. */
  isOutOfService(): boolean {
    const state = this.state();
    return state === STATE_OUT_OF_SERVICE || state === STATE_RETIRED;
  }

  /** True when it takes no trades either; while only its book has another form, they go on and their ids are followed. */
  refusesTrades(): boolean {
    const drifts =
      this.state() === STATE_OUT_OF_SERVICE && fieldOf(this.words, this.instrument, INSTRUMENT_REASON) === REASON_DRIFT;
    return this.isOutOfService() && !drifts;
  }

  /** The resolved instrument has no book to change. */
  notSynced(): number {
    return this.finish(APPLY_NOT_SYNCED, this.instrument);
  }

  /** Turns a failed scaling into its outcome. */
  scaleProblem(scale: number): number {
    if (scale === SCALE_RESCALE) {
      return this.finish(APPLY_RESCALE, this.instrument);
    }
    unsync(this.producer, this.writer, this.instrument, OVERFLOWED);
    return this.finish(APPLY_OVERFLOW, this.instrument);
  }

  /** Reads an RFC 3339 field; a missing one is unknown. */
  readTime(fields: FieldTable, field: number): number {
    this.timeLow = 0;
    this.timeHigh = 0;
    if (fields.type(field) === TYPE_NONE) {
      return FINE;
    }
    const isReadable =
      fields.isText(field) && readRfc3339(this.bytes, fields.textStart(field), fields.textLength(field));
    if (!isReadable) {
      return this.decodeError(DECODE_TIME);
    }
    this.timeLow = resultLow();
    this.timeHigh = resultHigh();
    return FINE;
  }

  /** Reads a required integer into RESULT. */
  readInteger(fields: FieldTable, field: number): number {
    const problem = fields.readInteger(field, this.bytes);
    return problem === 0 ? FINE : this.decodeError(problem);
  }

  /** RESULT = an optional integer, 0 when it is missing or unreadable. */
  readOptionalInteger(fields: FieldTable, field: number): void {
    if (fields.readInteger(field, this.bytes) !== 0) {
      fromNumber(0);
    }
  }

  /** Reads a required decimal (string or bare number) into TOKEN. */
  #readDecimal(fields: FieldTable, field: number): number {
    const type = fields.type(field);
    if (type !== TYPE_STRING && type !== TYPE_NUMBER) {
      return this.decodeError(type === TYPE_NONE ? DECODE_FIELD_MISSING : DECODE_FIELD_TYPE);
    }
    const start = fields.textStart(field);
    const stop = scanDecimal(this.bytes, start, fields.end(field));
    return stop === start + fields.textLength(field) ? FINE : this.decodeError(DECODE_NUMBER);
  }

  /** Reads price and quantity of the pending trade. */
  readTradeNumbers(fields: FieldTable, price: number, quantity: number): number {
    let code = this.#readDecimal(fields, price);
    if (code !== FINE) {
      return code;
    }
    const isPositive = tokenHigh() > 0 || (tokenHigh() === 0 && tokenLow() !== 0);
    if (!tokenOverflows() && !isPositive) {
      return this.decodeError(DECODE_RANGE);
    }
    this.trades.setPrice();
    code = this.#readDecimal(fields, quantity);
    if (code !== FINE) {
      return code;
    }
    if (!tokenOverflows() && (tokenHigh() < 0 || (tokenHigh() | tokenLow()) === 0)) {
      return this.decodeError(tokenHigh() < 0 ? DECODE_NEGATIVE : DECODE_RANGE);
    }
    this.trades.setQuantity();
    return FINE;
  }
}

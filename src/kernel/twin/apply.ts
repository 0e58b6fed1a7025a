/**
 * The entry of the producer: one frame or REST body goes to the decoder of its exchange, and its outcome is counted.
 * Bad case: a decoder number that nobody knows; the frame counts as an unknown kind.
 */
import {
  APPLY_BUFFER,
  APPLY_CONTROL,
  APPLY_DECODE_ERROR,
  APPLY_GAP,
  APPLY_HEARTBEAT,
  APPLY_IGNORED,
  APPLY_LIMIT,
  APPLY_NOT_SYNCED,
  APPLY_OVERFLOW,
  APPLY_RESCALE,
  APPLY_SNAPSHOT,
  APPLY_STALE,
  APPLY_TICKER,
  APPLY_UNKNOWN_INSTRUMENT,
  APPLY_UNKNOWN_KIND,
  COUNTER_BUFFERED_FRAMES,
  COUNTER_CONTROL_FRAMES,
  COUNTER_DECODE_ERRORS,
  COUNTER_FRAME_BYTES,
  COUNTER_FRAMES,
  COUNTER_GAPS,
  COUNTER_HEARTBEATS,
  COUNTER_IGNORED_FRAMES,
  COUNTER_LIMITS,
  COUNTER_NOT_SYNCED_FRAMES,
  COUNTER_OVERFLOWS,
  COUNTER_STALE_FRAMES,
  COUNTER_UNKNOWN_INSTRUMENTS,
  COUNTER_UNKNOWN_KINDS,
  DECODER_BINANCE,
  DECODER_COINBASE_EXCHANGE,
  DECODER_KRAKEN,
  INSTRUMENT_METRICS_GAPS,
  INSTRUMENT_METRICS_SNAPSHOT_BYTES,
  OUTCOME_INSTRUMENT,
} from "../../../assembly/layout.ts";
import { BinanceDecoder } from "./decoders/binance.ts";
import { CoinbaseExchangeDecoder } from "./decoders/coinbase_exchange.ts";
import { DecodeContext, type Decoder } from "./decoders/common.ts";
import { KrakenDecoder } from "./decoders/kraken.ts";
import type { EventWriter } from "./delta.ts";
import { noteFrame, noteInstrument } from "./metrics.ts";
import type { Producer } from "./producer.ts";

const NONE = -1;

/** The counter of a code that is not counted where it happens. */
const COUNTERS = new Map([
  [APPLY_IGNORED, COUNTER_IGNORED_FRAMES],
  [APPLY_TICKER, COUNTER_IGNORED_FRAMES],
  [APPLY_HEARTBEAT, COUNTER_HEARTBEATS],
  [APPLY_CONTROL, COUNTER_CONTROL_FRAMES],
  [APPLY_BUFFER, COUNTER_BUFFERED_FRAMES],
  [APPLY_STALE, COUNTER_STALE_FRAMES],
  [APPLY_NOT_SYNCED, COUNTER_NOT_SYNCED_FRAMES],
  [APPLY_UNKNOWN_KIND, COUNTER_UNKNOWN_KINDS],
  [APPLY_UNKNOWN_INSTRUMENT, COUNTER_UNKNOWN_INSTRUMENTS],
  [APPLY_GAP, COUNTER_GAPS],
  [APPLY_OVERFLOW, COUNTER_OVERFLOWS],
  [APPLY_DECODE_ERROR, COUNTER_DECODE_ERRORS],
  [APPLY_LIMIT, COUNTER_LIMITS],
]);
const CODES_MAX = 32;
const COUNTER_OF_CODE = Int8Array.from({ length: CODES_MAX }, (_, code) => COUNTERS.get(code) ?? NONE);

/** Applies the frames of one producer. */
export class Applier {
  readonly #producer: Producer;
  readonly #coinbase: Decoder;
  readonly #kraken: Decoder;
  readonly #binance: Decoder;

  constructor(producer: Producer, writer: EventWriter) {
    const context = new DecodeContext(producer, writer);
    this.#producer = producer;
    this.#coinbase = new CoinbaseExchangeDecoder(context);
    this.#kraken = new KrakenDecoder(context);
    this.#binance = new BinanceDecoder(context);
  }

  /** KernelProducer.apply. @returns APPLY_* */
  apply(decoder: number, frame: number, length: number, receivedAt: number): number {
    const producer = this.#producer;
    producer.beginOutcome();
    producer.setReceived(receivedAt);
    const code = this.#decoder(decoder)?.apply(frame, length) ?? producer.finish(APPLY_UNKNOWN_KIND, 0, 0);
    if (code === APPLY_RESCALE) {
      return code;
    }
    producer.count(COUNTER_FRAMES, 1);
    producer.count(COUNTER_FRAME_BYTES, length);
    this.#countCode(code);
    const instrument = producer.outcomeField(OUTCOME_INSTRUMENT) >>> 0;
    if (instrument !== 0 && code !== APPLY_BUFFER) {
      noteFrame(producer.memory, instrument, length);
    }
    if (instrument !== 0 && code === APPLY_GAP) {
      noteInstrument(producer.memory, instrument, INSTRUMENT_METRICS_GAPS, 1);
    }
    if (instrument !== 0 && code === APPLY_SNAPSHOT) {
      noteInstrument(producer.memory, instrument, INSTRUMENT_METRICS_SNAPSHOT_BYTES, length);
    }
    return code;
  }

  /** KernelProducer.applySnapshot. @returns APPLY_* */
  applySnapshot(decoder: number, instrument: number, body: number, length: number, receivedAt: number): number {
    const producer = this.#producer;
    producer.beginOutcome();
    producer.setReceived(receivedAt);
    const code =
      this.#decoder(decoder)?.applySnapshot?.(instrument, body, length) ??
      producer.finish(APPLY_UNKNOWN_KIND, instrument, 0);
    if (code !== APPLY_RESCALE) {
      this.#countCode(code);
    }
    return code;
  }

  #decoder(decoder: number): Decoder | undefined {
    switch (decoder) {
      case DECODER_COINBASE_EXCHANGE:
        return this.#coinbase;
      case DECODER_KRAKEN:
        return this.#kraken;
      case DECODER_BINANCE:
        return this.#binance;
      default:
        return undefined;
    }
  }

  #countCode(code: number): void {
    const counter = COUNTER_OF_CODE[code] as number;
    if (counter !== NONE) {
      this.#producer.count(counter, 1);
    }
  }
}

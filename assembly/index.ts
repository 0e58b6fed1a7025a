/**
 * The exports of the kernel: one function per entry of src/kernel/kernel.ts, under the same name.
 * Bad case: anything exported here that keeps state in static memory; state lies in the arena or in instance globals.
 */
import { binanceApply, binanceSnapshot } from "./decoders/binance";
import { coinbaseExchangeApply } from "./decoders/coinbase_exchange";
import { krakenApply } from "./decoders/kraken";
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
} from "./layout";
import { noteFrame, noteInstrument } from "./metrics";
import { count, finish, outcomeAddress, outcomeBegin } from "./producer";
import { levelHash as hashLevel } from "./hash";
import { LEVEL_PRICE, LEVEL_QUANTITY } from "./layout";

export { histogramRecord, histogramSpans } from "./histogram";
export { auditCompare, watchClose, watchCreate, watchOpen } from "./audit";
export { levelForce } from "./event";
export { arenaAllocate, arenaInit, arenaUsed } from "./arena";
export {
  bookApply,
  bookCanScale,
  bookClear,
  bookCount,
  bookCreate,
  bookHash,
  bookScale,
  bookTruncate,
  bookWalk,
} from "./book";
export { crc32 } from "./crc32";
export { formatDecimal, parseDecimal } from "./quantize";
export { clockAnchor, outcomeAddress, producerAttach } from "./producer";
export { instrumentCreate, instrumentFind, instrumentRescale, instrumentRetire, instrumentUnsync } from "./instrument";
export { publish, readerCreate, readerPoll } from "./ring";
export { imageLoad, replicaApply, replicaBegin, replicaClear, replicaCreate, replicaRelease } from "./replica";
export { historyChanges, historyCreate, historyReach, historyRelease } from "./history";
export { conflatedEncode } from "./frame_conflated";
export { viewFollow } from "./view";
export { frameBufferCreate, frameTake } from "./frame_encode";
export { bboEncode, snapshotEncode, tradesEncode } from "./frame_encode_parts";
export { bboDecode, tradesDecode } from "./frame_decode_parts";
export { frameApply } from "./frame_decode";

export function levelHash(side: u32, level: usize): u32 {
  return hashLevel(side, load<i64>(level, LEVEL_PRICE), load<i64>(level, LEVEL_QUANTITY));
}

export function apply(decoder: u32, frame: usize, length: usize, receivedAt: f64): i32 {
  outcomeBegin();
  let code: i32 = APPLY_UNKNOWN_KIND;
  if (decoder == DECODER_COINBASE_EXCHANGE) code = coinbaseExchangeApply(frame, length, receivedAt);
  else if (decoder == DECODER_KRAKEN) code = krakenApply(frame, length, receivedAt);
  else if (decoder == DECODER_BINANCE) code = binanceApply(frame, length, receivedAt);
  else finish(code, 0, 0);
  if (code == APPLY_RESCALE) return code;
  count(COUNTER_FRAMES, 1);
  count(COUNTER_FRAME_BYTES, length);
  countCode(code);
  const instrument = <usize>load<u32>(outcomeAddress(), OUTCOME_INSTRUMENT);
  if (instrument != 0 && code != APPLY_BUFFER) noteFrame(instrument, length);
  if (instrument != 0 && code == APPLY_GAP) noteInstrument(instrument, INSTRUMENT_METRICS_GAPS, 1);
  if (instrument != 0 && code == APPLY_SNAPSHOT) noteInstrument(instrument, INSTRUMENT_METRICS_SNAPSHOT_BYTES, length);
  return code;
}

export function applySnapshot(decoder: u32, instrument: usize, body: usize, length: usize, receivedAt: f64): i32 {
  outcomeBegin();
  let code: i32 = APPLY_UNKNOWN_KIND;
  if (decoder == DECODER_BINANCE) code = binanceSnapshot(instrument, body, length, receivedAt);
  else finish(code, instrument, 0);
  if (code != APPLY_RESCALE) countCode(code);
  return code;
}

/** Counts what is not counted where it happens. */
function countCode(code: i32): void {
  switch (code) {
    case APPLY_IGNORED:
    case APPLY_TICKER:
      count(COUNTER_IGNORED_FRAMES, 1);
      break;
    case APPLY_HEARTBEAT:
      count(COUNTER_HEARTBEATS, 1);
      break;
    case APPLY_CONTROL:
      count(COUNTER_CONTROL_FRAMES, 1);
      break;
    case APPLY_BUFFER:
      count(COUNTER_BUFFERED_FRAMES, 1);
      break;
    case APPLY_STALE:
      count(COUNTER_STALE_FRAMES, 1);
      break;
    case APPLY_NOT_SYNCED:
      count(COUNTER_NOT_SYNCED_FRAMES, 1);
      break;
    case APPLY_UNKNOWN_KIND:
      count(COUNTER_UNKNOWN_KINDS, 1);
      break;
    case APPLY_UNKNOWN_INSTRUMENT:
      count(COUNTER_UNKNOWN_INSTRUMENTS, 1);
      break;
    case APPLY_GAP:
      count(COUNTER_GAPS, 1);
      break;
    case APPLY_OVERFLOW:
      count(COUNTER_OVERFLOWS, 1);
      break;
    case APPLY_DECODE_ERROR:
      count(COUNTER_DECODE_ERRORS, 1);
      break;
    case APPLY_LIMIT:
      count(COUNTER_LIMITS, 1);
      break;
    default:
      break;
  }
}

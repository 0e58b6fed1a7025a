/**
 * `alphapulse/segment`: books and trades of collectors in other processes, at memory speed, from any Node process on
 * Linux x64. `openSegment("kraken")` and iterate, or ask for `top` and `book`. Other operating systems get a MappingError
 * that says what is missing. Bad case: reading slower than the producer writes; `lapped` says exactly how much was lost.
 */
export { MappingError, type MappingReason } from "../mapping/errors.ts";
export type {
  BookLevel,
  DeltaEvent,
  ImageEvent,
  LevelChange,
  OutcomeEvent,
  SegmentEvent,
  SegmentHandlers,
  SegmentInstrument,
  TradeEvent,
} from "./events.ts";
export type { OpenOptions, ReadFrom, SegmentBook, Top } from "./options.ts";
export { openSegment, type SegmentReader } from "./segment_reader.ts";

/**
 * The sync: how the books of one exchange become right, stay right, and say when they are not.
 * Bad case: none of its own; see the files behind it.
 */
export { Backoff, type BackoffLimits } from "./backoff.ts";
export { Breaker, type BreakerAttempt, type BreakerLimits, type BreakerLook } from "./breaker.ts";
export { ExchangeSync, type ExchangeSyncOptions, type SnapshotVerdict } from "./exchange_sync.ts";
export {
  FAULT_CLASSES,
  type FaultClass,
  type FaultClassEntry,
  type FaultFrame,
  type FaultPlace,
  faultClass,
} from "./fault_classes.ts";
export { InstrumentBlock, type InstrumentStart } from "./instrument_block.ts";
export { type InstrumentAction, InstrumentSync, type InstrumentSyncOptions } from "./instrument_sync.ts";
export { integrityTable } from "./integrity_table.ts";
export { SpliceBuffer } from "./splice_buffer.ts";
export { SYNC_SETTINGS, type SyncAction, type SyncSettings } from "./sync_action.ts";
export type { LandedFrame, SyncConnection } from "./sync_connection.ts";
export type { TrackedInstrument } from "./tracked_instrument.ts";

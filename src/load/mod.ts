/**
 * Load tests of AlphaPulse itself on shared memory (open loop), arbitrage and the stream, bounded in count and time, whose
 * reports are judged by thresholds and can be run again.
 * Bad case: see the files behind it.
 */
export { type ArbitrageLoadOptions, runArbitrageLoad } from "./arbitrage_load.ts";
export { runArbitrageMarket } from "./arbitrage_market.ts";
export { LOAD_PAIRS } from "./arbitrage_plants.ts";
export { type Bound, boundedNumber } from "./bounds.ts";
export { LATENCY_MS_MAX } from "./histogram.ts";
export { type LoadGround, type MemoryLoadOptions, runMemoryLoad } from "./memory_load.ts";
export { runMemoryProducer, runMemoryReader } from "./memory_parts.ts";
export { ProgramPart } from "./part.ts";
export { type LoadOutcome, type LoadReport, loadReport } from "./report.ts";
export { checkTarget, runStreamLoad, type StreamLoadOptions } from "./stream_load.ts";

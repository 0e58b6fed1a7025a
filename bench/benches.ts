/**
 * The benchmarks, in the order of the report.
 * Bad case: a file that is not listed here; a test compares the list with the folder.
 */
import { API } from "./api.bench.ts";
import { ARBITRAGE } from "./arbitrage.bench.ts";
import { BOOK } from "./book.bench.ts";
import { CLIENT } from "./client.bench.ts";
import type { Bench } from "./context.ts";
import { CRC32 } from "./crc32.bench.ts";
import { DAY } from "./day.bench.ts";
import { DECODERS } from "./decoders.bench.ts";
import { DELTA } from "./delta.bench.ts";
import { FANOUT } from "./fanout.bench.ts";
import { FRAME } from "./frame.bench.ts";
import { GARBAGE } from "./garbage.bench.ts";
import { HASH } from "./hash.bench.ts";
import { HISTOGRAM } from "./histogram.bench.ts";
import { IMAGE } from "./image.bench.ts";
import { INSTRUCTIONS } from "./instructions.bench.ts";
import { JSON_SCAN } from "./json.bench.ts";
import { LOAD } from "./load.bench.ts";
import { MEMORY } from "./memory.bench.ts";
import { PEERS } from "./peers.bench.ts";
import { PIPELINE } from "./pipeline.bench.ts";
import { QUANTIZE } from "./quantize.bench.ts";
import { RING } from "./ring.bench.ts";
import { START } from "./start.bench.ts";
import { WIRE } from "./wire.bench.ts";

/** All of them. */
export const BENCHES: readonly Bench[] = [
  DECODERS,
  PEERS,
  WIRE,
  FRAME,
  CLIENT,
  DELTA,
  BOOK,
  JSON_SCAN,
  QUANTIZE,
  HASH,
  HISTOGRAM,
  CRC32,
  RING,
  IMAGE,
  ARBITRAGE,
  FANOUT,
  LOAD,
  PIPELINE,
  GARBAGE,
  MEMORY,
  DAY,
  API,
  START,
  INSTRUCTIONS,
];

/**
 * The benchmarks, in the order of the report.
 * Bad case: a file that is not listed here; a test compares the list with the folder.
 */
import type { Bench } from "./context.ts";
import { DECODERS } from "./decoders.bench.ts";

/** All of them. */
export const BENCHES: readonly Bench[] = [DECODERS];

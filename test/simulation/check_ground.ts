/**
 * What all checks of one world share: the faults, the report, the trace, the clock, and how a broken promise is told.
 * Bad case: a check with a clock of its own; there is one.
 */
import type { FaultLedger } from "./fault_ledger.ts";
import type { Report } from "./report.ts";
import type { Trace } from "./trace.ts";

/** What all checks of a world share. */
export type CheckGround = {
  readonly ledger: FaultLedger;
  readonly report: Report;
  readonly trace: Trace;
  readonly buffer: ArrayBufferLike;
  /** Unix ms. */
  readonly now: () => number;
  readonly startMs: number;
  readonly fail: (
    about: { exchange: string; native: string },
    what: string,
    was: { expected: string; found: string },
  ) => void;
};

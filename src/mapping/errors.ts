/**
 * What stands in the way of shared memory across processes, as one error class with a stable reason. A reader that was
 * overtaken or a producer that died is no error: those are outcomes. Bad case: deciding by message text; use `reason`.
 */

/**
 * `unsupported`: this machine or installation cannot map files (the message says what is missing) · `no_room`: the file
 * system has no room · `locked`: another producer holds the name · `refused`: a file cannot be trusted · `failed`: the
 * system refused a call.
 */
export type MappingReason = "unsupported" | "no_room" | "locked" | "refused" | "failed";

/** Shared memory across processes cannot be had as asked. */
export class MappingError extends Error {
  override readonly name = "MappingError";
  /** Stable and machine-readable. */
  readonly reason: MappingReason;

  constructor(message: string, options: ErrorOptions & { reason: MappingReason }) {
    super(message, options);
    this.reason = options.reason;
  }
}

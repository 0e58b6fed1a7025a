/**
 * The error classes of AlphaPulse, by who is at fault. Loss on the wire (gap, lap, stale, checksum) is a returned
 * outcome and never one of these; misuse of a function throws the built-in RangeError or TypeError.
 * Bad case: deciding by message text; decide by class and by `cause` instead.
 */

/** The configuration, a flag or an input file cannot be used. The command line exits with status 2 before any socket opens. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** An exchange sent what its documentation does not promise, or a capture holds a line that cannot be read. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** A socket or a REST request failed: refused, closed, timed out, or answered with an error status. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

/** A client of our stream sent something outside the protocol. `code` goes into the error reply. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  /** Stable machine-readable reason, e.g. `unknown_instrument`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

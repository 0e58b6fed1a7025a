/**
 * Numbers of the command line for load tests: every one is bounded, because a load that nobody ends must end by itself.
 * Bad case: a number out of its bounds; refused before anything is started, with the bounds.
 */
import { ConfigError } from "../errors.ts";

/** What a number may be. */
export type Bound = { readonly min: number; readonly max: number; readonly isWhole?: boolean };

/**
 * Reads a number of the command line.
 * @param flag as the user wrote it, for the message
 * @throws ConfigError when it is none, or outside its bounds
 */
export function boundedNumber(flag: string, text: string, { min, max, isWhole = true }: Bound): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value >= min && value <= max) || (isWhole && !Number.isInteger(value))) {
    const kind = isWhole ? "a whole number" : "a number";
    throw new ConfigError(`Cannot use ${flag}: it must be ${kind} from ${min} to ${max}, was ${text}`);
  }
  return value;
}

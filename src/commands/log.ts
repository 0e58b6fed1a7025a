/**
 * The log: one JSON line per event on stderr, so that stdout belongs to what a command prints.
 * Bad case: a line lost at exit; the destination is synchronous.
 */
import { destination, type Logger, pino } from "pino";
import type { Config } from "../config/mod.ts";

/** The log of the program. */
export type Log = Logger;

/** Opens the log. @param level from the configuration */
export function openLog(level: Config["logLevel"]): Log {
  return pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ fd: 2, sync: true }),
  );
}

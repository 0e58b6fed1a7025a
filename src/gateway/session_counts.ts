/**
 * What became of clients, counted for each and for all together. Bad case: a client that goes; what it counted stays in
 * the totals.
 */

/** Counts of one client, or of all. What they mean is written at ClientStats. */
export type SessionCounts = Record<
  "resets" | "dropped" | "protocolErrors" | "slowTimes" | "conflatedUpdates" | "resumes",
  number
>;

/** Nothing happened yet. */
export function noCounts(): SessionCounts {
  return { resets: 0, dropped: 0, protocolErrors: 0, slowTimes: 0, conflatedUpdates: 0, resumes: 0 };
}

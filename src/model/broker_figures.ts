/**
 * What is counted of publishing to a broker and of reading from it, by name: what travels in beats, what is counted and
 * what gateways show are made from these lists, so that a figure is spelt once.
 * Bad case: a list that grows; whoever shows it does not compile before the figure has its metric.
 */

/** What a publisher counts; all since its start. */
export const PUBLISHER_COUNTS = [
  // Messages sent, whole books included, and their bytes.
  "messages",
  "bytes",
  // Records sent; those read from the ring again count again.
  "deltas",
  "trades",
  // Whole books sent.
  "snapshots",
  // Times that the ring was read again from what the broker had stored.
  "rewinds",
  // Records that the ring forgot before the broker stored them.
  "lostDeltas",
  "lostTrades",
] as const;

/** What is counted of a connection: attempts to come back, times that it was lost, times that it came back. */
export const CONNECTION_COUNTS = ["attempts", "disconnects", "reconnects"] as const;

/**
 * What a publisher says of itself in each beat: its counts, what became of its connection, and the bytes sent that the
 * broker has not stored yet. Beats need a connection, so that times lost would say what times come back say.
 */
export const PUBLISHER_FIGURES = [...PUBLISHER_COUNTS, "attempts", "reconnects", "underWay"] as const;

/** What a receiver counts of its reading. */
export const RECEIVER_COUNTS = [
  "messages",
  "bytes",
  // Messages that could not be used.
  "refused",
  // Messages that the broker no longer had when we came to them.
  "missed",
  // Reads that were begun again.
  "restarts",
] as const;

/** Numbers by the names of a list. */
export type Figures<Names extends readonly string[]> = Record<Names[number], number>;

/** A publisher's figures; counters since its start, but for `underWay`. */
export type PublisherFigures = Readonly<Figures<typeof PUBLISHER_FIGURES>>;

/** Figures at the beginning. */
export function zeroFigures<const Names extends readonly string[]>(names: Names): Figures<Names> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Figures<Names>;
}

/**
 * What an exchange must bring to be judged: hand-written frames of every kind, about one small market that is the same for
 * all exchanges, so that the cases and what they expect are the same too.
 *
 * The market: `snapshot` bids 100.5 × 1.5, 100 × 2; asks 101 × 1, 101.5 × 3. `update`: bid 100.5 → 1.25, ask 101 gone, ask
 * 101.2 × 4. `unknownDelete`: ask 150 gone, which never was. `nextUpdate`: bid 100 → 2.5.
 * Bad case: a fixture with frames that the real exchange does not send; they are copied from captures and then shortened.
 */
import type { ReasonWord } from "../../src/model/states.ts";

/** The frames of one exchange. `text` of in-band snapshots are frames, of REST ones bodies. */
export type Fixture = {
  canonical: string;
  native: string;
  /** A second instrument on the same connection. */
  otherCanonical: string;
  otherNative: string;
  /** Body of the instrument list: both instruments, tick 0.1 and lot 0.00000001, and one entry that cannot be read. */
  metadata: string;
  /** A part of the URL of a REST snapshot, before the instrument; empty when snapshots come in band. */
  snapshotUrl: string;
  /** Answers to a request of ours, one by one. */
  acknowledge: (request: string) => string[];
  refuse: (request: string) => string[];
  /** An error that names nothing, or a request that is not ours. */
  error: string;
  /** Sent on connecting and in quiet times: they change nothing. */
  alive: string[];
  snapshot: string;
  otherSnapshot: string;
  update: string;
  unknownDelete: string;
  nextUpdate: string;
  /** Frames of which the last shows by the exchange's own rule that something was lost before it, sent after `update`. */
  loss: string[];
  lossReason: ReasonWord;
  /** After the loss: bids 99.5 × 1; asks 100 × 1. */
  secondSnapshot: string;
  /** Sent after `update`: bid 101.3 × 1, above the best ask. */
  crossing: string;
  /** Bids 102 × 1; asks 101 × 1. */
  crossedSnapshot: string;
  /** A frame of the instrument whose numbers cannot be read. */
  unreadableUpdate: string;
  /** A well-formed frame of a kind that nobody documented. */
  unknownKind: string;
  /** Sent after `snapshot`: bid 100.25 × 0.123456789. */
  finer: string;
  /** Sent after `snapshot`: a bid of 10^25. */
  overflowing: string;
  /** Prints from before we came; may be none. */
  past: string[];
  /** Prints id 1000, a buyer took the ask; 1001, a seller hit the bid. */
  buy: string;
  sell: string;
  /** How an unreadable frame without an instrument shows. */
  unreadableShows: "resyncing unreadable_frame";
  /** Whether a book in doubt after an unreadable frame comes back with the next event, without a repair. */
  provesItself: boolean;
};

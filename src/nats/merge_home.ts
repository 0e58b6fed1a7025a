/**
 * What a merged instrument needs of the exchange that it belongs to, and what is counted of all of them together.
 * Bad case: a segment without room; `open` gives nothing, a larger one is made and every book is moved there.
 */
import type { InstrumentFacts } from "./facts.ts";
import type { LocalBook } from "./local_book.ts";
import type { Workspace } from "./workspace.ts";

/** What happened to the books of an exchange. */
export type MergeCounts = {
  /** Events published as a collector brought them. */
  events: number;
  /** Events that another collector had brought before. */
  duplicates: number;
  /** An event came from another collector than the one before. */
  turns: number;
  /** Books that went over to a collector with another view of the same exchange, event by event. */
  takeovers: number;
  /** Books taken over by their exact difference from another collector: changes came together. */
  differences: number;
  /** Books published whole. */
  resets: number;
  /** Synced books that could not be followed any further. */
  interruptions: number;
  /** Records that never came, in any lane. */
  gaps: number;
  trades: number;
  tradeDuplicates: number;
};

/** Where the merged book lives. */
export type MergeHome = {
  readonly workspace: Workspace;
  readonly counts: MergeCounts;
  readonly patienceMs: number;
  readonly waitingMax: number;
  /** Opens a place for a book; `previous` is retired. @returns undefined = there is none; a larger home is being made */
  open(facts: InstrumentFacts, options: { levels: number; previous: LocalBook | undefined }): LocalBook | undefined;
  /** The collector is heard, and its records are not behind. */
  isFresh(source: bigint): boolean;
  /** The collector is heard; its records may be late. */
  isHeard(source: bigint): boolean;
  /** A lane needs a whole book. */
  want(symbol: string): void;
  nowMs(): number;
};

/** Counts at the beginning. */
export function zeroCounts(): MergeCounts {
  return {
    events: 0,
    duplicates: 0,
    turns: 0,
    takeovers: 0,
    differences: 0,
    resets: 0,
    interruptions: 0,
    gaps: 0,
    trades: 0,
    tradeDuplicates: 0,
  };
}

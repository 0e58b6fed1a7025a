/**
 * The audit of one book: open a window, ask REST, wait until the socket must have told everything that the answer knows,
 * compare what nobody touched meanwhile. An answer is judged only when it is not older than the window: by its sequence, by
 * its time, or by its knowing the changes that were over before it was asked for. Unless its sequence fixes the very state,
 * a difference counts only when a second answer shows the same level differing while the window is still open.
 * Pure: time is an argument. Bad case: an exchange whose answers are older than the window every time; the audit is
 * inconclusive then, and says so, rather than wrong.
 */
import { AUDIT_FAILED, AUDIT_INCONCLUSIVE, AUDIT_MATCH, AUDIT_MISMATCH } from "../../assembly/layout.ts";
import type { AuditFreshness } from "../exchanges/mod.ts";
import type { AuditFindings, AuditMismatch, AuditRange } from "./audit_watch.ts";

/** What the machine wants done. */
export type AuditAction =
  /** Ask REST; the answer must carry the token. */
  | { readonly do: "ask"; readonly token: number }
  /** The audit is over. @param outcome AUDIT_* */
  | {
      readonly do: "conclude";
      readonly outcome: number;
      readonly why: string;
      /** Of a mismatch: the levels that differ. */
      readonly mismatches: readonly AuditMismatch[];
    };

/** The book as the machine sees it: AuditWatch, or something like it in a test. */
export type AuditedBook = {
  readonly open: (range: AuditRange) => void;
  readonly asked: () => void;
  readonly close: () => void;
  readonly compare: (body: Uint8Array) => AuditFindings;
  readonly lastSequence: bigint;
  readonly eventAtNs: bigint;
};

/** What a machine is built from. Times in ms. */
export type AuditMachineOptions = {
  readonly book: AuditedBook;
  /** Asked for at every opening: a depth may change. */
  readonly range: () => AuditRange;
  readonly freshness: AuditFreshness;
  readonly intervalMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly confirmMs: number;
  /** When the first request is due, monotonic ms. */
  readonly firstAt: number;
};

/** Answers asked for in one audit. */
const ASKS_MAX = 4;
/** Comparisons put off because the socket is behind the answer. */
const PATIENCE_MAX = 4;
/** Audits without a verdict in a row, inconclusive or failed, that are repeated soon. */
const REPEATS_MAX = 3;

type Phase =
  | { readonly is: "idle" }
  /** The window is open; the request is due. */
  | { readonly is: "open"; readonly askAt: number }
  | { readonly is: "asked" }
  | { readonly is: "settling"; readonly body: Uint8Array; readonly compareAt: number };

const NOTHING: readonly AuditAction[] = [];
const IDLE: Phase = { is: "idle" };

/** The audits of one book, one after the other. `at` is monotonic ms. */
export class AuditMachine {
  readonly #options: AuditMachineOptions;
  #phase: Phase = IDLE;
  #dueAt: number;
  #intervalMs: number;
  #token = 0;
  #asks = 0;
  #patience = 0;
  #repeats = 0;
  #openedSequence = 0n;
  #openedEventAt = 0n;
  #suspects: readonly AuditMismatch[] | undefined;

  constructor(options: AuditMachineOptions) {
    this.#options = options;
    this.#dueAt = options.firstAt;
    this.#intervalMs = options.intervalMs;
  }

  /** Another rhythm, from the next request on: there are more books to audit, or fewer. */
  pace(intervalMs: number): void {
    this.#intervalMs = intervalMs;
  }

  /** When the next request is due. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** Whether a window is open. */
  get isUnderWay(): boolean {
    return this.#phase.is !== "idle";
  }

  /** Whether `timer` would compare now, which costs milliseconds on a large book. */
  isHeavy(at: number): boolean {
    return this.#phase.is === "settling" && at >= this.#phase.compareAt;
  }

  /**
   * Time has passed.
   * @param isSynced whether the book claims to be right; one that does not is not audited
   */
  timer(at: number, isSynced: boolean): readonly AuditAction[] {
    const phase = this.#phase;
    if (!isSynced && phase.is !== "idle") {
      return this.#conclude(at, AUDIT_INCONCLUSIVE, { why: "the book is not synced any more" });
    }
    switch (phase.is) {
      case "idle":
        if (isSynced && at >= this.#dueAt - this.#options.beforeMs) {
          this.#open(at);
        }
        return NOTHING;
      case "open":
        return at >= phase.askAt ? this.#ask(at) : NOTHING;
      case "asked":
        return NOTHING;
      case "settling":
        return at >= phase.compareAt ? this.#compare(at, phase.body) : NOTHING;
    }
  }

  /** Whether the answer to a request would still be taken. */
  isAwaiting(token: number): boolean {
    return this.#phase.is === "asked" && token === this.#token;
  }

  /** An answer came. */
  answered(at: number, token: number, body: Uint8Array): void {
    if (this.isAwaiting(token)) {
      this.#patience = 0;
      this.#phase = { is: "settling", body, compareAt: at + this.#options.afterMs };
    }
  }

  /** No answer came, or a refusal. */
  failed(at: number, token: number, why: string): readonly AuditAction[] {
    return this.isAwaiting(token) ? this.#conclude(at, AUDIT_FAILED, { why }) : NOTHING;
  }

  /** Ends without a verdict. */
  stop(): void {
    if (this.isUnderWay) {
      this.#options.book.close();
      this.#phase = IDLE;
    }
  }

  #open(at: number): void {
    const { book, range, beforeMs } = this.#options;
    book.open(range());
    this.#openedSequence = book.lastSequence;
    this.#openedEventAt = book.eventAtNs;
    this.#asks = 0;
    this.#suspects = undefined;
    this.#phase = { is: "open", askAt: Math.max(this.#dueAt, at + beforeMs) };
  }

  #ask(at: number): readonly AuditAction[] {
    if (this.#asks === 0) {
      this.#dueAt = nextDue(this.#dueAt, at, this.#intervalMs);
      this.#options.book.asked();
    }
    this.#asks += 1;
    this.#token += 1;
    this.#phase = { is: "asked" };
    return [{ do: "ask", token: this.#token }];
  }

  #askAgain(at: number, why: string): readonly AuditAction[] {
    if (this.#asks >= ASKS_MAX) {
      return this.#conclude(at, AUDIT_INCONCLUSIVE, { why });
    }
    this.#phase = { is: "open", askAt: at + this.#options.confirmMs };
    return NOTHING;
  }

  #compare(at: number, body: Uint8Array): readonly AuditAction[] {
    const { book, freshness, afterMs } = this.#options;
    const found = book.compare(body);
    if (found.result !== "compared") {
      return found.result === "broken"
        ? this.#conclude(at, AUDIT_INCONCLUSIVE, { why: "the book was replaced or rescaled meanwhile" })
        : this.#conclude(at, AUDIT_FAILED, { why: "the answer is no book" });
    }
    const age = this.#ageOf(found);
    if (age === "old") {
      return this.#askAgain(at, "the answers are older than the window");
    }
    if (age === "ahead" && this.#patience < PATIENCE_MAX) {
      this.#patience += 1;
      this.#phase = { is: "settling", body, compareAt: at + afterMs };
      return NOTHING;
    }
    if (age === "ahead" && freshness === "sequence") {
      return this.#conclude(at, AUDIT_INCONCLUSIVE, { why: "the socket did not reach the answer's sequence" });
    }
    if (found.mismatchCount === 0) {
      return this.#conclude(at, AUDIT_MATCH, { why: `${found.compared} levels are the same` });
    }
    return this.#doubt(at, found.mismatches);
  }

  /** A difference: proven at once where the answer is one known state, else by a second look at the same level. */
  #doubt(at: number, mismatches: readonly AuditMismatch[]): readonly AuditAction[] {
    const confirmed =
      this.#options.freshness === "sequence"
        ? mismatches
        : mismatches.filter((one) => this.#suspects?.some((other) => isSameLevel(one, other)));
    if (confirmed.length > 0) {
      return this.#conclude(at, AUDIT_MISMATCH, { why: describe(confirmed), mismatches: confirmed });
    }
    this.#suspects = mismatches;
    return this.#askAgain(at, "other levels differ in every answer");
  }

  /** Whether the answer is a state between the opening of the window and now. */
  #ageOf(found: AuditFindings): "good" | "old" | "ahead" {
    const { book, freshness } = this.#options;
    if (freshness === "sequence") {
      return between(found.sequence, this.#openedSequence, book.lastSequence);
    }
    if (freshness === "time" && found.timeNs !== 0n) {
      // A quiet book's last event says nothing about how far the socket is: only the beginning binds.
      return found.timeNs < this.#openedEventAt ? "old" : "good";
    }
    const isSilent = found.agreeing + found.disagreeing === 0;
    return isSilent || found.agreeing > found.disagreeing ? "good" : "old";
  }

  #conclude(
    at: number,
    outcome: number,
    { why, mismatches = [] }: { why: string; mismatches?: readonly AuditMismatch[] },
  ): readonly AuditAction[] {
    const { book, beforeMs, confirmMs } = this.#options;
    book.close();
    this.#phase = IDLE;
    const hasVerdict = outcome === AUDIT_MATCH || outcome === AUDIT_MISMATCH;
    this.#repeats = hasVerdict ? 0 : this.#repeats + 1;
    if (this.#repeats > 0 && this.#repeats <= REPEATS_MAX) {
      this.#dueAt = Math.min(this.#dueAt, at + beforeMs + confirmMs);
    }
    return [{ do: "conclude", outcome, why, mismatches }];
  }
}

/** Keeps the rhythm unless it was lost for more than an interval. */
function nextDue(dueAt: number, at: number, intervalMs: number): number {
  return at - dueAt > intervalMs ? at + intervalMs : dueAt + intervalMs;
}

function between(value: bigint, low: bigint, high: bigint): "good" | "old" | "ahead" {
  return value < low ? "old" : value > high ? "ahead" : "good";
}

function isSameLevel(one: AuditMismatch, other: AuditMismatch): boolean {
  return one.side === other.side && one.price === other.price;
}

function describe(mismatches: readonly AuditMismatch[]): string {
  const [first] = mismatches;
  const level = first === undefined ? "" : `, first at ${first.price} ticks: ${first.ours} lots, REST ${first.theirs}`;
  return `${mismatches.length} levels differ${level}`;
}

/**
 * The state machine of one instrument: what is asked of the exchange, what is overdue, and what to do after a fault. The
 * kernel decides whether a book is right; this decides how it becomes right again: one repair per fault, backoff with
 * jitter, an acknowledgement that never comes, a subscription that stays silent. Pure: time and randomness are arguments.
 * Bad case: an exchange that acknowledges and never delivers; after three silent attempts the connection is suspected.
 */
import {
  REASON_CONNECTING,
  REASON_DISCONNECTED,
  REASON_DRIFT,
  REASON_LIMIT,
  REASON_NONE,
  REASON_OVERFLOW,
  REASON_REFUSED,
  REASON_SILENT,
  REASON_UNREADABLE_FRAME,
  REASON_WAITING_SNAPSHOT,
  STATE_CONNECTING,
  STATE_OUT_OF_SERVICE,
  STATE_RESYNCING,
  STATE_SUSPECT,
  STATE_SYNCED,
  STATE_WAITING,
} from "../../assembly/layout.ts";
import { Backoff, type BackoffLimits } from "./backoff.ts";

/** What the machine wants done. */
export type InstrumentAction =
  /** Tell the kernel: the book is not right. */
  | { readonly do: "unsync"; readonly state: number; readonly reason: number }
  /** Unsubscribe and subscribe the book. */
  | { readonly do: "resubscribe" }
  /** Request a REST snapshot; its answer must carry the token. */
  | { readonly do: "snapshot"; readonly token: number }
  /** A repair begins: count it. */
  | { readonly do: "count_resync" }
  /** Several attempts met silence: replace the connection, unless it works for others. */
  | { readonly do: "silent" };

/** What the machine needs to know of its exchange. Times in ms. */
export type InstrumentSyncOptions = {
  readonly snapshot: "in_band" | "rest";
  /** What an unreadable frame does, at the depth subscribed now. */
  readonly unreadable: () => "suspect" | "resync";
  readonly ackMs: number;
  readonly firstDataMs: number;
  /** A suspect book that no event proved right for so long is repaired. */
  readonly suspectMs: number;
  /** What is out of service (refused, in another form, out of range) is tried again after so long. */
  readonly refusedMs: number;
  readonly backoff: BackoffLimits;
  readonly random: () => number;
};

/** Silent attempts after which the connection is suspected. */
export const SILENT_ATTEMPTS_MAX = 3;

type Deadline = { readonly kind: "ack" | "first" | "repair" | "suspect" | "service"; readonly at: number };

const NOTHING: readonly InstrumentAction[] = [];

/** The machine of one instrument. Every event returns what is to be done now. `at` is monotonic ms. */
export class InstrumentSync {
  readonly #options: InstrumentSyncOptions;
  readonly #backoff: Backoff;
  #state: number = STATE_CONNECTING;
  #reason: number = REASON_CONNECTING;
  #isConnected = false;
  #isAccepted = false;
  #deadline: Deadline | undefined;
  #token = 0;
  #isSnapshotAsked = false;
  #silent = 0;

  constructor(options: InstrumentSyncOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
  }

  /** STATE_* as the machine last saw it. */
  get state(): number {
    return this.#state;
  }

  /** REASON_* that goes with it. */
  get reason(): number {
    return this.#reason;
  }

  /** When `timer` wants to be called, monotonic ms; undefined when nothing is awaited. */
  get deadline(): number | undefined {
    return this.#deadline?.at;
  }

  /** The subscription went out and no answer came yet. */
  get isUnanswered(): boolean {
    return this.#isConnected && !this.#isAccepted && this.#deadline?.kind === "ack";
  }

  /** The token of the REST snapshot that is awaited; undefined when none is. */
  get awaitedSnapshot(): number | undefined {
    return this.#isSnapshotAsked ? this.#token : undefined;
  }

  /** Its connection is open and it was subscribed there. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** The connection is open and the subscription goes out. */
  opened(at: number): readonly InstrumentAction[] {
    this.#isConnected = true;
    this.#isAccepted = false;
    this.#forgetSnapshot();
    this.#await("ack", at + this.#options.ackMs);
    return this.#unsync(STATE_WAITING, REASON_WAITING_SNAPSHOT);
  }

  /** The connection is gone. @param reason REASON_DISCONNECTED unless something better is known */
  closed(reason: number = REASON_DISCONNECTED): readonly InstrumentAction[] {
    this.#isConnected = false;
    this.#isAccepted = false;
    this.#deadline = undefined;
    this.#forgetSnapshot();
    return this.#unsync(STATE_CONNECTING, reason);
  }

  /** The exchange acknowledged the subscription of the book. It is no proof that frames will come. */
  accepted(at: number): readonly InstrumentAction[] {
    if (!this.#isConnected || this.#isAccepted) {
      return NOTHING;
    }
    this.#isAccepted = true;
    if (this.#deadline?.kind !== "ack") {
      return NOTHING;
    }
    if (this.#options.snapshot === "rest") {
      this.#deadline = undefined;
      return this.#askSnapshot();
    }
    this.#await("first", at + this.#options.firstDataMs);
    return NOTHING;
  }

  /** The exchange refused the subscription of the book. */
  refused(at: number): readonly InstrumentAction[] {
    if (!this.#isConnected) {
      return NOTHING;
    }
    this.#isAccepted = false;
    return this.#rest(at, REASON_REFUSED);
  }

  /** An event of the book waits for its snapshot: the subscription works, whatever became of its acknowledgement. */
  buffered(): readonly InstrumentAction[] {
    const isDue = this.#isConnected && this.#deadline?.kind === "ack" && this.#options.snapshot === "rest";
    if (!isDue) {
      return NOTHING;
    }
    this.#isAccepted = true;
    this.#deadline = undefined;
    return this.#askSnapshot();
  }

  /** The kernel holds a right book. */
  synced(at: number): readonly InstrumentAction[] {
    this.#state = STATE_SYNCED;
    this.#reason = REASON_NONE;
    this.#deadline = undefined;
    this.#silent = 0;
    this.#forgetSnapshot();
    this.#backoff.succeeded(at);
    return NOTHING;
  }

  /** The kernel found a fault and has already said so in a record. @param reason REASON_* */
  fault(at: number, reason: number): readonly InstrumentAction[] {
    this.#state = STATE_RESYNCING;
    this.#reason = reason;
    return this.#repair(at);
  }

  /** A frame that may have belonged to this book could not be read. */
  unreadable(at: number): readonly InstrumentAction[] {
    if (this.#state !== STATE_SYNCED && this.#state !== STATE_SUSPECT) {
      return NOTHING;
    }
    if (this.#options.unreadable() === "suspect") {
      if (this.#state === STATE_SYNCED) {
        this.#await("suspect", at + this.#options.suspectMs);
      }
      return this.#unsync(STATE_SUSPECT, REASON_UNREADABLE_FRAME);
    }
    return [...this.#unsync(STATE_RESYNCING, REASON_UNREADABLE_FRAME), ...this.#repair(at)];
  }

  /** Something else than the book's own frames says that it is not right. @param reason REASON_* */
  mistrusted(at: number, reason: number): readonly InstrumentAction[] {
    if (this.#state !== STATE_SYNCED && this.#state !== STATE_SUSPECT) {
      return NOTHING;
    }
    // A subscription that went silent delivers again only when it is renewed.
    this.#isAccepted = this.#isAccepted && reason !== REASON_SILENT;
    return [...this.#unsync(STATE_RESYNCING, reason), ...this.#repair(at)];
  }

  /** The frames have another form now: asking at once would bring the same again. */
  drifted(at: number): readonly InstrumentAction[] {
    if (!this.#isConnected || this.isDrifting) {
      return NOTHING;
    }
    this.#isAccepted = false;
    this.#forgetSnapshot();
    return this.#rest(at, REASON_DRIFT);
  }

  /** Its frames had another form when they were last looked at. */
  get isDrifting(): boolean {
    return this.#state === STATE_OUT_OF_SERVICE && this.#reason === REASON_DRIFT;
  }

  /** The REST snapshot did not arrive, could not be read, or was older than the waiting events. */
  snapshotFailed(at: number, token: number): readonly InstrumentAction[] {
    if (token !== this.awaitedSnapshot) {
      return NOTHING;
    }
    this.#forgetSnapshot();
    this.#await("repair", at + this.#backoff.failed(at));
    return this.#deadline?.at === at ? this.timer(at) : NOTHING;
  }

  /** The REST snapshot came before the events of its numbers: it is asked for again only when none come. */
  snapshotEarly(at: number, token: number): readonly InstrumentAction[] {
    if (token === this.awaitedSnapshot) {
      this.#forgetSnapshot();
      this.#await("repair", at + this.#options.firstDataMs);
    }
    return NOTHING;
  }

  /**
   * The book cannot be held at all. Numbers out of range may have been a broken frame and are tried again; memory that
   * is exhausted stays so until a new connection tries. @param reason REASON_*
   */
  outOfService(at: number, reason: number): readonly InstrumentAction[] {
    this.#deadline = undefined;
    this.#forgetSnapshot();
    if (this.#isConnected && reason === REASON_OVERFLOW) {
      this.#isAccepted = false;
      return this.#rest(at, reason);
    }
    return this.#unsync(STATE_OUT_OF_SERVICE, reason);
  }

  /** The segment has no room for the book and a larger one is being made: nothing is asked for in this one. */
  awaitRoom(): readonly InstrumentAction[] {
    this.#deadline = undefined;
    this.#forgetSnapshot();
    return this.#unsync(STATE_RESYNCING, REASON_LIMIT);
  }

  /** It waits for a larger segment. */
  get isAwaitingRoom(): boolean {
    return this.#state === STATE_RESYNCING && this.#reason === REASON_LIMIT;
  }

  /**
   * Something may be overdue.
   * @param options.isSending requests still wait for their turn to be sent: no answer is overdue then
   */
  timer(at: number, { isSending = false }: { isSending?: boolean } = {}): readonly InstrumentAction[] {
    const due = this.#deadline;
    if (due === undefined || at < due.at) {
      return NOTHING;
    }
    if (isSending && due.kind === "ack") {
      this.#await("ack", at + this.#options.ackMs);
      return NOTHING;
    }
    switch (due.kind) {
      case "repair":
        return this.#ask(at);
      case "suspect":
        return [...this.#unsync(STATE_RESYNCING, this.#reason), ...this.#repair(at)];
      case "service":
        return [...this.#unsync(STATE_WAITING, this.#reason), ...this.#subscribeAgain(at)];
      default:
        return this.#overdue(at);
    }
  }

  /** At most one repair is under way: a fault while one is scheduled adds none. */
  #repair(at: number): readonly InstrumentAction[] {
    if (!this.#isConnected || this.#deadline?.kind === "repair" || this.#isSnapshotAsked) {
      return [{ do: "count_resync" }];
    }
    this.#await("repair", at + this.#backoff.failed(at));
    return [{ do: "count_resync" }, ...this.timer(at)];
  }

  #ask(at: number): readonly InstrumentAction[] {
    if (this.#options.snapshot === "rest" && this.#isAccepted) {
      this.#deadline = undefined;
      return this.#askSnapshot();
    }
    return this.#subscribeAgain(at);
  }

  #subscribeAgain(at: number): readonly InstrumentAction[] {
    this.#isAccepted = false;
    this.#await("ack", at + this.#options.ackMs);
    return [{ do: "resubscribe" }];
  }

  /** Out of service, and tried again later. */
  #rest(at: number, reason: number): readonly InstrumentAction[] {
    this.#await("service", at + this.#options.refusedMs * (0.5 + this.#options.random()));
    return this.#unsync(STATE_OUT_OF_SERVICE, reason);
  }

  #askSnapshot(): readonly InstrumentAction[] {
    this.#token += 1;
    this.#isSnapshotAsked = true;
    return [{ do: "snapshot", token: this.#token }];
  }

  /** No acknowledgement, or no data after it. */
  #overdue(at: number): readonly InstrumentAction[] {
    this.#silent += 1;
    const state = this.#state === STATE_WAITING ? STATE_WAITING : STATE_RESYNCING;
    const said = this.#unsync(state, REASON_SILENT);
    const again = [...said, ...this.#subscribeAgain(at)];
    return this.#silent % SILENT_ATTEMPTS_MAX === 0 ? [...again, { do: "silent" }] : again;
  }

  #forgetSnapshot(): void {
    this.#isSnapshotAsked = false;
    this.#token += 1;
  }

  #await(kind: Deadline["kind"], at: number): void {
    this.#deadline = { kind, at };
  }

  #unsync(state: number, reason: number): readonly InstrumentAction[] {
    this.#state = state;
    this.#reason = reason;
    return [{ do: "unsync", state, reason }];
  }
}

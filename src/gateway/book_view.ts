/**
 * One instrument's book as the gateway serves it: every record is checked against version chain and hash by the replica,
 * encoded once in the kernel for all binary clients, and collected as JSON only while somebody wants that.
 * A failed check empties the book at once; its clients are interrupted and get a snapshot after the next join.
 * Bad case: a turn that ends in the middle of an event; nothing is flushed and nobody may join until its last record.
 */
import {
  DELTA_VERSION,
  REPLICA_BUFFER_FULL,
  REPLICA_CHAIN_BROKEN,
  REPLICA_EMPTY,
  REPLICA_HASH_MISMATCH,
  REPLICA_INCONSISTENT,
  REPLICA_OK,
  REPLICA_RESET,
  REPLICA_STALE,
} from "../../assembly/layout.ts";
import { bboMessage, orderBookDeltaMessage, recordChanges } from "../wire/json_form.ts";
import { readCount } from "../wire/numbers.ts";
import type { JsonChange } from "../wire/protocol.ts";
import { BookFrames } from "./book_frames.ts";
import { BookSnapshots } from "./book_snapshots.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Form, Outlet } from "./outlet.ts";
import { ReplicaBook } from "./replica_book.ts";
import { marketTopic } from "./topics.ts";
import type { Payload } from "./transport.ts";
import type { Workspace } from "./workspace.ts";

/** Units of event times that the stream knows, ns, coarsest first. */
const TIME_UNITS = [1_000_000, 1000, 1] as const;
const NO_CHANGES: readonly JsonChange[] = [];

/** Why a book lost its way, and how often. */
export type BookFailures = {
  chain: number;
  hash: number;
  inconsistent: number;
  /** Images, or the records behind them, that did not hold; an outage counts once. */
  image: number;
  /** No memory for the book, or an event beyond the largest encode buffer. */
  limits: number;
};

/** What applying a record asks of the caller. `reset`: the producer started the book anew; `lost`: a check failed. */
export type BookOutcome = "applied" | "skipped" | "reset" | "lost";

/** The book of one instrument. */
export class BookView {
  readonly instrument: string;
  readonly alias: number;
  readonly replica: ReplicaBook;
  readonly failures: BookFailures = { chain: 0, hash: 0, inconsistent: 0, image: 0, limits: 0 };
  /** Events applied since start. */
  events = 0;
  /** Encoded bytes since start, each frame counted once. */
  wireBytes = 0;
  readonly #workspace: Workspace;
  readonly #outlet: Outlet;
  readonly #frames: BookFrames;
  readonly #snapshots: BookSnapshots;
  readonly #topics: Record<"bookBinary" | "bookJson" | "bboBinary" | "bboJson", string>;
  readonly #now: () => number;
  #changes: readonly JsonChange[] = NO_CHANGES;
  #eventVersion = 0;
  /** The coarsest unit that every event time seen so far divides by: an exchange with milliseconds costs fewer bytes. */
  #timeUnit: number = TIME_UNITS[0];
  #lastBbo = "";
  /** A record chained to it, or the producer's cell names its version: an image's version has no proof of its own. */
  #isConfirmed = true;

  /** @throws RangeError when the arena is exhausted */
  constructor(
    workspace: Workspace,
    options: { instrument: string; alias: number; outlet: Outlet; limits: GatewayLimits; now: () => number },
  ) {
    const { instrument, alias, limits } = options;
    this.instrument = instrument;
    this.alias = alias;
    this.#workspace = workspace;
    this.#outlet = options.outlet;
    this.#now = options.now;
    this.replica = new ReplicaBook(workspace, alias);
    this.#frames = new BookFrames(workspace, {
      book: this.replica,
      bytes: limits.encodeBytes,
      bytesMax: limits.encodeBytesMax,
    });
    this.#snapshots = new BookSnapshots(workspace, this.replica, { instrument });
    this.#topics = {
      bookBinary: marketTopic(alias, "book", "binary"),
      bookJson: marketTopic(alias, "book", "json"),
      bboBinary: marketTopic(alias, "bbo", "binary"),
      bboJson: marketTopic(alias, "bbo", "json"),
    };
  }

  /** A client can be given the book now: it follows, is between two events, and has a version that was confirmed. */
  get isReady(): boolean {
    return this.#isConfirmed && this.replica.isFollowing && this.replica.isWhole && this.replica.version > 0;
  }

  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** Says whether the version that was joined is known to be the producer's. */
  set isConfirmed(isConfirmed: boolean) {
    this.#isConfirmed = isConfirmed;
  }

  /** Messages that give a client the book as it is now; only when ready and flushed. */
  snapshot(form: Form): readonly Payload[] {
    if (this.#outlet.listeners(this.#topics.bookBinary) === 0 && this.replica.timeUnit !== this.#timeUnit) {
      this.replica.timeUnit = this.#timeUnit;
      this.#snapshots.forget();
    }
    return this.#snapshots.parts(form);
  }

  /** The book was loaded anew or emptied: what was encoded for its clients leads nowhere. */
  restart(): void {
    this.#frames.discard();
    this.#frames.restart();
    this.#snapshots.forget();
    this.#noteTime();
    this.replica.timeUnit = this.#timeUnit;
    this.#changes = NO_CHANGES;
    this.#lastBbo = "";
  }

  /** Applies one delta record. @param record address of DELTA_BYTES */
  apply(record: number): BookOutcome {
    this.#snapshots.forget();
    if (this.replica.isWhole) {
      this.#eventVersion = this.replica.version;
      this.#changes = NO_CHANGES;
    }
    const code = this.#applyWithRoom(record);
    if (code === REPLICA_OK) {
      this.#isConfirmed = true;
      this.#afterRecord(record);
      return "applied";
    }
    if (code === REPLICA_STALE) {
      return "skipped";
    }
    if (code === REPLICA_EMPTY) {
      return this.#beginAtFirst(record);
    }
    if (code !== REPLICA_RESET) {
      this.#countFailure(code);
      this.replica.clear();
    }
    this.restart();
    return code === REPLICA_RESET ? "reset" : "lost";
  }

  /** The book lacks what the producer wrote: it is emptied as after a failed check. */
  lose(): void {
    this.#countFailure(REPLICA_CHAIN_BROKEN);
    this.replica.clear();
    this.restart();
  }

  /** Sends what the turn produced: the frame, and the best bid and offer if they changed. */
  flush(): void {
    if (!this.replica.isFollowing || !this.replica.isWhole) {
      return;
    }
    this.#flushFrame();
    this.#flushBbo();
  }

  /** Sends the hash alone when nothing else carried it for a while. */
  proveQuiet(): void {
    const isWanted = this.#outlet.listeners(this.#topics.bookBinary) > 0;
    if (isWanted && this.isReady && this.#frames.isCheckDue(this.#now())) {
      this.#publishFrame();
    }
  }

  /** The best bid and offer as a message; undefined before there is a book. */
  bbo(form: Form): Payload | undefined {
    if (!this.isReady) {
      return undefined;
    }
    if (form === "json") {
      const options = { instrument: this.instrument, ...this.replica.best() };
      return JSON.stringify(bboMessage(this.#workspace.memory, this.replica.address, options));
    }
    const { kernel, frame } = this.#workspace;
    return this.#workspace.view(frame, kernel.bboEncode(this.replica.address, frame));
  }

  /** A producer's very first record needs no image: the book before it was empty. */
  #beginAtFirst(record: number): BookOutcome {
    if (readCount(this.#workspace.memory, record + DELTA_VERSION) !== 1) {
      return "skipped";
    }
    this.#workspace.kernel.replicaBegin(this.replica.address);
    return this.apply(record);
  }

  #applyWithRoom(record: number): number {
    for (;;) {
      const code = this.#workspace.kernel.replicaApply(this.replica.address, record);
      if (code !== REPLICA_BUFFER_FULL) {
        return code;
      }
      if (this.#frames.hasEvents) {
        this.#flushFrame();
      } else if (!this.#frames.makeRoom()) {
        return REPLICA_BUFFER_FULL;
      }
    }
  }

  #afterRecord(record: number): void {
    const wantsJson = this.#outlet.listeners(this.#topics.bookJson) > 0;
    if (wantsJson) {
      const changes = recordChanges(this.#workspace.memory, record, this.replica.exponents);
      this.#changes = this.#changes.concat(changes);
    }
    if (!this.replica.isWhole) {
      return;
    }
    this.events += 1;
    this.#noteTime();
    if (wantsJson) {
      this.#publishChanges();
    }
    if (this.#frames.isFull) {
      this.#flushFrame();
    }
  }

  #noteTime(): void {
    if (this.#timeUnit > 1 && !this.replica.isTimeWhole(this.#timeUnit)) {
      this.#timeUnit = TIME_UNITS.find((unit) => this.replica.isTimeWhole(unit)) ?? 1;
    }
  }

  #publishChanges(): void {
    const message = orderBookDeltaMessage(this.#workspace.memory, this.replica.address, {
      instrument: this.instrument,
      previousVersion: String(this.#eventVersion),
      changes: this.#changes,
    });
    this.#outlet.publish(this.#topics.bookJson, JSON.stringify(message));
  }

  #flushFrame(): void {
    if (!this.#frames.hasEvents) {
      return;
    }
    if (this.#outlet.listeners(this.#topics.bookBinary) === 0) {
      this.#frames.discard();
      return;
    }
    this.#publishFrame();
  }

  #publishFrame(): void {
    const frame = this.#frames.take(this.#now());
    if (frame !== undefined) {
      this.wireBytes += frame.byteLength;
      this.#outlet.publish(this.#topics.bookBinary, frame);
    }
  }

  #flushBbo(): void {
    const { bboBinary, bboJson } = this.#topics;
    if (this.#outlet.listeners(bboBinary) + this.#outlet.listeners(bboJson) === 0 || !this.isReady) {
      this.#lastBbo = "";
      return;
    }
    const { bid, ask } = this.replica.best();
    const bbo = `${bid}|${ask}|${this.replica.flags}`;
    if (bbo === this.#lastBbo) {
      return;
    }
    this.#lastBbo = bbo;
    for (const [topic, form] of [
      [bboBinary, "binary"],
      [bboJson, "json"],
    ] as const) {
      const message = this.#outlet.listeners(topic) > 0 ? this.bbo(form) : undefined;
      if (message !== undefined) {
        this.#outlet.publish(topic, message);
      }
    }
  }

  #countFailure(code: number): void {
    if (code === REPLICA_CHAIN_BROKEN) {
      this.failures.chain += 1;
    } else if (code === REPLICA_HASH_MISMATCH) {
      this.failures.hash += 1;
    } else if (code === REPLICA_INCONSISTENT) {
      this.failures.inconsistent += 1;
    } else {
      this.failures.limits += 1;
    }
  }
}

/** Failures of a book, summed. */
export function failureCount(failures: BookFailures): number {
  return failures.chain + failures.hash + failures.inconsistent + failures.image + failures.limits;
}

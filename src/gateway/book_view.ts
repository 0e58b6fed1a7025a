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
import { bboMessage, recordChanges } from "../wire/json_form.ts";
import { readCount } from "../wire/numbers.ts";
import type { JsonChange } from "../wire/protocol.ts";
import type { HopMeter } from "./hop_meter.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Form, Outlet } from "./outlet.ts";
import type { ReplicaBook } from "./replica_book.ts";
import type { StreamView } from "./stream_view.ts";
import { marketTopic } from "./topics.ts";
import type { Payload } from "./transport.ts";
import { ViewOutput } from "./view_output.ts";
import type { Workspace } from "./workspace.ts";

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

/** The book of one instrument: the view of all levels at every change. */
export class BookView implements StreamView {
  readonly output: ViewOutput;
  readonly replica: ReplicaBook;
  readonly failures: BookFailures = { chain: 0, hash: 0, inconsistent: 0, image: 0, limits: 0 };
  /** Events applied since start. */
  events = 0;
  readonly #instrument: string;
  readonly #workspace: Workspace;
  readonly #outlet: Outlet;
  readonly #topics: Record<"bboBinary" | "bboJson", string>;
  #changes: readonly JsonChange[] = NO_CHANGES;
  #eventVersion = 0;
  #lastBbo = "";
  #origin = 0;
  /** A record chained to it, or the producer's cell names its version: an image's version has no proof of its own. */
  #isConfirmed = true;

  /** @throws RangeError when the arena is exhausted */
  constructor(
    workspace: Workspace,
    options: {
      instrument: string;
      alias: number;
      outlet: Outlet;
      limits: GatewayLimits;
      now: () => number;
      meter?: HopMeter | undefined;
    },
  ) {
    const { instrument, alias, outlet, limits, now, meter } = options;
    this.#instrument = instrument;
    this.#workspace = workspace;
    this.#outlet = outlet;
    const label = { instrument, depth: 0, rateMs: 0 };
    this.output = new ViewOutput(workspace, {
      label,
      alias,
      outlet,
      limits,
      encodeBytes: limits.encodeBytes,
      now,
      meter,
    });
    this.replica = this.output.replica;
    this.#topics = { bboBinary: marketTopic(alias, "bbo", "binary"), bboJson: marketTopic(alias, "bbo", "json") };
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

  /** Another producer, or none, makes the versions from here on. @param origin a number that stands for it */
  begin(origin: number): void {
    this.#origin = origin;
    this.restart();
  }

  /** The book was loaded anew or emptied: what was encoded for its clients leads nowhere. */
  restart(): void {
    this.output.restart(this.#origin);
    this.#changes = NO_CHANGES;
    this.#lastBbo = "";
  }

  /** Applies one delta record. @param record address of DELTA_BYTES */
  apply(record: number): BookOutcome {
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
    this.output.flush();
    this.#flushBbo();
  }

  /** Sends the hash alone when nothing else carried it for a while. */
  proveQuiet(): void {
    if (this.isReady) {
      this.output.proveQuiet();
    }
  }

  /** The best bid and offer as a message; undefined before there is a book. */
  bbo(form: Form): Payload | undefined {
    if (!this.isReady) {
      return undefined;
    }
    if (form === "json") {
      const options = { instrument: this.#instrument, ...this.replica.best() };
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
      if (this.output.frames.hasEvents) {
        this.output.flush();
      } else if (!this.output.frames.makeRoom()) {
        return REPLICA_BUFFER_FULL;
      }
    }
  }

  #afterRecord(record: number): void {
    const wantsJson = this.output.hasListeners("json");
    if (wantsJson) {
      const changes = recordChanges(this.#workspace.memory, record, this.replica.exponents);
      this.#changes = this.#changes.concat(changes);
    }
    if (!this.replica.isWhole) {
      return;
    }
    this.events += 1;
    this.output.noteEvent();
    if (wantsJson) {
      this.output.publishChanges(this.#eventVersion, this.#changes);
    }
    if (this.output.frames.isFull) {
      this.output.flush();
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
